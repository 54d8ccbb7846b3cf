/* Payloads into every decoder, then what came out into the encoder of the same row.
 * Input: [row] then records of [length] [choice] [bytes]. Opus is included where libopus loads. */
#include <stdlib.h>
#include <string.h>

#include "mc_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
	if (!ok)
		abort();
}

static const struct {
	const char *name;
	uint32_t srate;
} ROWS[] = {
	{"PCMU", 8000}, {"PCMA", 8000},  {"G722", 16000}, {"L16", 8000},   {"L16", 48000},
	{"opus", 8000}, {"opus", 16000}, {"opus", 24000}, {"opus", 48000},
};

static void one_payload(const struct mc_codec *codec, void *dec, void *enc, uint8_t choice,
			const uint8_t *payload, size_t n)
{
	static int16_t pcm[MC_CODEC_MAX_PCM];
	static uint8_t out[2 * MC_FRAME_MAX];
	size_t cap = choice & 1 ? MC_CODEC_MAX_PCM : mc_frame_samples(codec->srate);
	int want = codec->samples(payload, n, codec->srate);
	check(want == MC_EBADMSG || (want > 0 && want <= MC_CODEC_MAX_PCM));
	if (codec->conceal && choice & 2) {
		size_t frame = mc_frame_samples(codec->srate);
		check(codec->conceal(dec, pcm, frame, choice & 4 ? payload : NULL, n) ==
		      (int)frame);
	}
	int got = codec->decode(dec, pcm, cap, payload, n);
	check(got == MC_EBADMSG || got == MC_ENOMEM || (got == want && (size_t)got <= cap));
	size_t frame = mc_frame_samples(codec->srate);
	size_t room = choice & 8 ? choice : sizeof(out);
	int bytes = codec->encode(enc, out, room, pcm, frame);
	check(bytes < 0 || (bytes > 0 && (size_t)bytes <= room));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (mc_opus_load(NULL) == MC_OK)
		check(mc_opus_version() != NULL);
	const size_t row = size ? data[0] % (sizeof(ROWS) / sizeof(ROWS[0])) : 0;
	const struct mc_codec *codec = mc_codec_find(ROWS[row].name, ROWS[row].srate);
	if (!codec || size == 0)
		return 0;
	data++, size--;
	void *dec = malloc(codec->dec_size(codec->srate) + 1);
	void *enc = malloc(codec->enc_size(codec->srate) + 1);
	check(codec->dec_init(dec, codec->srate) == MC_OK);
	check(codec->enc_init(enc, codec->srate) == MC_OK);
	for (int packets = 0; size > 2 && packets < 64; packets++) {
		size_t n = data[0] * 8u < size - 2 ? data[0] * 8u : size - 2;
		uint8_t choice = data[1];
		uint8_t *payload = malloc(n ? n : 1);
		memcpy(payload, data + 2, n);
		one_payload(codec, dec, enc, choice, payload, n);
		free(payload);
		data += 2 + n;
		size -= 2 + n;
	}
	free(dec);
	free(enc);
	return 0;
}
