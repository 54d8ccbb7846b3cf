/* mc_opus: loading, each leg rate, concealment with and without in-band FEC, hostile packets.
 * Without libopus on the machine only the refusal is tested. */
#include <stdbool.h>

#include "mc_opus.h"
#include "mc_test.h"

enum {
	SRATE = 16000,
	FRAME = SRATE / 50,
	FRAMES = 200,
};

static void nothing_is_there_before_loading(void)
{
	CHECK(!mc_opus_version());
	for (uint32_t srate = 8000; srate <= 48000; srate += 8000)
		CHECK(!mc_opus(srate));
}

static void a_wrong_file_is_refused(void)
{
	CHECK_EQ(mc_opus_load("/nonexistent/libopus.so"), MC_ENOTSUP);
	CHECK_EQ(mc_opus_load("libm.so.6"), MC_ENOTSUP); /* a library, but not this one */
	nothing_is_there_before_loading();
}

static void loading_twice_changes_nothing(void)
{
	CHECK_EQ(mc_opus_load(NULL), MC_OK);
	CHECK_EQ(mc_opus_load("/nonexistent/libopus.so"), MC_OK);
	CHECK(strstr(mc_opus_version(), "opus"));
}

static void *new_state(size_t (*size)(uint32_t), int (*init)(void *, uint32_t), uint32_t srate)
{
	void *state = malloc(size(srate));
	memset(state, 0xA5, size(srate));
	CHECK_EQ(init(state, srate), MC_OK);
	return state;
}

/* A voice of sorts: twelve harmonics of a gliding pitch in syllables. */
static void voice(int16_t *pcm, size_t n, double srate)
{
	double phase = 0;
	for (size_t i = 0; i < n; i++) {
		double t = (double)i / srate, v = 0;
		phase += 2 * 3.141592653589793 * (120 + 30 * sin(5 * t)) / srate;
		for (int h = 1; h <= 12; h++)
			v += sin(h * phase) / h;
		pcm[i] = (int16_t)lrint(5000 * v *
					(0.55 + 0.45 * sin(2 * 3.141592653589793 * 3 * t)));
	}
}

static void the_bitrate_is_near_the_target(void)
{
	static const uint32_t ratev[] = {8000, 16000, 24000, 48000};
	for (size_t r = 0; r < 4; r++) {
		static int16_t pcm[MC_SRATE_MAX * 2];
		const struct mc_codec *opus = mc_opus(ratev[r]);
		void *enc = new_state(opus->enc_size, opus->enc_init, ratev[r]);
		size_t frame = mc_frame_samples(ratev[r]), bytes = 0;
		voice(pcm, ratev[r] * 2, ratev[r]);
		for (size_t at = 0; at < ratev[r] * 2; at += frame) {
			uint8_t payload[MC_OPUS_PACKET_MAX];
			int n = opus->encode(enc, payload, sizeof(payload), pcm + at, frame);
			CHECK(n > 0);
			bytes += (size_t)n;
		}
		CHECK(bytes * 4 > 12000 && bytes * 4 < 36000);
		CHECK_EQ(mc_opus_tune(enc, 5999, 0), MC_EINVAL);
		CHECK_EQ(mc_opus_tune(enc, 510001, 0), MC_EINVAL);
		CHECK_EQ(mc_opus_tune(enc, 16000, -1), MC_EINVAL);
		CHECK_EQ(mc_opus_tune(enc, 16000, 101), MC_EINVAL);
		CHECK_EQ(mc_opus_tune(enc, 510000, 100), MC_OK);
		CHECK_EQ(mc_opus_tune(enc, 6000, 0), MC_OK);
		free(enc);
	}
}

static double error_energy(const int16_t *a, const int16_t *b, size_t n)
{
	double e = 0;
	for (size_t i = 0; i < n; i++)
		e += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
	return e;
}

/* Every fifth packet is lost. Three decoders: nothing lost, concealment alone, with FEC. */
static void fec_of_the_next_packet_beats_plain_concealment(void)
{
	static int16_t pcm[FRAMES * FRAME];
	static uint8_t packetv[FRAMES][MC_OPUS_PACKET_MAX];
	size_t lenv[FRAMES];
	const struct mc_codec *opus = mc_opus(SRATE);
	void *enc = new_state(opus->enc_size, opus->enc_init, SRATE), *decv[3];
	for (int d = 0; d < 3; d++)
		decv[d] = new_state(opus->dec_size, opus->dec_init, SRATE);
	voice(pcm, FRAMES * FRAME, SRATE);
	for (int i = 0; i < FRAMES; i++) {
		int n = opus->encode(enc, packetv[i], MC_OPUS_PACKET_MAX, pcm + i * FRAME, FRAME);
		CHECK(n > 0);
		lenv[i] = (size_t)n;
	}
	double plain = 0, fec = 0, signal = 0;
	for (int i = 0; i + 1 < FRAMES; i++) {
		int16_t out[3][FRAME];
		bool lost = i % 5 == 4;
		CHECK_EQ(opus->decode(decv[0], out[0], FRAME, packetv[i], lenv[i]), FRAME);
		if (!lost) {
			for (int d = 1; d < 3; d++)
				CHECK_EQ(opus->decode(decv[d], out[d], FRAME, packetv[i], lenv[i]),
					 FRAME);
			continue;
		}
		CHECK_EQ(opus->conceal(decv[1], out[1], FRAME, NULL, 0), FRAME);
		CHECK_EQ(opus->conceal(decv[2], out[2], FRAME, packetv[i + 1], lenv[i + 1]), FRAME);
		const int16_t zero[FRAME] = {0};
		signal += error_energy(out[0], zero, FRAME);
		plain += error_energy(out[0], out[1], FRAME);
		fec += error_energy(out[0], out[2], FRAME);
	}
	printf("  lost frames: concealed %.1f dB, with FEC %.1f dB\n", 10 * log10(signal / plain),
	       10 * log10(signal / fec));
	CHECK(plain < signal);
	CHECK(fec < plain / 2);
	free(enc);
	for (int d = 0; d < 3; d++)
		free(decv[d]);
}

static void hostile_packets_are_refused_or_survived(void)
{
	static int16_t pcm[MC_CODEC_MAX_PCM];
	static uint8_t payload[MC_PACKET_MAX + 1];
	const struct mc_codec *opus = mc_opus(48000);
	void *dec = new_state(opus->dec_size, opus->dec_init, 48000);
	uint32_t rng = 31;
	CHECK_EQ(opus->decode(dec, pcm, MC_CODEC_MAX_PCM, payload, 0), MC_EBADMSG);
	CHECK_EQ(opus->decode(dec, pcm, MC_CODEC_MAX_PCM, payload, sizeof(payload)), MC_EBADMSG);
	CHECK_EQ(opus->samples(payload, 0, 48000), MC_EBADMSG);
	CHECK_EQ(opus->conceal(dec, pcm, 0, NULL, 0), MC_EINVAL);
	CHECK_EQ(opus->conceal(dec, pcm, MC_CODEC_MAX_PCM + 1, NULL, 0), MC_EINVAL);
	CHECK_EQ(opus->conceal(dec, pcm, 7, NULL, 0), MC_EINVAL); /* not of 2.5 ms */
	for (int i = 0; i < 3000; i++) {
		size_t n = 1 + test_rand(&rng) % 80;
		for (size_t k = 0; k < n; k++)
			payload[k] = (uint8_t)(test_rand(&rng) >> 24);
		int want = opus->samples(payload, n, 48000);
		int got = opus->decode(dec, pcm, MC_CODEC_MAX_PCM, payload, n);
		CHECK(want > 0 || want == MC_EBADMSG);
		CHECK(got == want || got == MC_EBADMSG);
		CHECK_EQ(opus->conceal(dec, pcm, 960, payload, n), 960);
	}
	free(dec);
}

static void wrong_rates_are_refused(void)
{
	const struct mc_codec *opus = mc_opus(16000);
	void *enc = malloc(opus->enc_size(16000)), *dec = malloc(opus->dec_size(16000));
	CHECK_EQ(opus->enc_init(enc, 12000), MC_EINVAL); /* libopus would take it, no leg runs so */
	CHECK_EQ(opus->dec_init(dec, 44100), MC_EINVAL);
	CHECK(!mc_opus(12000) && !mc_opus(0));
	free(enc);
	free(dec);
}

int main(void)
{
	RUN(nothing_is_there_before_loading);
	RUN(a_wrong_file_is_refused);
	if (mc_opus_load(NULL)) {
		printf("  libopus is not on this machine: the rest is not tested\n");
		return 0;
	}
	RUN(loading_twice_changes_nothing);
	RUN(the_bitrate_is_near_the_target);
	RUN(fec_of_the_next_packet_beats_plain_concealment);
	RUN(hostile_packets_are_refused_or_survived);
	RUN(wrong_rates_are_refused);
	return 0;
}
