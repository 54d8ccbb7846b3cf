#include "mc_plc.h"

#include "mc_pitch.h"

#include <math.h>
#include <string.h>

enum {
	HOLD_US = 10000, /* full gain */
	MERGE_US = 2500, /* cross-fade after a short loss */
	MERGE_LONG_US = 5000,
	WINDOW_US = 8000,  /* correlation window of the pitch search */
	JOIN_US = 1250,    /* the step at the start of a loss is spread over this */
	SECOND_US = 20000, /* from here two periods are repeated, */
	THIRD_US = 50000,  /* and from here three */
};
#define VOICED_SCORE 0.35f

struct mc_plc {
	uint32_t srate;
	uint32_t rng;
	uint32_t hist_cap;
	/* cleared by reset */
	int active;    /* between conceal and merge */
	uint32_t run;  /* samples concealed in this loss */
	uint32_t n;    /* samples in hist */
	uint32_t lag;  /* period */
	uint32_t next; /* start of the cycle after it */
	uint32_t pos;  /* next sample to read; cycle ends at n */
	uint32_t fade; /* samples of the seam at the cycle's end */
	int voiced;
	float trend; /* gain that follows a decaying signal, falls towards `trend_end` */
	float trend_step;
	float trend_end;
	float step; /* of the joint at the start of the loss, decays to 0 */
	float step_slope;
	int16_t hist[];
};

static uint32_t us_samples(uint32_t us, uint32_t srate)
{
	return (uint32_t)((uint64_t)us * srate / 1000000u);
}

size_t mc_plc_size(const struct mc_plc_cfg *cfg)
{
	return mc_align(sizeof(struct mc_plc) +
			us_samples(MC_PLC_HIST_US, cfg->srate) * sizeof(int16_t));
}

int mc_plc_init(struct mc_plc **out, void *mem, size_t size, const struct mc_plc_cfg *cfg)
{
	if (!mc_srate_ok(cfg->srate))
		return MC_EINVAL;
	if (size < mc_plc_size(cfg))
		return MC_ENOMEM;
	struct mc_plc *plc = mem;
	plc->srate = cfg->srate;
	plc->rng = cfg->seed ? cfg->seed : 1;
	plc->hist_cap = us_samples(MC_PLC_HIST_US, cfg->srate);
	mc_plc_reset(plc);
	*out = plc;
	return MC_OK;
}

void mc_plc_reset(struct mc_plc *plc)
{
	plc->active = 0;
	plc->run = 0;
	plc->n = 0;
	plc->lag = 0;
}

uint32_t mc_plc_run(const struct mc_plc *plc)
{
	return plc->run;
}

static uint32_t rand_below(struct mc_plc *plc, uint32_t n)
{
	uint32_t x = plc->rng;
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	plc->rng = x;
	return n ? x % n : 0;
}

/* Gain by the time concealed so far. */
static float gain_at(const struct mc_plc *plc, uint32_t run)
{
	uint32_t hold = us_samples(HOLD_US, plc->srate),
		 end = us_samples(MC_PLC_END_US, plc->srate);
	if (run <= hold)
		return 1.0f;
	if (run >= end)
		return 0.0f;
	return (float)(end - run) / (float)(end - hold);
}

float mc_plc_gain(const struct mc_plc *plc)
{
	return plc->lag ? gain_at(plc, plc->run) : plc->run ? 0.0f : 1.0f;
}

/* Where the next cycle starts in the history, and how long its seam is. */
static void plan_next(struct mc_plc *plc)
{
	uint32_t len = plc->lag;
	plc->fade = plc->lag / 4;
	if (plc->voiced) {
		uint32_t k = plc->run < us_samples(SECOND_US, plc->srate)  ? 1
			     : plc->run < us_samples(THIRD_US, plc->srate) ? 2
									   : 3;
		while (k > 1 && k * plc->lag + plc->fade > plc->n)
			k--;
		len = k * plc->lag;
	} else {
		uint32_t lo = us_samples(MC_PITCH_MAX_US, plc->srate);
		uint32_t hi = plc->n - plc->fade;
		if (hi > lo)
			len = lo + rand_below(plc, hi - lo);
	}
	plc->next = plc->n - len;
}

static double energy(const int16_t *x, size_t n)
{
	int64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (int32_t)x[i] * x[i];
	return (double)sum;
}

/* Start of a loss: keep the history, find the period, plan the first cycle. */
static void analyse(struct mc_plc *plc, const int16_t *hist, size_t hist_n)
{
	uint32_t n = hist_n < plc->hist_cap ? (uint32_t)hist_n : plc->hist_cap;
	uint32_t srate = plc->srate;
	memcpy(plc->hist, hist + hist_n - n, n * sizeof *hist);
	plc->n = n;
	plc->lag = 0;
	uint32_t lo = (uint32_t)mc_pitch_min(srate), hi = (uint32_t)mc_pitch_max(srate);
	uint32_t window = us_samples(WINDOW_US, srate);
	if (n < hi + window + 1)
		return;
	struct mc_pitch found = mc_pitch_find(plc->hist, n - window, window, lo, hi, srate);
	if (found.lag == 0)
		return;
	plc->voiced = found.score >= VOICED_SCORE;
	plc->lag = plc->voiced ? (uint32_t)found.lag : hi;
	plc->fade = plc->lag / 4;

	/* A decaying signal goes on decaying, within limits; a rising one is held. */
	double last = energy(plc->hist + n - plc->lag, plc->lag);
	double before = energy(plc->hist + n - 2 * plc->lag, plc->lag);
	float ratio = before > 0 ? (float)sqrt(last / before) : 1.0f;
	ratio = ratio > 1.0f ? 1.0f : ratio < 0.5f ? 0.5f : ratio;
	plc->trend = 1.0f;
	plc->trend_end = ratio;
	plc->trend_step = (1.0f - ratio) / (float)us_samples(HOLD_US, srate);

	plc->pos = n - plc->lag;
	plan_next(plc);
	/* The first cycle follows the true signal, which has no seam: spread the step instead. */
	plc->step = (float)(plc->hist[n - 1] - plc->hist[n - plc->lag - 1]);
	plc->step_slope = plc->step / (float)us_samples(JOIN_US, srate);
}

/* The next sample of the continued signal, before gain. */
static float continued(struct mc_plc *plc)
{
	uint32_t left = plc->n - plc->pos; /* ≥ 1 */
	float x = plc->hist[plc->pos];
	if (left <= plc->fade && plc->next >= left) {
		float w = 1.0f - ((float)left - 0.5f) / (float)plc->fade;
		float y = plc->hist[plc->next - left];
		x = plc->voiced ? x + w * (y - x) : x * sqrtf(1.0f - w) + y * sqrtf(w);
	}
	if (++plc->pos == plc->n) {
		plc->pos = plc->next;
		plan_next(plc);
	}
	if (plc->step != 0.0f) {
		x += plc->step;
		float less = plc->step - plc->step_slope;
		plc->step = less * plc->step > 0.0f ? less : 0.0f;
	}
	return x;
}

/* n samples of the continued signal with the gains of the run so far. */
static void run_on(struct mc_plc *plc, int16_t *pcm, size_t n)
{
	float gain = gain_at(plc, plc->run);
	float slope = n ? (gain_at(plc, plc->run + (uint32_t)n) - gain) / (float)n : 0.0f;
	for (size_t i = 0; i < n; i++) {
		pcm[i] = mc_sat16((int32_t)lrintf(continued(plc) * gain * plc->trend));
		gain += slope;
		plc->run++;
		if (plc->trend > plc->trend_end)
			plc->trend -= plc->trend_step;
	}
}

void mc_plc_conceal(struct mc_plc *plc, int16_t *restrict pcm, size_t n,
		    const int16_t *restrict hist, size_t hist_n)
{
	if (!plc->active) {
		analyse(plc, hist, hist_n);
		plc->active = 1;
	}
	if (plc->lag == 0 || plc->run >= us_samples(MC_PLC_END_US, plc->srate)) {
		/* Nothing to go by: only keep the border free of a click. */
		float x = plc->run == 0 && hist_n ? (float)hist[hist_n - 1] : 0.0f;
		float keep = 1.0f - 1000.0f / (float)plc->srate;
		for (size_t i = 0; i < n; i++) {
			x *= keep;
			pcm[i] = (int16_t)lrintf(x);
		}
		plc->run = plc->run > UINT32_MAX / 2 ? plc->run : plc->run + (uint32_t)n;
		return;
	}
	run_on(plc, pcm, n);
}

void mc_plc_merge(struct mc_plc *plc, int16_t *pcm, size_t n)
{
	if (!plc->active)
		return;
	uint32_t us = plc->run > us_samples(SECOND_US, plc->srate) ? MERGE_LONG_US : MERGE_US;
	size_t fade = us_samples(us, plc->srate);
	if (fade > n)
		fade = n;
	int16_t tail[(size_t)MERGE_LONG_US * (MC_SRATE_MAX / 1000) / 1000];
	if (plc->lag && plc->run < us_samples(MC_PLC_END_US, plc->srate))
		run_on(plc, tail, fade);
	else
		memset(tail, 0, fade * sizeof *tail);
	for (size_t i = 0; i < fade; i++) {
		float w = ((float)i + 0.5f) / (float)fade;
		pcm[i] = mc_sat16((int32_t)lrintf((float)tail[i] * (1.0f - w) + (float)pcm[i] * w));
	}
	plc->active = 0;
	plc->run = 0;
	plc->lag = 0;
}
