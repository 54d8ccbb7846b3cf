#include "mc_pitch.h"
#include "mc_stretch.h"
#include "mc_test.h"

static const uint32_t rates[] = {8000, 16000, 24000, 48000};

/* Frequency by zero crossings with interpolation, over n samples. */
static double frequency(const int16_t *x, size_t n, double srate)
{
	double first = -1, last = -1;
	int crossings = 0;
	for (size_t i = 1; i < n; i++) {
		if (x[i - 1] < 0 && x[i] >= 0) {
			double at = (double)i - (double)x[i] / (x[i] - x[i - 1]);
			first = crossings == 0 ? at : first;
			last = at;
			crossings++;
		}
	}
	return crossings > 1 ? (crossings - 1) * srate / (last - first) : 0;
}

static int biggest_step(const int16_t *x, size_t n)
{
	int most = 0;
	for (size_t i = 1; i < n; i++)
		most = abs(x[i] - x[i - 1]) > most ? abs(x[i] - x[i - 1]) : most;
	return most;
}

static void test_pitch(void)
{
	static int16_t x[4000];
	for (size_t r = 0; r < 4; r++) {
		for (int hz = 80; hz <= 380; hz += 20) {
			test_sine(x, 3000, hz, rates[r], 9000);
			size_t lo = mc_pitch_min(rates[r]), hi = mc_pitch_max(rates[r]);
			struct mc_pitch p = mc_pitch_find(x, hi, mc_frame_samples(rates[r]) / 2, lo,
							  hi, rates[r]);
			double periods = (double)p.lag * hz / rates[r];
			CHECK(fabs(periods - round(periods)) < 0.05 && periods > 0.9);
			CHECK(p.score > 0.98f);
		}
	}
	CHECK_EQ(mc_pitch_find(x, 10, 160, 20, 120, 8000).lag, 0);
	memset(x, 0, sizeof x);
	CHECK(mc_pitch_find(x, 120, 160, 20, 120, 8000).score == 0.0f);
}

/* A sine keeps its frequency; the length changes by whole periods. */
static void test_sine_kept(void)
{
	for (size_t r = 0; r < 4; r++) {
		uint32_t srate = rates[r];
		size_t ms = srate / 1000, n = 40 * ms;
		for (int hz = 80; hz <= 380; hz += 15) {
			static int16_t line[48 * 100];
			struct mc_stretch_opt opt = {.srate = srate, .min_score = 0.9f};
			test_sine(line, 60 * ms, hz, srate, 8000);
			int before = biggest_step(line, 60 * ms);
			size_t less = n - mc_stretch_accelerate(line + 20 * ms, n, &opt);
			CHECK(less >= mc_pitch_min(srate) && less <= mc_pitch_max(srate));
			double periods = (double)less * hz / srate;
			CHECK(fabs(periods - round(periods)) < 0.06);
			CHECK(fabs(frequency(line, 60 * ms - less, srate) - hz) < hz * 0.01);
			CHECK(biggest_step(line, 60 * ms - less) < before * 5 / 4 + 4);

			test_sine(line, 60 * ms, hz, srate, 8000);
			size_t more =
				mc_stretch_expand(line + 20 * ms, n, 60 * ms, line, 20 * ms, &opt) -
				n;
			CHECK(more >= mc_pitch_min(srate) && more <= mc_pitch_max(srate));
			periods = (double)more * hz / srate;
			CHECK(fabs(periods - round(periods)) < 0.06);
			CHECK(fabs(frequency(line, 60 * ms + more, srate) - hz) < hz * 0.01);
			CHECK(biggest_step(line, 60 * ms + more) < before * 5 / 4 + 4);
		}
	}
}

/* Noise is not periodic: left alone, unless it is quiet background. */
static void test_noise(void)
{
	int16_t line[640];
	uint32_t seed = 5;
	for (size_t i = 0; i < 640; i++)
		line[i] = (int16_t)((int)(test_rand(&seed) % 2000) - 1000);
	struct mc_stretch_opt opt = {.srate = 8000, .min_score = 0.9f};
	CHECK_EQ(mc_stretch_accelerate(line + 160, 240, &opt), 240);
	CHECK_EQ(mc_stretch_expand(line + 160, 240, 480, line, 160, &opt), 240);
	opt.quiet = 1;
	double was = test_rms(line + 160, 240);
	size_t n = mc_stretch_accelerate(line + 160, 240, &opt);
	CHECK(n < 240);
	CHECK(fabs(20 * log10(test_rms(line + 160, n) / was)) < 1.0);
	size_t m = mc_stretch_expand(line + 160, n, 480, line, 160, &opt);
	CHECK(m > n);
	CHECK(fabs(20 * log10(test_rms(line + 160, m) / was)) < 1.5);
}

static void test_limits(void)
{
	int16_t line[640];
	struct mc_stretch_opt opt = {.srate = 8000, .min_score = 0.5f};
	test_sine(line, 640, 200, 8000, 8000);
	CHECK_EQ(mc_stretch_accelerate(line, 50, &opt), 50); /* too short a block */
	CHECK_EQ(mc_stretch_expand(line + 160, 160, 161, line, 160, &opt), 160); /* no room */
	CHECK_EQ(mc_stretch_expand(line + 160, 160, 480, line, 10, &opt), 160);  /* no history */
	CHECK_EQ(mc_stretch_expand(line + 160, 20, 480, line, 160, &opt), 20);   /* too short */
	opt.max_samples = 10;
	CHECK_EQ(mc_stretch_accelerate(line, 240, &opt), 240); /* shorter than any period */
	opt.max_samples = 45;
	size_t less = 240 - mc_stretch_accelerate(line, 240, &opt);
	CHECK(less >= 38 && less <= 42); /* one period, where two would not be allowed */
}

int main(void)
{
	RUN(test_pitch);
	RUN(test_sine_kept);
	RUN(test_noise);
	RUN(test_limits);
	return 0;
}
