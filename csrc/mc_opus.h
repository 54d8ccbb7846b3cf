/* mc_opus: Opus through the libopus that is found at run time. RFC 6716, RFC 7587.
 *
 * What does it do?  Encodes and decodes at the leg's own rate (8, 16, 24 or 48 kHz): libopus
 *                   resamples inside, so a narrowband leg pays the narrowband price. RTP
 *                   timestamps always run at 48 kHz (RFC 7587 §4.1). Mono; stereo packets are
 *                   mixed down by the decoder.
 * How does it work? mc_opus_load() fills one table of function pointers, the only global state,
 *                   before any leg exists. Encoder and decoder live in the caller's memory, of a
 *                   size libopus tells; libopus allocates nothing after that.
 * How do I use it?  mc_opus_load(NULL) once (mc_codec.h), then mc_codec_find("opus", srate).
 *                   conceal() restores a lost frame from the in-band FEC of the packet after it
 *                   when given, otherwise by the codec's own concealment.
 *
 * Encoder: VOIP, VBR, complexity 5, in-band FEC for 10 % loss, 24 kbit/s; mc_opus_tune() changes
 * the last two. Cost per 20 ms at 8 to 48 kHz: decoding 6-15 µs, encoding 45-85 µs.
 */
#ifndef MC_OPUS_H
#define MC_OPUS_H

#include "mc_codec.h"

enum {
	MC_OPUS_BITRATE = 24000,   /* bit/s at first */
	MC_OPUS_LOSS_PERCENT = 10, /* expected loss at first: libopus adds FEC only above 0 */
	MC_OPUS_COMPLEXITY = 5,    /* 0..10 */
	MC_OPUS_PACKET_MAX = 1276, /* bytes of one frame with its TOC, RFC 6716 §3.2 */
};

/** The row of a leg rate, or NULL when libopus is not loaded or the rate is not one of a leg. */
const struct mc_codec *mc_opus(uint32_t srate);

/** Change a running encoder: bitrate_bps 6000..510000, loss_percent 0..100 (0: no FEC).
 *  return 0 | MC_EINVAL (a value out of range: nothing changed). No allocation. */
int mc_opus_tune(void *enc, int32_t bitrate_bps, int32_t loss_percent) MC_WUR;

#endif
