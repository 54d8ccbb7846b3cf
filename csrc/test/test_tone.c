#include "mc_tone.h"
#include "mc_test.h"

enum { N_MAX = 48000 * 6, EVENTS = 64 };
static int16_t pcm[N_MAX];
static double line[N_MAX];
static size_t length;
static uint32_t rate, seed;

static const double pi = 3.14159265358979323846;

static double gauss(void)
{
	double s = 0;
	for (int i = 0; i < 12; i++)
		s += test_rand(&seed) / 4294967296.0;
	return s - 6;
}

static void begin(uint32_t srate, uint32_t s)
{
	rate = srate;
	seed = s;
	length = srate * 3 / 10 + test_rand(&seed) % (srate / 50);
	memset(line, 0, sizeof line);
}

/* Add ms of one or two tones; a, b 0: silence. RMS of the sum: 1. */
static void add(double a, double b, double ms)
{
	size_t n = (size_t)(ms * rate / 1000);
	double scale = b > 0 ? 1 : sqrt(2);
	for (size_t i = 0; i < n; i++) {
		double t = (double)i / rate;
		if (a > 0)
			line[length + i] = scale * sin(2 * pi * a * t + 1);
		if (b > 0)
			line[length + i] += sin(2 * pi * b * t);
	}
	length += n;
}

struct heard {
	struct mc_tone_event e[EVENTS];
	double at_ms[EVENTS], edge_ms[EVENTS];
	int count;
};

static void listen(double level_dbov, double snr_db, uint32_t mask, struct heard *h)
{
	struct mc_tone *t = NULL;
	struct mc_tone_cfg cfg = {.srate = rate, .mask = mask};
	void *mem = aligned_alloc(16, mc_tone_size(&cfg));
	CHECK(mem != NULL);
	CHECK_EQ(mc_tone_init(&t, mem, mc_tone_size(&cfg), &cfg), MC_OK);
	double a = 32768 * pow(10, level_dbov / 20), noise = a * pow(10, -snr_db / 20);
	size_t frame = mc_frame_samples(rate), n = length + rate / 2;
	for (size_t i = 0; i < n; i++)
		pcm[i] = mc_sat16((int32_t)lrint(a * line[i] + noise * gauss()));
	memset(h, 0, sizeof *h);
	for (size_t at = 0; at + frame <= n; at += frame) {
		CHECK(h->count + MC_TONE_EVENTS <= EVENTS);
		int got = mc_tone_frame(t, pcm + at, h->e + h->count, MC_TONE_EVENTS);
		CHECK(got >= 0);
		for (; got > 0; got--, h->count++) {
			double now = (double)(at + frame) * 1000 / rate;
			h->at_ms[h->count] = now;
			h->edge_ms[h->count] = now - h->e[h->count].back_samples * 1000.0 / rate;
		}
	}
	free(mem);
}

static void every_kind_is_named(void)
{
	static const struct {
		enum mc_tone_kind kind;
		double a, b, ms;
	} rows[] = {
		{MC_TONE_DIAL, 350, 440, 1500},    {MC_TONE_RINGBACK, 440, 480, 1000},
		{MC_TONE_RINGBACK, 400, 450, 400}, {MC_TONE_BUSY, 480, 620, 500},
		{MC_TONE_BUSY, 480, 620, 250},     {MC_TONE_PROGRESS, 425, 0, 500},
		{MC_TONE_CNG, 1100, 0, 500},       {MC_TONE_CNG, 1062, 0, 450},
		{MC_TONE_CNG, 1138, 0, 450},       {MC_TONE_CED, 2100, 0, 2000},
		{MC_TONE_CED, 2115, 0, 700},       {MC_TONE_BEEP, 1000, 0, 130},
		{MC_TONE_BEEP, 440, 0, 1500},      {MC_TONE_BEEP, 1980, 0, 300},
	};
	static const uint32_t rates[] = {8000, 16000, 24000, 48000};
	struct heard h;
	for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		for (uint32_t s = 1; s <= 8; s++) {
			begin(rates[s % 4], s);
			double from = (double)length * 1000 / rate;
			add(rows[k].a, rows[k].b, rows[k].ms);
			listen(s % 2 ? -12 : -35, 25, MC_TONE_ALL, &h);
			CHECK_EQ(h.count, 2);
			CHECK(h.e[0].kind == rows[k].kind && h.e[1].kind == rows[k].kind);
			CHECK(h.e[0].start == 1 && h.e[1].start == 0);
			CHECK(fabs(h.edge_ms[0] - from) <= 30);
			CHECK(fabs(h.edge_ms[1] - from - rows[k].ms) <= 35);
			CHECK(fabs((double)h.e[1].length_ms - rows[k].ms) <= 45);
			CHECK(fabs(h.e[1].hz[0] - rows[k].a) <= 8);
			CHECK(fabs(h.e[1].hz[1] - rows[k].b) <= 8);
			if (rows[k].kind == MC_TONE_CNG || rows[k].kind == MC_TONE_CED)
				CHECK(h.at_ms[0] - from <= 300);
		}
	}
}

static void beeps_in_noise(void)
{
	struct heard h;
	int hit = 0, total = 0;
	for (uint32_t s = 1; s <= 120; s++) {
		begin(8000, s);
		double hz = 455 + test_rand(&seed) % 1500;
		double ms = 120 + test_rand(&seed) % 600;
		add(hz, 0, ms);
		double end = (double)length * 1000 / rate;
		listen(-10 - (double)(s % 26), 10, MC_TONE_ALL, &h);
		total++;
		hit += h.count > 0 && h.e[h.count - 1].start == 0 &&
		       h.at_ms[h.count - 1] <= end + 150;
	}
	CHECK(hit >= total * 98 / 100);
}

static void sit_is_one_event(void)
{
	static const double tones[][6] = {{985.2, 380, 1428.5, 274, 1776.7, 380},
					  {913.8, 274, 1370.6, 274, 1776.7, 380},
					  {913.8, 380, 1428.5, 380, 1776.7, 380}};
	struct heard h;
	for (int i = 0; i < 3; i++) {
		for (uint32_t s = 1; s <= 8; s++) {
			begin(8000, s);
			double from = (double)length * 1000 / rate;
			for (int k = 0; k < 6; k += 2)
				add(tones[i][k], 0, tones[i][k + 1]);
			listen(-20, 25, MC_TONE_ALL, &h);
			CHECK_EQ(h.count, 1);
			CHECK(h.e[0].kind == MC_TONE_SIT && h.e[0].start == 1);
			CHECK(fabs(h.edge_ms[0] - from) <= 50);
		}
	}
}

/* Frequencies kept for another kind still make a beep, told at its end. */
static void short_reserved_tones_are_beeps(void)
{
	static const double hz[] = {1100, 425, 985};
	struct heard h;
	for (int i = 0; i < 3; i++) {
		for (uint32_t s = 1; s <= 8; s++) {
			begin(8000, s);
			add(hz[i], 0, 180);
			double end = (double)length * 1000 / rate;
			listen(-20, 25, MC_TONE_ALL, &h);
			CHECK_EQ(h.count, 1);
			CHECK(h.e[0].kind == MC_TONE_BEEP && h.e[0].start == 0);
			CHECK(h.at_ms[0] <= end + 170);
		}
	}
}

static void mask_silences(void)
{
	struct heard h;
	begin(8000, 3);
	add(1100, 0, 500);
	add(0, 0, 200);
	add(1000, 0, 300);
	listen(-20, 25, 1 << MC_TONE_CNG, &h);
	CHECK_EQ(h.count, 2);
	CHECK(h.e[0].kind == MC_TONE_CNG);
	listen(-20, 25, 1 << MC_TONE_BEEP, &h);
	CHECK_EQ(h.count, 2);
	CHECK(h.e[0].kind == MC_TONE_BEEP && h.e[0].hz[0] > 990);
}

static void cadence_gives_pairs(void)
{
	struct heard h;
	begin(8000, 5);
	for (int i = 0; i < 4; i++) {
		add(480, 620, 500);
		add(0, 0, 500);
	}
	listen(-18, 30, MC_TONE_ALL, &h);
	CHECK_EQ(h.count, 8);
	for (int i = 0; i < 8; i++)
		CHECK(h.e[i].kind == MC_TONE_BUSY && h.e[i].start == (i % 2 == 0));
}

/* Pitch 85 to 155 Hz. Where one harmonic of a held, higher vowel sits on a narrow resonance, the
 * made-up voice is a tone for 100 ms; recorded voices are not. */
static void voices_and_noise_are_not_tones(void)
{
	struct heard h;
	for (uint32_t voice = 0; voice < 8; voice++) {
		double y[3][2] = {{0}}, phase = 0, power = 0;
		begin(8000, voice + 1);
		length = 8000 * 5;
		for (size_t i = 0; i < length; i++) {
			double t = (double)i / 8000;
			uint32_t s = 1000 * voice + 77 * (uint32_t)(t / 0.2) + 1;
			test_rand(&s);
			double f[3] = {300 + test_rand(&s) % 500, 900 + test_rand(&s) % 1200, 2500};
			phase += (85 + 10 * voice) * (1 + 0.15 * sin(9 * t) + 0.05 * sin(31 * t)) /
				 8000;
			double x = phase >= 1 ? 1 : 0.01 * gauss();
			phase -= phase >= 1;
			for (int k = 0; k < 3; k++) {
				double r = exp(-pi * 80 / 8000);
				double v = x * (1 - r) * 6 +
					   2 * r * cos(2 * pi * f[k] / 8000) * y[k][0] -
					   r * r * y[k][1];
				y[k][1] = y[k][0];
				y[k][0] = v;
				x = k ? x + v : v;
			}
			line[i] = x * sin(pi * fmod(t, 0.2) / 0.2);
			power += line[i] * line[i] / (double)length;
		}
		for (size_t i = 0; i < length; i++)
			line[i] /= sqrt(power);
		listen(-20, 40, MC_TONE_ALL, &h);
		CHECK_EQ(h.count, 0);
	}
	begin(8000, 4);
	length = 8000 * 5;
	listen(-20, 0, MC_TONE_ALL, &h);
	CHECK_EQ(h.count, 0);
	/* DTMF has no row */
	begin(8000, 6);
	add(770, 1336, 500);
	listen(-20, 30, MC_TONE_ALL, &h);
	CHECK_EQ(h.count, 0);
}

static void reset_and_bad_arguments(void)
{
	_Alignas(16) static uint8_t mem[8192];
	struct mc_tone *t = NULL;
	struct mc_tone_event e[MC_TONE_EVENTS];
	struct mc_tone_cfg cfg = {.srate = 8000, .mask = MC_TONE_ALL};
	CHECK(mc_tone_size(&cfg) <= 3072);
	CHECK_EQ(mc_tone_init(&t, mem, 64, &cfg), MC_ENOMEM);
	CHECK_EQ(mc_tone_init(&t, mem + 1, sizeof mem - 1, &cfg), MC_EINVAL);
	cfg.mask = 0;
	CHECK_EQ(mc_tone_init(&t, mem, sizeof mem, &cfg), MC_EINVAL);
	cfg = (struct mc_tone_cfg){.srate = 11025, .mask = 1};
	CHECK_EQ(mc_tone_init(&t, mem, sizeof mem, &cfg), MC_EINVAL);
	cfg.srate = 8000;
	cfg.mask = MC_TONE_ALL;
	CHECK_EQ(mc_tone_init(&t, mem, sizeof mem, &cfg), MC_OK);
	CHECK_EQ(mc_tone_frame(t, pcm, e, MC_TONE_EVENTS - 1), MC_EINVAL);
	test_sine(pcm, 16000, 1000, 8000, 8000);
	for (int f = 0; f < 3; f++)
		CHECK_EQ(mc_tone_frame(t, pcm + f * 160, e, MC_TONE_EVENTS), 0);
	mc_tone_reset(t);
	int started = 0;
	for (int f = 0; f < 10; f++) {
		int n = mc_tone_frame(t, pcm + f * 160, e, MC_TONE_EVENTS);
		started += n;
		CHECK(n == 0 || (f >= 3 && e[0].start));
	}
	CHECK_EQ(started, 1);
	mc_tone_reset(t);
	memset(pcm, 0, 3200);
	for (int f = 0; f < 10; f++)
		CHECK_EQ(mc_tone_frame(t, pcm + f * 160, e, MC_TONE_EVENTS), 0);
}

int main(void)
{
	RUN(every_kind_is_named);
	RUN(beeps_in_noise);
	RUN(sit_is_one_event);
	RUN(short_reserved_tones_are_beeps);
	RUN(mask_silences);
	RUN(cadence_gives_pairs);
	RUN(voices_and_noise_are_not_tones);
	RUN(reset_and_bad_arguments);
	return 0;
}
