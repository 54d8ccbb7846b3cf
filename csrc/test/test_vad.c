#include "mc_vad.h"
#include "mc_test.h"

static const double pi = 3.14159265358979323846;

static struct mc_vad *make(struct mc_vad_cfg cfg)
{
	struct mc_vad *vad = NULL;
	void *mem = aligned_alloc(16, mc_vad_size(&cfg));
	CHECK(mem != NULL);
	CHECK_EQ(mc_vad_init(&vad, mem, mc_vad_size(&cfg), &cfg), MC_OK);
	return vad;
}

static double gauss(uint32_t *seed)
{
	double s = 0;
	for (int i = 0; i < 12; i++)
		s += test_rand(seed) / 4294967296.0;
	return s - 6;
}

enum { SECONDS = 12, N_MAX = SECONDS * 48000 };
static float voice[N_MAX];
static int16_t pcm[N_MAX];

/* A made-up talker: a glottal pulse train with a moving pitch through three moving resonators,
 * syllables of 180 ms with a hiss before some of them; silence before `from`. RMS about 1. */
static void talk(size_t n, double srate, double from_s, double f0, uint32_t seed)
{
	double phase = 0, y[3][2] = {{0}};
	double sum = 0;
	size_t count = 0;
	uint32_t hiss = seed;
	for (size_t i = 0; i < n; i++) {
		double t = (double)i / srate - from_s;
		voice[i] = 0;
		if (t < 0)
			continue;
		int syllable = (int)(t / 0.18);
		double at = fmod(t, 0.18) / 0.18;
		uint32_t s = seed + (uint32_t)syllable * 2654435761u;
		test_rand(&s);
		double kind = test_rand(&s) / 4294967296.0;
		double f1 = 300 + 500 * kind, f2 = 900 + 1300 * (test_rand(&s) / 4294967296.0);
		double env = sin(pi * at);
		double pitch =
			f0 * (1 + 0.12 * sin(2 * pi * 0.7 * t) + 0.05 * sin(2 * pi * 3.1 * t));
		if (syllable % 9 == 8)
			env = 0;
		phase += pitch / srate;
		double x = 0;
		if (phase >= 1) {
			phase -= 1;
			x = 1;
		}
		x += gauss(&hiss) * (at < 0.25 && kind > 0.6 ? 0.3 : 0.01);
		double formant[3] = {f1, f2, 2600}, width[3] = {70, 100, 160};
		for (int k = 0; k < 3; k++) {
			double r = exp(-pi * width[k] / srate);
			double v = x * (1 - r) * 6 +
				   2 * r * cos(2 * pi * formant[k] / srate) * y[k][0] -
				   r * r * y[k][1];
			y[k][1] = y[k][0];
			y[k][0] = v;
			x = k == 0 ? v : 0.6 * x + v;
		}
		voice[i] = (float)(x * env);
		sum += (double)voice[i] * voice[i];
		count++;
	}
	double scale = 1 / sqrt(sum / (double)count);
	for (size_t i = 0; i < n; i++)
		voice[i] *= (float)scale;
}

static double dbov(double level)
{
	return 32768 * pow(10, level / 20);
}

static void mix(size_t n, double voice_dbov, double noise_dbov, uint32_t seed)
{
	double v = dbov(voice_dbov), a = dbov(noise_dbov);
	for (size_t i = 0; i < n; i++)
		pcm[i] = mc_sat16((int32_t)lrint(voice[i] * v + gauss(&seed) * a));
}

struct result {
	int starts, ends;
	double start_ms, decided_ms, end_ms; /* of the first start and the last end */
};

static struct result run(struct mc_vad *vad, size_t n, uint32_t srate)
{
	struct result r = {0};
	struct mc_vad_edge edge;
	size_t frame = mc_frame_samples(srate);
	for (size_t at = 0; at + frame <= n; at += frame) {
		int p = mc_vad_frame(vad, pcm + at);
		CHECK(p >= 0 && p <= 32767);
		enum mc_vad_kind kind = mc_vad_speech(vad, p, &edge);
		double now = (double)(at + frame);
		if (kind == MC_VAD_START && r.starts++ == 0) {
			r.decided_ms = now * 1000 / srate;
			r.start_ms = (now - edge.back_samples) * 1000 / srate;
		}
		if (kind == MC_VAD_END) {
			r.ends++;
			r.end_ms = (now - edge.back_samples) * 1000 / srate;
		}
	}
	return r;
}

static void finds_the_onset(void)
{
	static const uint32_t rates[] = {8000, 16000, 24000, 48000};
	for (int i = 0; i < 4; i++) {
		for (int noise = -80; noise <= -46; noise += 34) {
			for (int v = 0; v < 3; v++) {
				size_t n = rates[i] * 3;
				talk(n, rates[i], 1.005, 95 + 60 * v, 77 + (uint32_t)v);
				mix(n, -24, noise, 5);
				struct mc_vad *vad = make((struct mc_vad_cfg){.srate = rates[i]});
				struct result r = run(vad, n, rates[i]);
				CHECK(r.starts >= 1);
				CHECK(r.decided_ms > 1005 && r.decided_ms < 1005 + 140);
				CHECK(r.start_ms >= 980 && r.start_ms <= 1005 + 100);
				free(vad);
			}
		}
	}
}

static void holds_and_lets_go(void)
{
	size_t n = 8000 * 8;
	talk(n, 8000, 1, 120, 3);
	for (size_t i = 8000 * 5; i < n; i++)
		voice[i] = 0;
	mix(n, -22, -60, 9);
	struct mc_vad *vad = make((struct mc_vad_cfg){.srate = 8000, .hangover_ms = 500});
	struct result r = run(vad, n, 8000);
	CHECK_EQ(r.starts, 1);
	CHECK_EQ(r.ends, 1);
	CHECK(r.end_ms > 4700 && r.end_ms < 5150);
	struct mc_vad_stats st;
	mc_vad_get_stats(vad, &st);
	CHECK_EQ(st.frames, 400);
	CHECK_EQ(st.starts, 1);
	CHECK_EQ(st.ends, 1);
	CHECK(st.speech_frames > 120 && st.speech_frames < 215);
	CHECK(!mc_vad_active(vad));
	free(vad);
}

/* 12 s each of noise at several levels, from the first sample and with a step up. */
static void stationary_noise_is_not_speech(void)
{
	size_t n = 8000 * SECONDS;
	for (int kind = 0; kind < 5; kind++) {
		for (int level = -60; level <= -24; level += 12) {
			uint32_t seed = 1 + (uint32_t)kind;
			double low = 0, last = 0;
			struct mc_vad *vad = make((struct mc_vad_cfg){.srate = 8000});
			for (size_t i = 0; i < n; i++) {
				double t = (double)i / 8000, x = gauss(&seed);
				if (kind == 1) {
					low = 0.9 * low + 0.3 * x;
					last = 0.5 * low + 0.5 * x * 0.3;
					x = last;
				} else if (kind == 2) {
					x = 0.05 * x;
					for (int k = 1; k < 10; k++)
						x += sin(2 * pi * 50 * k * t + k) / k;
				} else if (kind == 3) {
					x = 1.4 * sin(2 * pi * 425 * t) + 0.01 * x;
				} else if (kind == 4 && t < 6) {
					x *= 0.05;
				}
				pcm[i] = mc_sat16((int32_t)lrint(dbov(level) * x));
			}
			struct result r = run(vad, n, 8000);
			CHECK(r.starts <= (kind == 2 || kind == 3));
			free(vad);
		}
	}
}

static void digital_silence_is_harmless(void)
{
	size_t n = 8000 * 8;
	memset(pcm, 0, sizeof pcm);
	struct mc_vad *vad = make((struct mc_vad_cfg){.srate = 8000});
	struct result r = run(vad, n, 8000);
	CHECK_EQ(r.starts, 0);
	CHECK(mc_vad_noise_dbov(vad) < -65);
	for (int i = 0; i < MC_VAD_FEATURES; i++)
		CHECK(isfinite(mc_vad_features(vad)[i]));
	/* comfort noise after it is no speech, speech after it is */
	memset(voice, 0, sizeof voice);
	mix(n, -24, -62, 4);
	r = run(vad, n, 8000);
	CHECK_EQ(r.starts, 0);
	memset(pcm, 0, sizeof pcm);
	run(vad, n, 8000);
	talk(n, 8000, 1, 140, 8);
	mix(n, -30, -90, 4);
	r = run(vad, n, 8000);
	CHECK(r.starts >= 1 && r.decided_ms < 1150);
	free(vad);
}

static void floor_does_not_follow_speech(void)
{
	size_t n = 8000 * SECONDS;
	talk(n, 8000, 0, 130, 6);
	mix(n, -22, -56, 2);
	struct mc_vad *vad = make((struct mc_vad_cfg){.srate = 8000});
	run(vad, n, 8000);
	CHECK(mc_vad_noise_dbov(vad) < -45);
	int late = 0;
	for (size_t f = 0; f < 100; f++)
		late += mc_vad_frame(vad, pcm + n / 2 + f * 160) > 16384;
	CHECK(late > 65);
	free(vad);
}

static void noise_meter(void)
{
	memset(voice, 0, sizeof voice);
	for (int level = -60; level <= -30; level += 15) {
		mix(8000 * 6, -20, level, 3);
		struct mc_vad *vad = make((struct mc_vad_cfg){.srate = 8000});
		run(vad, 8000 * 6, 8000);
		CHECK(fabs((double)mc_vad_noise_dbov(vad) - level) < 3);
		free(vad);
	}
}

static void reset_repeats(void)
{
	size_t n = 8000 * 4;
	talk(n, 8000, 0.5, 110, 2);
	mix(n, -25, -50, 2);
	struct mc_vad *vad = make((struct mc_vad_cfg){.srate = 8000});
	int first[200];
	for (int f = 0; f < 200; f++)
		first[f] = mc_vad_frame(vad, pcm + f * 160);
	mc_vad_reset(vad);
	for (int f = 0; f < 200; f++)
		CHECK_EQ(mc_vad_frame(vad, pcm + f * 160), first[f]);
	free(vad);
}

/* The gate alone: probabilities in, edges out. */
static void gate_table(void)
{
	static const struct {
		uint16_t onset;
		const char *in; /* one letter per frame: '#' speech, '-' between, '.' silence */
		const char *out;
	} rows[] = {
		{1, ".#....", " S  E "}, /* hangover 60 ms: three quiet frames */
		{2, "#.#...", "  S  E"},   {2, "##.#..", " S    "},
		{2, "#..#..", "      "},   {3, "##.#...", "   S  E"},
		{3, "#.#.#.#", "       "}, {2, "##-----...", " S       E"}, /* in between holds */
		{2, "--....", "      "},   {2, "##...##...", " S  E S  E"},
	};
	for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		struct mc_vad *vad = make((struct mc_vad_cfg){
			.srate = 8000, .onset_frames = rows[k].onset, .hangover_ms = 60});
		for (size_t f = 0; rows[k].in[f]; f++) {
			struct mc_vad_edge e = {0};
			char c = rows[k].in[f];
			int p = c == '#' ? 30000 : c == '-' ? 14000 : 100;
			enum mc_vad_kind want = rows[k].out[f] == 'S'   ? MC_VAD_START
						: rows[k].out[f] == 'E' ? MC_VAD_END
									: MC_VAD_NONE;
			CHECK_EQ(mc_vad_speech(vad, p, &e), want);
			if (want == MC_VAD_START && rows[k].onset == 1)
				CHECK_EQ(e.back_samples, 160);
			if (want == MC_VAD_START && rows[k].onset == 2 && f == 2)
				CHECK_EQ(e.back_samples, 3 * 160);
			if (want == MC_VAD_START && rows[k].onset == 3)
				CHECK_EQ(e.back_samples, 4 * 160);
			if (want == MC_VAD_START)
				CHECK_EQ(e.peak_q15, 30000);
			if (want == MC_VAD_END)
				CHECK_EQ(e.back_samples, 3 * 160);
		}
		free(vad);
	}
}

static void extremes_and_bad_arguments(void)
{
	struct mc_vad_cfg cfg = {.srate = 8000};
	_Alignas(16) static uint8_t mem[4096];
	struct mc_vad *vad = NULL;
	CHECK(mc_vad_size(&cfg) <= 3072);
	CHECK_EQ(mc_vad_init(&vad, mem, 100, &cfg), MC_ENOMEM);
	CHECK_EQ(mc_vad_init(&vad, mem + 4, sizeof mem - 4, &cfg), MC_EINVAL);
	cfg.srate = 44100;
	CHECK_EQ(mc_vad_init(&vad, mem, sizeof mem, &cfg), MC_EINVAL);
	cfg = (struct mc_vad_cfg){.srate = 8000, .onset_frames = 17};
	CHECK_EQ(mc_vad_init(&vad, mem, sizeof mem, &cfg), MC_EINVAL);
	cfg = (struct mc_vad_cfg){.srate = 8000, .threshold_q15 = -1};
	CHECK_EQ(mc_vad_init(&vad, mem, sizeof mem, &cfg), MC_EINVAL);
	cfg = (struct mc_vad_cfg){.srate = 8000};
	CHECK_EQ(mc_vad_init(&vad, mem, sizeof mem, &cfg), MC_OK);
	CHECK(mc_vad_noise_dbov(vad) <= -70);
	uint32_t seed = 1;
	for (size_t i = 0; i < 16000; i++)
		pcm[i] = test_rand(&seed) & 1 ? INT16_MAX : INT16_MIN;
	run(vad, 16000, 8000);
	for (int i = 0; i < MC_VAD_FEATURES; i++)
		CHECK(isfinite(mc_vad_features(vad)[i]));
	CHECK_EQ(mc_vad_speech(vad, 32767, NULL), MC_VAD_NONE);
	CHECK_EQ(mc_vad_speech(vad, 99999, NULL), MC_VAD_START);
}

int main(void)
{
	RUN(finds_the_onset);
	RUN(holds_and_lets_go);
	RUN(stationary_noise_is_not_speech);
	RUN(digital_silence_is_harmless);
	RUN(floor_does_not_follow_speech);
	RUN(noise_meter);
	RUN(reset_repeats);
	RUN(gate_table);
	RUN(extremes_and_bad_arguments);
	return 0;
}
