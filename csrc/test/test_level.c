#include "mc_level.h"
#include "mc_test.h"

static int16_t pcm[70000];

static void levels(void)
{
	struct mc_level l;
	mc_level_measure(&l, pcm, 160);
	CHECK(l.rms_dbov <= -127 && l.peak == 0 && l.clipped == 0 && l.energy == 0);
	mc_level_measure(&l, pcm, 0);
	CHECK(l.rms_dbov <= -127);
	test_sine(pcm, 8000, 1000, 8000, 32767);
	mc_level_measure(&l, pcm, 8000);
	CHECK(fabs(l.rms_dbov + 3.01) < 0.01);
	CHECK_EQ(l.peak, 32767);
	test_sine(pcm, 8000, 440, 8000, 32767 * pow(10, -40 / 20.0));
	mc_level_measure(&l, pcm, 8000);
	CHECK(fabs(l.rms_dbov + 43.01) < 0.05);
	CHECK_EQ(l.clipped, 0);
}

static void extremes(void)
{
	struct mc_level l;
	for (int i = 0; i < 70000; i++)
		pcm[i] = INT16_MIN;
	mc_level_measure(&l, pcm, 70000);
	CHECK_EQ(l.peak, 32768);
	CHECK_EQ(l.clipped, MC_LEVEL_MAX);
	CHECK(fabs(l.rms_dbov) < 1e-6);
	pcm[0] = INT16_MAX;
	pcm[1] = 1;
	mc_level_measure(&l, pcm, 2);
	CHECK_EQ(l.peak, 32767);
	CHECK_EQ(l.clipped, 1);
}

int main(void)
{
	RUN(levels);
	RUN(extremes);
	return 0;
}
