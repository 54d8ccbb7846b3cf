#include "mc_g711.h"

#include <string.h>

/* Codes to samples, ITU-T G.711 tables 1a to 2b; the 13 and 14 bits are left-justified. */
static const int16_t ULAW[256] = {
	-32124, -31100, -30076, -29052, -28028, -27004, -25980, -24956, -23932, -22908, -21884,
	-20860, -19836, -18812, -17788, -16764, -15996, -15484, -14972, -14460, -13948, -13436,
	-12924, -12412, -11900, -11388, -10876, -10364, -9852,  -9340,  -8828,  -8316,  -7932,
	-7676,  -7420,  -7164,  -6908,  -6652,  -6396,  -6140,  -5884,  -5628,  -5372,  -5116,
	-4860,  -4604,  -4348,  -4092,  -3900,  -3772,  -3644,  -3516,  -3388,  -3260,  -3132,
	-3004,  -2876,  -2748,  -2620,  -2492,  -2364,  -2236,  -2108,  -1980,  -1884,  -1820,
	-1756,  -1692,  -1628,  -1564,  -1500,  -1436,  -1372,  -1308,  -1244,  -1180,  -1116,
	-1052,  -988,   -924,   -876,   -844,   -812,   -780,   -748,   -716,   -684,   -652,
	-620,   -588,   -556,   -524,   -492,   -460,   -428,   -396,   -372,   -356,   -340,
	-324,   -308,   -292,   -276,   -260,   -244,   -228,   -212,   -196,   -180,   -164,
	-148,   -132,   -120,   -112,   -104,   -96,    -88,    -80,    -72,    -64,    -56,
	-48,    -40,    -32,    -24,    -16,    -8,     0,      32124,  31100,  30076,  29052,
	28028,  27004,  25980,  24956,  23932,  22908,  21884,  20860,  19836,  18812,  17788,
	16764,  15996,  15484,  14972,  14460,  13948,  13436,  12924,  12412,  11900,  11388,
	10876,  10364,  9852,   9340,   8828,   8316,   7932,   7676,   7420,   7164,   6908,
	6652,   6396,   6140,   5884,   5628,   5372,   5116,   4860,   4604,   4348,   4092,
	3900,   3772,   3644,   3516,   3388,   3260,   3132,   3004,   2876,   2748,   2620,
	2492,   2364,   2236,   2108,   1980,   1884,   1820,   1756,   1692,   1628,   1564,
	1500,   1436,   1372,   1308,   1244,   1180,   1116,   1052,   988,    924,    876,
	844,    812,    780,    748,    716,    684,    652,    620,    588,    556,    524,
	492,    460,    428,    396,    372,    356,    340,    324,    308,    292,    276,
	260,    244,    228,    212,    196,    180,    164,    148,    132,    120,    112,
	104,    96,     88,     80,     72,     64,     56,     48,     40,     32,     24,
	16,     8,      0,
};

static const int16_t ALAW[256] = {
	-5504,  -5248,  -6016,  -5760,  -4480,  -4224,  -4992,  -4736,  -7552,  -7296,  -8064,
	-7808,  -6528,  -6272,  -7040,  -6784,  -2752,  -2624,  -3008,  -2880,  -2240,  -2112,
	-2496,  -2368,  -3776,  -3648,  -4032,  -3904,  -3264,  -3136,  -3520,  -3392,  -22016,
	-20992, -24064, -23040, -17920, -16896, -19968, -18944, -30208, -29184, -32256, -31232,
	-26112, -25088, -28160, -27136, -11008, -10496, -12032, -11520, -8960,  -8448,  -9984,
	-9472,  -15104, -14592, -16128, -15616, -13056, -12544, -14080, -13568, -344,   -328,
	-376,   -360,   -280,   -264,   -312,   -296,   -472,   -456,   -504,   -488,   -408,
	-392,   -440,   -424,   -88,    -72,    -120,   -104,   -24,    -8,     -56,    -40,
	-216,   -200,   -248,   -232,   -152,   -136,   -184,   -168,   -1376,  -1312,  -1504,
	-1440,  -1120,  -1056,  -1248,  -1184,  -1888,  -1824,  -2016,  -1952,  -1632,  -1568,
	-1760,  -1696,  -688,   -656,   -752,   -720,   -560,   -528,   -624,   -592,   -944,
	-912,   -1008,  -976,   -816,   -784,   -880,   -848,   5504,   5248,   6016,   5760,
	4480,   4224,   4992,   4736,   7552,   7296,   8064,   7808,   6528,   6272,   7040,
	6784,   2752,   2624,   3008,   2880,   2240,   2112,   2496,   2368,   3776,   3648,
	4032,   3904,   3264,   3136,   3520,   3392,   22016,  20992,  24064,  23040,  17920,
	16896,  19968,  18944,  30208,  29184,  32256,  31232,  26112,  25088,  28160,  27136,
	11008,  10496,  12032,  11520,  8960,   8448,   9984,   9472,   15104,  14592,  16128,
	15616,  13056,  12544,  14080,  13568,  344,    328,    376,    360,    280,    264,
	312,    296,    472,    456,    504,    488,    408,    392,    440,    424,    88,
	72,     120,    104,    24,     8,      56,     40,     216,    200,    248,    232,
	152,    136,    184,    168,    1376,   1312,   1504,   1440,   1120,   1056,   1248,
	1184,   1888,   1824,   2016,   1952,   1632,   1568,   1760,   1696,   688,    656,
	752,    720,    560,    528,    624,    592,    944,    912,    1008,   976,    816,
	784,    880,    848,
};

enum {
	BLOCK = 16, /* samples per pass of the encoder: a constant trip count for the vectoriser */
	FLOAT_BIAS = 127,
};

/* Exponent and four top mantissa bits of m, 1 <= m < 2^24: (bias + floor(log2 m)) * 16 + step. */
static inline int32_t exponent_and_step(int32_t m)
{
	float f = (float)m;
	uint32_t bits;
	memcpy(&bits, &f, sizeof(bits));
	return (int32_t)(bits >> 19);
}

/* Table 2a: 14 bits, magnitude + 33 lies in segment floor(log2) - 5; all bits inverted. */
static inline uint8_t ulaw(int16_t sample)
{
	int32_t sign = sample >> 15;
	int32_t m = ((sample ^ sign) >> 2) + 33;
	m = m > 0x1FFF ? 0x1FFF : m;
	int32_t code = exponent_and_step(m) - ((FLOAT_BIAS + 5) << 4);
	return (uint8_t)((0xFF & ~(sign & 0x80)) - code);
}

/* Table 1a: 12 bits of magnitude, linear below 16, then segment floor(log2) - 3; even bits
 * inverted. */
static inline uint8_t alaw(int16_t sample)
{
	int32_t sign = sample >> 15;
	int32_t m = (sample ^ sign) >> 4;
	int32_t code = exponent_and_step(m) - ((FLOAT_BIAS + 3) << 4);
	int32_t linear = (m - 16) >> 31;
	code = (code & ~linear) | (m & linear);
	return (uint8_t)((code | (~sign & 0x80)) ^ 0x55);
}

void mc_g711_ulaw_encode(uint8_t *restrict out, const int16_t *restrict pcm, size_t n)
{
	size_t i = 0;
	for (; i + BLOCK <= n; i += BLOCK)
		for (size_t k = 0; k < BLOCK; k++)
			out[i + k] = ulaw(pcm[i + k]);
	for (; i < n; i++)
		out[i] = ulaw(pcm[i]);
}

void mc_g711_alaw_encode(uint8_t *restrict out, const int16_t *restrict pcm, size_t n)
{
	size_t i = 0;
	for (; i + BLOCK <= n; i += BLOCK)
		for (size_t k = 0; k < BLOCK; k++)
			out[i + k] = alaw(pcm[i + k]);
	for (; i < n; i++)
		out[i] = alaw(pcm[i]);
}

void mc_g711_ulaw_decode(int16_t *restrict pcm, const uint8_t *restrict in, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pcm[i] = ULAW[in[i]];
}

void mc_g711_alaw_decode(int16_t *restrict pcm, const uint8_t *restrict in, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pcm[i] = ALAW[in[i]];
}

static size_t no_state(uint32_t srate)
{
	(void)srate;
	return 0;
}

static int init(void *state, uint32_t srate)
{
	(void)state;
	return srate == 8000 ? MC_OK : MC_EINVAL;
}

static int samples(const uint8_t *payload, size_t n, uint32_t srate)
{
	(void)payload;
	(void)srate;
	return n > 0 && n <= MC_CODEC_MAX_PCM ? (int)n : MC_EBADMSG;
}

/* Samples to convert: one per byte, or why not. */
static int check(size_t n, size_t cap)
{
	int count = samples(NULL, n, 8000);
	return count > 0 && n > cap ? MC_ENOMEM : count;
}

static int decode_ulaw(void *dec, int16_t *restrict pcm, size_t cap,
		       const uint8_t *restrict payload, size_t n)
{
	(void)dec;
	int count = check(n, cap);
	if (count > 0)
		mc_g711_ulaw_decode(pcm, payload, n);
	return count;
}

static int decode_alaw(void *dec, int16_t *restrict pcm, size_t cap,
		       const uint8_t *restrict payload, size_t n)
{
	(void)dec;
	int count = check(n, cap);
	if (count > 0)
		mc_g711_alaw_decode(pcm, payload, n);
	return count;
}

static int encode_ulaw(void *enc, uint8_t *restrict payload, size_t cap,
		       const int16_t *restrict pcm, size_t n)
{
	(void)enc;
	if (n > cap)
		return MC_ENOMEM;
	mc_g711_ulaw_encode(payload, pcm, n);
	return (int)n;
}

static int encode_alaw(void *enc, uint8_t *restrict payload, size_t cap,
		       const int16_t *restrict pcm, size_t n)
{
	(void)enc;
	if (n > cap)
		return MC_ENOMEM;
	mc_g711_alaw_encode(payload, pcm, n);
	return (int)n;
}

const struct mc_codec mc_g711_pcmu = {
	.name = "PCMU",
	.static_pt = 0,
	.clock_rate = 8000,
	.srate = 8000,
	.dec_size = no_state,
	.enc_size = no_state,
	.dec_init = init,
	.enc_init = init,
	.decode = decode_ulaw,
	.samples = samples,
	.encode = encode_ulaw,
};

const struct mc_codec mc_g711_pcma = {
	.name = "PCMA",
	.static_pt = 8,
	.clock_rate = 8000,
	.srate = 8000,
	.dec_size = no_state,
	.enc_size = no_state,
	.dec_init = init,
	.enc_init = init,
	.decode = decode_alaw,
	.samples = samples,
	.encode = encode_alaw,
};
