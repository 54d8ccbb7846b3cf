/* mc_rtp: RTP packets in and out, and the reception state of one remote source.
 *
 * What does it do?  Parses and builds the header of RFC 3550 §5.1; tells RTCP from RTP on one
 *                   port (RFC 5761 §4); judges each packet of a source: good, dropped, or the
 *                   first of a new stream; keeps loss and jitter for RTCP reports.
 * How does it work? Sequence rules are those of RFC 3550 A.1 with a probation of 0: the first
 *                   packet of a call is already heard.
 *
 *   packet                                          result            state after
 *   first ever                                      MC_OK             follows it
 *   same SSRC, seq 0..2999 ahead or < 100 behind    MC_OK             follows it
 *     ... and its timestamp jumped > 10 s           MC_RTP_RESTART    follows it
 *     ... and it is behind, timestamp absurd        MC_ESTATE         unchanged
 *   same SSRC, seq elsewhere                        MC_ESTATE         waits for seq + 1
 *     ... followed by seq + 1                       MC_RTP_RESTART    follows it
 *   other SSRC                                      MC_ESTATE         candidate
 *     ... and the next packet is from it too        MC_RTP_RESTART    follows it
 *
 *                   A jump of the timestamp is one that neither the packets in between nor the
 *                   time since the last packet explains, so a long silence without packets is
 *                   not a restart, and neither is a hold during which the far clock stood.
 * How do I use it?  Zero a struct mc_rtp_source; per datagram mc_rtp_parse(), then
 *                   mc_rtp_source_update(); on MC_RTP_RESTART reset the jitter buffer and the
 *                   telephone-event receiver, then use the packet as any other.
 *
 * Nothing allocates; a source is 136 bytes without pointers. O(1) per packet.
 */
#ifndef MC_RTP_H
#define MC_RTP_H

#include <stdbool.h>

#include "mc_types.h"

enum {
	MC_RTP_HEADER = 12,        /* bytes of the header that mc_rtp_build() writes */
	MC_RTP_RESTART = 1,        /* the packet is good and begins a new stream */
	MC_RTP_MAX_DROPOUT = 3000, /* packets, RFC 3550 A.1 */
	MC_RTP_MAX_MISORDER = 100, /* packets, RFC 3550 A.1 */
	MC_RTP_TS_JUMP_S = 10,
};

struct mc_rtp {
	uint8_t pt; /* payload type, 0..127 */
	bool marker;
	uint16_t seq;
	uint32_t ts, ssrc;
	const uint8_t *payload; /* into the datagram when parsed */
	size_t payload_len;
};

/** Parse one datagram. CSRCs, header extension and padding are skipped.
 *  return 0 | MC_EBADMSG (*rtp is unchanged): not version 2, too short, an extension or a padding
 *  count beyond the end, or an RTCP packet.  RFC 3550 §5.1, §5.3.1. O(1). */
int mc_rtp_parse(struct mc_rtp *rtp, const uint8_t *data, size_t n) MC_WUR;

/** Write header and payload. The payload may lie anywhere, also in out; at
 *  out + MC_RTP_HEADER it is not copied.
 *  return bytes of the packet | MC_EINVAL pt above 127 | MC_ENOMEM more than cap bytes. */
int mc_rtp_build(uint8_t *out, size_t cap, const struct mc_rtp *rtp) MC_WUR;

/** The datagram is RTCP by its second byte, 192..223.  RFC 5761 §4. */
bool mc_rtp_is_rtcp(const uint8_t *data, size_t n);

struct mc_rtp_source {
	/* The stream that is followed; ext_seq counts on over wraps. */
	uint32_t ssrc;
	uint32_t last_ts;      /* of the packet with the highest sequence number */
	uint64_t last_us;      /* arrival of that packet */
	uint64_t base_seq;     /* first packet of the stream */
	uint64_t ext_seq;      /* highest sequence number, extended */
	uint64_t received;     /* packets of the stream, duplicates too (RFC 3550 A.3) */
	uint64_t expected_was; /* at the last mc_rtp_source_fraction_lost() */
	uint64_t received_was;
	uint32_t frame_ts;   /* last timestamp step between neighbours, at most 120 ms */
	uint32_t clock_rate; /* Hz, of the transit value */
	uint32_t transit_ts; /* arrival - ts, RTP ticks */
	uint32_t jitter_q4;  /* RFC 3550 A.8, RTP ticks * 16 */
	uint32_t candidate_ssrc;
	uint16_t candidate_seq;
	uint16_t resync_seq;
	bool active;
	bool has_transit;
	bool has_candidate;
	bool has_resync;

	/* Counters over the whole call. */
	uint64_t packets;     /* good packets */
	uint64_t bytes;       /* payload bytes of those */
	uint64_t lost_before; /* lost in streams that ended by a restart */
	uint32_t restarts;
	uint32_t stray;      /* dropped: of another SSRC */
	uint32_t jumped;     /* dropped: sequence number far off */
	uint32_t bad_ts;     /* dropped: behind, with an absurd timestamp */
	uint32_t reordered;  /* came after a later one (or a second time) */
	uint32_t duplicates; /* same number as the highest so far */
};

/** Judge one parsed packet and account for it.
 *  now_us      arrival, monotonic µs; clock_rate: of the RTP timestamp, Hz
 *  return      MC_OK | MC_RTP_RESTART | MC_ESTATE dropped and counted | MC_EINVAL clock_rate 0
 *  No allocation. O(1).  RFC 3550 A.1, A.8 */
int mc_rtp_source_update(struct mc_rtp_source *src, const struct mc_rtp *rtp, uint64_t now_us,
			 uint32_t clock_rate) MC_WUR;

/** Packets lost in the present stream; negative when more came than were sent (duplicates).
 *  Clamped to the 24 bits of a report block.  RFC 3550 A.3 */
int32_t mc_rtp_source_lost(const struct mc_rtp_source *src);

/** Fraction lost since the last call of this function, in 1/256.  RFC 3550 A.3 */
uint8_t mc_rtp_source_fraction_lost(struct mc_rtp_source *src);

/** Interarrival jitter in RTP ticks.  RFC 3550 §6.4.1 */
uint32_t mc_rtp_source_jitter_ts(const struct mc_rtp_source *src);

#endif
