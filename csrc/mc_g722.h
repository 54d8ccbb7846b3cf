/* mc_g722: G.722 at 64 kbit/s (mode 1): 16 kHz audio, one byte for two samples, RTP clock 8000.
 * ITU-T G.722 (2012) §3-§6; RFC 3551 §4.5.2.
 *
 * What does it do?  Encodes and decodes wideband speech, bit-exact with the Recommendation.
 * How does it work?
 *
 *   encode   pcm ─► 24-tap QMF ─┬─ low band  ─► 60-level ADPCM, 6 bits ─┬─► byte: high << 6 | low
 *                   analysis    └─ high band ─► 4-level ADPCM, 2 bits  ─┘
 *   decode   the same two ADPCM loops from the codes, then the QMF synthesis
 *
 *                   Each loop predicts with 2 poles and 6 zeros, adapted by signs only; both ends
 *                   run the same recursion on the quantized difference. Names in the code are
 *                   those of the Recommendation's blocks, in lower case.
 * How do I use it?  Through the row, or mc_codec_find("G722", 16000). State is flat memory.
 *
 * The QMF delays by 22 samples (1.4 ms) over a round trip. Nothing allocates.
 */
#ifndef MC_G722_H
#define MC_G722_H

#include "mc_codec.h"

extern const struct mc_codec mc_g722;

#endif
