#include "mc_ring.h"
#include "mc_test.h"

#include <pthread.h>

static void test_wraps_and_bounds(void)
{
	struct mc_ring ring;
	int16_t mem[7], in[16], out[16];
	for (int16_t i = 0; i < 16; i++)
		in[i] = i;
	mc_ring_init(&ring, mem, sizeof(int16_t), 7);
	CHECK_EQ(mc_ring_room(&ring), 7);
	CHECK_EQ(mc_ring_write(&ring, in, 5), 5);
	CHECK_EQ(mc_ring_read(&ring, out, 3), 3);
	CHECK_EQ(mc_ring_write(&ring, in + 5, 16), 5); /* full: takes what fits */
	CHECK_EQ(mc_ring_write(&ring, in, 1), 0);
	CHECK_EQ(mc_ring_read(&ring, out + 3, 16), 7);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(out[i], i);
	CHECK_EQ(mc_ring_read(&ring, out, 1), 0);
}

static void test_peek_keeps_history(void)
{
	struct mc_ring ring;
	uint32_t mem[8], in[8] = {10, 11, 12, 13, 14, 15, 16, 17}, out[8];
	mc_ring_init(&ring, mem, sizeof(uint32_t), 8);
	CHECK_EQ(mc_ring_write(&ring, in, 6), 6);
	mc_ring_peek(&ring, 4, out, 2);
	CHECK_EQ(out[0], 14);
	mc_ring_release(&ring, 3);
	mc_ring_release(&ring, 1); /* never goes back */
	CHECK_EQ(mc_ring_released(&ring), 3);
	CHECK_EQ(mc_ring_room(&ring), 5);
	mc_ring_peek(&ring, 3, out, 3);
	CHECK_EQ(out[0], 13);
}

enum { STRESS = 300000 };

static void *produce(void *arg)
{
	struct mc_ring *ring = arg;
	for (uint32_t i = 0; i < STRESS;)
		i += (uint32_t)mc_ring_write(ring, &i, 1);
	return NULL;
}

static void test_two_threads(void)
{
	struct mc_ring ring;
	uint32_t mem[64], out[32], want = 0;
	pthread_t thread;
	mc_ring_init(&ring, mem, sizeof(uint32_t), 64);
	CHECK_EQ(pthread_create(&thread, NULL, produce, &ring), 0);
	while (want < STRESS) {
		size_t n = mc_ring_read(&ring, out, 32);
		for (size_t i = 0; i < n; i++)
			CHECK_EQ(out[i], want++);
	}
	pthread_join(thread, NULL);
}

int main(void)
{
	RUN(test_wraps_and_bounds);
	RUN(test_peek_keeps_history);
	RUN(test_two_threads);
	return 0;
}
