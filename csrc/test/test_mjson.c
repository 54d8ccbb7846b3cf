/* mc_mjson: finds the payload in any order and spacing; gives up where a parser could differ. */
#include "mc_mjson.h"

#include "mc_test.h"

static struct mc_mjson_cfg cfg;

static void name(struct mc_mjson_name *out, const char *text)
{
	*out = (struct mc_mjson_name){.n = strlen(text)};
	memcpy(out->text, text, out->n);
}

static void dialect(void)
{
	cfg = (struct mc_mjson_cfg){0};
	name(&cfg.event_key, "event");
	name(&cfg.event_value, "media");
	name(&cfg.payload.object, "media");
	name(&cfg.payload.key, "payload");
	name(&cfg.seq.key, "sequenceNumber");
	name(&cfg.ts.object, "media");
	name(&cfg.ts.key, "timestamp");
	name(&cfg.track.object, "media");
	name(&cfg.track.key, "track");
	name(&cfg.tracks[0], "inbound");
	cfg.track_count = 1;
}

/* The payload, or NULL when it is not media for certain. */
static const char *scan(struct mc_mjson *out, const char *text)
{
	static char payload[64];
	size_t n = strlen(text);
	uint8_t *exact = malloc(n + !n);
	CHECK(exact != NULL);
	memcpy(exact, text, n);
	bool found = mc_mjson_scan(out, &cfg, exact, n);
	if (found) {
		CHECK(out->payload_at + out->payload_n < n && out->payload_n < sizeof(payload));
		memcpy(payload, exact + out->payload_at, out->payload_n);
		payload[out->payload_n] = 0;
	}
	free(exact);
	return found ? payload : NULL;
}

#define FOUND(text, want)                                                                          \
	do {                                                                                       \
		const char *got_ = scan(&m, text);                                                 \
		CHECK(got_ && !strcmp(got_, want));                                                \
	} while (0)
#define NOT(text) CHECK(!scan(&m, text))

static void test_any_order_and_spacing(void)
{
	struct mc_mjson m;
	dialect();
	FOUND("{\"event\":\"media\",\"sequenceNumber\":\"4\",\"media\":{\"track\":\"inbound\","
	      "\"chunk\":\"2\",\"timestamp\":\"40\",\"payload\":\"AAAA\"},\"streamSid\":\"MZ1\"}",
	      "AAAA");
	CHECK(m.has_seq && m.seq == 4 && m.has_ts && m.ts == 40 && !m.wrong_track);
	FOUND(" {\t\"media\" :\r\n { \"payload\" : \"AA\\/A\" , \"timestamp\":40 } , \"x\" : [ 1, "
	      "-2.5e+3, {\"y\":[]}, {}, null, true, false ], \"event\": \"media\" , "
	      "\"sequenceNumber\" : 900719925474099312 } \n",
	      "AA\\/A");
	CHECK(m.has_seq && m.seq == 900719925474099312u && m.has_ts && m.ts == 40);
	FOUND("{\"event\":\"media\",\"media\":{\"payload\":\"\"}}", "");
	CHECK(!m.has_seq && !m.has_ts && !m.wrong_track);
	FOUND("{\"event\":\"media\",\"media\":{\"payload\":\"A\",\"track\":\"outbound\"}}", "A");
	CHECK(m.wrong_track);
	/* Numbers that are none of ours are no numbers. */
	FOUND("{\"event\":\"media\",\"sequenceNumber\":1.5,\"media\":{\"payload\":\"A\","
	      "\"timestamp\":\"2026-01-01\"}}",
	      "A");
	CHECK(!m.has_seq && !m.has_ts);
	FOUND("{\"event\":\"media\",\"sequenceNumber\":-1,\"media\":{\"payload\":\"A\","
	      "\"timestamp\":\"1234567890123456789\"}}",
	      "A");
	CHECK(!m.has_seq && !m.has_ts);
}

static void test_other_messages_are_not_media(void)
{
	struct mc_mjson m;
	dialect();
	NOT("{\"event\":\"start\",\"media\":{\"payload\":\"A\"}}");
	NOT("{\"event\":\"mark\",\"mark\":{\"name\":\"m\"}}");
	NOT("{\"media\":{\"payload\":\"A\"}}");
	NOT("{\"event\":\"media\",\"payload\":\"A\"}");
	NOT("{\"event\":\"media\",\"media\":{\"data\":{\"payload\":\"A\"}}}");
	NOT("{\"event\":\"media\",\"other\":{\"payload\":\"A\"}}");
	NOT("{\"event\":\"media\",\"media\":\"A\"}");
	NOT("{\"event\":\"media\",\"media\":{\"payload\":null}}");
	NOT("{\"event\":\"media\",\"media\":{}}");
	NOT("{\"event\":5,\"media\":{\"payload\":\"A\"}}");
	NOT("{}");
	NOT("[]");
	NOT("");
	NOT("null");
}

static void test_what_is_not_certain_is_left(void)
{
	struct mc_mjson m;
	dialect();
	NOT("{\"ev\\u0065nt\":\"start\",\"event\":\"media\",\"media\":{\"payload\":\"A\"}}");
	NOT("{\"event\":\"media\",\"n\":\"\xc3\xa4\",\"media\":{\"payload\":\"A\"}}");
	NOT("{\"event\":\"media\",\"media\":{\"payload\":\"A\\u0041\"}}");
	NOT("{\"event\":\"media\",\"media\":{\"payload\":\"A\\\"\"}}");
	NOT("{\"event\":\"media\",\"media\":{\"payload\":\"A\",\"payload\":\"B\"}}");
	NOT("{\"event\":\"media\",\"media\":{\"payload\":\"A\"},\"media\":{}}");
	NOT("{\"event\":\"media\",\"media\":{\"payload\":\"A\"},\"media\":1}");
	NOT("{\"event\":\"media\",\"event\":\"media\",\"media\":{\"payload\":\"A\"}}");
	NOT("{\"event\":\"media\",\"x\":[[[[[[[[[[1]]]]]]]]]],\"media\":{\"payload\":\"A\"}}");
	NOT("{\"event\":\"media\",\"media\":{\"payload\":\"A\",\"track\":null}}");
	NOT("{\"event\":\"media\",\"sequenceNumber\":null,\"media\":{\"payload\":\"A\"}}");
}

static void test_only_whole_valid_json(void)
{
	struct mc_mjson m;
	const char *whole = "{\"event\":\"media\",\"a\":[1,{\"b\":true}],\"n\":-0.5e1,\"media\":"
			    "{\"payload\":\"AAAA\"}}";
	char part[128];
	dialect();
	FOUND(whole, "AAAA");
	for (size_t n = 0; n < strlen(whole); n++) {
		memcpy(part, whole, n);
		part[n] = 0;
		NOT(part);
	}
	const char *const values[] = {"01",  "1.",     ".5",    "+1",         "1e",    "--1", "tru",
				      "nul", "[1,]",   "{1:2}", "{\"a\"}",    "[1 2]", "\"",  "'a'",
				      "NaN", "\"\t\"", "",      "{\"a\":1,}", "]"};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		snprintf(part, sizeof(part),
			 "{\"event\":\"media\",\"x\":%s,\"media\":{\"payload\":\"A\"}}", values[i]);
		NOT(part);
	}
	NOT("{\"event\":\"media\",\"media\":{\"payload\":\"A\"}} x");
	NOT("{\"event\":\"media\",\"media\":{\"payload\":\"A\"},}");
	NOT("{\"event\":\"media\" \"media\":{\"payload\":\"A\"}}");
}

static void test_other_dialects(void)
{
	struct mc_mjson m;
	cfg = (struct mc_mjson_cfg){0};
	name(&cfg.payload.key, "audio");
	name(&cfg.seq.object, "meta");
	name(&cfg.seq.key, "n");
	FOUND("{\"meta\":{\"n\":7},\"audio\":\"BB\"}", "BB");
	CHECK(m.has_seq && m.seq == 7);
	NOT("{\"meta\":{\"n\":7}}");
	NOT("{\"audio\":\"A\",\"meta\":1,\"meta\":{}}");
}

int main(void)
{
	RUN(test_any_order_and_spacing);
	RUN(test_other_messages_are_not_media);
	RUN(test_what_is_not_certain_is_left);
	RUN(test_only_whole_valid_json);
	RUN(test_other_dialects);
	return 0;
}
