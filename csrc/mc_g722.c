#include "mc_g722.h"

#include <stdbool.h>
#include <string.h>

enum {
	SRATE = 16000,
	TAPS = 24,
	HISTORY = TAPS - 2, /* samples the filter bank looks back over */
	CHUNK = 160,        /* bytes, that is sample pairs, per pass: bounds the stack */
	NB_MAX_LOW = 18432,
	NB_MAX_HIGH = 22528,
	DET_INIT_LOW = 32,
	DET_INIT_HIGH = 8,
	BAND_MIN = -16384, /* sub-band signals have 15 bits */
	BAND_MAX = 16383,
};

/* Predictor and scale factor of one sub-band, Figure 8 to 13. */
struct band {
	int32_t s;    /* predicted signal */
	int32_t sz;   /* its part from the zeros */
	int32_t nb;   /* logarithmic scale factor */
	int32_t det;  /* linear scale factor */
	int32_t r[2]; /* reconstructed signal, last two */
	int32_t p[2]; /* partially reconstructed signal, last two */
	int32_t a[2]; /* poles, 1 = 16384 */
	int32_t b[6]; /* zeros, 1 = 16384 */
	int32_t d[6]; /* quantized difference, last six */
};

struct g722 {
	struct band low, high;
	int16_t history[2][HISTORY / 2]; /* QMF: the two interleaved phases apart */
};

/* Table 11: the even and the odd phase are each other's mirror. */
static const int16_t QMF[TAPS / 2] = {3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11};

/* Tables 14 to 21. */
static const int16_t Q6[31] = {0,    35,   72,   110,  150,  190,  233,  276,  323,      370,  422,
			       473,  530,  587,  650,  714,  786,  858,  940,  1023,     1121, 1219,
			       1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919, INT16_MAX};
static const int16_t QM6[64] = {
	-136,   -136,   -136,  -136,  -24808, -21904, -19008, -16704, -14984, -13512, -12280,
	-11192, -10232, -9360, -8576, -7856,  -7192,  -6576,  -6000,  -5456,  -4944,  -4464,
	-4008,  -3576,  -3168, -2776, -2400,  -2032,  -1688,  -1360,  -1040,  -728,   24808,
	21904,  19008,  16704, 14984, 13512,  12280,  11192,  10232,  9360,   8576,   7856,
	7192,   6576,   6000,  5456,  4944,   4464,   4008,   3576,   3168,   2776,   2400,
	2032,   1688,   1360,  1040,  728,    432,    136,    -432,   -136};
static const int16_t QM4[16] = {0,     -20456, -12896, -8968, -6288, -4240, -2584, -1200,
				20456, 12896,  8968,   6288,  4240,  2584,  1200,  0};
static const int16_t QM2[4] = {-7408, -1616, 7408, 1616};
static const int16_t WL[16] = {-60,  3042, 1198, 538, 334, 172, 58,  -30,
			       3042, 1198, 538,  334, 172, 58,  -30, -60};
static const int16_t WH[4] = {798, -214, 798, -214};
static const int16_t ILB[32] = {2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543,
				2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025, 3091, 3158, 3228,
				3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008};

static inline int32_t clamp(int32_t v, int32_t lo, int32_t hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

/* UPPOL1, UPPOL2: the poles. p0 is the new partially reconstructed sample. */
static inline void adapt_poles(struct band *band, int32_t p0)
{
	int32_t a1 = band->a[0], a2 = band->a[1];
	bool same0 = (p0 ^ band->p[0]) >= 0, same1 = (p0 ^ band->p[1]) >= 0;
	int32_t wd = mc_sat16(a1 * 4);
	wd = same0 ? -wd : wd;
	wd = (wd > INT16_MAX ? INT16_MAX : wd) >> 7;
	wd += (same1 ? 128 : -128) + ((a2 * 32512) >> 15);
	a2 = clamp(wd, -12288, 12288);
	wd = (same0 ? 192 : -192) + ((a1 * 32640) >> 15);
	band->a[0] = clamp(wd, a2 - 15360, 15360 - a2);
	band->a[1] = a2;
}

/* UPZERO and DELAYA of the difference signal. */
static inline void adapt_zeros(struct band *band, int32_t d0)
{
	int32_t step = d0 == 0 ? 0 : 128;
	for (int i = 0; i < 6; i++) {
		int32_t sign = (d0 ^ band->d[i]) >> 31;
		band->b[i] = ((step ^ sign) - sign) + ((band->b[i] * 32640) >> 15);
	}
	for (int i = 5; i > 0; i--)
		band->d[i] = band->d[i - 1];
	band->d[0] = d0;
}

/* Block 4: take the quantized difference d, adapt, predict the next sample. Saturations that
 * cannot be reached are left out: |b| <= 32768 by its own leak, |a| by its clamps. */
static void predict(struct band *band, int32_t d)
{
	int32_t r0 = mc_sat16(band->s + d);  /* RECONS */
	int32_t p0 = mc_sat16(band->sz + d); /* PARREC */
	adapt_poles(band, p0);
	adapt_zeros(band, d);
	band->p[1] = band->p[0];
	band->p[0] = p0;
	band->r[1] = band->r[0];
	band->r[0] = r0;

	int32_t sp = ((band->a[0] * mc_sat16(2 * band->r[0])) >> 15) + /* FILTEP */
		     ((band->a[1] * mc_sat16(2 * band->r[1])) >> 15);
	int32_t sz = 0; /* FILTEZ */
	for (int i = 5; i >= 0; i--)
		sz = mc_sat16(sz + ((band->b[i] * mc_sat16(2 * band->d[i])) >> 15));
	band->sz = sz;
	band->s = mc_sat16(mc_sat16(sp) + band->sz); /* PREDIC */
}

/* LOGSCL, SCALEL and their high-band forms: the scale factor after a code of weight w.
 * shift is 8 for the low band and 10 for the high. */
static inline void scale(struct band *band, int32_t w, int32_t nb_max, int32_t shift)
{
	band->nb = clamp(((band->nb * 127) >> 7) + w, 0, nb_max);
	int32_t down = shift - (band->nb >> 11);
	int32_t det = ILB[(band->nb >> 6) & 31];
	band->det = (down < 0 ? det << -down : det >> down) << 2;
}

/* QUANTL: sign and magnitude into 6 bits. The interval is found by halving. */
static uint32_t quantize_low(int32_t e, int32_t det)
{
	int32_t m = e >= 0 ? e : -(e + 1);
	int32_t lo = 0, hi = 29; /* Q6[lo] <= m in scale; the answer lies in lo..hi */
	while (lo < hi) {
		int32_t mid = (lo + hi + 1) / 2;
		if (m < (Q6[mid] * det) >> 12)
			hi = mid - 1;
		else
			lo = mid;
	}
	if (e >= 0)
		return (uint32_t)(61 - lo);
	return (uint32_t)(lo < 2 ? 63 - lo : 33 - lo);
}

/* QUANTH: 2 bits. */
static uint32_t quantize_high(int32_t e, int32_t det)
{
	int32_t m = e >= 0 ? e : -(e + 1);
	bool outer = m >= (564 * det) >> 12;
	return (e >= 0 ? 2u : 0u) | !outer;
}

/* INVQAL (the four bits both ends share) and adaptation. */
static inline void low_step(struct band *low, uint32_t code)
{
	int32_t d = (low->det * QM4[code >> 2]) >> 15;
	scale(low, WL[code >> 2], NB_MAX_LOW, 8);
	predict(low, d);
}

/* INVQAH and adaptation. return the quantized difference. */
static inline int32_t high_step(struct band *high, uint32_t code)
{
	int32_t d = (high->det * QM2[code]) >> 15;
	scale(high, WH[code], NB_MAX_HIGH, 10);
	predict(high, d);
	return d;
}

static uint8_t encode_pair(struct g722 *st, int32_t xl, int32_t xh)
{
	uint32_t low = quantize_low(mc_sat16(xl - st->low.s), st->low.det);
	low_step(&st->low, low);
	uint32_t high = quantize_high(mc_sat16(xh - st->high.s), st->high.det);
	high_step(&st->high, high);
	return (uint8_t)(high << 6 | low);
}

static void decode_pair(struct g722 *st, uint8_t code, int32_t *rl, int32_t *rh)
{
	uint32_t low = code & 63u, high = code >> 6;
	int32_t d = (st->low.det * QM6[low]) >> 15;
	*rl = clamp(st->low.s + d, BAND_MIN, BAND_MAX);
	low_step(&st->low, low);
	int32_t s = st->high.s;
	*rh = clamp(s + high_step(&st->high, high), BAND_MIN, BAND_MAX);
}

/* Both phases of the filter bank at one position: x even, y odd, oldest first. */
static inline void qmf(const int16_t *x, const int16_t *y, int32_t *even, int32_t *odd)
{
	int32_t e = 0, o = 0;
	for (int i = 0; i < TAPS / 2; i++) {
		e += x[i] * QMF[i];
		o += y[i] * QMF[TAPS / 2 - 1 - i];
	}
	*even = e;
	*odd = o;
}

static void load_history(struct g722 *st, int16_t *even, int16_t *odd)
{
	memcpy(even, st->history[0], sizeof(st->history[0]));
	memcpy(odd, st->history[1], sizeof(st->history[1]));
}

static void keep_history(struct g722 *st, const int16_t *even, const int16_t *odd, size_t pairs)
{
	memcpy(st->history[0], even + pairs, sizeof(st->history[0]));
	memcpy(st->history[1], odd + pairs, sizeof(st->history[1]));
}

static void encode_chunk(struct g722 *st, uint8_t *restrict out, const int16_t *restrict pcm,
			 size_t pairs)
{
	int16_t even[HISTORY / 2 + CHUNK], odd[HISTORY / 2 + CHUNK];
	load_history(st, even, odd);
	for (size_t i = 0; i < pairs; i++) {
		even[HISTORY / 2 + i] = pcm[2 * i];
		odd[HISTORY / 2 + i] = pcm[2 * i + 1];
	}
	for (size_t i = 0; i < pairs; i++) {
		int32_t e, o;
		qmf(even + i, odd + i, &e, &o);
		out[i] = encode_pair(st, clamp((e + o) >> 14, BAND_MIN, BAND_MAX),
				     clamp((o - e) >> 14, BAND_MIN, BAND_MAX));
	}
	keep_history(st, even, odd, pairs);
}

static void decode_chunk(struct g722 *st, int16_t *restrict pcm, const uint8_t *restrict in,
			 size_t pairs)
{
	int16_t sum[HISTORY / 2 + CHUNK], diff[HISTORY / 2 + CHUNK];
	load_history(st, sum, diff);
	for (size_t i = 0; i < pairs; i++) {
		int32_t rl, rh;
		decode_pair(st, in[i], &rl, &rh);
		sum[HISTORY / 2 + i] = mc_sat16(rl + rh);
		diff[HISTORY / 2 + i] = mc_sat16(rl - rh);
	}
	for (size_t i = 0; i < pairs; i++) {
		int32_t e, o;
		qmf(sum + i, diff + i, &e, &o);
		pcm[2 * i] = mc_sat16(o >> 11);
		pcm[2 * i + 1] = mc_sat16(e >> 11);
	}
	keep_history(st, sum, diff, pairs);
}

static size_t state_size(uint32_t srate)
{
	(void)srate;
	return sizeof(struct g722);
}

static int init(void *state, uint32_t srate)
{
	if (srate != SRATE)
		return MC_EINVAL;
	struct g722 *st = state;
	memset(st, 0, sizeof(*st));
	st->low.det = DET_INIT_LOW;
	st->high.det = DET_INIT_HIGH;
	return MC_OK;
}

static int samples(const uint8_t *payload, size_t n, uint32_t srate)
{
	(void)payload;
	(void)srate;
	return n > 0 && n <= MC_CODEC_MAX_PCM / 2 ? (int)(2 * n) : MC_EBADMSG;
}

static int decode(void *dec, int16_t *restrict pcm, size_t cap, const uint8_t *restrict payload,
		  size_t n)
{
	int count = samples(payload, n, SRATE);
	if (count < 0)
		return count;
	if ((size_t)count > cap)
		return MC_ENOMEM;
	for (size_t at = 0; at < n; at += CHUNK)
		decode_chunk(dec, pcm + 2 * at, payload + at, n - at < CHUNK ? n - at : CHUNK);
	return count;
}

static int encode(void *enc, uint8_t *restrict payload, size_t cap, const int16_t *restrict pcm,
		  size_t n)
{
	if (n % 2)
		return MC_EINVAL;
	size_t bytes = n / 2;
	if (bytes > cap)
		return MC_ENOMEM;
	for (size_t at = 0; at < bytes; at += CHUNK)
		encode_chunk(enc, payload + at, pcm + 2 * at,
			     bytes - at < CHUNK ? bytes - at : CHUNK);
	return (int)bytes;
}

const struct mc_codec mc_g722 = {
	.name = "G722",
	.static_pt = 9,
	.clock_rate = 8000,
	.srate = SRATE,
	.dec_size = state_size,
	.enc_size = state_size,
	.dec_init = init,
	.enc_init = init,
	.decode = decode,
	.samples = samples,
	.encode = encode,
};
