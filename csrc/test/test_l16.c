/* mc_l16: exact both ways at each rate; lengths that are not whole samples are refused. */
#include "mc_l16.h"
#include "mc_test.h"

static void byte_order_is_the_networks(void)
{
	const int16_t in[] = {0, 1, -1, 0x1234, INT16_MIN, INT16_MAX};
	const uint8_t want[] = {0, 0, 0, 1, 255, 255, 0x12, 0x34, 0x80, 0, 0x7F, 255};
	uint8_t wire[12];
	int16_t back[6];
	const struct mc_codec *l16 = mc_l16(8000);
	CHECK_EQ(l16->encode(NULL, wire, 12, in, 6), 12);
	CHECK(!memcmp(wire, want, 12));
	CHECK_EQ(l16->decode(NULL, back, 6, wire, 12), 6);
	CHECK(!memcmp(back, in, sizeof(in)));
}

static void one_row_per_rate(void)
{
	for (uint32_t srate = 0; srate <= 96000; srate += 1000) {
		const struct mc_codec *l16 = mc_l16(srate);
		CHECK_EQ(l16 != NULL, mc_srate_ok(srate));
		if (!l16)
			continue;
		CHECK_EQ(l16->srate, srate);
		CHECK_EQ(l16->clock_rate, srate);
		CHECK_EQ(l16->dec_init(NULL, srate), MC_OK);
	}
	CHECK_EQ(mc_l16(8000)->enc_init(NULL, 44100), MC_EINVAL);
}

static void wrong_lengths(void)
{
	static uint8_t wire[2 * MC_CODEC_MAX_PCM + 2];
	static int16_t pcm[MC_CODEC_MAX_PCM + 1];
	const struct mc_codec *l16 = mc_l16(48000);
	CHECK_EQ(l16->samples(wire, 0, 48000), MC_EBADMSG);
	CHECK_EQ(l16->samples(wire, 3, 48000), MC_EBADMSG);
	CHECK_EQ(l16->samples(wire, sizeof(wire), 48000), MC_EBADMSG);
	CHECK_EQ(l16->decode(NULL, pcm, MC_CODEC_MAX_PCM, wire, 2 * MC_CODEC_MAX_PCM),
		 MC_CODEC_MAX_PCM);
	CHECK_EQ(l16->decode(NULL, pcm, 9, wire, 20), MC_ENOMEM);
	CHECK_EQ(l16->decode(NULL, pcm, 10, wire, 19), MC_EBADMSG);
	CHECK_EQ(l16->encode(NULL, wire, 19, pcm, 10), MC_ENOMEM);
}

int main(void)
{
	RUN(byte_order_is_the_networks);
	RUN(one_row_per_rate);
	RUN(wrong_lengths);
	return 0;
}
