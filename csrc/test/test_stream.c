/* mc_stream: numbering, pacing, order, what is dropped; and the leg around it. */
#include "mc_stream.h"

#include <pthread.h>
#include <stdatomic.h>

#include "mc_g711.h"
#include "mc_test.h"
#include "mediacore.h"

enum { PIECE = 160, TICK_US = MC_TICK_US };

static uint8_t memory[1 << 20];
static struct mc_stream *s;
static uint64_t now_us;

static void make_link(const char *codec, uint32_t srate, uint32_t queue_ms)
{
	struct mc_stream_cfg cfg = {
		.codec = mc_codec_find(codec, srate),
		.srate = srate,
		.queue_ms = queue_ms,
		.behind = 10,
	};
	size_t size = mc_stream_size(&cfg);
	CHECK(size > 0 && size <= sizeof(memory));
	CHECK_EQ(mc_stream_init(&s, memory, size - 1, &cfg), MC_ENOMEM);
	CHECK_EQ(mc_stream_init(&s, memory, size, &cfg), 0);
	now_us = 1000000;
}

static size_t push(size_t n, uint8_t fill)
{
	static uint8_t data[1 << 18];
	struct mc_media_stamp stamp = {0};
	memset(data, fill, n);
	return mc_stream_push(s, data, n, &stamp);
}

static size_t push_seq(size_t n, uint8_t fill, uint32_t seq)
{
	static uint8_t data[4096];
	struct mc_media_stamp stamp = {.has_seq = true, .seq = seq};
	memset(data, fill, n);
	return mc_stream_push(s, data, n, &stamp);
}

static bool next(struct mc_stream_packet *p)
{
	return mc_stream_next(s, p, now_us);
}

/* The pieces that are due now; only the last stays in *p. */
static int due(struct mc_stream_packet *p)
{
	int n = 0;
	while (next(p))
		n++;
	return n;
}

static void test_pieces_are_numbered(void)
{
	struct mc_stream_packet p;
	make_link("PCMU", 8000, 2000);
	for (uint16_t i = 0; i < 5; i++, now_us += TICK_US) {
		CHECK_EQ(push(PIECE, (uint8_t)i), 0);
		CHECK(next(&p));
		CHECK_EQ(p.n, PIECE);
		CHECK_EQ(p.seq, i);
		CHECK_EQ(p.ts, i * PIECE);
		CHECK_EQ(p.payload[0], i);
		CHECK_EQ(p.at_us, now_us);
		CHECK(!next(&p));
	}
}

static void test_a_long_message_takes_its_time(void)
{
	struct mc_stream_packet p;
	make_link("PCMU", 8000, 2000);
	CHECK_EQ(push(5 * PIECE, 1), 0);
	for (uint32_t i = 0; i < 5; i++, now_us += TICK_US) {
		CHECK_EQ(due(&p), 1);
		CHECK_EQ(p.ts, i * PIECE);
		CHECK_EQ(p.at_us, now_us);
	}
	CHECK_EQ(due(&p), 0);
	/* A newer message lets the rest of the older go at once. */
	CHECK_EQ(push(5 * PIECE, 2), 0);
	CHECK_EQ(due(&p), 1);
	CHECK_EQ(push(PIECE, 3), 0);
	CHECK_EQ(due(&p), 5);
	CHECK_EQ(p.payload[0], 3);
	CHECK_EQ(p.ts, 10 * PIECE);
}

static void test_odd_lengths_are_carried_over(void)
{
	struct mc_stream_packet p;
	make_link("L16LE", 16000, 2000);
	size_t given = 0, got = 0;
	for (int i = 0; i < 100; i++, now_us += TICK_US) {
		CHECK_EQ(push(333, (uint8_t)i), 0);
		given += 333;
		while (next(&p)) {
			CHECK_EQ(p.n, 640);
			CHECK_EQ(p.ts, got / 2);
			got += p.n;
		}
		CHECK(given - got < 640);
	}
}

static void test_the_end_of_what_does_not_fit_is_dropped(void)
{
	struct mc_stream_packet p;
	make_link("PCMU", 8000, 400);
	CHECK_EQ(push(30 * 8000, 1), (1500 - 20) * PIECE);
	CHECK_EQ(mc_stream_dropped(s), (1500 - 20) * PIECE);
	int n = 0;
	for (int i = 0; i < 30; i++, now_us += TICK_US)
		n += due(&p);
	CHECK_EQ(n, 20);
	/* The dropped part is a pause: its time passes in ts, its numbers do not. */
	now_us += 29 * 1000000;
	CHECK_EQ(push(PIECE, 2), 0);
	CHECK_EQ(due(&p), 1);
	CHECK_EQ(p.seq, 20);
	CHECK(p.ts >= 1500 * PIECE);
	/* 30 s fit when they shall. */
	make_link("PCMU", 8000, 30000);
	CHECK_EQ(push(30 * 8000, 1), 0);
	for (n = 0; n < 1500; n++, now_us += TICK_US)
		CHECK_EQ(due(&p), 1);
	CHECK_EQ(due(&p), 0);
}

static void test_of_a_burst_the_newest_is_kept(void)
{
	struct mc_stream_packet p;
	make_link("PCMU", 8000, 2000);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(push(PIECE, (uint8_t)i), 0);
	CHECK(next(&p));
	CHECK_EQ(p.payload[0], 89); /* 10 older ones and the newest */
	CHECK_EQ(p.seq, 0);
	CHECK_EQ(p.ts, 89 * PIECE);
	CHECK_EQ(due(&p), 10);
	CHECK_EQ(p.payload[0], 99);
	CHECK_EQ(mc_stream_dropped(s), 89 * PIECE);
}

static void test_numbers_put_messages_in_order(void)
{
	struct mc_stream_packet p;
	const uint32_t sent[] = {0xFFFFFFFE, 0xFFFFFFFF, 1, 0, 2, 5, 3};
	const uint16_t seq[] = {0, 1, 3, 2, 4, 7, 5};
	make_link("PCMU", 8000, 2000);
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++, now_us += TICK_US) {
		CHECK_EQ(push_seq(PIECE, (uint8_t)sent[i], sent[i]), 0);
		CHECK_EQ(due(&p), 1);
		CHECK_EQ(p.seq, seq[i]);
		CHECK_EQ(p.ts, seq[i] * PIECE);
	}
	CHECK_EQ(push_seq(PIECE, 0, 90000), 0); /* a new count */
	CHECK_EQ(due(&p), 1);
	CHECK_EQ(p.seq, 8);
	/* Messages of several pieces, one of them late. */
	make_link("PCMU", 8000, 2000);
	CHECK_EQ(push_seq(3 * PIECE, 0, 10), 0);
	CHECK_EQ(push_seq(3 * PIECE, 2, 12), 0);
	CHECK_EQ(push_seq(3 * PIECE, 1, 11), 0);
	const uint16_t want[] = {0, 1, 2, 6, 7, 8, 3};
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		CHECK(next(&p));
		CHECK_EQ(p.seq, want[i]);
		CHECK_EQ(p.ts, want[i] * PIECE);
	}
	CHECK(!next(&p));
}

static void test_timestamps_tell_pauses(void)
{
	struct mc_stream_packet p;
	uint8_t data[PIECE] = {0};
	struct mc_media_stamp stamp = {.has_ts = true, .ts_ms = 70000};
	make_link("PCMU", 8000, 2000);
	const int steps[] = {20, 20, 55, 20, 1000, 20, -500, 20};
	const uint32_t want[] = {0, 1, 2, 3, 4, 54, 55, 56};
	for (size_t i = 0; i < 8; i++, now_us += TICK_US) {
		CHECK_EQ(mc_stream_push(s, data, PIECE, &stamp), 0);
		CHECK_EQ(due(&p), 1);
		CHECK_EQ(p.seq, i);
		if (i < 3)
			CHECK_EQ(p.ts, want[i] * PIECE);
		else
			CHECK(abs((int)p.ts - (int)want[i] * PIECE) <= 60 * 8);
		stamp.ts_ms += (uint64_t)steps[i];
	}
}

static void test_silence_of_the_sender_is_no_delay(void)
{
	struct mc_stream_packet p;
	make_link("PCMU", 8000, 2000);
	CHECK_EQ(push(PIECE, 1), 0);
	CHECK_EQ(due(&p), 1);
	now_us += 5000000;
	CHECK_EQ(push(PIECE, 1), 0);
	CHECK_EQ(due(&p), 1);
	CHECK_EQ(p.seq, 1);
	CHECK_EQ(p.ts, 5 * 8000);
}

static void test_every_codec(void)
{
	struct mc_stream_packet p;
	const struct {
		const char *name;
		uint32_t srate;
		size_t piece;
	} rows[] = {{"PCMA", 8000, 160},   {"G722", 16000, 160},  {"L16", 8000, 320},
		    {"L16LE", 16000, 640}, {"L16LE", 24000, 960}, {"L16", 48000, 960}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make_link(rows[i].name, rows[i].srate, 1000);
		uint32_t clock = mc_codec_find(rows[i].name, rows[i].srate)->clock_rate;
		size_t second = rows[i].piece == 960 && clock == 48000 ? 96000 : rows[i].piece * 50;
		CHECK_EQ(push(second, 0), 0);
		size_t got = 0;
		for (int t = 0; t < 51; t++, now_us += TICK_US)
			while (next(&p)) {
				CHECK_EQ(p.n, rows[i].piece);
				got += p.n;
			}
		CHECK_EQ(got, second);
		CHECK(push(second * 2, 0) > 0);
	}
}

static void test_opus_packets_stay_whole(void)
{
	struct mc_stream_packet p;
	uint8_t packet[200] = {0x48}; /* SILK wide band, 20 ms, one frame */
	struct mc_media_stamp stamp = {0};
	if (mc_opus_load(NULL) < 0) {
		printf("  (no libopus here)\n");
		return;
	}
	make_link("opus", 48000, 400);
	for (uint32_t i = 0; i < 20; i++)
		CHECK_EQ(mc_stream_push(s, packet, 100 + i, &stamp), 0);
	CHECK_EQ(mc_stream_push(s, packet, 100, &stamp), 100);
	CHECK_EQ(due(&p), 11);
	CHECK_EQ(p.ts, 19 * 960);
	CHECK_EQ(p.n, 119);
	CHECK_EQ(mc_stream_push(s, memory, MC_STREAM_OPUS_MAX + 1, &stamp), MC_STREAM_OPUS_MAX + 1);
}

/* ------------------------------------------------------------------ outgoing */

static const int16_t sound[PIECE] = {4000};
static struct mc_stream_sent did;

static bool put(bool playing)
{
	did = mc_stream_put(s, NULL, sound, playing);
	return did.any;
}

static const char *items(void)
{
	static char text[1024];
	struct mc_media_item item;
	uint8_t buf[MC_MEDIA_MAX];
	size_t n = 0;
	while (mc_stream_pull(s, &item, buf) && n < sizeof(text) - 1) {
		if (item.kind == MC_MEDIA_AUDIO)
			CHECK_EQ(item.n, PIECE);
		text[n++] = item.kind == MC_MEDIA_AUDIO   ? (buf[0] == 0xFF ? 's' : 'A')
			    : item.kind == MC_MEDIA_MARK  ? (char)('0' + item.mark)
			    : item.kind == MC_MEDIA_FLUSH ? 'F'
							  : 'I';
	}
	text[n] = 0;
	return text;
}

#define ITEMS(want)                                                                                \
	do {                                                                                       \
		const char *got_ = items();                                                        \
		if (strcmp(got_, want)) {                                                          \
			fprintf(stderr, "%d: got %s want %s\n", __LINE__, got_, want);             \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static void make_out(uint32_t queue_ms, uint32_t ahead_ms, bool always)
{
	struct mc_stream_cfg cfg = {
		.codec = mc_codec_find("PCMU", 8000),
		.srate = 8000,
		.queue_ms = queue_ms,
		.ahead_ms = ahead_ms,
		.behind = 10,
		.always = always,
	};
	CHECK_EQ(mc_stream_init(&s, memory, sizeof(memory), &cfg), 0);
}

static void test_items_come_in_order(void)
{
	make_out(1000, 60, false);
	CHECK(!put(false));
	CHECK(put(true));
	mc_stream_mark(s, 7, 1);
	mc_stream_mark(s, 7, 2);
	put(true);
	mc_stream_mark(s, 7, 0);
	put(true);
	CHECK(put(false));
	CHECK(!put(false));
	put(true);
	ITEMS("sssAA12A0IsssA");
	mc_stream_mark(s, 8, 3); /* in the fade: not sent */
	mc_stream_cut(s);
	put(false);
	mc_stream_cut(s); /* nothing was sent since */
	put(false);
	put(true);
	mc_stream_cut(s); /* and something goes on under it */
	put(true);
	put(true);
	ITEMS("FIsssAFsssAA");
}

static void test_always(void)
{
	make_out(1000, 40, true);
	put(false);
	put(true);
	put(false);
	mc_stream_cut(s);
	put(false);
	ITEMS("ssAAAFssA");
}

static void test_nobody_pulls(void)
{
	struct mc_media_item item;
	uint8_t buf[MC_MEDIA_MAX];
	make_out(200, 0, false);
	int kept = 0, dropped = 0;
	for (int i = 0; i < 100; i++) {
		put(true);
		kept += (int)did.frames;
		dropped += (int)did.lost;
	}
	CHECK_EQ(kept, 10);
	CHECK_EQ(dropped, 90);
	for (uint32_t i = 0; i < 1000; i++) {
		mc_stream_mark(s, i, 1);
		put(false);
	}
	mc_stream_cut(s);
	put(false);
	int n = 0, last = 0;
	while (mc_stream_pull(s, &item, buf)) {
		n++;
		last = (int)item.kind;
	}
	CHECK(n > 50);
	CHECK_EQ(last, MC_MEDIA_FLUSH);
	/* Not even room for the flush: it waits, and nothing new goes before it. */
	put(true);
	for (uint32_t i = 0; i < 1000; i++) {
		mc_stream_mark(s, i, 1);
		put(i % 2);
	}
	mc_stream_cut(s);
	put(true);
	CHECK_EQ(did.lost, 1);
	items();
	put(true);
	const char *after = items();
	CHECK(after[0] == 'F' && after[1] == 'A' && !after[2]);
}

static void test_configurations(void)
{
	struct mc_stream_cfg cfg = {
		.codec = mc_codec_find("PCMU", 8000), .srate = 8000, .queue_ms = 2000, .behind = 1};
	CHECK(mc_stream_size(&cfg) > 0 && mc_stream_size(&cfg) < 48 * 1024);
	cfg.ahead_ms = 30;
	CHECK_EQ(mc_stream_size(&cfg), 0);
	CHECK_EQ(mc_stream_init(&s, memory, sizeof(memory), &cfg), MC_EINVAL);
	cfg.ahead_ms = MC_STREAM_AHEAD_MAX_MS + 20;
	CHECK_EQ(mc_stream_size(&cfg), 0);
	cfg.ahead_ms = 0;
	cfg.queue_ms = MC_STREAM_QUEUE_MAX_MS + 20;
	CHECK_EQ(mc_stream_size(&cfg), 0);
}

/* ------------------------------------------------------------------ the leg */

static struct mc_engine *engine;
static mc_handle leg;

static void open_leg(const char *codec, uint32_t srate, uint32_t ahead_ms)
{
	struct mc_engine_cfg engine_cfg = {.max_legs = 4};
	struct mc_leg_cfg cfg = {
		.codec = codec,
		.srate = srate,
		.payload_type = 255,
		.fd = -1,
		.rtcp_fd = -1,
		.rtcp = MC_RTCP_MUX,
		.taps = MC_TAP_RX,
		.vad_threshold_q15 = -1,
		.stream = true,
		.ahead_ms = ahead_ms,
	};
	CHECK_EQ(mc_engine_create(&engine, &engine_cfg), 0);
	CHECK_EQ(mc_leg_open(engine, &cfg, &leg), 0);
	now_us = 5;
	cfg.ptime_ms = 40;
	mc_handle none;
	CHECK_EQ(mc_leg_open(engine, &cfg, &none), MC_EINVAL);
	cfg.ptime_ms = 0;
	cfg.fd = mc_udp_open("127.0.0.1", 0, NULL);
	CHECK(cfg.fd >= 0);
	CHECK_EQ(mc_leg_open(engine, &cfg, &none), MC_EINVAL);
}

static void tick(void)
{
	mc_engine_tick(engine, now_us);
	now_us += TICK_US;
}

static bool is_silence(const uint8_t *payload, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (payload[i] != 0xFF)
			return false;
	return true;
}

static const char *pulled(void)
{
	static char text[1024];
	struct mc_media_item item;
	uint8_t buf[MC_MEDIA_MAX];
	size_t n = 0;
	while (mc_leg_pull_media(engine, leg, &item, buf) == MC_OK && n < sizeof(text) - 1)
		text[n++] = item.kind == MC_MEDIA_AUDIO   ? (is_silence(buf, item.n) ? 's' : 'A')
			    : item.kind == MC_MEDIA_MARK  ? (char)('0' + item.mark)
			    : item.kind == MC_MEDIA_FLUSH ? 'F'
							  : 'I';
	text[n] = 0;
	return text;
}

#define PULLED(want)                                                                               \
	do {                                                                                       \
		const char *got_ = pulled();                                                       \
		if (strcmp(got_, want)) {                                                          \
			fprintf(stderr, "%d: got %s want %s\n", __LINE__, got_, want);             \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static void say(uint64_t utterance, mc_generation generation, int frames)
{
	int16_t pcm[PIECE];
	for (int i = 0; i < PIECE; i++)
		pcm[i] = (int16_t)(8000 + 37 * i);
	CHECK_EQ(mc_leg_say_begin(engine, leg, utterance, generation), 0);
	for (int i = 0; i < frames; i++)
		CHECK_EQ(mc_leg_say(engine, leg, pcm, PIECE), PIECE);
	CHECK_EQ(mc_leg_mark(engine, leg, 1, 100), 0);
	CHECK_EQ(mc_leg_mark(engine, leg, 2, PIECE), 0);
	CHECK_EQ(mc_leg_say_end(engine, leg), 0);
}

static void test_speech_marks_and_the_end(void)
{
	open_leg("PCMU", 8000, 40);
	tick();
	PULLED("");
	say(1, 0, 3);
	for (int i = 0; i < 5; i++)
		tick();
	PULLED("ssA12AA0I");
	CHECK_EQ(mc_leg_send_digits(engine, leg, "5", 60, 60), 0);
	for (int i = 0; i < 10; i++)
		tick();
	const char *digits = pulled();
	CHECK(!strncmp(digits, "ssAAA", 5));
	CHECK_EQ(digits[strlen(digits) - 1], 'I');
	mc_engine_destroy(engine);
}

static void test_a_cut_flushes_and_a_pause_does_not(void)
{
	open_leg("PCMU", 8000, 0);
	say(1, 0, 40);
	tick();
	tick();
	CHECK_EQ(mc_leg_pause(engine, leg), 0);
	tick();
	tick();
	const char *got = pulled();
	CHECK(got[0] == 'A' && got[1] == '1' && got[2] == '2' && got[3] == 'A');
	CHECK_EQ(got[strlen(got) - 1], 'I');
	CHECK(!strchr(got, 'F'));
	CHECK_EQ(mc_leg_resume(engine, leg, false), 0);
	tick();
	PULLED("A");
	CHECK_EQ(mc_leg_cut(engine, leg, 0), 0);
	tick();
	tick();
	PULLED("FI");
	mc_engine_destroy(engine);
}

/* The frame in which speech is recognised is the frame that flushes. */
static void test_barge_in_flushes_inside_the_frame(void)
{
	struct mc_engine_cfg engine_cfg = {.max_legs = 4};
	struct mc_leg_cfg cfg = {.codec = "L16LE", .srate = 8000, .fd = -1, .stream = true};
	struct mc_barge_in policy = {.action = MC_BARGE_CUT};
	struct mc_event events[32];
	CHECK_EQ(mc_engine_create(&engine, &engine_cfg), 0);
	CHECK_EQ(mc_leg_open(engine, &cfg, &leg), 0);
	CHECK_EQ(mc_leg_arm(engine, leg, &policy), 0);
	now_us = 0;
	say(1, 0, 60);
	bool cut = false;
	for (int i = 0; i < 60 && !cut; i++) {
		int16_t pcm[PIECE];
		struct mc_media_stamp stamp = {0};
		for (int k = 0; k < PIECE; k++) {
			double t = (i * PIECE + k) / 8000.0, sum = 0;
			for (int h = 1; h < 20; h++)
				sum += exp(-pow((130.0 * h - 600) / 400, 2)) *
				       sin(2 * 3.14159265 * 130 * h * t);
			pcm[k] = (int16_t)(i < 20 ? 0 : 2500 * sum * (0.6 + 0.4 * sin(31.4 * t)));
		}
		CHECK_EQ(mc_leg_push_media(engine, leg, (uint8_t *)pcm, sizeof(pcm), &stamp), 0);
		tick();
		size_t n = mc_engine_poll(engine, events, 32);
		for (size_t k = 0; k < n; k++)
			cut = cut || events[k].kind == MC_EV_PLAYOUT_CUT;
		const char *got = pulled();
		CHECK_EQ(strchr(got, 'F') != NULL, cut);
		if (cut)
			CHECK(!strcmp(got, "FI"));
	}
	CHECK(cut);
	mc_engine_destroy(engine);
}

static void test_what_is_pushed_is_heard(void)
{
	const struct {
		const char *codec;
		uint32_t srate;
		size_t message;           /* bytes */
		uint32_t messages, every; /* ticks */
	} rows[] = {
		{"L16LE", 8000, 320, 50, 1},   {"L16LE", 16000, 640, 50, 1},
		{"L16LE", 24000, 960, 50, 1},  {"L16", 48000, 1920, 50, 1},
		{"L16LE", 8000, 1600, 10, 5},  {"L16LE", 16000, 6400, 5, 10},
		{"L16LE", 8000, 16000, 1, 50},
	};
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		static int16_t in[48000], heard[48000 * 3];
		static uint8_t wire[96000];
		size_t total = rows[r].srate, n = 0, sent = 0;
		struct mc_media_stamp stamp = {0};
		struct mc_leg_stats stats;
		uint64_t at;
		test_sine(in, total, 400, rows[r].srate, 8000);
		for (size_t i = 0; i < total; i++) {
			bool big = !strcmp(rows[r].codec, "L16");
			wire[2 * i + big] = (uint8_t)in[i];
			wire[2 * i + !big] = (uint8_t)((uint16_t)in[i] >> 8);
		}
		open_leg(rows[r].codec, rows[r].srate, 0);
		for (uint32_t i = 0; i < 80; i++) {
			if (i % rows[r].every == 0 && sent < 2 * total) {
				CHECK_EQ(mc_leg_push_media(engine, leg, wire + sent,
							   rows[r].message, &stamp),
					 0);
				sent += rows[r].message;
			}
			tick();
			n += mc_leg_read_tap(engine, leg, MC_TAP_RX, heard + n, total, &at);
		}
		CHECK_EQ(sent, 2 * total);
		/* A second of the tone without a hole; what follows is comfort noise like it. */
		size_t win = rows[r].srate / 100, first = 0, loud = 0;
		while (first + win <= n && test_rms(heard + first, win) < 4000)
			first += win;
		CHECK(first < rows[r].srate / 5);
		while (loud < 95 && test_rms(heard + first + loud * win, win) > 4000)
			loud++;
		CHECK_EQ(loud, 95);
		CHECK_EQ(mc_leg_stats(engine, leg, &stats), 0);
		CHECK_EQ(stats.rx_bytes, 2 * total);
		CHECK_EQ(stats.stream_dropped_samples, 0);
		CHECK_EQ(stats.rx_overflow, 0);
		CHECK(stats.rx_concealed_samples <= rows[r].srate / 4); /* after the end */
		mc_engine_destroy(engine);
	}
}

static void test_the_descriptor(void)
{
	open_leg("PCMU", 8000, 0);
	CHECK(mc_engine_stream_fd(engine) >= 0);
	CHECK(mc_engine_stream_fd(engine) != mc_engine_event_fd(engine));
	struct mc_media_item item;
	struct mc_media_stamp stamp = {0};
	uint8_t buf[MC_MEDIA_MAX];
	CHECK_EQ(mc_leg_pull_media(engine, leg, &item, buf), MC_EAGAIN);
	CHECK_EQ(mc_leg_pull_packet(engine, leg, buf, sizeof(buf)), MC_ENOENT);
	CHECK_EQ(mc_leg_push_media(engine, leg + 1, buf, 1, &stamp), MC_ENOENT);
	CHECK_EQ(mc_leg_push_media(engine, leg, buf, (size_t)INT32_MAX + 1, &stamp), MC_EINVAL);
	struct mc_leg_cfg rtp = {.codec = "PCMU", .payload_type = 255, .fd = -1};
	mc_handle other;
	CHECK_EQ(mc_leg_open(engine, &rtp, &other), 0);
	CHECK_EQ(mc_leg_push_media(engine, other, buf, 1, &stamp), MC_ESTATE);
	CHECK_EQ(mc_leg_pull_media(engine, other, &item, buf), MC_ESTATE);
	mc_engine_destroy(engine);
}

static _Atomic int ticked, stop;

static void *tick_on(void *arg)
{
	(void)arg;
	for (int i = 0; !stop; i++) {
		mc_engine_tick(engine, (uint64_t)i * TICK_US);
		ticked = i + 1;
	}
	return NULL;
}

/* The media thread ticks while the control thread pushes, speaks, cuts and pulls. */
static void test_two_threads(void)
{
	struct mc_media_item item;
	struct mc_media_stamp stamp = {0};
	struct mc_event events[64];
	struct mc_leg_stats stats;
	uint8_t buf[MC_MEDIA_MAX] = {0};
	pthread_t thread;
	uint64_t pushed = 0, dropped = 0, utterance = 0;
	mc_generation generation = 0;
	open_leg("PCMU", 8000, 40);
	ticked = stop = 0;
	CHECK_EQ(pthread_create(&thread, NULL, tick_on, NULL), 0);
	for (int i = 0, since = 0; i < 5000; i++) {
		while (i % 50 == 0 && ticked == since)
			; /* so that neither is through before the other begins */
		since = ticked;
		int rc = mc_leg_push_media(engine, leg, buf, PIECE, &stamp);
		CHECK(rc >= 0);
		pushed += PIECE;
		dropped += (uint64_t)rc;
		if (i % 7 == 0 && mc_leg_say_begin(engine, leg, ++utterance, generation) == 0) {
			int16_t pcm[10 * PIECE] = {100};
			int rc_say = mc_leg_say(engine, leg, pcm, 10 * PIECE);
			CHECK(rc_say >= 0);
			if (rc_say > 300)
				(void)mc_leg_mark(engine, leg, 1, 300);
			while (mc_leg_say_end(engine, leg) == MC_EFULL)
				;
		}
		if (i % 31 == 0)
			(void)mc_leg_cut(engine, leg, generation);
		mc_engine_stream_clear(engine);
		while (mc_leg_pull_media(engine, leg, &item, buf) == MC_OK)
			CHECK_EQ(item.n, item.kind == MC_MEDIA_AUDIO ? PIECE : 0);
		for (size_t n; (n = mc_engine_poll(engine, events, 64)) > 0;)
			for (size_t k = 0; k < n; k++)
				if (events[k].kind == MC_EV_PLAYOUT_CUT)
					generation = events[k].next_generation;
	}
	stop = 1;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	now_us = (uint64_t)ticked * TICK_US;
	for (int i = 0; i < 200; i++)
		tick(); /* what was cut or not is through */
	pulled();
	say(utterance + 1, UINT32_MAX * UINT64_C(4096), 3);
	for (int i = 0; i < 5; i++)
		tick();
	PULLED("ssA12AA0I");
	CHECK_EQ(mc_leg_stats(engine, leg, &stats), 0);
	CHECK(stats.tx_packets >= 5 && stats.rx_packets > 0);
	CHECK(stats.stream_dropped_samples >= dropped);
	CHECK(stats.rx_bytes + stats.stream_dropped_samples <= pushed);
	mc_engine_destroy(engine);
}

int main(void)
{
	RUN(test_pieces_are_numbered);
	RUN(test_a_long_message_takes_its_time);
	RUN(test_odd_lengths_are_carried_over);
	RUN(test_the_end_of_what_does_not_fit_is_dropped);
	RUN(test_of_a_burst_the_newest_is_kept);
	RUN(test_numbers_put_messages_in_order);
	RUN(test_timestamps_tell_pauses);
	RUN(test_silence_of_the_sender_is_no_delay);
	RUN(test_every_codec);
	RUN(test_opus_packets_stay_whole);
	RUN(test_items_come_in_order);
	RUN(test_always);
	RUN(test_nobody_pulls);
	RUN(test_configurations);
	RUN(test_speech_marks_and_the_end);
	RUN(test_a_cut_flushes_and_a_pause_does_not);
	RUN(test_barge_in_flushes_inside_the_frame);
	RUN(test_what_is_pushed_is_heard);
	RUN(test_the_descriptor);
	RUN(test_two_threads);
	return 0;
}
