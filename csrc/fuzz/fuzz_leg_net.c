/* Bytes as a script for one leg among strangers, on real sockets and virtual time: three peers send
 * RTP, RTCP and rubbish, signalling moves the leg about.
 *
 * Checked besides memory and undefined behaviour: in one tick the leg sends to one address at the
 * most; with MC_LATCH_STRICT that is the one that signalling named; packets of nobody else count.
 */
#include "mc_udp.h"
#include "mediacore.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(x)                                                                                 \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

enum { PEERS = 3, STEPS = 300 };

struct reader {
	const uint8_t *data;
	size_t left;
};

static uint8_t byte(struct reader *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->data++;
}

static struct {
	int fd;
	uint16_t port, seq;
	struct sockaddr_in at;
} peers[PEERS];
static uint16_t leg_port;
static struct mc_udp_batch batch;

static struct sockaddr_in loopback(uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return in;
}

static size_t drain(int fd)
{
	size_t n = 0;
	for (size_t got; (got = mc_udp_receive(fd, &batch, false)) > 0;)
		n += got;
	return n;
}

static void send_from(size_t who, struct reader *in)
{
	uint8_t data[200] = {0}, kind = byte(in);
	size_t n = kind & 1 ? 172 : byte(in) % sizeof(data);
	struct mc_udp_addr to = {.len = sizeof(struct sockaddr_in)};
	to.sa.v4 = loopback(leg_port);
	if (kind & 2) {
		peers[who].seq = (uint16_t)(peers[who].seq + (kind >> 6));
		data[0] = 0x80;
		data[1] = kind & 4 ? byte(in) : 0;
		data[2] = (uint8_t)(peers[who].seq >> 8);
		data[3] = (uint8_t)peers[who].seq;
		data[6] = data[2];
		data[7] = data[3];
		data[11] = kind & 8 ? byte(in) : (uint8_t)who;
	} else {
		for (size_t i = 0; i < n; i++)
			data[i] = byte(in);
	}
	(void)mc_udp_send(peers[who].fd, data, n, &to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = {data, size};
	struct mc_engine_cfg engine_cfg = {.max_legs = 1, .max_bridges = 1};
	struct mc_engine *engine;
	struct mc_event events[64];
	uint64_t now_us = 1000000, packets = 0;
	mc_handle leg;

	for (size_t i = 0; i < PEERS; i++) {
		if (peers[i].fd <= 0) {
			peers[i].fd = mc_udp_open("127.0.0.1", 0, &peers[i].port);
			REQUIRE(peers[i].fd > 0);
			peers[i].at = loopback(peers[i].port);
		}
		peers[i].seq = 0;
		(void)drain(peers[i].fd);
	}
	uint8_t flags = byte(&in);
	bool strict = flags & 1;
	int named = flags & 2 ? (flags >> 2) % PEERS : -1;
	struct mc_leg_cfg cfg = {
		.codec = "PCMU",
		.event_payload_type = 101,
		.seed = flags,
		.latch = strict ? MC_LATCH_STRICT : MC_LATCH_LEARN,
		.relatch_ms = flags & 16 ? MC_RELATCH_MIN_MS : 0,
		.keepalive_ms = 40,
		.media_lost_ms = 60,
		.rtcp = MC_RTCP_MUX,
		.rtcp_fd = -1,
		.vad_threshold_q15 = -1,
	};
	if (named >= 0) {
		cfg.remote = (const struct sockaddr *)&peers[named].at;
		cfg.remote_len = sizeof(peers[named].at);
	}
	cfg.fd = mc_udp_open("127.0.0.1", 0, &leg_port);
	REQUIRE(cfg.fd >= 0);
	REQUIRE(mc_engine_create(&engine, &engine_cfg) == 0);
	REQUIRE(mc_leg_open(engine, &cfg, &leg) == 0);
	for (int step = 0; step < STEPS && in.left; step++) {
		uint8_t op = byte(&in);
		if (op % 8 < 5) {
			send_from((op >> 3) % PEERS, &in);
			continue;
		}
		if (op % 8 == 5) {
			int to = (op >> 3) % (PEERS + 1) - 1;
			struct mc_leg_target target = {.payload_type = -1,
						       .tx_payload_type = -1,
						       .event_payload_type = -1,
						       .cn_payload_type = -1};
			if (to >= 0) {
				target.remote = (const struct sockaddr *)&peers[to].at;
				target.remote_len = sizeof(peers[to].at);
			}
			REQUIRE(mc_leg_retarget(engine, leg, &target) == 0);
			REQUIRE(mc_leg_direction(engine, leg, op & 64, op & 128) == 0);
			named = to;
		}
		for (size_t i = 0; i < PEERS; i++)
			(void)drain(peers[i].fd);
		mc_engine_tick(engine, now_us);
		now_us += op % 8 == 7 ? 6000000 : MC_TICK_US;
		while (mc_engine_poll(engine, events, 64))
			;
		size_t served = 0;
		for (size_t i = 0; i < PEERS; i++) {
			size_t n = drain(peers[i].fd);
			served += n > 0;
			REQUIRE(!strict || !n || named == (int)i);
		}
		REQUIRE(served <= 1);
		struct mc_leg_stats stats;
		REQUIRE(mc_leg_stats(engine, leg, &stats) == 0);
		REQUIRE(stats.rx_packets == packets || stats.latches > 0);
		packets = stats.rx_packets;
	}
	mc_engine_destroy(engine);
	return 0;
}
