#include "mc_l16.h"

#include "mc_wire.h"

static size_t no_state(uint32_t srate)
{
	(void)srate;
	return 0;
}

static int init(void *state, uint32_t srate)
{
	(void)state;
	return mc_srate_ok(srate) ? MC_OK : MC_EINVAL;
}

static int samples(const uint8_t *payload, size_t n, uint32_t srate)
{
	(void)payload;
	(void)srate;
	return n > 0 && n % 2 == 0 && n <= 2 * MC_CODEC_MAX_PCM ? (int)(n / 2) : MC_EBADMSG;
}

static int decode(void *dec, int16_t *restrict pcm, size_t cap, const uint8_t *restrict payload,
		  size_t n)
{
	(void)dec;
	int count = samples(payload, n, 0);
	if (count < 0)
		return count;
	if ((size_t)count > cap)
		return MC_ENOMEM;
	for (int i = 0; i < count; i++)
		pcm[i] = (int16_t)mc_get16(payload + 2 * i);
	return count;
}

static int encode(void *enc, uint8_t *restrict payload, size_t cap, const int16_t *restrict pcm,
		  size_t n)
{
	(void)enc;
	if (n > cap / 2)
		return MC_ENOMEM;
	for (size_t i = 0; i < n; i++)
		mc_put16(payload + 2 * i, (uint16_t)pcm[i]);
	return (int)(2 * n);
}

#define ROW(rate)                                                                                  \
	{                                                                                          \
		.name = "L16", .static_pt = MC_PT_DYNAMIC, .clock_rate = (rate), .srate = (rate),  \
		.dec_size = no_state, .enc_size = no_state, .dec_init = init, .enc_init = init,    \
		.decode = decode, .samples = samples, .encode = encode,                            \
	}

static const struct mc_codec ROWS[] = {ROW(8000), ROW(16000), ROW(24000), ROW(48000)};

const struct mc_codec *mc_l16(uint32_t srate)
{
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
		if (ROWS[i].srate == srate)
			return &ROWS[i];
	return NULL;
}
