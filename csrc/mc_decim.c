/* mc_decim: see the header. */
#include "mc_decim.h"
#include "mc_simd.h"

#include <math.h>

enum { TAPS_PER_STEP = 12 };

int mc_decim_init(struct mc_decim *d, uint32_t srate)
{
	const double pi = 3.14159265358979323846;
	if (!mc_srate_ok(srate))
		return MC_EINVAL;
	memset(d, 0, sizeof *d);
	d->step = srate / 8000;
	size_t n = (size_t)d->step * TAPS_PER_STEP;
	double sum = 0, h[MC_DECIM_TAPS];
	for (size_t i = 0; i < n; i++) {
		double t = ((double)i - (double)(n - 1) / 2) / d->step;
		double x = pi * 0.94 * t;
		double w = 0.54 - 0.46 * cos(2 * pi * ((double)i + 0.5) / (double)n);
		h[i] = w * (fabs(x) < 1e-9 ? 1 : sin(x) / x);
		sum += h[i];
	}
	for (size_t i = 0; i < n; i++)
		d->taps[i] = (float)(h[i] / sum);
	return MC_OK;
}

void mc_decim_reset(struct mc_decim *d)
{
	memset(d->old, 0, sizeof d->old);
}

void mc_decim_frame(struct mc_decim *d, float *restrict out, const int16_t *restrict pcm)
{
	if (d->step == 1) {
		mc_widen(out, pcm, MC_DECIM_FRAME);
		return;
	}
	float buf[MC_DECIM_TAPS + MC_FRAME_MAX];
	const size_t n = (size_t)d->step * MC_DECIM_FRAME, taps = (size_t)d->step * TAPS_PER_STEP;
	mc_widen(buf, d->old, taps);
	mc_widen(buf + taps, pcm, n);
	for (size_t i = 0; i < MC_DECIM_FRAME; i++)
		out[i] = mc_dot(d->taps, buf + (i + 1) * d->step, taps);
	memcpy(d->old, pcm + n - taps, taps * sizeof *pcm);
}
