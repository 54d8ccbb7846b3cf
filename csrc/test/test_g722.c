/* mc_g722: quality of a round trip, and checksums of both directions on integer noise that were
 * taken when the codec was bit-exact with the ITU-T speech vectors. */
#include "mc_g722.h"
#include "mc_test.h"

enum {
	DELAY = 22, /* samples, both filter banks */
	SECOND = 16000,
};

static const uint32_t ENCODER_HASH = 1755431956, DECODER_HASH = 3425726133;

static void *new_state(size_t (*size)(uint32_t), int (*init)(void *, uint32_t))
{
	void *state = malloc(size(SECOND));
	memset(state, 0xA5, size(SECOND)); /* init must not rely on zeroed memory */
	CHECK_EQ(init(state, SECOND), MC_OK);
	return state;
}

static void *new_encoder(void)
{
	return new_state(mc_g722.enc_size, mc_g722.enc_init);
}

static void *new_decoder(void)
{
	return new_state(mc_g722.dec_size, mc_g722.dec_init);
}

static void round_trip(int16_t *out, const int16_t *in, size_t n, size_t frame)
{
	void *enc = new_encoder(), *dec = new_decoder();
	uint8_t payload[SECOND];
	for (size_t at = 0; at < n; at += frame) {
		size_t part = n - at < frame ? n - at : frame;
		CHECK_EQ(mc_g722.encode(enc, payload, part / 2, in + at, part), part / 2);
		CHECK_EQ(mc_g722.samples(payload, part / 2, SECOND), part);
		CHECK_EQ(mc_g722.decode(dec, out + at, part, payload, part / 2), part);
	}
	free(enc);
	free(dec);
}

static double snr_db(const int16_t *in, const int16_t *out, size_t n)
{
	double signal = 0, noise = 0;
	for (size_t i = SECOND / 10; i + DELAY < n; i++) {
		double e = out[i + DELAY] - in[i];
		signal += (double)in[i] * in[i];
		noise += e * e;
	}
	return 10 * log10(signal / (noise + 1e-9));
}

static void tones_of_both_bands_come_back(void)
{
	static const struct {
		double hz, amplitude, db;
	} rowv[] = {
		{200, 8000, 33},  {1000, 8000, 33}, {1000, 300, 25},  {1000, 30000, 33},
		{3000, 8000, 31}, {3400, 8000, 27}, {5000, 3000, 12}, {6500, 3000, 12},
	};
	static int16_t in[SECOND], out[SECOND];
	for (size_t i = 0; i < sizeof(rowv) / sizeof(rowv[0]); i++) {
		test_sine(in, SECOND, rowv[i].hz, SECOND, rowv[i].amplitude);
		round_trip(out, in, SECOND, 320);
		double db = snr_db(in, out, SECOND);
		if (db < rowv[i].db)
			fprintf(stderr, "%g Hz %g: %.1f dB\n", rowv[i].hz, rowv[i].amplitude, db);
		CHECK(db >= rowv[i].db);
	}
}

static void silence_stays_silent(void)
{
	static int16_t in[SECOND], out[SECOND];
	round_trip(out, in, SECOND, 320);
	for (int i = 0; i < SECOND; i++)
		CHECK(abs(out[i]) <= 4);
}

static void packet_length_does_not_matter(void)
{
	static int16_t in[SECOND], one[SECOND], other[SECOND];
	static const size_t framev[] = {2, 6, 160, 318, 480, 4000};
	uint32_t rng = 77;
	for (int i = 0; i < SECOND; i++)
		in[i] = (int16_t)((int32_t)test_rand(&rng) >> 18);
	round_trip(one, in, SECOND, 320);
	for (size_t f = 0; f < sizeof(framev) / sizeof(framev[0]); f++) {
		round_trip(other, in, SECOND, framev[f]);
		CHECK(!memcmp(one, other, sizeof(one)));
	}
}

static uint32_t fnv(uint32_t hash, const void *data, size_t n)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ p[i]) * 16777619u;
	return hash;
}

/* Noise whose level goes from full scale to nothing and back, without floating point. */
static void level_swept_noise(int16_t *pcm, size_t n)
{
	uint32_t rng = 1;
	for (size_t i = 0; i < n; i++)
		pcm[i] = (int16_t)((int32_t)test_rand(&rng) >> (16 + i / (n / 16) % 16));
}

static void checksums_of_both_directions(void)
{
	static int16_t in[SECOND], out[2 * 8000];
	static uint8_t code[8000];
	void *enc = new_encoder(), *dec = new_decoder();
	level_swept_noise(in, SECOND);
	uint32_t hash = 2166136261u;
	for (int i = 0; i < SECOND; i += 320) {
		CHECK_EQ(mc_g722.encode(enc, code, 160, in + i, 320), 160);
		hash = fnv(hash, code, 160);
	}
	CHECK_EQ(hash, ENCODER_HASH);

	uint32_t rng = 2;
	hash = 2166136261u;
	for (int i = 0; i < 8000; i++)
		code[i] = (uint8_t)(test_rand(&rng) >> 24);
	CHECK_EQ(mc_g722.decode(dec, out, 2880, code, 1440), 2880);
	for (int i = 0; i < 2880; i++)
		hash = (hash ^ (uint16_t)out[i]) * 16777619u;
	CHECK_EQ(hash, DECODER_HASH);
	free(enc);
	free(dec);
}

static void full_scale_and_hostile_codes_do_no_harm(void)
{
	static int16_t in[SECOND], out[SECOND];
	for (int half = 1; half <= 64; half *= 2) {
		for (int i = 0; i < SECOND; i++)
			in[i] = i / half % 2 ? INT16_MAX : INT16_MIN;
		round_trip(out, in, SECOND, 320);
	}
	for (int c = 0; c < 65536; c += 37) {
		uint8_t code[320];
		int16_t pcm[640];
		void *dec = new_decoder();
		for (int i = 0; i < 320; i++)
			code[i] = (uint8_t)(i % 2 ? c >> 8 : c);
		CHECK_EQ(mc_g722.decode(dec, pcm, 640, code, 320), 640);
		free(dec);
	}
}

static void wrong_arguments(void)
{
	uint8_t payload[160] = {0};
	int16_t pcm[320] = {0};
	void *enc = new_encoder(), *dec = new_decoder();
	CHECK_EQ(mc_g722.enc_init(enc, 8000), MC_EINVAL);
	CHECK_EQ(mc_g722.dec_init(dec, 48000), MC_EINVAL);
	CHECK_EQ(mc_g722.encode(enc, payload, 160, pcm, 319), MC_EINVAL);
	CHECK_EQ(mc_g722.encode(enc, payload, 159, pcm, 320), MC_ENOMEM);
	CHECK_EQ(mc_g722.decode(dec, pcm, 320, payload, 0), MC_EBADMSG);
	CHECK_EQ(mc_g722.decode(dec, pcm, 319, payload, 160), MC_ENOMEM);
	CHECK_EQ(mc_g722.samples(payload, MC_CODEC_MAX_PCM / 2, SECOND), MC_CODEC_MAX_PCM);
	CHECK_EQ(mc_g722.samples(payload, MC_CODEC_MAX_PCM / 2 + 1, SECOND), MC_EBADMSG);
	free(enc);
	free(dec);
}

int main(void)
{
	RUN(tones_of_both_bands_come_back);
	RUN(silence_stays_silent);
	RUN(packet_length_does_not_matter);
	RUN(checksums_of_both_directions);
	RUN(full_scale_and_hostile_codes_do_no_harm);
	RUN(wrong_arguments);
	return 0;
}
