#include "mc_tap.h"

#include <string.h>

void mc_tap_init(struct mc_tap_ring *tap, void *mem, uint32_t elem, uint32_t cap)
{
	memset(tap, 0, sizeof(*tap));
	mc_ring_init(&tap->data, mem, elem, cap);
	mc_ring_init(&tap->gaps, tap->gap_mem, sizeof(struct mc_tap_gap), MC_TAP_GAPS);
}

size_t mc_tap_write(struct mc_tap_ring *tap, const void *src, size_t n)
{
	bool fits = mc_ring_room(&tap->data) >= n;

	if (fits && tap->dropped != tap->told) {
		struct mc_tap_gap gap = {
			.index = mc_ring_written(&tap->data),
			.dropped = tap->dropped,
		};
		fits = mc_ring_write(&tap->gaps, &gap, 1) == 1;
		if (fits)
			tap->told = tap->dropped;
	}
	if (!fits) {
		tap->dropped += n;
		return n;
	}
	mc_ring_write(&tap->data, src, n);
	return 0;
}

size_t mc_tap_read(struct mc_tap_ring *tap, void *dst, size_t n, uint64_t *at)
{
	struct mc_tap_gap gap;
	uint64_t here = mc_ring_released(&tap->data);
	size_t count = mc_ring_count(&tap->data);

	n = n < count ? n : count; /* before looking for gaps: theirs are then visible */
	while (mc_ring_count(&tap->gaps)) {
		mc_ring_peek(&tap->gaps, mc_ring_released(&tap->gaps), &gap, 1);
		if (gap.index > here) {
			n = n < gap.index - here ? n : (size_t)(gap.index - here);
			break;
		}
		tap->reader_offset = gap.dropped;
		mc_ring_release(&tap->gaps, mc_ring_released(&tap->gaps) + 1);
	}
	*at = here + tap->reader_offset;
	return mc_ring_read(&tap->data, dst, n);
}
