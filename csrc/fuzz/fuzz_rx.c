/* Bytes as a script for one receive stream: put, pull and restart in any order, with any
 * sequence number, timestamp and passage of time. Checked: every pull gives exactly one frame and
 * an account of it, the playout timestamp never goes back except at a restart, memory beyond the
 * stream is not touched (canaries, and the sanitizers), counters agree. */
#include "mc_rx.h"

#include <stdlib.h>
#include <string.h>

#define REQUIRE(x)                                                                                 \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

enum { MEM = 96 * 1024, CANARY = 64 };

static size_t dec_size(uint32_t srate)
{
	(void)srate;
	return 16;
}

static int dec_init(void *dec, uint32_t srate)
{
	(void)srate;
	memset(dec, 0, 16);
	return 0;
}

/* The length is in the first byte, in steps of 2.5 ms; the decoder may disagree with it, as one
 * that is fed garbage does. */
static int samples(const uint8_t *payload, size_t n, uint32_t srate)
{
	return n ? (int)((payload[0] % 28) * (srate / 400)) : MC_EBADMSG;
}

static int decode(void *dec, int16_t *restrict pcm, size_t cap, const uint8_t *restrict payload,
		  size_t n)
{
	(void)dec;
	if (n < 1 || (n > 1 && payload[1] == 13))
		return MC_EBADMSG;
	size_t out = (size_t)(payload[0] % 28) * 20;
	if (n > 1 && payload[1] == 14)
		out = cap;
	if (out > cap)
		return MC_EBADMSG;
	for (size_t i = 0; i < out; i++)
		pcm[i] = (int16_t)((payload[i % n] * 257) ^ (int)(i * (n > 2 ? payload[2] : 31)));
	return (int)out;
}

static int conceal(void *dec, int16_t *restrict pcm, size_t n, const uint8_t *next, size_t next_len)
{
	(void)dec;
	if (next_len && next[0] % 5 == 0)
		return MC_EBADMSG;
	memset(pcm, 0, n * sizeof *pcm);
	return (int)n;
}

static const struct mc_codec codecs[] = {
	{.name = "A",
	 .clock_rate = 8000,
	 .srate = 8000,
	 .dec_size = dec_size,
	 .dec_init = dec_init,
	 .decode = decode,
	 .samples = samples},
	{.name = "B",
	 .clock_rate = 8000,
	 .srate = 16000,
	 .dec_size = dec_size,
	 .dec_init = dec_init,
	 .decode = decode,
	 .samples = samples},
	{.name = "C",
	 .clock_rate = 48000,
	 .srate = 8000,
	 .dec_size = dec_size,
	 .dec_init = dec_init,
	 .decode = decode,
	 .samples = samples,
	 .conceal = conceal},
	{.name = "D",
	 .clock_rate = 48000,
	 .srate = 48000,
	 .dec_size = dec_size,
	 .dec_init = dec_init,
	 .decode = decode,
	 .samples = samples,
	 .conceal = conceal},
};

static uint64_t mem[MEM / 8];

struct reader {
	const uint8_t *at;
	size_t left;
};

static uint32_t take(struct reader *r, size_t bytes)
{
	uint32_t v = 0;
	while (bytes-- > 0) {
		v = v << 8 | (r->left ? *r->at : 0);
		if (r->left) {
			r->at++;
			r->left--;
		}
	}
	return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = {data, size};
	uint32_t setup = take(&r, 2);
	const struct mc_codec *codec = &codecs[setup % 4];
	struct mc_rx_cfg cfg = {.codec = codec,
				.srate = codec->srate,
				.slots = (uint16_t)(4 + (setup >> 2) % 61),
				.slot_bytes = (uint16_t)(16 + (setup >> 8) % 8 * 20),
				.max_packet_ms = (setup >> 11) % 2 ? 120 : 0,
				.seed = setup};
	size_t need = mc_rx_size(&cfg);
	REQUIRE(need > 0 && need + CANARY <= sizeof mem);
	memset((uint8_t *)mem + need, 0x5a, CANARY);
	struct mc_rx *rx;
	REQUIRE(mc_rx_init(&rx, mem, need, &cfg) == MC_OK);

	uint64_t now = 1000000;
	uint16_t seq = (uint16_t)setup;
	uint32_t ts = setup * 77777u, last = 0;
	uint64_t frames = 0;
	uint32_t puts = 0;
	int has = 0;
	while (r.left) {
		uint32_t op = take(&r, 1);
		switch (op & 7) {
		case 0:
		case 1:
		case 2: { /* the next packet in order, or nearly */
			uint8_t payload[400];
			uint32_t n = take(&r, 1) * ((op >> 3 & 1) + 1u) % sizeof payload;
			uint32_t fill = take(&r, 1);
			memset(payload, (int)fill, sizeof payload);
			payload[0] = (uint8_t)take(&r, 1);
			seq = (uint16_t)(seq + (op >> 4) - 4);
			ts += (uint32_t)samples(payload, 1, codec->srate) *
			      (codec->clock_rate / 8000) / (codec->srate / 8000);
			int rc =
				mc_rx_put(rx, payload, n,
					  (op & 7) == 2 ? MC_JBUF_CN : MC_JBUF_AUDIO, seq, ts, now);
			REQUIRE(rc <= MC_OK && rc >= MC_EFULL);
			puts++;
			break;
		}
		case 3: /* the sender's numbers jump */
			seq = (uint16_t)(op & 8 ? take(&r, 2) : seq + take(&r, 1));
			ts = op & 16 ? take(&r, 4) : ts + take(&r, 2);
			break;
		case 4: /* time passes without a tick */
			now += op & 8 ? (uint64_t)take(&r, 3) * 1000 : take(&r, 2);
			break;
		case 5:
			if (op & 0x80)
				mc_rx_restart(rx);
			break;
		default: { /* a tick */
			int16_t pcm[MC_FRAME_MAX + 8];
			size_t n = mc_frame_samples(codec->srate);
			for (size_t i = 0; i < 8; i++)
				pcm[n + i] = 0x1234;
			struct mc_rx_info info;
			now += MC_TICK_US;
			mc_rx_pull(rx, pcm, now, &info);
			for (size_t i = 0; i < 8; i++)
				REQUIRE(pcm[n + i] == 0x1234);
			REQUIRE(info.flags != 0);
			REQUIRE(info.concealed_samples <= n && info.noise_samples <= n);
			if (info.flags & MC_RX_RESTARTED)
				has = 0;
			REQUIRE(!has || (int32_t)(info.ts - last) >= 0);
			last = info.ts;
			has = !(info.flags & MC_RX_BEFORE);
			frames++;
			break;
		}
		}
	}
	struct mc_rx_stats s;
	mc_rx_stats(rx, &s);
	REQUIRE(s.frames == frames);
	REQUIRE(s.jbuf.received <= puts && s.jbuf.packets <= cfg.slots);
	REQUIRE(s.jbuf.late + s.jbuf.duplicate + s.jbuf.refused <= s.jbuf.received);
	for (size_t i = 0; i < CANARY; i++)
		REQUIRE(((uint8_t *)mem)[need + i] == 0x5a);
	return 0;
}
