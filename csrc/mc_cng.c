#include "mc_cng.h"

#include <math.h>
#include <string.h>

#define FULL_SCALE 32768.0f
/* 3 dB per 20 ms, as a factor of amplitude. */
#define GLIDE_20MS 1.4125f

struct mc_cng {
	uint32_t srate;
	uint32_t rng;
	/* cleared by reset */
	float want_rms; /* level to reach */
	float rms;      /* level now */
	int order;      /* coefficients in use */
	int fresh;      /* not audible until now: start at the background's level */
	float k[MC_CNG_ORDER_MAX];
	float b[MC_CNG_ORDER_MAX + 1]; /* backward errors of the lattice */
	float bg_power;                /* observed background, mean square; negative = unknown */
	float bg_k;                    /* its first reflection coefficient */
	float slot_power;              /* lowest mean square in the running half second */
	float slot_k;
	uint32_t slot_samples;
};

size_t mc_cng_size(const struct mc_cng_cfg *cfg)
{
	(void)cfg;
	return mc_align(sizeof(struct mc_cng));
}

int mc_cng_init(struct mc_cng **out, void *mem, size_t size, const struct mc_cng_cfg *cfg)
{
	if (!mc_srate_ok(cfg->srate))
		return MC_EINVAL;
	if (size < mc_cng_size(cfg))
		return MC_ENOMEM;
	struct mc_cng *cng = mem;
	cng->srate = cfg->srate;
	cng->rng = cfg->seed ? cfg->seed : 1;
	mc_cng_reset(cng);
	*out = cng;
	return MC_OK;
}

void mc_cng_reset(struct mc_cng *cng)
{
	cng->want_rms = 0.0f;
	cng->rms = 0.0f;
	cng->order = 0;
	cng->fresh = 1;
	memset(cng->k, 0, sizeof cng->k);
	memset(cng->b, 0, sizeof cng->b);
	cng->bg_power = -1.0f;
	cng->bg_k = 0.0f;
	cng->slot_power = -1.0f;
	cng->slot_k = 0.0f;
	cng->slot_samples = 0;
}

int mc_cng_payload(struct mc_cng *cng, const uint8_t *payload, size_t n)
{
	if (n == 0)
		return MC_EBADMSG;
	int level = payload[0] & 0x7f;
	cng->want_rms = level == MC_CNG_SILENT_DBOV
				? 0.0f
				: FULL_SCALE * powf(10.0f, -(float)level / 20.0f);
	size_t order = n - 1 < MC_CNG_ORDER_MAX ? n - 1 : MC_CNG_ORDER_MAX;
	for (size_t i = 0; i < order; i++) {
		/* 127 is zero; 255 is reserved and would be unstable (RFC 3389 §3.1). */
		int q = payload[1 + i] > 254 ? 254 : payload[1 + i];
		cng->k[i] = (float)(258 * (q - 127)) / 32768.0f;
	}
	cng->order = (int)order;
	return MC_OK;
}

void mc_cng_background(struct mc_cng *cng)
{
	cng->want_rms = cng->bg_power > 0.0f ? sqrtf(cng->bg_power) : 0.0f;
	cng->k[0] = cng->bg_k;
	cng->order = 1;
}

void mc_cng_observe(struct mc_cng *cng, const int16_t *pcm, size_t n)
{
	if (n < 2)
		return;
	int64_t r0 = 0, r1 = 0;
	for (size_t i = 1; i < n; i++) {
		r0 += (int32_t)pcm[i] * pcm[i];
		r1 += (int32_t)pcm[i] * pcm[i - 1];
	}
	/* Digital silence counts as the weakest noise an int16 can hold. */
	float power = (float)r0 / (float)(n - 1) + 0.01f;
	float k = r0 > 0 ? -(float)r1 / (float)r0 : 0.0f;
	k = k > 0.95f ? 0.95f : k < -0.95f ? -0.95f : k;

	/* The quietest block of each half second is background unless speech filled it: then it
	 * may only pull the estimate up slowly. Quieter than known is taken nearly at once. */
	if (cng->slot_power < 0.0f || power < cng->slot_power) {
		cng->slot_power = power;
		cng->slot_k = k;
	}
	if (cng->bg_power < 0.0f || power < cng->bg_power) {
		float w = cng->bg_power < 0.0f ? 1.0f : 0.3f;
		cng->bg_power += w * (power - cng->bg_power);
		cng->bg_k += w * (k - cng->bg_k);
	}
	cng->slot_samples += (uint32_t)n;
	if (cng->slot_samples >= cng->srate / 2) {
		float rise = cng->bg_power * 1.6f; /* 2 dB per half second */
		float to = cng->slot_power < rise ? cng->slot_power : rise;
		if (to > cng->bg_power)
			cng->bg_power = to;
		if (cng->slot_power < 2.0f * cng->bg_power)
			cng->bg_k += 0.5f * (cng->slot_k - cng->bg_k);
		cng->slot_power = -1.0f;
		cng->slot_samples = 0;
	}
}

float mc_cng_background_rms(const struct mc_cng *cng)
{
	return cng->bg_power < 0.0f ? -1.0f : sqrtf(cng->bg_power);
}

int mc_cng_level_dbov(const struct mc_cng *cng)
{
	if (cng->want_rms <= 0.0f)
		return MC_CNG_SILENT_DBOV;
	long level = lrintf(-20.0f * log10f(cng->want_rms / FULL_SCALE));
	return (int)(level < 0 ? 0 : level > MC_CNG_SILENT_DBOV ? MC_CNG_SILENT_DBOV : level);
}

void mc_cng_start(struct mc_cng *cng)
{
	cng->fresh = 1;
	memset(cng->b, 0, sizeof cng->b);
}

/* White noise of unit power: the sum of two uniform halves, a triangle. */
static float white(struct mc_cng *cng)
{
	uint32_t x = cng->rng;
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	cng->rng = x;
	int32_t sum = (int32_t)(x & 0xffff) + (int32_t)(x >> 16) - 65535;
	return (float)sum * (1.0f / 26754.6f); /* σ of the sum: 65536 / √6 */
}

/* One sample through the lattice of 1/A(z), A(z) = 1 + k₁z⁻¹ for order one. */
static float shape(struct mc_cng *cng, float e)
{
	for (int i = cng->order - 1; i >= 0; i--) {
		e -= cng->k[i] * cng->b[i];
		cng->b[i + 1] = cng->b[i] + cng->k[i] * e;
	}
	cng->b[0] = e;
	return e;
}

static void run(struct mc_cng *cng, int16_t *pcm, size_t n, float from, float to)
{
	if (cng->fresh) {
		cng->rms = cng->bg_power >= 0.0f ? sqrtf(cng->bg_power) : cng->want_rms;
		cng->fresh = 0;
	}
	/* Level at the end of this block: towards the wanted one, at most 3 dB per 20 ms. A
	 * glide from or to silence runs through an inaudible floor. */
	float step = powf(GLIDE_20MS, (float)n * (float)MC_TICKS_PER_S / (float)cng->srate);
	float floor_rms = 0.5f;
	float end = cng->want_rms;
	if (end > cng->rms * step && end > floor_rms)
		end = cng->rms * step > floor_rms ? cng->rms * step : floor_rms;
	else if (end < cng->rms / step)
		end = cng->rms / step > floor_rms ? cng->rms / step : cng->want_rms;
	float power = 1.0f;
	for (int i = 0; i < cng->order; i++)
		power *= 1.0f - cng->k[i] * cng->k[i];
	float unit = sqrtf(power);
	float gain = cng->rms * from * unit;
	float slope = (end * to * unit - gain) / (float)n;
	for (size_t i = 0; i < n; i++) {
		float x = shape(cng, white(cng)) * gain;
		gain += slope;
		pcm[i] = mc_sat16(pcm[i] + (int32_t)lrintf(x));
	}
	cng->rms = end;
}

void mc_cng_generate(struct mc_cng *cng, int16_t *pcm, size_t n)
{
	memset(pcm, 0, n * sizeof *pcm);
	if (n)
		run(cng, pcm, n, 1.0f, 1.0f);
}

void mc_cng_add(struct mc_cng *cng, int16_t *pcm, size_t n, float from, float to)
{
	if (n)
		run(cng, pcm, n, from, to);
}
