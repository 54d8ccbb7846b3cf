#include "mc_b64.h"

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { BAD = 0x80 };
#define B BAD
/* Value of a character, or BAD. */
static const uint8_t VALUE[256] = {
	B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  /* 00 */
	B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  /* 10 */
	B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  62, B,  B,  B,  63, /* 20 */
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, B,  B,  B,  B,  B,  B,  /* 30 */
	B,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, /* 40 */
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, B,  B,  B,  B,  B,  /* 50 */
	B,  26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, /* 60 */
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, B,  B,  B,  B,  B,  /* 70 */
	B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  /* 80 */
	B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  /* 90 */
	B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  /* a0 */
	B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  /* b0 */
	B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  /* c0 */
	B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  /* d0 */
	B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  /* e0 */
	B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  /* f0 */
};
#undef B

size_t mc_b64_encode(char *out, const uint8_t *in, size_t n)
{
	char *o = out;

	for (; n >= 3; n -= 3, in += 3) {
		uint32_t v = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
		*o++ = ALPHABET[v >> 18];
		*o++ = ALPHABET[v >> 12 & 63];
		*o++ = ALPHABET[v >> 6 & 63];
		*o++ = ALPHABET[v & 63];
	}
	if (n) {
		uint32_t v = (uint32_t)in[0] << 16 | (n == 2 ? (uint32_t)in[1] << 8 : 0);
		*o++ = ALPHABET[v >> 18];
		*o++ = ALPHABET[v >> 12 & 63];
		*o++ = n == 2 ? ALPHABET[v >> 6 & 63] : '=';
		*o++ = '=';
	}
	return (size_t)(o - out);
}

int64_t mc_b64_decode(uint8_t *out, const char *in, size_t n)
{
	const uint8_t *p = (const uint8_t *)in, *end = p + n;
	uint8_t *o = out;
	uint32_t v = 0, have = 0, pad = 0;

	while (p < end) {
		while (!have && end - p >= 4) { /* whole groups */
			uint8_t a = VALUE[p[0]], b = VALUE[p[1]], c = VALUE[p[2]], d = VALUE[p[3]];
			if ((a | b | c | d) & BAD)
				break;
			uint32_t w = (uint32_t)a << 18 | (uint32_t)b << 12 | (uint32_t)c << 6 | d;
			o[0] = (uint8_t)(w >> 16);
			o[1] = (uint8_t)(w >> 8);
			o[2] = (uint8_t)w;
			o += 3;
			p += 4;
		}
		if (p == end)
			break;
		if (*p == '\\' && end - p >= 2 && p[1] == '/')
			p++;
		if (*p == '=') {
			pad++;
			p++;
			continue;
		}
		uint8_t value = VALUE[*p++];
		if (value & BAD || pad)
			return MC_EBADMSG;
		v = v << 6 | value;
		if (++have == 4) {
			*o++ = (uint8_t)(v >> 16);
			*o++ = (uint8_t)(v >> 8);
			*o++ = (uint8_t)v;
			have = v = 0;
		}
	}
	if (have == 1 || (pad && (have < 2 || have + pad != 4)))
		return MC_EBADMSG;
	if (have == 2) {
		*o++ = (uint8_t)(v >> 4);
	} else if (have == 3) {
		*o++ = (uint8_t)(v >> 10);
		*o++ = (uint8_t)(v >> 2);
	}
	return o - out;
}
