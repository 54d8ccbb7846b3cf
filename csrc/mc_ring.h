/* mc_ring: bounded single-producer single-consumer ring of fixed-size elements.
 *
 * What does it do?  Carries commands, events, audio and notes between the media thread and the
 *                   control thread without a lock.
 * How does it work? Two counters that only grow, each written by one side (C11 release/acquire).
 *                   The consumer may keep elements readable behind its position: it releases
 *                   them later (playout uses this to go back after a pause).
 * How do I use it?  mc_ring_init() on caller memory; write() on one thread; count()/read() or
 *                   peek()/release() on the other. Full: write() takes what fits and says how much.
 */
#ifndef MC_RING_H
#define MC_RING_H

#include <stdatomic.h>

#include "mc_types.h"

struct mc_ring {
	uint8_t *data;
	uint32_t elem;
	uint32_t cap;
	_Atomic uint64_t written;
	_Atomic uint64_t released;
};

/** mem [elem * cap bytes] belongs to the ring until it is no longer used. */
void mc_ring_init(struct mc_ring *ring, void *mem, uint32_t elem, uint32_t cap);

/** Producer: append up to n elements. return how many were taken. */
size_t mc_ring_write(struct mc_ring *ring, const void *src, size_t n);
/** Producer: elements that fit now. */
size_t mc_ring_room(const struct mc_ring *ring);

/** Either side: total elements ever written / released. */
uint64_t mc_ring_written(const struct mc_ring *ring);
uint64_t mc_ring_released(const struct mc_ring *ring);
/** Consumer: elements that can be read. */
size_t mc_ring_count(const struct mc_ring *ring);
/** Consumer: copy and release up to n elements. return how many. */
size_t mc_ring_read(struct mc_ring *ring, void *dst, size_t n);
/** Consumer: copy n elements from absolute index at; they must be written and not released. */
void mc_ring_peek(const struct mc_ring *ring, uint64_t at, void *dst, size_t n);
/** Consumer: everything below absolute index at may be overwritten. Never goes back. */
void mc_ring_release(struct mc_ring *ring, uint64_t at);

#endif
