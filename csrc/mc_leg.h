/* mc_leg: one media path to one party, rx and tx in order.
 *
 *   rx: datagrams → RTP → source rules ─┬→ audio, CN → mc_rx (jitter, decode, conceal) → frame
 *                                       └→ telephone-events → digits
 *       frame → in-band digits, tones → VAD → armed barge-in policy → rx tap
 *   tx: playout + bed + what the bridge or a fork gives → in-band digits → encode → RTP → datagrams
 *       frame pair → record tap, notes
 *
 * Both clocks (receive and transmit) count samples from the leg's first tick and advance by one
 * frame per tick, so `at` of all events of a leg is one scale.
 *
 * Memory: one arena sized by the configuration; a G.711 leg with a socket, VAD, digits and the
 * caller tap takes less than 66 KB. All functions here run on the media thread unless the header
 * says so.
 */
#ifndef MC_LEG_H
#define MC_LEG_H

#include "mc_bed.h"
#include "mc_codec.h"
#include "mc_playout.h"
#include "mc_tap.h"
#include "mc_udp.h"
#include "mediacore.h"

/* Shared by all legs of an engine, valid within one call. */
struct mc_leg_scratch {
	struct mc_udp_batch batch;
	uint8_t packet[MC_PACKET_MAX];
	int16_t pcm[MC_FRAME_MAX];
	int16_t stereo[2 * MC_FRAME_MAX];
	bool stream_out; /* a stream link put something out in this tick */
};

struct mc_leg_env {
	uint64_t now_us;
	uint64_t unix_us; /* wallclock for RTCP sender reports */
	struct mc_leg_scratch *scratch;
	struct mc_playout_sink sink; /* leg and tick are filled in by the engine */
};

/* What signalling agreed on, resolved and checked. */
struct mc_leg_wire {
	const struct mc_codec *codec;
	uint8_t payload_type, tx_payload_type, event_payload_type, cn_payload_type;
	uint8_t ptime_ms;
	struct mc_udp_addr remote; /* len 0: not known */
};

struct mc_leg;
struct mc_srtp;

size_t mc_leg_size(const struct mc_leg_cfg *cfg);
/** Control thread. Takes over the sockets only on success. return 0 | MC_EINVAL | MC_ENOTSUP |
 *  MC_ENOMEM | MC_EIO */
int mc_leg_init(struct mc_leg **out, void *mem, size_t size, const struct mc_leg_cfg *cfg) MC_WUR;
/** Control thread, before the first tick: what the leg was opened with. */
void mc_leg_wire_of(const struct mc_leg *leg, struct mc_leg_wire *wire);
/** Control thread: apply a target to *wire, which changes only on success.
 *  return 0 | MC_EINVAL | MC_ENOTSUP */
int mc_leg_resolve(const struct mc_leg *leg, struct mc_leg_wire *wire,
		   const struct mc_leg_target *target) MC_WUR;
/** Control thread, after the leg left the tick: close its sockets. */
void mc_leg_deinit(struct mc_leg *leg);

void mc_leg_rx(struct mc_leg *leg, const struct mc_leg_env *env);
/** heard: [frame] what the bridge or a fork gives, or NULL. What was sent stays in
 *  env->scratch->pcm. */
void mc_leg_tx(struct mc_leg *leg, const int16_t *heard, const struct mc_leg_env *env);
/** The frame budget is spent. */
bool mc_leg_exhausted(const struct mc_leg *leg);
/** Last words on the wire: RTCP BYE. */
void mc_leg_bye(struct mc_leg *leg, const struct mc_leg_env *env);

/** Go over to `fresh`, NULL = plain RTP. return what is to be closed, or NULL */
struct mc_srtp *mc_leg_set_srtp(struct mc_leg *leg, struct mc_srtp *fresh) MC_WUR;
/** Control thread: our SSRC when the leg opened. */
uint32_t mc_leg_first_ssrc(const struct mc_leg *leg);
/** 0 = no limit. */
void mc_leg_set_limit(struct mc_leg *leg, uint64_t ticks_from_now);
void mc_leg_set_held(struct mc_leg *leg, bool on, const struct mc_leg_env *env);
bool mc_leg_held(const struct mc_leg *leg);
void mc_leg_set_direction(struct mc_leg *leg, bool send, bool receive,
			  const struct mc_leg_env *env);
void mc_leg_set_wire(struct mc_leg *leg, const struct mc_leg_wire *wire,
		     const struct mc_leg_env *env);
void mc_leg_signalled_digit(struct mc_leg *leg, char digit, uint32_t duration_ms,
			    const struct mc_leg_env *env);
void mc_leg_pause_voice(struct mc_leg *leg);
void mc_leg_resume_voice(struct mc_leg *leg, bool from_mark);
void mc_leg_set_barge_in(struct mc_leg *leg, const struct mc_barge_in *policy);
void mc_leg_queue_digit(struct mc_leg *leg, char digit, uint16_t tone_ms, uint16_t gap_ms);

/* Any thread. */
struct mc_playout *mc_leg_playout(struct mc_leg *leg);
/** NULL: the leg has none. */
struct mc_bed *mc_leg_bed_of(struct mc_leg *leg);
uint32_t mc_leg_srate(const struct mc_leg *leg);
const int16_t *mc_leg_rx_frame(const struct mc_leg *leg);
/** Control thread: a consistent copy of the counters. */
void mc_leg_read_stats(const struct mc_leg *leg, struct mc_leg_stats *out);
/** Control thread: the ring of a tap or of the memory link, NULL when the leg has none. */
struct mc_tap_ring *mc_leg_tap_ring(struct mc_leg *leg, enum mc_tap tap);
struct mc_ring *mc_leg_link_in(struct mc_leg *leg);
struct mc_ring *mc_leg_link_out(struct mc_leg *leg);
/** NULL: not a stream link. */
struct mc_stream *mc_leg_stream_of(struct mc_leg *leg);

/* One datagram of a memory link. */
struct mc_link_packet {
	uint16_t n;
	uint8_t data[MC_PACKET_MAX];
};

enum { MC_LINK_SLOTS = 16 };

#endif
