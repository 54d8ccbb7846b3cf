/* mc_fft: see the header. */
#include "mc_fft.h"
#include "mc_fft_table.h"
#include "mc_simd.h"

enum { HALF = MC_FFT_MAX / 2 };

static inline float cos_at(size_t k)
{
	return mc_fft_cos[k & (MC_FFT_MAX - 1)];
}

static inline float sin_at(size_t k)
{
	return mc_fft_cos[(k + 3 * MC_FFT_MAX / 4) & (MC_FFT_MAX - 1)];
}

void mc_fft_taper(float *x, size_t n, int out)
{
	const size_t step = MC_FFT_MAX / 2 / n;
	const float *c = mc_fft_cos + (out ? MC_FFT_MAX / 2 : 0);
	for (size_t i = 0; i < n; i++)
		x[i] *= 0.5f - 0.5f * c[i * step];
}

/* One radix-4 butterfly of type T at index i, its four results s apart from index o. */
#define BUTTERFLY(T, LOAD, STORE)                                                                  \
	do {                                                                                       \
		T ar = LOAD(xr + i), ai = LOAD(xi + i);                                            \
		T br = LOAD(xr + i + q1), bi = LOAD(xi + i + q1);                                  \
		T cr = LOAD(xr + i + 2 * q1), ci = LOAD(xi + i + 2 * q1);                          \
		T dr = LOAD(xr + i + 3 * q1), di = LOAD(xi + i + 3 * q1);                          \
		T pr = ar + cr, pi = ai + ci, mr = ar - cr, mi = ai - ci;                          \
		T qr = br + dr, qi = bi + di, jr = di - bi, ji = br - dr;                          \
		T t1r = mr - jr, t1i = mi - ji, t2r = pr - qr, t2i = pi - qi;                      \
		T t3r = mr + jr, t3i = mi + ji;                                                    \
		STORE(yr + o, pr + qr);                                                            \
		STORE(yi + o, pi + qi);                                                            \
		STORE(yr + o + s, t1r * c1 + t1i * s1);                                            \
		STORE(yi + o + s, t1i * c1 - t1r * s1);                                            \
		STORE(yr + o + 2 * s, t2r * c2 + t2i * s2);                                        \
		STORE(yi + o + 2 * s, t2i * c2 - t2r * s2);                                        \
		STORE(yr + o + 3 * s, t3r * c3 + t3i * s3);                                        \
		STORE(yi + o + 3 * s, t3i * c3 - t3r * s3);                                        \
	} while (0)
#define LOAD1(p) (*(p))
#define STORE1(p, v) (*(p) = (v))

static void stage4(float *restrict yr, float *restrict yi, const float *restrict xr,
		   const float *restrict xi, size_t n, size_t s)
{
	const size_t m = n / 4, q1 = s * m, step = MC_FFT_MAX / n;
	for (size_t p = 0; p < m; p++) {
		const float c1 = cos_at(p * step), s1 = sin_at(p * step);
		const float c2 = cos_at(2 * p * step), s2 = sin_at(2 * p * step);
		const float c3 = cos_at(3 * p * step), s3 = sin_at(3 * p * step);
		if (s == 1) {
			size_t i = p, o = 4 * p;
			BUTTERFLY(float, LOAD1, STORE1);
			continue;
		}
		for (size_t q = 0; q < s; q += 4) {
			size_t i = q + s * p, o = q + 4 * s * p;
			BUTTERFLY(mc_v4, mc_v4_load, mc_v4_store);
		}
	}
}

/* The last stage when n / 2 is not a power of four. */
static void stage2(float *restrict yr, float *restrict yi, const float *restrict xr,
		   const float *restrict xi, size_t s)
{
	for (size_t q = 0; q < s; q += 4) {
		mc_v4 ar = mc_v4_load(xr + q), ai = mc_v4_load(xi + q);
		mc_v4 br = mc_v4_load(xr + q + s), bi = mc_v4_load(xi + q + s);
		mc_v4_store(yr + q, ar + br);
		mc_v4_store(yi + q, ai + bi);
		mc_v4_store(yr + q + s, ar - br);
		mc_v4_store(yi + q + s, ai - bi);
	}
}

void mc_fft_power(float *restrict pow, const float *restrict x, size_t n)
{
	float re[2][HALF], im[2][HALF];
	const size_t half = n / 2;
	int at = 0;
	MC_ASSERT(n == 128 || n == 256 || n == 512);
	for (size_t i = 0; i < half; i++) {
		re[0][i] = x[2 * i];
		im[0][i] = x[2 * i + 1];
	}
	size_t left = half, s = 1;
	for (; left >= 4; left /= 4, s *= 4, at ^= 1)
		stage4(re[at ^ 1], im[at ^ 1], re[at], im[at], left, s);
	if (left == 2) {
		stage2(re[at ^ 1], im[at ^ 1], re[at], im[at], s);
		at ^= 1;
	}
	const float *zr = re[at], *zi = im[at];
	const size_t step = MC_FFT_MAX / n;
	pow[0] = (zr[0] + zi[0]) * (zr[0] + zi[0]);
	pow[half] = (zr[0] - zi[0]) * (zr[0] - zi[0]);
	for (size_t k = 1; k <= half / 2; k++) {
		/* even and odd samples' spectra, then X[k] = e + w o and X[half - k] = conj(e - w
		 * o) */
		float er = 0.5f * (zr[k] + zr[half - k]), ei = 0.5f * (zi[k] - zi[half - k]);
		float or = 0.5f * (zi[k] + zi[half - k]), oi = 0.5f * (zr[half - k] - zr[k]);
		float c = cos_at(k * step), w = sin_at(k * step);
		float tr = or *c + oi * w, ti = oi * c - or *w;
		pow[k] = (er + tr) * (er + tr) + (ei + ti) * (ei + ti);
		pow[half - k] = (er - tr) * (er - tr) + (ei - ti) * (ei - ti);
	}
}
