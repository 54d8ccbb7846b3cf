/* mc_simd: four floats at once through the vector extension that gcc and clang share; it becomes
 * SSE on x86-64 and NEON on aarch64. Loads and stores need no alignment. */
#ifndef MC_SIMD_H
#define MC_SIMD_H

#include <stdint.h>
#include <string.h>

typedef float mc_v4 __attribute__((vector_size(16)));
typedef int16_t mc_v4h __attribute__((vector_size(8)));

static inline mc_v4 mc_v4_load(const float *p)
{
	mc_v4 v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline void mc_v4_store(float *p, mc_v4 v)
{
	memcpy(p, &v, sizeof v);
}

static inline float mc_v4_sum(mc_v4 v)
{
	return (v[0] + v[2]) + (v[1] + v[3]);
}

/* Dot product; n is a multiple of 4. */
static inline float mc_dot(const float *a, const float *b, size_t n)
{
	mc_v4 s0 = {0}, s1 = {0};
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		s0 += mc_v4_load(a + i) * mc_v4_load(b + i);
		s1 += mc_v4_load(a + i + 4) * mc_v4_load(b + i + 4);
	}
	if (i < n)
		s0 += mc_v4_load(a + i) * mc_v4_load(b + i);
	return mc_v4_sum(s0 + s1);
}

/* int16 to float. */
static inline void mc_widen(float *restrict out, const int16_t *restrict in, size_t n)
{
	const size_t fours = n & ~(size_t)3;
	for (size_t i = 0; i < fours; i += 4) {
		mc_v4h h;
		memcpy(&h, in + i, sizeof h);
		mc_v4_store(out + i, __builtin_convertvector(h, mc_v4));
	}
	for (size_t i = fours; i < n; i++)
		out[i] = (float)in[i];
}

#endif
