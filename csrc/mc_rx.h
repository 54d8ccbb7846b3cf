/* mc_rx: the receive stream of a leg. Packets in at any time, one frame of 20 ms out per tick.
 *
 * What does it do?  Owns the order jitter buffer → decoder → concealment and comfort noise →
 *                   time-stretch, and gives exactly srate / 50 samples on every pull.
 * How does it work?
 *
 *     put ─► mc_jbuf ──get──► decode ─┐                          ┌─► pcm, one frame
 *                 │             LOST ─┼─► line: history | unplayed ┤
 *                 │             WAIT ─┤     ▲                    └─► history for mc_plc
 *                 └──advise──► mc_stretch ──┘ one pitch period in or out
 *
 *   what happened                     what is heard
 *   nothing yet                       digital silence
 *   packet here                       the packet
 *   packet missing, later one here    concealment, then a cross-fade
 *   nothing here                      concealment for 0.2 s, then the background as comfort noise;
 *                                     the position stands still, so a late packet is still heard
 *   CN packet, or a pause in ts       comfort noise, not counted as loss
 *   new SSRC or time base             the old sound runs out, then as at the start
 *
 * How do I use it?  mc_rx_put() on arrival, mc_rx_pull() once per tick, mc_rx_restart() when the
 *                   SSRC changes. One thread.
 *
 * Memory: under 18 KB for G.711 (64 slots of 160 bytes), up to 9 KB of stack; nothing is allocated.
 * Cost (G.711): put about 0.1 µs, pull about 0.3 µs, with 10 % loss 0.6 µs.
 * Precision of the delay control is that of now_us in put: give it the arrival time of the packet
 * (a kernel timestamp), not the time of the tick that reads it, which costs about 15 ms of delay.
 */
#ifndef MC_RX_H
#define MC_RX_H

#include "mc_codec.h"
#include "mc_jbuf.h"
#include "mc_types.h"

struct mc_rx_cfg {
	const struct mc_codec *codec;         /* must outlive the stream */
	const struct mc_codec *const *others; /* that mc_rx_change() may choose, at the same rate */
	size_t other_count;
	uint32_t srate;      /* Hz of the PCM, a leg rate; what codec decodes to */
	uint16_t slots;      /* packets of 20 ms that fit; 0 = 64 */
	uint16_t slot_bytes; /* payload of 20 ms; 0 = 160. A longer one takes several */
	uint16_t min_ms;     /* delay target limits and start; 0 = 10, 400, 40 */
	uint16_t max_ms;
	uint16_t start_ms;
	uint16_t max_packet_ms; /* longest packet, 20 … 120; 0 = 60 */
	uint32_t seed;          /* of comfort noise and concealment */
};

/* What a frame is made of; several may be set. */
enum mc_rx_flag {
	MC_RX_AUDIO = 1,      /* decoded packets */
	MC_RX_CONCEALED = 2,  /* made up for packets that are not there */
	MC_RX_NOISE = 4,      /* comfort noise: a pause, or nothing left to conceal */
	MC_RX_BEFORE = 8,     /* silence: nothing has been received yet */
	MC_RX_RESTARTED = 16, /* first packet after a restart is in here: ts starts anew */
};

struct mc_rx_info {
	unsigned flags;
	uint32_t ts;                /* RTP timestamp of the first sample; stands still in gaps */
	uint16_t concealed_samples; /* of this frame */
	uint16_t noise_samples;
	int16_t stretch_samples; /* added (+) or removed (−) */
	uint16_t delay_ms;       /* playout delay over the fastest packet */
	uint16_t target_ms;
};

struct mc_rx_stats {
	struct mc_jbuf_stats jbuf;
	uint32_t undecodable; /* payloads that the codec refused */
	uint64_t frames;      /* pulled */
	uint64_t concealed_samples;
	uint64_t paused_samples; /* of them before it was clear that the sender pauses */
	uint64_t noise_samples;
	uint64_t accelerated_samples; /* removed */
	uint64_t expanded_samples;    /* inserted */
	uint32_t accelerations;
	uint32_t expansions;
};

struct mc_rx;

/** return 0 when the configuration is not valid. */
size_t mc_rx_size(const struct mc_rx_cfg *cfg);
/** return 0 | MC_EINVAL | MC_ENOMEM | what the codec's dec_init says. */
int mc_rx_init(struct mc_rx **out, void *mem, size_t size, const struct mc_rx_cfg *cfg) MC_WUR;
/** Everything as after init; counters too. */
void mc_rx_reset(struct mc_rx *rx);
/** The sender starts anew (SSRC or timestamp change): what is queued is dropped, what is decoded
 *  runs out, the next audio is cross-faded in. Counters and delay statistics are kept. */
void mc_rx_restart(struct mc_rx *rx);
/** As mc_rx_restart(), and what comes is of another codec: its own, or one of others. */
void mc_rx_change(struct mc_rx *rx, const struct mc_codec *codec);

/** One RTP payload. kind: MC_JBUF_AUDIO, or MC_JBUF_CN for RFC 3389. The payload is copied.
 *  return MC_OK | MC_ELATE | MC_EDUP | MC_EFULL | MC_EINVAL (see mc_jbuf_put) |
 *  MC_EBADMSG (no whole packet of this codec, or longer than max_packet_ms). */
int mc_rx_put(struct mc_rx *rx, const uint8_t *payload, size_t n, enum mc_jbuf_kind kind,
	      uint16_t seq, uint32_t ts, uint64_t now_us);
/** A packet without audio took this sequence number: it is no loss, and replaces what would have
 *  been played. */
void mc_rx_other(struct mc_rx *rx, uint16_t seq);
/** One frame: pcm [srate / 50 samples], always filled. now_us: time of the tick. */
void mc_rx_pull(struct mc_rx *rx, int16_t *pcm, uint64_t now_us, struct mc_rx_info *info);
void mc_rx_stats(const struct mc_rx *rx, struct mc_rx_stats *stats);

#endif
