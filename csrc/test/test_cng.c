#include "mc_cng.h"
#include "mc_test.h"

static uint64_t mem[64];

static struct mc_cng *make(uint32_t srate, uint32_t seed)
{
	struct mc_cng_cfg cfg = {.srate = srate, .seed = seed};
	struct mc_cng *cng;
	CHECK(mc_cng_size(&cfg) <= sizeof mem);
	CHECK_EQ(mc_cng_init(&cng, mem, sizeof mem, &cfg), MC_OK);
	return cng;
}

static double dbov(const int16_t *x, size_t n)
{
	return 20 * log10(test_rms(x, n) / 32768 + 1e-9);
}

/* The level byte gives its level, ±1 dB, white and shaped, at every rate. */
static void test_level(void)
{
	static int16_t x[48000];
	static const uint32_t rates[] = {8000, 16000, 24000, 48000};
	static const uint8_t shapes[][4] = {{127, 127, 127, 127},
					    {40, 127, 127, 127},
					    {200, 90, 150, 127},
					    {20, 170, 110, 140}};
	for (size_t r = 0; r < 4; r++) {
		for (int level = 10; level <= 75; level += 5) {
			for (size_t s = 0; s < 4; s++) {
				struct mc_cng *cng = make(rates[r], 9);
				uint8_t p[5] = {(uint8_t)level};
				memcpy(p + 1, shapes[s], 4);
				CHECK_EQ(mc_cng_payload(cng, p, s ? 5 : 1), MC_OK);
				CHECK_EQ(mc_cng_level_dbov(cng), level);
				mc_cng_generate(cng, x, rates[r]);
				CHECK(fabs(dbov(x, rates[r]) + level) < 1.0);
			}
		}
	}
}

static void test_bad_payload(void)
{
	struct mc_cng *cng = make(8000, 1);
	uint8_t p[40];
	CHECK_EQ(mc_cng_payload(cng, p, 0), MC_EBADMSG);
	/* The most resonant coefficients, and more than are used: still stable. */
	memset(p, 255, sizeof p);
	p[0] = 30;
	CHECK_EQ(mc_cng_payload(cng, p, sizeof p), MC_OK);
	static int16_t x[80000];
	mc_cng_generate(cng, x, 80000);
	int clipped = 0;
	for (size_t i = 0; i < 80000; i++)
		clipped += x[i] == INT16_MAX || x[i] == INT16_MIN;
	CHECK(clipped < 80000 / 100);
	p[0] = 127 | 0x80; /* the reserved bit is ignored */
	CHECK_EQ(mc_cng_payload(cng, p, 1), MC_OK);
	CHECK_EQ(mc_cng_level_dbov(cng), 127);
}

static void test_deterministic(void)
{
	int16_t a[160], b[160];
	uint8_t p = 40;
	struct mc_cng *cng = make(8000, 77);
	CHECK_EQ(mc_cng_payload(cng, &p, 1), MC_OK);
	mc_cng_generate(cng, a, 160);
	cng = make(8000, 77);
	CHECK_EQ(mc_cng_payload(cng, &p, 1), MC_OK);
	mc_cng_generate(cng, b, 160);
	CHECK(memcmp(a, b, sizeof a) == 0);
	cng = make(8000, 78);
	CHECK_EQ(mc_cng_payload(cng, &p, 1), MC_OK);
	mc_cng_generate(cng, b, 160);
	CHECK(memcmp(a, b, sizeof a) != 0);
}

/* While noise runs its level glides: no more than 3 dB between neighbouring frames. */
static void test_glide(void)
{
	static int16_t x[160 * 8];
	static const uint8_t levels[] = {60, 30, 70, 45};
	struct mc_cng *cng = make(8000, 5);
	CHECK_EQ(mc_cng_payload(cng, levels, 1), MC_OK);
	mc_cng_generate(cng, x, 1280);
	double last = dbov(x, 1280);
	for (size_t k = 1; k < 4; k++) {
		CHECK_EQ(mc_cng_payload(cng, levels + k, 1), MC_OK);
		for (int i = 0; i < 20; i++) {
			/* A frame of 160 draws has a level of its own, about ±0.5 dB. */
			mc_cng_generate(cng, x, 160);
			double now = dbov(x, 160);
			CHECK(fabs(now - last) < 3.0 + 1.5);
			last = now;
		}
		CHECK(fabs(last + levels[k]) < 1.5);
	}
}

/* The background under speech is found, and comfort noise continues it without a step. */
static void test_background(void)
{
	struct mc_cng *cng = make(8000, 5);
	CHECK(mc_cng_background_rms(cng) < 0);
	int16_t x[160];
	uint32_t seed = 3;
	double sum = 0;
	float state = 0;
	for (int k = 0; k < 300; k++) {
		int speech = k % 75 < 50;
		for (size_t i = 0; i < 160; i++) {
			float white = (float)((int)(test_rand(&seed) % 401) - 200);
			state = 0.7f * state + white;
			float talk = speech ? 6000 * sinf(0.1f * (float)i) : 0;
			x[i] = (int16_t)lrintf(state + talk);
			sum += speech ? 0 : (double)state * state;
		}
		mc_cng_observe(cng, x, 160);
	}
	double want = 20 * log10(sqrt(sum / (100 * 160)) / 32768);
	mc_cng_background(cng);
	static int16_t y[8000];
	mc_cng_start(cng);
	mc_cng_generate(cng, y, 8000);
	CHECK(fabs(dbov(y, 8000) - want) < 3.0);
	double r1 = 0, r0 = 0;
	for (size_t i = 1; i < 8000; i++) {
		r1 += (double)y[i] * y[i - 1];
		r0 += (double)y[i] * y[i];
	}
	CHECK(r1 / r0 > 0.5 && r1 / r0 < 0.85); /* the colour too */
}

static void test_add(void)
{
	struct mc_cng *cng = make(8000, 5);
	uint8_t p = 30;
	CHECK_EQ(mc_cng_payload(cng, &p, 1), MC_OK);
	static int16_t x[8000];
	mc_cng_add(cng, x, 8000, 0.0f, 1.0f);
	CHECK(test_rms(x, 800) < 0.2 * test_rms(x + 7200, 800));
	mc_cng_add(cng, x, 0, 0.0f, 1.0f);
	mc_cng_generate(cng, x, 0);
}

int main(void)
{
	RUN(test_level);
	RUN(test_bad_payload);
	RUN(test_deterministic);
	RUN(test_glide);
	RUN(test_background);
	RUN(test_add);
	return 0;
}
