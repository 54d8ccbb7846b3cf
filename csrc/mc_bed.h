/* mc_bed: sound under the agent's voice: music on hold, ringback, background.
 *
 * What does it do?  Mixes a queue of audio into what a leg sends, whatever the voice does. It has
 *                   no ledger, makes no events and is nobody's speech.
 * How does it work? A sample ring from the control thread. Every change of level is a linear ramp
 *                   of one tick: the start, the stop, a new gain, and a queue that runs dry (so
 *                   less than two ticks of audio never sound).
 * How do I use it?  Control thread: mc_bed_write(), mc_bed_written(). Media thread: mc_bed_gain(),
 *                   mc_bed_stop(), then mc_bed_mix() once per tick.
 */
#ifndef MC_BED_H
#define MC_BED_H

#include <stdbool.h>

#include "mc_types.h"

enum {
	MC_BED_MS = 1600,       /* audio that fits */
	MC_BED_GAIN_ONE = 4096, /* Q12 */
};

struct mc_bed;

size_t mc_bed_size(uint32_t srate);
/** return 0 | MC_EINVAL | MC_ENOMEM */
int mc_bed_init(struct mc_bed **out, void *mem, size_t size, uint32_t srate) MC_WUR;

/* Control thread. */
/** Append audio. return samples taken. */
size_t mc_bed_write(struct mc_bed *bed, const int16_t *pcm, size_t n);
size_t mc_bed_room(const struct mc_bed *bed);
/** Absolute position of the next sample written. */
uint64_t mc_bed_written(const struct mc_bed *bed);

/* Media thread. */
void mc_bed_gain(struct mc_bed *bed, int32_t gain_q12);
/** Fade out in the next tick and forget what was written before position `upto`. */
void mc_bed_stop(struct mc_bed *bed, uint64_t upto);
/** Add one tick to pcm [n]. return whether anything sounds. No allocation. O(n). */
bool mc_bed_mix(struct mc_bed *bed, int16_t *pcm, size_t n);

#endif
