/* mc_plc: generic packet-loss concealment on PCM, for codecs that have none of their own.
 *
 * What does it do?  Continues the signal from what was heard before the loss, fades it out over
 *                   about 0.2 s, and joins the real signal again without a click.
 * How does it work?
 *
 *     history ──► pitch by normalised correlation ──► how voiced?
 *        │  voiced:   the last period(s) repeated, each seam cross-faded with the samples that
 *        │            came before the period; more periods the longer it lasts (less buzz)
 *        │  unvoiced: pieces of the last 15 … 40 ms at random lags
 *        └► × gain: flat, then falling to silence; × the trend of the last two periods
 *     good audio again ──► cross-fade from the continued signal
 *
 * How do I use it?  mc_plc_conceal() for every missing stretch, with the audio that precedes it;
 *                   mc_plc_merge() on the first good audio after it.
 * Adds no delay. Memory: 50 ms of samples. Cost: about 2 µs at the start of a loss (8 kHz),
 * under 1 µs for every further 20 ms.
 */
#ifndef MC_PLC_H
#define MC_PLC_H

#include "mc_types.h"

enum {
	MC_PLC_HIST_US = 45000, /* history that is worth passing */
	MC_PLC_END_US = 200000, /* after this much concealment the output is silent */
};

struct mc_plc_cfg {
	uint32_t srate; /* Hz, a leg rate */
	uint32_t seed;  /* of the lags of unvoiced pieces */
};

struct mc_plc;

size_t mc_plc_size(const struct mc_plc_cfg *cfg);
/** return 0 | MC_EINVAL | MC_ENOMEM. */
int mc_plc_init(struct mc_plc **out, void *mem, size_t size, const struct mc_plc_cfg *cfg) MC_WUR;
void mc_plc_reset(struct mc_plc *plc);

/** n samples in place of lost ones. hist [hist_n samples]: what was played right before; read
 *  only at the start of a loss. n = 0 only prepares a merge: for audio that follows with a part
 *  left out. O(n), plus the pitch search at the start. */
void mc_plc_conceal(struct mc_plc *plc, int16_t *restrict pcm, size_t n,
		    const int16_t *restrict hist, size_t hist_n);
/** Good audio again: cross-fade its head in place. Nothing happens when nothing was concealed. */
void mc_plc_merge(struct mc_plc *plc, int16_t *pcm, size_t n);
/** Gain of the concealment now: 1 at the start, 0 when it has faded (comfort noise may fill). */
float mc_plc_gain(const struct mc_plc *plc);
/** Samples concealed since the last good audio. */
uint32_t mc_plc_run(const struct mc_plc *plc);

#endif
