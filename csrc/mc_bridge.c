#include "mc_bridge.h"

#include <string.h>

#include "mc_resample.h"

struct mc_port {
	mc_handle leg;
	bool muted;
	size_t leg_n, mix_n;           /* samples per tick */
	const int16_t *rx;             /* [leg_n] */
	struct mc_resample *up, *down; /* NULL when the rates are equal */
	int16_t *in, *out;             /* [mix_n] at the bridge's rate */
	int16_t *heard;                /* [leg_n] at the leg's rate */
};

struct mc_bridge {
	mc_handle handle;
	uint32_t srate;
	size_t count;
	struct mc_port *ports[MC_BRIDGE_LEGS];
	struct mc_mix_gains gains;
};

size_t mc_bridge_size(void)
{
	return sizeof(struct mc_bridge);
}

void mc_bridge_init(struct mc_bridge *bridge, uint32_t srate, mc_handle handle)
{
	memset(bridge, 0, sizeof(*bridge));
	bridge->srate = srate;
	bridge->handle = handle;
	mc_mix_gains_init(&bridge->gains);
}

uint32_t mc_bridge_srate(const struct mc_bridge *bridge)
{
	return bridge->srate;
}

static size_t frame_bytes(uint32_t srate)
{
	return mc_align(mc_frame_samples(srate) * sizeof(int16_t));
}

size_t mc_port_size(uint32_t leg_srate, uint32_t bridge_srate)
{
	size_t size = mc_align(sizeof(struct mc_port)) + 2 * frame_bytes(bridge_srate);
	if (leg_srate != bridge_srate)
		size += frame_bytes(leg_srate) +
			mc_align(mc_resample_size(leg_srate, bridge_srate)) +
			mc_align(mc_resample_size(bridge_srate, leg_srate));
	return size;
}

int mc_port_init(struct mc_port **out, void *mem, size_t size, mc_handle leg, uint32_t leg_srate,
		 uint32_t bridge_srate, const int16_t *rx)
{
	struct mc_port *port = mem;
	uint8_t *next = (uint8_t *)mem + mc_align(sizeof(*port));

	if (size < mc_port_size(leg_srate, bridge_srate))
		return MC_ENOMEM;
	memset(mem, 0, size);
	port->leg = leg;
	port->leg_n = mc_frame_samples(leg_srate);
	port->mix_n = mc_frame_samples(bridge_srate);
	port->rx = rx;
	port->out = (int16_t *)(void *)next;
	next += frame_bytes(bridge_srate);
	port->in = (int16_t *)(void *)next;
	next += frame_bytes(bridge_srate);
	port->heard = port->out;
	if (leg_srate != bridge_srate) {
		port->heard = (int16_t *)(void *)next;
		next += frame_bytes(leg_srate);
		size_t up = mc_resample_size(leg_srate, bridge_srate);
		int rc = mc_resample_init(&port->up, next, up, leg_srate, bridge_srate);
		if (rc < 0)
			return rc;
		next += mc_align(up);
		size_t down = mc_resample_size(bridge_srate, leg_srate);
		rc = mc_resample_init(&port->down, next, down, bridge_srate, leg_srate);
		if (rc < 0)
			return rc;
	}
	*out = port;
	return MC_OK;
}

void mc_port_mute(struct mc_port *port, bool muted)
{
	port->muted = muted;
}

const int16_t *mc_port_heard(const struct mc_port *port)
{
	return port->heard;
}

static size_t find(const struct mc_bridge *bridge, mc_handle leg)
{
	size_t i = 0;
	while (i < bridge->count && bridge->ports[i]->leg != leg)
		i++;
	return i;
}

int mc_bridge_add(struct mc_bridge *bridge, struct mc_port *port)
{
	if (bridge->count == MC_BRIDGE_LEGS)
		return MC_EFULL;
	bridge->ports[bridge->count++] = port;
	return MC_OK;
}

struct mc_port *mc_bridge_remove(struct mc_bridge *bridge, mc_handle leg)
{
	size_t i = find(bridge, leg);
	if (i == bridge->count)
		return NULL;
	struct mc_port *port = bridge->ports[i];
	size_t last = --bridge->count;
	bridge->ports[i] = bridge->ports[last];
	/* The last member takes the free place, and its gains with it. */
	for (size_t k = 0; k < MC_BRIDGE_LEGS; k++)
		bridge->gains.q15[k][i] = bridge->gains.q15[k][last];
	memcpy(bridge->gains.q15[i], bridge->gains.q15[last], sizeof(bridge->gains.q15[i]));
	for (size_t k = 0; k < MC_BRIDGE_LEGS; k++)
		bridge->gains.q15[k][last] = bridge->gains.q15[last][k] = MC_MIX_FULL;
	return port;
}

struct mc_port *mc_bridge_remove_any(struct mc_bridge *bridge, mc_handle *leg)
{
	if (!bridge->count)
		return NULL;
	*leg = bridge->ports[bridge->count - 1]->leg;
	return mc_bridge_remove(bridge, *leg);
}

void mc_bridge_set_gain(struct mc_bridge *bridge, mc_handle from, mc_handle to, int16_t gain_q15)
{
	size_t i = find(bridge, from), k = find(bridge, to);
	if (i < bridge->count && k < bridge->count)
		bridge->gains.q15[i][k] = gain_q15;
}

void mc_bridge_mix(struct mc_bridge *bridge)
{
	const int16_t *in[MC_BRIDGE_LEGS];
	int16_t *out[MC_BRIDGE_LEGS];
	size_t n = mc_frame_samples(bridge->srate);

	for (size_t i = 0; i < bridge->count; i++) {
		struct mc_port *port = bridge->ports[i];
		in[i] = port->muted ? NULL : port->rx;
		out[i] = port->out;
		if (!port->up || port->muted)
			continue;
		int got = mc_resample_run(port->up, port->in, n, port->rx, port->leg_n);
		in[i] = got == (int)n ? port->in : NULL;
	}
	mc_mix_run(&bridge->gains, out, in, bridge->count, n);
	for (size_t i = 0; i < bridge->count; i++) {
		struct mc_port *port = bridge->ports[i];
		if (port->down &&
		    mc_resample_run(port->down, port->heard, port->leg_n, port->out, n) < 0)
			memset(port->heard, 0, port->leg_n * sizeof(int16_t));
	}
}
