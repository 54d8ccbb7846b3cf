/* mc_tap: a ring that copies audio from the media thread to a reader who may be late.
 *
 * Full: the frame is dropped and counted. The reader sees a jump of its position, so that sample
 * clocks stay true. A read never crosses such a gap.
 */
#ifndef MC_TAP_H
#define MC_TAP_H

#include <stdbool.h>

#include "mc_ring.h"

enum { MC_TAP_GAPS = 8 };

struct mc_tap_gap {
	uint64_t index;   /* ring index of the first element after the gap */
	uint64_t dropped; /* elements dropped before it, since the tap began */
};

struct mc_tap_ring {
	struct mc_ring data, gaps;
	struct mc_tap_gap gap_mem[MC_TAP_GAPS];
	uint64_t dropped;       /* media thread */
	uint64_t told;          /* media thread: as of the last gap written */
	uint64_t reader_offset; /* control thread: dropped before its position */
};

/** mem [elem * cap bytes]. */
void mc_tap_init(struct mc_tap_ring *tap, void *mem, uint32_t elem, uint32_t cap);
/** Media thread: all n elements or none. return elements dropped. */
size_t mc_tap_write(struct mc_tap_ring *tap, const void *src, size_t n);
/** Control thread: up to n elements; *at: position of the first, dropped ones counted. */
size_t mc_tap_read(struct mc_tap_ring *tap, void *dst, size_t n, uint64_t *at);

#endif
