#include <stdbool.h>

#include "mc_jbuf.h"
#include "mc_test.h"

enum { TICK_TS = 160, T0 = 1000000 };

static uint64_t mem[4096];
static uint8_t scratch[MC_PACKET_MAX];

static struct mc_jbuf *make(const struct mc_jbuf_cfg *cfg)
{
	struct mc_jbuf *jb;
	CHECK(mc_jbuf_size(cfg) <= sizeof mem);
	CHECK_EQ(mc_jbuf_init(&jb, mem, sizeof mem, cfg), MC_OK);
	return jb;
}

static struct mc_jbuf *make_default(void)
{
	struct mc_jbuf_cfg cfg = {.clock_rate = 8000};
	return make(&cfg);
}

static int put(struct mc_jbuf *jb, uint16_t seq, uint32_t ts, int ms)
{
	uint8_t payload[160];
	memset(payload, seq & 0xff, sizeof payload);
	return mc_jbuf_put(jb, seq, ts, TICK_TS, MC_JBUF_AUDIO, payload, sizeof payload,
			   (uint64_t)(T0 + ms * 1000));
}

static struct mc_jbuf_next get(struct mc_jbuf *jb, int ms)
{
	struct mc_jbuf_next next;
	mc_jbuf_get(jb, (uint64_t)(T0 + ms * 1000), TICK_TS, scratch, &next);
	return next;
}

static struct mc_jbuf_stats stats(const struct mc_jbuf *jb)
{
	struct mc_jbuf_stats s;
	mc_jbuf_stats(jb, &s);
	return s;
}

static void test_config(void)
{
	static const struct mc_jbuf_cfg bad[] = {
		{.clock_rate = 100},
		{.clock_rate = 8000, .slots = 3},
		{.clock_rate = 8000, .slots = 201},
		{.clock_rate = 8000, .slot_bytes = 8},
		{.clock_rate = 8000, .slot_bytes = 1501},
		{.clock_rate = 8000, .min_ms = 100, .max_ms = 50},
		{.clock_rate = 8000, .max_ms = 501},
	};
	struct mc_jbuf *jb;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK_EQ(mc_jbuf_size(&bad[i]), 0);
		CHECK_EQ(mc_jbuf_init(&jb, mem, sizeof mem, &bad[i]), MC_EINVAL);
	}
	struct mc_jbuf_cfg good = {.clock_rate = 8000};
	CHECK_EQ(mc_jbuf_init(&jb, mem, mc_jbuf_size(&good) - 1, &good), MC_ENOMEM);
	CHECK(mc_jbuf_size(&good) <= 14 * 1024);
}

/* Arrivals and ticks in order of time. Puts: what put returns. Gets (get = 1): the operation and,
 * for PLAY, the first byte of the payload (= low byte of seq). */
struct row {
	int ms;
	int get;
	uint16_t seq;
	uint32_t ts; /* in units of 160 after ts0 */
	int want;
	int payload;
};

static void play_rows(const char *name, const struct row *rows, size_t n, uint16_t seq0,
		      uint32_t ts0)
{
	struct mc_jbuf_cfg cfg = {.clock_rate = 8000, .slots = 8, .start_ms = 20, .max_ms = 100};
	struct mc_jbuf *jb = make(&cfg);
	for (size_t i = 0; i < n; i++) {
		const struct row *r = rows + i;
		int got, payload = 0;
		if (r->get) {
			struct mc_jbuf_next next = get(jb, r->ms);
			got = (int)next.op;
			payload = next.op == MC_JBUF_PLAY ? (uint8_t)(next.payload[0] - seq0) : 0;
		} else {
			got = put(jb, (uint16_t)(r->seq + seq0), ts0 + r->ts * TICK_TS, r->ms);
		}
		if (got != r->want || payload != r->payload) {
			fprintf(stderr, "%s row %zu: got %d (%d), want %d (%d)\n", name, i, got,
				payload, r->want, r->payload);
			exit(1);
		}
	}
}

#define PUT(ms, seq, ts, want)                                                                     \
	{                                                                                          \
		ms, 0, seq, ts, want, 0                                                            \
	}
#define GET(ms, want, payload)                                                                     \
	{                                                                                          \
		ms, 1, 0, 0, want, payload                                                         \
	}

static const struct row in_order[] = {
	GET(0, MC_JBUF_IDLE, 0),  PUT(5, 0, 0, MC_OK),      GET(20, MC_JBUF_IDLE, 0),
	PUT(25, 1, 1, MC_OK),     GET(40, MC_JBUF_PLAY, 0), PUT(45, 2, 2, MC_OK),
	GET(60, MC_JBUF_PLAY, 1), GET(80, MC_JBUF_PLAY, 2), GET(100, MC_JBUF_WAIT, 0),
};
static const struct row reordered[] = {
	PUT(0, 0, 0, MC_OK),    PUT(20, 2, 2, MC_OK),     GET(21, MC_JBUF_PLAY, 0),
	PUT(30, 1, 1, MC_OK),   GET(41, MC_JBUF_PLAY, 1), GET(61, MC_JBUF_PLAY, 2),
	PUT(62, 1, 1, MC_EDUP), PUT(63, 2, 2, MC_EDUP),   PUT(64, 3, 3, MC_OK),
	PUT(65, 3, 3, MC_EDUP), GET(81, MC_JBUF_PLAY, 3),
};
/* Packet 1 is known to be lost when 2 is here; it comes after its hole was concealed. */
static const struct row lost_and_late[] = {
	PUT(0, 0, 0, MC_OK),      PUT(40, 2, 2, MC_OK),    GET(41, MC_JBUF_PLAY, 0),
	GET(61, MC_JBUF_LOST, 0), PUT(70, 1, 1, MC_ELATE), GET(81, MC_JBUF_PLAY, 2),
};
/* Nothing is here when 1 is due: the position stands still and 1 is played after all. */
static const struct row late_but_played[] = {
	PUT(0, 0, 0, MC_OK),  GET(20, MC_JBUF_PLAY, 0), GET(40, MC_JBUF_WAIT, 0),
	PUT(50, 1, 1, MC_OK), GET(60, MC_JBUF_PLAY, 1),
};
/* The wait was for a lost packet: it counts as its concealment. */
static const struct row waited_then_lost[] = {
	PUT(0, 0, 0, MC_OK),  GET(20, MC_JBUF_PLAY, 0), GET(40, MC_JBUF_WAIT, 0),
	PUT(41, 2, 2, MC_OK), GET(60, MC_JBUF_PLAY, 2),
};
/* In sequence, later in time: a pause. The first packet of the talkspurt waits for the target. */
static const struct row pause[] = {
	PUT(0, 0, 0, MC_OK),       GET(20, MC_JBUF_PLAY, 0),  GET(40, MC_JBUF_WAIT, 0),
	PUT(200, 1, 10, MC_OK),    GET(200, MC_JBUF_IDLE, 0), GET(219, MC_JBUF_IDLE, 0),
	GET(220, MC_JBUF_PLAY, 1),
};
static const struct row starved[] = {
	PUT(0, 0, 0, MC_OK),       GET(20, MC_JBUF_PLAY, 0),  GET(40, MC_JBUF_WAIT, 0),
	GET(239, MC_JBUF_WAIT, 0), GET(240, MC_JBUF_IDLE, 0), GET(9000, MC_JBUF_IDLE, 0),
};
/* One stray timestamp is refused; two in a row are a new time base. */
static const struct row stray[] = {
	PUT(0, 0, 0, MC_OK),      PUT(20, 7, 90000, MC_EINVAL),   PUT(21, 1, 1, MC_OK),
	GET(22, MC_JBUF_PLAY, 0), PUT(40, 9000, 2, MC_EINVAL),    PUT(42, 2, 2, MC_OK),
	GET(42, MC_JBUF_PLAY, 1), PUT(50, 500, 90000, MC_EINVAL), PUT(70, 501, 90001, MC_OK),
	GET(75, MC_JBUF_IDLE, 0), GET(90, MC_JBUF_PLAY, 245),
};
/* In sequence with another timestamp base: new at once. */
static const struct row new_base[] = {
	PUT(0, 0, 0, MC_OK),      GET(20, MC_JBUF_PLAY, 0), PUT(20, 1, 777777, MC_OK),
	GET(39, MC_JBUF_IDLE, 0), GET(40, MC_JBUF_PLAY, 1),
};
static const struct row overflow[] = {
	PUT(0, 0, 0, MC_OK), PUT(1, 1, 1, MC_OK), PUT(2, 2, 2, MC_OK),
	PUT(3, 3, 3, MC_OK), PUT(4, 4, 4, MC_OK), PUT(5, 5, 5, MC_OK),
	PUT(6, 6, 6, MC_OK), PUT(7, 7, 7, MC_OK), PUT(8, 8, 8, MC_EFULL),
};

static void test_rows(void)
{
	static const struct {
		const char *name;
		const struct row *rows;
		size_t n;
	} scripts[] = {
#define SCRIPT(x) {#x, x, sizeof x / sizeof *x}
		SCRIPT(in_order),         SCRIPT(reordered),
		SCRIPT(lost_and_late),    SCRIPT(late_but_played),
		SCRIPT(waited_then_lost), SCRIPT(pause),
		SCRIPT(starved),          SCRIPT(stray),
		SCRIPT(new_base),         SCRIPT(overflow),
	};
	/* Every script also across the wrap of the sequence number and of the timestamp. */
	static const uint16_t seqs[] = {0, 65535, 65534, 40000};
	static const uint32_t tss[] = {0, UINT32_MAX - 100, UINT32_MAX - 2 * TICK_TS + 1, 1u << 31};
	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
		for (size_t k = 0; k < 4; k++)
			play_rows(scripts[i].name, scripts[i].rows, scripts[i].n, seqs[k], tss[k]);
}

static void test_refused(void)
{
	struct mc_jbuf *jb = make_default();
	static uint8_t big[MC_PACKET_MAX + 1];
	CHECK_EQ(mc_jbuf_put(jb, 1, 0, 160, MC_JBUF_AUDIO, big, sizeof big, T0), MC_EINVAL);
	CHECK_EQ(mc_jbuf_put(jb, 1, 0, 0, MC_JBUF_AUDIO, big, 160, T0), MC_EINVAL);
	CHECK_EQ(mc_jbuf_put(jb, 1, 0, 8001, MC_JBUF_AUDIO, big, 160, T0), MC_EINVAL);
	CHECK_EQ(stats(jb).refused, 3);
	CHECK_EQ(stats(jb).received, 3);
}

/* Long packets lie in several blocks and come out whole; nothing leaks from the pool. */
static void test_blocks(void)
{
	struct mc_jbuf_cfg cfg = {.clock_rate = 8000, .slots = 8, .slot_bytes = 50};
	struct mc_jbuf *jb = make(&cfg);
	uint8_t payload[200];
	uint32_t seed = 5;
	for (int i = 0; i < 500; i++) {
		size_t n = test_rand(&seed) % 201;
		memset(payload, i & 0xff, sizeof payload);
		payload[n ? n - 1 : 0] = 0xee;
		uint64_t now = (uint64_t)(T0 + i * 20000);
		CHECK_EQ(mc_jbuf_put(jb, (uint16_t)i, (uint32_t)i * 160, 160, MC_JBUF_AUDIO,
				     payload, n, now),
			 MC_OK);
		struct mc_jbuf_next next;
		mc_jbuf_get(jb, now + 40000, 160, scratch, &next);
		CHECK_EQ(next.op, MC_JBUF_PLAY);
		CHECK_EQ(next.payload_len, n);
		for (size_t k = 0; k + 1 < n; k++)
			CHECK_EQ(next.payload[k], i & 0xff);
		if (n)
			CHECK_EQ(next.payload[n - 1], 0xee);
	}
}

/* Overflow drops the oldest and playout goes on with the next, without a hole to conceal. */
static void test_overflow(void)
{
	struct mc_jbuf_cfg cfg = {.clock_rate = 8000, .slots = 8};
	struct mc_jbuf *jb = make(&cfg);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(put(jb, (uint16_t)i, (uint32_t)i * 160, i), i < 8 ? MC_OK : MC_EFULL);
	CHECK_EQ(stats(jb).overflow, 12);
	CHECK_EQ(stats(jb).packets, 8);
	CHECK_EQ(put(jb, 11, 11 * 160, 30), MC_EDUP);
	struct mc_jbuf_next next = get(jb, 300);
	CHECK_EQ(next.op, MC_JBUF_PLAY);
	CHECK(next.jump);
	CHECK_EQ(stats(jb).lost, 0);
}

/* A hole is told in pieces, with the packet after it once the last piece is reached. */
static void test_hole(void)
{
	struct mc_jbuf *jb = make_default();
	CHECK_EQ(put(jb, 0, 0, 0), MC_OK);
	CHECK_EQ(put(jb, 3, 480, 60), MC_OK);
	CHECK_EQ(get(jb, 60).op, MC_JBUF_PLAY);
	struct mc_jbuf_next next = get(jb, 60);
	CHECK(next.op == MC_JBUF_LOST && next.len_ts == 160 && next.payload == NULL);
	CHECK_EQ(next.ts, 160);
	next = get(jb, 61);
	CHECK(next.op == MC_JBUF_LOST && next.len_ts == 160 && next.payload != NULL);
	CHECK_EQ(next.payload[0], 3);
	next = get(jb, 62);
	CHECK(next.op == MC_JBUF_PLAY && next.ts == 480);
	CHECK_EQ(stats(jb).lost, 2);
}

/* Far above target, a packet that was ready is dropped, and what follows may be a hole. */
static void test_ready_but_dropped(void)
{
	struct mc_jbuf *jb = make_default();
	CHECK_EQ(put(jb, 0, 0, 0), MC_OK);
	CHECK_EQ(get(jb, 40).op, MC_JBUF_PLAY);
	CHECK(!mc_jbuf_ready(jb));
	CHECK_EQ(put(jb, 1, 160, 50), MC_OK);
	CHECK_EQ(put(jb, 3, 480, 90), MC_OK);
	CHECK(mc_jbuf_ready(jb));
	struct mc_jbuf_next next = get(jb, 500);
	CHECK(next.op == MC_JBUF_PLAY && next.ts == 480 && next.jump);
	CHECK_EQ(stats(jb).discarded, 1);
	CHECK_EQ(stats(jb).lost, 1);
}

static void test_comfort_noise(void)
{
	struct mc_jbuf *jb = make_default();
	uint8_t level = 60;
	CHECK_EQ(put(jb, 0, 0, 0), MC_OK);
	CHECK_EQ(mc_jbuf_put(jb, 1, 160, 0, MC_JBUF_CN, &level, 1, T0 + 20000), MC_OK);
	CHECK_EQ(get(jb, 40).op, MC_JBUF_PLAY);
	struct mc_jbuf_next next = get(jb, 60);
	CHECK(next.op == MC_JBUF_PLAY && next.kind == MC_JBUF_CN && next.payload[0] == 60);
	CHECK_EQ(get(jb, 60).op, MC_JBUF_IDLE);
	/* An update after two seconds, then speech whose first packet is missing. */
	CHECK_EQ(mc_jbuf_put(jb, 2, 16160, 0, MC_JBUF_CN, &level, 1, T0 + 2020000), MC_OK);
	next = get(jb, 2020);
	CHECK(next.op == MC_JBUF_PLAY && next.kind == MC_JBUF_CN);
	CHECK_EQ(put(jb, 4, 24160, 3020), MC_OK);
	CHECK_EQ(get(jb, 3030).op, MC_JBUF_IDLE);
	next = get(jb, 3060);
	CHECK(next.op == MC_JBUF_PLAY && next.ts == 24160);
	CHECK_EQ(stats(jb).lost, 1);
}

/* Run n packets of a path and pull a tick at a time; follow the advice crudely by moving `held`.
 * delay_us gives the transit of a packet. */
struct result {
	int wait, lost, play;
	int delay_ms, target_ms;
};

static struct result run(struct mc_jbuf *jb, int n, double ppm, int phase_us,
			 int (*delay_us)(int i, uint32_t *seed))
{
	struct result r = {0};
	struct mc_jbuf_next next;
	uint32_t seed = 99, held = 0, most;
	uint8_t payload[160] = {0};
	int i = 0;
	for (int tick = 0; tick < n; tick++) {
		int64_t now = T0 + (int64_t)tick * 20000 + phase_us;
		for (; i <= tick; i++) {
			int64_t at = T0 + (int64_t)((double)i * 20000 * (1 + ppm * 1e-6));
			at += delay_us(i, &seed);
			if (at > now)
				break;
			(void)mc_jbuf_put(jb, (uint16_t)(65000 + i),
					  4294000000u + (uint32_t)i * 160, 160, MC_JBUF_AUDIO,
					  payload, 160, (uint64_t)at);
		}
		while (held < 160) {
			mc_jbuf_get(jb, (uint64_t)now, 160 - held, scratch, &next);
			r.play += next.op == MC_JBUF_PLAY;
			r.lost += next.op == MC_JBUF_LOST;
			r.wait += next.op == MC_JBUF_WAIT;
			if (next.op == MC_JBUF_PLAY)
				held += next.len_ts - next.skip_ts;
			else
				held = 160;
		}
		switch (mc_jbuf_advise(jb, (uint64_t)now, held, 160, &most)) {
		case MC_JBUF_EXPAND:
			held += 60;
			break;
		case MC_JBUF_ACCELERATE:
		case MC_JBUF_HURRY:
			CHECK(most >= 160);
			if (held < 220 && mc_jbuf_ready(jb)) {
				mc_jbuf_get(jb, (uint64_t)now, 160, scratch, &next);
				r.play++;
				held += 160;
			}
			held -= held >= 220 ? 60 : 0;
			break;
		case MC_JBUF_TRIM:
			CHECK(most < 160);
			held -= most;
			break;
		case MC_JBUF_KEEP:
			break;
		}
		held -= 160;
	}
	struct mc_jbuf_stats s = stats(jb);
	r.delay_ms = s.delay_ms;
	r.target_ms = s.target_ms;
	return r;
}

static int constant(int i, uint32_t *seed)
{
	(void)i;
	(void)seed;
	return 30000;
}

static int lan(int i, uint32_t *seed)
{
	(void)i;
	return 30000 + (int)(test_rand(seed) % 3000) + (int)(test_rand(seed) % 3000);
}

static int stepping(int i, uint32_t *seed)
{
	return lan(i, seed) + (i > 500 && i < 1500 ? 90000 : 0);
}

static int spiky(int i, uint32_t *seed)
{
	return lan(i, seed) + (i % 100 < 10 ? (10 - i % 100) * 12000 : 0);
}

static void test_clean_paths_settle_low(void)
{
	for (int phase = 500; phase < 20000; phase += 2500) {
		struct result r = run(make_default(), 1500, 0, phase, constant);
		CHECK(r.target_ms == 10 && r.delay_ms <= 34);
		CHECK_EQ(r.wait + r.lost, 0);
		r = run(make_default(), 1500, 0, phase, lan);
		CHECK(r.target_ms <= 15 && r.delay_ms <= 38);
		CHECK(r.wait <= 2 && r.lost <= 2);
	}
}

static void test_drift(void)
{
	for (int ppm = -350; ppm <= 350; ppm += 175) {
		struct mc_jbuf *jb = make_default();
		struct result r = run(jb, 6000, ppm, 7000, lan);
		CHECK(r.delay_ms <= 40);
		CHECK(r.wait + r.lost <= 3);
		CHECK_EQ(stats(jb).overflow + stats(jb).resets + stats(jb).discarded, 0);
	}
}

static void test_adapts(void)
{
	/* Up with the route, and down again after it. */
	struct mc_jbuf *jb = make_default();
	struct result r = run(jb, 4000, 0, 7000, stepping);
	CHECK(r.delay_ms <= 40);
	CHECK(r.wait <= 12);
	/* Ten per cent of the packets are up to 120 ms late: worth waiting for. */
	jb = make_default();
	r = run(jb, 3000, 0, 7000, spiky);
	CHECK(r.target_ms >= 60);
	CHECK((r.wait + r.lost) * 100 < 3000 * 3);
}

/* Any seq, ts and time: nothing breaks, the position never goes back except at a restart. */
static void test_random(void)
{
	uint32_t seed = 4242;
	for (int round = 0; round < 60; round++) {
		struct mc_jbuf_cfg cfg = {.clock_rate = round % 3 == 2 ? 48000 : 8000,
					  .slots = (uint16_t)(4 + test_rand(&seed) % 60),
					  .slot_bytes = (uint16_t)(16 + test_rand(&seed) % 50)};
		struct mc_jbuf *jb = make(&cfg);
		uint64_t now = test_rand(&seed);
		uint16_t seq = (uint16_t)test_rand(&seed);
		uint32_t ts = test_rand(&seed), last = 0, resets = 0;
		int placed = 0;
		uint8_t payload[200] = {0};
		for (int i = 0; i < 2000; i++) {
			uint32_t what = test_rand(&seed);
			now += what % 30000;
			seq = (uint16_t)(seq + (what >> 8) % 4);
			ts += 160 * ((what >> 12) % 3);
			if (what % 211 == 0)
				ts = test_rand(&seed);
			if (what % 223 == 0)
				seq = (uint16_t)test_rand(&seed);
			int rc = mc_jbuf_put(jb, seq, ts, 160,
					     what % 17 ? MC_JBUF_AUDIO : MC_JBUF_CN, payload,
					     (what >> 16) % 200, now);
			CHECK(rc == MC_OK || rc == MC_ELATE || rc == MC_EDUP || rc == MC_EFULL ||
			      rc == MC_EINVAL);
			struct mc_jbuf_stats s = stats(jb);
			CHECK(s.packets <= cfg.slots);
			if (s.resets != resets)
				placed = 0;
			resets = s.resets;
			struct mc_jbuf_next next;
			mc_jbuf_get(jb, now, 160, scratch, &next);
			uint32_t pos = mc_jbuf_position(jb);
			if (placed)
				CHECK((int32_t)(pos - last) >= 0);
			placed |= next.op == MC_JBUF_PLAY;
			last = pos;
		}
	}
}

static void test_restart(void)
{
	struct mc_jbuf *jb = make_default();
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(put(jb, (uint16_t)i, (uint32_t)i * 160, i * 20), MC_OK);
		(void)get(jb, i * 20 + 5);
	}
	uint32_t received = stats(jb).received;
	mc_jbuf_restart(jb);
	CHECK_EQ(stats(jb).received, received);
	CHECK_EQ(stats(jb).resets, 1);
	CHECK_EQ(stats(jb).packets, 0);
	CHECK_EQ(put(jb, 5, 99, 2000), MC_OK);
	struct mc_jbuf_next next = get(jb, 2040);
	CHECK(next.op == MC_JBUF_PLAY && next.ts == 99 && next.jump);
	mc_jbuf_reset(jb);
	CHECK_EQ(stats(jb).received, 0);
	CHECK_EQ(stats(jb).target_ms, 40);
}

/* One key of three events between audio, in every order of the packets around it: no audio is
 * taken for a duplicate, nothing counts as lost, nothing is concealed. */
static void test_events_between_audio(void)
{
	/* seq 0..9; 4, 5, 6 are events; ts goes on through them */
	static const uint16_t orders[][10] = {
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {0, 1, 2, 4, 3, 5, 6, 7, 8, 9},
		{0, 1, 2, 4, 5, 6, 3, 7, 8, 9}, {0, 1, 2, 3, 4, 6, 7, 5, 8, 9},
		{0, 1, 2, 3, 7, 4, 5, 6, 8, 9}, {0, 1, 2, 3, 6, 4, 5, 7, 8, 9},
	};
	for (size_t k = 0; k < sizeof orders / sizeof *orders; k++)
		for (uint32_t seq0 = 65530; seq0 < 65537; seq0 += 3) {
			struct mc_jbuf_cfg cfg = {.clock_rate = 8000, .start_ms = 60};
			struct mc_jbuf *jb = make(&cfg);
			int played = 0, concealed = 0;
			for (int ms = 0, i = 0; ms < 600; ms += 20, i++) {
				if (i < 10) {
					uint16_t s = orders[k][i], seq = (uint16_t)(seq0 + s);
					if (s >= 4 && s <= 6)
						mc_jbuf_other(jb, seq);
					else
						CHECK_EQ(put(jb, seq, s * 160u, ms), MC_OK);
				}
				struct mc_jbuf_next next = get(jb, ms + 1);
				played += next.op == MC_JBUF_PLAY;
				concealed += (next.op == MC_JBUF_LOST || next.op == MC_JBUF_WAIT) &&
					     played < 7;
			}
			CHECK_EQ(played, 7);
			CHECK_EQ(concealed, 0);
			CHECK_EQ(stats(jb).lost, 0);
			CHECK_EQ(stats(jb).duplicate, 0);
		}
}

/* Lost audio next to events is still counted, and only that. */
static void test_loss_around_events(void)
{
	struct mc_jbuf *jb = make_default();
	for (int i = 0; i < 200; i++) {
		uint16_t seq = (uint16_t)(65500 + i);
		bool event = i % 20 >= 15, lost = i % 20 == 14 || i % 20 == 16;
		if (event && !lost)
			mc_jbuf_other(jb, seq);
		else if (!lost)
			CHECK_EQ(put(jb, seq, (uint32_t)i * TICK_TS, i * 20), MC_OK);
		for (int more = 0; more < 2; more++)
			(void)get(jb, i * 20 + 1);
	}
	/* Of each run of 20: one audio packet and one event packet. The last run is not over. */
	CHECK_EQ(stats(jb).lost, 2 * 9);
	CHECK_EQ(stats(jb).duplicate, 0);
	mc_jbuf_other(jb, 65500); /* far behind */
	mc_jbuf_other(jb, 30000); /* absurd */
	CHECK_EQ(put(jb, (uint16_t)(65500 + 200), 200 * TICK_TS, 4000), MC_OK);
}

/* A key of 20 s: the numbers of the audio after it are far from those before. */
static void test_a_long_key(void)
{
	struct mc_jbuf *jb = make_default();
	int idle = 0, wait = 0;
	for (int i = 0; i < 1100; i++) {
		if (i < 50 || i >= 1050)
			CHECK_EQ(put(jb, (uint16_t)i, (uint32_t)i * TICK_TS, i * 20), MC_OK);
		else
			mc_jbuf_other(jb, (uint16_t)i);
		struct mc_jbuf_next next = get(jb, i * 20 + 1);
		idle += i >= 50 && next.op == MC_JBUF_IDLE;
		wait += next.op == MC_JBUF_WAIT || next.op == MC_JBUF_LOST;
	}
	CHECK(idle >= 990);
	CHECK_EQ(wait, 0);
	CHECK_EQ(stats(jb).lost, 0);
	CHECK_EQ(stats(jb).refused, 0);
}

int main(void)
{
	RUN(test_config);
	RUN(test_rows);
	RUN(test_refused);
	RUN(test_blocks);
	RUN(test_overflow);
	RUN(test_hole);
	RUN(test_ready_but_dropped);
	RUN(test_comfort_noise);
	RUN(test_clean_paths_settle_low);
	RUN(test_drift);
	RUN(test_adapts);
	RUN(test_random);
	RUN(test_restart);
	RUN(test_events_between_audio);
	RUN(test_loss_around_events);
	RUN(test_a_long_key);
	return 0;
}
