/* mc_udp: the only file with sockets. Batched, non-blocking UDP for the tick.
 *
 * A batch is shared by all legs of an engine: receive, use, receive again. Datagrams longer than
 * MC_PACKET_MAX are reported with their length and truncated data, so that they can be counted.
 */
#ifndef MC_UDP_H
#define MC_UDP_H

#include <netinet/in.h>
#include <stdbool.h>

#include "mc_types.h"

enum { MC_UDP_BATCH = 16 };

struct mc_udp_addr {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa;
	socklen_t len; /* 0: none */
};

struct mc_udp_packet {
	uint8_t data[MC_PACKET_MAX];
	size_t n;
	bool truncated;
	uint64_t arrival_unix_us; /* when the kernel had it; 0: not known */
	struct mc_udp_addr from;
};

struct mc_udp_batch {
	struct mc_udp_packet packets[MC_UDP_BATCH];
};

/** Receive what is there, at most MC_UDP_BATCH datagrams, without waiting. from is filled only when
 *  want_from. return number of packets, 0 when none. */
size_t mc_udp_receive(int fd, struct mc_udp_batch *batch, bool want_from);

/** Send one datagram. A connected socket takes to == NULL. return 0 | MC_EIO */
int mc_udp_send(int fd, const uint8_t *data, size_t n, const struct mc_udp_addr *to);

/** Fix the remote side: the kernel then drops other sources. return 0 | MC_EIO */
int mc_udp_connect(int fd, const struct mc_udp_addr *to);

/** Undo mc_udp_connect(); the port stays. */
void mc_udp_disconnect(int fd);

bool mc_udp_same(const struct mc_udp_addr *a, const struct mc_udp_addr *b);

void mc_udp_close(int fd);

#endif
