#include "mc_stretch.h"

#include "mc_pitch.h"

#include <math.h>
#include <string.h>

enum {
	MIN_FADE_US = 5000, /* shortest cross-fade and correlation window */
	MAX_FADE_US = 10000,
	SPAN_US = 35000, /* longest piece examined: one period and a window of 20 ms */
};

static size_t us_samples(uint32_t us, uint32_t srate)
{
	return (size_t)us * srate / 1000000u;
}

/* Fade from a to b. Alike signals add up in amplitude, unlike ones in power. */
static void cross(int16_t *out, const int16_t *a, const int16_t *b, size_t n, float score)
{
	int power = score < 0.5f;
	for (size_t i = 0; i < n; i++) {
		float w = ((float)i + 0.5f) / (float)n;
		float wa = power ? sqrtf(1.0f - w) : 1.0f - w;
		float wb = power ? sqrtf(w) : w;
		out[i] = mc_sat16((int32_t)lrintf((float)a[i] * wa + (float)b[i] * wb));
	}
}

static int good_enough(struct mc_pitch found, const struct mc_stretch_opt *opt)
{
	return found.lag != 0 && (opt->quiet || found.score >= opt->min_score);
}

static size_t max_lag(const struct mc_stretch_opt *opt)
{
	size_t most = mc_pitch_max(opt->srate);
	return opt->max_samples != 0 && opt->max_samples < most ? opt->max_samples : most;
}

size_t mc_stretch_accelerate(int16_t *pcm, size_t n, const struct mc_stretch_opt *opt)
{
	size_t lo = mc_pitch_min(opt->srate), hi = max_lag(opt);
	size_t window = us_samples(MIN_FADE_US, opt->srate);
	if (n < lo + window || hi < lo)
		return n;
	if (hi > n - window)
		hi = n - window;
	/* The window is the part after the longest lag: score pcm[0 …) against pcm[lag …). The
	 * search looks backwards, so it compares pcm[at …) with pcm[at − lag …), at = hi. */
	size_t most = us_samples(MAX_FADE_US, opt->srate);
	size_t span = n - hi < most ? n - hi : most;
	struct mc_pitch found = mc_pitch_find(pcm, hi, span, lo, hi, opt->srate);
	if (!good_enough(found, opt))
		return n;
	size_t p = found.lag, at = hi - p;
	size_t fade = p < span ? p : span;
	int16_t mixed[MC_FRAME_MAX];
	MC_ASSERT(fade <= MC_FRAME_MAX);
	cross(mixed, pcm + at, pcm + at + p, fade, found.score);
	memcpy(pcm + at, mixed, fade * sizeof *pcm);
	memmove(pcm + at + fade, pcm + at + p + fade, (n - at - p - fade) * sizeof *pcm);
	return n - p;
}

size_t mc_stretch_expand(int16_t *pcm, size_t n, size_t cap, const int16_t *hist, size_t hist_n,
			 const struct mc_stretch_opt *opt)
{
	size_t lo = mc_pitch_min(opt->srate), hi = max_lag(opt);
	size_t window = us_samples(MAX_FADE_US, opt->srate);
	if (cap < n || hi < lo || hist_n < hi)
		return n;
	if (window > n)
		window = n;
	if (window < us_samples(MIN_FADE_US, opt->srate))
		return n;
	/* History and block side by side, so that lags may reach across the border. */
	int16_t line[(size_t)SPAN_US * (MC_SRATE_MAX / 1000) / 1000];
	MC_ASSERT(hi + window <= sizeof line / sizeof *line);
	memcpy(line, hist + hist_n - hi, hi * sizeof *line);
	memcpy(line + hi, pcm, window * sizeof *line);
	struct mc_pitch found = mc_pitch_find(line, hi, window, lo, hi, opt->srate);
	size_t p = found.lag;
	if (!good_enough(found, opt) || n + p > cap)
		return n;
	size_t fade = p < window ? p : window;
	int16_t mixed[MC_FRAME_MAX];
	cross(mixed, line + hi, line + hi - p, fade, found.score);
	/* After the fade the signal is one period late: the rest of the block follows from
	 * where the shifted copy stands, fade − p (in the history while negative). */
	memmove(pcm + p, pcm, n * sizeof *pcm);
	memcpy(pcm, mixed, fade * sizeof *pcm);
	if (fade < p)
		memcpy(pcm + fade, line + hi + fade - p, (p - fade) * sizeof *pcm);
	return n + p;
}
