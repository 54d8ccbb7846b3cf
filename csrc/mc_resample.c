/* mc_resample: see the header. State is one flat block:
 *
 *   struct | coefficients [phases][taps] floats, 16-byte aligned rows | history [taps - 1] int16
 *
 * Per output sample: taps multiply-adds on floats, taps = 2 * half * max(1, M / L).
 */
#include "mc_resample.h"
#include "mc_simd.h"

#include <math.h>

enum {
	HALF_NARROW = 20, /* half length of the prototype in samples of the lower rate */
	HALF_WIDE = 32,
	BLOCK = 960,    /* input samples per pass: bounds the scratch on the stack */
	TAPS_MAX = 384, /* 2 * HALF_WIDE * 6 */
	N_MAX = 1 << 20,
};

#define KAISER_BETA 8.6 /* about 87 dB of stopband */

struct mc_resample {
	uint32_t up, down; /* L, M */
	uint32_t taps;     /* per phase, multiple of 4 */
	uint32_t half;
	int copy_phase0; /* L-th band interpolator: phase 0 is one tap of 1.0 */
	size_t size;
	/* cleared by reset */
	uint32_t phase; /* 0..up-1: position of the next output between input samples */
	uint32_t skip;  /* input samples to pass before the next output */
};

static uint32_t gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t t = a % b;
		a = b;
		b = t;
	}
	return a;
}

static int rate_ok(uint32_t hz)
{
	static const uint32_t rates[] = {8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000};
	for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
		if (hz == rates[i])
			return 1;
	}
	return 0;
}

static void shape(struct mc_resample *rs, uint32_t in_hz, uint32_t out_hz)
{
	uint32_t g = gcd(in_hz, out_hz);
	uint32_t low = in_hz < out_hz ? in_hz : out_hz;
	memset(rs, 0, sizeof *rs);
	rs->up = out_hz / g;
	rs->down = in_hz / g;
	if (rs->up == rs->down) {
		rs->size = mc_align(sizeof *rs);
		return;
	}
	uint32_t longer = rs->up > rs->down ? rs->up : rs->down;
	rs->half = low < 16000 ? HALF_NARROW : HALF_WIDE;
	/* The prototype has 2 * half * longer + 1 taps at in * L; both end taps are zero or nearly
	 * so (window edge), so that each phase needs the quotient rounded up, plus one for the
	 * centre when decimating. */
	rs->taps = (2 * rs->half * longer + rs->up - 1) / rs->up;
	rs->taps = (rs->taps + 3u) & ~3u;
	rs->copy_phase0 = rs->down == 1;
	rs->size = mc_align(sizeof *rs) + mc_align((size_t)rs->up * rs->taps * sizeof(float)) +
		   mc_align(rs->taps * sizeof(int16_t));
}

static float *coefs(const struct mc_resample *rs)
{
	return (float *)(void *)((uint8_t *)(uintptr_t)rs + mc_align(sizeof *rs));
}

static int16_t *history(const struct mc_resample *rs)
{
	return (int16_t *)(void *)((uint8_t *)coefs(rs) +
				   mc_align((size_t)rs->up * rs->taps * sizeof(float)));
}

static double bessel_i0(double x)
{
	double sum = 1, term = 1;
	for (int k = 1; k < 40; k++) {
		term *= (x / (2 * k)) * (x / (2 * k));
		sum += term;
	}
	return sum;
}

/* Phase p multiplies the newest input sample by h[p], the one before by h[p + L], and so on; rows
 * are stored oldest first, to run along the buffer, and scaled to unity gain each. */
static void design(struct mc_resample *rs)
{
	const double pi = 3.14159265358979323846;
	double longer = rs->up > rs->down ? rs->up : rs->down;
	double centre = rs->half * longer;
	double norm = bessel_i0(KAISER_BETA);
	float *c = coefs(rs);
	for (uint32_t p = 0; p < rs->up; p++) {
		float *row = c + (size_t)p * rs->taps;
		double sum = 0;
		for (uint32_t k = 0; k < rs->taps; k++) {
			double t = (double)p + (double)k * rs->up - centre;
			double edge = t / centre;
			double x = pi * t / longer;
			double w = fabs(edge) < 1
					   ? bessel_i0(KAISER_BETA * sqrt(1 - edge * edge)) / norm
					   : 0;
			double h = w * (fabs(x) < 1e-12 ? 1 : sin(x) / x);
			row[rs->taps - 1 - k] = (float)h;
			sum += h;
		}
		for (uint32_t k = 0; k < rs->taps; k++)
			row[k] = (float)(row[k] / sum);
	}
}

size_t mc_resample_size(uint32_t in_hz, uint32_t out_hz)
{
	struct mc_resample rs;
	if (!rate_ok(in_hz) || !rate_ok(out_hz))
		return 0;
	shape(&rs, in_hz, out_hz);
	return rs.size;
}

int mc_resample_init(struct mc_resample **out, void *mem, size_t size, uint32_t in_hz,
		     uint32_t out_hz)
{
	if (!out || !mem || (uintptr_t)mem % 16 || !rate_ok(in_hz) || !rate_ok(out_hz))
		return MC_EINVAL;
	if (size < mc_resample_size(in_hz, out_hz))
		return MC_ENOMEM;
	struct mc_resample *rs = mem;
	shape(rs, in_hz, out_hz);
	if (rs->up != rs->down)
		design(rs);
	mc_resample_reset(rs);
	*out = rs;
	return MC_OK;
}

void mc_resample_reset(struct mc_resample *rs)
{
	rs->phase = 0;
	rs->skip = 0;
	if (rs->up != rs->down)
		memset(history(rs), 0, rs->taps * sizeof(int16_t));
}

size_t mc_resample_out_max(const struct mc_resample *rs, size_t n)
{
	return (n * rs->up + rs->down - 1) / rs->down;
}

uint32_t mc_resample_delay(const struct mc_resample *rs)
{
	if (rs->up <= rs->down)
		return rs->half;
	return (2 * rs->half * rs->up + rs->down) / (2 * rs->down);
}

static inline int16_t round16(float x)
{
	if (x >= 32767.0f)
		return INT16_MAX;
	if (x <= -32768.0f)
		return INT16_MIN;
	return (int16_t)lrintf(x);
}

/* One block: buf holds taps - 1 old samples, then n new ones. */
static size_t run_block(struct mc_resample *rs, int16_t *restrict out, const float *buf, size_t n)
{
	const float *c = coefs(rs);
	const size_t taps = rs->taps;
	const uint32_t step = rs->down / rs->up, frac = rs->down % rs->up;
	uint32_t phase = rs->phase;
	size_t pos = rs->skip, done = 0;
	while (pos < n) {
		if (rs->copy_phase0 && phase == 0)
			out[done++] = (int16_t)buf[pos + taps - 1 - rs->half];
		else
			out[done++] = round16(mc_dot(c + phase * taps, buf + pos, taps));
		pos += step;
		phase += frac;
		if (phase >= rs->up) {
			phase -= rs->up;
			pos++;
		}
	}
	rs->phase = phase;
	rs->skip = (uint32_t)(pos - n);
	return done;
}

int mc_resample_run(struct mc_resample *rs, int16_t *restrict out, size_t cap,
		    const int16_t *restrict in, size_t n)
{
	if (n > N_MAX || cap < mc_resample_out_max(rs, n))
		return MC_EINVAL;
	if (rs->up == rs->down) {
		if (n)
			memcpy(out, in, n * sizeof *in);
		return (int)n;
	}
	float buf[TAPS_MAX + BLOCK];
	const size_t old = rs->taps - 1;
	int16_t *hist = history(rs);
	size_t done = 0;
	MC_ASSERT(rs->taps <= TAPS_MAX);
	while (n) {
		size_t k = n < BLOCK ? n : BLOCK;
		mc_widen(buf, hist, old);
		mc_widen(buf + old, in, k);
		done += run_block(rs, out + done, buf, k);
		if (k >= old) {
			memcpy(hist, in + k - old, old * sizeof *in);
		} else {
			memmove(hist, hist + k, (old - k) * sizeof *in);
			memcpy(hist + old - k, in, k * sizeof *in);
		}
		in += k;
		n -= k;
	}
	return (int)done;
}
