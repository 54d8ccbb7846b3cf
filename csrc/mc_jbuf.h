/* mc_jbuf: adaptive jitter buffer over encoded packets.
 *
 * What does it do?  Keeps packets in timestamp order and says, tick by tick, what to do next:
 *                   play one, conceal a hole, fill a pause, or wait. It also says when the
 *                   playout should run a little faster or slower.
 * How does it work?
 *
 *   put ─► transit = arrival − ts ─► delay = transit − (lowest transit of about 2 s)
 *           └► two histograms of delay (slow and fast forgetting)
 *               └► target = the delay that costs least by the E-model: delay impairment plus the
 *                  impairment of packets that would come too late (ITU-T G.107)
 *   get ─► margin = how long the next packet has had to arrive, on the same scale
 *           └► margin < target: expand; margin ≥ target + one tick: accelerate
 *
 *   The lowest transit moves with the sender's clock, so drift needs nothing of its own. The
 *   sequence number tells a lost packet from a pause (DTX): a jump in ts without one in seq is a
 *   pause. Numbers that telephone-events took (mc_jbuf_other) are no loss, and audio that they
 *   replace is a pause. While nothing is there to play the position stands still: whether the
 * missing packet is lost or only late is decided when something arrives.
 *
 *   Payloads lie in a pool of equal blocks; a long packet takes several. So memory is bounded in
 *   time of audio, whatever the packet length.
 *
 * State: a packet whose playout time makes no sense (transit off by more than 2 s, or a sequence
 * jump over 1000) is refused once; if the next one agrees with it the sender has restarted and
 * the buffer starts over (RFC 3550 A.1 idea).
 *
 * Cost: put about 0.1 µs plus a copy; get O(1). Memory (64 slots × 160 bytes): 13 KB.
 */
#ifndef MC_JBUF_H
#define MC_JBUF_H

#include "mc_types.h"

enum {
	MC_JBUF_SLOTS_MAX = 200,
	MC_JBUF_BLOCKS_MAX = 12, /* blocks one packet may take */
};

struct mc_jbuf_cfg {
	uint32_t clock_rate; /* RTP ticks per second */
	uint16_t slots;      /* packets and blocks, 4 … 200; 0 = 64 */
	uint16_t slot_bytes; /* bytes per block, 16 … 1500; 0 = 160 */
	uint16_t min_ms;     /* target limits; 0 = 10 and 0 = 400 */
	uint16_t max_ms;
	uint16_t start_ms; /* target before anything is known; 0 = 40 */
};

enum mc_jbuf_kind {
	MC_JBUF_AUDIO,
	MC_JBUF_CN, /* comfort noise, RFC 3389: what follows is a pause */
};

enum mc_jbuf_op {
	MC_JBUF_IDLE, /* nothing expected: not started, or paused */
	MC_JBUF_PLAY, /* decode payload, leave out the first skip_ts ticks */
	MC_JBUF_LOST, /* conceal len_ts: a packet never came, a later one is here */
	MC_JBUF_WAIT, /* conceal: a packet is due and nothing is here */
};

struct mc_jbuf_next {
	enum mc_jbuf_op op;
	enum mc_jbuf_kind kind; /* PLAY */
	uint32_t ts;            /* PLAY: of the packet; otherwise of the position */
	uint32_t len_ts;        /* PLAY: ticks in the packet; LOST: ticks to conceal */
	uint32_t skip_ts;       /* PLAY: leading ticks that are past their time */
	int jump;               /* PLAY: audio was left out before this packet: cross-fade */
	const uint8_t *payload; /* PLAY; LOST: the packet right after the hole, or NULL. Valid
				 * until the next put or get. */
	size_t payload_len;
};

enum mc_jbuf_advice {
	MC_JBUF_KEEP,
	MC_JBUF_EXPAND,     /* delay is below target */
	MC_JBUF_TRIM,       /* a part of a tick too much: worth it in background noise only */
	MC_JBUF_ACCELERATE, /* delay is above target by a tick or more */
	MC_JBUF_HURRY,      /* far above */
};

struct mc_jbuf_stats {
	uint32_t received; /* packets given to put, all of them */
	uint32_t late;     /* came after their playout */
	uint32_t duplicate;
	uint32_t overflow;  /* dropped because the buffer was full */
	uint32_t discarded; /* dropped to bring the delay down */
	uint32_t refused;   /* implausible seq or ts, or too long */
	uint32_t lost;      /* never came (late ones are not in here) */
	uint32_t resets;    /* sender restarts found by put, and mc_jbuf_restart() */
	uint16_t target_ms;
	uint16_t delay_ms; /* playout delay over the fastest packet */
	uint16_t packets;  /* held now */
};

struct mc_jbuf;

size_t mc_jbuf_size(const struct mc_jbuf_cfg *cfg);
/** return 0 | MC_EINVAL | MC_ENOMEM. */
int mc_jbuf_init(struct mc_jbuf **out, void *mem, size_t size,
		 const struct mc_jbuf_cfg *cfg) MC_WUR;
/** Everything as after init; counters too. */
void mc_jbuf_reset(struct mc_jbuf *jb);
/** New SSRC or timestamp base: drop what is held, learn the transit anew, keep the counters and
 *  the delay statistics. */
void mc_jbuf_restart(struct mc_jbuf *jb);
/** Another RTP clock, before a restart. clock_rate: as in the configuration. */
void mc_jbuf_set_clock(struct mc_jbuf *jb, uint32_t clock_rate);

/** Put one packet; the payload is copied. dur_ts: its length in RTP ticks (CN: 0).
 *  now_us: arrival, monotonic. Any seq and ts are safe.
 *  return MC_OK | MC_ELATE | MC_EDUP (not stored) | MC_EFULL (stored, oldest dropped; or not
 *  stored because it is itself the oldest) | MC_EINVAL (refused). RFC 3550 §5.1, A.1 */
int mc_jbuf_put(struct mc_jbuf *jb, uint16_t seq, uint32_t ts, uint32_t dur_ts,
		enum mc_jbuf_kind kind, const uint8_t *payload, size_t n, uint64_t now_us);

/** A packet that holds no audio took this sequence number: a telephone-event, a payload type that
 * is not ours. O(1). */
void mc_jbuf_other(struct mc_jbuf *jb, uint16_t seq);

/** What to do now. want_ts: ticks of audio that are needed; a LOST hole is given in pieces of at
 *  most that. The position moves with PLAY and LOST.
 *  scratch [MC_PACKET_MAX bytes]: a payload that lies in several blocks is put together there. */
void mc_jbuf_get(struct mc_jbuf *jb, uint64_t now_us, uint32_t want_ts, uint8_t *scratch,
		 struct mc_jbuf_next *next);

/** How the playout stands against the target, once the audio of this tick is there.
 *  held_ts ≥ tick_ts: ticks decoded including this tick's. most_ts: how much may be removed. */
enum mc_jbuf_advice mc_jbuf_advise(struct mc_jbuf *jb, uint64_t now_us, uint32_t held_ts,
				   uint32_t tick_ts, uint32_t *most_ts);
/** Is the packet that follows the position here? get will then PLAY it, unless the delay is so far
 *  above target that packets are dropped. */
int mc_jbuf_ready(const struct mc_jbuf *jb);
/** Position: timestamp of the first tick not yet handed out. */
uint32_t mc_jbuf_position(const struct mc_jbuf *jb);
void mc_jbuf_stats(const struct mc_jbuf *jb, struct mc_jbuf_stats *stats);

#endif
