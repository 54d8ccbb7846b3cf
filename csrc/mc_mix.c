#include "mc_mix.h"

#include <stdbool.h>
#include <string.h>

void mc_mix_gains_init(struct mc_mix_gains *gains)
{
	for (size_t from = 0; from < MC_MIX_MAX; from++)
		for (size_t to = 0; to < MC_MIX_MAX; to++)
			gains->q15[from][to] = MC_MIX_FULL;
}

static bool all_full(const struct mc_mix_gains *gains, size_t parties)
{
	for (size_t from = 0; from < parties; from++)
		for (size_t to = 0; to < parties; to++)
			if (from != to && gains->q15[from][to] != MC_MIX_FULL)
				return false;
	return true;
}

static void add(int32_t *restrict sum, const int16_t *restrict in, size_t n, int32_t gain_q15)
{
	if (gain_q15 == MC_MIX_FULL)
		for (size_t i = 0; i < n; i++)
			sum[i] += in[i];
	else
		for (size_t i = 0; i < n; i++)
			sum[i] += in[i] * gain_q15 >> 15;
}

void mc_mix_run(const struct mc_mix_gains *gains, int16_t *const *out, const int16_t *const *in,
		size_t parties, size_t n)
{
	int32_t sum[MC_FRAME_MAX];

	if (all_full(gains, parties)) {
		memset(sum, 0, n * sizeof(*sum));
		for (size_t from = 0; from < parties; from++)
			if (in[from])
				add(sum, in[from], n, MC_MIX_FULL);
		for (size_t to = 0; to < parties; to++) {
			if (!out[to])
				continue;
			for (size_t i = 0; i < n; i++)
				out[to][i] = mc_sat16(sum[i] - (in[to] ? in[to][i] : 0));
		}
		return;
	}
	for (size_t to = 0; to < parties; to++) {
		if (!out[to])
			continue;
		memset(sum, 0, n * sizeof(*sum));
		for (size_t from = 0; from < parties; from++)
			if (from != to && in[from] && gains->q15[from][to])
				add(sum, in[from], n, gains->q15[from][to]);
		for (size_t i = 0; i < n; i++)
			out[to][i] = mc_sat16(sum[i]);
	}
}
