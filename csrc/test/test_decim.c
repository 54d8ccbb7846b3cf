#include "mc_decim.h"
#include "mc_test.h"

static double through(uint32_t srate, double hz)
{
	struct mc_decim d;
	static int16_t pcm[MC_SRATE_MAX / 2];
	float out[MC_DECIM_FRAME];
	double sum = 0;
	size_t frame = mc_frame_samples(srate);
	CHECK_EQ(mc_decim_init(&d, srate), MC_OK);
	test_sine(pcm, frame * 20, hz, srate, 10000);
	for (size_t f = 0; f < 20; f++) {
		mc_decim_frame(&d, out, pcm + f * frame);
		for (size_t i = 0; f >= 2 && i < MC_DECIM_FRAME; i++)
			sum += (double)out[i] * out[i];
	}
	return 10 * log10(sum / (18 * MC_DECIM_FRAME) / (10000.0 * 10000.0 / 2));
}

static void pass_and_stop(void)
{
	static const uint32_t rates[] = {8000, 16000, 24000, 48000};
	for (int i = 0; i < 4; i++) {
		for (double hz = 150; hz <= 2800; hz += 265)
			CHECK(fabs(through(rates[i], hz)) < 0.3);
		for (double hz = 5300; hz < rates[i] / 2.0; hz += 530)
			CHECK(through(rates[i], hz) < -40);
	}
}

static void bad_rate(void)
{
	struct mc_decim d;
	CHECK_EQ(mc_decim_init(&d, 44100), MC_EINVAL);
	CHECK_EQ(mc_decim_init(&d, 0), MC_EINVAL);
}

int main(void)
{
	RUN(pass_and_stop);
	RUN(bad_rate);
	return 0;
}
