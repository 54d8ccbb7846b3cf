/* The tick: everything that runs on the media thread. */
#include "mc_engine.h"

static void bump(_Atomic uint64_t *counter, uint64_t by)
{
	uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);
	atomic_store_explicit(counter, old + by, memory_order_relaxed);
}

static void emit(void *ctx, const struct mc_event *event)
{
	struct mc_engine *engine = ctx;
	struct mc_event out = *event;

	if (engine->unreported) {
		struct mc_event overrun = {
			.kind = MC_EV_OVERRUN,
			.tick = engine->tick,
			.a = (uint32_t)engine->unreported,
		};
		/* Room for both, or neither: the overrun must not hide the event it announces. */
		if (mc_ring_room(&engine->events) >= 2 &&
		    mc_ring_write(&engine->events, &overrun, 1))
			engine->unreported = 0;
	}
	out.leg = engine->emitting;
	out.tick = engine->tick;
	if (!engine->unreported && mc_ring_write(&engine->events, &out, 1)) {
		bump(&engine->stat_events, 1);
		return;
	}
	engine->unreported++;
	bump(&engine->stat_dropped, 1);
}

static void discard(struct mc_engine *engine, void *memory)
{
	/* The ring holds as many as can be alive, so this always fits. */
	size_t done = mc_ring_write(&engine->garbage, &memory, 1);
	MC_ASSERT(done == 1);
	(void)done;
}

static struct active_leg *find_leg(struct mc_engine *engine, mc_handle handle)
{
	uint32_t index = handle & MC_INDEX_MASK;
	if (index >= engine->cfg.max_legs || engine->leg_index[index] >= engine->leg_count)
		return NULL;
	struct active_leg *leg = &engine->legs[engine->leg_index[index]];
	return leg->handle == handle ? leg : NULL;
}

static struct mc_bridge *find_bridge(struct mc_engine *engine, mc_handle handle, size_t *place)
{
	for (size_t i = 0; i < engine->bridge_count; i++) {
		if (engine->bridges[i].handle != handle)
			continue;
		if (place)
			*place = i;
		return engine->bridges[i].bridge;
	}
	return NULL;
}

static void unlink_port(struct mc_engine *engine, struct mc_port *port, mc_handle leg)
{
	struct active_leg *active = find_leg(engine, leg);
	if (active)
		active->port = NULL;
	if (port)
		discard(engine, port);
}

static void end_fork(struct mc_engine *engine, struct mc_fork *fork)
{
	struct active_leg *from = find_leg(engine, mc_fork_from(fork));
	struct active_leg *to = find_leg(engine, mc_fork_to(fork));
	size_t i = 0;

	if (from)
		from->forked--;
	if (to)
		to->fork = NULL;
	while (engine->forks[i] != fork)
		i++;
	engine->forks[i] = engine->forks[--engine->fork_count];
	discard(engine, fork);
}

static bool begin_fork(struct mc_engine *engine, struct mc_fork *fork)
{
	struct active_leg *from = find_leg(engine, mc_fork_from(fork));
	struct active_leg *to = find_leg(engine, mc_fork_to(fork));

	if (!from || !to) {
		discard(engine, fork);
		return false;
	}
	if (to->fork)
		end_fork(engine, to->fork);
	to->fork = fork;
	from->forked++;
	engine->forks[engine->fork_count++] = fork;
	return true;
}

static void leg_opened(struct mc_engine *engine, const struct command *cmd)
{
	uint32_t index = cmd->target & MC_INDEX_MASK;
	engine->leg_index[index] = (uint16_t)engine->leg_count;
	engine->legs[engine->leg_count++] =
		(struct active_leg){.leg = cmd->leg, .handle = cmd->target};
	engine->emitting = cmd->target;
	emit(engine, &(struct mc_event){.kind = MC_EV_LEG_OPENED});
}

static bool apply_to_leg(struct mc_engine *engine, const struct command *cmd,
			 const struct mc_leg_env *env)
{
	struct active_leg *active = find_leg(engine, cmd->target);
	if (cmd->kind == CMD_REKEY) {
		struct mc_srtp *old = active ? mc_leg_set_srtp(active->leg, cmd->srtp) : cmd->srtp;
		/* Whoever commands collects first, so this always fits. */
		size_t done = mc_ring_write(&engine->retired, &old, 1);
		MC_ASSERT(done == 1);
		(void)done;
		return active != NULL;
	}
	if (!active)
		return false;
	struct mc_leg *leg = active->leg;
	struct mc_playout *po = mc_leg_playout(leg);
	engine->emitting = active->handle;

	switch ((enum command_kind)cmd->kind) {
	case CMD_LEG_CLOSE:
		active->closing = true;
		break;
	case CMD_SAY_BEGIN:
		mc_playout_begin(po, cmd->say.utterance, cmd->say.generation, cmd->say.start,
				 &env->sink);
		break;
	case CMD_SAY_END:
		mc_playout_end(po, cmd->say.start);
		break;
	case CMD_MARK:
		mc_playout_mark(po, cmd->mark.id, cmd->mark.at);
		break;
	case CMD_PAUSE:
		mc_leg_pause_voice(leg);
		break;
	case CMD_RESUME:
		mc_leg_resume_voice(leg, cmd->from_mark);
		break;
	case CMD_CUT:
		mc_playout_cut(po, cmd->generation, MC_CUT_COMMAND);
		break;
	case CMD_DUCK:
		mc_playout_duck(po, cmd->db);
		break;
	case CMD_ARM:
		mc_leg_set_barge_in(leg, &cmd->policy);
		break;
	case CMD_DIGIT:
		mc_leg_queue_digit(leg, cmd->digit.digit, cmd->digit.tone_ms, cmd->digit.gap_ms);
		break;
	case CMD_LIMIT:
		mc_leg_set_limit(leg, cmd->ticks);
		break;
	case CMD_HOLD:
		mc_leg_set_held(leg, cmd->on, env);
		break;
	case CMD_PUSH_DIGIT:
		mc_leg_signalled_digit(leg, cmd->signalled.digit, cmd->signalled.duration_ms, env);
		break;
	case CMD_DIRECTION:
		mc_leg_set_direction(leg, cmd->direction.send, cmd->direction.receive, env);
		break;
	case CMD_RETARGET:
		mc_leg_set_wire(leg, &cmd->wire, env);
		break;
	case CMD_BED_GAIN:
		mc_bed_gain(mc_leg_bed_of(leg), cmd->gain_q12);
		break;
	case CMD_BED_STOP:
		mc_bed_stop(mc_leg_bed_of(leg), cmd->position);
		break;
	case CMD_UNFORK:
		if (active->fork)
			end_fork(engine, active->fork);
		break;
	default:
		return false;
	}
	return true;
}

static bool apply_to_bridge(struct mc_engine *engine, const struct command *cmd)
{
	size_t place = 0;
	struct mc_bridge *bridge = find_bridge(engine, cmd->target, &place);
	struct active_leg *leg;
	mc_handle member;

	if (cmd->kind == CMD_BRIDGE_OPEN) {
		engine->bridges[engine->bridge_count++] = (struct active_bridge){
			.bridge = cmd->bridge,
			.handle = cmd->target,
		};
		return true;
	}
	if (!bridge) {
		if (cmd->kind == CMD_BRIDGE_JOIN)
			discard(engine, cmd->port.port);
		return false;
	}
	switch ((enum command_kind)cmd->kind) {
	case CMD_BRIDGE_CLOSE:
		for (struct mc_port *port; (port = mc_bridge_remove_any(bridge, &member));)
			unlink_port(engine, port, member);
		engine->bridges[place] = engine->bridges[--engine->bridge_count];
		discard(engine, bridge);
		return true;
	case CMD_BRIDGE_JOIN:
		leg = find_leg(engine, cmd->port.leg);
		if (!leg || mc_bridge_add(bridge, cmd->port.port) < 0) {
			discard(engine, cmd->port.port);
			return false;
		}
		leg->port = cmd->port.port;
		return true;
	case CMD_BRIDGE_LEAVE:
		unlink_port(engine, mc_bridge_remove(bridge, cmd->port.leg), cmd->port.leg);
		return true;
	case CMD_BRIDGE_GAIN:
		mc_bridge_set_gain(bridge, cmd->gain.from, cmd->gain.to, cmd->gain.gain_q15);
		return true;
	default:
		return false;
	}
}

static void drain_commands(struct mc_engine *engine, const struct mc_leg_env *env)
{
	struct command cmd;
	/* Bounded: what is there when the tick begins. */
	for (size_t left = mc_ring_count(&engine->commands); left; left--) {
		mc_ring_read(&engine->commands, &cmd, 1);
		bump(&engine->stat_commands, 1);
		bool done = true;
		if (cmd.kind == CMD_LEG_OPEN)
			leg_opened(engine, &cmd);
		else if (cmd.kind == CMD_FORK)
			done = begin_fork(engine, cmd.fork);
		else if (cmd.target & MC_BRIDGE_BIT)
			done = apply_to_bridge(engine, &cmd);
		else
			done = apply_to_leg(engine, &cmd, env);
		if (!done)
			bump(&engine->stat_stale, 1);
	}
}

static void leg_closed(struct mc_engine *engine, size_t place, uint32_t reason)
{
	struct active_leg gone = engine->legs[place];

	if (gone.port)
		for (size_t i = 0; i < engine->bridge_count; i++) {
			struct mc_port *port =
				mc_bridge_remove(engine->bridges[i].bridge, gone.handle);
			if (port)
				discard(engine, port);
		}
	for (size_t i = engine->fork_count; i-- > 0;)
		if (mc_fork_from(engine->forks[i]) == gone.handle ||
		    mc_fork_to(engine->forks[i]) == gone.handle)
			end_fork(engine, engine->forks[i]);
	engine->emitting = gone.handle;
	emit(engine, &(struct mc_event){.kind = MC_EV_LEG_CLOSED, .a = reason});
	struct active_leg *last = &engine->legs[--engine->leg_count];
	engine->legs[place] = *last;
	engine->leg_index[last->handle & MC_INDEX_MASK] = (uint16_t)place;
	engine->leg_index[gone.handle & MC_INDEX_MASK] = UINT16_MAX;
	atomic_store_explicit(&engine->leg_slots[gone.handle & MC_INDEX_MASK].done, true,
			      memory_order_release);
}

static void send_leg(struct mc_engine *engine, struct active_leg *active, const int16_t *heard,
		     const struct mc_leg_env *env)
{
	engine->emitting = active->handle;
	active->exhausted = mc_leg_exhausted(active->leg);
	if (active->closing || active->exhausted)
		mc_playout_cut(mc_leg_playout(active->leg), UINT64_MAX,
			       active->closing ? MC_CUT_CLOSE : MC_CUT_BUDGET);
	mc_leg_tx(active->leg, heard, env);
	for (size_t i = 0; active->forked && i < engine->fork_count; i++)
		if (mc_fork_from(engine->forks[i]) == active->handle)
			mc_fork_fill(engine->forks[i], mc_leg_rx_frame(active->leg),
				     env->scratch->pcm);
}

void mc_engine_tick(struct mc_engine *engine, uint64_t now_us)
{
	struct mc_leg_env env = {
		.now_us = now_us,
		.unix_us = now_us + engine->wall_offset_us,
		.scratch = &engine->scratch,
		.sink = {.emit = emit, .ctx = engine},
	};
	uint64_t events_before = mc_ring_written(&engine->events);

	for (size_t i = 0; i < engine->leg_count; i++)
		mc_playout_observe(mc_leg_playout(engine->legs[i].leg));
	drain_commands(engine, &env);
	for (size_t i = 0; i < engine->leg_count; i++) {
		engine->emitting = engine->legs[i].handle;
		mc_leg_rx(engine->legs[i].leg, &env);
		if (engine->legs[i].port)
			mc_port_mute(engine->legs[i].port, mc_leg_held(engine->legs[i].leg));
	}
	for (size_t i = 0; i < engine->bridge_count; i++)
		mc_bridge_mix(engine->bridges[i].bridge);
	for (size_t i = 0; i < engine->leg_count; i++) {
		struct active_leg *active = &engine->legs[i];
		if (!active->fork)
			send_leg(engine, active, active->port ? mc_port_heard(active->port) : NULL,
				 &env);
	}
	for (size_t i = 0; engine->fork_count && i < engine->leg_count; i++) {
		struct active_leg *active = &engine->legs[i]; /* after all that is copied */
		if (active->fork)
			send_leg(engine, active, mc_fork_frame(active->fork), &env);
	}
	for (size_t i = engine->leg_count; i-- > 0;) {
		struct active_leg *active = &engine->legs[i];
		if (!active->closing && !active->exhausted)
			continue;
		engine->emitting = active->handle;
		mc_leg_bye(active->leg, &env);
		leg_closed(engine, i, active->closing ? MC_CLOSED_BY_COMMAND : MC_CLOSED_BUDGET);
	}
	engine->tick++;
	bump(&engine->stat_ticks, 1);
	if (mc_ring_written(&engine->events) != events_before)
		mc_wake_signal(&engine->wake);
	if (engine->scratch.stream_out) {
		engine->scratch.stream_out = false;
		mc_wake_signal(&engine->stream_wake);
	}
}
