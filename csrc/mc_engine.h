/* mc_engine: what the two sides of an engine share.
 *
 *   control thread (mc_control.c)            media thread (mc_engine.c)
 *   handles, allocation, the public API      the tick
 *        │ commands ─────────────────────────────► │
 *        │ ◄───────────────────── events, garbage  │
 *
 * Each side touches its own fields only; the rings and the atomics are the borders.
 */
#ifndef MC_ENGINE_H
#define MC_ENGINE_H

#include <stdatomic.h>

#include "mc_bridge.h"
#include "mc_fork.h"
#include "mc_leg.h"
#include "mc_ring.h"
#include "mc_srtp.h"
#include "mc_wake.h"
#include "mediacore.h"

enum {
	MC_BRIDGE_BIT = 1u << 31, /* tells bridge handles from leg handles */
	MC_INDEX_MASK = 0xFFFF,
};

enum command_kind {
	CMD_LEG_OPEN,
	CMD_LEG_CLOSE,
	CMD_SAY_BEGIN,
	CMD_SAY_END,
	CMD_MARK,
	CMD_PAUSE,
	CMD_RESUME,
	CMD_CUT,
	CMD_DUCK,
	CMD_ARM,
	CMD_DIGIT,
	CMD_LIMIT,
	CMD_HOLD,
	CMD_PUSH_DIGIT,
	CMD_DIRECTION,
	CMD_RETARGET,
	CMD_REKEY,
	CMD_BED_GAIN,
	CMD_BED_STOP,
	CMD_FORK,
	CMD_UNFORK,
	CMD_BRIDGE_OPEN,
	CMD_BRIDGE_CLOSE,
	CMD_BRIDGE_JOIN,
	CMD_BRIDGE_LEAVE,
	CMD_BRIDGE_GAIN,
};

struct command {
	uint32_t kind;
	mc_handle target;
	union {
		struct mc_leg *leg;
		struct mc_bridge *bridge;
		struct {
			uint64_t utterance, start;
			mc_generation generation;
		} say;
		struct {
			uint64_t at;
			uint32_t id;
		} mark;
		struct mc_fork *fork;
		uint64_t ticks;
		uint64_t position;
		int32_t gain_q12;
		bool from_mark;
		bool on;
		mc_generation generation;
		uint8_t db;
		struct mc_barge_in policy;
		struct {
			uint16_t tone_ms, gap_ms;
			char digit;
		} digit;
		struct {
			uint32_t duration_ms;
			char digit;
		} signalled;
		struct {
			bool send, receive;
		} direction;
		struct mc_leg_wire wire;
		struct mc_srtp *srtp;
		struct {
			struct mc_port *port;
			mc_handle leg;
		} port;
		struct {
			mc_handle from, to;
			int16_t gain_q15;
		} gain;
	};
};

/* Control thread's view of a handle. */
struct leg_slot {
	struct mc_leg *leg; /* NULL: free */
	uint16_t serial;
	bool saying; /* between say_begin and say_end */
	uint64_t say_start;
	struct mc_leg_wire wire; /* as last commanded */
	mc_handle bridge;        /* 0: in none */
	mc_handle fork;          /* whose copy it sends; 0: nobody's. May be gone already */
	atomic_bool done;        /* set by the tick: the leg is out of it */
};

struct bridge_slot {
	uint32_t srate; /* 0: free */
	uint16_t serial;
};

/* Media thread's view. */
struct active_leg {
	struct mc_leg *leg;
	mc_handle handle;
	struct mc_port *port; /* NULL: in no bridge */
	struct mc_fork *fork; /* whose copy it sends; NULL: nobody's */
	uint32_t forked;      /* legs that send a copy of it */
	bool closing;         /* by command */
	bool exhausted;       /* its budget is spent: this tick is the last */
};

struct active_bridge {
	struct mc_bridge *bridge;
	mc_handle handle;
};

struct mc_engine {
	struct mc_engine_cfg cfg;
	struct mc_wake wake;
	struct mc_wake stream_wake;
	struct mc_ring commands; /* control -> media */
	struct mc_ring events;   /* media -> control */
	struct mc_ring garbage;  /* media -> control: memory to free */
	struct mc_ring retired;  /* media -> control: struct mc_srtp to close and free */

	/* control thread */
	struct leg_slot *leg_slots;
	struct bridge_slot *bridge_slots;
	uint64_t legs_open, bridges_open;

	/* media thread */
	struct active_leg *legs;
	size_t leg_count;
	struct active_bridge *bridges;
	size_t bridge_count;
	struct mc_fork **forks;
	size_t fork_count;
	uint16_t *leg_index; /* handle index -> place in legs */
	uint64_t tick;
	uint64_t unreported; /* events dropped since the last MC_EV_OVERRUN */
	uint64_t wall_offset_us;
	mc_handle emitting; /* leg whose events are being emitted */
	struct mc_leg_scratch scratch;

	_Atomic uint64_t stat_ticks, stat_commands, stat_stale, stat_events, stat_dropped;
};

#endif
