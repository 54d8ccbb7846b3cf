/* mc_seq: arithmetic on numbers that wrap: 16-bit RTP sequence numbers and 32-bit RTP
 * timestamps (RFC 3550 §5.1, RFC 1982). All differences are "a after b" and signed; the one
 * that cannot be told (exactly half the range) is negative. Nothing here branches on order.
 */
#ifndef MC_SEQ_H
#define MC_SEQ_H

#include <stdbool.h>
#include <stdint.h>

/** a - b in packets, -32768..32767. */
static inline int32_t mc_seq_diff(uint16_t a, uint16_t b)
{
	uint32_t d = (uint16_t)(a - b);
	return (int32_t)(d ^ 0x8000u) - 0x8000;
}

/** a comes after b. */
static inline bool mc_seq_after(uint16_t a, uint16_t b)
{
	return mc_seq_diff(a, b) > 0;
}

/** a - b in RTP ticks, -2^31..2^31-1. */
static inline int32_t mc_ts_diff(uint32_t a, uint32_t b)
{
	return (int32_t)((int64_t)((a - b) ^ 0x80000000u) - 0x80000000LL);
}

/** a comes after b. */
static inline bool mc_ts_after(uint32_t a, uint32_t b)
{
	return mc_ts_diff(a, b) > 0;
}

/** The 64-bit sequence number nearest to `near` whose low 16 bits are seq. A number that would
 *  lie before 0 is taken one cycle later, so the result never wraps below zero. */
static inline uint64_t mc_seq_extend(uint64_t near, uint16_t seq)
{
	int64_t d = mc_seq_diff(seq, (uint16_t)near);
	if (d < 0 && near < (uint64_t)-d)
		d += 0x10000;
	return near + (uint64_t)d;
}

/** The 64-bit timestamp nearest to `near` whose low 32 bits are ts; as mc_seq_extend(). */
static inline uint64_t mc_ts_extend(uint64_t near, uint32_t ts)
{
	int64_t d = mc_ts_diff(ts, (uint32_t)near);
	if (d < 0 && near < (uint64_t)-d)
		d += 0x100000000LL;
	return near + (uint64_t)d;
}

#endif
