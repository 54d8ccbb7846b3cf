#include "mc_resample.h"
#include "mc_test.h"

static const uint32_t rates[] = {8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000};
enum { RATES = sizeof rates / sizeof rates[0] };

static struct mc_resample *make(uint32_t in_hz, uint32_t out_hz)
{
	struct mc_resample *rs = NULL;
	size_t size = mc_resample_size(in_hz, out_hz);
	CHECK(size > 0);
	void *mem = aligned_alloc(16, size);
	CHECK(mem != NULL);
	CHECK_EQ(mc_resample_init(&rs, mem, size, in_hz, out_hz), MC_OK);
	return rs;
}

/* RMS of the part of a signal at one frequency, over whole periods as near as n allows. */
static double tone_rms(const int16_t *pcm, size_t n, double hz, double srate)
{
	double re = 0, im = 0, norm = 0;
	for (size_t i = 0; i < n; i++) {
		double w = 0.5 - 0.5 * cos(2 * 3.14159265358979 * (double)i / (double)n);
		re += w * pcm[i] * cos(2 * 3.14159265358979 * hz * (double)i / srate);
		im += w * pcm[i] * sin(2 * 3.14159265358979 * hz * (double)i / srate);
		norm += w;
	}
	return sqrt(2 * (re * re + im * im)) / norm;
}

enum { N_IN = 48000, N_OUT = 48000 * 6 };
static int16_t in_buf[N_IN], out_buf[N_OUT], out2_buf[N_OUT];

static int convert(uint32_t a, uint32_t b, const int16_t *in, size_t n, int16_t *out)
{
	struct mc_resample *rs = make(a, b);
	int got = mc_resample_run(rs, out, N_OUT, in, n);
	free(rs);
	return got;
}

static void gain_is_flat(void)
{
	for (int i = 0; i < RATES; i++) {
		for (int j = 0; j < RATES; j++) {
			double low = rates[i] < rates[j] ? rates[i] : rates[j];
			for (double f = 0.0375; f <= 0.4251; f += 0.0775) {
				size_t n = rates[i] / 4;
				double hz = f * low;
				test_sine(in_buf, n, hz, rates[i], 20000);
				int got = convert(rates[i], rates[j], in_buf, n, out_buf);
				size_t skip = rates[j] / 50;
				double rms =
					tone_rms(out_buf + skip, (size_t)got - skip, hz, rates[j]);
				double db = 20 * log10(rms / (20000 / sqrt(2)));
				CHECK(fabs(db) < 0.05);
			}
		}
	}
}

/* Everything that is not the tone itself, in dB below it. */
static double residue_db(uint32_t a, uint32_t b, double hz)
{
	size_t n = a / 2;
	test_sine(in_buf, n, hz, a, 30000);
	int got = convert(a, b, in_buf, n, out_buf);
	size_t skip = b / 50, m = (size_t)got - skip;
	double total = test_rms(out_buf + skip, m);
	return 20 * log10(total / (30000 / sqrt(2)));
}

static void aliases_are_gone(void)
{
	static const uint32_t from[] = {16000, 24000, 48000};
	for (int i = 0; i < 3; i++) {
		for (double hz = 4600; hz < 7900; hz += 150)
			CHECK(residue_db(from[i], 8000, hz) < -80);
	}
	for (double hz = 9200; hz < 15000; hz += 400)
		CHECK(residue_db(48000, 16000, hz) < -80);
}

static void images_are_gone(void)
{
	static const uint32_t to[] = {16000, 24000, 48000};
	for (int i = 0; i < 3; i++) {
		for (double hz = 300; hz <= 3400; hz += 310) {
			size_t n = 8000;
			test_sine(in_buf, n, hz, 8000, 30000);
			int got = convert(8000, to[i], in_buf, n, out_buf);
			size_t skip = to[i] / 50, m = (size_t)got - skip;
			for (double base = 8000; base <= to[i] / 2.0 + 4000; base += 8000) {
				for (int side = -1; side <= 1; side += 2) {
					double image = base + side * hz;
					if (image >= to[i] / 2.0)
						continue;
					double rms = tone_rms(out_buf + skip, m, image, to[i]);
					CHECK(20 * log10(rms / (30000 / sqrt(2)) + 1e-12) < -80);
				}
			}
		}
	}
}

static void chunks_do_not_matter(void)
{
	uint32_t seed = 7;
	for (int i = 0; i < RATES; i++) {
		for (int j = 0; j < RATES; j++) {
			size_t n = rates[i] / 5;
			for (size_t k = 0; k < n; k++)
				in_buf[k] = (int16_t)(test_rand(&seed) & 0xffff);
			int want = convert(rates[i], rates[j], in_buf, n, out_buf);
			struct mc_resample *rs = make(rates[i], rates[j]);
			for (int pass = 0; pass < 2; pass++) {
				size_t pos = 0, got = 0;
				while (pos < n) {
					size_t k = test_rand(&seed) % 700;
					if (k % 5 == 0)
						k %= 4;
					if (k > n - pos)
						k = n - pos;
					size_t cap = mc_resample_out_max(rs, k);
					int r = mc_resample_run(rs, out2_buf + got, cap,
								in_buf + pos, k);
					CHECK(r >= 0 && (size_t)r <= cap);
					got += (size_t)r;
					pos += k;
				}
				CHECK_EQ(got, want);
				CHECK(memcmp(out_buf, out2_buf, got * sizeof *out_buf) == 0);
				mc_resample_reset(rs);
			}
			free(rs);
		}
	}
}

static void counts_and_delay(void)
{
	for (int i = 0; i < RATES; i++) {
		for (int j = 0; j < RATES; j++) {
			size_t n = rates[i];
			memset(in_buf, 0, n * sizeof *in_buf);
			in_buf[rates[i] / 2] = 20000;
			int got = convert(rates[i], rates[j], in_buf, n, out_buf);
			CHECK_EQ(got, rates[j]);
			int peak = 0;
			for (int k = 0; k < got; k++) {
				if (abs(out_buf[k]) > abs(out_buf[peak]))
					peak = k;
			}
			struct mc_resample *rs = make(rates[i], rates[j]);
			long delay = (long)mc_resample_delay(rs);
			CHECK(labs(peak - (long)rates[j] / 2 - delay) <=
			      1 + (long)(rates[j] / rates[i]));
			CHECK(delay * 1000 <= 3 * (long)rates[j]);
			free(rs);
		}
	}
}

static void equal_rates_copy(void)
{
	uint32_t seed = 3;
	for (int k = 0; k < 500; k++)
		in_buf[k] = (int16_t)(test_rand(&seed) & 0xffff);
	CHECK_EQ(convert(16000, 16000, in_buf, 500, out_buf), 500);
	CHECK(memcmp(in_buf, out_buf, 1000) == 0);
}

static void full_scale_saturates(void)
{
	for (int k = 0; k < 4000; k++)
		in_buf[k] = k / 9 % 2 ? INT16_MAX : INT16_MIN;
	int got = convert(8000, 48000, in_buf, 4000, out_buf);
	/* a square wave overshoots: without saturation the sign would flip near the plateau */
	for (int k = 1000; k < got; k++)
		CHECK(abs(out_buf[k] - out_buf[k - 1]) < 30000);
}

static void sizes_and_bad_arguments(void)
{
	static const uint32_t tick_pairs[][2] = {{8000, 16000},  {16000, 8000},  {8000, 24000},
						 {24000, 8000},  {8000, 48000},  {48000, 8000},
						 {16000, 48000}, {48000, 16000}, {16000, 24000},
						 {24000, 16000}, {24000, 48000}, {48000, 24000}};
	for (size_t i = 0; i < sizeof tick_pairs / sizeof tick_pairs[0]; i++)
		CHECK(mc_resample_size(tick_pairs[i][0], tick_pairs[i][1]) <= 3072);
	CHECK_EQ(mc_resample_size(8000, 12345), 0);
	CHECK_EQ(mc_resample_size(0, 8000), 0);
	_Alignas(16) uint8_t mem[4096];
	struct mc_resample *rs = NULL;
	CHECK_EQ(mc_resample_init(&rs, mem, 64, 8000, 16000), MC_ENOMEM);
	CHECK_EQ(mc_resample_init(&rs, mem + 2, 4000, 8000, 16000), MC_EINVAL);
	CHECK_EQ(mc_resample_init(&rs, mem, sizeof mem, 8000, 1), MC_EINVAL);
	CHECK_EQ(mc_resample_init(NULL, mem, sizeof mem, 8000, 16000), MC_EINVAL);
	CHECK_EQ(mc_resample_init(&rs, mem, sizeof mem, 8000, 16000), MC_OK);
	CHECK_EQ(mc_resample_run(rs, out_buf, 319, in_buf, 160), MC_EINVAL);
	CHECK_EQ(mc_resample_run(rs, out_buf, 320, in_buf, 160), 320);
	CHECK_EQ(mc_resample_run(rs, out_buf, 0, in_buf, 0), 0);
	CHECK_EQ(mc_resample_run(rs, out_buf, N_OUT, in_buf, (size_t)1 << 40), MC_EINVAL);
}

int main(void)
{
	RUN(gain_is_flat);
	RUN(aliases_are_gone);
	RUN(images_are_gone);
	RUN(chunks_do_not_matter);
	RUN(counts_and_delay);
	RUN(equal_rates_copy);
	RUN(full_scale_saturates);
	RUN(sizes_and_bad_arguments);
	return 0;
}
