/* Ports on a bridge: who hears whom at which rate, and what leaving does to the gains. */
#include "mc_bridge.h"
#include "mc_test.h"

static struct mc_bridge *bridge_new(uint32_t srate)
{
	struct mc_bridge *bridge = malloc(mc_bridge_size());
	CHECK(bridge);
	mc_bridge_init(bridge, srate, 7);
	CHECK_EQ(mc_bridge_srate(bridge), srate);
	return bridge;
}

static struct mc_port *port_new(mc_handle leg, uint32_t leg_srate, uint32_t srate,
				const int16_t *rx)
{
	size_t size = mc_port_size(leg_srate, srate);
	struct mc_port *port = NULL;
	void *mem = malloc(size);
	CHECK(mem);
	CHECK_EQ(mc_port_init(&port, mem, size - 1, leg, leg_srate, srate, rx), MC_ENOMEM);
	CHECK_EQ(mc_port_init(&port, mem, size, leg, leg_srate, srate, rx), MC_OK);
	return port;
}

static void test_every_pair_of_rates(void)
{
	static const uint32_t rates[] = {8000, 16000, 24000, 48000};
	static int16_t rx[2][MC_FRAME_MAX];

	for (size_t mix = 0; mix < 4; mix++)
		for (size_t a = 0; a < 4; a++)
			for (size_t b = 0; b < 4; b++) {
				struct mc_bridge *bridge = bridge_new(rates[mix]);
				struct mc_port *ports[2] = {
					port_new(1, rates[a], rates[mix], rx[0]),
					port_new(2, rates[b], rates[mix], rx[1]),
				};
				CHECK_EQ(mc_bridge_add(bridge, ports[0]), MC_OK);
				CHECK_EQ(mc_bridge_add(bridge, ports[1]), MC_OK);
				test_sine(rx[0], rates[a] / 50, 500, rates[a], 8000);
				memset(rx[1], 0, sizeof(rx[1]));
				for (int i = 0; i < 8; i++)
					mc_bridge_mix(bridge); /* 10 whole periods per frame */
				double rms = test_rms(mc_port_heard(ports[1]), rates[b] / 50);
				CHECK(fabs(rms - 8000 / sqrt(2)) < 200);
				CHECK(test_rms(mc_port_heard(ports[0]), rates[a] / 50) < 2);
				for (mc_handle leg = 1; leg <= 2; leg++)
					free(mc_bridge_remove(bridge, leg));
				free(bridge);
			}
}

static void test_full(void)
{
	static int16_t rx[160];
	struct mc_bridge *bridge = bridge_new(8000);
	for (mc_handle leg = 0; leg < MC_BRIDGE_LEGS; leg++)
		CHECK_EQ(mc_bridge_add(bridge, port_new(leg, 8000, 8000, rx)), MC_OK);
	struct mc_port *more = port_new(99, 8000, 8000, rx);
	CHECK_EQ(mc_bridge_add(bridge, more), MC_EFULL);
	free(more);
	CHECK(!mc_bridge_remove(bridge, 99));
	mc_handle leg;
	size_t n = 0;
	for (struct mc_port *port; (port = mc_bridge_remove_any(bridge, &leg)); n++)
		free(port);
	CHECK_EQ(n, MC_BRIDGE_LEGS);
	mc_bridge_mix(bridge); /* empty */
	free(bridge);
}

/* Gains belong to legs, not to places: they survive others' leaving, and go with their own. */
static void test_gains_follow_their_legs(void)
{
	enum { LEGS = 5 };
	static int16_t rx[LEGS][160];
	struct mc_port *ports[LEGS];
	struct mc_bridge *bridge = bridge_new(8000);
	for (mc_handle leg = 0; leg < LEGS; leg++) {
		for (size_t i = 0; i < 160; i++)
			rx[leg][i] = (int16_t)(100 << leg);
		ports[leg] = port_new(leg, 8000, 8000, rx[leg]);
		CHECK_EQ(mc_bridge_add(bridge, ports[leg]), MC_OK);
	}
	mc_bridge_set_gain(bridge, 4, 2, 0); /* 2 does not hear 4 */
	mc_bridge_set_gain(bridge, 3, 0, 0); /* 0 does not hear 3 */
	mc_bridge_set_gain(bridge, 3, 77, 0);
	mc_bridge_mix(bridge);
	CHECK_EQ(mc_port_heard(ports[2])[0], 100 + 200 + 800);
	CHECK_EQ(mc_port_heard(ports[0])[0], 200 + 400 + 1600);

	free(mc_bridge_remove(bridge, 1)); /* 4 moves to its place */
	mc_bridge_mix(bridge);
	CHECK_EQ(mc_port_heard(ports[2])[0], 100 + 800);
	CHECK_EQ(mc_port_heard(ports[4])[0], 100 + 400 + 800);
	CHECK_EQ(mc_port_heard(ports[0])[0], 400 + 1600);

	free(mc_bridge_remove(bridge, 3));
	ports[3] = port_new(3, 8000, 8000, rx[3]); /* comes back: at full gain */
	CHECK_EQ(mc_bridge_add(bridge, ports[3]), MC_OK);
	mc_bridge_mix(bridge);
	CHECK_EQ(mc_port_heard(ports[0])[0], 400 + 800 + 1600);
	CHECK_EQ(mc_port_heard(ports[2])[0], 100 + 800);
	CHECK_EQ(mc_port_heard(ports[3])[0], 100 + 400 + 1600);
	mc_handle leg;
	for (struct mc_port *port; (port = mc_bridge_remove_any(bridge, &leg));)
		free(port);
	free(bridge);
}

int main(void)
{
	RUN(test_every_pair_of_rates);
	RUN(test_full);
	RUN(test_gains_follow_their_legs);
	return 0;
}
