#include "mc_dtmf.h"
#include "mc_test.h"

static const char all_keys[] = "123A456B789C*0#D";
static const double row_hz[] = {697, 770, 852, 941}, col_hz[] = {1209, 1336, 1477, 1633};

enum { N_MAX = 48000 * 8 };
static int16_t pcm[N_MAX];
static double line[N_MAX];

static struct mc_dtmf *make(uint32_t srate)
{
	struct mc_dtmf *d = NULL;
	void *mem = aligned_alloc(16, mc_dtmf_size(srate));
	CHECK(mem != NULL);
	CHECK_EQ(mc_dtmf_init(&d, mem, mc_dtmf_size(srate), srate), MC_OK);
	return d;
}

static double gauss(uint32_t *seed)
{
	double s = 0;
	for (int i = 0; i < 12; i++)
		s += test_rand(seed) / 4294967296.0;
	return s - 6;
}

struct keying {
	uint32_t srate;
	double on_ms, off_ms, low_db, high_db; /* amplitude below full scale */
	double low_shift, high_shift;          /* of the frequencies, relative */
	double snr_db;                         /* 0: none */
	uint32_t seed;
};

static const struct keying plain = {8000, 50, 50, -15, -15, 0, 0, 0, 1};

/* All 16 keys twice, each with its own phase and a start anywhere in the frame. */
static size_t key_line(const struct keying *k, size_t *starts)
{
	uint32_t seed = k->seed;
	double rate = k->srate, al = 32768 * pow(10, k->low_db / 20),
	       ah = 32768 * pow(10, k->high_db / 20);
	size_t n = k->srate / 8, count = 0;
	memset(line, 0, sizeof line);
	for (int i = 0; i < 32; i++) {
		double wl = 2 * 3.14159265358979 * row_hz[i % 16 / 4] * (1 + k->low_shift) / rate;
		double wh = 2 * 3.14159265358979 * col_hz[i % 4] * (1 + k->high_shift) / rate;
		double pl = test_rand(&seed) % 100, ph = test_rand(&seed) % 100;
		size_t on = (size_t)(k->on_ms * rate / 1000);
		if (starts)
			starts[count++] = n;
		for (size_t j = 0; j < on; j++)
			line[n + j] = al * sin(wl * (double)j + pl) + ah * sin(wh * (double)j + ph);
		n += on + (size_t)(k->off_ms * rate / 1000) + test_rand(&seed) % 20;
	}
	n += k->srate / 5;
	double noise = 0;
	if (k->snr_db > 0)
		noise = sqrt((al * al + ah * ah) / 2 * pow(10, -k->snr_db / 10) * rate / 8000);
	for (size_t i = 0; i < n; i++)
		pcm[i] = mc_sat16((int32_t)lrint(line[i] + noise * gauss(&seed)));
	return n;
}

struct heard {
	char keys[200];
	int count, ends;
	double start_ms[200];
	uint32_t duration_ms[200];
};

static void listen(struct mc_dtmf *d, size_t n, uint32_t srate, struct heard *h)
{
	struct mc_dtmf_event e[MC_DTMF_EVENTS];
	size_t frame = mc_frame_samples(srate);
	memset(h, 0, sizeof *h);
	for (size_t at = 0; at + frame <= n; at += frame) {
		int got = mc_dtmf_frame(d, pcm + at, e, MC_DTMF_EVENTS);
		CHECK(got >= 0);
		for (int i = 0; i < got; i++) {
			if (e[i].start) {
				CHECK_EQ(h->count, h->ends);
				CHECK(h->count < 199);
				h->start_ms[h->count] =
					((double)(at + frame) - e[i].back_samples) * 1000 / srate;
				h->keys[h->count++] = e[i].digit;
			} else {
				CHECK_EQ(h->count, h->ends + 1);
				CHECK_EQ(e[i].digit, h->keys[h->ends]);
				h->duration_ms[h->ends++] = e[i].duration_ms;
			}
		}
	}
}

static int hits(const struct keying *k)
{
	struct heard h;
	char want[33];
	size_t n = key_line(k, NULL);
	struct mc_dtmf *d = make(k->srate);
	listen(d, n, k->srate, &h);
	free(d);
	memcpy(want, all_keys, 16);
	memcpy(want + 16, all_keys, 16);
	want[32] = 0;
	return strcmp(h.keys, want) == 0 ? 32 : h.count == 0 ? 0 : -1;
}

static void accepts(void)
{
	static const uint32_t rates[] = {8000, 16000, 24000, 48000};
	for (uint32_t seed = 1; seed <= 5; seed++) {
		for (int i = 0; i < 4; i++) {
			struct keying k = plain;
			k.seed = seed;
			k.srate = rates[i];
			k.on_ms = k.off_ms = 40;
			CHECK_EQ(hits(&k), 32);
			for (int s = 0; s < 9; s++) {
				k.low_shift = 0.015 * (s % 3 - 1);
				k.high_shift = 0.015 * (s / 3 - 1);
				CHECK_EQ(hits(&k), 32);
			}
		}
		struct keying k = plain;
		k.seed = seed;
		k.on_ms = k.off_ms = 40;
		k.low_db = -19; /* the low group 4 dB below the high one */
		CHECK_EQ(hits(&k), 32);
		k.low_db = -15;
		k.high_db = -23; /* 8 dB above */
		CHECK_EQ(hits(&k), 32);
		for (int level = -40; level <= -6; level += 17) {
			k.low_db = k.high_db = level;
			CHECK_EQ(hits(&k), 32);
		}
		k.low_db = k.high_db = -20;
		k.snr_db = 12;
		CHECK_EQ(hits(&k), 32);
	}
}

static void rejects(void)
{
	static const double shift[][2] = {{0.035, 0},     {-0.035, 0},     {0, 0.035},
					  {0, -0.035},    {0.035, -0.035}, {0.05, 0.05},
					  {-0.045, 0.01}, {0.01, 0.06},    {0.01, -0.06}};
	for (uint32_t seed = 1; seed <= 5; seed++) {
		struct keying k = plain;
		k.seed = seed;
		for (size_t i = 0; i < sizeof shift / sizeof shift[0]; i++) {
			k.low_shift = shift[i][0];
			k.high_shift = shift[i][1];
			CHECK_EQ(hits(&k), 0);
		}
		k = plain;
		k.low_db = -27;
		CHECK_EQ(hits(&k), 0);
		k = plain;
		k.high_db = -28;
		CHECK_EQ(hits(&k), 0);
		k = plain;
		k.high_db = -90; /* one tone only */
		CHECK_EQ(hits(&k), 0);
		k = plain;
		k.low_db = k.high_db = -50;
		CHECK_EQ(hits(&k), 0);
		k = plain;
		k.on_ms = 15;
		CHECK_EQ(hits(&k), 0);
	}
}

static void times_are_right(void)
{
	static const uint32_t rates[] = {8000, 48000};
	for (int i = 0; i < 2; i++) {
		struct keying k = plain;
		struct heard h;
		size_t starts[32];
		k.srate = rates[i];
		k.on_ms = 85;
		size_t n = key_line(&k, starts);
		struct mc_dtmf *d = make(k.srate);
		listen(d, n, k.srate, &h);
		CHECK_EQ(h.count, 32);
		for (int j = 0; j < 32; j++) {
			double at = (double)starts[j] * 1000 / k.srate;
			CHECK(fabs(h.start_ms[j] - at) <= 7);
			CHECK(h.duration_ms[j] >= 78 && h.duration_ms[j] <= 95);
		}
		struct mc_dtmf_stats st;
		mc_dtmf_get_stats(d, &st);
		CHECK_EQ(st.digits, 32);
		CHECK_EQ(st.frames, n / mc_frame_samples(k.srate));
		CHECK_EQ(mc_dtmf_now(d), 0);
		free(d);
	}
}

/* A lost packet played as silence must not make two keys of one. */
static void one_event_per_key_with_loss(void)
{
	for (uint32_t seed = 1; seed <= 20; seed++) {
		struct keying k = plain;
		struct heard h;
		size_t starts[32];
		k.on_ms = k.off_ms = 120;
		k.seed = seed;
		size_t n = key_line(&k, starts);
		for (int j = 0; j < 32; j++) {
			size_t frame = starts[j] / 160 + 2 + seed % 2;
			memset(pcm + frame * 160, 0, 320);
		}
		struct mc_dtmf *d = make(8000);
		listen(d, n, 8000, &h);
		CHECK_EQ(h.count, 32);
		free(d);
	}
}

static void held_key_is_one_event(void)
{
	struct heard h;
	struct mc_dtmf *d = make(8000);
	for (size_t at = 0; at < 8000 * 5; at += 160)
		CHECK_EQ(mc_dtmf_gen(pcm + at, 160, 8000, '5', at, 8000 * 4, -16, -14), MC_OK);
	listen(d, 8000 * 5, 8000, &h);
	CHECK_EQ(h.count, 1);
	CHECK_EQ(h.ends, 1);
	CHECK(labs((long)h.duration_ms[0] - 4000) <= 15);
	free(d);
}

/* Vowels: pulse trains of moving pitch through resonators near the DTMF groups. */
static void voices_are_not_digits(void)
{
	uint32_t seed = 9;
	struct heard h;
	struct mc_dtmf *d = make(8000);
	for (int voice = 0; voice < 12; voice++) {
		double y[3][2] = {{0}}, phase = 0;
		size_t n = 8000 * 8;
		for (size_t i = 0; i < n; i++) {
			double t = (double)i / 8000, slot = fmod(t, 0.2) / 0.2;
			uint32_t s = 1000 * (uint32_t)voice + 77 * (uint32_t)(t / 0.2) + 1;
			test_rand(&s);
			double f[3] = {400 + test_rand(&s) % 600, 1100 + test_rand(&s) % 700, 2500};
			phase += (90 + 12 * voice) * (1 + 0.1 * sin(5 * t)) / 8000;
			double x = phase >= 1 ? 1 : 0.01 * gauss(&seed);
			phase -= phase >= 1;
			for (int k = 0; k < 3; k++) {
				double r = exp(-3.14159 * 80 / 8000);
				double v = x * (1 - r) * 6 +
					   2 * r * cos(2 * 3.14159265 * f[k] / 8000) * y[k][0] -
					   r * r * y[k][1];
				y[k][1] = y[k][0];
				y[k][0] = v;
				x = k ? 0.6 * x + v : v;
			}
			line[i] = x * sin(3.14159265 * slot);
		}
		double power = 0;
		for (size_t i = 0; i < n; i++)
			power += line[i] * line[i] / (double)n;
		for (size_t i = 0; i < n; i++)
			pcm[i] = mc_sat16((int32_t)lrint(line[i] * 2500 / sqrt(power)));
		listen(d, n, 8000, &h);
		CHECK_EQ(h.count, 0);
	}
	for (size_t i = 0; i < N_MAX; i++)
		pcm[i] = mc_sat16((int32_t)lrint(gauss(&seed) * 4000));
	listen(d, N_MAX, 8000, &h);
	CHECK_EQ(h.count, 0);
	free(d);
}

static void generator(void)
{
	static int16_t a[4800], b[4800];
	static const uint32_t rates[] = {8000, 16000, 24000, 48000};
	for (int i = 0; i < 4; i++) {
		size_t n = rates[i] / 10;
		CHECK_EQ(mc_dtmf_gen(a, n, rates[i], '9', 0, n - 40, -13, -10), MC_OK);
		for (size_t at = 0, k = 1; at < n; at += k, k = k % 97 + 1) {
			size_t len = k < n - at ? k : n - at;
			CHECK_EQ(mc_dtmf_gen(b + at, len, rates[i], '9', at, n - 40, -13, -10),
				 MC_OK);
		}
		CHECK(memcmp(a, b, n * sizeof *a) == 0);
		double want = 32768 * sqrt(pow(10, -1.3) + pow(10, -1.0));
		CHECK(fabs(test_rms(a + n / 5, n / 2) / want - 1) < 0.03);
		CHECK(abs(a[0]) < 200 && abs(a[n - 41]) < 200 && a[n - 40] == 0);
	}
	struct heard h;
	struct mc_dtmf *d = make(8000);
	size_t at = 0;
	memset(pcm, 0, sizeof pcm);
	for (int i = 0; i < 16; i++, at += 800)
		CHECK_EQ(mc_dtmf_gen(pcm + at, 800, 8000, all_keys[i], 0, 400, -12, -10), MC_OK);
	listen(d, at + 800, 8000, &h);
	CHECK(strcmp(h.keys, all_keys) == 0);
	free(d);
	a[0] = 123;
	CHECK_EQ(mc_dtmf_gen(a, 10, 8000, 'x', 0, 10, -10, -10), MC_EINVAL);
	CHECK_EQ(mc_dtmf_gen(a, 10, 8000, 0, 0, 10, -10, -10), MC_EINVAL);
	CHECK_EQ(mc_dtmf_gen(a, 10, 11025, '1', 0, 10, -10, -10), MC_EINVAL);
	CHECK_EQ(mc_dtmf_gen(a, 10, 8000, '1', 0, 10, -3, -10), MC_EINVAL);
	CHECK_EQ(mc_dtmf_gen(a, 10, 8000, '1', 0, 10, -10, -61), MC_EINVAL);
	CHECK_EQ(a[0], 123);
	CHECK_EQ(mc_dtmf_gen(a, 10, 8000, 'd', 0, 10, -4, -4), MC_OK);
}

static void reset_and_bad_arguments(void)
{
	_Alignas(16) static uint8_t mem[8192];
	struct mc_dtmf *d = NULL;
	struct mc_dtmf_event e[MC_DTMF_EVENTS];
	CHECK(mc_dtmf_size(8000) <= 3072);
	CHECK_EQ(mc_dtmf_size(44100), 0);
	CHECK_EQ(mc_dtmf_init(&d, mem, sizeof mem, 44100), MC_EINVAL);
	CHECK_EQ(mc_dtmf_init(&d, mem, 100, 8000), MC_ENOMEM);
	CHECK_EQ(mc_dtmf_init(&d, mem + 8, sizeof mem - 8, 8000), MC_EINVAL);
	CHECK_EQ(mc_dtmf_init(&d, mem, sizeof mem, 8000), MC_OK);
	CHECK_EQ(mc_dtmf_frame(d, pcm, e, MC_DTMF_EVENTS - 1), MC_EINVAL);
	for (size_t at = 0; at < 480; at += 160) {
		CHECK_EQ(mc_dtmf_gen(pcm, 160, 8000, '7', at, 8000, -10, -10), MC_OK);
		CHECK(mc_dtmf_frame(d, pcm, e, MC_DTMF_EVENTS) >= 0);
	}
	CHECK_EQ(mc_dtmf_now(d), '7');
	mc_dtmf_reset(d);
	CHECK_EQ(mc_dtmf_now(d), 0);
	for (int i = 0; i < 160; i++)
		pcm[i] = i % 7 < 3 ? INT16_MAX : INT16_MIN;
	for (int i = 0; i < 50; i++)
		CHECK_EQ(mc_dtmf_frame(d, pcm, e, MC_DTMF_EVENTS), 0);
}

int main(void)
{
	RUN(accepts);
	RUN(rejects);
	RUN(times_are_right);
	RUN(one_event_per_key_with_loss);
	RUN(held_key_is_one_event);
	RUN(voices_are_not_digits);
	RUN(generator);
	RUN(reset_and_bad_arguments);
	return 0;
}
