/* Bytes as a script for a whole engine: any packets into the legs, commands in any order with any
 * handle, ticks, polls, taps read or left. Three legs and two bridges at a time, opened, closed
 * and reused at will.
 *
 * Checked besides memory and undefined behaviour: heard <= played <= queued; counters never go
 * back; nothing agent-made goes out after a cut until newer speech begins; a leg's last event is
 * its end; taps account for every sample of the leg's clock. */
#include "mediacore.h"

#include <stdlib.h>
#include <string.h>

#define REQUIRE(x)                                                                                 \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

enum { LEGS = 3, BRIDGES = 2, STEPS = 1500 };

struct reader {
	const uint8_t *data;
	size_t left;
};

static uint8_t byte(struct reader *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->data++;
}

static uint32_t word(struct reader *in)
{
	uint32_t x = 0;
	for (int i = 0; i < 4; i++)
		x = x << 8 | byte(in);
	return x;
}

struct party {
	mc_handle leg; /* 0: none */
	bool open, closing, gone;
	bool silent; /* cut, and nothing began since */
	uint32_t srate;
	uint64_t utterance;
	mc_generation generation; /* as of the last event */
	uint64_t tap_at;
	struct mc_leg_stats last;
};

static struct party parties[LEGS];
static mc_handle bridges[BRIDGES];
static struct mc_engine *engine;
static uint64_t now_us;

static struct party *party_of(mc_handle leg)
{
	for (size_t i = 0; i < LEGS; i++)
		if (parties[i].open && parties[i].leg == leg)
			return &parties[i];
	return NULL;
}

static void poll(void)
{
	struct mc_event events[7];
	for (size_t n; (n = mc_engine_poll(engine, events, 7)) > 0;)
		for (size_t i = 0; i < n; i++) {
			struct party *party = party_of(events[i].leg);
			if (events[i].kind == MC_EV_OVERRUN) {
				REQUIRE(events[i].a);
				/* What was lost may have been a cut or a beginning. */
				for (size_t k = 0; k < LEGS; k++)
					parties[k].silent = false;
				continue;
			}
			REQUIRE(party && !party->gone);
			switch (events[i].kind) {
			case MC_EV_PLAYOUT_CUT:
				REQUIRE(events[i].next_generation >= party->generation);
				party->generation = events[i].next_generation;
				party->silent = true;
				break;
			case MC_EV_PLAYOUT_STARTED:
			case MC_EV_PLAYOUT_RESUMED:
				REQUIRE(events[i].generation >= party->generation);
				party->silent = false;
				break;
			case MC_EV_MARK:
			case MC_EV_PLAYOUT_PAUSED:
				REQUIRE(events[i].generation >= party->generation || party->silent);
				break;
			case MC_EV_LEG_CLOSED:
				party->gone = true;
				break;
			default:
				break;
			}
		}
}

static void check_stats(struct party *party)
{
	struct mc_leg_stats now;
	if (mc_leg_stats(engine, party->leg, &now) < 0)
		return;
	const struct mc_leg_stats *last = &party->last;
	REQUIRE(now.played_samples <= now.wire_samples);
	REQUIRE(now.played_samples + now.flushed_samples <= now.queued_samples);
	REQUIRE(now.ticks >= last->ticks && now.rx_packets >= last->rx_packets);
	REQUIRE(now.played_samples >= last->played_samples);
	REQUIRE(now.wire_samples >= last->wire_samples);
	REQUIRE(now.wire_samples - last->wire_samples <=
		(now.ticks - last->ticks) * (party->srate / 50));
	REQUIRE(now.generation >= last->generation);
	REQUIRE(now.rx_concealed_samples <= now.ticks * (party->srate / 50));
	party->last = now;
}

static void tick(unsigned n)
{
	for (; n; n--) {
		mc_engine_tick(engine, now_us);
		now_us += MC_TICK_US;
	}
	for (size_t i = 0; i < LEGS; i++)
		if (parties[i].open)
			check_stats(&parties[i]);
}

static void open_leg(struct party *party, struct reader *in)
{
	static const struct {
		const char *name;
		uint32_t srate;
		uint8_t pt;
	} codecs[] = {{"PCMU", 8000, 255}, {"PCMA", 8000, 255}, {"G722", 16000, 255},
		      {"L16", 16000, 96},  {"L16", 8000, 97},   {"nothing", 8000, 98}};
	if (party->open)
		return;
	static const uint8_t ptimes[] = {10, 20, 30, 40, 60, 80, 20, 25};
	uint8_t pick = byte(in), flags = byte(in);
	struct mc_leg_cfg cfg = {
		.codec = codecs[pick % 6].name,
		.srate = codecs[pick % 6].srate,
		.payload_type = codecs[pick % 6].pt,
		.event_payload_type = flags & 1 ? 101 : 0,
		.ptime_ms = ptimes[byte(in) % 8],
		.seed = word(in),
		.fd = -1,
		.rtcp = flags & 2 ? MC_RTCP_MUX : MC_RTCP_NONE,
		.jitter_slots = byte(in) % 64,
		.jitter_min_ms = byte(in),
		.jitter_max_ms = (uint16_t)(byte(in) * 4),
		.payload_max = (uint16_t)(byte(in) * 8),
		.speech_ms = byte(in) * 16,
		.taps = byte(in) & 7,
		.tap_ms = byte(in) * 8,
		.media_lost_ms = byte(in) * 16,
		.media_first_ms = flags & 64 ? 100 : 0,
		.media_hold_ms = flags & 64 ? 200 : 0,
		.keepalive_ms = flags & 128 ? 40 : 0,
		.asymmetric = flags & 128,
		.tx_payload_type = 99,
		.budget_ticks = flags & 4 ? byte(in) : 0,
		.vad_threshold_q15 = (int16_t)(flags & 8 ? -1 : byte(in) * 128),
		.vad_onset_ms = byte(in),
		.vad_hangover_ms = byte(in) * 2,
		.detect_dtmf = flags & 16,
		.detect_tones = flags & 32 ? 0xFF : 0,
	};
	if (flags & 64) { /* every other codec of the same rate */
		bool wide = codecs[pick % 6].srate == 16000;
		cfg.codecs[0] = wide ? "G722" : "PCMU";
		cfg.codecs[1] = "L16";
		cfg.codecs[2] = wide ? NULL : "PCMA";
	}
	mc_handle leg;
	if (mc_leg_open(engine, &cfg, &leg) == 0)
		*party = (struct party){.leg = leg, .open = true, .srate = cfg.srate};
}

static void push(struct party *party, struct reader *in)
{
	uint8_t data[MC_PACKET_MAX] = {0}, kind = byte(in);
	size_t n = byte(in) * (kind & 1 ? 5u : 1u);
	if (kind & 2) { /* looks like RTP */
		data[0] = 0x80;
		data[1] = kind & 4 ? 101 : kind & 8 ? 13 : kind & 16 ? 8 : 0;
		data[3] = byte(in);
		data[2] = kind & 32 ? byte(in) : 0;
		uint32_t ts = kind & 64 ? word(in) : data[3] * 160u;
		for (int i = 0; i < 4; i++)
			data[4 + i] = (uint8_t)(ts >> (24 - 8 * i));
		data[11] = 1;
		for (size_t i = 12; i < n; i++)
			data[i] = byte(in);
	} else {
		for (size_t i = 0; i < n; i++)
			data[i] = byte(in);
	}
	(void)mc_leg_push_packet(engine, party->leg, data, n);
}

static void pull(struct party *party)
{
	uint8_t data[MC_PACKET_MAX];
	for (int n; (n = mc_leg_pull_packet(engine, party->leg, data, sizeof(data))) > 0;)
		REQUIRE(n >= 12 || (data[1] >= 200 && n >= 8));
}

static void read_taps(struct party *party)
{
	int16_t pcm[777];
	struct mc_note notes[9];
	uint64_t at;
	size_t n = mc_leg_read_tap(engine, party->leg, MC_TAP_RX, pcm, 777, &at);
	if (n) {
		REQUIRE(at >= party->tap_at);
		party->tap_at = at + n;
		REQUIRE(party->tap_at <= party->last.ticks * (party->srate / 50));
	}
	(void)mc_leg_read_tap(engine, party->leg, MC_TAP_RECORD, pcm, 388, &at);
	(void)mc_leg_read_tap(engine, party->leg, MC_TAP_NOTES, pcm, 1, &at);
	(void)mc_leg_read_notes(engine, party->leg, notes, 9);
}

static void speech(struct party *party, struct reader *in)
{
	static int16_t pcm[2048];
	uint8_t what = byte(in);
	pcm[what] = (int16_t)(what * 257);
	switch (what % 6) {
	case 0:
	case 1: {
		/* Around the present one: the upper half is the core's own and never comes from
		 * elsewhere. */
		uint32_t turn = (uint32_t)party->generation + (what >> 4);
		if (what & 8)
			turn -= turn < 3 ? turn : 3;
		mc_generation cuts = party->generation >> 32;
		(void)mc_leg_say_begin(engine, party->leg, ++party->utterance, cuts << 32 | turn);
	} break;
	case 2:
		(void)mc_leg_say(engine, party->leg, pcm, byte(in) * 8u);
		break;
	case 3:
		(void)mc_leg_mark(engine, party->leg, byte(in), word(in) >> (byte(in) % 32));
		break;
	case 4:
		(void)mc_leg_say_end(engine, party->leg);
		break;
	default:
		REQUIRE(mc_leg_say_room(engine, party->leg) <= 48u * 4096u);
		break;
	}
}

static void signalling(struct party *party, struct reader *in)
{
	static const char *const names[] = {NULL, "PCMU", "PCMA", "G722", "L16", "opus", "", NULL};
	uint8_t what = byte(in);
	struct mc_leg_target target = {
		.codec = names[what >> 2 & 7],
		.payload_type = (int16_t)(what & 32 ? -1 : byte(in) - 8),
		.tx_payload_type = (int16_t)(what & 64 ? -1 : byte(in)),
		.event_payload_type = (int16_t)(what & 128 ? 101 : -1),
		.cn_payload_type = (int16_t)(byte(in) - 128),
		.ptime_ms = 10u * (byte(in) % 8u),
	};
	switch (what & 3) {
	case 0:
		(void)mc_leg_push_digit(engine, party->leg, (char)byte(in), word(in));
		break;
	case 1:
		(void)mc_leg_direction(engine, party->leg, what & 4, what & 8);
		break;
	default:
		(void)mc_leg_retarget(engine, party->leg, &target);
		break;
	}
}

static void control(struct party *party, struct reader *in)
{
	static int16_t bed_pcm[2048];
	uint8_t what = byte(in);
	struct mc_barge_in policy = {.action = byte(in) % 5,
				     .duck_db = byte(in),
				     .resume_from_mark = what & 8,
				     .onset_ms = byte(in),
				     .commit_ms = byte(in) * 4,
				     .resume_ms = byte(in) * 4,
				     .protect_ms = byte(in),
				     .protect_mark = byte(in)};
	switch (what % 12) {
	case 0:
		(void)mc_leg_pause(engine, party->leg);
		break;
	case 1:
		(void)mc_leg_resume(engine, party->leg, what & 16);
		break;
	case 2:
		(void)mc_leg_cut(engine, party->leg,
				 what & 32 ? UINT64_MAX : party->generation + (what >> 6));
		break;
	case 3:
		(void)mc_leg_duck(engine, party->leg, what);
		break;
	case 4:
		(void)mc_leg_send_digits(engine, party->leg, what & 16 ? "12#" : "x9", what, 60);
		break;
	case 5:
		(void)mc_leg_hold(engine, party->leg, what & 16);
		break;
	case 6:
		(void)mc_leg_limit(engine, party->leg, what & 16 ? word(in) : 0);
		break;
	case 7:
		(void)mc_leg_bed(engine, party->leg, bed_pcm, byte(in) * 8u);
		(void)mc_leg_bed_gain(engine, party->leg, (float)byte(in) - 128);
		break;
	case 8:
		(void)mc_leg_bed_stop(engine, party->leg);
		break;
	case 9:
		if (what & 16)
			(void)mc_leg_unfork(engine, party->leg);
		else
			(void)mc_leg_fork(engine, party->leg, parties[byte(in) % LEGS].leg,
					  byte(in) % 5);
		break;
	case 10:
		signalling(party, in);
		break;
	default:
		(void)mc_leg_arm(engine, party->leg, &policy);
		break;
	}
}

static void bridge(struct reader *in)
{
	uint8_t what = byte(in);
	mc_handle *slot = &bridges[what >> 4 & 1];
	mc_handle leg = parties[(what >> 5) % LEGS].leg, other = parties[byte(in) % LEGS].leg;
	switch (what % 6) {
	case 0:
		if (!*slot && mc_bridge_open(engine, what & 8 ? 16000 : 8000, slot) < 0)
			*slot = 0;
		break;
	case 1:
		if (mc_bridge_close(engine, *slot) == 0 && (what & 8))
			*slot = 0; /* else the dead handle is used on */
		break;
	case 2:
	case 3:
		(void)mc_bridge_join(engine, *slot, leg);
		break;
	case 4:
		(void)mc_bridge_leave(engine, *slot, leg);
		break;
	default:
		(void)mc_bridge_gain(engine, *slot, leg, other, (int16_t)(word(in) >> 16));
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct reader in = {data, n};
	struct mc_engine_cfg cfg = {
		.max_legs = LEGS,
		.max_bridges = BRIDGES,
		.event_slots = 16u + (n ? data[0] : 0u),
		.command_slots = 32,
	};
	memset(parties, 0, sizeof(parties));
	memset(bridges, 0, sizeof(bridges));
	now_us = 1000000;
	REQUIRE(mc_engine_create(&engine, &cfg) == 0);
	for (int step = 0; step < STEPS && in.left; step++) {
		uint8_t op = byte(&in);
		struct party *party = &parties[(op >> 5) % LEGS];
		switch (op & 15) {
		case 0:
			open_leg(party, &in);
			break;
		case 1:
			if (byte(&in) < 64)
				(void)mc_leg_close(engine, party->leg);
			break;
		case 2:
			if (mc_leg_free(engine, party->leg) == 0) {
				poll();
				party->open = false;
			}
			break;
		case 3:
		case 4:
			push(party, &in);
			break;
		case 5:
			pull(party);
			break;
		case 6:
			read_taps(party);
			break;
		case 7:
		case 8:
		case 9:
			speech(party, &in);
			break;
		case 10:
			control(party, &in);
			break;
		case 11:
			bridge(&in);
			break;
		case 12:
			poll();
			break;
		default:
			tick(1 + (op >> 4) % 4);
			break;
		}
	}
	tick(2);
	poll();
	mc_engine_destroy(engine);
	return 0;
}
