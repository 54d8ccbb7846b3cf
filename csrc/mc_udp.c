#include "mc_udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mediacore.h"

enum { PORT_ATTEMPTS = 8 }; /* for a free port that somebody else took meanwhile */

static int parse_host(const char *host, uint16_t port, struct mc_udp_addr *out)
{
	memset(out, 0, sizeof(*out));
	struct sockaddr_in *in4 = (struct sockaddr_in *)&out->sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->sa;
	if (inet_pton(AF_INET, host, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(port);
		out->len = sizeof(*in4);
		return MC_OK;
	}
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		out->len = sizeof(*in6);
		return MC_OK;
	}
	return MC_EINVAL;
}

static uint16_t port_of(const struct mc_udp_addr *addr)
{
	return ntohs(addr->sa.any.sa_family == AF_INET
			     ? ((const struct sockaddr_in *)&addr->sa)->sin_port
			     : ((const struct sockaddr_in6 *)&addr->sa)->sin6_port);
}

/* A port that was free a moment ago, or 0. */
static uint16_t free_port(const struct mc_udp_addr *any)
{
	struct mc_udp_addr addr = *any;
	uint16_t port = 0;
	int fd = socket(addr.sa.any.sa_family, SOCK_DGRAM, 0);
	if (fd < 0)
		return 0;
	if (bind(fd, (struct sockaddr *)&addr.sa, addr.len) == 0 &&
	    getsockname(fd, (struct sockaddr *)&addr.sa, &addr.len) == 0)
		port = port_of(&addr);
	close(fd);
	return port;
}

static int open_at(const char *host, uint16_t port, uint16_t *bound_port);

/* Linux takes a port away from a socket on mc_udp_disconnect() unless it was bound by number, so a
 * free one is looked up first. */
int mc_udp_open(const char *host, uint16_t port, uint16_t *bound_port)
{
	struct mc_udp_addr any;
	int rc = parse_host(host, port, &any);
	if (rc < 0)
		return rc;
	if (port)
		return open_at(host, port, bound_port);
	for (int i = 0; i < PORT_ATTEMPTS; i++) {
		port = free_port(&any);
		if (!port)
			return MC_EIO;
		rc = open_at(host, port, bound_port);
		if (rc >= 0 || errno != EADDRINUSE)
			return rc;
	}
	return rc;
}

static int open_at(const char *host, uint16_t port, uint16_t *bound_port)
{
	struct mc_udp_addr addr;
	int rc = parse_host(host, port, &addr);
	if (rc < 0)
		return rc;

	int fd = socket(addr.sa.any.sa_family, SOCK_DGRAM, 0);
	if (fd < 0)
		return MC_EIO;
	rc = MC_EIO;
#ifdef SO_TIMESTAMPNS
	int on = 1; /* refused: arrival times are then those of the tick */
	(void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
#endif
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		goto fail;
	if (bind(fd, (struct sockaddr *)&addr.sa, addr.len) < 0)
		goto fail;
	if (getsockname(fd, (struct sockaddr *)&addr.sa, &addr.len) < 0)
		goto fail;
	if (bound_port)
		*bound_port = port_of(&addr);
	return fd;
fail:;
	int reason = errno;
	close(fd);
	errno = reason;
	return rc;
}

#ifdef __linux__

static uint64_t arrival_of(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct timespec ts;
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
	}
	return 0;
}

size_t mc_udp_receive(int fd, struct mc_udp_batch *batch, bool want_from)
{
	struct mmsghdr msgs[MC_UDP_BATCH];
	struct iovec iov[MC_UDP_BATCH];
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct timespec))];
	} control[MC_UDP_BATCH];

	for (size_t i = 0; i < MC_UDP_BATCH; i++) {
		struct mc_udp_packet *packet = &batch->packets[i];
		iov[i] = (struct iovec){.iov_base = packet->data, .iov_len = MC_PACKET_MAX};
		msgs[i] = (struct mmsghdr){.msg_hdr = {
						   .msg_iov = &iov[i],
						   .msg_iovlen = 1,
						   .msg_control = &control[i],
						   .msg_controllen = sizeof(control[i]),
					   }};
		if (want_from) {
			msgs[i].msg_hdr.msg_name = &packet->from.sa;
			msgs[i].msg_hdr.msg_namelen = sizeof(packet->from.sa);
		}
	}
	int got = recvmmsg(fd, msgs, MC_UDP_BATCH, MSG_DONTWAIT, NULL);
	if (got <= 0)
		return 0;
	for (size_t i = 0; i < (size_t)got; i++) {
		struct mc_udp_packet *packet = &batch->packets[i];
		packet->n = msgs[i].msg_len;
		packet->truncated = (msgs[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
		packet->arrival_unix_us = arrival_of(&msgs[i].msg_hdr);
		packet->from.len = want_from ? msgs[i].msg_hdr.msg_namelen : 0;
	}
	return (size_t)got;
}

#else

size_t mc_udp_receive(int fd, struct mc_udp_batch *batch, bool want_from)
{
	size_t got = 0;
	while (got < MC_UDP_BATCH) {
		struct mc_udp_packet *packet = &batch->packets[got];
		packet->from.len = sizeof(packet->from.sa);
		ssize_t n = recvfrom(fd, packet->data, MC_PACKET_MAX, MSG_DONTWAIT,
				     (struct sockaddr *)&packet->from.sa, &packet->from.len);
		if (n < 0)
			break;
		packet->n = (size_t)n;
		packet->truncated = false;
		packet->arrival_unix_us = 0;
		if (!want_from)
			packet->from.len = 0;
		got++;
	}
	return got;
}

#endif

int mc_udp_send(int fd, const uint8_t *data, size_t n, const struct mc_udp_addr *to)
{
	ssize_t sent =
		to ? sendto(fd, data, n, MSG_DONTWAIT, (const struct sockaddr *)&to->sa, to->len)
		   : send(fd, data, n, MSG_DONTWAIT);
	return sent == (ssize_t)n ? MC_OK : MC_EIO;
}

int mc_udp_connect(int fd, const struct mc_udp_addr *to)
{
	return connect(fd, (const struct sockaddr *)&to->sa, to->len) < 0 ? MC_EIO : MC_OK;
}

void mc_udp_disconnect(int fd)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	(void)connect(fd, &none, sizeof(none)); /* BSDs report an error and disconnect */
}

bool mc_udp_same(const struct mc_udp_addr *a, const struct mc_udp_addr *b)
{
	if (a->sa.any.sa_family != b->sa.any.sa_family)
		return false;
	if (a->sa.any.sa_family == AF_INET) {
		const struct sockaddr_in *x = (const struct sockaddr_in *)&a->sa;
		const struct sockaddr_in *y = (const struct sockaddr_in *)&b->sa;
		return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
	}
	const struct sockaddr_in6 *x = (const struct sockaddr_in6 *)&a->sa;
	const struct sockaddr_in6 *y = (const struct sockaddr_in6 *)&b->sa;
	return x->sin6_port == y->sin6_port && !memcmp(&x->sin6_addr, &y->sin6_addr, 16);
}

void mc_udp_close(int fd)
{
	if (fd >= 0)
		close(fd);
}
