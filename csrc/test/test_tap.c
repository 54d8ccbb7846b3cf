/* Taps: every element once, in order, at its position, whatever the reader's lateness. */
#include <pthread.h>
#include <sched.h>

#include "mc_tap.h"
#include "mc_test.h"

enum { CAP = 50 };

static void test_rows(void)
{
	/* write: elements given; read: elements wanted; then what comes. */
	static const struct {
		size_t write, read;
		uint64_t at;
		size_t got;
	} rows[] = {
		{10, 4, 0, 4},    {0, 100, 4, 6},    {50, 0, 10, 0}, /* full */
		{10, 0, 10, 0},                                      /* 60..69 are lost */
		{0, 30, 10, 30},  {10, 100, 40, 20},                 /* stops before the gap */
		{0, 100, 70, 10},                                    /* and goes on behind it */
		{60, 5, 80, 0},                                      /* never fits */
		{5, 100, 140, 5},
	};
	struct mc_tap_ring tap;
	uint32_t mem[CAP], buf[200], next = 0;
	mc_tap_init(&tap, mem, sizeof(*mem), CAP);
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		for (size_t i = 0; i < rows[r].write; i++)
			buf[i] = next++;
		if (rows[r].write)
			(void)mc_tap_write(&tap, buf, rows[r].write);
		uint64_t at = 0;
		size_t got = mc_tap_read(&tap, buf, rows[r].read, &at);
		CHECK_EQ(got, rows[r].got);
		if (got)
			CHECK_EQ(at, rows[r].at);
		for (size_t i = 0; i < got; i++)
			CHECK_EQ(buf[i], at + i);
	}
}

static void test_more_gaps_than_are_kept(void)
{
	struct mc_tap_ring tap;
	uint32_t mem[CAP], buf[CAP], next = 0, rng = 3;
	uint64_t expected = 0, at;
	mc_tap_init(&tap, mem, sizeof(*mem), CAP);
	for (int round = 0; round < 5000; round++) {
		for (uint32_t n = test_rand(&rng) % 9; n; n--) {
			size_t size = 1 + test_rand(&rng) % 20;
			for (size_t i = 0; i < size; i++)
				buf[i] = next + (uint32_t)i;
			size_t lost = mc_tap_write(&tap, buf, size);
			CHECK(lost == 0 || lost == size);
			next += (uint32_t)size;
		}
		size_t got = mc_tap_read(&tap, buf, test_rand(&rng) % 30, &at);
		for (size_t i = 0; i < got; i++)
			CHECK_EQ(buf[i], at + i); /* the element is the one of its position */
		if (got) {
			CHECK(at >= expected);
			expected = at + got;
		}
	}
	CHECK(tap.dropped > 1000);
}

enum { FRAMES = 20000, FRAME = 16 };

static struct mc_tap_ring shared;

static void *write_frames(void *arg)
{
	(void)arg;
	uint32_t frame[FRAME];
	for (uint32_t n = 0; n < FRAMES; n++) {
		for (uint32_t i = 0; i < FRAME; i++)
			frame[i] = n * FRAME + i;
		(void)mc_tap_write(&shared, frame, FRAME);
		if (n % 64 == 0)
			sched_yield();
	}
	return NULL;
}

static void test_two_threads(void)
{
	uint32_t mem[8 * FRAME], buf[100];
	uint64_t expected = 0, at = 0, read = 0;
	pthread_t writer;
	mc_tap_init(&shared, mem, sizeof(*mem), 8 * FRAME);
	CHECK_EQ(pthread_create(&writer, NULL, write_frames, NULL), 0);
	for (unsigned idle = 0; idle < 2000000 && expected < FRAMES * FRAME; idle++) {
		size_t got = mc_tap_read(&shared, buf, 100, &at);
		if (!got) {
			sched_yield();
			continue;
		}
		idle = 0;
		CHECK(at >= expected);
		for (size_t i = 0; i < got; i++)
			CHECK_EQ(buf[i], at + i);
		expected = at + got;
		read += got;
		if (expected > FRAMES * FRAME - 8 * FRAME)
			break;
	}
	pthread_join(writer, NULL);
	for (size_t got; (got = mc_tap_read(&shared, buf, 100, &at)) > 0; read += got)
		for (size_t i = 0; i < got; i++)
			CHECK_EQ(buf[i], at + i);
	CHECK_EQ(read + shared.dropped, FRAMES * FRAME);
}

int main(void)
{
	RUN(test_rows);
	RUN(test_more_gaps_than_are_kept);
	RUN(test_two_threads);
	return 0;
}
