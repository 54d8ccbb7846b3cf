#include "mc_playout.h"
#include "mc_test.h"

/* A playout with 8 kHz frames of 160 samples; the test collects events and the wire. */
enum { N = 160, FADE = 40, EVENTS = 512, WIRE = 400000 };

static struct mc_playout *po;
static uint8_t mem[200000];
static struct mc_event events[EVENTS];
static size_t event_count;
static int16_t wire[WIRE];
static size_t wire_n;

static void take(void *ctx, const struct mc_event *event)
{
	(void)ctx;
	CHECK(event_count < EVENTS);
	events[event_count++] = *event;
}

static const struct mc_playout_sink sink = {.emit = take};

static void setup(void)
{
	struct mc_playout_cfg cfg = {.srate = 8000, .queue_ms = 1600};
	CHECK(mc_playout_size(&cfg) <= sizeof(mem));
	CHECK_EQ(mc_playout_init(&po, mem, sizeof(mem), &cfg), 0);
	event_count = 0;
	wire_n = 0;
}

static size_t tick(void)
{
	mc_playout_observe(po);
	size_t n = mc_playout_pull(po, wire + wire_n, N, wire_n, &sink);
	wire_n += N;
	return n;
}

/* Audio that says where it is: never zero, so that silence on the wire is not audio. */
static int16_t sample(size_t i)
{
	return (int16_t)(10000 + i % 5000);
}

static uint64_t begin(uint64_t utterance, mc_generation generation)
{
	uint64_t start = mc_playout_written(po);
	CHECK(mc_playout_reserve(po));
	mc_playout_begin(po, utterance, generation, start, &sink);
	return start;
}

static size_t feed(size_t from, size_t n)
{
	int16_t pcm[20000];
	for (size_t i = 0; i < n; i++)
		pcm[i] = sample(from + i);
	return mc_playout_write(po, pcm, n);
}

static uint64_t say(uint64_t utterance, mc_generation generation, size_t n)
{
	uint64_t start = begin(utterance, generation);
	CHECK_EQ(feed(0, n), n);
	mc_playout_end(po, mc_playout_written(po));
	return start;
}

static const struct mc_event *find(uint32_t kind)
{
	for (size_t i = 0; i < event_count; i++)
		if (events[i].kind == kind)
			return &events[i];
	return NULL;
}

static size_t audible(size_t from)
{
	size_t n = 0;
	for (size_t i = from; i < wire_n; i++)
		n += wire[i] != 0;
	return n;
}

static void test_plays_exactly(void)
{
	setup();
	say(1, 1, 1000);
	say(2, 1, 333);
	for (int i = 0; i < 12; i++)
		tick();
	for (size_t i = 0; i < 1000; i++)
		CHECK_EQ(wire[i], sample(i));
	for (size_t i = 0; i < 333; i++) /* no gap between utterances */
		CHECK_EQ(wire[1000 + i], sample(i));
	CHECK_EQ(audible(1333), 0);
	const struct mc_event *end = find(MC_EV_UTTERANCE_FINISHED);
	CHECK_EQ(end->position, 1000);
	CHECK_EQ(end->wire, 1000);
	CHECK_EQ(end->at, 1000);
	CHECK_EQ(mc_playout_stats(po)->played, 1333);
}

static void test_cut_is_inside_the_tick(void)
{
	setup();
	say(7, 3, 5000);
	for (int i = 0; i < 5; i++)
		tick();
	mc_playout_cut(po, 3, MC_CUT_BARGE_IN);
	tick();
	for (int i = 0; i < 5; i++)
		CHECK_EQ(tick(), 0);
	const struct mc_event *cut = find(MC_EV_PLAYOUT_CUT);
	CHECK_EQ(cut->utterance, 7);
	CHECK_EQ(cut->position, 5 * N + FADE);
	CHECK_EQ(cut->wire, audible(0));
	CHECK_EQ(cut->next_generation, (mc_generation)1 << 32);
	CHECK_EQ(cut->a, MC_CUT_BARGE_IN);
	CHECK_EQ(mc_playout_stats(po)->flushed, 5000 - cut->position);
	/* The fade falls smoothly: no step larger than that of a 5 ms raised cosine. */
	for (size_t i = 5 * N; i < 5 * N + FADE; i++)
		CHECK(abs(wire[i + 1] - wire[i]) < 1000);
}

static void test_stale_generation_is_refused(void)
{
	setup();
	say(1, 5, 2000);
	tick();
	mc_playout_cut(po, 5, MC_CUT_BARGE_IN);
	tick();
	size_t quiet = wire_n;
	say(2, 6, 2000); /* decided before the cut was known */
	for (int i = 0; i < 20; i++)
		tick();
	CHECK_EQ(audible(quiet), 0);
	CHECK_EQ(find(MC_EV_UTTERANCE_REFUSED)->utterance, 2);
	CHECK_EQ(mc_playout_stats(po)->stale_utterances, 1);
	CHECK_EQ(mc_playout_stats(po)->stale_samples, 2000);
	say(3, ((mc_generation)1 << 32) + 1, 480);
	for (int i = 0; i < 5; i++)
		tick();
	CHECK_EQ(audible(quiet), 480);
}

static void test_audio_after_the_cut_is_dropped(void)
{
	setup();
	begin(1, 1);
	feed(0, 3000);
	for (int i = 0; i < 4; i++)
		tick();
	mc_playout_cut(po, 1, MC_CUT_COMMAND);
	tick();
	size_t quiet = wire_n;
	feed(3000, 4000); /* the producer has not heard of the cut yet */
	tick();
	tick();
	mc_playout_end(po, mc_playout_written(po));
	say(2, (mc_generation)1 << 32, 320);
	for (int i = 0; i < 5; i++)
		tick();
	CHECK_EQ(audible(quiet), 320);
	CHECK_EQ(wire[quiet + N * 2], sample(0));
}

static void test_pause_resumes_at_the_sample(void)
{
	setup();
	say(1, 1, 4000);
	for (int i = 0; i < 3; i++)
		tick();
	mc_playout_pause(po);
	tick();
	CHECK(mc_playout_paused(po));
	size_t quiet = wire_n;
	for (int i = 0; i < 10; i++)
		tick();
	CHECK_EQ(audible(quiet), 0);
	mc_playout_resume(po, false);
	size_t again = wire_n;
	for (int i = 0; i < 30; i++)
		tick();
	CHECK_EQ(find(MC_EV_PLAYOUT_PAUSED)->position, 3 * N);
	CHECK_EQ(find(MC_EV_PLAYOUT_RESUMED)->position, 3 * N);
	for (size_t i = FADE; i < 4000 - 3 * N; i++) /* after the fade-in, sample for sample */
		CHECK_EQ(wire[again + i], sample(3 * N + i));
	const struct mc_event *end = find(MC_EV_UTTERANCE_FINISHED);
	CHECK_EQ(end->position, 4000);
	CHECK_EQ(end->wire, 4000 + FADE); /* the faded samples were sent twice */
	CHECK_EQ(audible(0), 4000 + FADE);
}

static void test_pause_then_cut(void)
{
	setup();
	say(1, 1, 4000);
	tick();
	mc_playout_pause(po);
	tick();
	tick();
	mc_playout_cut(po, 1, MC_CUT_BARGE_IN);
	tick();
	const struct mc_event *cut = find(MC_EV_PLAYOUT_CUT);
	CHECK_EQ(cut->position, N + FADE);
	CHECK_EQ(cut->wire, N + FADE);
	CHECK_EQ(audible(0), N + FADE);
	CHECK(!mc_playout_paused(po));
}

static void test_resume_from_mark(void)
{
	setup();
	uint64_t start = say(1, 1, 8000);
	mc_playout_mark(po, 1, start + 300);
	mc_playout_mark(po, 2, start + 1000);
	mc_playout_mark(po, 3, start + 1500);
	for (int i = 0; i < 7; i++) /* 1120 played: mark 2 is the last */
		tick();
	mc_playout_pause(po);
	tick();
	CHECK_EQ(mc_playout_last_mark(po), 2);
	mc_playout_resume(po, true);
	size_t again = wire_n;
	tick();
	tick();
	CHECK_EQ(find(MC_EV_PLAYOUT_RESUMED)->position, 1000);
	CHECK_EQ(wire[again + FADE + 10], sample(1000 + FADE + 10));
	size_t marks = 0;
	for (size_t i = 0; i < event_count; i++)
		marks += events[i].kind == MC_EV_MARK;
	CHECK_EQ(marks, 2); /* a replayed mark is not told twice */
}

static void test_underrun_is_counted_and_heals(void)
{
	setup();
	begin(1, 1);
	feed(0, 800);
	for (int i = 0; i < 20; i++)
		tick();
	CHECK_EQ(mc_playout_stats(po)->underruns, 1);
	const struct mc_event *dry = find(MC_EV_PLAYOUT_UNDERRUN);
	CHECK_EQ(dry->position, audible(0));
	feed(800, 1200);
	mc_playout_end(po, mc_playout_written(po));
	for (int i = 0; i < 20; i++)
		tick();
	CHECK_EQ(find(MC_EV_UTTERANCE_FINISHED)->position, 2000);
	CHECK_EQ(find(MC_EV_UTTERANCE_FINISHED)->wire, 2000);
	CHECK_EQ(audible(0), 2000);
}

static void test_asks_for_more(void)
{
	setup();
	begin(1, 1);
	size_t given = feed(0, 12800);
	CHECK_EQ(given, 12800);
	CHECK_EQ(mc_playout_room(po), 0);
	size_t lows = 0;
	for (int i = 0; i < 500; i++) {
		size_t before = event_count;
		tick();
		for (size_t k = before; k < event_count; k++)
			if (events[k].kind == MC_EV_PLAYOUT_LOW) {
				lows++;
				given += feed(given, mc_playout_room(po));
			}
		event_count = 0;
	}
	CHECK(lows > 20);
	CHECK_EQ(mc_playout_stats(po)->underruns, 0);
	for (size_t i = 0; i < wire_n; i++)
		CHECK_EQ(wire[i], sample(i));
}

static void test_duck_and_back(void)
{
	setup();
	say(1, 1, 8000);
	tick();
	mc_playout_duck(po, 12);
	tick();
	tick();
	CHECK(abs(wire[2 * N + 50] - sample(2 * N + 50) / 4) < 100);
	mc_playout_duck(po, 0);
	tick();
	tick();
	CHECK_EQ(wire[4 * N + 1], sample(4 * N + 1));
}

/* Random commands: the wire never has more than was given, nothing after a cut, exact counts. */
static void test_random_life(void)
{
	for (uint32_t seed = 1; seed <= 60; seed++) {
		uint32_t rng = seed;
		setup();
		uint64_t utterance = 0, given = 0;
		mc_generation known = 1;
		bool open = false;
		for (int i = 0; i < 2000; i++) {
			uint32_t dice = test_rand(&rng) % 100;
			mc_playout_observe(po);
			if (dice < 6 && !open && mc_playout_reserve(po)) {
				mc_playout_begin(po, ++utterance, known, mc_playout_written(po),
						 &sink);
				open = true;
			} else if (dice < 30 && open) {
				given += feed(given, test_rand(&rng) % 900);
			} else if (dice < 36 && open) {
				mc_playout_end(po, mc_playout_written(po));
				open = false;
			} else if (dice < 39) {
				mc_playout_pause(po);
			} else if (dice < 43) {
				mc_playout_resume(po, dice & 1);
			} else if (dice < 45) {
				mc_playout_cut(po, known, MC_CUT_COMMAND);
			} else if (dice < 47 && open) {
				mc_playout_mark(po, (uint32_t)i + 1, mc_playout_written(po));
			}
			size_t at = wire_n, n = mc_playout_pull(po, wire + at, N, at, &sink);
			wire_n += N;
			CHECK(n <= N);
			for (size_t k = 0; k < event_count; k++)
				if (events[k].kind == MC_EV_PLAYOUT_CUT) {
					CHECK(events[k].next_generation > known);
					known = events[k].next_generation;
					CHECK_EQ(audible(at + FADE), 0);
				}
			event_count = 0;
		}
		const struct mc_playout_stats *stats = mc_playout_stats(po);
		CHECK_EQ(audible(0), stats->wire);
		CHECK(stats->played <= stats->wire);
		CHECK(stats->played + stats->flushed <= given);
	}
}

int main(void)
{
	RUN(test_plays_exactly);
	RUN(test_cut_is_inside_the_tick);
	RUN(test_stale_generation_is_refused);
	RUN(test_audio_after_the_cut_is_dropped);
	RUN(test_pause_resumes_at_the_sample);
	RUN(test_pause_then_cut);
	RUN(test_resume_from_mark);
	RUN(test_underrun_is_counted_and_heals);
	RUN(test_asks_for_more);
	RUN(test_duck_and_back);
	RUN(test_random_life);
	return 0;
}
