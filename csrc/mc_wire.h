/* mc_wire: numbers in network byte order. The caller has checked the bounds. */
#ifndef MC_WIRE_H
#define MC_WIRE_H

#include <stdint.h>

static inline uint16_t mc_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t mc_get32(const uint8_t *p)
{
	return (uint32_t)mc_get16(p) << 16 | mc_get16(p + 2);
}

static inline void mc_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void mc_put32(uint8_t *p, uint32_t v)
{
	mc_put16(p, (uint16_t)(v >> 16));
	mc_put16(p + 2, (uint16_t)v);
}

#endif
