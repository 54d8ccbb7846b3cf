/* mc_stretch: shorten or lengthen a block of speech by one pitch period.
 *
 * What does it do?  Takes one period out of a block, or puts one in, without a change of pitch.
 * How does it work? The lag with the best normalised correlation is found; the signal is
 *                   cross-faded with itself shifted by that lag (WSOLA with one splice):
 *
 *     accelerate   x[0 …) ──fade──► x[p …)            n → n − p
 *     expand       x[0 …) ──fade──► x[−p …) = history n → n + p
 *
 *                   Voiced blocks need a high score; quiet blocks may be spliced anywhere.
 * How do I use it?  On audio that was decoded and not yet played; the decision when to stretch
 *                   belongs to the caller (mc_rx). No state.
 */
#ifndef MC_STRETCH_H
#define MC_STRETCH_H

#include "mc_types.h"

struct mc_stretch_opt {
	uint32_t srate;     /* Hz, a leg rate */
	size_t max_samples; /* change by no more than this; 0 = one longest period (15 ms) */
	float min_score;    /* correlation needed, 0 … 1: 0.9 careful, 0.5 in haste */
	int quiet;          /* the block is background noise: any splice will do */
};

/** Remove one period from pcm [n samples], in place.
 *  return the new length: n − period, or n when no good splice was found. O(n × lags). */
size_t mc_stretch_accelerate(int16_t *pcm, size_t n, const struct mc_stretch_opt *opt);

/** Insert one period at the head of pcm [n samples, room for cap], in place.
 *  hist [hist_n samples] is what comes right before pcm; only its last 15 ms are read.
 *  return the new length: n + period, or n when no good splice was found or cap is too small. */
size_t mc_stretch_expand(int16_t *pcm, size_t n, size_t cap, const int16_t *hist, size_t hist_n,
			 const struct mc_stretch_opt *opt);

#endif
