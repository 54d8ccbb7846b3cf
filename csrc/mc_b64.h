/* mc_b64: base64 with the standard alphabet, RFC 4648 §4. Four characters at a time by tables. */
#ifndef MC_B64_H
#define MC_B64_H

#include "mc_types.h"

/** Characters that n bytes become, padding included. */
static inline size_t mc_b64_encoded(size_t n)
{
	return (n + 2) / 3 * 4;
}

/** out [mc_b64_encoded(n)]; no terminator. return characters written. */
size_t mc_b64_encode(char *out, const uint8_t *in, size_t n);
/** out [n / 4 * 3 + 3], may be the same memory as in. Padding may be missing; "\/" stands for "/"
 *  as in JSON. return bytes | MC_EBADMSG (out is spoilt) */
int64_t mc_b64_decode(uint8_t *out, const char *in, size_t n);

#endif
