/* The pacer against a control thread that does everything at once: for the thread sanitizer as
 * much as for what is checked here. Margins are wide: the machine may be busy. */
#include <poll.h>

#include "mc_test.h"
#include "mediacore.h"

static struct mc_engine *engine_new(void)
{
	struct mc_engine_cfg cfg = {.max_legs = 8, .max_bridges = 2, .event_slots = 1024};
	struct mc_engine *engine;
	CHECK_EQ(mc_engine_create(&engine, &cfg), 0);
	return engine;
}

static void test_ticks_in_real_time(void)
{
	struct mc_engine *engine = engine_new();
	struct mc_pacer *pacer;
	struct mc_pacer_stats stats;
	struct mc_engine_stats counts;
	uint64_t begin_us = mc_now_us();
	CHECK_EQ(mc_pacer_start(&pacer, engine, true), 0); /* refused or granted, it runs */
	(void)mc_pacer_is_realtime(pacer);
	do
		mc_pacer_stats(pacer, &stats);
	while (stats.ticks + stats.skipped < 15 && mc_now_us() < begin_us + 10000000);
	uint64_t took_us = mc_now_us() - begin_us;
	mc_pacer_stop(pacer);
	CHECK(stats.ticks + stats.skipped >= 15 && took_us >= 14 * MC_TICK_US);
	CHECK(stats.late_1ms >= stats.late_5ms && stats.late_5ms >= stats.late_20ms);
	CHECK(stats.busy_us >= stats.busy_max_us);
	mc_engine_stats(engine, &counts);
	CHECK(counts.ticks >= stats.ticks);
	uint64_t before = counts.ticks;
	mc_engine_tick(engine, mc_now_us()); /* by hand again */
	mc_engine_stats(engine, &counts);
	CHECK_EQ(counts.ticks, before + 1);
	mc_engine_destroy(engine);
}

/* Two legs joined in memory, everything commanded and read while the media thread runs. */
static void test_control_beside_media(void)
{
	struct mc_engine *engine = engine_new();
	struct mc_leg_cfg cfg = {
		.codec = "PCMU",
		.payload_type = 255,
		.event_payload_type = 101,
		.fd = -1,
		.taps = MC_TAP_RX | MC_TAP_RECORD | MC_TAP_NOTES,
		.tap_block_ms = 20,
		.speech_ms = 600,
	};
	struct mc_barge_in policy = {.action = MC_BARGE_PAUSE, .commit_ms = 200, .resume_ms = 200};
	struct mc_pacer *pacer;
	mc_handle legs[2], bridge, closed[2];
	uint32_t rng = 9;
	uint64_t utterance = 0, generation = 1, events_seen = 0, tap_at = 0;
	int closings = 0;
	int16_t pcm[1600];
	size_t open = 0;

	for (size_t i = 0; i < 1600; i++)
		pcm[i] = (int16_t)(i * 51);
	CHECK_EQ(mc_bridge_open(engine, 16000, &bridge), 0);
	CHECK_EQ(mc_pacer_start(&pacer, engine, false), 0);
	uint64_t until_us = mc_now_us() + 1500000;
	while (mc_now_us() < until_us) {
		struct pollfd fd = {.fd = mc_engine_event_fd(engine), .events = POLLIN};
		struct mc_event events[16];
		struct mc_leg_stats stats;
		struct mc_note notes[16];
		uint8_t data[MC_PACKET_MAX];
		uint64_t at;

		(void)poll(&fd, 1, 2);
		if (!open && !closings) {
			for (; open < 2; open++) {
				cfg.seed = test_rand(&rng);
				CHECK_EQ(mc_leg_open(engine, &cfg, &legs[open]), 0);
				CHECK_EQ(mc_bridge_join(engine, bridge, legs[open]), 0);
			}
			tap_at = 0;
		}
		for (size_t n; (n = mc_engine_poll(engine, events, 16)) > 0;)
			for (size_t i = 0; i < n; i++) {
				events_seen++;
				if (events[i].kind == MC_EV_PLAYOUT_CUT && events[i].utterance)
					generation = events[i].next_generation;
				if (events[i].kind == MC_EV_LEG_CLOSED) {
					CHECK_EQ(mc_leg_free(engine, events[i].leg), 0);
					closings--;
				}
			}
		for (size_t i = 0; i < open; i++) {
			for (int n;
			     (n = mc_leg_pull_packet(engine, legs[i], data, sizeof(data))) > 0;)
				(void)mc_leg_push_packet(engine, legs[1 - i], data, (size_t)n);
			CHECK_EQ(mc_leg_stats(engine, legs[i], &stats), 0);
			CHECK(stats.played_samples + stats.flushed_samples <= stats.queued_samples);
			CHECK(stats.played_samples <= stats.wire_samples);
			(void)mc_leg_read_tap(engine, legs[i], MC_TAP_RECORD, pcm, 800, &at);
			(void)mc_leg_read_notes(engine, legs[i], notes, 16);
		}
		if (!open)
			continue;
		size_t got = mc_leg_read_tap(engine, legs[0], MC_TAP_RX, pcm, 1600, &at);
		CHECK(!got || at >= tap_at);
		tap_at = got ? at + got : tap_at;
		switch (test_rand(&rng) % 12) {
		case 0:
			CHECK_EQ(mc_leg_pause(engine, legs[0]), 0);
			break;
		case 1:
			CHECK_EQ(mc_leg_resume(engine, legs[0], true), 0);
			break;
		case 2:
			CHECK_EQ(mc_leg_cut(engine, legs[0], generation), 0);
			break;
		case 3:
			CHECK_EQ(mc_leg_arm(engine, legs[0], &policy), 0);
			break;
		case 4:
			CHECK_EQ(mc_leg_send_digits(engine, legs[1], "1", 60, 60), 0);
			break;
		case 5:
			CHECK_EQ(mc_bridge_leave(engine, bridge, legs[1]), 0);
			CHECK_EQ(mc_bridge_join(engine, bridge, legs[1]), 0);
			break;
		case 6:
			if (test_rand(&rng) % 8)
				break;
			for (closed[0] = legs[0], closed[1] = legs[1]; open; open--)
				CHECK_EQ(mc_leg_close(engine, closed[open - 1]), 0);
			closings = 2;
			break;
		default:
			if (mc_leg_say_begin(engine, legs[0], ++utterance, generation) < 0)
				break;
			CHECK(mc_leg_say(engine, legs[0], pcm, 1600) >= 0);
			CHECK_EQ(mc_leg_mark(engine, legs[0], 1, 400), 0);
			CHECK_EQ(mc_leg_say_end(engine, legs[0]), 0);
			break;
		}
	}
	mc_pacer_stop(pacer);
	CHECK(events_seen > 100 && utterance > 10);
	mc_engine_destroy(engine);
}

static void test_start_and_stop_again(void)
{
	struct mc_engine *engine = engine_new();
	struct mc_pacer *pacer;
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(mc_pacer_start(&pacer, engine, false), 0);
		mc_pacer_stop(pacer);
	}
	mc_engine_destroy(engine);
}

int main(void)
{
	RUN(test_ticks_in_real_time);
	RUN(test_control_beside_media);
	RUN(test_start_and_stop_again);
	return 0;
}
