#include "mc_ring.h"

#include <string.h>

void mc_ring_init(struct mc_ring *ring, void *mem, uint32_t elem, uint32_t cap)
{
	ring->data = mem;
	ring->elem = elem;
	ring->cap = cap;
	atomic_init(&ring->written, 0);
	atomic_init(&ring->released, 0);
}

/* The part of [at, at + n) before the ring's end; the rest starts at 0. */
static size_t first_part(const struct mc_ring *ring, uint64_t at, size_t n, size_t *offset)
{
	size_t index = (size_t)(at % ring->cap);
	*offset = index * ring->elem;
	return n < ring->cap - index ? n : ring->cap - index;
}

uint64_t mc_ring_written(const struct mc_ring *ring)
{
	return atomic_load_explicit(&ring->written, memory_order_acquire);
}

uint64_t mc_ring_released(const struct mc_ring *ring)
{
	return atomic_load_explicit(&ring->released, memory_order_acquire);
}

size_t mc_ring_room(const struct mc_ring *ring)
{
	uint64_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
	return ring->cap - (size_t)(written - mc_ring_released(ring));
}

size_t mc_ring_write(struct mc_ring *ring, const void *src, size_t n)
{
	uint64_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
	size_t room = mc_ring_room(ring), offset;

	if (n > room)
		n = room;
	if (!n)
		return 0;
	size_t part = first_part(ring, written, n, &offset);
	memcpy(ring->data + offset, src, part * ring->elem);
	if (part < n)
		memcpy(ring->data, (const uint8_t *)src + part * ring->elem,
		       (n - part) * ring->elem);
	atomic_store_explicit(&ring->written, written + n, memory_order_release);
	return n;
}

size_t mc_ring_count(const struct mc_ring *ring)
{
	uint64_t released = atomic_load_explicit(&ring->released, memory_order_relaxed);
	return (size_t)(mc_ring_written(ring) - released);
}

void mc_ring_peek(const struct mc_ring *ring, uint64_t at, void *dst, size_t n)
{
	size_t offset, part = first_part(ring, at, n, &offset);

	MC_ASSERT(at >= mc_ring_released(ring) && at + n <= mc_ring_written(ring));
	memcpy(dst, ring->data + offset, part * ring->elem);
	if (part < n)
		memcpy((uint8_t *)dst + part * ring->elem, ring->data, (n - part) * ring->elem);
}

void mc_ring_release(struct mc_ring *ring, uint64_t at)
{
	uint64_t released = atomic_load_explicit(&ring->released, memory_order_relaxed);

	MC_ASSERT(at <= mc_ring_written(ring));
	if (at > released)
		atomic_store_explicit(&ring->released, at, memory_order_release);
}

size_t mc_ring_read(struct mc_ring *ring, void *dst, size_t n)
{
	uint64_t released = atomic_load_explicit(&ring->released, memory_order_relaxed);
	size_t count = mc_ring_count(ring);

	if (n > count)
		n = count;
	if (!n)
		return 0;
	mc_ring_peek(ring, released, dst, n);
	mc_ring_release(ring, released + n);
	return n;
}
