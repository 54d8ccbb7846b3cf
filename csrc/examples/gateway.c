/* gateway: the audio core in a program without Python.
 *
 *   phone A ──UDP──► line A ─┐
 *                            ├─ bridge          line A also hears a beep first
 *   phone B ──UDP──► line B ─┘
 *
 * Two lines wait for RTP (PCMU, telephone-events 101) and are bridged; the first caller hears a
 * beep, then both hear each other, until somebody presses #. Events are printed as they come.
 * To be runnable alone it brings its phones along: two more legs that call the lines on loopback;
 * phone A presses # when the beep is over. In a real gateway only the lines remain.
 *
 * Build and run: make -C csrc example
 */
#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "mediacore.h"

enum { RATE = 8000, BEEP = RATE / 4, BUDGET_TICKS = 5 * MC_TICKS_PER_S };

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "%s: error %d\n", what, rc);
	exit(1);
}

/* A leg on a loopback port of its own; call: the port that it sends to, 0 = learn it. */
static mc_handle open_leg(struct mc_engine *engine, uint64_t seed, uint16_t call, uint16_t *port)
{
	struct sockaddr_in remote = {.sin_family = AF_INET, .sin_port = htons(call)};
	remote.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	struct mc_leg_cfg cfg = {
		.codec = "PCMU",
		.payload_type = 0,
		.event_payload_type = 101,
		.seed = seed, /* unpredictable in production */
		.fd = mc_udp_open("127.0.0.1", 0, port),
		.rtcp_fd = -1,
		.rtcp = MC_RTCP_MUX,
		.remote = call ? (const struct sockaddr *)&remote : NULL,
		.remote_len = call ? sizeof(remote) : 0,
		.budget_ticks = BUDGET_TICKS, /* whatever happens, the call ends */
		.vad_threshold_q15 = -1,
		.taps = MC_TAP_RX,
	};
	mc_handle leg;
	must(cfg.fd, "socket");
	must(mc_leg_open(engine, &cfg, &leg), "leg");
	return leg;
}

static void beep(struct mc_engine *engine, mc_handle leg)
{
	int16_t pcm[BEEP];
	for (int i = 0; i < BEEP; i++)
		pcm[i] = (int16_t)lrint(8000 * sin(2 * 3.14159265 * 440 * i / RATE));
	must(mc_leg_say_begin(engine, leg, 1, 0), "begin");
	must(mc_leg_say(engine, leg, pcm, BEEP), "say");
	must(mc_leg_say_end(engine, leg), "end");
}

/* Loudest sample of the last second that a leg received. */
static int peak(struct mc_engine *engine, mc_handle leg)
{
	int16_t pcm[RATE];
	uint64_t at;
	size_t n = mc_leg_read_tap(engine, leg, MC_TAP_RX, pcm, RATE, &at);
	int max = 0;
	for (size_t i = 0; i < n; i++)
		max = abs(pcm[i]) > max ? abs(pcm[i]) : max;
	return max;
}

int main(void)
{
	struct mc_engine_cfg cfg = {.max_legs = 16, .event_slots = 256};
	struct mc_engine *engine;
	struct mc_pacer *pacer;
	uint16_t port_a, port_b, phone_port;
	mc_handle bridge;
	int open = 4, heard = 0, hung_up = 0;

	must(mc_engine_create(&engine, &cfg), "engine");
	mc_handle line_a = open_leg(engine, 1, 0, &port_a);
	mc_handle line_b = open_leg(engine, 2, 0, &port_b);
	mc_handle legs[] = {line_a, line_b, open_leg(engine, 3, port_a, &phone_port),
			    open_leg(engine, 4, port_b, &phone_port)};
	must(mc_bridge_open(engine, RATE, &bridge), "bridge");
	must(mc_bridge_join(engine, bridge, line_a), "join");
	must(mc_bridge_join(engine, bridge, line_b), "join");
	beep(engine, line_a);
	must(mc_pacer_start(&pacer, engine, false), "pacer");

	struct pollfd wake = {.fd = mc_engine_event_fd(engine), .events = POLLIN};
	struct mc_event events[32];
	while (open && poll(&wake, 1, 10000) > 0) {
		size_t n = mc_engine_poll(engine, events, 32);
		for (size_t i = 0; i < n; i++) {
			const struct mc_event *ev = &events[i];
			printf("tick %3llu leg %08x event %2u at %6llu a %u\n",
			       (unsigned long long)ev->tick, ev->leg, ev->kind,
			       (unsigned long long)ev->at, ev->a);
			if (ev->kind == MC_EV_UTTERANCE_FINISHED) {
				/* The owner of phone A answers the beep. */
				must(mc_leg_send_digits(engine, legs[2], "#", 100, 100), "digit");
			}
			if (ev->kind == MC_EV_DIGIT && ev->a == '#' && !hung_up++) {
				heard = peak(engine, legs[2]);
				for (int k = 0; k < 4; k++)
					must(mc_leg_close(engine, legs[k]), "close");
			}
			open -= ev->kind == MC_EV_LEG_CLOSED;
		}
	}
	mc_pacer_stop(pacer);
	mc_engine_destroy(engine);
	printf("phone A heard a peak of %d\n", heard);
	return hung_up && heard > 4000 ? 0 : 1;
}
