/* mc_fft: power spectrum of a short real block, for detectors.
 *
 * Stockham radix-4 (no bit reversal) on n / 2 complex points, then the split into the spectrum of
 * the real block. n = 128, 256 or 512. Scratch lives on the stack (4 KB at n = 512), twiddles in
 * one constant table of 2 KB. About 0.4 µs for n = 256.
 */
#ifndef MC_FFT_H
#define MC_FFT_H

#include "mc_types.h"

enum { MC_FFT_MAX = 512 };

/** Multiply x [n] by the rising (out = 0) or falling (out = 1) half of a Hann window of 2 n; n a
 *  power of two up to 256. Both halves on one block of 2 n make the periodic Hann window. */
void mc_fft_taper(float *x, size_t n, int out);

/** |X[k]|^2 for k = 0..n/2 of the real block x [n]; pow [n/2 + 1]. */
void mc_fft_power(float *restrict pow, const float *restrict x, size_t n);

#endif
