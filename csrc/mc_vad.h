/* mc_vad: is there speech in this frame, and where does speech start and end?
 *
 * What does it do?  Gives each 20 ms frame a probability of speech, and turns any such series of
 *                   probabilities into speech start and speech end.
 * How does it work? At 8 kHz (higher rates are decimated inside):
 *
 *                     frame ─→ spectrum ─→ 16 bands ─→ noise floors (minimum statistics)
 *                       └────→ autocorrelation           │  64 features
 *                              60–400 Hz ──────────────→ 64 → 48 → 24 → 1 network ─→ q15
 *
 *                   The noise floor never follows speech: a band's floor is its minimum of the
 *                   last 2.4 s, and it cannot sink below a fixed level, so digital silence does
 *                   no harm. Start and end are a separate gate, so that another source of
 *                   probabilities can take the place of the first step.
 * How do I use it?  p = mc_vad_frame(vad, pcm); kind = mc_vad_speech(vad, p, &edge);
 *
 * Memory: under 3 KB. Cost: about 1.2 µs per frame at 8 kHz, 2.4 to 3 µs at 16 to 48 kHz.
 */
#ifndef MC_VAD_H
#define MC_VAD_H

#include "mc_types.h"

enum {
	MC_VAD_FEATURES = 64,
	MC_VAD_ONSET_MAX = 16, /* frames */
};

struct mc_vad;

struct mc_vad_cfg {
	uint32_t srate;        /* 8000, 16000, 24000, 48000 */
	int16_t threshold_q15; /* a frame is speech from here; 0: 16384. Leaving speech takes a
				* probability below 3/4 of it. */
	uint16_t onset_frames; /* speech frames that make a start, out of that many plus one
				* (1: of one); 1..16, 0: 2 */
	uint16_t hangover_ms;  /* silence that makes an end, rounded up to frames; 0: 300 */
};

enum mc_vad_kind {
	MC_VAD_NONE = 0,
	MC_VAD_START,
	MC_VAD_END,
};

/* An edge of speech, as seen at the end of the frame just given. */
struct mc_vad_edge {
	uint32_t back_samples; /* from the end of this frame back to the start of the first speech
				* frame (start) or to the end of the last one (end), at srate */
	int16_t peak_q15;      /* highest probability since the last edge */
};

struct mc_vad_stats {
	uint64_t frames;
	uint64_t speech_frames; /* at or above the threshold */
	uint32_t starts, ends;
};

size_t mc_vad_size(const struct mc_vad_cfg *cfg);

/** mem [size bytes, aligned to 16]. return 0 | MC_EINVAL | MC_ENOMEM */
int mc_vad_init(struct mc_vad **out, void *mem, size_t size, const struct mc_vad_cfg *cfg) MC_WUR;

/** Forget signal, floors, gate and stats. */
void mc_vad_reset(struct mc_vad *vad);

/** One frame, pcm [srate / 50]. return the probability of speech, q15: 0..32767. */
int mc_vad_frame(struct mc_vad *vad, const int16_t *pcm);

/** The gate: prob_q15 of the next frame, from mc_vad_frame or elsewhere.
 *
 *  state    event                                        next     returns
 *  silence  onset_frames of the last onset_frames + 1,   speech   MC_VAD_START
 *           this one included, >= threshold
 *  silence  anything else                                silence  MC_VAD_NONE
 *  speech   hangover_ms below 3/4 threshold in a row     silence  MC_VAD_END
 *  speech   anything else                                speech   MC_VAD_NONE
 *
 *  edge may be NULL; it is written for START and END only. */
enum mc_vad_kind mc_vad_speech(struct mc_vad *vad, int prob_q15, struct mc_vad_edge *edge);

/** 1 between a start and its end. */
int mc_vad_active(const struct mc_vad *vad);

/** The noise floor over 100–3900 Hz in dBov, for meters. */
float mc_vad_noise_dbov(const struct mc_vad *vad);

/** What the network saw last [MC_VAD_FEATURES]; for the fitting tool and tests. */
const float *mc_vad_features(const struct mc_vad *vad);

void mc_vad_get_stats(const struct mc_vad *vad, struct mc_vad_stats *stats);

#endif
