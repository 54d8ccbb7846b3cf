/* mc_cng: comfort noise (RFC 3389) and the background it should sound like.
 *
 * What does it do?  Generates noise at a level in −dBov, white or shaped by the reflection
 *                   coefficients of a CN payload; also keeps an estimate of the background of
 *                   decoded audio, for gaps in which the far side sends no CN.
 * How does it work? Seeded generator → all-pole lattice → gain. The lattice's power gain is
 *                   known from its coefficients (Π 1/(1−k²)), so that the level is exact. While
 *                   noise is running its level moves by at most 3 dB per 20 ms.
 * How do I use it?  mc_cng_observe() on decoded audio; in a gap mc_cng_payload() or
 *                   mc_cng_background(), then mc_cng_generate() or mc_cng_add().
 *
 * 0 dBov is the power of a full-scale square wave (RFC 3389 §3), i.e. an RMS of 32768.
 */
#ifndef MC_CNG_H
#define MC_CNG_H

#include "mc_types.h"

enum {
	MC_CNG_ORDER_MAX = 12,
	MC_CNG_SILENT_DBOV = 127, /* the lowest level the payload can say */
};

struct mc_cng_cfg {
	uint32_t srate; /* Hz, a leg rate */
	uint32_t seed;  /* of the noise; 0 is taken as 1 */
};

struct mc_cng;

size_t mc_cng_size(const struct mc_cng_cfg *cfg);
/** return 0 | MC_EINVAL | MC_ENOMEM (mem smaller than mc_cng_size). */
int mc_cng_init(struct mc_cng **out, void *mem, size_t size, const struct mc_cng_cfg *cfg) MC_WUR;
/** Forget level, shape and background; the generator keeps running. */
void mc_cng_reset(struct mc_cng *cng);

/** A CN payload: level byte (low 7 bits, −dBov), then up to 12 coefficients; more are ignored.
 *  return 0 | MC_EBADMSG (empty). RFC 3389 §3 */
int mc_cng_payload(struct mc_cng *cng, const uint8_t *payload, size_t n);
/** Follow the observed background (near silence while nothing was observed). */
void mc_cng_background(struct mc_cng *cng);
/** Look at decoded audio that was received, not concealed; any n, best 10–20 ms. */
void mc_cng_observe(struct mc_cng *cng, const int16_t *pcm, size_t n);
/** RMS of the observed background in sample units; negative while unknown. */
float mc_cng_background_rms(const struct mc_cng *cng);
/** The level noise is heading for, −dBov 0 … 127. */
int mc_cng_level_dbov(const struct mc_cng *cng);

/** Tell that the noise was not audible until now: the next sample starts at the level of the
 *  background that was heard (at the wanted level while that is unknown) and glides from there. */
void mc_cng_start(struct mc_cng *cng);
/** n samples of noise. */
void mc_cng_generate(struct mc_cng *cng, int16_t *pcm, size_t n);
/** Add noise to pcm with a gain running linearly from `from` to `to` (0 … 1). */
void mc_cng_add(struct mc_cng *cng, int16_t *pcm, size_t n, float from, float to);

#endif
