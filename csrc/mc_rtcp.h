/* mc_rtcp: compound RTCP packets in and out, round-trip time, and the E-model.
 *
 * What does it do?  Builds SR or RR + SDES CNAME (+ BYE) and parses the same from the wire
 *                   (RFC 3550 §6); other packet types are skipped by their length.
 * How does it work? One flat struct serves both directions. Parsing checks every length before
 *                   it reads and changes nothing when any part is wrong. Reduced-size packets
 *                   (RFC 5506) are accepted: the first part may be of any type.
 * How do I use it?  On receipt: mc_rtcp_parse(); on a sender report mc_rtcp_seen(); for a block
 *                   about our SSRC mc_rtcp_rtt(). Every 5 s: mc_rtcp_block_fill() and
 *                   mc_rtcp_build(). mc_emodel_*() turn the figures into a MOS estimate.
 *
 * Wallclock is an argument. Nothing allocates; cost is linear in the packet's length.
 */
#ifndef MC_RTCP_H
#define MC_RTCP_H

#include <stdbool.h>

#include "mc_rtp.h"
#include "mc_types.h"

enum {
	MC_RTCP_BLOCKS_MAX = 31, /* reception reports in one SR or RR: the 5-bit count */
	MC_RTCP_CNAME_MAX = 255, /* bytes: the 8-bit length of an SDES item */
};

/* A reception report, RFC 3550 §6.4.1. */
struct mc_rtcp_block {
	uint32_t ssrc;         /* of the stream reported on */
	uint8_t fraction_lost; /* 1/256, since the last report */
	int32_t lost;          /* packets, 24 bit signed */
	uint32_t ext_seq;      /* highest sequence number with its cycles */
	uint32_t jitter_ts;    /* RTP ticks */
	uint32_t lsr;          /* middle 32 bits of the last SR's NTP time; 0: none came */
	uint32_t dlsr;         /* since then, 1/65536 s */
};

/* One compound packet. To build: ssrc, cname and what else applies. Parsed: of several SR/RR
 * the first gives ssrc, of several senders' SRs the first; blocks of all are kept up to the
 * limit; cname and bye are those of ssrc, or the first ones when no report names it. */
struct mc_rtcp {
	uint32_t ssrc;
	bool has_report; /* an SR or RR is there; always true when built */
	bool has_sender; /* the sender's part of an SR */
	bool bye;
	uint64_t ntp;     /* SR: wallclock, 32.32 s since 1900 */
	uint32_t rtp_ts;  /* SR: the same moment in RTP ticks */
	uint32_t packets; /* SR: sent so far */
	uint32_t bytes;   /* SR: payload bytes sent so far */
	uint32_t block_count;
	struct mc_rtcp_block blocks[MC_RTCP_BLOCKS_MAX];
	uint8_t cname_len;
	char cname[MC_RTCP_CNAME_MAX + 1]; /* UTF-8, ended by NUL; empty when there is none */
	uint32_t ignored;                  /* parts of other types, and blocks beyond the limit */
};

/** Write SR (has_sender) or RR, then SDES CNAME, then BYE when set.
 *  return bytes, a multiple of 4 | MC_EINVAL block_count or cname_len | MC_ENOMEM cap. */
int mc_rtcp_build(uint8_t *out, size_t cap, const struct mc_rtcp *msg) MC_WUR;

/** Parse a datagram.  return 0 | MC_EBADMSG (*msg is unchanged): any version but 2, any length
 *  that does not add up, padding elsewhere than in the last part.  RFC 3550 A.2, RFC 5506. */
int mc_rtcp_parse(struct mc_rtcp *msg, const uint8_t *data, size_t n) MC_WUR;

/** NTP time of a wallclock, µs since 1970.  RFC 3550 §4. */
uint64_t mc_rtcp_ntp(uint64_t unix_us);

/* What must be kept of the far side's last sender report to answer it. Zero before the first. */
struct mc_rtcp_peer {
	uint64_t at_us; /* its arrival, monotonic µs */
	uint32_t lsr;
};

/** Note a parsed message; only one with a sender's part changes peer. */
void mc_rtcp_seen(struct mc_rtcp_peer *peer, const struct mc_rtcp *msg, uint64_t now_us);

/** Fill the report on a source. Starts a new interval of its fraction lost.  RFC 3550 A.3. */
void mc_rtcp_block_fill(struct mc_rtcp_block *block, struct mc_rtp_source *src,
			const struct mc_rtcp_peer *peer, uint64_t now_us);

/** Round-trip time from a block about our stream. ntp: the arrival, on the clock that gave the
 *  ntp of our sender reports. *rtt_us is set to 0 when the far clock's rounding makes it negative.
 *  return 0 | MC_EAGAIN no SR of ours had reached it | MC_EBADMSG above 60 s.  RFC 3550 §6.4.1 */
int mc_rtcp_rtt(uint32_t *rtt_us, const struct mc_rtcp_block *block, uint64_t ntp) MC_WUR;

/* How a codec stands loss, ITU-T G.113 Appendix I: its own impairment and its robustness. */
struct mc_emodel_codec {
	float ie;
	float bpl;
};

/* G.711 with concealment. For the wideband codecs the scale of G.107.1 would apply; with these
 * values their figure is comparable between calls, not between codecs. */
#define MC_EMODEL_G711_PLC ((struct mc_emodel_codec){0.0f, 25.1f})

/** Rating R of ITU-T G.107 with default values for all but delay and loss:
 *  R = 93.2 - Id - Ie,eff, Id = 0.024 d + 0.11 (d - 177.3) above 177.3 ms,
 *  Ie,eff = Ie + (95 - Ie) * Ppl / (Ppl / BurstR + Bpl).
 *  delay_ms      mouth to ear, one way
 *  loss_percent  0..100; burst_r: mean burst length / that of random loss, 1 when random
 *  return        R, not clamped. An estimate, never a listening score. */
float mc_emodel_r(float delay_ms, float loss_percent, float burst_r, struct mc_emodel_codec codec);

/** MOS of a rating, 1..4.5.  ITU-T G.107 Annex B. */
float mc_emodel_mos(float r);

#endif
