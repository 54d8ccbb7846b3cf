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
#include "mc_telev.h"
#include "mc_tone.h"
#include "mc_vad.h"

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

	/* wire */
	struct mc_udp_addr remote, rtcp_remote;
	bool latched; /* the remote side is known and the socket connected to it */
	struct mc_rtp_source source;
	struct mc_rtcp_peer rtcp_peer;
	uint16_t event_packets; /* sequence numbers that telephone-events took */
	uint16_t tx_seq;
	uint32_t tx_ts, tx_ssrc;
	bool tx_started, tx_marker;
	uint32_t tx_ts_first; /* timestamp of the first frame in tx_payload */
	size_t tx_payload_n;
	uint32_t tx_frames; /* frames in tx_payload */
	uint64_t rtcp_due_us, last_packet_us;
	bool media_lost, received_any;

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
	uint8_t *tx_payload; /* ptime above one tick: the packet being filled */

	/* policy */
	struct mc_barge_in policy;
	enum barge_state barge;
	uint8_t barge_action; /* what was done, while BARGE_ACTED */
	uint32_t speech_ms, silence_ms;
	bool speech_told; /* MC_EV_SPEECH_STARTED was the last edge told */
	bool held;
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

/** The remote side is known from now on: the kernel drops everybody else. return 0 | MC_EIO */
int mc_leg_latch(struct mc_leg *leg, const struct mc_udp_addr *remote) MC_WUR;

#endif
