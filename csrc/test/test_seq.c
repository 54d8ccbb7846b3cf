/* mc_seq: every pair of 16-bit numbers that matters, and the edges of 32 and 64 bit. */
#include "mc_seq.h"
#include "mc_test.h"

static void diff_is_exact_for_every_distance(void)
{
	static const uint16_t basev[] = {0, 1, 2, 100, 0x7FFF, 0x8000, 0x8001, 0xFFFE, 0xFFFF};
	for (size_t b = 0; b < sizeof(basev) / sizeof(basev[0]); b++)
		for (int32_t d = -32768; d <= 32767; d++) {
			uint16_t seq = (uint16_t)(basev[b] + (uint32_t)d);
			CHECK_EQ(mc_seq_diff(seq, basev[b]), d);
			CHECK_EQ(mc_seq_after(seq, basev[b]), d > 0);
		}
}

static void ts_diff_wraps(void)
{
	static const struct {
		uint32_t a, b;
		int32_t want;
	} rowv[] = {
		{0, 0, 0},
		{160, 0, 160},
		{0, 160, -160},
		{80, 0xFFFFFFB0u, 160},
		{0xFFFFFFB0u, 80, -160},
		{0x7FFFFFFFu, 0, INT32_MAX},
		{0x80000000u, 0, INT32_MIN},
		{0, 0x80000000u, INT32_MIN},
		{0, 0x80000001u, INT32_MAX},
	};
	for (size_t i = 0; i < sizeof(rowv) / sizeof(rowv[0]); i++) {
		CHECK_EQ(mc_ts_diff(rowv[i].a, rowv[i].b), rowv[i].want);
		CHECK_EQ(mc_ts_after(rowv[i].a, rowv[i].b), rowv[i].want > 0);
	}
}

static void extension_follows_a_shuffled_stream_over_wraps(void)
{
	uint32_t rng = 7;
	uint64_t top = 65000, topts = 0xFFFFF000u;
	for (int i = 0; i < 500000; i++) {
		uint64_t seq = top + 20 - test_rand(&rng) % 40;
		CHECK(mc_seq_extend(top, (uint16_t)seq) == seq);
		uint64_t ts = topts + 16000 - test_rand(&rng) % 32000;
		CHECK(mc_ts_extend(topts, (uint32_t)ts) == ts);
		top = seq > top ? seq : top;
		topts = ts > topts ? ts : topts;
	}
	CHECK(top > 5 * 65536);
}

static void extension_never_goes_below_zero(void)
{
	CHECK(mc_seq_extend(0, 0xFFFF) == 0xFFFF);
	CHECK(mc_seq_extend(5, 0xFFFE) == 0xFFFE);
	CHECK(mc_seq_extend(0x10000, 0xFFFF) == 0xFFFF);
	CHECK(mc_seq_extend(0xFFFF, 0) == 0x10000);
	CHECK(mc_ts_extend(0, 0xFFFFFFFFu) == 0xFFFFFFFFu);
	CHECK(mc_ts_extend(0xFFFFFFFFu, 3) == 0x100000003u);
	for (uint32_t near = 0; near < 70000; near += 7)
		for (uint32_t seq = 0; seq < 65536; seq += 251)
			CHECK((uint16_t)mc_seq_extend(near, (uint16_t)seq) == seq);
}

int main(void)
{
	RUN(diff_is_exact_for_every_distance);
	RUN(ts_diff_wraps);
	RUN(extension_follows_a_shuffled_stream_over_wraps);
	RUN(extension_never_goes_below_zero);
	return 0;
}
