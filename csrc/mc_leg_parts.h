/* mc_leg_parts: what a leg is made of; shared by its set-up and its tick, and by nobody else. */
#ifndef MC_LEG_PARTS_H
#define MC_LEG_PARTS_H

#include <stdatomic.h>

#include "mc_bed.h"
#include "mc_codec.h"
#include "mc_dtmf.h"
#include "mc_leg.h"
#include "mc_rtcp.h"
#include "mc_rtp.h"
#include "mc_rx.h"
#include "mc_srtp.h"
#include "mc_telev.h"
#include "mc_tone.h"
#include "mc_vad.h"

/* Sources seen while none is locked. */
struct mc_learn {
	uint64_t began_us; /* first packet of any of them; 0: none */
	size_t next;       /* slot that a new one takes */
	struct {
		struct mc_udp_addr from;
		uint64_t tick; /* of its last packet that counted */
		uint32_t ssrc;
		uint16_t seq;
		uint16_t ticks; /* in which it sent in sequence */
	} sources[4];
};

enum { MC_LEG_STATS = sizeof(struct mc_leg_stats) / sizeof(uint64_t) };

/* Barge-in: what the armed policy has done.
 *
 *   state  | speech >= onset      | speech >= commit | silence >= resume | command, playout ends
 *   -------+----------------------+------------------+-------------------+----------------------
 *   IDLE   | duck, pause: ACTED   | -                | -                 | -
 *          | cut: IDLE            |                  |                   |
 *   ACTED  | -                    | cut: IDLE        | undo: IDLE        | IDLE */
enum barge_state {
	BARGE_IDLE,
	BARGE_ACTED,
};

struct mc_leg {
	struct mc_leg_cfg
		cfg; /* with defaults filled in; codec and remote are not used from here */
	const struct mc_codec *codec;
	size_t frame; /* samples per tick */
	uint32_t frame_ts;
	uint32_t first_ssrc; /* ours when it opened; read by the control thread */

	/* wire */
	const struct mc_codec *codecs[1 + MC_LEG_CODECS]; /* its own, and those it may change to */
	size_t codec_count;
	struct mc_udp_addr announced;           /* by signalling; len 0: not known */
	struct mc_udp_addr remote, rtcp_remote; /* sent to; len 0: nobody */
	struct mc_learn learn;
	uint64_t quiet_since_us; /* last packet, or what made the present watch begin */
	uint64_t sent_us;        /* last packet sent, keep-alive included */
	struct mc_rtp_source source;
	struct mc_rtcp_peer rtcp_peer;
	struct mc_srtp *srtp; /* NULL: plain RTP */
	uint16_t tx_seq;
	uint32_t tx_ts, tx_ssrc;
	bool tx_started, tx_marker;
	bool latched;      /* a source is locked: the socket is connected to `remote` */
	uint64_t empty_us; /* when nothing was left in the socket */
	bool drained; /* since then the socket was empty once: no stranger's datagram is in it */
	bool sends, receives; /* direction */
	bool came;            /* a packet, since the last look */
	bool media_lost, received_any;
	bool heard_target;      /* something came from the present target */
	uint32_t tx_ts_first;   /* timestamp of the first frame in tx_payload */
	uint32_t tx_payload_ms; /* audio in tx_payload */
	size_t tx_payload_n;
	uint64_t rtcp_due_us;
	uint64_t tx_packets_told[2]; /* as of the last two reports */
	uint64_t random;
	uint64_t first_tick; /* in which something was received, once received_any */

	/* audio */
	struct mc_rx *rx;
	void *enc;
	struct mc_vad *vad;
	struct mc_dtmf *dtmf;
	struct mc_tone *tone;
	size_t inband_done; /* samples of the in-band digit sent so far */
	struct mc_telev_rx telev_rx;
	struct mc_telev_tx telev_tx;
	struct mc_playout *playout;
	struct mc_bed *bed; /* NULL: none */
	int16_t *rx_frame;
	size_t tx_payload_cap;
	uint8_t *tx_payload; /* ptime above one tick: the packet being filled */

	/* policy */
	struct mc_barge_in policy;
	enum barge_state barge;
	uint8_t barge_action; /* what was done, while BARGE_ACTED */
	uint32_t speech_ms, silence_ms;
	bool speech_told; /* MC_EV_SPEECH_STARTED was the last edge told */
	bool held;        /* by command, or because sending is off */
	bool held_by_command;
	bool stays_paused; /* while held: the voice is paused when the hold ends */

	uint64_t ticks;
	uint64_t tap_due; /* tick of the next MC_EV_TAP_READY */
	struct mc_note note;
	struct mc_leg_stats stats;
	_Atomic uint64_t published[MC_LEG_STATS];
	_Atomic uint64_t published_seq; /* odd while being written */

	struct mc_tap_ring *tap_rx, *tap_record, *tap_notes;
	struct mc_ring *link_in, *link_out;
	struct mc_stream *stream; /* NULL: RTP */
	bool stream_voice;        /* the agent's speech is in the frame, or goes on */
};

/** splitmix64 from the leg's seed. */
uint64_t mc_leg_random(struct mc_leg *leg);

/* First sample of this tick's frame. */
static inline uint64_t clock_now(const struct mc_leg *leg)
{
	return leg->ticks * leg->frame;
}

/* mc_leg_hear.c */

void mc_leg_emit(const struct mc_leg_env *env, uint32_t kind, uint64_t at, uint32_t a, uint32_t b);
void mc_leg_emit_digit(struct mc_leg *leg, const struct mc_leg_env *env, char digit,
		       uint32_t duration_ms, enum mc_digit_source source);
/** Once per tick: rx_frame is filled. voice: it may be judged for speech. */
void mc_leg_hear(struct mc_leg *leg, const struct mc_leg_env *env, bool voice);

/* mc_leg_net.c */

/** Send to and, when STRICT, hear only `announced`; len 0: nobody yet. return 0 | MC_EIO */
int mc_leg_aim(struct mc_leg *leg, const struct mc_udp_addr *announced) MC_WUR;
/** The datagram is from the far side; may lock its source. */
bool mc_leg_from_remote(struct mc_leg *leg, const struct mc_udp_packet *packet, uint64_t now_us);
/** A packet of the far side came. */
void mc_leg_alive(struct mc_leg *leg, uint64_t now_us);
/** Once per tick, after the packets: media lost and resumed, end of a lock by silence. */
void mc_leg_watch(struct mc_leg *leg, const struct mc_leg_env *env);
/** The payload type is one of this leg's. */
bool mc_leg_knows_pt(const struct mc_leg *leg, uint8_t pt);

#endif
