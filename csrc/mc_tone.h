/* mc_tone: machine tones in the caller's audio: beeps, fax, special information, call progress.
 *
 * What does it do?  Reports the start and the end of tones of one or two frequencies.
 * How does it work? At 8 kHz (higher rates are decimated inside) the spectrum of the last 64 ms,
 *                   every 20 ms; its one or two highest peaks, which must hold 80 % of the energy
 *                   and keep their frequency within 10 Hz from frame to frame and 8 Hz in all; then
 * a table:
 *
 *                     kind      Hz                    from ms   source
 *                     DIAL      350+440               400       ITU-T E.180, national plans
 *                     RINGBACK  440+480, 400+450      300
 *                     BUSY      480+620               200
 *                     PROGRESS  425                   300       one tone: dial, ring or busy
 *                     SIT       950, then 1400        -         ITU-T E.180; at the second tone
 *                     CNG       1100 ±60              300       ITU-T T.30
 *                     CED       2100 ±60              300       ITU-T T.30, V.25
 *                     BEEP      400..2000             120       any other
 *
 *                   Cadence is not looked at. A tone at the frequency of CNG, PROGRESS or SIT that
 *                   ends too early for it is reported as BEEP when it ends.
 * How do I use it?  n = mc_tone_frame(t, pcm, events, MC_TONE_EVENTS) once per tick, on the legs
 *                   where something waits for a tone.
 *
 * Music has single notes that pass for a BEEP (about 4 per minute): whoever waits for a beep looks
 * at what is around it.
 *
 * Tones of -45 dBov and above. Memory: under 2 KB. Cost: about 1.3 µs per frame at 8 kHz.
 */
#ifndef MC_TONE_H
#define MC_TONE_H

#include "mc_types.h"

enum mc_tone_kind {
	MC_TONE_DIAL = 0,
	MC_TONE_RINGBACK,
	MC_TONE_BUSY,
	MC_TONE_PROGRESS,
	MC_TONE_SIT,
	MC_TONE_CNG,
	MC_TONE_CED,
	MC_TONE_BEEP,
	MC_TONE_KINDS,
	MC_TONE_ALL = (1 << MC_TONE_KINDS) - 1, /* mask of all kinds; bit = 1 << kind */
};

enum { MC_TONE_EVENTS = 3 }; /* events one frame can give at most */

struct mc_tone;

struct mc_tone_cfg {
	uint32_t srate; /* 8000, 16000, 24000, 48000 */
	uint32_t mask;  /* kinds to report, bits 1 << kind; others are neither reported nor taken
			 * for a BEEP. 0 is an error. */
};

struct mc_tone_event {
	enum mc_tone_kind kind;
	uint8_t start; /* 1: sounding for long enough; 0: over. A short tone gives the end only. */
	/* From the end of this frame back to the first (start) or past the last (end) sample of the
	 * tone, at srate, good to 25 ms. */
	uint32_t back_samples;
	uint32_t length_ms; /* so far (start) or in all (end) */
	uint16_t hz[2];     /* measured; the second is 0 for a single tone */
};

size_t mc_tone_size(const struct mc_tone_cfg *cfg);

/** mem [size bytes, aligned to 16]. return 0 | MC_EINVAL | MC_ENOMEM */
int mc_tone_init(struct mc_tone **out, void *mem, size_t size,
		 const struct mc_tone_cfg *cfg) MC_WUR;

void mc_tone_reset(struct mc_tone *t);

/** One 20 ms frame, pcm [srate / 50]; events [cap], cap >= MC_TONE_EVENTS.
 *  return the number of events, in order, or MC_EINVAL (cap). */
int mc_tone_frame(struct mc_tone *t, const int16_t *pcm, struct mc_tone_event *events,
		  size_t cap) MC_WUR;

#endif
