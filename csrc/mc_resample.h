/* mc_resample: streaming sampling-rate conversion by a rational ratio.
 *
 * What does it do?  Converts int16 mono between any two of 8000, 11025, 16000, 22050, 24000,
 *                   32000, 44100 and 48000 Hz. The output does not depend on how the input is
 *                   cut into chunks. Equal rates are a plain copy without delay.
 * How does it work? out/in = L/M in lowest terms; a Kaiser-windowed sinc at in * L, cut at half
 *                   of the lower rate, kept as L phases; one dot product per output sample:
 *
 *                     in ─→ [ history | block ] ─→ Σ h[phase][k]·x[k] ─→ out
 *
 *                   The sinc is an L-th band filter: when interpolating by an integer, phase 0
 *                   is the input itself and costs a copy. Coefficients are computed by init.
 * How do I use it?  size, init, then run per chunk; out needs mc_resample_out_max(rs, n) samples.
 *
 * Ripple <= 0.01 dB up to 0.425 of the lower rate, images and aliases <= -80 dB from 0.575 of it;
 * delay 20 samples of the lower rate below 16 kHz (2.5 ms at 8 kHz), else 32 (2 ms at 16 kHz).
 * Memory: 0.3 to 1.4 KB for integer ratios, up to 103 KB for ratios with 11025, 22050 and 44100.
 */
#ifndef MC_RESAMPLE_H
#define MC_RESAMPLE_H

#include "mc_types.h"

struct mc_resample;

/** Bytes of state for a pair of rates; 0 when a rate is not one of the list above. */
size_t mc_resample_size(uint32_t in_hz, uint32_t out_hz);

/** Set up in mem [size bytes, aligned to 16].
 *  return 0 | MC_EINVAL (rate, alignment) | MC_ENOMEM (size too small).  Computes coefficients:
 *  for set-up time, not for the tick. */
int mc_resample_init(struct mc_resample **out, void *mem, size_t size, uint32_t in_hz,
		     uint32_t out_hz) MC_WUR;

/** Forget the signal, keep the coefficients. */
void mc_resample_reset(struct mc_resample *rs);

/** Convert n samples. out [cap] must not overlap in [n].
 *  return samples written, or MC_EINVAL when cap < mc_resample_out_max(rs, n) or n > 2^20 (nothing
 *  is consumed).  No allocation. O(n). */
int mc_resample_run(struct mc_resample *rs, int16_t *restrict out, size_t cap,
		    const int16_t *restrict in, size_t n) MC_WUR;

/** Upper bound of the samples that n more input samples give: ceil(n * L / M). */
size_t mc_resample_out_max(const struct mc_resample *rs, size_t n);

/** Delay of the filter in output samples (rounded to nearest; 0 for equal rates). */
uint32_t mc_resample_delay(const struct mc_resample *rs);

#endif
