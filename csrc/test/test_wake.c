/* The wake descriptor: readable from the first signal until it is cleared; never blocks. */
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "mc_test.h"
#include "mc_wake.h"

static int readable(const struct mc_wake *wake, int wait_ms)
{
	struct pollfd fd = {.fd = wake->read_fd, .events = POLLIN};
	return poll(&fd, 1, wait_ms) == 1 && fd.revents & POLLIN;
}

static void test_signal_and_clear(void)
{
	struct mc_wake wake;
	CHECK_EQ(mc_wake_open(&wake), 0);
	CHECK(!readable(&wake, 0));
	mc_wake_clear(&wake); /* nothing there: returns at once */
	for (int i = 0; i < 100000; i++)
		mc_wake_signal(&wake);
	CHECK(readable(&wake, 0) && readable(&wake, 0));
	mc_wake_clear(&wake);
	CHECK(!readable(&wake, 0));
	mc_wake_signal(&wake);
	CHECK(readable(&wake, 0));
	mc_wake_close(&wake);
}

static void *signal_it(void *arg)
{
	mc_wake_signal(arg);
	return NULL;
}

static void test_from_another_thread(void)
{
	struct mc_wake wake;
	pthread_t thread;
	CHECK_EQ(mc_wake_open(&wake), 0);
	CHECK_EQ(pthread_create(&thread, NULL, signal_it, &wake), 0);
	CHECK(readable(&wake, 10000));
	pthread_join(thread, NULL);
	mc_wake_close(&wake);
}

static void test_no_descriptor_left(void)
{
	struct mc_wake wake;
	CHECK_EQ(mc_wake_open(&wake), 0);
	int fd = wake.read_fd;
	mc_wake_close(&wake);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(mc_wake_open(&wake), 0);
		CHECK_EQ(wake.read_fd, fd);
		mc_wake_close(&wake);
	}
}

int main(void)
{
	RUN(test_signal_and_clear);
	RUN(test_from_another_thread);
	RUN(test_no_descriptor_left);
	return 0;
}
