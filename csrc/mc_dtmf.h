/* mc_dtmf: in-band DTMF digits, received and generated (ITU-T Q.23, Q.24).
 *
 * What does it do?  Reports the start and the end of each key, once, in the caller's audio.
 * How does it work? At 8 kHz (higher rates are decimated inside):
 *
 *                     x ─→ complex band-pass 0.66–0.98 kHz ─→ 1 kHz ┐  per 5 ms: frequency from
 *                      └─→ complex band-pass 1.16–1.70 kHz ─→ 1 kHz ┘  the phase over 8 ms,
 *                                                                      purity, steadiness, level
 *
 *                   A digit needs two 20 ms windows, 5 ms apart, that agree: both tones pure,
 *                   steady, within 2.5 % of nominal, and 80 % of all energy. It ends after 30 ms
 *                   without them, so that one lost packet does not double a key.
 * How do I use it?  n = mc_dtmf_frame(d, pcm, events, MC_DTMF_EVENTS) once per tick.
 *
 * Accepts ±1.5 %, rejects ±3.5 %; low group up to 8 dB above or 4 dB below the high one; 40 ms on,
 * 40 ms off; -43 dBov per tone; signal to noise 12 dB.
 * Memory: under 3 KB. Cost: 0.6 µs per frame at 8 kHz, 1.6 µs at 48 kHz.
 */
#ifndef MC_DTMF_H
#define MC_DTMF_H

#include "mc_types.h"

enum {
	MC_DTMF_EVENTS = 4, /* events one frame can give at most */
};

struct mc_dtmf;

struct mc_dtmf_event {
	char digit;    /* 0-9 * # A-D */
	uint8_t start; /* 1: the key went down; 0: it went up */
	/* From the end of this frame back to the first (start) or past the last (end) sample of the
	 * tone, at srate, good to 5 ms. */
	uint32_t back_samples;
	uint32_t duration_ms; /* end only */
};

struct mc_dtmf_stats {
	uint64_t frames;
	uint32_t digits;
};

size_t mc_dtmf_size(uint32_t srate);

/** mem [size bytes, aligned to 16]; srate: a leg rate. return 0 | MC_EINVAL | MC_ENOMEM */
int mc_dtmf_init(struct mc_dtmf **out, void *mem, size_t size, uint32_t srate) MC_WUR;

void mc_dtmf_reset(struct mc_dtmf *d);

/** One 20 ms frame, pcm [srate / 50]; events [cap], cap >= MC_DTMF_EVENTS.
 *  return the number of events, in order, or MC_EINVAL (cap). */
int mc_dtmf_frame(struct mc_dtmf *d, const int16_t *pcm, struct mc_dtmf_event *events,
		  size_t cap) MC_WUR;

/** The key that is down now, or 0. */
char mc_dtmf_now(const struct mc_dtmf *d);

void mc_dtmf_get_stats(const struct mc_dtmf *d, struct mc_dtmf_stats *stats);

/** Samples [offset, offset + n) of one key press of `total` samples, silence after its end; the
 *  first and last 5 ms are ramps. Keeps no state: call it per frame with a rising offset.
 *  digit: 0-9 * # A-D a-d; low_dbov, high_dbov: RMS level of each tone, -60..-4.
 *  return 0 | MC_EINVAL (digit, srate, level; pcm untouched) */
int mc_dtmf_gen(int16_t *pcm, size_t n, uint32_t srate, char digit, size_t offset, size_t total,
		int low_dbov, int high_dbov) MC_WUR;

#endif
