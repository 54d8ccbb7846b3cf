/* Allocation: none inside a tick, and every one that fails at set-up is told and leaks nothing.
 *
 *   our objects ── malloc ──► __wrap_malloc: counts, fails the n-th (linker option --wrap)
 *   libc, libopus ─ malloc ─► malloc below, or the sanitizer's hook: counts
 */
#include <pthread.h>
#include <stdbool.h>

#include "mc_codec.h"
#include "mc_test.h"
#include "mediacore.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void __wrap_free(void *p);

static bool watching; /* inside what must not allocate */
static _Thread_local bool this_thread;
static unsigned long touched; /* calls seen meanwhile */
static unsigned long ours;    /* of them, of our objects */
static long live;             /* allocations of our objects not freed */
static long fail_at = -1;     /* the n-th allocation from now on fails; -1 none does */

static void touch(void)
{
	if (watching && this_thread)
		touched++;
}

#ifdef SANITIZED
int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *, size_t),
					      void (*free_hook)(const volatile void *));

static void on_malloc(const volatile void *p, size_t n)
{
	(void)p;
	(void)n;
	touch();
}

static void on_free(const volatile void *p)
{
	(void)p;
	touch();
}

static void watch_libraries(void)
{
	CHECK(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0);
}
#elif defined(__GLIBC__)
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);
void __libc_free(void *p);

void *malloc(size_t n)
{
	touch();
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	touch();
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	touch();
	return __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
	touch();
	return __libc_memalign(align, n);
}

void free(void *p)
{
	touch();
	__libc_free(p);
}

static void watch_libraries(void)
{
}
#else
static void watch_libraries(void)
{
}
#endif

static void touch_ours(void)
{
	touch();
	ours += watching && this_thread;
}

static bool fails(void)
{
	touch_ours();
	return fail_at >= 0 && fail_at-- == 0;
}

static void *kept(void *p)
{
	live += p != NULL;
	return p;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : kept(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : kept(__real_calloc(n, size));
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
	return fails() ? NULL : kept(__real_aligned_alloc(align, n));
}

void *__wrap_realloc(void *p, size_t n)
{
	if (fails())
		return NULL;
	void *moved = __real_realloc(p, n);
	live += !p && moved;
	return moved;
}

void __wrap_free(void *p)
{
	touch_ours();
	live -= p != NULL;
	__real_free(p);
}

/* ------------------------------------------------------------------ no call */

enum { TICKS = 10000, SPEECH = 4800 };

struct pair {
	const char *codec;
	uint32_t srate;
	uint8_t pt;
	mc_handle agent, caller;
	uint64_t utterance, generation;
};

static struct pair pairs[] = {
	{.codec = "PCMU", .srate = 8000, .pt = 0},   {.codec = "PCMA", .srate = 8000, .pt = 8},
	{.codec = "G722", .srate = 16000, .pt = 9},  {.codec = "L16", .srate = 16000, .pt = 96},
	{.codec = "opus", .srate = 16000, .pt = 97},
};

enum { PAIRS = sizeof(pairs) / sizeof(pairs[0]) };

static struct mc_leg_cfg full_cfg(const struct pair *pair, uint64_t seed)
{
	return (struct mc_leg_cfg){
		.codec = pair->codec,
		.srate = pair->srate,
		.payload_type = pair->pt,
		.event_payload_type = 101,
		.seed = seed,
		.fd = -1,
		.rtcp = MC_RTCP_MUX,
		.taps = MC_TAP_RX | MC_TAP_RECORD | MC_TAP_NOTES,
		.media_lost_ms = 100,
		.media_first_ms = 100,
		.media_hold_ms = 100,
		.keepalive_ms = 100,
		/* its own, and others of its rate */
		.codecs = {pair->srate == 8000 ? "PCMU" : "G722",
			   pair->srate == 8000 ? "PCMA" : "L16", mc_opus_version() ? "opus" : NULL},
		.bed = true,
		.detect_dtmf = true,
		.detect_tones = 0xFFFFFFFF,
	};
}

/* Voiced like speech: 130 Hz with harmonics, wavering. */
static void voiced(int16_t *pcm, size_t n, uint32_t srate)
{
	for (size_t i = 0; i < n; i++) {
		double t = (double)i / srate, sum = 0;
		for (int h = 1; h < 20; h++)
			sum += exp(-pow((130.0 * h - 600) / 400, 2)) * sin(2 * M_PI * 130 * h * t);
		pcm[i] = (int16_t)(3000 * sum * (0.6 + 0.4 * sin(2 * M_PI * 5 * t)));
	}
}

static void move_packets(struct mc_engine *engine, mc_handle from, mc_handle to, uint32_t *rng)
{
	uint8_t data[MC_PACKET_MAX];
	for (int n; (n = mc_leg_pull_packet(engine, from, data, sizeof(data))) > 0;)
		if (test_rand(rng) % 20) /* some are lost: concealment works too */
			(void)mc_leg_push_packet(engine, to, data, (size_t)n);
}

/* What one stream link puts out the other takes, several frames at a time now and then. */
static void move_media(struct mc_engine *engine, mc_handle from, mc_handle to, uint32_t *rng)
{
	uint8_t data[MC_MEDIA_MAX], message[4 * 160];
	struct mc_media_item item;
	struct mc_media_stamp stamp = {0};
	size_t n = 0;
	if (test_rand(rng) % 3 == 0)
		return;
	while (mc_leg_pull_media(engine, from, &item, data) == MC_OK) {
		if (item.kind != MC_MEDIA_AUDIO || n + item.n > sizeof(message))
			continue;
		memcpy(message + n, data, item.n);
		n += item.n;
	}
	CHECK_EQ(mc_leg_push_media(engine, to, message, n, &stamp), 0);
}

static void drain(struct mc_engine *engine, mc_handle leg)
{
	int16_t pcm[4096];
	struct mc_note notes[64];
	uint64_t at;
	while (mc_leg_read_tap(engine, leg, MC_TAP_RX, pcm, 4096, &at))
		;
	while (mc_leg_read_tap(engine, leg, MC_TAP_RECORD, pcm, 2048, &at))
		;
	while (mc_leg_read_notes(engine, leg, notes, 64))
		;
}

static void speak(struct mc_engine *engine, struct pair *pair, mc_handle leg, const int16_t *pcm)
{
	if (mc_leg_say_begin(engine, leg, ++pair->utterance, pair->generation) < 0)
		return;
	CHECK(mc_leg_say(engine, leg, pcm, SPEECH) >= 0);
	CHECK_EQ(mc_leg_mark(engine, leg, 1, 1000), 0);
	CHECK_EQ(mc_leg_say_end(engine, leg), 0);
}

static void signal(struct mc_engine *engine, mc_handle leg, uint32_t srate, uint32_t what)
{
	static const char *const narrow[] = {"PCMU", "PCMA"}, *const wide[] = {"G722", "L16"};
	static const uint8_t ptimes[] = {10, 20, 30, 40};
	const char *codec = srate == 8000 ? narrow[what >> 4 & 1] : wide[what >> 4 & 1];
	struct mc_leg_target target = {
		.codec = codec,
		.payload_type = (int16_t)(strcmp(codec, "L16") ? -1 : 96),
		.tx_payload_type = -1,
		.event_payload_type = 101,
		.cn_payload_type = -1,
		.ptime_ms = ptimes[what >> 5 & 3],
	};
	CHECK_EQ(mc_leg_push_digit(engine, leg, '7', 100), 0);
	CHECK_EQ(mc_leg_direction(engine, leg, what & 128, what & 256), 0);
	CHECK_EQ(mc_leg_retarget(engine, leg, &target), 0);
}

static void command(struct mc_engine *engine, struct pair *pair, uint32_t what)
{
	struct mc_barge_in policy = {
		.action = (uint8_t)(what >> 8 & 3), .commit_ms = 300, .resume_ms = 400};
	switch (what & 7) {
	case 0:
		CHECK_EQ(mc_leg_pause(engine, pair->agent), 0);
		break;
	case 1:
		CHECK_EQ(mc_leg_resume(engine, pair->agent, what & 16), 0);
		break;
	case 2:
		CHECK_EQ(mc_leg_cut(engine, pair->agent, pair->generation), 0);
		break;
	case 3:
		CHECK_EQ(mc_leg_duck(engine, pair->agent, (uint8_t)(what >> 4 & 15)), 0);
		break;
	case 4:
		CHECK_EQ(mc_leg_send_digits(engine, pair->caller, "5#", 80, 80), 0);
		break;
	case 5:
		CHECK_EQ(mc_leg_hold(engine, pair->agent, what & 16), 0);
		CHECK_EQ(mc_leg_limit(engine, pair->agent, what & 32 ? 1000000 : 0), 0);
		break;
	case 6:
		CHECK_EQ(mc_leg_bed_gain(engine, pair->agent, -(float)(what >> 4 & 31)), 0);
		if (what & 1024)
			CHECK_EQ(mc_leg_bed_stop(engine, pair->agent), 0);
		break;
	default:
		CHECK_EQ(mc_leg_arm(engine, pair->agent, &policy), 0);
		break;
	}
}

static void test_no_call_in_ten_thousand_ticks(void)
{
	static int16_t pcm[SPEECH];
	struct mc_engine_cfg cfg = {.max_legs = 16, .max_bridges = 2};
	struct mc_engine *engine;
	struct mc_event events[256];
	mc_handle bridge, tap, stream[2];
	uint32_t rng = 1;
	uint64_t now_us = 0, seen = 0;
	struct mc_leg_stats stats;
	size_t n = mc_opus_load(NULL) < 0 ? PAIRS - 1 : PAIRS;

	if (n < PAIRS)
		printf("  (no libopus here)\n");
	CHECK_EQ(mc_engine_create(&engine, &cfg), 0);
	CHECK_EQ(mc_bridge_open(engine, 16000, &bridge), 0);
	for (size_t i = 0; i < n; i++) {
		struct mc_leg_cfg leg = full_cfg(&pairs[i], i + 1);
		CHECK_EQ(mc_leg_open(engine, &leg, &pairs[i].agent), 0);
		CHECK_EQ(mc_leg_open(engine, &leg, &pairs[i].caller), 0);
		CHECK_EQ(mc_bridge_join(engine, bridge, pairs[i].agent), 0);
	}
	struct mc_leg_cfg tap_cfg = full_cfg(&pairs[0], 99);
	CHECK_EQ(mc_leg_open(engine, &tap_cfg, &tap), 0);
	CHECK_EQ(mc_leg_fork(engine, tap, pairs[2].agent, MC_FORK_RX | MC_FORK_TX), 0);
	struct mc_leg_cfg stream_cfg = full_cfg(&pairs[0], 98);
	stream_cfg.stream = true;
	stream_cfg.ahead_ms = 100;
	CHECK_EQ(mc_leg_open(engine, &stream_cfg, &stream[0]), 0);
	CHECK_EQ(mc_leg_open(engine, &stream_cfg, &stream[1]), 0);
	for (int tick = 0; tick < TICKS; tick++, now_us += MC_TICK_US) {
		this_thread = watching = true;
		mc_engine_tick(engine, now_us);
		for (size_t i = 0; i < n; i++) {
			move_packets(engine, pairs[i].agent, pairs[i].caller, &rng);
			move_packets(engine, pairs[i].caller, pairs[i].agent, &rng);
		}
		mc_engine_stream_clear(engine);
		move_media(engine, stream[0], stream[1], &rng);
		if (tick % 40 == 0) {
			struct pair both = {.utterance = (uint64_t)tick, .generation = UINT32_MAX};
			voiced(pcm, SPEECH, 8000);
			speak(engine, &both, stream[0], pcm);
		}
		if (tick % 170 == 0)
			CHECK_EQ(mc_leg_cut(engine, stream[0], UINT32_MAX - 1), 0);
		for (size_t got; (got = mc_engine_poll(engine, events, 256)) > 0;)
			for (size_t k = 0; k < got; k++) {
				seen |= UINT64_C(1) << events[k].kind;
				for (size_t i = 0; i < n; i++)
					if (events[k].kind == MC_EV_PLAYOUT_CUT &&
					    events[k].leg == pairs[i].agent)
						pairs[i].generation = events[k].next_generation;
			}
		struct pair *pair = &pairs[test_rand(&rng) % n];
		if (tick % 40 == 0) {
			pair->generation++;
			voiced(pcm, SPEECH, pair->srate);
			speak(engine, pair, pair->agent, pcm);
		}
		if (tick % 70 == 0) {
			uint64_t generation = pair->generation;
			pair->generation = UINT32_MAX; /* never stale: the caller's own leg */
			speak(engine, pair, pair->caller, pcm);
			pair->generation = generation;
		}
		if (tick % 50 == 0)
			CHECK(mc_leg_bed(engine, pair->agent, pcm, SPEECH) >= 0);
		if (tick % 97 == 0) {
			uint32_t what = test_rand(&rng);
			signal(engine, pair->agent, pair->srate, what);
			signal(engine, pair->caller, pair->srate, what);
		}
		if (tick % 97 == 30) { /* both ways again */
			CHECK_EQ(mc_leg_direction(engine, pair->agent, true, true), 0);
			CHECK_EQ(mc_leg_direction(engine, pair->caller, true, true), 0);
		}
		if (tick % 13 == 0)
			command(engine, pair, test_rand(&rng));
		drain(engine, pair->agent);
		drain(engine, pair->caller);
		watching = false;
		CHECK_EQ(touched, 0);
	}
	const unsigned kinds[] = {
		MC_EV_SPEECH_STARTED,    MC_EV_SPEECH_ENDED,   MC_EV_PLAYOUT_STARTED,
		MC_EV_PLAYOUT_DUCKED,    MC_EV_PLAYOUT_PAUSED, MC_EV_PLAYOUT_RESUMED,
		MC_EV_PLAYOUT_CUT,       MC_EV_MARK,           MC_EV_UTTERANCE_FINISHED,
		MC_EV_UTTERANCE_REFUSED, MC_EV_DIGIT,          MC_EV_TAP_READY,
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!(seen >> kinds[i] & 1)) {
			fprintf(stderr, "event %u never came\n", kinds[i]);
			exit(1);
		}
	CHECK_EQ(mc_leg_stats(engine, stream[1], &stats), 0);
	CHECK(stats.rx_packets > 5000 && stats.speech_starts > 4);
	for (size_t i = 0; i < n; i++) {
		CHECK_EQ(mc_leg_stats(engine, pairs[i].agent, &stats), 0);
		CHECK(stats.rx_packets > 5000 && stats.rx_concealed_samples > 0);
		CHECK(stats.rtcp_packets > 10 && stats.wire_samples > 10000);
		CHECK(stats.played_samples + stats.flushed_samples <= stats.queued_samples);
	}
	mc_engine_destroy(engine);
	CHECK_EQ(live, 0);
}

/* What libsrtp2 does inside is its own: built on OpenSSL or NSS it allocates for each packet, on
 * its own ciphers it does not. It is told here; the core adds nothing to it. */
static void test_no_call_of_ours_under_srtp(void)
{
	static const uint8_t key[44] = {1, 2,
					3}; /* one for both ways: each leg's peer has it too */
	const struct mc_srtp_keys suites[] = {
		{"AES_CM_128_HMAC_SHA1_80", key, key, 30},
		{"AEAD_AES_256_GCM", key, key, 44},
	};
	struct mc_engine_cfg cfg = {.max_legs = 2};
	if (mc_srtp_load(NULL) < 0) {
		printf("  (no libsrtp2 here)\n");
		return;
	}
	for (size_t s = 0; s < 2; s++) {
		struct mc_engine *engine;
		struct mc_leg_stats stats;
		mc_handle a, b;
		uint32_t rng = 1;
		CHECK_EQ(mc_engine_create(&engine, &cfg), 0);
		struct mc_leg_cfg leg = full_cfg(&pairs[0], 1);
		leg.srtp = &suites[s];
		int rc = mc_leg_open(engine, &leg, &a);
		if (rc == MC_ENOTSUP) {
			mc_engine_destroy(engine);
			continue;
		}
		CHECK_EQ(rc, 0);
		leg.seed = 2;
		CHECK_EQ(mc_leg_open(engine, &leg, &b), 0);
		touched = ours = 0;
		for (int tick = 0; tick < 1000; tick++) {
			this_thread = watching = true;
			mc_engine_tick(engine, (uint64_t)tick * MC_TICK_US);
			move_packets(engine, a, b, &rng);
			move_packets(engine, b, a, &rng);
			watching = false;
			drain(engine, a);
			drain(engine, b);
		}
		CHECK_EQ(ours, 0);
		CHECK_EQ(mc_leg_stats(engine, b, &stats), 0);
		CHECK(stats.rx_packets > 900 && stats.rx_unauthentic == 0);
		printf("  (%s: %s allocates and frees %.1f times per packet)\n", suites[s].suite,
		       mc_srtp_version(), (double)touched / 3900);
		touched = ours = 0;
		mc_engine_destroy(engine);
	}
	CHECK_EQ(live, 0);
}

/* -------------------------------------------------------------- the n-th fails */

/* Everything that allocates, once. return the first error. */
static int set_up(void)
{
	struct mc_engine_cfg cfg = {.max_legs = 4, .max_bridges = 2};
	struct mc_engine *engine = NULL;
	struct mc_pacer *pacer = NULL;
	mc_handle leg[2], bridge;
	struct mc_leg_cfg narrow = full_cfg(&pairs[0], 1), wide = full_cfg(&pairs[3], 2);

	int rc = mc_engine_create(&engine, &cfg);
	if (rc < 0)
		return rc;
	rc = mc_leg_open(engine, &narrow, &leg[0]);
	if (rc < 0)
		goto out;
	wide.fd = mc_udp_open("127.0.0.1", 0, NULL); /* closed by the leg, or by its failure */
	CHECK(wide.fd >= 0);
	rc = mc_leg_open(engine, &wide, &leg[1]);
	if (rc < 0)
		goto out;
	rc = mc_bridge_open(engine, 8000, &bridge);
	if (rc < 0)
		goto out;
	rc = mc_bridge_join(engine, bridge, leg[0]);
	if (rc < 0)
		goto out;
	mc_engine_tick(engine, 0);
	rc = mc_bridge_join(engine, bridge, leg[1]); /* with resamplers */
	if (rc < 0)
		goto out;
	rc = mc_leg_fork(engine, leg[1], leg[0], MC_FORK_RX); /* with a resampler */
	if (rc < 0)
		goto out;
	rc = mc_pacer_start(&pacer, engine, false);
	if (rc == MC_OK)
		mc_pacer_stop(pacer);
out:
	mc_engine_destroy(engine);
	return rc;
}

static void test_every_failing_allocation_is_told(void)
{
	int fd = mc_udp_open("127.0.0.1", 0, NULL);
	long n = 0;

	CHECK(fd >= 0);
	for (;; n++) {
		fail_at = n;
		int rc = set_up();
		bool none_failed = fail_at >= 0;
		fail_at = -1;
		CHECK_EQ(live, 0);
		if (none_failed) {
			CHECK_EQ(rc, MC_OK);
			break;
		}
		CHECK_EQ(rc, MC_ENOMEM);
	}
	CHECK(n >= 16);
	/* No socket was left open either: the next one has the lowest free number. */
	int next = mc_udp_open("127.0.0.1", 0, NULL);
	CHECK_EQ(next, fd + 1);
	printf("  %ld allocations\n", n);
}

/* Joins and leaves without a poll: what the tick gives back is collected all the same. */
static void test_garbage_is_bounded_without_polling(void)
{
	struct mc_engine_cfg cfg = {.max_legs = 2, .max_bridges = 1, .command_slots = 16};
	struct mc_leg_cfg leg_cfg = full_cfg(&pairs[0], 1);
	struct mc_engine *engine;
	mc_handle leg, tap, bridge;

	CHECK_EQ(mc_engine_create(&engine, &cfg), 0);
	CHECK_EQ(mc_leg_open(engine, &leg_cfg, &leg), 0);
	CHECK_EQ(mc_leg_open(engine, &leg_cfg, &tap), 0);
	long before = live;
	for (uint64_t i = 0; i < 500; i++) {
		CHECK_EQ(mc_bridge_open(engine, 16000, &bridge), 0);
		CHECK_EQ(mc_bridge_join(engine, bridge, leg), 0);
		CHECK_EQ(mc_bridge_leave(engine, bridge, leg), 0);
		CHECK_EQ(mc_bridge_close(engine, bridge), 0);
		CHECK_EQ(mc_leg_fork(engine, tap, leg, MC_FORK_TX), 0);
		CHECK_EQ(mc_leg_unfork(engine, tap), 0);
		mc_engine_tick(engine, i * MC_TICK_US);
		CHECK(live <= before + 3);
	}
	mc_engine_destroy(engine);
	CHECK_EQ(live, 0);
}

static void test_the_watch_sees_calls(void)
{
	struct mc_engine_cfg cfg = {.max_legs = 1};
	struct mc_engine *engine;

	this_thread = watching = true;
	char *volatile foreign = strdup("allocated inside libc");
	CHECK(touched >= 1);
	touched = 0;
	CHECK_EQ(mc_engine_create(&engine, &cfg), 0);
	watching = false;
	CHECK(touched >= 5 && live >= 5);
	mc_engine_destroy(engine);
	CHECK_EQ(live, 0);
	free(foreign);
	live = 0; /* the string was counted on its way out only, if at all */
	touched = 0;
}

int main(void)
{
	watch_libraries();
	RUN(test_the_watch_sees_calls);
	RUN(test_no_call_in_ten_thousand_ticks);
	RUN(test_no_call_of_ours_under_srtp);
	RUN(test_every_failing_allocation_is_told);
	RUN(test_garbage_is_bounded_without_polling);
	return 0;
}
