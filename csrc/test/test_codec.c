/* mc_codec: the table itself, and what every row must hold to. */
#include "mc_codec.h"
#include "mc_test.h"

static const struct {
	const char *name;
	uint32_t srate, clock_rate;
	int pt;
	size_t payload; /* bytes of one tick; 0: varies */
	double hz, db;  /* a tone that comes back with this SNR after any delay */
} ROWS[] = {
	{"PCMU", 8000, 8000, 0, 160, 1000, 34},    {"PCMA", 8000, 8000, 8, 160, 1000, 34},
	{"G722", 16000, 8000, 9, 160, 1000, 33},   {"L16", 8000, 8000, 255, 320, 1000, 99},
	{"L16", 16000, 16000, 255, 640, 1000, 99}, {"L16", 24000, 24000, 255, 960, 1000, 99},
	{"L16", 48000, 48000, 255, 1920, 500, 99}, {"opus", 8000, 48000, 255, 0, 500, 12},
	{"opus", 16000, 48000, 255, 0, 500, 12},   {"opus", 24000, 48000, 255, 0, 500, 12},
	{"opus", 48000, 48000, 255, 0, 500, 12},
};

enum {
	ROW_COUNT = sizeof(ROWS) / sizeof(ROWS[0]),
};

static const struct mc_codec *row(size_t i)
{
	const struct mc_codec *codec = mc_codec_find(ROWS[i].name, ROWS[i].srate);
	CHECK(codec || (!strcmp(ROWS[i].name, "opus") && !mc_opus_version()));
	return codec;
}

static void rows_are_found_and_say_what_they_are(void)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct mc_codec *codec = row(i);
		if (!codec)
			continue;
		CHECK(!strcmp(codec->name, ROWS[i].name));
		CHECK_EQ(codec->srate, ROWS[i].srate);
		CHECK_EQ(codec->clock_rate, ROWS[i].clock_rate);
		CHECK_EQ(codec->static_pt, ROWS[i].pt);
		CHECK(codec->dec_size && codec->enc_size && codec->dec_init && codec->enc_init);
		CHECK(codec->decode && codec->samples && codec->encode);
	}
}

static void names_in_any_case_and_nothing_else(void)
{
	CHECK(mc_codec_find("pcmu", 8000) == mc_codec_find("PCMU", 8000));
	CHECK(mc_codec_find("g722", 16000) == mc_codec_find("G722", 16000));
	CHECK(mc_codec_find("OPUS", 48000) == mc_codec_find("opus", 48000));
	CHECK(!mc_codec_find("", 8000));
	CHECK(!mc_codec_find("PCM", 8000));
	CHECK(!mc_codec_find("PCMUX", 8000));
	CHECK(!mc_codec_find("G729", 8000));
	CHECK(!mc_codec_find("PCMU", 16000));
	CHECK(!mc_codec_find("G722", 8000)); /* 8000 is its clock rate, not its srate */
	CHECK(!mc_codec_find("L16", 44100));
	CHECK(!mc_codec_find("opus", 12000));
}

static void static_payload_types(void)
{
	for (unsigned pt = 0; pt < 256; pt++) {
		const struct mc_codec *codec = mc_codec_find_pt((uint8_t)pt);
		CHECK_EQ(codec != NULL, pt == 0 || pt == 8 || pt == 9);
		CHECK(!codec || codec->static_pt == pt);
	}
}

/* Best SNR over delays up to 20 ms, with the gain that fits best. */
static double best_snr_db(const int16_t *in, const int16_t *out, size_t n, size_t max_delay)
{
	double best = -99;
	for (size_t delay = 0; delay <= max_delay; delay++) {
		double xx = 0, xy = 0, yy = 0;
		for (size_t i = n / 4; i < n / 2; i++) {
			double x = in[i], y = out[i + delay];
			xx += x * x, xy += x * y, yy += y * y;
		}
		double noise = yy - xy * xy / xx;
		double db = noise > 1e-6 ? 10 * log10(xy * xy / xx / noise) : 99;
		best = db > best ? db : best;
	}
	return best;
}

static void a_tone_goes_through_every_codec(void)
{
	static int16_t in[MC_SRATE_MAX], out[MC_SRATE_MAX];
	for (size_t r = 0; r < ROW_COUNT; r++) {
		const struct mc_codec *codec = row(r);
		if (!codec)
			continue;
		uint32_t srate = codec->srate;
		size_t frame = mc_frame_samples(srate);
		void *enc = malloc(mc_align(codec->enc_size(srate)) + 16);
		void *dec = malloc(mc_align(codec->dec_size(srate)) + 16);
		CHECK_EQ(codec->enc_init(enc, srate), MC_OK);
		CHECK_EQ(codec->dec_init(dec, srate), MC_OK);
		test_sine(in, srate, ROWS[r].hz, srate, 9000);
		for (size_t at = 0; at < srate; at += frame) {
			uint8_t payload[2000];
			int n = codec->encode(enc, payload, sizeof(payload), in + at, frame);
			CHECK(n > 0 && (!ROWS[r].payload || n == (int)ROWS[r].payload));
			CHECK_EQ(codec->samples(payload, (size_t)n, srate), frame);
			CHECK_EQ(codec->decode(dec, out + at, frame, payload, (size_t)n), frame);
			CHECK_EQ(codec->decode(dec, out + at, 0, payload, 0), MC_EBADMSG);
		}
		double db = best_snr_db(in, out, srate, frame);
		if (db < ROWS[r].db)
			fprintf(stderr, "%s/%u: %.1f dB\n", ROWS[r].name, srate, db);
		CHECK(db >= ROWS[r].db);
		free(enc);
		free(dec);
	}
}

static void too_small_a_buffer_is_refused(void)
{
	static int16_t pcm[MC_FRAME_MAX];
	for (size_t r = 0; r < ROW_COUNT; r++) {
		const struct mc_codec *codec = row(r);
		if (!codec)
			continue;
		uint32_t srate = codec->srate;
		size_t frame = mc_frame_samples(srate);
		uint8_t payload[2000];
		void *enc = malloc(codec->enc_size(srate) + 16);
		void *dec = malloc(codec->dec_size(srate) + 16);
		CHECK_EQ(codec->enc_init(enc, srate), MC_OK);
		CHECK_EQ(codec->dec_init(dec, srate), MC_OK);
		int n = codec->encode(enc, payload, sizeof(payload), pcm, frame);
		CHECK(n > 0);
		CHECK(codec->decode(dec, pcm, frame - 1, payload, (size_t)n) < 0);
		CHECK(codec->decode(dec, pcm, 0, payload, (size_t)n) < 0);
		CHECK(codec->encode(enc, payload, 0, pcm, frame) < 0);
		free(enc);
		free(dec);
	}
}

int main(void)
{
	CHECK(!mc_codec_find("opus", 48000)); /* not before it is loaded */
	if (mc_opus_load(NULL))
		printf("  libopus is not on this machine: its rows are not tested\n");
	RUN(rows_are_found_and_say_what_they_are);
	RUN(names_in_any_case_and_nothing_else);
	RUN(static_payload_types);
	RUN(a_tone_goes_through_every_codec);
	RUN(too_small_a_buffer_is_refused);
	return 0;
}
