#include "mc_fork.h"

#include <string.h>

#include "mc_resample.h"

struct mc_fork {
	mc_handle from, to;
	uint32_t directions; /* enum mc_fork_direction */
	size_t from_n, to_n; /* samples per tick */
	struct mc_resample *resample;
	int16_t *in;  /* [from_n] */
	int16_t *out; /* [to_n]; the same as in when the rates are equal */
};

static size_t frame_bytes(uint32_t srate)
{
	return mc_align(mc_frame_samples(srate) * sizeof(int16_t));
}

size_t mc_fork_size(uint32_t from_srate, uint32_t to_srate)
{
	size_t size = mc_align(sizeof(struct mc_fork)) + frame_bytes(from_srate);
	if (from_srate != to_srate)
		size += frame_bytes(to_srate) + mc_align(mc_resample_size(from_srate, to_srate));
	return size;
}

int mc_fork_init(struct mc_fork **out, void *mem, size_t size, mc_handle from, mc_handle to,
		 uint32_t from_srate, uint32_t to_srate, uint32_t directions)
{
	struct mc_fork *fork = mem;
	uint8_t *next = (uint8_t *)mem + mc_align(sizeof(*fork));

	if (!directions || directions & ~(uint32_t)(MC_FORK_RX | MC_FORK_TX))
		return MC_EINVAL;
	if (size < mc_fork_size(from_srate, to_srate))
		return MC_ENOMEM;
	memset(mem, 0, size);
	fork->from = from;
	fork->to = to;
	fork->directions = directions;
	fork->from_n = mc_frame_samples(from_srate);
	fork->to_n = mc_frame_samples(to_srate);
	fork->in = fork->out = (int16_t *)(void *)next;
	if (from_srate != to_srate) {
		next += frame_bytes(from_srate);
		fork->out = (int16_t *)(void *)next;
		next += frame_bytes(to_srate);
		int rc = mc_resample_init(&fork->resample, next,
					  mc_resample_size(from_srate, to_srate), from_srate,
					  to_srate);
		if (rc < 0)
			return rc;
	}
	*out = fork;
	return MC_OK;
}

mc_handle mc_fork_from(const struct mc_fork *fork)
{
	return fork->from;
}

mc_handle mc_fork_to(const struct mc_fork *fork)
{
	return fork->to;
}

void mc_fork_fill(struct mc_fork *fork, const int16_t *rx, const int16_t *sent)
{
	int32_t with_rx = fork->directions & MC_FORK_RX ? 1 : 0;
	int32_t with_tx = fork->directions & MC_FORK_TX ? 1 : 0;

	for (size_t i = 0; i < fork->from_n; i++)
		fork->in[i] = mc_sat16(with_rx * rx[i] + with_tx * sent[i]);
	if (fork->resample && mc_resample_run(fork->resample, fork->out, fork->to_n, fork->in,
					      fork->from_n) != (int)fork->to_n)
		memset(fork->out, 0, fork->to_n * sizeof(int16_t));
}

const int16_t *mc_fork_frame(const struct mc_fork *fork)
{
	return fork->out;
}
