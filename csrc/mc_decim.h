/* mc_decim: a leg's frame to floats at 8 kHz, for detectors (VAD, DTMF, tones).
 *
 * Integer decimation by 1, 2, 3 or 6 with a short Hamming-windowed sinc (12 taps per step):
 * flat to 2.8 kHz, at most -40 dB left of what would fold below 2.8 kHz. Not for listening; that
 * is mc_resample's job. The state is a plain struct, to be embedded. */
#ifndef MC_DECIM_H
#define MC_DECIM_H

#include "mc_types.h"

enum {
	MC_DECIM_FRAME = 160, /* samples out per 20 ms */
	MC_DECIM_TAPS = 72,
};

struct mc_decim {
	uint32_t step; /* 1, 2, 3, 6 */
	float taps[MC_DECIM_TAPS];
	/* cleared by reset */
	int16_t old[MC_DECIM_TAPS];
};

/** srate: a leg rate (mc_srate_ok). return 0 | MC_EINVAL */
int mc_decim_init(struct mc_decim *d, uint32_t srate) MC_WUR;

void mc_decim_reset(struct mc_decim *d);

/** One 20 ms frame, pcm [160 * step], to out [160]. */
void mc_decim_frame(struct mc_decim *d, float *restrict out, const int16_t *restrict pcm);

#endif
