/* Sockets: opening, batches, truncation, sources, both address families. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <unistd.h>

#include "mc_test.h"
#include "mc_udp.h"
#include "mediacore.h"

static struct mc_udp_batch batch;

static struct mc_udp_addr local(uint16_t port)
{
	struct mc_udp_addr addr = {.len = sizeof(struct sockaddr_in)};
	struct sockaddr_in *in = (struct sockaddr_in *)&addr.sa;
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return addr;
}

static void test_open(void)
{
	static const struct {
		const char *host;
		int want;
	} rows[] = {
		{"127.0.0.1", 0},         {"0.0.0.0", 0},         {"", MC_EINVAL},
		{"localhost", MC_EINVAL}, {"127.0.0", MC_EINVAL}, {"127.0.0.1 ", MC_EINVAL},
		{"256.0.0.1", MC_EINVAL}, {"::g", MC_EINVAL},     {"192.0.2.1", MC_EIO},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint16_t port = 0;
		int fd = mc_udp_open(rows[i].host, 0, &port);
		if (rows[i].want < 0) {
			CHECK_EQ(fd, rows[i].want);
			continue;
		}
		CHECK(fd >= 0 && port > 0);
		CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
		CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		CHECK_EQ(mc_udp_open(rows[i].host, port, NULL), MC_EIO); /* taken */
		mc_udp_close(fd);
		CHECK_EQ(fcntl(fd, F_GETFD), -1);
	}
	mc_udp_close(-1);
	int six = mc_udp_open("::1", 0, NULL); /* not on every machine */
	CHECK(six >= 0 || six == MC_EIO);
	mc_udp_close(six);
}

static void test_batches(void)
{
	uint16_t port_a, port_b;
	int a = mc_udp_open("127.0.0.1", 0, &port_a), b = mc_udp_open("127.0.0.1", 0, &port_b);
	struct mc_udp_addr to_b = local(port_b);
	uint8_t data[MC_PACKET_MAX + 200];

	CHECK(a >= 0 && b >= 0);
	CHECK_EQ(mc_udp_receive(b, &batch, true), 0);
	for (size_t i = 0; i < MC_UDP_BATCH + 3; i++) {
		memset(data, (int)i, sizeof(data));
		CHECK_EQ(mc_udp_send(a, data, 10 + i, &to_b), MC_OK);
	}
	CHECK_EQ(mc_udp_receive(b, &batch, true), MC_UDP_BATCH);
	for (size_t i = 0; i < MC_UDP_BATCH; i++) {
		const struct mc_udp_packet *packet = &batch.packets[i];
		struct mc_udp_addr from_a = local(port_a);
		CHECK_EQ(packet->n, 10 + i);
		CHECK(packet->data[0] == i && !packet->truncated);
		CHECK(packet->from.len && mc_udp_same(&packet->from, &from_a));
		CHECK(!mc_udp_same(&packet->from, &to_b));
	}
	CHECK_EQ(mc_udp_receive(b, &batch, false), 3);
	CHECK_EQ(batch.packets[0].from.len, 0);

	CHECK_EQ(mc_udp_send(a, data, sizeof(data), &to_b), MC_OK); /* too long for us */
	CHECK_EQ(mc_udp_send(a, data, 0, &to_b), MC_OK);            /* empty is legal */
	CHECK_EQ(mc_udp_receive(b, &batch, false), 2);
	CHECK(batch.packets[0].truncated && !batch.packets[1].truncated);
	CHECK_EQ(batch.packets[1].n, 0);
	mc_udp_close(a);
	mc_udp_close(b);
}

static void test_connected(void)
{
	uint16_t port[3];
	int fd[3];
	uint8_t byte = 1;
	for (int i = 0; i < 3; i++)
		CHECK((fd[i] = mc_udp_open("127.0.0.1", 0, &port[i])) >= 0);
	struct mc_udp_addr to_0 = local(port[0]), to_1 = local(port[1]);
	CHECK_EQ(mc_udp_send(fd[0], &byte, 1, NULL), MC_EIO); /* where to? */
	CHECK_EQ(mc_udp_connect(fd[0], &to_1), MC_OK);
	CHECK_EQ(mc_udp_send(fd[0], &byte, 1, NULL), MC_OK);
	CHECK_EQ(mc_udp_receive(fd[1], &batch, true), 1);
	CHECK_EQ(mc_udp_send(fd[2], &byte, 1, &to_0), MC_OK); /* a stranger */
	CHECK_EQ(mc_udp_receive(fd[0], &batch, true), 0);
	CHECK_EQ(mc_udp_send(fd[1], &byte, 1, &to_0), MC_OK);
	CHECK_EQ(mc_udp_receive(fd[0], &batch, true), 1);
	for (int i = 0; i < 3; i++)
		mc_udp_close(fd[i]);
	CHECK_EQ(mc_udp_send(fd[0], &byte, 1, &to_1), MC_EIO);
	CHECK_EQ(mc_udp_connect(fd[0], &to_1), MC_EIO);
	CHECK_EQ(mc_udp_receive(fd[0], &batch, true), 0);
}

static void test_same(void)
{
	struct mc_udp_addr a = local(5000), b = local(5000), c = local(5001), six = {0};
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&six.sa;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(5000);
	in6->sin6_addr = in6addr_loopback;
	struct mc_udp_addr other = six;
	CHECK(mc_udp_same(&a, &b) && !mc_udp_same(&a, &c) && !mc_udp_same(&a, &six));
	CHECK(mc_udp_same(&six, &other));
	((struct sockaddr_in6 *)&other.sa)->sin6_addr.s6_addr[0] = 1;
	CHECK(!mc_udp_same(&six, &other));
}

/* A socket that was connected hears everybody again, at the port it had. */
static void test_disconnect(void)
{
	uint16_t port_a, port_b, port_c;
	int a = mc_udp_open("127.0.0.1", 0, &port_a), b = mc_udp_open("127.0.0.1", 0, &port_b),
	    c = mc_udp_open("0.0.0.0", 0, &port_c);
	struct mc_udp_addr to_a = local(port_a), to_b = local(port_b), to_c = local(port_c);
	int both[] = {a, c};
	struct mc_udp_addr to[] = {to_a, to_c};

	CHECK(a >= 0 && b >= 0 && c >= 0);
	for (int i = 0; i < 2; i++) {
		for (int again = 0; again < 3; again++) {
			CHECK_EQ(mc_udp_connect(both[i], again & 1 ? &to_b : &to[1 - i]), 0);
			CHECK_EQ(mc_udp_send(b, (const uint8_t *)"x", 1, &to[i]), 0);
			CHECK_EQ(mc_udp_receive(both[i], &batch, true), again & 1);
			mc_udp_disconnect(both[i]);
			CHECK_EQ(mc_udp_send(b, (const uint8_t *)"y", 1, &to[i]), 0);
			CHECK_EQ(mc_udp_receive(both[i], &batch, true), 1);
			CHECK(mc_udp_same(&batch.packets[0].from, &to_b));
		}
	}
	mc_udp_close(a);
	mc_udp_close(b);
	mc_udp_close(c);
}

int main(void)
{
	RUN(test_open);
	RUN(test_batches);
	RUN(test_connected);
	RUN(test_same);
	RUN(test_disconnect);
	return 0;
}
