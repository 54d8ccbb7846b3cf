/* mc_l16: uncompressed 16-bit samples in network byte order, mono. RFC 3551 §4.5.11.
 *
 * One row per rate the core runs at; the RTP clock is the sampling rate and the payload type is
 * dynamic (the static types 10 and 11 are 44.1 kHz). No state, exact both ways. A 20 ms packet at
 * 48 kHz has 1,920 bytes and does not fit MC_PACKET_MAX: use a shorter packet time there.
 */
#ifndef MC_L16_H
#define MC_L16_H

#include "mc_codec.h"

/** The row of a rate, or NULL when the core does not run at it. */
const struct mc_codec *mc_l16(uint32_t srate);
/** The same with the low byte first, as stream links (WebSockets) carry it; not for RTP. */
const struct mc_codec *mc_l16le(uint32_t srate);

#endif
