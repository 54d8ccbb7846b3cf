#include "mc_fft.h"
#include "mc_test.h"

static float x[MC_FFT_MAX], pw[MC_FFT_MAX / 2 + 1];

static void equals_the_plain_transform(void)
{
	uint32_t seed = 11;
	for (size_t n = 128; n <= MC_FFT_MAX; n *= 2) {
		double total = 0;
		for (size_t i = 0; i < n; i++) {
			x[i] = (float)((int)(test_rand(&seed) % 2001) - 1000);
			total += (double)x[i] * x[i];
		}
		mc_fft_power(pw, x, n);
		for (size_t k = 0; k <= n / 2; k++) {
			double re = 0, im = 0;
			for (size_t i = 0; i < n; i++) {
				double a = 2 * 3.14159265358979323846 * (double)(k * i % n) /
					   (double)n;
				re += x[i] * cos(a);
				im -= x[i] * sin(a);
			}
			CHECK(fabs(re * re + im * im - pw[k]) < 1e-4 * total);
		}
	}
}

static void window_and_tone(void)
{
	for (size_t i = 0; i < 256; i++)
		x[i] = (float)cos(2 * 3.14159265358979323846 * 20 * (double)i / 256);
	mc_fft_taper(x, 128, 0);
	mc_fft_taper(x + 128, 128, 1);
	mc_fft_power(pw, x, 256);
	CHECK(fabs(pw[20] - 64.0 * 64) < 1);
	CHECK(fabs(pw[19] - 32.0 * 32) < 1 && fabs(pw[21] - 32.0 * 32) < 1);
	for (size_t k = 0; k <= 128; k++) {
		if (k < 19 || k > 21)
			CHECK(pw[k] < 1e-3);
	}
}

int main(void)
{
	RUN(equals_the_plain_transform);
	RUN(window_and_tone);
	return 0;
}
