#include "mc_bed.h"

#include <string.h>

#include "mc_ring.h"

struct mc_bed {
	struct mc_ring ring;
	int32_t gain_q12; /* wanted */
	int32_t now_q12;  /* at the end of the last tick; 0 while nothing plays */
	uint64_t stop_at; /* audio below it is to be forgotten */
};

static size_t ring_samples(uint32_t srate)
{
	return (size_t)srate / 1000 * MC_BED_MS;
}

size_t mc_bed_size(uint32_t srate)
{
	if (!mc_srate_ok(srate))
		return 0;
	return mc_align(sizeof(struct mc_bed)) + mc_align(ring_samples(srate) * sizeof(int16_t));
}

int mc_bed_init(struct mc_bed **out, void *mem, size_t size, uint32_t srate)
{
	struct mc_bed *bed = mem;

	if (!mc_srate_ok(srate))
		return MC_EINVAL;
	if (size < mc_bed_size(srate))
		return MC_ENOMEM;
	memset(bed, 0, sizeof(*bed));
	bed->gain_q12 = MC_BED_GAIN_ONE;
	mc_ring_init(&bed->ring, (uint8_t *)mem + mc_align(sizeof(*bed)), sizeof(int16_t),
		     (uint32_t)ring_samples(srate));
	*out = bed;
	return MC_OK;
}

size_t mc_bed_write(struct mc_bed *bed, const int16_t *pcm, size_t n)
{
	return mc_ring_write(&bed->ring, pcm, n);
}

size_t mc_bed_room(const struct mc_bed *bed)
{
	return mc_ring_room(&bed->ring);
}

uint64_t mc_bed_written(const struct mc_bed *bed)
{
	return mc_ring_written(&bed->ring);
}

void mc_bed_gain(struct mc_bed *bed, int32_t gain_q12)
{
	bed->gain_q12 = gain_q12;
}

void mc_bed_stop(struct mc_bed *bed, uint64_t upto)
{
	if (upto > bed->stop_at)
		bed->stop_at = upto;
}

bool mc_bed_mix(struct mc_bed *bed, int16_t *pcm, size_t n)
{
	int16_t frame[MC_FRAME_MAX];
	uint64_t at = mc_ring_released(&bed->ring);
	size_t have = mc_ring_count(&bed->ring);
	bool stopping = at < bed->stop_at;

	if (stopping && have > bed->stop_at - at)
		have = (size_t)(bed->stop_at - at);
	size_t take = have < n ? have : n;
	/* Less than two ticks left: fade while there is something to fade. */
	bool last = stopping || have < 2 * n;
	int32_t from = bed->now_q12, to = last ? 0 : bed->gain_q12;

	mc_ring_peek(&bed->ring, at, frame, take);
	for (size_t i = 0; i < take; i++) {
		int32_t gain = from + (to - from) * (int32_t)(i + 1) / (int32_t)take;
		pcm[i] = mc_sat16(pcm[i] + ((frame[i] * gain) >> 12));
	}
	bed->now_q12 = take ? to : 0;
	mc_ring_release(&bed->ring, stopping ? bed->stop_at : at + take);
	return take && (from || to);
}
