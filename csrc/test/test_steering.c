/* What steers a running leg: limit, hold, bed, forks. One engine, memory links, virtual time. */
#include "mc_g711.h"
#include "mc_rtp.h"
#include "mc_test.h"
#include "mediacore.h"

enum { FRAME = 160 };

static struct mc_engine *engine;
static uint64_t now_us;
static struct mc_event log_[4096];
static size_t logged;

static void setup(void)
{
	struct mc_engine_cfg cfg = {.max_legs = 8, .max_bridges = 2};
	CHECK_EQ(mc_engine_create(&engine, &cfg), 0);
	now_us = 1000000;
	logged = 0;
}

static mc_handle open_leg(uint64_t seed, bool bed)
{
	struct mc_leg_cfg cfg = {
		.codec = "PCMU", .payload_type = 255, .seed = seed, .fd = -1, .bed = bed};
	mc_handle leg;
	CHECK_EQ(mc_leg_open(engine, &cfg, &leg), 0);
	return leg;
}

static void tick(void)
{
	mc_engine_tick(engine, now_us);
	now_us += MC_TICK_US;
	logged += mc_engine_poll(engine, log_ + logged, 4096 - logged);
	CHECK(logged < 4096);
}

static size_t count(uint32_t kind, mc_handle leg)
{
	size_t n = 0;
	for (size_t i = 0; i < logged; i++)
		n += log_[i].kind == kind && log_[i].leg == leg;
	return n;
}

static const struct mc_event *find(uint32_t kind, mc_handle leg)
{
	for (size_t i = 0; i < logged; i++)
		if (log_[i].kind == kind && log_[i].leg == leg)
			return &log_[i];
	return NULL;
}

/* Peak of what the leg sent in this tick. */
static int peak(mc_handle leg)
{
	uint8_t data[MC_PACKET_MAX];
	int top = 0;
	for (int n; (n = mc_leg_pull_packet(engine, leg, data, sizeof(data))) > 0;) {
		int16_t pcm[FRAME];
		struct mc_rtp rtp;
		CHECK_EQ(mc_rtp_parse(&rtp, data, (size_t)n), 0);
		CHECK_EQ(rtp.payload_len, FRAME);
		mc_g711_ulaw_decode(pcm, rtp.payload, FRAME);
		for (size_t i = 0; i < FRAME; i++)
			top = abs(pcm[i]) > top ? abs(pcm[i]) : top;
	}
	return top;
}

static uint16_t seq;
static uint32_t ts;

/* The far party sends one frame, voiced or silent. */
static void talk(mc_handle leg, bool voice)
{
	uint8_t data[12 + FRAME], payload[FRAME];
	int16_t pcm[FRAME];
	for (int i = 0; i < FRAME; i++) {
		double t = (ts + (uint32_t)i) / 8000.0, sum = 0;
		for (int h = 1; h < 24; h++) {
			double hz = 130.0 * h;
			double formant = exp(-pow((hz - 600) / 250, 2)) +
					 0.6 * exp(-pow((hz - 1500) / 350, 2)) +
					 0.3 * exp(-pow((hz - 2500) / 400, 2));
			sum += formant * sin(2 * 3.14159265358979 * hz * t);
		}
		pcm[i] = (int16_t)(voice ? 2500 * sum * (0.6 + 0.4 * sin(2 * 3.14159 * 5 * t)) : 0);
	}
	mc_g711_ulaw_encode(payload, pcm, FRAME);
	struct mc_rtp rtp = {
		.seq = seq++, .ts = ts, .ssrc = 7, .payload = payload, .payload_len = FRAME};
	ts += FRAME;
	int n = mc_rtp_build(data, sizeof(data), &rtp);
	CHECK(n > 0);
	CHECK_EQ(mc_leg_push_packet(engine, leg, data, (size_t)n), 0);
}

static int16_t *flat(int16_t value)
{
	static int16_t pcm[12800];
	for (size_t i = 0; i < 12800; i++)
		pcm[i] = value;
	return pcm;
}

static void say(mc_handle leg, uint64_t utterance, size_t n)
{
	CHECK_EQ(mc_leg_say_begin(engine, leg, utterance, 1), 0);
	CHECK_EQ(mc_leg_say(engine, leg, flat(8031), n), n);
	CHECK_EQ(mc_leg_say_end(engine, leg), 0);
}

static void test_limit(void)
{
	setup();
	mc_handle leg = open_leg(1, false);
	for (int i = 0; i < 10; i++)
		tick();
	CHECK_EQ(mc_leg_limit(engine, leg, UINT64_MAX), MC_EINVAL);
	CHECK_EQ(mc_leg_limit(engine, leg, 3), 0);
	CHECK_EQ(mc_leg_limit(engine, leg, 20), 0); /* replaces */
	for (int i = 0; i < 19; i++)
		tick();
	CHECK(!find(MC_EV_LEG_CLOSED, leg));
	tick();
	CHECK_EQ(find(MC_EV_LEG_CLOSED, leg)->a, MC_CLOSED_BUDGET);
	CHECK_EQ(find(MC_EV_LEG_CLOSED, leg)->tick, 29);
	CHECK_EQ(mc_leg_free(engine, leg), 0);
	CHECK_EQ(mc_leg_limit(engine, leg, 3), MC_ENOENT);
	leg = open_leg(2, false);
	CHECK_EQ(mc_leg_limit(engine, leg, 5), 0);
	tick();
	CHECK_EQ(mc_leg_limit(engine, leg, 0), 0); /* none any more */
	for (int i = 0; i < 50; i++)
		tick();
	CHECK(!find(MC_EV_LEG_CLOSED, leg));
	mc_engine_destroy(engine);
}

static void test_bed_under_a_voice(void)
{
	setup();
	mc_handle leg = open_leg(1, true), plain = open_leg(2, false);
	CHECK_EQ(mc_leg_bed(engine, plain, flat(1), 10), MC_ESTATE);
	CHECK_EQ(mc_leg_bed_room(engine, plain), 0);
	CHECK_EQ(mc_leg_bed_stop(engine, plain), MC_ESTATE);
	CHECK_EQ(mc_leg_bed_gain(engine, leg, 21), MC_EINVAL);
	CHECK_EQ(mc_leg_bed_gain(engine, leg, NAN), MC_EINVAL);
	CHECK_EQ(mc_leg_bed_gain(engine, leg, -20), 0);
	CHECK_EQ(mc_leg_bed(engine, leg, flat(9999), 12800), 12800);
	CHECK_EQ(mc_leg_bed_room(engine, leg), 0);
	tick();
	tick();
	int alone = 0, both = 0, after = 0;
	peak(leg);
	for (int i = 0; i < 10; i++, tick())
		alone = peak(leg);
	CHECK(alone > 950 && alone < 1050); /* the voice is idle */
	say(leg, 1, 1600);
	for (int i = 0; i < 5; i++, tick())
		both = peak(leg);
	CHECK(both > 8700);
	CHECK_EQ(mc_leg_pause(engine, leg), 0);
	for (int i = 0; i < 5; i++, tick())
		alone = peak(leg);
	CHECK(alone > 950 && alone < 1050); /* the voice is paused */
	CHECK_EQ(mc_leg_bed_stop(engine, leg), 0);
	tick();
	peak(leg);
	tick();
	after = peak(leg);
	CHECK(after < 10);
	CHECK_EQ(mc_leg_bed_room(engine, leg), 12800);
	CHECK_EQ(count(MC_EV_PLAYOUT_STARTED, leg), 1);
	struct mc_leg_stats stats;
	CHECK_EQ(mc_leg_stats(engine, leg, &stats), 0);
	CHECK(stats.queued_samples == 1600 && stats.wire_samples < 1600);
	mc_engine_destroy(engine);
}

static void test_hold(void)
{
	setup();
	mc_handle a = open_leg(1, true), b = open_leg(2, true), bridge;
	struct mc_barge_in cut = {.action = MC_BARGE_CUT};
	CHECK_EQ(mc_bridge_open(engine, 16000, &bridge), 0);
	CHECK_EQ(mc_bridge_join(engine, bridge, a), 0);
	CHECK_EQ(mc_bridge_join(engine, bridge, b), 0);
	CHECK_EQ(mc_leg_arm(engine, a, &cut), 0);
	int heard = 0;
	for (int i = 0; i < 40; i++) {
		talk(a, i >= 10);
		tick();
		heard = peak(b);
		peak(a);
	}
	CHECK(heard > 500);
	CHECK_EQ(count(MC_EV_SPEECH_STARTED, a), 1);
	CHECK_EQ(mc_leg_hold(engine, a, true), 0);
	CHECK_EQ(mc_leg_hold(engine, a, true), 0);
	talk(a, true);
	tick();
	CHECK_EQ(count(MC_EV_SPEECH_ENDED, a), 1); /* what was told ends with the hold */
	say(a, 1, 4000);
	peak(b);
	int sent = 0;
	heard = 0;
	for (int i = 0; i < 40; i++) {
		talk(a, i % 30 < 15);
		CHECK_EQ(mc_leg_resume(engine, a, false), 0); /* does not help */
		tick();
		if (i > 1)
			heard = peak(b) > heard ? peak(b) : heard;
		int now = peak(a);
		sent = now > sent ? now : sent;
	}
	CHECK(heard < 10);
	CHECK(sent < 10);
	CHECK_EQ(count(MC_EV_SPEECH_STARTED, a), 1);
	CHECK_EQ(count(MC_EV_PLAYOUT_CUT, a), 0);
	CHECK_EQ(mc_leg_bed(engine, a, flat(5000), 12800), 12800);
	for (int i = 0; i < 5; i++) {
		talk(a, true);
		tick();
		sent = peak(a);
	}
	CHECK(sent > 4800); /* the bed goes on */
	CHECK_EQ(mc_leg_bed_stop(engine, a), 0);
	for (int i = 0; i < 20; i++) {
		talk(a, true);
		tick();
		peak(a);
	}
	CHECK_EQ(mc_leg_arm(engine, a, &(struct mc_barge_in){0}), 0);
	CHECK_EQ(mc_leg_hold(engine, a, false), 0);
	sent = heard = 0;
	for (int i = 0; i < 30; i++) {
		talk(a, true);
		tick();
		int now = peak(a);
		sent = now > sent ? now : sent;
		now = peak(b);
		heard = now > heard ? now : heard;
	}
	CHECK_EQ(count(MC_EV_SPEECH_STARTED, a), 2); /* speaks when the hold ends */
	CHECK(sent > 7000 && heard > 500);
	CHECK_EQ(count(MC_EV_UTTERANCE_FINISHED, a), 1);
	CHECK_EQ(find(MC_EV_UTTERANCE_FINISHED, a)->position, 4000);
	mc_engine_destroy(engine);
}

static void test_hold_keeps_a_pause_by_command(void)
{
	setup();
	mc_handle leg = open_leg(1, false);
	say(leg, 1, 4000);
	for (int i = 0; i < 5; i++)
		tick();
	CHECK_EQ(mc_leg_pause(engine, leg), 0);
	tick();
	CHECK_EQ(mc_leg_hold(engine, leg, true), 0);
	tick();
	CHECK_EQ(mc_leg_hold(engine, leg, false), 0);
	for (int i = 0; i < 50; i++)
		tick();
	CHECK(!find(MC_EV_UTTERANCE_FINISHED, leg));
	CHECK_EQ(mc_leg_resume(engine, leg, false), 0);
	for (int i = 0; i < 50; i++)
		tick();
	CHECK(find(MC_EV_UTTERANCE_FINISHED, leg));
	mc_engine_destroy(engine);
}

/* The target is opened before its source: it sends the source's frame of the same tick anyway. */
static void test_fork(void)
{
	setup();
	mc_handle to = open_leg(1, false), from = open_leg(2, false), wide;
	struct mc_leg_cfg cfg = {
		.codec = "L16", .srate = 16000, .payload_type = 96, .seed = 3, .fd = -1};
	CHECK_EQ(mc_leg_open(engine, &cfg, &wide), 0);
	CHECK_EQ(mc_leg_fork(engine, to, from, 0), MC_EINVAL);
	CHECK_EQ(mc_leg_fork(engine, to, to, MC_FORK_TX), MC_ESTATE);
	CHECK_EQ(mc_leg_fork(engine, to, from, MC_FORK_TX), 0);
	CHECK_EQ(mc_leg_fork(engine, to, from, MC_FORK_TX), MC_ESTATE);
	CHECK_EQ(mc_leg_fork(engine, from, wide, MC_FORK_TX), MC_ESTATE); /* a chain */
	CHECK_EQ(mc_leg_fork(engine, wide, to, MC_FORK_TX), MC_ESTATE);
	CHECK_EQ(mc_leg_fork(engine, wide, from, MC_FORK_RX | MC_FORK_TX), 0);
	say(from, 1, 3200);
	int top = 0, wide_top = 0;
	for (int i = 0; i < 25; i++) {
		uint8_t data[MC_PACKET_MAX];
		tick();
		int sent = peak(from);
		CHECK_EQ(peak(to), sent);
		top = sent > top ? sent : top;
		for (int n; (n = mc_leg_pull_packet(engine, wide, data, sizeof(data))) > 0;)
			for (int k = 12; k < n; k += 2) {
				int x = abs((int16_t)(data[k] << 8 | data[k + 1]));
				wide_top = x > wide_top ? x : wide_top;
			}
	}
	CHECK(top > 7800 && top < 8200);
	CHECK(wide_top > 7800 && wide_top < 9600);
	CHECK_EQ(mc_leg_unfork(engine, to), 0);
	CHECK_EQ(mc_leg_unfork(engine, to), 0);
	say(from, 2, 3200);
	for (int i = 0; i < 10; i++) {
		tick();
		CHECK(peak(to) < 10);
		peak(from);
	}
	CHECK_EQ(mc_leg_fork(engine, to, from, MC_FORK_RX), 0); /* the caller only */
	int heard = 0, own = 0;
	for (int i = 0; i < 60; i++) {
		talk(from, i > 20);
		tick();
		int now = peak(to);
		if (i < 15)
			own = now > own ? now : own;
		heard = now > heard ? now : heard;
		peak(from);
	}
	CHECK(own < 10 && heard > 500);
	CHECK_EQ(mc_leg_close(engine, from), 0); /* ends with its source */
	tick();
	CHECK_EQ(mc_leg_free(engine, from), 0);
	peak(to);
	for (int i = 0; i < 5; i++) {
		tick();
		CHECK(peak(to) < 10);
	}
	mc_handle other = open_leg(9, false);
	CHECK_EQ(mc_leg_fork(engine, to, other, MC_FORK_TX), 0);
	tick();
	CHECK_EQ(mc_leg_close(engine, to), 0); /* and with its target */
	tick();
	say(other, 1, 800);
	for (int i = 0; i < 10; i++)
		tick();
	CHECK_EQ(mc_leg_fork(engine, wide, other, MC_FORK_TX), 0);
	mc_engine_destroy(engine); /* one in the tick, one on its way */
}

int main(void)
{
	RUN(test_limit);
	RUN(test_bed_under_a_voice);
	RUN(test_hold);
	RUN(test_hold_keeps_a_pause_by_command);
	RUN(test_fork);
	return 0;
}
