/* N-1 mixing: who hears whom, how loud, and never beyond full scale. */
#include "mc_mix.h"
#include "mc_test.h"

enum { N = 160 };

static int16_t in_pcm[MC_MIX_MAX][N], out_pcm[MC_MIX_MAX][N];
static const int16_t *in[MC_MIX_MAX];
static int16_t *out[MC_MIX_MAX];
static struct mc_mix_gains gains;

static void setup(size_t parties)
{
	mc_mix_gains_init(&gains);
	memset(out_pcm, 0x55, sizeof(out_pcm));
	for (size_t p = 0; p < parties; p++) {
		for (size_t i = 0; i < N; i++)
			in_pcm[p][i] = (int16_t)(1000 << p);
		in[p] = in_pcm[p];
		out[p] = out_pcm[p];
	}
}

static void test_each_hears_the_others(void)
{
	for (size_t parties = 1; parties <= 5; parties++) {
		setup(parties);
		mc_mix_run(&gains, out, in, parties, N);
		int all = 1000 * ((1 << parties) - 1);
		for (size_t to = 0; to < parties; to++)
			for (size_t i = 0; i < N; i++)
				CHECK_EQ(out_pcm[to][i], all - (1000 << to));
	}
}

static void test_gains(void)
{
	static const struct {
		size_t from, to;
		int16_t q15;
		int heard[3]; /* by 0, 1, 2; inputs are 1000, 2000, 4000 */
	} rows[] = {
		{0, 1, 0, {6000, 4000, 3000}},          /* 1 no longer hears 0 */
		{2, 0, 16384, {4000, 5000, 3000}},      /* half */
		{1, 2, 0, {6000, 5000, 1000}},          /* monitor: 2 hears 0 only */
		{1, 1, 0, {6000, 5000, 3000}},          /* nobody hears himself anyway */
		{0, 2, MC_MIX_FULL, {6000, 5000, 3000}} /* as it was */
	};
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		setup(3);
		gains.q15[rows[r].from][rows[r].to] = rows[r].q15;
		mc_mix_run(&gains, out, in, 3, N);
		for (size_t to = 0; to < 3; to++)
			for (size_t i = 0; i < N; i++)
				CHECK_EQ(out_pcm[to][i], rows[r].heard[to]);
	}
}

static void test_saturates_once(void)
{
	setup(4);
	for (size_t i = 0; i < N; i++) {
		in_pcm[0][i] = in_pcm[1][i] = 30000;
		in_pcm[2][i] = -30000;
		in_pcm[3][i] = i & 1 ? INT16_MIN : INT16_MAX;
	}
	mc_mix_run(&gains, out, in, 4, N);
	for (size_t i = 0; i < N; i++) {
		CHECK_EQ(out_pcm[3][i], 30000); /* 60000 - 30000: no step between was clipped */
		CHECK_EQ(out_pcm[2][i], i & 1 ? 27232 : INT16_MAX);
		CHECK_EQ(out_pcm[0][i], i & 1 ? INT16_MIN : INT16_MAX);
	}
	gains.q15[0][1] = 0; /* the other way of adding */
	mc_mix_run(&gains, out, in, 4, N);
	for (size_t i = 0; i < N; i++) {
		CHECK_EQ(out_pcm[3][i], 30000);
		CHECK_EQ(out_pcm[1][i], i & 1 ? INT16_MIN : 2767);
	}
}

static void test_absent_parties(void)
{
	for (int odd = 0; odd < 2; odd++) {
		setup(3);
		gains.q15[0][2] = (int16_t)(odd ? 0 : MC_MIX_FULL);
		in[1] = NULL;
		out[0] = NULL;
		mc_mix_run(&gains, out, in, 3, N);
		CHECK_EQ(out_pcm[0][0], 0x5555); /* not touched */
		CHECK_EQ(out_pcm[1][0], 5000);
		CHECK_EQ(out_pcm[2][N - 1], odd ? 0 : 1000);
	}
}

static void test_the_longest_frame(void)
{
	static int16_t a[MC_FRAME_MAX], b[MC_FRAME_MAX], to_a[MC_FRAME_MAX], to_b[MC_FRAME_MAX];
	const int16_t *ins[] = {a, b};
	int16_t *outs[] = {to_a, to_b};
	uint32_t rng = 5;
	mc_mix_gains_init(&gains);
	for (size_t i = 0; i < MC_FRAME_MAX; i++) {
		a[i] = (int16_t)test_rand(&rng);
		b[i] = (int16_t)test_rand(&rng);
	}
	mc_mix_run(&gains, outs, ins, 2, MC_FRAME_MAX);
	CHECK(!memcmp(a, to_b, sizeof(a)) && !memcmp(b, to_a, sizeof(b)));
}

int main(void)
{
	RUN(test_each_hears_the_others);
	RUN(test_gains);
	RUN(test_saturates_once);
	RUN(test_absent_parties);
	RUN(test_the_longest_frame);
	return 0;
}
