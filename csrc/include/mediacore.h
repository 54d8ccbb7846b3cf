/* mediacore: the C API of the audio core.
 *
 * What does it do?  Runs the media of many calls: RTP in and out, jitter buffer, concealment,
 *                   codecs, voice activity, digits, the agent's playout with barge-in, mixing.
 * How does it work? One engine holds legs and bridges. mc_engine_tick() is the whole media
 *                   plane, 20 ms at a time:
 *
 *      commands ─► rx of every leg ─► armed policy ─► mixes ─► tx of every leg ─► forks ─► events
 *
 *                   Nothing inside a tick allocates, locks, logs or reads a clock.
 * How do I use it?  Two threads at the most touch an engine:
 *                   - the media thread calls mc_engine_tick(), or mc_pacer does it in real time;
 *                   - the control thread calls everything else. Commands go through one ring,
 *                     events come back through another and an eventfd.
 *                   Offline, one thread may be both: call, tick, poll, repeat.
 *
 * Units: now_us is monotonic microseconds; positions are samples at the leg's rate.
 */
#ifndef MEDIACORE_H
#define MEDIACORE_H

#include <stdbool.h>

#include "mc_types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MC_VERSION "0.1.0"

struct mc_engine;
struct sockaddr;

/* Index and serial of a leg or bridge; a handle kept after close is refused, never reused. */
typedef uint32_t mc_handle;

/* Generation of the agent's speech on a leg. The upper half counts cuts and belongs to the core;
 * the lower half counts turns and belongs to the controller. Speech made for a generation below
 * the leg's is stale: refused and counted. A cut moves the leg to ((cuts + 1) << 32), so whatever
 * was decided before the cut became known is stale at once. */
typedef uint64_t mc_generation;

/* ------------------------------------------------------------------ events */

enum mc_event_kind {
	MC_EV_NONE = 0,
	MC_EV_LEG_OPENED,       /* the leg is in the tick */
	MC_EV_LEG_CLOSED,       /* a: enum mc_close_reason. Last event of a leg */
	MC_EV_SPEECH_STARTED,   /* at: true onset on the receive clock */
	MC_EV_SPEECH_ENDED,     /* at: end of the last speech frame on the receive clock */
	MC_EV_PLAYOUT_STARTED,  /* first sample of an utterance goes out. at: transmit clock */
	MC_EV_PLAYOUT_DUCKED,   /* a: 1 ducked, 0 back to full level */
	MC_EV_PLAYOUT_PAUSED,   /* position: resume point */
	MC_EV_PLAYOUT_RESUMED,  /* position: where it goes on */
	MC_EV_PLAYOUT_CUT,      /* position: samples played; a: enum mc_cut_cause; b: last mark */
	MC_EV_PLAYOUT_LOW,      /* room for 200 ms more of the open utterance */
	MC_EV_PLAYOUT_UNDERRUN, /* the queue ran dry inside an utterance. position: played so far */
	MC_EV_MARK,             /* a: mark id. at: transmit clock */
	MC_EV_UTTERANCE_FINISHED, /* position: samples played; wire: samples on the wire */
	MC_EV_UTTERANCE_REFUSED,  /* stale generation, or the utterance queue is full */
	MC_EV_DIGIT,      /* a: ASCII digit; b: duration ms; position: enum mc_digit_source */
	MC_EV_TONE,       /* a: tone kind; b: length so far, ms */
	MC_EV_MEDIA_LOST, /* a: ms without a packet; b: enum mc_media_loss */
	MC_EV_MEDIA_RESUMED,
	MC_EV_TAP_READY, /* a: taps with data (bits of enum mc_tap) */
	MC_EV_OVERRUN,   /* events were lost: a: how many. Resynchronise from snapshots */
};

enum mc_close_reason {
	MC_CLOSED_BY_COMMAND = 0,
	MC_CLOSED_BUDGET = 1, /* the leg's absolute frame budget is spent */
};

enum mc_cut_cause {
	MC_CUT_COMMAND = 0,
	MC_CUT_BARGE_IN = 1,
	MC_CUT_BUDGET = 2,
	MC_CUT_CLOSE = 3,
};

enum mc_digit_source {
	MC_DIGIT_EVENT = 0,     /* RFC 4733 */
	MC_DIGIT_IN_BAND = 1,   /* heard in the audio */
	MC_DIGIT_SIGNALLED = 2, /* mc_leg_push_digit() */
};

enum mc_media_loss {
	MC_LOSS_NEVER = 0,   /* nothing came since the leg opened or was given a new address */
	MC_LOSS_STOPPED = 1, /* it came and stopped */
	MC_LOSS_ON_HOLD = 2, /* nothing came while held, or while one direction is off */
};

/* One event, 72 bytes. Fields that a kind does not name are 0. */
struct mc_event {
	uint32_t kind;
	mc_handle leg;
	uint64_t tick;                 /* engine tick in which it happened */
	uint64_t at;                   /* samples on the leg's clock since it opened */
	uint64_t utterance;            /* playout events */
	mc_generation generation;      /* the utterance's; after a cut see next_generation */
	mc_generation next_generation; /* MC_EV_PLAYOUT_CUT: the leg's generation from now on */
	uint64_t position;             /* samples into the utterance */
	uint64_t wire; /* samples of the utterance put on the wire, replays included */
	uint32_t a, b;
};

/* ------------------------------------------------------------------ engine */

struct mc_engine_cfg {
	uint32_t max_legs;      /* 0 = 1024 */
	uint32_t max_bridges;   /* 0 = 256 */
	uint32_t event_slots;   /* 0 = 8192; full: the event is dropped and MC_EV_OVERRUN follows */
	uint32_t command_slots; /* 0 = 4096; full: the command is refused with MC_EFULL */
};

struct mc_engine_stats {
	uint64_t ticks, commands, commands_stale, events, events_dropped;
	uint64_t legs_open, bridges_open;
};

/** Create an engine. Allocates; control thread. return 0 | MC_EINVAL | MC_ENOMEM | MC_EIO */
int mc_engine_create(struct mc_engine **out, const struct mc_engine_cfg *cfg) MC_WUR;
/** Close every leg and free the engine. No other thread may be inside it. */
void mc_engine_destroy(struct mc_engine *engine);
/** Run one tick. Media thread. now_us must not go back. */
void mc_engine_tick(struct mc_engine *engine, uint64_t now_us);
/** Take up to n events. Control thread. return number of events written. */
size_t mc_engine_poll(struct mc_engine *engine, struct mc_event *out, size_t n);
/** Readable when events wait; poll until it returns 0. Level-triggered by the tick. */
int mc_engine_event_fd(const struct mc_engine *engine);
void mc_engine_stats(const struct mc_engine *engine, struct mc_engine_stats *out);

/* -------------------------------------------------------------------- legs */

enum mc_rtcp_mode {
	MC_RTCP_NONE = 0,
	MC_RTCP_MUX = 1,  /* on the RTP socket, RFC 5761 */
	MC_RTCP_PAIR = 2, /* on port + 1 */
};

/* Whose RTP a leg takes. Once a source is locked the kernel drops everybody else. */
enum mc_latch {
	/* Symmetric RTP, RFC 4961: `remote` when it sends, else the first other source that sends
	 * one consistent stream. What does not belong to the locked source is never heard. */
	MC_LATCH_LEARN = 0,
	MC_LATCH_STRICT = 1, /* `remote` and nobody else */
};

enum {
	MC_LEG_CODECS = 4,        /* codecs that a leg may change to */
	MC_RELATCH_MIN_MS = 5000, /* shortest silence that may unlock a source */
	MC_PTIME_MAX_MS = 60,
};

enum mc_tap {
	MC_TAP_RX = 1u << 0,     /* the caller: int16 mono */
	MC_TAP_RECORD = 1u << 1, /* stereo int16 (left caller, right sent), one clock */
	MC_TAP_NOTES = 1u << 2,  /* struct mc_note, one per tick */
};

/* What a frame was, for pictures and measurements. */
struct mc_note {
	uint32_t tick;           /* of the leg, from 0 */
	int8_t rx_dbov, tx_dbov; /* RMS of the frame, -127..0 */
	uint8_t flags;           /* enum mc_note_flag */
	uint8_t concealed_ms;
	uint16_t delay_ms, target_ms; /* jitter buffer: now and wanted */
	uint16_t packets;             /* received in this tick */
	uint16_t late;                /* of them too late */
};

enum mc_note_flag {
	MC_NOTE_RX_SPEECH = 1u << 0,
	MC_NOTE_TX_SPEECH = 1u << 1, /* agent audio in this frame */
	MC_NOTE_CONCEALED = 1u << 2,
	MC_NOTE_COMFORT = 1u << 3,
	MC_NOTE_CUT = 1u << 4,
	MC_NOTE_PAUSED = 1u << 5,
	MC_NOTE_UNDERRUN = 1u << 6,
	MC_NOTE_WAITING = 1u << 7, /* nothing received yet */
};

/* Keys of SRTP, RFC 3711. Needs libsrtp2: mc_srtp_load(). */
struct mc_srtp_keys {
	const char *suite; /* as in SDP: "AES_CM_128_HMAC_SHA1_80" (or _32), "AEAD_AES_128_GCM",
			    * "AEAD_AES_256_GCM" */
	const uint8_t *tx_key, *rx_key; /* [key_len] master key and salt joined, copied */
	size_t key_len;                 /* 30, 30, 28, 44 */
};

struct mc_leg_cfg {
	const char *codec;          /* "PCMU" "PCMA" "G722" "L16" "L16LE" "opus" */
	uint32_t srate;             /* Hz of the leg; must be the codec's. 0 = the codec's own */
	uint8_t payload_type;       /* 255 = the codec's static one */
	uint8_t event_payload_type; /* RFC 4733; 0 = none */
	uint8_t cn_payload_type;    /* 0 = 13 at 8 kHz, none otherwise */
	bool asymmetric;            /* tx_payload_type holds; else it is payload_type */
	uint8_t tx_payload_type;
	const char *codecs[MC_LEG_CODECS]; /* others that mc_leg_retarget() may choose, at the
					    * leg's rate; NULL ends the list */
	uint32_t ptime_ms; /* sent packets: 10, 20 (default), 30, 40 or 60; Opus: 20 */
	uint64_t seed;     /* first sequence number, timestamp, SSRC, noise */

	int fd; /* UDP socket from mc_udp_open(), owned by the leg from now on; -1 = memory link */
	int rtcp_fd;                     /* MC_RTCP_PAIR only; else -1 */
	const struct mc_srtp_keys *srtp; /* NULL = plain RTP; else nothing plain is taken or sent */
	const struct sockaddr *remote;   /* announced address; NULL = not known, LEARN only */
	uint32_t remote_len;
	uint8_t latch;         /* enum mc_latch */
	uint32_t relatch_ms;   /* LEARN: the lock ends after so long a silence; 0 = never */
	uint32_t keepalive_ms; /* while sending is off, RFC 6263; 0 = never */
	uint8_t rtcp;          /* enum mc_rtcp_mode */

	uint16_t jitter_min_ms, jitter_max_ms; /* 0 = 20 and 400 */
	uint16_t payload_max;  /* bytes that 20 ms of payload may have; 0 = by codec */
	uint16_t jitter_slots; /* packets of 20 ms that fit; 0 = 40 */
	uint32_t
		speech_ms; /* agent audio kept in the core, 300 ms of it already played; 0 = 1600 */
	uint32_t tap_ms;   /* tap audio kept for a late reader; 0 = 1000 */
	uint32_t taps;     /* enum mc_tap bits */
	uint32_t tap_block_ms; /* MC_EV_TAP_READY each so many ms; 0 = 100 */
	/* MC_EV_MEDIA_LOST after so long without a packet; 0 = never */
	uint32_t media_first_ms;   /* nothing came yet */
	uint32_t media_lost_ms;    /* it stopped */
	uint32_t media_hold_ms;    /* while held, or while one direction is off */
	uint64_t budget_ticks;     /* the leg closes itself after so many ticks; 0 = no limit */
	int16_t vad_threshold_q15; /* speech probability; 0 = 16384; negative = no speech detection
				    */
	uint16_t vad_onset_ms;     /* speech that makes a start; 0 = 60 */
	uint16_t vad_hangover_ms;  /* 0 = 200: MC_EV_SPEECH_ENDED comes so long after the speech */
	bool bed;                  /* room for sound under the voice, see mc_leg_bed() */
	bool detect_dtmf;          /* in-band digits */
	uint32_t detect_tones;     /* mask for the tone detector; 0 = off */

	bool stream;              /* stream link: mc_leg_push_media(), no RTP; fd must be -1 */
	bool stream_always;       /* put out a frame each tick, whether something plays or not */
	uint32_t ahead_ms;        /* silence before each talkspurt: what the far side holds */
	uint32_t stream_queue_ms; /* audio that waits in either direction; 0 = 2000 */
};

struct mc_leg_stats {
	uint64_t ticks;
	/* receive */
	uint64_t rx_packets, rx_bytes, rx_malformed, rx_wrong_pt, rx_stranger, rx_restarts;
	uint64_t rx_late, rx_duplicate, rx_overflow, rx_lost, rx_concealed_samples;
	uint64_t rx_accelerated_samples, rx_expanded_samples, rx_comfort_samples;
	uint64_t jitter_us, delay_ms, target_ms;
	/* transmit */
	uint64_t tx_packets, tx_bytes, tx_errors;
	uint64_t tx_link_dropped; /* memory link: nobody took the packets */
	/* playout */
	uint64_t queued_samples; /* given to playout */
	uint64_t played_samples; /* distinct samples put on the wire */
	uint64_t wire_samples;   /* put on the wire, replays after a resume included */
	uint64_t flushed_samples, stale_utterances, stale_samples, underruns;
	uint64_t cuts, pauses, resumes;
	mc_generation generation;
	/* speech, digits, taps */
	uint64_t speech_starts, digits, tap_dropped_samples;
	/* RTCP: what the far end says */
	uint64_t rtt_us, far_lost_permille, far_jitter_us, rtcp_packets, rtcp_malformed;
	uint64_t mos_x100; /* E-model estimate of what we receive, G.107; 0 = not known yet */
	/* the far address */
	uint64_t latches;     /* times a source was locked */
	uint64_t rx_unwanted; /* packets of the far side dropped because receiving is off */
	uint64_t keepalives;
	uint64_t stream_dropped_samples; /* stream link: received, and too much for the queue */
	uint64_t rx_unauthentic; /* SRTP: plain, altered or replayed; changed nothing else */
};

/** Open a leg; it joins the next tick. Allocates; control thread.
 *  return 0 | MC_EINVAL | MC_ENOTSUP (codec, SRTP) | MC_ENOMEM | MC_EFULL. The sockets are closed
 * on failure as well. */
int mc_leg_open(struct mc_engine *engine, const struct mc_leg_cfg *cfg, mc_handle *out) MC_WUR;
/** Stop a leg in the next tick; MC_EV_LEG_CLOSED ends it. Its taps and counters can still be read
 *  until mc_leg_free(). */
int mc_leg_close(struct mc_engine *engine, mc_handle leg);
/** Give back a closed leg's memory; the handle is dead from now on. return 0 | MC_ENOENT |
 *  MC_ESTATE (still in the tick) */
int mc_leg_free(struct mc_engine *engine, mc_handle leg);
/** Copy of the leg's counters as of its last tick. return 0 | MC_ENOENT */
int mc_leg_stats(const struct mc_engine *engine, mc_handle leg, struct mc_leg_stats *out);
/** Bytes of memory that a leg with this configuration takes. */
size_t mc_leg_memory(const struct mc_leg_cfg *cfg);

/** The leg closes itself after so many more ticks, MC_CLOSED_BUDGET; replaces what was set before.
 *  0 = no limit. return 0 | MC_EINVAL (more than 2^40) | MC_EFULL | MC_ENOENT */
int mc_leg_limit(struct mc_engine *engine, mc_handle leg, uint64_t ticks_from_now);
/** Hold a leg, or let it go. A held leg is not heard in its bridge and hears nobody there; its
 *  voice is paused, and what is begun meanwhile waits; the armed policy does nothing, and speech
 *  gives no events: one that was told ends with the hold, one that is on when the hold ends begins
 *  there. The bed, digits, taps and forks go on. */
int mc_leg_hold(struct mc_engine *engine, mc_handle leg, bool on);

/** A digit that came by signalling; comes out as MC_EV_DIGIT with MC_DIGIT_SIGNALLED.
 *  return 0 | MC_EINVAL (not "0-9*#A-D") | MC_EFULL | MC_ENOENT */
int mc_leg_push_digit(struct mc_engine *engine, mc_handle leg, char digit, uint32_t duration_ms);
/** Directions of the media as agreed by signalling (RFC 3264 §6.1); both are on at first. Without
 *  `send` only keep-alive and RTCP go out and the leg is as held, apart from what mc_leg_hold()
 *  said. Without `receive` what comes is dropped. */
int mc_leg_direction(struct mc_engine *engine, mc_handle leg, bool send, bool receive);

/* A new answer or offer. */
struct mc_leg_target {
	const struct sockaddr *remote; /* NULL = not known: learned (LEARN) */
	uint32_t remote_len;
	const char *codec; /* NULL = as before; else the leg's own or one of cfg.codecs */
	/* Negative = as before. event, cn: 0 = none. tx: as payload_type when that changes. */
	int16_t payload_type, tx_payload_type, event_payload_type, cn_payload_type;
	uint32_t ptime_ms; /* 0 = as before */
};

/** Send to, and hear, another address, codec or payload type from the next tick on. A source that
 *  was locked stays only when it is the new address; under the old address anew it keeps
 *  the first claim.
 *  return 0 | MC_EINVAL | MC_ENOTSUP (codec not reserved, or not at the leg's rate) | MC_EFULL |
 *  MC_ENOENT */
int mc_leg_retarget(struct mc_engine *engine, mc_handle leg, const struct mc_leg_target *target);

/** Other keys from the next tick on; NULL = plain RTP. A direction whose key is the same goes on
 *  as it is.
 *  return 0 | MC_EINVAL (unknown suite, wrong length) | MC_ENOTSUP (no libsrtp2, or the suite is
 *  not in it) | MC_ENOMEM | MC_EFULL | MC_ENOENT */
int mc_leg_rekey(struct mc_engine *engine, mc_handle leg, const struct mc_srtp_keys *keys);

/** Load libsrtp2 from a file (path) or by the loader's own search (path NULL). Call once at
 *  set-up, before any leg. return 0 or MC_ENOTSUP. Not for the tick path: it allocates. */
int mc_srtp_load(const char *path) MC_WUR;
/** Version string of the loaded libsrtp2, or NULL. */
const char *mc_srtp_version(void);

/* Memory link (fd = -1): packets instead of a socket; also the way in for other transports. */
/** Give one received datagram to the leg. return 0 | MC_EFULL (dropped) | MC_EINVAL | MC_ENOENT */
int mc_leg_push_packet(struct mc_engine *engine, mc_handle leg, const uint8_t *data, size_t n);
/** Take one sent datagram. return bytes | MC_EAGAIN | MC_EINVAL (cap too small) | MC_ENOENT */
int mc_leg_pull_packet(struct mc_engine *engine, mc_handle leg, uint8_t *out, size_t cap);

/* Stream link (mc_leg_cfg.stream): encoded audio in messages, no RTP. */
enum { MC_MEDIA_MAX = 2 * MC_FRAME_MAX }; /* bytes of a frame put out */

/* What is known of a received message. */
struct mc_media_stamp {
	bool has_seq, has_ts;
	uint32_t seq;        /* counts messages, from anywhere */
	uint64_t ts_ms;      /* its time on the sender's clock */
	uint64_t arrival_us; /* monotonic; 0 = the tick that takes it */
};

enum mc_media_kind {
	MC_MEDIA_AUDIO = 1, /* n bytes, 20 ms */
	MC_MEDIA_MARK = 2,  /* the audio before it holds the mark; mark 0: the utterance's end */
	MC_MEDIA_FLUSH = 3, /* a cut: the far side should drop what it still has */
	MC_MEDIA_IDLE = 4,  /* nothing plays any more */
};

struct mc_media_item {
	enum mc_media_kind kind;
	uint64_t utterance;
	uint32_t mark;
	size_t n;
};

/** Give a received message of any length at the leg's codec (Opus: one packet).
 *  return bytes dropped because the queue is full, 0..n | MC_EINVAL (too long) | MC_ESTATE (no
 *  stream link) | MC_ENOENT */
int mc_leg_push_media(struct mc_engine *engine, mc_handle leg, const uint8_t *payload, size_t n,
		      const struct mc_media_stamp *stamp);
/** Take one item in order; payload to buf [MC_MEDIA_MAX]. return 0 | MC_EAGAIN | MC_ESTATE |
 *  MC_ENOENT */
int mc_leg_pull_media(struct mc_engine *engine, mc_handle leg, struct mc_media_item *item,
		      uint8_t *buf);
/** Readable after a tick in which a stream link put something out, until mc_engine_stream_clear().
 */
int mc_engine_stream_fd(const struct mc_engine *engine);
void mc_engine_stream_clear(struct mc_engine *engine);

/* -------------------------------------------------------- the agent's speech */

/** Announce an utterance. Ids grow; the audio given by mc_leg_say() from now on belongs to it.
 *  return 0 | MC_EFULL | MC_ESTATE (the one before is not ended) | MC_ENOENT. A stale generation
 *  is refused by the tick: MC_EV_UTTERANCE_REFUSED. */
int mc_leg_say_begin(struct mc_engine *engine, mc_handle leg, uint64_t utterance,
		     mc_generation generation);
/** Queue audio at the leg's rate. pcm [n]. return samples taken, 0..n: the rest waits for
 *  MC_EV_PLAYOUT_LOW. MC_ESTATE outside begin..end. */
int mc_leg_say(struct mc_engine *engine, mc_handle leg, const int16_t *pcm, size_t n);
/** Tie a mark (id > 0) to a position of the utterance, in samples. Ascending. */
int mc_leg_mark(struct mc_engine *engine, mc_handle leg, uint32_t mark, uint64_t position);
/** No more audio for the utterance. */
int mc_leg_say_end(struct mc_engine *engine, mc_handle leg);
/** Samples that mc_leg_say() would take now. */
size_t mc_leg_say_room(const struct mc_engine *engine, mc_handle leg);

/** Stop with a 5 ms fade; the position is kept. No-op when nothing plays. */
int mc_leg_pause(struct mc_engine *engine, mc_handle leg);
/** Go on from the pause, exactly there, or at the last mark when from_mark (as far back as the
 *  queue still holds, at most 300 ms). */
int mc_leg_resume(struct mc_engine *engine, mc_handle leg, bool from_mark);
/** Stop and flush everything queued for generations <= generation. Moves the generation on. */
int mc_leg_cut(struct mc_engine *engine, mc_handle leg, mc_generation generation);
/** Lower the level by db (0 = back to full). */
int mc_leg_duck(struct mc_engine *engine, mc_handle leg, uint8_t db);

enum mc_barge_action {
	MC_BARGE_OFF = 0,
	MC_BARGE_DUCK = 1,
	MC_BARGE_PAUSE = 2,
	MC_BARGE_CUT = 3,
};

/* Policy that acts inside the frame. It stays armed until replaced. */
struct mc_barge_in {
	uint8_t action;        /* enum mc_barge_action, at speech start */
	uint8_t duck_db;       /* for MC_BARGE_DUCK; 0 = 12 */
	bool resume_from_mark; /* resume at the last mark instead of the exact sample */
	uint16_t onset_ms;     /* speech that must have been seen; 0 = the VAD's onset */
	uint16_t commit_ms;    /* duck or pause becomes a cut after so much speech; 0 = only by
				* command */
	uint16_t resume_ms;    /* silence after which an uncommitted duck or pause is undone;
				* 0 = only by command */
	uint16_t protect_ms;   /* no action in the first ms of an utterance */
	uint32_t protect_mark; /* no action before this mark was reached; 0 = none */
};

int mc_leg_arm(struct mc_engine *engine, mc_handle leg, const struct mc_barge_in *policy);

/** Send digits as RFC 4733 events (or in-band when the leg has no event payload type).
 *  digits: "0-9*#A-D", at most 32 wait. return 0 | MC_EINVAL | MC_EFULL */
int mc_leg_send_digits(struct mc_engine *engine, mc_handle leg, const char *digits,
		       uint16_t tone_ms, uint16_t gap_ms);

/* --------------------------------------------------------------------- bed */

/** Queue audio at the leg's rate to be sent under the voice, also while the voice is idle, paused
 *  or held. The leg was opened with `bed`. Begins, ends and runs dry with a fade of 20 ms; keep
 *  at least 40 ms there. It is no speech of the agent: no ledger, no events. return samples taken,
 * 0..n | MC_ESTATE (no bed) | MC_ENOENT */
int mc_leg_bed(struct mc_engine *engine, mc_handle leg, const int16_t *pcm, size_t n);
/** Samples that mc_leg_bed() would take now, of 1.6 s. */
size_t mc_leg_bed_room(const struct mc_engine *engine, mc_handle leg);
/** Level of the bed from now on, reached within a tick. db: -96 (and below: silence) to 20. */
int mc_leg_bed_gain(struct mc_engine *engine, mc_handle leg, float db);
/** Fade out in 20 ms and forget what was queued so far. What is queued after it plays. */
int mc_leg_bed_stop(struct mc_engine *engine, mc_handle leg);

/* -------------------------------------------------------------------- forks */

enum mc_fork_direction {
	MC_FORK_RX = 1u << 0, /* what `from` receives */
	MC_FORK_TX = 1u << 1, /* what `from` sends */
};

/** Leg `to` sends a copy of the audio of `from`, within the same tick, at its own codec and rate,
 *  both directions mixed to one; its own voice and bed are added. Ends with mc_leg_unfork() or with
 *  either leg. No chains: a leg that sends a copy cannot be copied (MC_ESTATE), and sends one only.
 *  return 0 | MC_EINVAL (directions) | MC_ESTATE | MC_ENOMEM | MC_EFULL | MC_ENOENT */
int mc_leg_fork(struct mc_engine *engine, mc_handle to, mc_handle from, uint32_t directions);
/** return 0 | MC_EFULL | MC_ENOENT. No-op when `to` sends no copy. */
int mc_leg_unfork(struct mc_engine *engine, mc_handle to);

/* -------------------------------------------------------------------- taps */

/** Take audio of a tap: out [n] samples (RECORD: n stereo pairs), *at: position of the first.
 *  return samples (pairs) written. A reader who comes more than tap_ms late loses audio: *at
 *  jumps, and a read never crosses the gap. */
size_t mc_leg_read_tap(struct mc_engine *engine, mc_handle leg, enum mc_tap tap, int16_t *out,
		       size_t n, uint64_t *at);
size_t mc_leg_read_notes(struct mc_engine *engine, mc_handle leg, struct mc_note *out, size_t n);

/* ----------------------------------------------------------------- bridges */

enum { MC_BRIDGE_LEGS = 8 };

/** Open a bridge: legs that hear each other, N-1. srate: Hz of the mix; legs at other rates are
 *  resampled. */
int mc_bridge_open(struct mc_engine *engine, uint32_t srate, mc_handle *out) MC_WUR;
/** The members leave; the handle is dead from now on. */
int mc_bridge_close(struct mc_engine *engine, mc_handle bridge);
/** Join at full gain to and from everybody. A leg is in one bridge at most (MC_ESTATE). */
int mc_bridge_join(struct mc_engine *engine, mc_handle bridge, mc_handle leg);
int mc_bridge_leave(struct mc_engine *engine, mc_handle bridge, mc_handle leg);
/** Gain of `from` in what `to` hears, Q15 (32767 = full, 0 = not at all): whisper, barge,
 *  monitor are such matrices. */
int mc_bridge_gain(struct mc_engine *engine, mc_handle bridge, mc_handle from, mc_handle to,
		   int16_t gain_q15);

/* ------------------------------------------------------------ real time, UDP */

struct mc_pacer;

struct mc_pacer_stats {
	uint64_t ticks, skipped; /* skipped: ticks given up because the thread came too late */
	uint64_t late_1ms, late_5ms, late_20ms;     /* ticks that began so late or later */
	uint64_t late_max_us, busy_us, busy_max_us; /* busy: time inside ticks */
	uint64_t cpu_us;                            /* CPU time of the media thread */
};

/** Start the media thread: one tick every 20 ms of CLOCK_MONOTONIC. realtime: ask for
 *  SCHED_FIFO; refusal is no error (see mc_pacer_is_realtime). */
int mc_pacer_start(struct mc_pacer **out, struct mc_engine *engine, bool realtime) MC_WUR;
/** Stop and join the thread; the engine may then be ticked by hand or destroyed. */
void mc_pacer_stop(struct mc_pacer *pacer);
void mc_pacer_stats(const struct mc_pacer *pacer, struct mc_pacer_stats *out);
bool mc_pacer_is_realtime(const struct mc_pacer *pacer);
/** The pacer's clock. */
uint64_t mc_now_us(void);

/** Open a non-blocking UDP socket bound to host:port (numeric; port 0 = any). return fd or
 *  MC_EINVAL | MC_EIO. *bound_port, when given, gets the port. */
int mc_udp_open(const char *host, uint16_t port, uint16_t *bound_port) MC_WUR;

#ifdef __cplusplus
}
#endif

#endif
