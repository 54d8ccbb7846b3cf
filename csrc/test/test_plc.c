#include "mc_plc.h"
#include "mc_test.h"

enum { HIST_MAX = 48000 / 1000 * 45 };

static uint64_t mem[2048];
static const uint32_t rates[] = {8000, 16000, 24000, 48000};

static struct mc_plc *make(uint32_t srate)
{
	struct mc_plc_cfg cfg = {.srate = srate, .seed = 3};
	struct mc_plc *plc;
	CHECK(mc_plc_size(&cfg) <= sizeof mem);
	CHECK_EQ(mc_plc_init(&plc, mem, sizeof mem, &cfg), MC_OK);
	return plc;
}

static void test_config(void)
{
	struct mc_plc *plc;
	struct mc_plc_cfg bad = {.srate = 11025}, good = {.srate = 8000};
	CHECK_EQ(mc_plc_init(&plc, mem, sizeof mem, &bad), MC_EINVAL);
	CHECK_EQ(mc_plc_init(&plc, mem, mc_plc_size(&good) - 1, &good), MC_ENOMEM);
	CHECK(mc_plc_size(&good) <= 1024);
}

/* A 150 Hz voice-like tone goes on in phase: the error of the first frame is small. */
static void test_periodic(void)
{
	for (size_t r = 0; r < 4; r++) {
		uint32_t srate = rates[r];
		size_t f = mc_frame_samples(srate), h = srate / 1000 * 45;
		static int16_t tone[HIST_MAX + 3 * MC_FRAME_MAX], out[MC_FRAME_MAX];
		for (size_t i = 0; i < h + 2 * f; i++) {
			double t = (double)i / srate, w = 2 * 3.14159265358979 * 150;
			tone[i] = (int16_t)lrint(6000 * sin(w * t) + 3000 * sin(2 * w * t + 1));
		}
		struct mc_plc *plc = make(srate);
		mc_plc_conceal(plc, out, f, tone, h);
		double err = 0, sig = 0;
		for (size_t i = 0; i < f; i++) {
			err += pow(out[i] - tone[h + i], 2);
			sig += pow(tone[h + i], 2);
		}
		CHECK(10 * log10(sig / err) > 15.0);
		/* The true signal returns: no step at the seam larger than the signal has. */
		int16_t back[MC_FRAME_MAX];
		memcpy(back, tone + h + f, f * sizeof *back);
		mc_plc_merge(plc, back, f);
		CHECK(abs(back[0] - out[f - 1]) < 6000 * 8 * 150 * 3 / (int)srate + 400);
		CHECK(memcmp(back + f / 2, tone + h + f + f / 2, f / 2 * sizeof *back) == 0);
		CHECK_EQ(mc_plc_run(plc), 0);
	}
}

/* Better than repeating the last frame at 0.7, on a tone that glides (SNR of the frame). */
static void test_beats_repetition(void)
{
	static int16_t x[360 + 160], out[160];
	double phase = 0, ours = 0, plain = 0;
	for (int base = 90; base < 250; base += 7) {
		for (size_t i = 0; i < 520; i++) {
			phase += 2 * 3.14159265358979 * (base + (double)i * 0.01) / 8000;
			x[i] = (int16_t)lrint(5000 * sin(phase) + 2500 * sin(3 * phase));
		}
		struct mc_plc *plc = make(8000);
		mc_plc_conceal(plc, out, 160, x, 360);
		for (size_t i = 0; i < 160; i++) {
			ours += pow(out[i] - x[360 + i], 2);
			plain += pow(0.7 * x[200 + i] - x[360 + i], 2);
		}
	}
	CHECK(ours < 0.5 * plain);
}

static void test_fades_to_silence(void)
{
	for (size_t r = 0; r < 4; r++) {
		uint32_t srate = rates[r], seed = 7;
		size_t f = mc_frame_samples(srate), h = srate / 1000 * 45;
		for (int noise = 0; noise < 2; noise++) {
			static int16_t hist[HIST_MAX], out[MC_FRAME_MAX];
			test_sine(hist, h, 180, srate, 8000);
			for (size_t i = 0; noise && i < h; i++)
				hist[i] = (int16_t)((int)(test_rand(&seed) % 8000) - 4000);
			struct mc_plc *plc = make(srate);
			double start = test_rms(hist, h), last = start * 1.3;
			for (int k = 0; k < 10; k++) {
				mc_plc_conceal(plc, out, f, hist, h);
				double now = test_rms(out, f);
				CHECK(now < last * 1.35 + 1);
				if (k == 0)
					CHECK(now > start * 0.6);
				if (k == 4)
					CHECK(now > start * 0.2);
				last = now;
			}
			mc_plc_conceal(plc, out, f, hist, h);
			CHECK(test_rms(out, f) < 1.0);
			CHECK(mc_plc_gain(plc) == 0.0f);
			/* Good audio fades in: the first sample is not a click. */
			int16_t good[MC_FRAME_MAX];
			for (size_t i = 0; i < f; i++)
				good[i] = 8000;
			mc_plc_merge(plc, good, f);
			CHECK(abs(good[0]) < 600);
			CHECK_EQ(good[f - 1], 8000);
		}
	}
}

/* Any history length, any pattern of sizes: no fault, no sample beyond the input's range. */
static void test_random(void)
{
	uint32_t seed = 11;
	static int16_t hist[HIST_MAX], out[MC_FRAME_MAX];
	for (int round = 0; round < 400; round++) {
		uint32_t srate = rates[test_rand(&seed) % 4];
		size_t h = test_rand(&seed) % (srate / 1000 * 45 + 1), f = mc_frame_samples(srate);
		int amp = 1 + (int)(test_rand(&seed) % 32767);
		for (size_t i = 0; i < h; i++)
			hist[i] = (int16_t)((int)(test_rand(&seed) % (2 * (uint32_t)amp)) - amp);
		struct mc_plc *plc = make(srate);
		for (int k = 0; k < 15; k++) {
			size_t n = test_rand(&seed) % (f + 1);
			mc_plc_conceal(plc, out, n, hist, h);
			if (test_rand(&seed) % 4 == 0)
				mc_plc_merge(plc, out, test_rand(&seed) % (f + 1));
		}
	}
}

static void test_no_history(void)
{
	struct mc_plc *plc = make(8000);
	int16_t out[160], one = 20000;
	mc_plc_conceal(plc, out, 160, &one, 0);
	CHECK(test_rms(out, 160) == 0.0);
	mc_plc_reset(plc);
	mc_plc_conceal(plc, out, 160, &one, 1);
	CHECK(out[0] > 15000 && out[0] < 20000 && out[159] == 0);
}

int main(void)
{
	RUN(test_config);
	RUN(test_periodic);
	RUN(test_beats_repetition);
	RUN(test_fades_to_silence);
	RUN(test_random);
	RUN(test_no_history);
	return 0;
}
