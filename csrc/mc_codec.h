/* mc_codec: the table of codecs. One codec per file pair; every codec is one const row.
 *
 * What does it do?  Turns wire payloads into int16 mono and back, through plain function
 *                   pointers, so that the tick calls any codec the same way.
 * How does it work? Decoder and encoder states are flat memory of the caller: no pointers
 *                   inside except for Opus, whose state belongs to libopus but lives in the
 *                   same memory. Nothing here allocates.
 * How do I use it?  mc_codec_find("PCMU", 8000) -> row; give it dec_size() bytes, dec_init();
 *                   then decode() per packet.
 *
 * Rates: srate is the sampling rate of the PCM; clock_rate that of RTP timestamps
 * (G.722: 16000 against 8000, RFC 3551 §4.5.2; Opus: always 48000, RFC 7587 §4.1).
 */
#ifndef MC_CODEC_H
#define MC_CODEC_H

#include "mc_types.h"

enum {
	MC_PT_DYNAMIC = 255,     /* no static payload type */
	MC_CODEC_MAX_PCM = 5760, /* samples one packet may decode to: 120 ms at 48 kHz */
};

struct mc_codec {
	const char *name; /* as in SDP: PCMU PCMA G722 L16 opus */
	uint8_t static_pt;
	uint32_t clock_rate; /* Hz */
	uint32_t srate;      /* Hz */

	/* Bytes of state; 0 when the codec keeps none. */
	size_t (*dec_size)(uint32_t srate);
	size_t (*enc_size)(uint32_t srate);
	int (*dec_init)(void *dec, uint32_t srate);
	int (*enc_init)(void *enc, uint32_t srate);

	/* One payload to PCM. pcm [cap samples]; return samples written or MC_EBADMSG. */
	int (*decode)(void *dec, int16_t *restrict pcm, size_t cap, const uint8_t *restrict payload,
		      size_t n);
	/* PCM that `decode` would give, without decoding, from the payload's length (Opus: its
	 * TOC byte, RFC 6716 §3.1). return samples or MC_EBADMSG. */
	int (*samples)(const uint8_t *payload, size_t n, uint32_t srate);
	/* The codec's own concealment of n lost samples; next may hold the packet after the loss
	 * (Opus in-band FEC). NULL when the codec has none: the generic concealment serves. */
	int (*conceal)(void *dec, int16_t *restrict pcm, size_t n, const uint8_t *next,
		       size_t next_len);
	/* n samples (one tick) to a payload. return bytes written or negative. */
	int (*encode)(void *enc, uint8_t *restrict payload, size_t cap, const int16_t *restrict pcm,
		      size_t n);
};

/** Find a codec row. name: case-insensitive; srate: Hz of the PCM (opus: any leg rate).
 *  return NULL when unknown, or when it needs a library that was not found. */
const struct mc_codec *mc_codec_find(const char *name, uint32_t srate);

/** The row for a static payload type of RFC 3551 (0 PCMU, 8 PCMA, 9 G722), or NULL. */
const struct mc_codec *mc_codec_find_pt(uint8_t payload_type);

/** Load libopus from a file (path) or by the loader's own search (path NULL). Call once at
 *  set-up, before any leg. return 0 or MC_ENOTSUP. Not for the tick path: it allocates. */
int mc_opus_load(const char *path) MC_WUR;
/** Version string of the loaded libopus, or NULL. */
const char *mc_opus_version(void);

#endif
