/* The bare loop that figures are compared with: one UDP socket per call, every 20 ms recvmmsg and
 * one send on each. No audio work at all.
 *
 *   bare_udp pairs N TICKS    2N sockets joined in pairs, ticks back to back;
 *                             prints CPU nanoseconds per socket and tick: total user kernel
 *   bare_udp serve N TICKS    N sockets, paced; prints the ports, echoes each one's newest packet
 *                             to where it came from; prints the CPU seconds and the ticks that
 *                             began 20 ms late
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PACKET = 172, BATCH = 8, TICK_NS = 20000000, MAX_SOCKETS = 20000 };

struct call {
	int fd;
	int known; /* connected to its far end */
	uint8_t packet[PACKET];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static double seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static struct sockaddr_in open_call(struct call *call)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memset(call, 0, sizeof(*call));
	call->fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (call->fd < 0 || bind(call->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    getsockname(call->fd, (struct sockaddr *)&addr, &len) < 0 ||
	    fcntl(call->fd, F_SETFL, O_NONBLOCK) < 0)
		die("socket");
	return addr;
}

static void join(struct call *call, const struct sockaddr_in *to)
{
	if (connect(call->fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		die("connect");
	call->known = 1;
}

static void tick(struct call *calls, size_t n)
{
	static uint8_t bytes[BATCH][2048];
	static struct sockaddr_in from[BATCH];
	static struct iovec iov[BATCH];
	static struct mmsghdr msgs[BATCH];

	for (size_t i = 0; i < n; i++) {
		struct call *call = &calls[i];
		for (int k = 0; k < BATCH; k++) {
			iov[k] = (struct iovec){bytes[k], sizeof(bytes[k])};
			msgs[k].msg_hdr = (struct msghdr){
				.msg_iov = &iov[k],
				.msg_iovlen = 1,
				.msg_name = call->known ? NULL : &from[k],
				.msg_namelen = call->known ? 0 : sizeof(from[k]),
			};
		}
		int got = recvmmsg(call->fd, msgs, BATCH, 0, NULL);
		if (got > 0) {
			memcpy(call->packet, bytes[got - 1], PACKET);
			if (!call->known)
				join(call, &from[0]);
		}
		if (call->known && send(call->fd, call->packet, PACKET, 0) < 0 &&
		    errno != ECONNREFUSED && errno != EAGAIN)
			die("send");
	}
}

static void pairs(struct call *calls, size_t n, long ticks)
{
	for (size_t i = 0; i < n; i++) {
		struct sockaddr_in a = open_call(&calls[2 * i]);
		struct sockaddr_in b = open_call(&calls[2 * i + 1]);
		join(&calls[2 * i], &b);
		join(&calls[2 * i + 1], &a);
	}
	for (int i = 0; i < 50; i++)
		tick(calls, 2 * n);
	struct rusage before, after;
	getrusage(RUSAGE_SELF, &before);
	uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (long i = 0; i < ticks; i++)
		tick(calls, 2 * n);
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	getrusage(RUSAGE_SELF, &after);
	double user = seconds(after.ru_utime) - seconds(before.ru_utime);
	double kernel = seconds(after.ru_stime) - seconds(before.ru_stime);
	double each = (double)cpu / (double)ticks / (double)(2 * n);
	double part = user + kernel > 0 ? user / (user + kernel) : 0;
	printf("%.1f %.1f %.1f\n", each, each * part, each * (1 - part));
}

static void serve(struct call *calls, size_t n, long ticks)
{
	long late = 0;

	for (size_t i = 0; i < n; i++)
		printf("%d ", ntohs(open_call(&calls[i]).sin_port));
	printf("\n");
	fflush(stdout);
	uint64_t cpu = 0, due = clock_ns(CLOCK_MONOTONIC);
	for (long i = 0; i < ticks; i++) {
		struct timespec ts = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)};
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
			;
		late += clock_ns(CLOCK_MONOTONIC) - due >= TICK_NS;
		if (i == ticks / 4) /* the first quarter is for the far end to come up */
			cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		tick(calls, n);
		due += TICK_NS;
	}
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("%.6f %ld %ld\n", (double)cpu / 1e9, ticks - ticks / 4, late);
}

int main(int argc, char **argv)
{
	long n = argc == 4 ? atol(argv[2]) : 0, ticks = argc == 4 ? atol(argv[3]) : 0;

	if (n < 1 || n > MAX_SOCKETS / 2 || ticks < 4 || ticks > 1000000)
		return fprintf(stderr, "usage: bare_udp pairs|serve CALLS TICKS\n"), 2;
	struct call *calls = malloc(sizeof(*calls) * 2 * (size_t)n);
	if (!calls)
		die("malloc");
	if (!strcmp(argv[1], "pairs"))
		pairs(calls, (size_t)n, ticks);
	else
		serve(calls, (size_t)n, ticks);
	free(calls);
	return 0;
}
