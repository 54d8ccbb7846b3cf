#include "mc_pitch.h"

#include <math.h>

enum {
	/* at + window at 4 kHz: 15 ms of lags and 20 ms of window, rounded up. */
	COARSE_MAX = (MC_PITCH_MAX_US + MC_TICK_US) / 1000 * (MC_PITCH_COARSE_HZ / 1000) + 4,
};

static float score_of(int64_t xy, int64_t xx, int64_t yy)
{
	if (xx <= 0 || yy <= 0)
		return 0.0f;
	return (float)xy / (sqrtf((float)xx) * sqrtf((float)yy));
}

float mc_pitch_score(const int16_t *a, const int16_t *b, size_t n)
{
	int64_t ab = 0, aa = 0, bb = 0;
	for (size_t i = 0; i < n; i++) {
		ab += (int32_t)a[i] * b[i];
		aa += (int32_t)a[i] * a[i];
		bb += (int32_t)b[i] * b[i];
	}
	return score_of(ab, aa, bb);
}

/* Best lag by score in lo … hi; all in samples of x. */
static struct mc_pitch search(const int16_t *x, size_t at, size_t window, size_t lo, size_t hi)
{
	struct mc_pitch best = {0, -2.0f};
	for (size_t lag = lo; lag <= hi; lag++) {
		float s = mc_pitch_score(x + at, x + at - lag, window);
		if (s > best.score) {
			best.score = s;
			best.lag = lag;
		}
	}
	return best;
}

struct mc_pitch mc_pitch_find(const int16_t *pcm, size_t at, size_t window, size_t lag_min,
			      size_t lag_max, uint32_t srate)
{
	struct mc_pitch none = {0, 0.0f};
	size_t step = srate / MC_PITCH_COARSE_HZ;
	if (!mc_srate_ok(srate) || lag_min == 0 || lag_min > lag_max || lag_max > at)
		return none;

	/* The block [at − lag_max, at + window) averaged down to 4 kHz, aligned to `at`. */
	int16_t low[COARSE_MAX];
	size_t back = lag_max / step, fore = window / step;
	if (fore < 2 || back + fore > COARSE_MAX)
		return none;
	const int16_t *from = pcm + at - back * step;
	for (size_t i = 0; i < back + fore; i++) {
		int32_t sum = 0;
		for (size_t j = 0; j < step; j++)
			sum += from[i * step + j];
		low[i] = (int16_t)(sum / (int32_t)step);
	}
	size_t lo = (lag_min + step - 1) / step;
	if (lo > back)
		lo = back;
	if (lo == 0)
		return none;
	struct mc_pitch coarse = search(low, back, fore, lo, back);

	size_t first = coarse.lag * step > step ? (coarse.lag - 1) * step + 1 : 1;
	size_t last = (coarse.lag + 1) * step - 1;
	if (first < lag_min)
		first = lag_min;
	if (last > lag_max)
		last = lag_max;
	if (first > last)
		return none;
	return search(pcm, at, fore * step, first, last);
}
