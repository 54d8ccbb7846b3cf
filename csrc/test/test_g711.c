/* mc_g711: all 65,536 samples and all 256 codes against the Recommendation written out slowly. */
#include "mc_g711.h"
#include "mc_test.h"

static int16_t all_pcm[65536];
static uint8_t all_code[65536];

static void fill_all(void)
{
	for (int i = 0; i < 65536; i++)
		all_pcm[i] = (int16_t)(i - 32768);
}

/* Search the segment as the tables of G.711 give it: 14-bit magnitude, 33 added. */
static uint8_t slow_ulaw(int16_t sample)
{
	int m = (sample < 0 ? -1 - sample : sample) / 4 + 33;
	int segment = 0;
	if (m > 8191)
		m = 8191;
	while (m >= 64 << segment)
		segment++;
	int step = m / (2 << segment) - 16;
	return (uint8_t)(255 - (sample < 0 ? 128 : 0) - segment * 16 - step);
}

static uint8_t slow_alaw(int16_t sample)
{
	int m = (sample < 0 ? -1 - sample : sample) / 16;
	int segment = 0;
	while (m >= 32 << segment)
		segment++;
	int code = m < 16 ? m : (segment + 1) * 16 + m / (1 << segment) - 16;
	return (uint8_t)((code + (sample < 0 ? 0 : 128)) ^ 0x55);
}

static int slow_ulaw_value(uint8_t code)
{
	int segment = (255 - code) / 16 % 8, step = (255 - code) % 16;
	int v = (4 * (33 + 2 * step) << segment) - 4 * 33;
	return code < 128 ? -v : v;
}

static int slow_alaw_value(uint8_t code)
{
	int c = code ^ 0x55, segment = c / 16 % 8, step = c % 16;
	int v = segment ? (16 * (33 + 2 * step) << segment) / 4 : 16 * (2 * step + 1) / 2;
	return c < 128 ? -v : v;
}

static void every_sample_encodes_as_the_tables_say(void)
{
	mc_g711_ulaw_encode(all_code, all_pcm, 65536);
	for (int i = 0; i < 65536; i++)
		CHECK_EQ(all_code[i], slow_ulaw(all_pcm[i]));
	mc_g711_alaw_encode(all_code, all_pcm, 65536);
	for (int i = 0; i < 65536; i++)
		CHECK_EQ(all_code[i], slow_alaw(all_pcm[i]));
}

static void every_code_decodes_as_the_tables_say(void)
{
	for (int c = 0; c < 256; c++) {
		uint8_t code = (uint8_t)c;
		int16_t pcm;
		mc_g711_ulaw_decode(&pcm, &code, 1);
		CHECK_EQ(pcm, slow_ulaw_value(code));
		mc_g711_alaw_decode(&pcm, &code, 1);
		CHECK_EQ(pcm, slow_alaw_value(code));
	}
}

/* A second pass changes nothing (G.711 tandem), except that minus zero becomes plus zero. */
static void every_code_survives_a_round_trip(void)
{
	for (int c = 0; c < 256; c++) {
		uint8_t code = (uint8_t)c, again;
		int16_t pcm;
		mc_g711_ulaw_decode(&pcm, &code, 1);
		mc_g711_ulaw_encode(&again, &pcm, 1);
		CHECK_EQ(again, code == 0x7F ? 0xFF : code);
		mc_g711_alaw_decode(&pcm, &code, 1);
		mc_g711_alaw_encode(&again, &pcm, 1);
		CHECK_EQ(again, code);
	}
}

static void the_error_is_at_most_half_a_step(void)
{
	const struct mc_codec *rowv[] = {&mc_g711_pcmu, &mc_g711_pcma};
	for (int r = 0; r < 2; r++) {
		static int16_t back[65536];
		CHECK_EQ(rowv[r]->encode(NULL, all_code, 65536, all_pcm, 65536), 65536);
		for (int i = 0; i < 65536; i += 4096)
			CHECK_EQ(rowv[r]->decode(NULL, back + i, 4096, all_code + i, 4096), 4096);
		for (int i = 0; i < 65536; i++) {
			int m = abs(all_pcm[i]);
			int half_step = m < 256 ? 9 : m / 32 + 8;
			CHECK(m > 32000 || abs(back[i] - all_pcm[i]) <= half_step);
			if (i)
				CHECK(back[i] >= back[i - 1]);
		}
	}
}

static void any_length_and_alignment_is_the_same(void)
{
	uint8_t out[128];
	uint32_t rng = 5;
	for (size_t n = 0; n <= 100; n++) {
		size_t from = test_rand(&rng) % 60000;
		memset(out, 0xEE, sizeof(out));
		mc_g711_ulaw_encode(out + n % 7, all_pcm + from, n);
		for (size_t i = 0; i < n; i++)
			CHECK_EQ(out[n % 7 + i], slow_ulaw(all_pcm[from + i]));
		CHECK_EQ(out[n % 7 + n], 0xEE);
		mc_g711_alaw_encode(out + n % 7, all_pcm + from, n);
		for (size_t i = 0; i < n; i++)
			CHECK_EQ(out[n % 7 + i], slow_alaw(all_pcm[from + i]));
		CHECK_EQ(out[n % 7 + n], 0xEE);
	}
}

int main(void)
{
	fill_all();
	RUN(every_sample_encodes_as_the_tables_say);
	RUN(every_code_decodes_as_the_tables_say);
	RUN(every_code_survives_a_round_trip);
	RUN(the_error_is_at_most_half_a_step);
	RUN(any_length_and_alignment_is_the_same);
	return 0;
}
