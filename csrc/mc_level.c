/* mc_level: see the header. */
#include "mc_level.h"

#include <math.h>

float mc_level_dbov(uint64_t energy, uint64_t n)
{
	if (!energy || !n)
		return -127.0f;
	double db = 10 * log10((double)energy / (double)n / (32768.0 * 32768.0));
	return db < -127 ? -127.0f : (float)db;
}

void mc_level_measure(struct mc_level *level, const int16_t *pcm, size_t n)
{
	if (n > MC_LEVEL_MAX)
		n = MC_LEVEL_MAX;
	uint64_t energy = 0;
	int32_t low = 0, high = 0;
	uint32_t clipped = 0;
	for (size_t i = 0; i < n; i++) {
		int32_t x = pcm[i];
		energy += (uint32_t)(x * x);
		low = x < low ? x : low;
		high = x > high ? x : high;
		clipped += (uint32_t)(x == INT16_MAX) + (uint32_t)(x == INT16_MIN);
	}
	level->energy = energy;
	level->peak = (uint16_t)(-low > high ? -low : high);
	level->clipped = (uint16_t)clipped;
	level->rms_dbov = mc_level_dbov(energy, n);
}
