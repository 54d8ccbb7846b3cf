/* Text into the scan for media messages and the base64 decoder. Checked: nothing outside of the
 * text is read, a payload lies between two quotes and holds none, numbers are within their bounds,
 * what is recognised still is when spaces stand around it, and not when a byte is cut off; what was
 * decoded encodes to the same. Input: [dialect] [text]. */
#include <stdlib.h>
#include <string.h>

#include "mc_b64.h"
#include "mc_mjson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
	if (!ok)
		abort();
}

static struct mc_mjson_name named(const char *text)
{
	struct mc_mjson_name name = {.n = strlen(text)};
	memcpy(name.text, text, name.n);
	return name;
}

static struct mc_mjson_cfg dialect(uint8_t which)
{
	struct mc_mjson_cfg cfg = {.payload = {named("media"), named("payload")}};
	if (which & 1) {
		cfg.event_key = named("event");
		cfg.event_value = named("media");
	}
	cfg.seq.key = named(which & 2 ? "chunk" : "sequence_number");
	if (which & 2)
		cfg.seq.object = cfg.payload.object;
	if (which & 4)
		cfg.ts = (struct mc_mjson_path){named("media"), named("timestamp")};
	if (which & 8) {
		cfg.track = (struct mc_mjson_path){named("media"), named("track")};
		cfg.tracks[0] = named("inbound");
		cfg.track_count = 1;
	}
	if (which & 16)
		cfg.payload.object.n = 0;
	return cfg;
}

static void around(const struct mc_mjson_cfg *cfg, const struct mc_mjson *want, const uint8_t *text,
		   size_t n)
{
	struct mc_mjson again;
	uint8_t *more = malloc(n + 2);
	check(more != NULL);
	more[0] = more[n + 1] = ' ';
	memcpy(more + 1, text, n);
	check(mc_mjson_scan(&again, cfg, more, n + 2));
	check(again.payload_at == want->payload_at + 1 && again.payload_n == want->payload_n);
	check(again.seq == want->seq && again.ts == want->ts);
	check(again.wrong_track == want->wrong_track);
	free(more);
	while (n && text[n - 1] != '}')
		n--;
	check(!mc_mjson_scan(&again, cfg, text, n - 1));
}

static void decode(const char *text, size_t n)
{
	uint8_t *out = malloc(n / 4 * 3 + 3);
	char *in = malloc(n + 1), *back;
	check(out != NULL && in != NULL);
	memcpy(in, text, n);
	int64_t got = mc_b64_decode(out, in, n);
	check(got == MC_EBADMSG || (got >= 0 && (size_t)got <= n / 4 * 3 + 3));
	check(mc_b64_decode((uint8_t *)in, in, n) == got); /* in place */
	if (got >= 0) {
		check(!memcmp(in, out, (size_t)got));
		back = malloc(mc_b64_encoded((size_t)got) + 1);
		check(back != NULL);
		size_t len = mc_b64_encode(back, out, (size_t)got);
		check(len == mc_b64_encoded((size_t)got));
		check(mc_b64_decode((uint8_t *)in, back, len) == got);
		check(!memcmp(in, out, (size_t)got));
		free(back);
	}
	free(in);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mc_mjson found;

	if (size < 2)
		return 0;
	struct mc_mjson_cfg cfg = dialect(data[0]);
	size_t n = size - 1;
	uint8_t *text = malloc(n);
	check(text != NULL);
	memcpy(text, data + 1, n);
	if (mc_mjson_scan(&found, &cfg, text, n)) {
		check(found.payload_at > 0 && found.payload_at + found.payload_n < n);
		check(text[found.payload_at - 1] == '"');
		check(text[found.payload_at + found.payload_n] == '"');
		check(!memchr(text + found.payload_at, '"', found.payload_n));
		check(found.has_seq || !found.seq);
		check(found.has_ts || !found.ts);
		around(&cfg, &found, text, n);
		decode((const char *)text + found.payload_at, found.payload_n);
	}
	decode((const char *)text, n);
	free(text);
	return 0;
}
