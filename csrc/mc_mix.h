/* mc_mix: N-1 mix with a gain matrix.
 *
 * out[to] = sum over from != to of in[from] * gain[from][to], saturated once. With every gain at
 * full the sum is built once and each party's own part taken off: O(N) instead of O(N²).
 */
#ifndef MC_MIX_H
#define MC_MIX_H

#include "mc_types.h"

enum {
	MC_MIX_MAX = 8,
	MC_MIX_FULL = 32767,
};

struct mc_mix_gains {
	int16_t q15[MC_MIX_MAX][MC_MIX_MAX]; /* [from][to] */
};

void mc_mix_gains_init(struct mc_mix_gains *gains);

/** Mix one tick. in, out: parties pointers to n samples (n <= MC_FRAME_MAX), host order int16;
 *  a NULL in is silent, a NULL out hears nothing. No allocation. */
void mc_mix_run(const struct mc_mix_gains *gains, int16_t *const *out, const int16_t *const *in,
		size_t parties, size_t n);

#endif
