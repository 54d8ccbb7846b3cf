/* The only file with a clock and a thread. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "mediacore.h"

enum { MAX_CATCH_UP = 5 }; /* ticks made up for in a row; beyond that time is given up */

enum counter {
	TICKS,
	SKIPPED,
	LATE_1MS,
	LATE_5MS,
	LATE_20MS,
	LATE_MAX,
	BUSY,
	BUSY_MAX,
	CPU,
	COUNTERS,
};

struct mc_pacer {
	struct mc_engine *engine;
	pthread_t thread;
	bool realtime;
	atomic_bool stop;
	_Atomic uint64_t counters[COUNTERS]; /* written by the media thread only */
};

static uint64_t clock_us(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

uint64_t mc_now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

static void sleep_until(uint64_t at_us)
{
#ifdef __linux__
	struct timespec ts = {.tv_sec = (time_t)(at_us / 1000000u),
			      .tv_nsec = (long)(at_us % 1000000u) * 1000};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
#else
	uint64_t now = mc_now_us();
	if (at_us <= now)
		return;
	uint64_t left = at_us - now;
	struct timespec ts = {.tv_sec = (time_t)(left / 1000000u),
			      .tv_nsec = (long)(left % 1000000u) * 1000};
	nanosleep(&ts, NULL);
#endif
}

static void count(struct mc_pacer *pacer, enum counter which, uint64_t by)
{
	uint64_t old = atomic_load_explicit(&pacer->counters[which], memory_order_relaxed);
	atomic_store_explicit(&pacer->counters[which], old + by, memory_order_relaxed);
}

static void keep_max(struct mc_pacer *pacer, enum counter which, uint64_t value)
{
	if (value > atomic_load_explicit(&pacer->counters[which], memory_order_relaxed))
		atomic_store_explicit(&pacer->counters[which], value, memory_order_relaxed);
}

static void *run(void *arg)
{
	struct mc_pacer *pacer = arg;
	uint64_t due = mc_now_us();

	while (!atomic_load_explicit(&pacer->stop, memory_order_relaxed)) {
		sleep_until(due);
		uint64_t begin = mc_now_us();
		uint64_t late = begin > due ? begin - due : 0;
		count(pacer, LATE_1MS, late >= 1000);
		count(pacer, LATE_5MS, late >= 5000);
		count(pacer, LATE_20MS, late >= MC_TICK_US);
		keep_max(pacer, LATE_MAX, late);

		mc_engine_tick(pacer->engine, begin);

		uint64_t end = mc_now_us(), busy = end - begin;
		count(pacer, TICKS, 1);
		count(pacer, BUSY, busy);
		keep_max(pacer, BUSY_MAX, busy);
#ifdef CLOCK_THREAD_CPUTIME_ID
		atomic_store_explicit(&pacer->counters[CPU], clock_us(CLOCK_THREAD_CPUTIME_ID),
				      memory_order_relaxed);
#endif
		due += MC_TICK_US;
		if (end > due + (uint64_t)MAX_CATCH_UP * MC_TICK_US) {
			uint64_t missed = (end - due) / MC_TICK_US;
			due += missed * MC_TICK_US;
			count(pacer, SKIPPED, missed);
		}
	}
	return NULL;
}

int mc_pacer_start(struct mc_pacer **out, struct mc_engine *engine, bool realtime)
{
	struct mc_pacer *pacer = calloc(1, sizeof(*pacer));
	if (!pacer)
		return MC_ENOMEM;
	pacer->engine = engine;
	if (pthread_create(&pacer->thread, NULL, run, pacer)) {
		free(pacer);
		return MC_EIO;
	}
	if (realtime) {
		struct sched_param param = {.sched_priority = 10};
		pacer->realtime = !pthread_setschedparam(pacer->thread, SCHED_FIFO, &param);
	}
	*out = pacer;
	return MC_OK;
}

void mc_pacer_stop(struct mc_pacer *pacer)
{
	atomic_store_explicit(&pacer->stop, true, memory_order_relaxed);
	pthread_join(pacer->thread, NULL);
	free(pacer);
}

void mc_pacer_stats(const struct mc_pacer *pacer, struct mc_pacer_stats *out)
{
	uint64_t c[COUNTERS];
	for (int i = 0; i < COUNTERS; i++)
		c[i] = atomic_load_explicit(&pacer->counters[i], memory_order_relaxed);
	*out = (struct mc_pacer_stats){
		.ticks = c[TICKS],
		.skipped = c[SKIPPED],
		.late_1ms = c[LATE_1MS],
		.late_5ms = c[LATE_5MS],
		.late_20ms = c[LATE_20MS],
		.late_max_us = c[LATE_MAX],
		.busy_us = c[BUSY],
		.busy_max_us = c[BUSY_MAX],
		.cpu_us = c[CPU],
	};
}

bool mc_pacer_is_realtime(const struct mc_pacer *pacer)
{
	return pacer->realtime;
}
