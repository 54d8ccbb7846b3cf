/* mc_pitch: the lag at which a signal repeats best. Shared by mc_plc and mc_stretch.
 *
 * How does it work? A coarse search at 4 kHz (block averages), then a fine one at full rate
 *                   around the winner. Score = cross-correlation / geometric mean of energies.
 * Cost: O(lags × window) at 4 kHz, about 1 µs; no state, no allocation.
 */
#ifndef MC_PITCH_H
#define MC_PITCH_H

#include "mc_types.h"

enum {
	MC_PITCH_MIN_US = 2500,  /* 400 Hz */
	MC_PITCH_MAX_US = 15000, /* 67 Hz */
	MC_PITCH_COARSE_HZ = 4000,
};

struct mc_pitch {
	size_t lag;  /* samples at srate; 0 = nothing found */
	float score; /* normalised correlation at that lag, −1 … 1; 0 for silence */
};

static inline size_t mc_pitch_min(uint32_t srate)
{
	return (size_t)srate * MC_PITCH_MIN_US / 1000000u;
}

static inline size_t mc_pitch_max(uint32_t srate)
{
	return (size_t)srate * MC_PITCH_MAX_US / 1000000u;
}

/** Compare pcm[at … at+window) with the same window `lag` samples earlier.
 *  lags lag_min … lag_max, all ≤ at; srate: a leg rate (mc_srate_ok); window ≤ 20 ms.
 *  return {0, 0} when the arguments leave nothing to search. */
struct mc_pitch mc_pitch_find(const int16_t *pcm, size_t at, size_t window, size_t lag_min,
			      size_t lag_max, uint32_t srate);

/** Normalised correlation of two blocks of n samples; 0 when either is silent. */
float mc_pitch_score(const int16_t *a, const int16_t *b, size_t n);

#endif
