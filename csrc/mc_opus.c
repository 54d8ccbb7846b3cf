#include "mc_opus.h"

#include <string.h>

#include "mc_dl.h"

/* The part of libopus' stable C interface that is used here (opus.h, opus_defines.h). */
struct OpusDecoder;
struct OpusEncoder;

enum {
	OPUS_APPLICATION_VOIP = 2048,
	OPUS_SIGNAL_VOICE = 3001,
	OPUS_SET_BITRATE = 4002,
	OPUS_SET_COMPLEXITY = 4010,
	OPUS_SET_INBAND_FEC = 4012,
	OPUS_SET_PACKET_LOSS_PERC = 4014,
	OPUS_SET_SIGNAL = 4024,
	OPUS_OK = 0,
	OPUS_BUFFER_TOO_SMALL = -2,
	MONO = 1,
};

static struct {
	const char *(*version)(void);
	int (*decoder_get_size)(int channels);
	int (*decoder_init)(struct OpusDecoder *, int32_t srate, int channels);
	int (*decode)(struct OpusDecoder *, const uint8_t *, int32_t len, int16_t *pcm,
		      int frame_size, int fec);
	int (*packet_get_nb_samples)(const uint8_t *, int32_t len, int32_t srate);
	int (*encoder_get_size)(int channels);
	int (*encoder_init)(struct OpusEncoder *, int32_t srate, int channels, int application);
	int (*encoder_ctl)(struct OpusEncoder *, int request, ...);
	int32_t (*encode)(struct OpusEncoder *, const int16_t *pcm, int frame_size, uint8_t *,
			  int32_t cap);
} lib;

#define BIND(field, name) mc_dl_bind(handle, name, &lib.field, sizeof(lib.field))

static int bind_all(void *handle)
{
	int rc = BIND(version, "opus_get_version_string");
	rc |= BIND(decoder_get_size, "opus_decoder_get_size");
	rc |= BIND(decoder_init, "opus_decoder_init");
	rc |= BIND(decode, "opus_decode");
	rc |= BIND(packet_get_nb_samples, "opus_packet_get_nb_samples");
	rc |= BIND(encoder_get_size, "opus_encoder_get_size");
	rc |= BIND(encoder_init, "opus_encoder_init");
	rc |= BIND(encoder_ctl, "opus_encoder_ctl");
	rc |= BIND(encode, "opus_encode");
	return rc ? MC_ENOTSUP : MC_OK;
}

int mc_opus_load(const char *path)
{
	static const char *const namev[] = {
		"libopus.so.0",
		"libopus.so",
		"libopus.0.dylib",
		"libopus.dylib",
		"/opt/homebrew/lib/libopus.0.dylib",
		"/usr/local/lib/libopus.0.dylib",
	};
	if (mc_opus_version())
		return MC_OK;
	void *handle = NULL;
	if (path)
		handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; !path && !handle && i < sizeof(namev) / sizeof(namev[0]); i++)
		handle = dlopen(namev[i], RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return MC_ENOTSUP;
	if (bind_all(handle)) {
		memset(&lib, 0, sizeof(lib));
		dlclose(handle);
		return MC_ENOTSUP;
	}
	return MC_OK; /* the library stays loaded for the life of the process */
}

const char *mc_opus_version(void)
{
	return lib.version ? lib.version() : NULL;
}

static size_t dec_size(uint32_t srate)
{
	(void)srate;
	return (size_t)lib.decoder_get_size(MONO);
}

static size_t enc_size(uint32_t srate)
{
	(void)srate;
	return (size_t)lib.encoder_get_size(MONO);
}

static int dec_init(void *dec, uint32_t srate)
{
	if (!mc_srate_ok(srate))
		return MC_EINVAL;
	return lib.decoder_init(dec, (int32_t)srate, MONO) == OPUS_OK ? MC_OK : MC_EINVAL;
}

int mc_opus_tune(void *enc, int32_t bitrate_bps, int32_t loss_percent)
{
	if (bitrate_bps < 6000 || bitrate_bps > 510000 || loss_percent < 0 || loss_percent > 100)
		return MC_EINVAL;
	int rc = lib.encoder_ctl(enc, OPUS_SET_BITRATE, bitrate_bps);
	rc |= lib.encoder_ctl(enc, OPUS_SET_PACKET_LOSS_PERC, loss_percent);
	rc |= lib.encoder_ctl(enc, OPUS_SET_INBAND_FEC, (int32_t)(loss_percent > 0));
	return rc == OPUS_OK ? MC_OK : MC_EINVAL;
}

static int enc_init(void *enc, uint32_t srate)
{
	if (!mc_srate_ok(srate) ||
	    lib.encoder_init(enc, (int32_t)srate, MONO, OPUS_APPLICATION_VOIP) != OPUS_OK)
		return MC_EINVAL;
	int rc = lib.encoder_ctl(enc, OPUS_SET_COMPLEXITY, (int32_t)MC_OPUS_COMPLEXITY);
	rc |= lib.encoder_ctl(enc, OPUS_SET_SIGNAL, (int32_t)OPUS_SIGNAL_VOICE);
	return rc == OPUS_OK ? mc_opus_tune(enc, MC_OPUS_BITRATE, MC_OPUS_LOSS_PERCENT) : MC_EINVAL;
}

static int samples(const uint8_t *payload, size_t n, uint32_t srate)
{
	if (n == 0 || n > MC_PACKET_MAX)
		return MC_EBADMSG;
	int count = lib.packet_get_nb_samples(payload, (int32_t)n, (int32_t)srate);
	return count > 0 ? count : MC_EBADMSG;
}

/* return samples, or what libopus' error means here. */
static int decoded(int rc)
{
	return rc > 0 ? rc : rc == OPUS_BUFFER_TOO_SMALL ? MC_ENOMEM : MC_EBADMSG;
}

static int decode(void *dec, int16_t *restrict pcm, size_t cap, const uint8_t *restrict payload,
		  size_t n)
{
	if (n == 0 || n > MC_PACKET_MAX)
		return MC_EBADMSG;
	int room = cap > MC_CODEC_MAX_PCM ? MC_CODEC_MAX_PCM : (int)cap;
	return decoded(lib.decode(dec, payload, (int32_t)n, pcm, room, 0));
}

static int conceal(void *dec, int16_t *restrict pcm, size_t n, const uint8_t *next, size_t next_len)
{
	if (n == 0 || n > MC_CODEC_MAX_PCM)
		return MC_EINVAL;
	if (next && next_len > 0 && next_len <= MC_PACKET_MAX) {
		int rc = lib.decode(dec, next, (int32_t)next_len, pcm, (int)n, 1);
		if (rc > 0)
			return rc;
	}
	int rc = lib.decode(dec, NULL, 0, pcm, (int)n, 0);
	return rc > 0 ? rc : MC_EINVAL;
}

static int encode(void *enc, uint8_t *restrict payload, size_t cap, const int16_t *restrict pcm,
		  size_t n)
{
	if (n == 0 || n > MC_CODEC_MAX_PCM)
		return MC_EINVAL;
	int32_t room = cap > MC_OPUS_PACKET_MAX ? MC_OPUS_PACKET_MAX : (int32_t)cap;
	int rc = lib.encode(enc, pcm, (int)n, payload, room);
	return rc > 0 ? rc : rc == OPUS_BUFFER_TOO_SMALL ? MC_ENOMEM : MC_EINVAL;
}

#define ROW(rate)                                                                                  \
	{                                                                                          \
		.name = "opus", .static_pt = MC_PT_DYNAMIC, .clock_rate = 48000, .srate = (rate),  \
		.dec_size = dec_size, .enc_size = enc_size, .dec_init = dec_init,                  \
		.enc_init = enc_init, .decode = decode, .samples = samples, .conceal = conceal,    \
		.encode = encode,                                                                  \
	}

static const struct mc_codec ROWS[] = {ROW(8000), ROW(16000), ROW(24000), ROW(48000)};

const struct mc_codec *mc_opus(uint32_t srate)
{
	for (size_t i = 0; lib.version && i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
		if (ROWS[i].srate == srate)
			return &ROWS[i];
	return NULL;
}
