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

static int decode_le(void *dec, int16_t *restrict pcm, size_t cap, const uint8_t *restrict payload,
		     size_t n)
{
	(void)dec;
	int count = samples(payload, n, 0);
	if (count < 0)
		return count;
	if ((size_t)count > cap)
		return MC_ENOMEM;
	for (int i = 0; i < count; i++)
		pcm[i] = (int16_t)(payload[2 * i] | payload[2 * i + 1] << 8);
	return count;
}

static int encode_le(void *enc, uint8_t *restrict payload, size_t cap, const int16_t *restrict pcm,
		     size_t n)
{
	(void)enc;
	if (n > cap / 2)
		return MC_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		payload[2 * i] = (uint8_t)pcm[i];
		payload[2 * i + 1] = (uint8_t)((uint16_t)pcm[i] >> 8);
	}
	return (int)(2 * n);
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

#define ROW(text, rate, from_wire, to_wire)                                                        \
	{                                                                                          \
		.name = (text), .static_pt = MC_PT_DYNAMIC, .clock_rate = (rate), .srate = (rate), \
		.dec_size = no_state, .enc_size = no_state, .dec_init = init, .enc_init = init,    \
		.decode = (from_wire), .samples = samples, .encode = (to_wire),                    \
	}
#define ROWS(text, from_wire, to_wire)                                                             \
	{                                                                                          \
		ROW(text, 8000, from_wire, to_wire), ROW(text, 16000, from_wire, to_wire),         \
			ROW(text, 24000, from_wire, to_wire),                                      \
			ROW(text, 48000, from_wire, to_wire),                                      \
	}

enum { RATES = 4 };
static const struct mc_codec NETWORK[RATES] = ROWS("L16", decode, encode);
static const struct mc_codec LITTLE[RATES] = ROWS("L16LE", decode_le, encode_le);

static const struct mc_codec *find(const struct mc_codec *rows, uint32_t srate)
{
	for (size_t i = 0; i < RATES; i++)
		if (rows[i].srate == srate)
			return &rows[i];
	return NULL;
}

const struct mc_codec *mc_l16(uint32_t srate)
{
	return find(NETWORK, srate);
}

const struct mc_codec *mc_l16le(uint32_t srate)
{
	return find(LITTLE, srate);
}
