/* A leg on real sockets and virtual time: who is heard, where packets go, what a stranger can do.
 */
#include <arpa/inet.h>
#include <stdbool.h>

#include "mc_g711.h"
#include "mc_rtcp.h"
#include "mc_rtp.h"
#include "mc_test.h"
#include "mc_udp.h"
#include "mediacore.h"

enum { FRAME = 160, TONE = 6000 };

static struct mc_engine *engine;
static uint64_t now_us;
static mc_handle leg;
static uint16_t leg_port;
static struct mc_udp_batch batch;
static uint32_t lost_kinds; /* bit per enum mc_media_loss */
static int16_t heard[1 << 20];
static size_t heard_n;

/* Somebody with a socket who sends RTP. */
struct peer {
	int fd;
	uint16_t port, seq;
	uint32_t ssrc, ts;
	double hz, amplitude;
	struct sockaddr_in at;
};

static struct sockaddr_in loopback(uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return in;
}

static struct peer peer(uint32_t ssrc, double hz)
{
	struct peer p = {.ssrc = ssrc,
			 .seq = (uint16_t)(ssrc * 777),
			 .ts = ssrc * 99,
			 .hz = hz,
			 .amplitude = TONE};
	p.fd = mc_udp_open("127.0.0.1", 0, &p.port);
	CHECK(p.fd >= 0);
	p.at = loopback(p.port);
	return p;
}

static struct mc_udp_addr to_leg(uint16_t port)
{
	struct mc_udp_addr to = {.len = sizeof(struct sockaddr_in)};
	to.sa.v4 = loopback(port);
	return to;
}

/* A frame of the peer's tone; the phase follows its timestamp. */
static void send_frame(struct peer *p, uint8_t pt)
{
	uint8_t payload[FRAME], data[12 + FRAME];
	int16_t pcm[FRAME];
	for (int i = 0; i < FRAME; i++)
		pcm[i] = (int16_t)(p->amplitude *
				   sin(2 * M_PI * p->hz * (double)(p->ts + (uint32_t)i) / 8000));
	mc_g711_ulaw_encode(payload, pcm, FRAME);
	struct mc_rtp rtp = {.pt = pt, .seq = p->seq++, .ts = p->ts, .ssrc = p->ssrc};
	rtp.payload = payload;
	rtp.payload_len = FRAME;
	p->ts += FRAME;
	int n = mc_rtp_build(data, sizeof(data), &rtp);
	CHECK(n > 0);
	struct mc_udp_addr to = to_leg(leg_port);
	(void)mc_udp_send(p->fd, data, (size_t)n, &to); /* a full socket is the point of a flood */
}

static size_t got_by(struct peer *p)
{
	size_t n = 0;
	for (size_t got; (got = mc_udp_receive(p->fd, &batch, false)) > 0;)
		n += got;
	return n;
}

static void open_leg(struct mc_leg_cfg *cfg)
{
	struct mc_engine_cfg full = {.max_legs = 2, .max_bridges = 1};
	CHECK_EQ(mc_engine_create(&engine, &full), 0);
	now_us = 1000000;
	heard_n = 0;
	lost_kinds = 0;
	cfg->codec = "PCMU";
	cfg->payload_type = 255;
	cfg->event_payload_type = 101;
	cfg->seed = 42;
	cfg->taps = MC_TAP_RX;
	cfg->fd = mc_udp_open("127.0.0.1", 0, &leg_port);
	CHECK(cfg->fd >= 0);
	CHECK_EQ(mc_leg_open(engine, cfg, &leg), 0);
}

static struct mc_leg_cfg towards(const struct peer *p)
{
	struct mc_leg_cfg cfg = {.rtcp_fd = -1};
	if (p) {
		cfg.remote = (const struct sockaddr *)&p->at;
		cfg.remote_len = sizeof(p->at);
	}
	return cfg;
}

static void tick(void)
{
	struct mc_event events[64];
	uint64_t at;
	mc_engine_tick(engine, now_us);
	now_us += MC_TICK_US;
	for (size_t n; (n = mc_engine_poll(engine, events, 64)) > 0;)
		for (size_t i = 0; i < n; i++)
			if (events[i].kind == MC_EV_MEDIA_LOST)
				lost_kinds |= 1u << events[i].b;
	heard_n += mc_leg_read_tap(engine, leg, MC_TAP_RX, heard + heard_n, 4000, &at);
	CHECK(heard_n < sizeof(heard) / sizeof(*heard) - 4000);
}

static struct mc_leg_stats stats(void)
{
	struct mc_leg_stats s;
	CHECK_EQ(mc_leg_stats(engine, leg, &s), 0);
	return s;
}

/* Share of a tone's energy in what was heard from a sample on (Goertzel). */
static double share(double hz, size_t from)
{
	double re = 0, im = 0, all = 1;
	for (size_t i = from; i < heard_n; i++) {
		re += heard[i] * cos(2 * M_PI * hz * (double)i / 8000);
		im += heard[i] * sin(2 * M_PI * hz * (double)i / 8000);
		all += (double)heard[i] * heard[i];
	}
	return 2 * (re * re + im * im) / ((double)(heard_n - from) * all);
}

static void retarget(const struct peer *p, int rc)
{
	struct mc_leg_target target = {.payload_type = -1,
				       .tx_payload_type = -1,
				       .event_payload_type = -1,
				       .cn_payload_type = -1};
	if (p) {
		target.remote = (const struct sockaddr *)&p->at;
		target.remote_len = sizeof(p->at);
	}
	CHECK_EQ(mc_leg_retarget(engine, leg, &target), rc);
}

static void end(struct peer *peers, size_t n)
{
	mc_engine_destroy(engine);
	for (size_t i = 0; i < n; i++)
		mc_udp_close(peers[i].fd);
}

/* Strangers send before, with and after the announced source, and are not heard. */
static void test_the_announced_source_is_preferred(void)
{
	struct peer p[] = {peer(1, 500), peer(2, 1900), peer(3, 2700)};
	struct mc_leg_cfg cfg = towards(&p[0]);
	open_leg(&cfg);
	for (int i = 0; i < 150; i++) {
		for (int k = 0; k < 40; k++)
			send_frame(&p[1 + k % 2], 0);
		if (i >= 3)
			send_frame(&p[0], 0);
		tick();
	}
	struct mc_leg_stats s = stats();
	CHECK_EQ(s.latches, 1);
	CHECK_EQ(s.rx_packets, 147);
	CHECK(s.rx_stranger >= 4 * 40);
	CHECK(share(500, 30 * FRAME) > 0.9);
	CHECK(share(1900, 0) < 1e-3 && share(2700, 0) < 1e-3);
	CHECK(got_by(&p[0]) >= 149);
	CHECK_EQ(got_by(&p[1]) + got_by(&p[2]), 0);
	end(p, 3);
}

/* Nothing comes from the announced address (a NAT): the first consistent source is taken, after
 * five ticks of it, however many packets each brings. */
static void test_another_source_when_the_announced_is_silent(void)
{
	struct peer p[] = {peer(1, 500), peer(2, 900), peer(3, 1900)};
	struct mc_leg_cfg cfg = towards(&p[0]);
	open_leg(&cfg);
	for (int k = 0; k < 50; k++)
		send_frame(&p[1], 0); /* a burst is no stream */
	tick();
	CHECK_EQ(stats().latches, 0);
	for (int i = 0; i < 26; i++) { /* out of sequence, another payload type, no RTP: neither */
		p[2].seq = (uint16_t)(p[2].seq + 50);
		send_frame(&p[2], 0);
		send_frame(&p[2], 77);
		tick();
	}
	CHECK_EQ(stats().latches, 0);
	CHECK(got_by(&p[0]) >= 20); /* sent to what was announced */
	for (int i = 0; i < 100; i++) {
		send_frame(&p[1], 0);
		tick();
		CHECK_EQ(stats().latches, 1); /* the 500 ms are over */
	}
	CHECK(got_by(&p[1]) >= 98);
	CHECK_EQ(got_by(&p[2]), 0);
	(void)got_by(&p[0]);
	send_frame(&p[0], 0); /* the announced one comes too late */
	for (int i = 0; i < 5; i++)
		tick();
	CHECK_EQ(stats().latches, 1);
	CHECK_EQ(got_by(&p[0]), 0);
	end(p, 3);
}

static void test_five_ticks_within_the_first_half_second(void)
{
	struct peer p[] = {peer(1, 500), peer(2, 900)};
	struct mc_leg_cfg cfg = towards(&p[0]);
	open_leg(&cfg);
	for (int i = 0; i < 10; i++) {
		send_frame(&p[1], 0);
		tick();
		CHECK_EQ(stats().latches, i >= 4);
	}
	CHECK_EQ(stats().rx_packets, 6);
	end(p, 2);
}

static void test_nothing_announced(void)
{
	struct peer p[] = {peer(1, 500), peer(2, 900)};
	struct mc_leg_cfg cfg = towards(NULL);
	open_leg(&cfg);
	tick();
	send_frame(&p[1], 0); /* one packet of somebody */
	tick();
	for (int i = 0; i < 10; i++) {
		send_frame(&p[0], 0);
		tick();
		CHECK_EQ(stats().latches, i >= 1);
	}
	CHECK_EQ(stats().rx_packets, 9);
	CHECK_EQ(got_by(&p[1]), 0);
	end(p, 2);
}

static void test_strict(void)
{
	struct peer p[] = {peer(1, 500), peer(2, 900)};
	struct mc_leg_cfg cfg = towards(NULL);
	cfg.latch = MC_LATCH_STRICT;
	open_leg(&cfg);
	for (int i = 0; i < 50; i++) {
		send_frame(&p[1], 0);
		tick();
	}
	CHECK_EQ(stats().latches, 0);
	CHECK_EQ(stats().rx_packets, 0);
	retarget(&p[0], 0);
	for (int i = 0; i < 50; i++) {
		send_frame(&p[1], 0);
		send_frame(&p[0], 0);
		tick();
	}
	CHECK_EQ(stats().latches, 1);
	CHECK(stats().rx_packets >= 49);
	CHECK_EQ(got_by(&p[1]), 0);
	CHECK(share(900, 0) < 1e-3);
	end(p, 2);
}

/* A flood of 300 packets a tick: until the lock it costs the real source nothing that lasts, and
 * after it nothing at all. */
static void test_a_flood_does_not_starve_the_source(void)
{
	struct peer p[] = {peer(1, 500), peer(2, 1900)};
	struct mc_leg_cfg cfg = towards(&p[0]);
	open_leg(&cfg);
	for (int i = 0; i < 100; i++) {
		send_frame(&p[0], 0);
		for (int k = 0; k < 300; k++)
			send_frame(&p[1], 0);
		tick();
	}
	CHECK_EQ(stats().rx_packets, 100);
	CHECK_EQ(stats().rx_lost, 0);
	CHECK(share(1900, 0) < 1e-3);
	end(p, 2);
}

/* Signalling moves the call to another address: what was locked is deaf at once, the leg's own
 * port stays, and the new stream begins without the two-packet wait of another SSRC. */
static void test_retarget(void)
{
	struct peer p[] = {peer(1, 500), peer(2, 900), peer(3, 1900)};
	struct mc_leg_cfg cfg = towards(&p[0]);
	open_leg(&cfg);
	for (int i = 0; i < 50; i++) {
		send_frame(&p[0], 0);
		tick();
	}
	(void)got_by(&p[0]);
	retarget(&p[1], 0);
	tick();
	CHECK_EQ(got_by(&p[0]), 0);
	for (int i = 0; i < 3; i++) { /* not yet; packets go to the new address all the same */
		send_frame(&p[0], 0);
		tick();
	}
	CHECK_EQ(stats().rx_packets, 50);
	CHECK(got_by(&p[1]) >= 3);
	size_t from = heard_n;
	for (int i = 0; i < 50; i++) {
		send_frame(&p[0], 0);
		send_frame(&p[1], 0);
		send_frame(&p[2], 0);
		tick();
	}
	CHECK_EQ(stats().rx_packets, 100);
	CHECK_EQ(stats().latches, 2);
	CHECK(share(900, from + 10 * FRAME) > 0.9);
	CHECK_EQ(got_by(&p[0]) + got_by(&p[2]), 0);
	/* The same address again, as a session refresh has it: the lock stays. */
	retarget(&p[1], 0);
	for (int i = 0; i < 10; i++) {
		send_frame(&p[1], 0);
		tick();
	}
	CHECK_EQ(stats().rx_packets, 110);
	CHECK_EQ(stats().latches, 2);
	/* No address: whoever comes next. */
	retarget(NULL, 0);
	for (int i = 0; i < 10; i++) {
		send_frame(&p[2], 0);
		tick();
	}
	CHECK_EQ(stats().latches, 3);
	CHECK(got_by(&p[2]) >= 8);
	end(p, 3);
}

/* Behind a NAT the locked address is not the announced one; a refresh that announces the same
 * again keeps it, one that names the locked address too. */
static void test_refresh_behind_a_nat(void)
{
	struct peer p[] = {peer(1, 500), peer(2, 900)};
	struct mc_leg_cfg cfg = towards(&p[0]);
	open_leg(&cfg);
	for (int i = 0; i < 10; i++) {
		send_frame(&p[1], 0);
		tick();
	}
	CHECK_EQ(stats().latches, 1);
	for (int k = 0; k < 2; k++) {
		retarget(&p[k], 0);
		for (int i = 0; i < 10; i++) {
			send_frame(&p[1], 0);
			tick();
		}
		CHECK_EQ(stats().latches, 1);
		CHECK_EQ(stats().rx_packets, 6u + 10u * (unsigned)(k + 1));
	}
	end(p, 2);
}

/* After five seconds of silence the source may be another, when that was asked for. */
static void test_relatch_after_silence(void)
{
	for (int asked = 0; asked < 2; asked++) {
		struct peer p[] = {peer(1, 500), peer(2, 900)};
		struct mc_leg_cfg cfg = towards(&p[0]);
		cfg.relatch_ms = asked ? 5000 : 0;
		cfg.media_lost_ms = 1000;
		open_leg(&cfg);
		for (int i = 0; i < 10; i++) {
			send_frame(&p[0], 0);
			tick();
		}
		for (int i = 0; i < 245; i++) {
			send_frame(&p[1], 0);
			tick();
		}
		CHECK_EQ(stats().latches, 1);
		CHECK_EQ(lost_kinds, 1u << MC_LOSS_STOPPED);
		for (int i = 0; i < 20; i++) {
			send_frame(&p[1], 0);
			tick();
		}
		CHECK_EQ(stats().latches, asked ? 2 : 1);
		end(p, 2);
	}
}

/* A report that says 50 % loss and a goodbye, from a stranger: nobody listens. */
static void test_rtcp_of_a_stranger(void)
{
	for (int pair = 0; pair < 2; pair++) {
		struct peer p[] = {peer(1, 500), peer(2, 900)}, reports = {.fd = -1};
		struct mc_leg_cfg cfg = towards(&p[0]);
		uint16_t rtcp_port = 0;
		cfg.rtcp = pair ? MC_RTCP_PAIR : MC_RTCP_MUX;
		if (pair) {
			do { /* the announced RTCP port is the next one */
				mc_udp_close(p[0].fd);
				mc_udp_close(reports.fd);
				p[0] = peer(1, 500);
				reports.fd = mc_udp_open("127.0.0.1", (uint16_t)(p[0].port + 1),
							 &reports.port);
			} while (reports.fd < 0);
			cfg.rtcp_fd = mc_udp_open("127.0.0.1", 0, &rtcp_port);
			CHECK(cfg.rtcp_fd >= 0);
		}
		open_leg(&cfg);
		uint8_t out[256];
		struct mc_rtcp msg = {.ssrc = p[0].ssrc, .has_report = true, .bye = true};
		int n = mc_rtcp_build(out, sizeof(out), &msg);
		CHECK(n > 0);
		struct mc_udp_addr to = to_leg(pair ? rtcp_port : leg_port);
		for (int i = 0; i < 40; i++) {
			send_frame(&p[0], 0);
			CHECK_EQ(mc_udp_send(p[1].fd, out, (size_t)n, &to), 0);
			tick();
		}
		CHECK_EQ(stats().rtcp_packets, 0);
		CHECK_EQ(mc_udp_send(pair ? reports.fd : p[0].fd, out, (size_t)n, &to), 0);
		for (int i = 0; i < 20; i++) {
			send_frame(&p[0], 0);
			tick();
		}
		CHECK_EQ(stats().rtcp_packets, 1); /* a goodbye ends no call either */
		CHECK_EQ(stats().rx_packets, 60);
		mc_udp_close(reports.fd);
		end(p, 2);
	}
}

/* Reports come about every five seconds, never at once for legs with different seeds; a leg that
 * does not send gives receiver reports. */
static void test_reports(void)
{
	struct peer p[] = {peer(1, 500)};
	struct mc_leg_cfg cfg = towards(&p[0]);
	cfg.rtcp = MC_RTCP_MUX;
	open_leg(&cfg);
	uint64_t last_us = 0;
	int reports = 0, senders = 0, quick = 0;
	uint64_t shortest = UINT64_MAX, longest = 0;
	for (int i = 0; i < 6000; i++) {
		if (i == 3000)
			CHECK_EQ(mc_leg_direction(engine, leg, false, true), 0);
		send_frame(&p[0], 0);
		heard_n = 0;
		tick();
		for (size_t got; (got = mc_udp_receive(p[0].fd, &batch, false)) > 0;)
			for (size_t k = 0; k < got; k++) {
				struct mc_rtcp msg;
				const struct mc_udp_packet *packet = &batch.packets[k];
				if (!mc_rtp_is_rtcp(packet->data, packet->n))
					continue;
				CHECK_EQ(mc_rtcp_parse(&msg, packet->data, packet->n), 0);
				reports++;
				senders += msg.has_sender;
				uint64_t gap = now_us - last_us;
				if (last_us) {
					shortest = gap < shortest ? gap : shortest;
					longest = gap > longest ? gap : longest;
					quick += gap < 4000000;
				}
				last_us = now_us;
			}
	}
	CHECK(reports >= 18 && reports <= 30); /* 120 s */
	CHECK(senders >= 8 && senders <= reports - 8);
	CHECK(shortest >= 2500000 && longest <= 7520000 && quick > 0);
	end(p, 1);
}

/* The quality figure goes down with loss, jitter, and delay; without any RTCP it is there too. */
static double quality(int lose_every, int swing_ms, bool rtcp)
{
	struct peer p[] = {peer(1, 500)};
	struct mc_leg_cfg cfg = towards(&p[0]);
	cfg.fd = -1;
	cfg.rtcp = rtcp ? MC_RTCP_MUX : MC_RTCP_NONE;
	open_leg(&cfg);
	for (int i = 0; i < 1500; i++) {
		heard_n = 0;
		int held_up = swing_ms / 20; /* a stall, then all of it at once */
		int n = i % 25 < held_up ? 0 : i % 25 == held_up ? held_up + 1 : 1;
		if (lose_every && i % lose_every == 0) {
			p[0].seq++;
			p[0].ts += FRAME;
			n = 0;
		}
		for (; n; n--)
			send_frame(&p[0], 0);
		tick();
	}
	double mos = (double)stats().mos_x100;
	end(p, 1);
	return mos;
}

static void test_quality(void)
{
	double clean = quality(0, 0, false);
	CHECK(clean >= 425 && clean <= 441);
	CHECK(fabs(quality(0, 0, true) - clean) < 3);
	double little = quality(50, 0, false), much = quality(10, 0, false);
	CHECK(little < clean - 10 && much < little - 40);
	CHECK(quality(0, 160, false) < clean - 1);
}

/* Another SSRC in the middle of a tone, and a jump of the timestamp: no step in the sound above
 * what the tone itself and a cross-fade make. */
static int steepest(size_t from)
{
	int most = 0;
	for (size_t i = from + 1; i < heard_n; i++) {
		int step = abs(heard[i] - heard[i - 1]);
		most = step > most ? step : most;
	}
	return most;
}

static void test_changes_do_not_click(void)
{
	for (int kind = 0; kind < 4; kind++) {
		struct peer p[] = {peer(1, 300)};
		struct mc_leg_cfg cfg = towards(&p[0]);
		cfg.vad_threshold_q15 = -1;
		open_leg(&cfg);
		size_t from = 0;
		for (int i = 0; i < 150; i++) {
			p[0].amplitude = i < 25 ? 0 : TONE; /* a quiet background */
			if (i == 40)
				from = heard_n;
			if (i == 75) {
				p[0].ssrc += kind == 0;
				p[0].seq = (uint16_t)(p[0].seq + (kind == 0 ? 30000 : 0));
				p[0].ts += kind == 0   ? 123456789u + 13
					   : kind == 1 ? 8000u * 100 + 13
					   : kind == 2 ? 8000u * 5 + 13
						       : 0u - 8000u * 60 - 13;
			}
			send_frame(&p[0], 0);
			tick();
		}
		/* The tone's own steepest step: 2 pi 300 / 8000 * 6000 = 1414. */
		CHECK(steepest(from) < 1500);
		CHECK(share(300, from + 60 * FRAME) > 0.9); /* it goes on */
		CHECK(stats().rx_packets >= 149);
		end(p, 1);
	}
}

int main(void)
{
	RUN(test_the_announced_source_is_preferred);
	RUN(test_another_source_when_the_announced_is_silent);
	RUN(test_five_ticks_within_the_first_half_second);
	RUN(test_nothing_announced);
	RUN(test_strict);
	RUN(test_a_flood_does_not_starve_the_source);
	RUN(test_retarget);
	RUN(test_refresh_behind_a_nat);
	RUN(test_relatch_after_silence);
	RUN(test_rtcp_of_a_stranger);
	RUN(test_reports);
	RUN(test_quality);
	RUN(test_changes_do_not_click);
	return 0;
}
