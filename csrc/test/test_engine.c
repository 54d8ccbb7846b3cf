#include "mc_g711.h"
#include "mc_rtp.h"
#include "mc_test.h"
#include "mediacore.h"

/* One engine, virtual time, memory links: the test is the network. */
enum { FRAME = 160 };

static struct mc_engine *engine;
static uint64_t now_us;
static struct mc_event log_[4096];
static size_t logged;

static void collect(void)
{
	logged += mc_engine_poll(engine, log_ + logged, 4096 - logged);
	CHECK(logged < 4096);
}

static void setup(void)
{
	struct mc_engine_cfg cfg = {.max_legs = 16, .max_bridges = 4};
	CHECK_EQ(mc_engine_create(&engine, &cfg), 0);
	now_us = 1000000;
	logged = 0;
}

static struct mc_leg_cfg leg_cfg(void)
{
	return (struct mc_leg_cfg){
		.codec = "PCMU",
		.payload_type = 255,
		.event_payload_type = 101,
		.seed = 42,
		.fd = -1,
		.taps = MC_TAP_RX,
	};
}

static mc_handle open_leg(const struct mc_leg_cfg *cfg)
{
	mc_handle leg;
	CHECK_EQ(mc_leg_open(engine, cfg, &leg), 0);
	return leg;
}

static void tick(void)
{
	mc_engine_tick(engine, now_us);
	now_us += MC_TICK_US;
	collect();
}

static const struct mc_event *find(uint32_t kind, size_t from)
{
	for (size_t i = from; i < logged; i++)
		if (log_[i].kind == kind)
			return &log_[i];
	return NULL;
}

/* Take the packets a leg sent; decode their audio to pcm. return samples. */
static size_t hear(mc_handle leg, int16_t *pcm)
{
	uint8_t data[MC_PACKET_MAX];
	size_t n = 0;
	for (int got; (got = mc_leg_pull_packet(engine, leg, data, sizeof(data))) > 0;) {
		struct mc_rtp rtp;
		if (mc_rtp_is_rtcp(data, (size_t)got))
			continue;
		CHECK_EQ(mc_rtp_parse(&rtp, data, (size_t)got), 0);
		if (rtp.pt)
			continue;
		mc_g711_ulaw_decode(pcm + n, rtp.payload, rtp.payload_len);
		n += rtp.payload_len;
	}
	return n;
}

static uint16_t talk_seq;
static uint32_t talk_ts;

/* The caller sends one frame: a buzz like a voiced sound, or silence. */
static void talk(mc_handle leg, bool voice)
{
	uint8_t data[12 + FRAME];
	int16_t pcm[FRAME];
	for (int i = 0; i < FRAME; i++) {
		double t = (talk_ts + (uint32_t)i) / 8000.0, sum = 0;
		for (int h = 1; h < 24; h++) {
			double hz = 130.0 * h;
			double formant = exp(-pow((hz - 600) / 250, 2)) +
					 0.6 * exp(-pow((hz - 1500) / 350, 2)) +
					 0.3 * exp(-pow((hz - 2500) / 400, 2));
			sum += formant * sin(2 * 3.14159265358979 * hz * t);
		}
		pcm[i] = (int16_t)(voice ? 2500 * sum * (0.6 + 0.4 * sin(2 * 3.14159 * 5 * t)) : 0);
	}
	struct mc_rtp rtp = {.pt = 0, .seq = talk_seq++, .ts = talk_ts, .ssrc = 7};
	uint8_t payload[FRAME];
	mc_g711_ulaw_encode(payload, pcm, FRAME);
	rtp.payload = payload;
	rtp.payload_len = FRAME;
	talk_ts += FRAME;
	int n = mc_rtp_build(data, sizeof(data), &rtp);
	CHECK(n > 0);
	CHECK_EQ(mc_leg_push_packet(engine, leg, data, (size_t)n), 0);
}

static void say(mc_handle leg, uint64_t utterance, mc_generation generation, size_t n)
{
	static int16_t pcm[12000];
	for (size_t i = 0; i < n; i++)
		pcm[i] = (int16_t)(8000 + (i * 37) % 9000); /* never 0 in µ-law, faded or not */
	CHECK_EQ(mc_leg_say_begin(engine, leg, utterance, generation), 0);
	CHECK_EQ(mc_leg_say(engine, leg, pcm, n), n);
	CHECK_EQ(mc_leg_say_end(engine, leg), 0);
}

static void test_handles(void)
{
	setup();
	struct mc_leg_cfg cfg = leg_cfg();
	mc_handle leg = open_leg(&cfg);
	tick();
	CHECK(find(MC_EV_LEG_OPENED, 0));
	CHECK_EQ(mc_leg_free(engine, leg), MC_ESTATE);
	CHECK_EQ(mc_leg_close(engine, leg), 0);
	tick();
	CHECK(find(MC_EV_LEG_CLOSED, 0));
	CHECK_EQ(mc_leg_free(engine, leg), 0);
	CHECK_EQ(mc_leg_free(engine, leg), MC_ENOENT);
	CHECK_EQ(mc_leg_pause(engine, leg), MC_ENOENT);
	mc_handle next = open_leg(&cfg);
	CHECK(next != leg);
	cfg.codec = "no such";
	CHECK_EQ(mc_leg_open(engine, &cfg, &leg), MC_ENOTSUP);
	CHECK_EQ(mc_leg_close(engine, 0x80000000u), MC_ENOENT);
	mc_engine_destroy(engine);
}

static void test_memory_of_a_g711_leg(void)
{
	struct mc_leg_cfg cfg = leg_cfg();
	cfg.fd = 3;
	cfg.detect_dtmf = true;
	size_t bytes = mc_leg_memory(&cfg);
	printf("  G.711 leg: %zu bytes\n", bytes);
	CHECK(bytes > 0 && bytes <= 66 * 1024);
}

/* From the tick in which the armed condition holds to the last agent sample: inside that tick.
 * And the ledger is the wire. */
static void test_barge_in(void)
{
	setup();
	struct mc_leg_cfg cfg = leg_cfg();
	mc_handle leg = open_leg(&cfg);
	struct mc_barge_in policy = {.action = MC_BARGE_CUT};
	CHECK_EQ(mc_leg_arm(engine, leg, &policy), 0);
	say(leg, 9, 1, 12000);
	int16_t pcm[4 * FRAME];
	size_t audible = 0, after_cut = 0;
	for (int i = 0; i < 70; i++) {
		talk(leg, i >= 30);
		size_t before = logged;
		tick();
		const struct mc_event *cut = find(MC_EV_PLAYOUT_CUT, 0);
		size_t n = hear(leg, pcm);
		for (size_t k = 0; k < n; k++) {
			audible += pcm[k] != 0;
			after_cut += cut && before >= logged && pcm[k] != 0;
		}
	}
	const struct mc_event *start = find(MC_EV_SPEECH_STARTED, 0);
	const struct mc_event *cut = find(MC_EV_PLAYOUT_CUT, 0);
	CHECK(start && cut);
	CHECK_EQ(cut->tick, start->tick); /* the same frame */
	CHECK_EQ(cut->a, MC_CUT_BARGE_IN);
	CHECK_EQ(cut->wire, audible);
	CHECK_EQ(cut->position, audible);
	CHECK_EQ(after_cut, 0);
	CHECK(start->at >= 29 * FRAME && start->at <= 36 * FRAME); /* the true onset, buffered */
	struct mc_leg_stats stats;
	CHECK_EQ(mc_leg_stats(engine, leg, &stats), 0);
	CHECK_EQ(stats.played_samples, audible);
	CHECK_EQ(stats.generation, (mc_generation)1 << 32);
	mc_engine_destroy(engine);
}

static void test_pause_commit_and_resume(void)
{
	setup();
	struct mc_leg_cfg cfg = leg_cfg();
	mc_handle leg = open_leg(&cfg);
	struct mc_barge_in policy = {.action = MC_BARGE_PAUSE, .commit_ms = 500, .resume_ms = 400};
	CHECK_EQ(mc_leg_arm(engine, leg, &policy), 0);
	say(leg, 1, 1, 9000);
	int16_t pcm[4 * FRAME];
	for (int i = 0; i < 100; i++) { /* a cough of 160 ms, then quiet */
		talk(leg, i >= 20 && i < 28);
		tick();
		hear(leg, pcm);
	}
	CHECK(find(MC_EV_PLAYOUT_PAUSED, 0));
	const struct mc_event *resumed = find(MC_EV_PLAYOUT_RESUMED, 0);
	CHECK(resumed);
	CHECK_EQ(resumed->position, find(MC_EV_PLAYOUT_PAUSED, 0)->position);
	CHECK(!find(MC_EV_PLAYOUT_CUT, 0));
	say(leg, 2, 1, 10000);
	for (int i = 0; i < 120; i++) { /* real speech: the core commits by itself */
		talk(leg, i >= 40);
		tick();
		hear(leg, pcm);
	}
	CHECK_EQ(find(MC_EV_PLAYOUT_CUT, 0)->utterance, 2);
	mc_engine_destroy(engine);
}

static void test_budget_ends_the_leg(void)
{
	setup();
	struct mc_leg_cfg cfg = leg_cfg();
	cfg.budget_ticks = 50;
	mc_handle leg = open_leg(&cfg);
	say(leg, 1, 1, 12000);
	for (int i = 0; i < 60; i++)
		tick();
	const struct mc_event *closed = find(MC_EV_LEG_CLOSED, 0);
	CHECK_EQ(closed->a, MC_CLOSED_BUDGET);
	CHECK_EQ(closed->tick, 49);
	CHECK_EQ(find(MC_EV_PLAYOUT_CUT, 0)->a, MC_CUT_BUDGET);
	CHECK_EQ(mc_leg_free(engine, leg), 0);
	mc_engine_destroy(engine);
}

/* Two legs, one network: digits go out as events and come in once. */
static void test_digits(void)
{
	setup();
	struct mc_leg_cfg cfg = leg_cfg();
	mc_handle a = open_leg(&cfg);
	cfg.seed = 43;
	mc_handle b = open_leg(&cfg);
	CHECK_EQ(mc_leg_send_digits(engine, a, "19#", 100, 60), 0);
	CHECK_EQ(mc_leg_send_digits(engine, a, "x", 100, 60), MC_EINVAL);
	for (int i = 0; i < 80; i++) {
		uint8_t data[MC_PACKET_MAX];
		tick();
		for (int n; (n = mc_leg_pull_packet(engine, a, data, sizeof(data))) > 0;)
			CHECK_EQ(mc_leg_push_packet(engine, b, data, (size_t)n), 0);
		while (mc_leg_pull_packet(engine, b, data, sizeof(data)) > 0)
			;
	}
	char got[8] = "";
	size_t n = 0;
	for (size_t i = 0; i < logged; i++)
		if (log_[i].kind == MC_EV_DIGIT && log_[i].leg == b) {
			CHECK_EQ(log_[i].position, MC_DIGIT_EVENT);
			got[n++] = (char)log_[i].a;
		}
	CHECK(!strcmp(got, "19#"));
	struct mc_leg_stats stats;
	CHECK_EQ(mc_leg_stats(engine, b, &stats), 0);
	CHECK_EQ(stats.rx_lost, 0); /* events are not lost audio */
	mc_engine_destroy(engine);
}

static void test_bridge(void)
{
	setup();
	struct mc_leg_cfg cfg = leg_cfg(), wide = leg_cfg();
	wide.codec = "L16";
	wide.srate = 16000;
	wide.payload_type = 96;
	mc_handle a = open_leg(&cfg), b = open_leg(&cfg), c = open_leg(&wide), bridge;
	CHECK_EQ(mc_bridge_open(engine, 8000, &bridge), 0);
	CHECK_EQ(mc_bridge_join(engine, bridge, a), 0);
	CHECK_EQ(mc_bridge_join(engine, bridge, b), 0);
	CHECK_EQ(mc_bridge_join(engine, bridge, c), 0);
	CHECK_EQ(mc_bridge_join(engine, bridge, a), MC_ESTATE);
	CHECK_EQ(mc_bridge_gain(engine, bridge, a, c, 0), 0);
	double heard_a = 0, heard_b = 0, heard_c = 0;
	for (int i = 0; i < 50; i++) {
		int16_t pcm[4 * FRAME];
		uint8_t data[MC_PACKET_MAX];
		talk(a, true);
		tick();
		heard_a = fmax(heard_a, test_rms(pcm, hear(a, pcm)));
		heard_b = fmax(heard_b, test_rms(pcm, hear(b, pcm)));
		for (int n; (n = mc_leg_pull_packet(engine, c, data, sizeof(data))) > 0;)
			for (int k = 12; k < n; k++)
				heard_c = fmax(heard_c, data[k]);
	}
	CHECK(heard_b > 500);
	CHECK(heard_a < 10); /* not oneself */
	CHECK(heard_c == 0); /* gain 0 */
	CHECK_EQ(mc_leg_close(engine, b), 0);
	tick();
	CHECK_EQ(mc_bridge_leave(engine, bridge, a), 0);
	CHECK_EQ(mc_bridge_close(engine, bridge), 0);
	tick();
	CHECK_EQ(mc_bridge_close(engine, bridge), MC_ENOENT);
	mc_engine_destroy(engine);
}

static void test_bad_packets_are_counted(void)
{
	setup();
	struct mc_leg_cfg cfg = leg_cfg();
	mc_handle leg = open_leg(&cfg);
	uint32_t rng = 5;
	for (int i = 0; i < 3000; i++) {
		uint8_t data[200];
		size_t n = test_rand(&rng) % sizeof(data);
		for (size_t k = 0; k < n; k++)
			data[k] = (uint8_t)test_rand(&rng);
		if (n > 1 && i % 3 == 0)
			data[0] = 0x80;
		(void)!mc_leg_push_packet(engine, leg, data, n);
		if (i % 8 == 0) {
			uint8_t out[MC_PACKET_MAX];
			tick();
			logged = 0;
			while (mc_leg_pull_packet(engine, leg, out, sizeof(out)) > 0)
				;
		}
	}
	struct mc_leg_stats stats;
	CHECK_EQ(mc_leg_stats(engine, leg, &stats), 0);
	CHECK(stats.rx_malformed + stats.rx_wrong_pt + stats.rx_stranger > 1000);
	mc_engine_destroy(engine);
}

static void test_event_overrun_is_told(void)
{
	struct mc_engine_cfg cfg = {.max_legs = 8, .event_slots = 16};
	CHECK_EQ(mc_engine_create(&engine, &cfg), 0);
	now_us = 0;
	struct mc_leg_cfg leg = leg_cfg();
	leg.tap_block_ms = 20;
	for (int i = 0; i < 4; i++)
		open_leg(&leg);
	for (int i = 0; i < 20; i++, now_us += MC_TICK_US)
		mc_engine_tick(engine, now_us);
	struct mc_event events[64];
	size_t n = mc_engine_poll(engine, events, 64);
	CHECK_EQ(n, 16);
	mc_engine_tick(engine, now_us);
	n = mc_engine_poll(engine, events, 64);
	CHECK_EQ(events[0].kind, MC_EV_OVERRUN);
	CHECK(events[0].a > 40);
	mc_engine_destroy(engine);
}

/* A whole second that nobody reads the taps: the position jumps, the clock stays true. */
static void test_late_tap_reader(void)
{
	setup();
	struct mc_leg_cfg cfg = leg_cfg();
	cfg.tap_ms = 200;
	mc_handle leg = open_leg(&cfg);
	int16_t pcm[8000];
	uint64_t at;
	for (int i = 0; i < 30; i++)
		tick();
	CHECK_EQ(mc_leg_read_tap(engine, leg, MC_TAP_RX, pcm, 8000, &at), 1600);
	CHECK_EQ(at, 0);
	tick();
	CHECK_EQ(mc_leg_read_tap(engine, leg, MC_TAP_RX, pcm, 8000, &at), FRAME);
	CHECK_EQ(at, 30 * FRAME);
	mc_engine_destroy(engine);
}

static void test_real_udp(void)
{
	setup();
	uint16_t port_a, port_b;
	int fd_a = mc_udp_open("127.0.0.1", 0, &port_a),
	    fd_b = mc_udp_open("127.0.0.1", 0, &port_b);
	CHECK(fd_a >= 0 && fd_b >= 0 && port_a && port_b);
	CHECK_EQ(mc_udp_open("not an address", 0, NULL), MC_EINVAL);
	uint8_t to_b[16] = {0};
	/* sockaddr_in of 127.0.0.1:port_b without the header: family, port, address */
	*(uint16_t *)(void *)to_b = 2;
	to_b[2] = (uint8_t)(port_b >> 8);
	to_b[3] = (uint8_t)port_b;
	to_b[4] = 127;
	to_b[7] = 1;
	struct mc_leg_cfg cfg = leg_cfg();
	cfg.fd = fd_a;
	cfg.rtcp = MC_RTCP_MUX;
	cfg.remote = (const struct sockaddr *)(const void *)to_b;
	cfg.remote_len = sizeof(to_b);
	mc_handle a = open_leg(&cfg);
	cfg.fd = fd_b;
	cfg.remote = NULL; /* learns it */
	cfg.remote_len = 0;
	mc_handle b = open_leg(&cfg);
	say(a, 1, 1, 8000);
	for (int i = 0; i < 600; i++) {
		tick();
		logged = 0;
	}
	struct mc_leg_stats stats_a, stats_b;
	CHECK_EQ(mc_leg_stats(engine, a, &stats_a), 0);
	CHECK_EQ(mc_leg_stats(engine, b, &stats_b), 0);
	CHECK(stats_b.rx_packets >= 595 && stats_a.rx_packets >= 590);
	CHECK(stats_a.rtcp_packets >= 1 && stats_b.rtcp_packets >= 1);
	CHECK_EQ(stats_b.rx_lost, 0);
	CHECK(stats_b.mos_x100 > 400);
	mc_engine_destroy(engine);
}

static void test_pacer_keeps_time(void)
{
	struct mc_pacer *pacer;
	struct mc_pacer_stats stats;
	setup();
	struct mc_leg_cfg cfg = leg_cfg();
	mc_handle leg = open_leg(&cfg);
	CHECK_EQ(mc_pacer_start(&pacer, engine, false), 0);
	uint64_t until = mc_now_us() + 300000;
	while (mc_now_us() < until) {
		struct mc_leg_stats leg_stats;
		CHECK_EQ(mc_leg_stats(engine, leg, &leg_stats), 0);
		collect();
		logged = 0;
	}
	mc_pacer_stats(pacer, &stats);
	mc_pacer_stop(pacer);
	CHECK(stats.ticks + stats.skipped >= 10 && stats.ticks <= 17);
	mc_engine_destroy(engine);
}

int main(void)
{
	RUN(test_handles);
	RUN(test_memory_of_a_g711_leg);
	RUN(test_barge_in);
	RUN(test_pause_commit_and_resume);
	RUN(test_budget_ends_the_leg);
	RUN(test_digits);
	RUN(test_bridge);
	RUN(test_bad_packets_are_counted);
	RUN(test_event_overrun_is_told);
	RUN(test_late_tap_reader);
	RUN(test_real_udp);
	RUN(test_pacer_keeps_time);
	return 0;
}
