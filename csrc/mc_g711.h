/* mc_g711: PCMU and PCMA, 64 kbit/s at 8 kHz. ITU-T G.711; RFC 3551 §4.5.14.
 *
 * What does it do?  Turns one byte into one sample and back; exact for all 65,536 inputs.
 * How does it work? Decoding is a table of 256 samples. Encoding takes segment and quantization
 *                   step in one shift out of the exponent and the top four mantissa bits of the
 *                   magnitude as a float: no search, no branch, and compilers vectorise it.
 *                   Magnitudes are one's complement (-1 encodes as 0 with the other sign).
 * How do I use it?  Through the rows below, or mc_codec_find("PCMU", 8000). No state.
 */
#ifndef MC_G711_H
#define MC_G711_H

#include "mc_codec.h"

extern const struct mc_codec mc_g711_pcmu;
extern const struct mc_codec mc_g711_pcma;

/** n samples to n bytes and back; both regions apart. */
void mc_g711_ulaw_encode(uint8_t *restrict out, const int16_t *restrict pcm, size_t n);
void mc_g711_alaw_encode(uint8_t *restrict out, const int16_t *restrict pcm, size_t n);
void mc_g711_ulaw_decode(int16_t *restrict pcm, const uint8_t *restrict in, size_t n);
void mc_g711_alaw_decode(int16_t *restrict pcm, const uint8_t *restrict in, size_t n);

#endif
