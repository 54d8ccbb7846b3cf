#include "mc_rx.h"
#include "mc_test.h"

enum { T0 = 1000000 };

static uint64_t mem[65536];

/* Fake codecs. "L16 little endian" at any rate, and one with a state, its own concealment and a
 * finer clock, like Opus. */
static size_t none(uint32_t srate)
{
	(void)srate;
	return 0;
}

static int no_init(void *dec, uint32_t srate)
{
	(void)dec;
	(void)srate;
	return 0;
}

static int raw_decode(void *dec, int16_t *restrict pcm, size_t cap, const uint8_t *restrict payload,
		      size_t n)
{
	(void)dec;
	if (n / 2 > cap || (n > 0 && payload[0] == 0xee && payload[1] == 0x7e))
		return MC_EBADMSG;
	memcpy(pcm, payload, n / 2 * 2);
	return (int)(n / 2);
}

static int raw_samples(const uint8_t *payload, size_t n, uint32_t srate)
{
	(void)payload;
	(void)srate;
	return n % 2 ? MC_EBADMSG : (int)(n / 2);
}

static const struct mc_codec raw8 = {.name = "RAW",
				     .clock_rate = 8000,
				     .srate = 8000,
				     .dec_size = none,
				     .dec_init = no_init,
				     .decode = raw_decode,
				     .samples = raw_samples};
/* Like G.722: the timestamps tick at half the sampling rate. */
static const struct mc_codec raw16 = {.name = "RAW",
				      .clock_rate = 8000,
				      .srate = 16000,
				      .dec_size = none,
				      .dec_init = no_init,
				      .decode = raw_decode,
				      .samples = raw_samples};

struct own {
	int conceals;
	int with_next;
	int level;
};

static size_t own_size(uint32_t srate)
{
	(void)srate;
	return sizeof(struct own);
}

static int own_init(void *dec, uint32_t srate)
{
	struct own *own = dec;
	(void)srate;
	own->level = 0;
	return 0;
}

/* Byte 0: length in units of 10 ms; byte 1: level / 64. */
static int own_samples(const uint8_t *payload, size_t n, uint32_t srate)
{
	return n == 2 && payload[0] >= 1 && payload[0] <= 12 ? payload[0] * (int)(srate / 100)
							     : MC_EBADMSG;
}

static int own_decode(void *dec, int16_t *restrict pcm, size_t cap, const uint8_t *restrict payload,
		      size_t n)
{
	struct own *own = dec;
	int samples = own_samples(payload, n, 16000);
	if (samples < 0 || (size_t)samples > cap)
		return MC_EBADMSG;
	own->level = payload[1] * 64;
	for (int i = 0; i < samples; i++)
		pcm[i] = (int16_t)own->level;
	return samples;
}

static struct own own_seen;

static int own_conceal(void *dec, int16_t *restrict pcm, size_t n, const uint8_t *next,
		       size_t next_len)
{
	struct own *own = dec;
	CHECK(n % 160 == 0 && n > 0);
	CHECK((next != NULL) == (next_len != 0));
	own_seen.conceals++;
	own_seen.with_next += next != NULL;
	for (size_t i = 0; i < n; i++)
		pcm[i] = (int16_t)own->level;
	return (int)n;
}

static const struct mc_codec own16 = {.name = "OWN",
				      .clock_rate = 48000,
				      .srate = 16000,
				      .dec_size = own_size,
				      .dec_init = own_init,
				      .decode = own_decode,
				      .samples = own_samples,
				      .conceal = own_conceal};

static struct mc_rx *make(const struct mc_rx_cfg *cfg)
{
	struct mc_rx *rx;
	size_t size = mc_rx_size(cfg);
	CHECK(size > 0 && size <= sizeof mem);
	memset(mem, 0xa5, size);
	CHECK_EQ(mc_rx_init(&rx, mem, size, cfg), MC_OK);
	return rx;
}

static struct mc_rx *make8(void)
{
	struct mc_rx_cfg cfg = {.codec = &raw8, .srate = 8000, .slot_bytes = 320, .seed = 1};
	return make(&cfg);
}

static struct mc_rx_stats stats(const struct mc_rx *rx)
{
	struct mc_rx_stats s;
	mc_rx_stats(rx, &s);
	return s;
}

/* A voice-like tone, 125 Hz and two harmonics, continuous in the sample index. */
static int16_t voice(uint64_t i, uint32_t srate)
{
	double w = 2 * 3.14159265358979 * 125 / srate;
	double t = (double)i;
	return (int16_t)lrint(4000 * sin(w * t) + 2000 * sin(2 * w * t + 1) + 900 * sin(5 * w * t));
}

static int put_voice(struct mc_rx *rx, uint32_t srate, uint32_t clock, uint16_t seq0, uint32_t ts0,
		     int index, uint32_t ms, uint64_t now)
{
	int16_t pcm[960 * 6];
	uint32_t n = ms * srate / 1000;
	for (uint32_t i = 0; i < n; i++)
		pcm[i] = voice((uint64_t)index * n + i, srate);
	return mc_rx_put(rx, (const uint8_t *)pcm, n * 2, MC_JBUF_AUDIO, (uint16_t)(seq0 + index),
			 ts0 + (uint32_t)index * (ms * clock / 1000), now);
}

static int put8(struct mc_rx *rx, int index, int ms)
{
	return put_voice(rx, 8000, 8000, 65530, UINT32_MAX - 1000, index, 20,
			 (uint64_t)(T0 + ms * 1000));
}

static struct mc_rx_info pull(struct mc_rx *rx, int16_t *pcm, int ms)
{
	struct mc_rx_info info;
	mc_rx_pull(rx, pcm, (uint64_t)(T0 + ms * 1000), &info);
	return info;
}

static int biggest_step(const int16_t *x, size_t n)
{
	int most = 0;
	for (size_t i = 1; i < n; i++)
		most = abs(x[i] - x[i - 1]) > most ? abs(x[i] - x[i - 1]) : most;
	return most;
}

static void test_config(void)
{
	struct mc_rx *rx;
	struct mc_rx_cfg cfg = {.srate = 8000};
	CHECK_EQ(mc_rx_size(&cfg), 0);
	cfg.codec = &raw8;
	/* A G.711 leg. */
	CHECK(mc_rx_size(&cfg) <= 20 * 1024);
	CHECK_EQ(mc_rx_init(&rx, mem, mc_rx_size(&cfg) - 1, &cfg), MC_ENOMEM);
	cfg.srate = 44100;
	CHECK_EQ(mc_rx_init(&rx, mem, sizeof mem, &cfg), MC_EINVAL);
	cfg.srate = 8000;
	cfg.max_packet_ms = 10;
	CHECK_EQ(mc_rx_init(&rx, mem, sizeof mem, &cfg), MC_EINVAL);
	cfg.max_packet_ms = 0;
	cfg.slots = 2;
	CHECK_EQ(mc_rx_init(&rx, mem, sizeof mem, &cfg), MC_EINVAL);
}

/* A clean path: what goes in comes out, sample for sample, after the start. */
static void test_clean(void)
{
	struct mc_rx *rx = make8();
	static int16_t out[160 * 500];
	uint32_t last = 0;
	int audio = 0;
	for (int k = 0; k < 500; k++) {
		CHECK_EQ(put8(rx, k, k * 20), MC_OK);
		struct mc_rx_info info = pull(rx, out + k * 160, k * 20 + 8);
		if (info.flags & MC_RX_AUDIO) {
			CHECK(!audio || info.ts - last <= 160 * 2);
			audio++;
			last = info.ts;
		} else {
			CHECK_EQ(info.flags, MC_RX_BEFORE);
			CHECK(k < 5);
		}
	}
	struct mc_rx_stats s = stats(rx);
	CHECK_EQ(s.concealed_samples + s.noise_samples, 0);
	CHECK_EQ(s.jbuf.lost + s.jbuf.late + s.jbuf.overflow, 0);
	/* Without a pause in the speech a part of a tick may stay on top of 30 ms. */
	CHECK(s.jbuf.delay_ms <= 48);
	CHECK(biggest_step(out + 160 * 10, 160 * 480) < 1200);
	/* The position told is that of the sample heard. */
	struct mc_rx_info info = pull(rx, out, 500 * 20 + 8);
	uint32_t at = info.ts - (UINT32_MAX - 1000);
	for (int i = 0; i < 160; i++)
		CHECK_EQ(out[i], voice(at + (uint32_t)i, 8000));
}

/* With pauses to shorten, a clean path settles at 30 ms or less, and a loopback in the same tick
 * at 20 ms. */
static void test_settles_low(void)
{
	for (int phase = 0; phase < 20; phase++) {
		struct mc_rx *rx = make8();
		int16_t pcm[160] = {0};
		struct mc_rx_info info = {0};
		for (int k = 0; k < 250; k++) {
			CHECK_EQ(mc_rx_put(rx, (uint8_t *)pcm, 320, MC_JBUF_AUDIO, (uint16_t)k,
					   (uint32_t)k * 160, (uint64_t)(T0 + k * 20000)),
				 MC_OK);
			int16_t out[160];
			info = pull(rx, out, k * 20 + phase);
		}
		CHECK_EQ(info.target_ms, 10);
		CHECK(info.delay_ms <= 34);
		if (phase == 0)
			CHECK_EQ(info.delay_ms, 20);
	}
}

/* Packets shorter and longer than the tick, two clocks. */
static void test_packet_lengths(void)
{
	static const uint32_t lengths[] = {10, 20, 30, 40, 60};
	for (size_t c = 0; c < 2; c++) {
		const struct mc_codec *codec = c ? &raw16 : &raw8;
		for (size_t l = 0; l < 5; l++) {
			uint32_t ms = lengths[l];
			if (ms * codec->srate / 1000 * 2 > MC_PACKET_MAX)
				continue;
			struct mc_rx_cfg cfg = {.codec = codec,
						.srate = codec->srate,
						.slot_bytes = (uint16_t)(codec->srate / 25)};
			struct mc_rx *rx = make(&cfg);
			int i = 0;
			for (int k = 0; k < 600; k++) {
				for (; i * (int)ms <= k * 20; i++)
					CHECK_EQ(put_voice(rx, codec->srate, 8000, 0, 77, i, ms,
							   (uint64_t)(T0 + i * (int)ms * 1000)),
						 MC_OK);
				int16_t pcm[MC_FRAME_MAX];
				struct mc_rx_info info = pull(rx, pcm, k * 20 + 3);
				CHECK(k < 10 || info.flags == MC_RX_AUDIO);
			}
			CHECK_EQ(stats(rx).concealed_samples + stats(rx).noise_samples, 0);
			CHECK(stats(rx).jbuf.delay_ms <= 55);
		}
	}
}

/* Single losses: heard as neither a click nor a hole. */
static void test_loss(void)
{
	struct mc_rx *rx = make8();
	static int16_t out[160 * 400];
	for (int k = 0; k < 400; k++) {
		if (k % 17 != 5 && k % 40 != 31 && k % 40 != 32)
			CHECK_EQ(put8(rx, k, k * 20), MC_OK);
		struct mc_rx_info info = pull(rx, out + k * 160, k * 20 + 15);
		CHECK(k < 10 || test_rms(out + k * 160, 160) > 1500);
		CHECK((info.concealed_samples > 0) == !!(info.flags & MC_RX_CONCEALED));
	}
	struct mc_rx_stats s = stats(rx);
	CHECK(biggest_step(out + 160 * 10, 160 * 390) < 2200);
	CHECK(s.jbuf.lost >= 40 && s.jbuf.lost <= 44);
	CHECK(s.concealed_samples <= (s.jbuf.lost + 1) * 160);
	CHECK_EQ(s.noise_samples, 0);
}

/* Nothing arrives any more: concealment, then silence or noise; then the stream comes back, once
 * after a short and once after a long absence. */
static void test_absence(void)
{
	static const int gaps[] = {15, 500};
	for (int g = 0; g < 2; g++) {
		struct mc_rx *rx = make8();
		static int16_t out[160 * 900];
		int n = 200 + gaps[g] + 100;
		uint32_t last_ts = 0;
		for (int k = 0; k < n; k++) {
			int away = k >= 100 && k < 100 + gaps[g];
			if (!away)
				CHECK_EQ(put8(rx, k, k * 20), MC_OK);
			struct mc_rx_info info = pull(rx, out + k * 160, k * 20 + 5);
			if (k > 5)
				CHECK((int32_t)(info.ts - last_ts) >= 0);
			last_ts = info.ts;
			if (away && k >= 100 + 13)
				CHECK(info.flags == MC_RX_NOISE);
			if (k > 110 + gaps[g])
				CHECK(info.flags == MC_RX_AUDIO);
		}
		struct mc_rx_stats s = stats(rx);
		CHECK(s.concealed_samples <= 220 * 8);
		CHECK_EQ(s.jbuf.resets, 0);
		CHECK_EQ(s.jbuf.lost, (uint32_t)gaps[g]);
		CHECK_EQ(s.paused_samples, 0); /* the sequence says so */
		CHECK(s.jbuf.delay_ms <= 40);
		CHECK(biggest_step(out + 160 * 10, 160 * (size_t)(n - 10)) < 3500);
	}
}

/* DTX with CN: comfort noise at the level told, no loss, no concealment. */
static void test_comfort_noise(void)
{
	struct mc_rx *rx = make8();
	static int16_t out[160 * 400];
	uint8_t level = 50;
	uint16_t seq = 10;
	for (int k = 0; k < 400; k++) {
		uint64_t now = (uint64_t)(T0 + k * 20000);
		uint32_t ts = 5000 + (uint32_t)k * 160;
		if (k < 100 || k >= 300)
			CHECK_EQ(put_voice(rx, 8000, 8000, (uint16_t)(seq++ - k), 5000, k, 20, now),
				 MC_OK);
		else if (k % 50 == 0)
			CHECK_EQ(mc_rx_put(rx, &level, 1, MC_JBUF_CN, seq++, ts, now), MC_OK);
		struct mc_rx_info info = pull(rx, out + k * 160, k * 20 + 2);
		CHECK(!(info.flags & MC_RX_CONCEALED));
		if (k >= 105 && k < 300)
			CHECK_EQ(info.flags, MC_RX_NOISE);
	}
	struct mc_rx_stats s = stats(rx);
	CHECK_EQ(s.jbuf.lost, 0);
	CHECK(s.noise_samples >= 195 * 160);
	double dbov = 20 * log10(test_rms(out + 160 * 150, 160 * 140) / 32768);
	CHECK(fabs(dbov + 50) < 1.0);
	CHECK_EQ(mc_rx_put(rx, &level, 0, MC_JBUF_CN, seq, 0, T0), MC_EBADMSG);
}

/* A pause in the timestamps without CN: the background heard before goes on, within 3 dB. */
static void test_background(void)
{
	struct mc_rx *rx = make8();
	static int16_t out[160 * 400];
	uint32_t seed = 8;
	int seq = 0;
	for (int k = 0; k < 400; k++) {
		int16_t pcm[160];
		for (size_t i = 0; i < 160; i++)
			pcm[i] = (int16_t)((int)(test_rand(&seed) % 401) - 200);
		if (k < 200 || k >= 300) {
			CHECK_EQ(mc_rx_put(rx, (uint8_t *)pcm, 320, MC_JBUF_AUDIO, (uint16_t)seq,
					   (uint32_t)k * 160, (uint64_t)(T0 + k * 20000)),
				 MC_OK);
			seq++;
		}
		struct mc_rx_info info = pull(rx, out + k * 160, k * 20 + 2);
		if (k > 215 && k < 300)
			CHECK_EQ(info.flags, MC_RX_NOISE);
	}
	struct mc_rx_stats s = stats(rx);
	CHECK_EQ(s.jbuf.lost, 0);
	CHECK(s.concealed_samples > 0 && s.paused_samples == s.concealed_samples);
	double before = test_rms(out + 160 * 100, 160 * 90);
	for (int k = 195; k < 320; k += 5)
		CHECK(fabs(20 * log10(test_rms(out + 160 * k, 800) / before)) < 3.0);
}

static void test_restart(void)
{
	struct mc_rx *rx = make8();
	static int16_t out[160 * 300];
	int restarted = 0;
	for (int k = 0; k < 300; k++) {
		if (k == 150)
			mc_rx_restart(rx);
		/* The new sender has its own seq and ts. */
		CHECK_EQ(put_voice(rx, 8000, 8000, k < 150 ? 65500 : 1000,
				   k < 150 ? 7 : 3000000000u, k, 20, (uint64_t)(T0 + k * 20000)),
			 MC_OK);
		struct mc_rx_info info = pull(rx, out + k * 160, k * 20 + 2);
		restarted += !!(info.flags & MC_RX_RESTARTED);
		if (k > 160) {
			CHECK_EQ(info.flags, MC_RX_AUDIO);
			uint32_t behind = 3000000000u + (uint32_t)k * 160 - info.ts;
			CHECK(behind < 160 * 5);
		}
	}
	CHECK_EQ(restarted, 1);
	CHECK_EQ(stats(rx).jbuf.resets, 1);
	CHECK_EQ(stats(rx).jbuf.received, 300);
	CHECK(biggest_step(out + 160 * 10, 160 * 290) < 3500);
	mc_rx_reset(rx);
	CHECK_EQ(stats(rx).jbuf.received, 0);
	CHECK_EQ(pull(rx, out, 7000).flags, MC_RX_BEFORE);
}

/* A stream that begins with CN: the timestamp told starts with it, wherever the clock stands. */
static void test_noise_first(void)
{
	static const uint32_t bases[] = {5, 1u << 31, UINT32_MAX - 300};
	for (size_t b = 0; b < 3; b++) {
		struct mc_rx *rx = make8();
		uint8_t level = 60;
		int16_t pcm[160];
		CHECK_EQ(pull(rx, pcm, 0).flags, MC_RX_BEFORE);
		CHECK_EQ(mc_rx_put(rx, &level, 1, MC_JBUF_CN, 99, bases[b] - 8000, T0 + 20000),
			 MC_OK);
		struct mc_rx_info info = pull(rx, pcm, 20);
		CHECK(info.flags == MC_RX_NOISE && info.ts == bases[b] - 8000);
		for (int k = 0; k < 20; k++) {
			CHECK_EQ(put_voice(rx, 8000, 8000, 100, bases[b], k, 20,
					   (uint64_t)(T0 + 1020000 + k * 20000)),
				 MC_OK);
			info = pull(rx, pcm, 1020 + k * 20 + 5);
		}
		CHECK(info.flags == MC_RX_AUDIO && info.ts - bases[b] <= 19 * 160);
		CHECK_EQ(stats(rx).jbuf.lost, 0);
	}
}

static void test_bad_payloads(void)
{
	struct mc_rx *rx = make8();
	static uint8_t zero[1400];
	CHECK_EQ(mc_rx_put(rx, zero, 0, MC_JBUF_AUDIO, 1, 1, T0), MC_EBADMSG);
	CHECK_EQ(mc_rx_put(rx, zero, 3, MC_JBUF_AUDIO, 1, 1, T0), MC_EBADMSG);
	CHECK_EQ(mc_rx_put(rx, zero, 962, MC_JBUF_AUDIO, 1, 1, T0), MC_EBADMSG); /* over 60 ms */
	CHECK_EQ(stats(rx).undecodable, 3);
	/* Of good length, but the decoder refuses: concealed. */
	int16_t pcm[160];
	for (int k = 0; k < 50; k++) {
		if (k == 20) {
			uint8_t bad[320] = {0xee, 0x7e};
			CHECK_EQ(mc_rx_put(rx, bad, 320, MC_JBUF_AUDIO, (uint16_t)(65530 + k),
					   UINT32_MAX - 1000 + (uint32_t)k * 160,
					   (uint64_t)(T0 + k * 20000)),
				 MC_OK);
		} else {
			CHECK_EQ(put8(rx, k, k * 20), MC_OK);
		}
		(void)pull(rx, pcm, k * 20 + 5);
	}
	CHECK_EQ(stats(rx).undecodable, 4);
	CHECK_EQ(stats(rx).concealed_samples, 160);
}

/* A codec that conceals itself gets whole steps, and the next packet for its in-band FEC. */
static void test_own_concealment(void)
{
	struct mc_rx_cfg cfg = {.codec = &own16, .srate = 16000, .slot_bytes = 40};
	struct mc_rx *rx = make(&cfg);
	own_seen = (struct own){0};
	int16_t pcm[320];
	for (int k = 0; k < 300; k++) {
		uint8_t payload[2] = {2, 100};
		if (k % 20 != 11 && (k < 200 || k >= 230))
			CHECK_EQ(mc_rx_put(rx, payload, 2, MC_JBUF_AUDIO, (uint16_t)k,
					   (uint32_t)k * 960, (uint64_t)(T0 + k * 20000)),
				 MC_OK);
		struct mc_rx_info info = pull(rx, pcm, k * 20 + 15);
		if (k > 10 && k < 200)
			for (int i = 0; i < 320; i++)
				CHECK_EQ(pcm[i], 6400);
		if (k > 220 && k < 230)
			CHECK(info.flags & MC_RX_NOISE);
	}
	CHECK(own_seen.conceals >= 14 && own_seen.with_next >= 1);
}

/* Jitter, drift and bursts over two virtual minutes. */
static void test_drift(void)
{
	for (int ppm = -350; ppm <= 350; ppm += 350) {
		struct mc_rx *rx = make8();
		uint32_t seed = 5;
		int16_t pcm[160];
		int i = 0;
		for (int k = 0; k < 6000; k++) {
			int64_t now = T0 + k * 20000 + 7000;
			for (;; i++) {
				int64_t at = T0 + (int64_t)(i * 20000.0 * (1 + ppm * 1e-6)) +
					     (int)(test_rand(&seed) % 4000);
				if (at > now)
					break;
				CHECK_EQ(put_voice(rx, 8000, 8000, 65000, UINT32_MAX - 300000, i,
						   20, (uint64_t)at),
					 MC_OK);
			}
			struct mc_rx_info info;
			mc_rx_pull(rx, pcm, (uint64_t)now, &info);
			CHECK(k < 10 || !(info.flags & MC_RX_NOISE));
			CHECK(info.delay_ms < 70);
		}
		struct mc_rx_stats s = stats(rx);
		CHECK_EQ(s.jbuf.overflow + s.jbuf.resets + s.jbuf.lost + s.jbuf.discarded, 0);
		CHECK(s.concealed_samples <= 4 * 160);
		/* 42 ms of drift, and the way down from the start: under 0.1 %. */
		CHECK(s.accelerated_samples + s.expanded_samples < 120 * 8);
	}
}

/* A stall of 300 ms, then everything at once: back to a low delay within some seconds. */
static void test_recovers(void)
{
	struct mc_rx *rx = make8();
	int16_t pcm[160];
	int i = 0;
	struct mc_rx_info info = {0};
	for (int k = 0; k < 1200; k++) {
		if (k < 200 || k >= 215)
			for (; i <= k; i++)
				CHECK(put8(rx, i, k * 20) <= MC_OK);
		info = pull(rx, pcm, k * 20 + 8);
	}
	CHECK(info.delay_ms <= 45);
	CHECK(stats(rx).accelerations > 0 || stats(rx).jbuf.discarded > 0);
	CHECK_EQ(info.flags, MC_RX_AUDIO);
}

/* Whatever the network does, every pull gives one frame and the timestamp never goes back. */
static void test_random_networks(void)
{
	uint32_t seed = 2024;
	for (int round = 0; round < 40; round++) {
		struct mc_rx_cfg cfg = {.codec = &raw8,
					.srate = 8000,
					.slot_bytes = 320,
					.slots = (uint16_t)(8 + test_rand(&seed) % 57),
					.seed = seed};
		struct mc_rx *rx = make(&cfg);
		uint32_t loss = test_rand(&seed) % 40, dup = test_rand(&seed) % 20;
		uint32_t spread = 1 + test_rand(&seed) % 200000;
		enum { N = 600, DELAYED = 64 };
		struct {
			int64_t at;
			int index;
		} way[DELAYED];
		int ways = 0;
		uint32_t last = 0;
		int has = 0;
		for (int k = 0; k < N; k++) {
			int64_t now = T0 + k * 20000;
			for (uint32_t copy = 0; copy < 1 + (test_rand(&seed) % 100 < dup); copy++)
				if (test_rand(&seed) % 100 >= loss && ways < DELAYED) {
					way[ways].at = now + test_rand(&seed) % spread;
					way[ways++].index = k;
				}
			for (int w = 0; w < ways; w++)
				if (way[w].at <= now) {
					(void)put8(rx, way[w].index,
						   (int)((way[w].at - T0) / 1000));
					way[w--] = way[--ways];
				}
			int16_t pcm[160 + 2];
			pcm[160] = pcm[161] = 12345;
			struct mc_rx_info info;
			mc_rx_pull(rx, pcm, (uint64_t)now, &info);
			CHECK(pcm[160] == 12345 && pcm[161] == 12345);
			CHECK(info.flags != 0);
			CHECK(info.concealed_samples <= 160 && info.noise_samples <= 160);
			CHECK(!has || (int32_t)(info.ts - last) >= 0);
			last = info.ts;
			has |= !(info.flags & MC_RX_BEFORE);
		}
		struct mc_rx_stats s = stats(rx);
		CHECK_EQ(s.frames, N);
		CHECK_EQ(s.jbuf.resets, 0);
		CHECK(s.jbuf.late + s.jbuf.duplicate + s.jbuf.overflow <= s.jbuf.received);
	}
}

int main(void)
{
	RUN(test_config);
	RUN(test_clean);
	RUN(test_settles_low);
	RUN(test_packet_lengths);
	RUN(test_loss);
	RUN(test_absence);
	RUN(test_comfort_noise);
	RUN(test_background);
	RUN(test_restart);
	RUN(test_noise_first);
	RUN(test_bad_payloads);
	RUN(test_own_concealment);
	RUN(test_drift);
	RUN(test_recovers);
	RUN(test_random_networks);
	return 0;
}
