/* The bed alone: levels, fades, what a stop forgets. */
#include "mc_bed.h"
#include "mc_test.h"

enum { N = 160 };

static struct mc_bed *bed_new(void)
{
	struct mc_bed *bed = NULL;
	size_t size = mc_bed_size(8000);
	void *mem = malloc(size);
	CHECK(mem);
	CHECK_EQ(mc_bed_init(&bed, mem, size - 1, 8000), MC_ENOMEM);
	CHECK_EQ(mc_bed_init(&bed, mem, size, 11025), MC_EINVAL);
	CHECK_EQ(mc_bed_size(11025), 0);
	CHECK_EQ(mc_bed_init(&bed, mem, size, 8000), MC_OK);
	return bed;
}

static size_t fill(struct mc_bed *bed, int16_t value, size_t n)
{
	static int16_t pcm[20000];
	for (size_t i = 0; i < n; i++)
		pcm[i] = value;
	return mc_bed_write(bed, pcm, n);
}

/* One tick over a voice of level `voice`. */
static void mix(struct mc_bed *bed, int16_t *out, int16_t voice)
{
	for (size_t i = 0; i < N; i++)
		out[i] = voice;
	mc_bed_mix(bed, out, N);
}

static void test_fades_in_plays_and_runs_dry(void)
{
	int16_t out[N];
	struct mc_bed *bed = bed_new();
	CHECK_EQ(mc_bed_room(bed), 1600 * 8);
	CHECK_EQ(fill(bed, 1000, 20000), 1600 * 8);
	CHECK_EQ(mc_bed_written(bed), 1600 * 8);
	mix(bed, out, 0);
	CHECK(out[0] < 10);
	CHECK_EQ(out[N - 1], 1000);
	for (int i = 1; i < 79; i++) {
		mix(bed, out, 50);
		CHECK_EQ(out[0], 1050);
		CHECK_EQ(out[N - 1], 1050);
	}
	mix(bed, out, 0); /* the last 20 ms */
	CHECK(out[0] > 990);
	CHECK_EQ(out[N - 1], 0);
	mix(bed, out, 7);
	CHECK_EQ(out[0], 7);
	CHECK_EQ(mc_bed_room(bed), 1600 * 8);
	free(bed);
}

static void test_no_step_is_larger_than_the_ramp(void)
{
	int16_t out[N], before = 0;
	struct mc_bed *bed = bed_new();
	for (int tick = 0; tick < 400; tick++) {
		if (tick % 7 == 0)
			fill(bed, 8000, (size_t)(tick % 5) * 300);
		if (tick % 11 == 0)
			mc_bed_gain(bed, tick % 22 ? MC_BED_GAIN_ONE / 2 : MC_BED_GAIN_ONE);
		if (tick % 61 == 60)
			mc_bed_stop(bed, mc_bed_written(bed));
		mix(bed, out, 0);
		for (size_t i = 0; i < N; i++) {
			/* a short rest ramps faster; never a jump */
			CHECK(abs(out[i] - before) <= 8000 / 20);
			before = out[i];
		}
	}
	free(bed);
}

static void test_gain(void)
{
	int16_t out[N];
	struct mc_bed *bed = bed_new();
	fill(bed, 20000, 8000);
	mix(bed, out, 0);
	mc_bed_gain(bed, MC_BED_GAIN_ONE / 4);
	mix(bed, out, 0);
	CHECK_EQ(out[N - 1], 5000);
	mix(bed, out, 0);
	CHECK_EQ(out[0], 5000);
	mc_bed_gain(bed, 10 * MC_BED_GAIN_ONE); /* 20 dB: saturates */
	mix(bed, out, 0);
	CHECK_EQ(out[N - 1], INT16_MAX);
	mc_bed_gain(bed, 0);
	mix(bed, out, 0);
	mix(bed, out, 3);
	CHECK_EQ(out[N / 2], 3);
	free(bed);
}

static void test_stop_forgets_what_was_there_only(void)
{
	int16_t out[N];
	struct mc_bed *bed = bed_new();
	fill(bed, 1000, 4000);
	mix(bed, out, 0);
	mix(bed, out, 0);
	uint64_t upto = mc_bed_written(bed);
	fill(bed, 3000, 4000); /* comes after the stop */
	mc_bed_stop(bed, upto);
	mix(bed, out, 0);
	CHECK(out[0] > 900 && out[0] <= 1000);
	CHECK_EQ(out[N - 1], 0);
	mix(bed, out, 0);
	CHECK_EQ(out[N - 1], 3000);
	mc_bed_stop(bed, upto); /* long over */
	mix(bed, out, 0);
	CHECK_EQ(out[N - 1], 3000);
	mc_bed_stop(bed, mc_bed_written(bed));
	mix(bed, out, 0);
	mix(bed, out, 0);
	CHECK_EQ(out[0], 0);
	CHECK_EQ(mc_bed_room(bed), 1600 * 8);
	free(bed);
}

int main(void)
{
	RUN(test_fades_in_plays_and_runs_dry);
	RUN(test_no_step_is_larger_than_the_ramp);
	RUN(test_gain);
	RUN(test_stop_forgets_what_was_there_only);
	return 0;
}
