/* The control thread's side of an engine: handles, memory, and the public API that turns calls
 * into commands. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "mc_engine.h"
#include "mc_stream.h"
#include "mc_telev.h"

enum {
	DEFAULT_LEGS = 1024,
	DEFAULT_BRIDGES = 256,
	DEFAULT_EVENTS = 8192,
	DEFAULT_COMMANDS = 4096,
	BED_MIN_DB = -96,
	BED_MAX_DB = 20,
};

static void *ring_new(struct mc_ring *ring, size_t elem, uint32_t cap)
{
	void *mem = calloc(cap, elem);
	mc_ring_init(ring, mem, (uint32_t)elem, cap);
	return mem;
}

static uint64_t wall_offset_us(void)
{
	struct timeval now;
	gettimeofday(&now, NULL);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_usec - mc_now_us();
}

int mc_engine_create(struct mc_engine **out, const struct mc_engine_cfg *cfg)
{
	struct mc_engine_cfg full = *cfg;

	if (!full.max_legs)
		full.max_legs = DEFAULT_LEGS;
	if (!full.max_bridges)
		full.max_bridges = DEFAULT_BRIDGES;
	if (!full.event_slots)
		full.event_slots = DEFAULT_EVENTS;
	if (!full.command_slots)
		full.command_slots = DEFAULT_COMMANDS;
	if (full.max_legs >= MC_INDEX_MASK || full.max_bridges >= MC_INDEX_MASK ||
	    full.event_slots < 16 || full.command_slots < 16)
		return MC_EINVAL;

	struct mc_engine *engine = calloc(1, sizeof(*engine));
	if (!engine)
		return MC_ENOMEM;
	engine->cfg = full;
	engine->wall_offset_us = wall_offset_us();
	int rc = mc_wake_open(&engine->wake);
	if (rc < 0) {
		free(engine);
		return rc;
	}
	rc = mc_wake_open(&engine->stream_wake);
	if (rc < 0) {
		mc_wake_close(&engine->wake);
		free(engine);
		return rc;
	}
	/* Every leg has a port and a fork at most, and every bridge itself: that bounds the
	 * garbage, together with joins and forks that are refused, as long as whoever makes new
	 * ones collects it first. */
	uint32_t garbage = 2 * full.max_legs + full.max_bridges + full.command_slots;
	engine->leg_slots = calloc(full.max_legs, sizeof(*engine->leg_slots));
	engine->bridge_slots = calloc(full.max_bridges, sizeof(*engine->bridge_slots));
	engine->legs = calloc(full.max_legs, sizeof(*engine->legs));
	engine->bridges = calloc(full.max_bridges, sizeof(*engine->bridges));
	engine->forks = calloc(full.max_legs, sizeof(*engine->forks));
	engine->leg_index = malloc(full.max_legs * sizeof(*engine->leg_index));
	void *commands = ring_new(&engine->commands, sizeof(struct command), full.command_slots);
	void *events = ring_new(&engine->events, sizeof(struct mc_event), full.event_slots);
	void *trash = ring_new(&engine->garbage, sizeof(void *), garbage);
	void *retired = ring_new(&engine->retired, sizeof(struct mc_srtp *), full.command_slots);
	if (!engine->leg_slots || !engine->bridge_slots || !engine->legs || !engine->bridges ||
	    !engine->forks || !engine->leg_index || !commands || !events || !trash || !retired) {
		mc_engine_destroy(engine);
		return MC_ENOMEM;
	}
	memset(engine->leg_index, 0xFF, full.max_legs * sizeof(*engine->leg_index));
	*out = engine;
	return MC_OK;
}

static void collect_garbage(struct mc_engine *engine)
{
	void *memory;
	struct mc_srtp *srtp;
	while (mc_ring_read(&engine->garbage, &memory, 1))
		free(memory);
	while (mc_ring_read(&engine->retired, &srtp, 1))
		mc_srtp_close(srtp);
}

static void free_leg(struct leg_slot *slot)
{
	mc_leg_deinit(slot->leg);
	free(slot->leg);
	slot->leg = NULL;
	slot->bridge = slot->fork = 0;
}

void mc_engine_destroy(struct mc_engine *engine)
{
	struct command cmd;

	/* Nobody ticks any more: take over what is still on its way to the tick. */
	if (engine->commands.data)
		while (mc_ring_read(&engine->commands, &cmd, 1)) {
			if (cmd.kind == CMD_BRIDGE_OPEN)
				free(cmd.bridge);
			else if (cmd.kind == CMD_BRIDGE_JOIN)
				free(cmd.port.port);
			else if (cmd.kind == CMD_FORK)
				free(cmd.fork);
			else if (cmd.kind == CMD_REKEY)
				mc_srtp_close(cmd.srtp);
		}
	for (size_t i = 0; i < engine->fork_count; i++)
		free(engine->forks[i]);
	for (size_t i = 0; engine->bridges && i < engine->bridge_count; i++) {
		mc_handle leg;
		for (struct mc_port *port;
		     (port = mc_bridge_remove_any(engine->bridges[i].bridge, &leg));)
			free(port);
		free(engine->bridges[i].bridge);
	}
	if (engine->garbage.data && engine->retired.data)
		collect_garbage(engine);
	for (uint32_t i = 0; engine->leg_slots && i < engine->cfg.max_legs; i++)
		if (engine->leg_slots[i].leg)
			free_leg(&engine->leg_slots[i]);
	free(engine->commands.data);
	free(engine->events.data);
	free(engine->garbage.data);
	free(engine->retired.data);
	free(engine->leg_slots);
	free(engine->bridge_slots);
	free(engine->legs);
	free(engine->bridges);
	free(engine->forks);
	free(engine->leg_index);
	mc_wake_close(&engine->wake);
	mc_wake_close(&engine->stream_wake);
	free(engine);
}

size_t mc_engine_poll(struct mc_engine *engine, struct mc_event *out, size_t n)
{
	mc_wake_clear(&engine->wake);
	collect_garbage(engine);
	size_t got = mc_ring_read(&engine->events, out, n);
	if (mc_ring_count(&engine->events))
		mc_wake_signal(&engine->wake); /* the caller's array was too small */
	return got;
}

int mc_engine_event_fd(const struct mc_engine *engine)
{
	return engine->wake.read_fd;
}

void mc_engine_stats(const struct mc_engine *engine, struct mc_engine_stats *out)
{
	*out = (struct mc_engine_stats){
		.ticks = atomic_load_explicit(&engine->stat_ticks, memory_order_relaxed),
		.commands = atomic_load_explicit(&engine->stat_commands, memory_order_relaxed),
		.commands_stale = atomic_load_explicit(&engine->stat_stale, memory_order_relaxed),
		.events = atomic_load_explicit(&engine->stat_events, memory_order_relaxed),
		.events_dropped = atomic_load_explicit(&engine->stat_dropped, memory_order_relaxed),
		.legs_open = engine->legs_open,
		.bridges_open = engine->bridges_open,
	};
}

static struct leg_slot *slot_of(const struct mc_engine *engine, mc_handle leg)
{
	uint32_t index = leg & MC_INDEX_MASK;
	if (leg & MC_BRIDGE_BIT || index >= engine->cfg.max_legs)
		return NULL;
	struct leg_slot *slot = &engine->leg_slots[index];
	return slot->leg && slot->serial == leg >> 16 ? slot : NULL;
}

static struct bridge_slot *bridge_slot_of(const struct mc_engine *engine, mc_handle bridge)
{
	uint32_t index = bridge & MC_INDEX_MASK;
	if (!(bridge & MC_BRIDGE_BIT) || index >= engine->cfg.max_bridges)
		return NULL;
	struct bridge_slot *slot = &engine->bridge_slots[index];
	return slot->srate && slot->serial == (bridge & ~(mc_handle)MC_BRIDGE_BIT) >> 16 ? slot
											 : NULL;
}

static uint16_t next_serial(uint16_t serial)
{
	return (uint16_t)(serial % 0x7FFF + 1); /* 1..0x7FFF: bit 31 tells bridges */
}

static int send_command(struct mc_engine *engine, const struct command *cmd)
{
	return mc_ring_write(&engine->commands, cmd, 1) ? MC_OK : MC_EFULL;
}

size_t mc_leg_memory(const struct mc_leg_cfg *cfg)
{
	return mc_leg_size(cfg);
}

static void close_sockets(const struct mc_leg_cfg *cfg)
{
	mc_udp_close(cfg->fd);
	if (cfg->rtcp == MC_RTCP_PAIR)
		mc_udp_close(cfg->rtcp_fd);
}

int mc_leg_open(struct mc_engine *engine, const struct mc_leg_cfg *cfg, mc_handle *out)
{
	uint32_t index = 0;
	struct mc_leg *leg = NULL;
	int rc = MC_EFULL;

	while (index < engine->cfg.max_legs && engine->leg_slots[index].leg)
		index++;
	if (index == engine->cfg.max_legs || !mc_ring_room(&engine->commands))
		goto fail;
	size_t size = mc_leg_size(cfg);
	if (!size) { /* not buildable: the initialiser says why before it touches memory */
		rc = mc_leg_init(&leg, NULL, 0, cfg);
		goto fail;
	}
	void *mem = aligned_alloc(64, (size + 63) & ~(size_t)63);
	rc = MC_ENOMEM;
	if (!mem)
		goto fail;
	rc = mc_leg_init(&leg, mem, size, cfg);
	if (rc < 0) {
		free(mem);
		goto fail;
	}
	struct leg_slot *slot = &engine->leg_slots[index];
	uint16_t serial = next_serial(slot->serial);
	*slot = (struct leg_slot){.leg = leg, .serial = serial};
	mc_leg_wire_of(leg, &slot->wire);
	*out = (mc_handle)serial << 16 | index;
	engine->legs_open++;
	return send_command(engine, &(struct command){
					    .kind = CMD_LEG_OPEN,
					    .target = *out,
					    .leg = leg,
				    });
fail:
	close_sockets(cfg);
	return rc;
}

/* A command for a leg that needs no more than its kind. */
static int command_leg(struct mc_engine *engine, mc_handle leg, struct command cmd)
{
	if (!slot_of(engine, leg))
		return MC_ENOENT;
	cmd.target = leg;
	return send_command(engine, &cmd);
}

int mc_leg_close(struct mc_engine *engine, mc_handle leg)
{
	return command_leg(engine, leg, (struct command){.kind = CMD_LEG_CLOSE});
}

int mc_leg_free(struct mc_engine *engine, mc_handle leg)
{
	struct leg_slot *slot = slot_of(engine, leg);
	if (!slot)
		return MC_ENOENT;
	if (!atomic_load_explicit(&slot->done, memory_order_acquire))
		return MC_ESTATE;
	free_leg(slot);
	engine->legs_open--;
	return MC_OK;
}

int mc_leg_stats(const struct mc_engine *engine, mc_handle leg, struct mc_leg_stats *out)
{
	struct leg_slot *slot = slot_of(engine, leg);
	if (!slot)
		return MC_ENOENT;
	mc_leg_read_stats(slot->leg, out);
	return MC_OK;
}

int mc_leg_push_packet(struct mc_engine *engine, mc_handle leg, const uint8_t *data, size_t n)
{
	struct leg_slot *slot = slot_of(engine, leg);
	struct mc_ring *ring = slot ? mc_leg_link_in(slot->leg) : NULL;
	struct mc_link_packet packet = {.n = (uint16_t)n};

	if (!ring)
		return MC_ENOENT;
	if (n > sizeof(packet.data))
		return MC_EINVAL;
	memcpy(packet.data, data, n);
	return mc_ring_write(ring, &packet, 1) ? MC_OK : MC_EFULL;
}

int mc_leg_pull_packet(struct mc_engine *engine, mc_handle leg, uint8_t *out, size_t cap)
{
	struct leg_slot *slot = slot_of(engine, leg);
	struct mc_ring *ring = slot ? mc_leg_link_out(slot->leg) : NULL;
	struct mc_link_packet packet;

	if (!ring)
		return MC_ENOENT;
	if (!mc_ring_count(ring))
		return MC_EAGAIN;
	mc_ring_peek(ring, mc_ring_released(ring), &packet, 1);
	if (packet.n > cap)
		return MC_EINVAL;
	memcpy(out, packet.data, packet.n);
	mc_ring_release(ring, mc_ring_released(ring) + 1);
	return packet.n;
}

/* -------------------------------------------------------------- stream link */

static struct mc_stream *stream_of(const struct mc_engine *engine, mc_handle leg)
{
	struct leg_slot *slot = slot_of(engine, leg);
	return slot ? mc_leg_stream_of(slot->leg) : NULL;
}

int mc_leg_push_media(struct mc_engine *engine, mc_handle leg, const uint8_t *payload, size_t n,
		      const struct mc_media_stamp *stamp)
{
	struct mc_stream *stream = stream_of(engine, leg);

	if (!stream)
		return slot_of(engine, leg) ? MC_ESTATE : MC_ENOENT;
	if (n > INT32_MAX)
		return MC_EINVAL;
	return (int)mc_stream_push(stream, payload, n, stamp);
}

int mc_leg_pull_media(struct mc_engine *engine, mc_handle leg, struct mc_media_item *item,
		      uint8_t *buf)
{
	struct mc_stream *stream = stream_of(engine, leg);

	if (!stream)
		return slot_of(engine, leg) ? MC_ESTATE : MC_ENOENT;
	return mc_stream_pull(stream, item, buf) ? MC_OK : MC_EAGAIN;
}

int mc_engine_stream_fd(const struct mc_engine *engine)
{
	return engine->stream_wake.read_fd;
}

void mc_engine_stream_clear(struct mc_engine *engine)
{
	mc_wake_clear(&engine->stream_wake);
}

/* ------------------------------------------------------------ agent's speech */

int mc_leg_say_begin(struct mc_engine *engine, mc_handle leg, uint64_t utterance,
		     mc_generation generation)
{
	struct leg_slot *slot = slot_of(engine, leg);
	if (!slot)
		return MC_ENOENT;
	if (slot->saying)
		return MC_ESTATE;
	struct mc_playout *po = mc_leg_playout(slot->leg);
	if (!mc_ring_room(&engine->commands) || !mc_playout_reserve(po))
		return MC_EFULL;
	slot->saying = true;
	slot->say_start = mc_playout_written(po);
	return send_command(engine, &(struct command){
					    .kind = CMD_SAY_BEGIN,
					    .target = leg,
					    .say = {.utterance = utterance,
						    .generation = generation,
						    .start = slot->say_start},
				    });
}

int mc_leg_say(struct mc_engine *engine, mc_handle leg, const int16_t *pcm, size_t n)
{
	struct leg_slot *slot = slot_of(engine, leg);
	if (!slot)
		return MC_ENOENT;
	if (!slot->saying)
		return MC_ESTATE;
	return (int)mc_playout_write(mc_leg_playout(slot->leg), pcm, n);
}

int mc_leg_mark(struct mc_engine *engine, mc_handle leg, uint32_t mark, uint64_t position)
{
	struct leg_slot *slot = slot_of(engine, leg);
	if (!slot)
		return MC_ENOENT;
	if (!slot->saying)
		return MC_ESTATE;
	return send_command(engine, &(struct command){
					    .kind = CMD_MARK,
					    .target = leg,
					    .mark = {.id = mark, .at = slot->say_start + position},
				    });
}

int mc_leg_say_end(struct mc_engine *engine, mc_handle leg)
{
	struct leg_slot *slot = slot_of(engine, leg);
	if (!slot)
		return MC_ENOENT;
	if (!slot->saying)
		return MC_ESTATE;
	int rc = send_command(
		engine, &(struct command){
				.kind = CMD_SAY_END,
				.target = leg,
				.say = {.start = mc_playout_written(mc_leg_playout(slot->leg))},
			});
	slot->saying = rc < 0;
	return rc;
}

size_t mc_leg_say_room(const struct mc_engine *engine, mc_handle leg)
{
	struct leg_slot *slot = slot_of(engine, leg);
	return slot ? mc_playout_room(mc_leg_playout(slot->leg)) : 0;
}

int mc_leg_pause(struct mc_engine *engine, mc_handle leg)
{
	return command_leg(engine, leg, (struct command){.kind = CMD_PAUSE});
}

int mc_leg_resume(struct mc_engine *engine, mc_handle leg, bool from_mark)
{
	return command_leg(engine, leg,
			   (struct command){.kind = CMD_RESUME, .from_mark = from_mark});
}

int mc_leg_cut(struct mc_engine *engine, mc_handle leg, mc_generation generation)
{
	return command_leg(engine, leg,
			   (struct command){.kind = CMD_CUT, .generation = generation});
}

int mc_leg_duck(struct mc_engine *engine, mc_handle leg, uint8_t db)
{
	return command_leg(engine, leg, (struct command){.kind = CMD_DUCK, .db = db});
}

int mc_leg_arm(struct mc_engine *engine, mc_handle leg, const struct mc_barge_in *policy)
{
	if (policy->action > MC_BARGE_CUT)
		return MC_EINVAL;
	return command_leg(engine, leg, (struct command){.kind = CMD_ARM, .policy = *policy});
}

int mc_leg_send_digits(struct mc_engine *engine, mc_handle leg, const char *digits,
		       uint16_t tone_ms, uint16_t gap_ms)
{
	size_t n = strlen(digits);

	if (n > MC_TELEV_QUEUE || tone_ms < MC_TELEV_MIN_MS || gap_ms < MC_TELEV_MIN_MS)
		return MC_EINVAL;
	for (size_t i = 0; i < n; i++)
		if (mc_telev_code(digits[i]) < 0)
			return MC_EINVAL;
	if (!slot_of(engine, leg))
		return MC_ENOENT;
	if (mc_ring_room(&engine->commands) < n)
		return MC_EFULL;
	for (size_t i = 0; i < n; i++) {
		struct command cmd = {
			.kind = CMD_DIGIT,
			.target = leg,
			.digit = {.digit = digits[i], .tone_ms = tone_ms, .gap_ms = gap_ms},
		};
		int rc = send_command(engine, &cmd);
		if (rc < 0)
			return rc;
	}
	return MC_OK;
}

/* ------------------------------------------------------------- limit, hold */

int mc_leg_limit(struct mc_engine *engine, mc_handle leg, uint64_t ticks_from_now)
{
	if (ticks_from_now > UINT64_C(1) << 40)
		return MC_EINVAL;
	return command_leg(engine, leg,
			   (struct command){.kind = CMD_LIMIT, .ticks = ticks_from_now});
}

int mc_leg_hold(struct mc_engine *engine, mc_handle leg, bool on)
{
	return command_leg(engine, leg, (struct command){.kind = CMD_HOLD, .on = on});
}

int mc_leg_push_digit(struct mc_engine *engine, mc_handle leg, char digit, uint32_t duration_ms)
{
	int code = mc_telev_code(digit);
	if (code < 0)
		return MC_EINVAL;
	struct command cmd = {
		.kind = CMD_PUSH_DIGIT,
		.signalled = {.digit = mc_telev_digit((uint8_t)code), .duration_ms = duration_ms},
	};
	return command_leg(engine, leg, cmd);
}

/* ------------------------------------------------------------- signalling */

int mc_leg_direction(struct mc_engine *engine, mc_handle leg, bool send, bool receive)
{
	struct command cmd = {
		.kind = CMD_DIRECTION,
		.direction = {.send = send, .receive = receive},
	};
	return command_leg(engine, leg, cmd);
}

int mc_leg_retarget(struct mc_engine *engine, mc_handle leg, const struct mc_leg_target *target)
{
	struct leg_slot *slot = slot_of(engine, leg);
	if (!slot)
		return MC_ENOENT;
	struct mc_leg_wire wire = slot->wire;
	int rc = mc_leg_resolve(slot->leg, &wire, target);
	if (rc < 0)
		return rc;
	rc = command_leg(engine, leg, (struct command){.kind = CMD_RETARGET, .wire = wire});
	if (rc == MC_OK)
		slot->wire = wire;
	return rc;
}

int mc_leg_rekey(struct mc_engine *engine, mc_handle leg, const struct mc_srtp_keys *keys)
{
	struct leg_slot *slot = slot_of(engine, leg);
	if (!slot)
		return MC_ENOENT;
	collect_garbage(engine); /* what is on its way to the tick and back fits then */
	struct mc_srtp *fresh = NULL;
	int rc = keys ? mc_srtp_open(&fresh, keys, mc_leg_first_ssrc(slot->leg)) : MC_OK;
	if (rc == MC_OK)
		rc = command_leg(engine, leg, (struct command){.kind = CMD_REKEY, .srtp = fresh});
	if (rc < 0)
		mc_srtp_close(fresh);
	return rc;
}

/* -------------------------------------------------------------------- bed */

static int bed_of(const struct mc_engine *engine, mc_handle leg, struct mc_bed **out)
{
	struct leg_slot *slot = slot_of(engine, leg);
	if (!slot)
		return MC_ENOENT;
	*out = mc_leg_bed_of(slot->leg);
	return *out ? MC_OK : MC_ESTATE;
}

int mc_leg_bed(struct mc_engine *engine, mc_handle leg, const int16_t *pcm, size_t n)
{
	struct mc_bed *bed;
	int rc = bed_of(engine, leg, &bed);
	return rc < 0 ? rc : (int)mc_bed_write(bed, pcm, n);
}

size_t mc_leg_bed_room(const struct mc_engine *engine, mc_handle leg)
{
	struct mc_bed *bed;
	return bed_of(engine, leg, &bed) < 0 ? 0 : mc_bed_room(bed);
}

int mc_leg_bed_gain(struct mc_engine *engine, mc_handle leg, float db)
{
	struct mc_bed *bed;
	int rc = bed_of(engine, leg, &bed);
	if (rc < 0)
		return rc;
	if (!(db <= BED_MAX_DB))
		return MC_EINVAL;
	int32_t gain = db < BED_MIN_DB ? 0 : (int32_t)lrintf(MC_BED_GAIN_ONE * powf(10, db / 20));
	return command_leg(engine, leg, (struct command){.kind = CMD_BED_GAIN, .gain_q12 = gain});
}

int mc_leg_bed_stop(struct mc_engine *engine, mc_handle leg)
{
	struct mc_bed *bed;
	int rc = bed_of(engine, leg, &bed);
	if (rc < 0)
		return rc;
	return command_leg(engine, leg,
			   (struct command){.kind = CMD_BED_STOP, .position = mc_bed_written(bed)});
}

/* -------------------------------------------------------------------- forks */

/* The leg is the source of a copy, as far as this side knows. */
static bool is_forked(const struct mc_engine *engine, mc_handle leg)
{
	for (uint32_t i = 0; i < engine->cfg.max_legs; i++)
		if (engine->leg_slots[i].leg && engine->leg_slots[i].fork == leg)
			return true;
	return false;
}

int mc_leg_fork(struct mc_engine *engine, mc_handle to, mc_handle from, uint32_t directions)
{
	struct leg_slot *target = slot_of(engine, to), *source = slot_of(engine, from);
	struct mc_fork *fork = NULL;

	if (!target || !source)
		return MC_ENOENT;
	if (to == from || (target->fork && slot_of(engine, target->fork)) ||
	    (source->fork && slot_of(engine, source->fork)) || is_forked(engine, to))
		return MC_ESTATE;
	if (!mc_ring_room(&engine->commands))
		return MC_EFULL;
	collect_garbage(engine);
	uint32_t from_srate = mc_leg_srate(source->leg), to_srate = mc_leg_srate(target->leg);
	size_t size = mc_fork_size(from_srate, to_srate);
	void *mem = aligned_alloc(64, (size + 63) & ~(size_t)63);
	if (!mem)
		return MC_ENOMEM;
	int rc = mc_fork_init(&fork, mem, size, from, to, from_srate, to_srate, directions);
	if (rc < 0) {
		free(mem);
		return rc;
	}
	target->fork = from;
	return send_command(engine,
			    &(struct command){.kind = CMD_FORK, .target = to, .fork = fork});
}

int mc_leg_unfork(struct mc_engine *engine, mc_handle to)
{
	struct leg_slot *target = slot_of(engine, to);
	if (!target)
		return MC_ENOENT;
	int rc = send_command(engine, &(struct command){.kind = CMD_UNFORK, .target = to});
	if (rc == MC_OK)
		target->fork = 0;
	return rc;
}

/* --------------------------------------------------------------------- taps */

size_t mc_leg_read_tap(struct mc_engine *engine, mc_handle leg, enum mc_tap tap, int16_t *out,
		       size_t n, uint64_t *at)
{
	struct leg_slot *slot = slot_of(engine, leg);
	struct mc_tap_ring *ring = slot ? mc_leg_tap_ring(slot->leg, tap) : NULL;
	return ring && tap != MC_TAP_NOTES ? mc_tap_read(ring, out, n, at) : 0;
}

size_t mc_leg_read_notes(struct mc_engine *engine, mc_handle leg, struct mc_note *out, size_t n)
{
	struct leg_slot *slot = slot_of(engine, leg);
	struct mc_tap_ring *ring = slot ? mc_leg_tap_ring(slot->leg, MC_TAP_NOTES) : NULL;
	uint64_t at;
	return ring ? mc_tap_read(ring, out, n, &at) : 0;
}

/* ------------------------------------------------------------------ bridges */

int mc_bridge_open(struct mc_engine *engine, uint32_t srate, mc_handle *out)
{
	uint32_t index = 0;

	if (!mc_srate_ok(srate))
		return MC_EINVAL;
	while (index < engine->cfg.max_bridges && engine->bridge_slots[index].srate)
		index++;
	if (index == engine->cfg.max_bridges || !mc_ring_room(&engine->commands))
		return MC_EFULL;
	collect_garbage(engine); /* so that what is alive bounds it, poll or no poll */
	struct mc_bridge *bridge = malloc(mc_bridge_size());
	if (!bridge)
		return MC_ENOMEM;
	struct bridge_slot *slot = &engine->bridge_slots[index];
	*slot = (struct bridge_slot){.srate = srate, .serial = next_serial(slot->serial)};
	*out = (mc_handle)MC_BRIDGE_BIT | (mc_handle)slot->serial << 16 | index;
	mc_bridge_init(bridge, srate, *out);
	engine->bridges_open++;
	return send_command(engine, &(struct command){
					    .kind = CMD_BRIDGE_OPEN,
					    .target = *out,
					    .bridge = bridge,
				    });
}

int mc_bridge_close(struct mc_engine *engine, mc_handle bridge)
{
	struct bridge_slot *slot = bridge_slot_of(engine, bridge);
	if (!slot)
		return MC_ENOENT;
	int rc =
		send_command(engine, &(struct command){.kind = CMD_BRIDGE_CLOSE, .target = bridge});
	if (rc < 0)
		return rc;
	slot->srate = 0;
	engine->bridges_open--;
	for (uint32_t i = 0; i < engine->cfg.max_legs; i++)
		if (engine->leg_slots[i].bridge == bridge)
			engine->leg_slots[i].bridge = 0;
	return MC_OK;
}

int mc_bridge_join(struct mc_engine *engine, mc_handle bridge, mc_handle leg)
{
	struct bridge_slot *slot = bridge_slot_of(engine, bridge);
	struct leg_slot *member = slot_of(engine, leg);
	struct mc_port *port = NULL;
	size_t members = 0;

	if (!slot || !member)
		return MC_ENOENT;
	if (member->bridge)
		return MC_ESTATE;
	for (uint32_t i = 0; i < engine->cfg.max_legs; i++)
		members += engine->leg_slots[i].bridge == bridge;
	if (members >= MC_BRIDGE_LEGS || !mc_ring_room(&engine->commands))
		return MC_EFULL;
	collect_garbage(engine);
	uint32_t srate = mc_leg_srate(member->leg);
	size_t size = mc_port_size(srate, slot->srate);
	void *mem = calloc(1, size);
	if (!mem)
		return MC_ENOMEM;
	int rc = mc_port_init(&port, mem, size, leg, srate, slot->srate,
			      mc_leg_rx_frame(member->leg));
	if (rc < 0) {
		free(mem);
		return rc;
	}
	member->bridge = bridge;
	return send_command(engine, &(struct command){
					    .kind = CMD_BRIDGE_JOIN,
					    .target = bridge,
					    .port = {.port = port, .leg = leg},
				    });
}

int mc_bridge_leave(struct mc_engine *engine, mc_handle bridge, mc_handle leg)
{
	struct leg_slot *member = slot_of(engine, leg);
	if (!bridge_slot_of(engine, bridge) || !member || member->bridge != bridge)
		return MC_ENOENT;
	int rc = send_command(engine, &(struct command){
					      .kind = CMD_BRIDGE_LEAVE,
					      .target = bridge,
					      .port = {.leg = leg},
				      });
	if (rc == MC_OK)
		member->bridge = 0;
	return rc;
}

int mc_bridge_gain(struct mc_engine *engine, mc_handle bridge, mc_handle from, mc_handle to,
		   int16_t gain_q15)
{
	if (!bridge_slot_of(engine, bridge))
		return MC_ENOENT;
	if (gain_q15 < 0)
		return MC_EINVAL;
	return send_command(engine, &(struct command){
					    .kind = CMD_BRIDGE_GAIN,
					    .target = bridge,
					    .gain = {.from = from, .to = to, .gain_q15 = gain_q15},
				    });
}
