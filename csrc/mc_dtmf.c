/* mc_dtmf: see the header. */
#include "mc_dtmf.h"
#include "mc_decim.h"
#include "mc_simd.h"

#include <math.h>

enum {
	TAPS = 80,   /* 10 ms at 8 kHz */
	STEP = 8,    /* 8 kHz to 1 kHz */
	HOP = 5,     /* samples at 1 kHz */
	HOPS = 4,    /* per frame */
	WIN = 20,    /* samples at 1 kHz */
	LAG = 8,     /* of the fine frequency: 125 Hz apart */
	PAST = 16,   /* hops remembered for finding the onset */
	CONFIRM = 2, /* windows that must agree */
	GAP = 6,     /* hops of absence that end a digit */
	MURKY = 12,  /* hops with power but without a valid window that end it too */
	FIR_MS = 5,  /* delay of the band-passes */
};

static const float pi = 3.14159265f;

static const float tone_hz[2][4] = {{697, 770, 852, 941}, {1209, 1336, 1477, 1633}};
static const char keys[4][5] = {"123A", "456B", "789C", "*0#D"};

/* centre and half width of the band-passes, Hz */
static const double band_hz[2][2] = {{819, 250}, {1421, 356}};

#define FREQ_TOL 0.025f
#define LEVEL_MIN 205.0f   /* amplitude: -44 dB of full scale */
#define TWIST_LOW 2.99f    /* low over high, amplitude: 9.5 dB */
#define TWIST_HIGH 1.88f   /* high over low: 5.5 dB */
#define ENERGY_SHARE 0.80f /* of the two tones in all energy */
#define PURITY 0.85f       /* |R(1)| over energy */
#define PURITY_FINE 0.78f  /* |R(8)| over energy */
#define UNSTEADY 1.30f     /* mean of the 4th power over the squared mean of the 2nd */
#define DRIFT 0.010f       /* of the frequency between two windows, relative */
/* What little energy lies outside the tones bounds the noise inside them: with more than this in
 * the tones, a voice's slant or warble shows where noise could not. */
#define CLEAN_SHARE 0.95f
#define CLEAN_UNSTEADY 1.25f

struct mc_dtmf {
	uint32_t srate;
	struct mc_decim decim;
	float tap_re[2][TAPS], tap_im[2][TAPS];
	/* cleared by reset */
	float old[TAPS];
	float re[2][WIN], im[2][WIN];
	float energy[5];      /* of x per 5 ms, newest last */
	float power[2][PAST]; /* per hop and group, newest last */
	int candidate, agree; /* key of the last window or -1, windows in a row */
	int digit;            /* key that is down, or -1 */
	float level[2];       /* its powers */
	float offset[2];      /* of the last window's tones from nominal, relative */
	uint32_t on_hops, gap, murky;
	struct mc_dtmf_stats stats;
};

size_t mc_dtmf_size(uint32_t srate)
{
	return mc_srate_ok(srate) ? mc_align(sizeof(struct mc_dtmf)) : 0;
}

static double bessel_i0(double x)
{
	double sum = 1, term = 1;
	for (int k = 1; k < 30; k++) {
		term *= (x / (2 * k)) * (x / (2 * k));
		sum += term;
	}
	return sum;
}

/* Complex band-pass with gain 2 for positive frequencies, so that |z| is the tone's amplitude.
 * Rows run oldest sample first. */
static void design(struct mc_dtmf *d)
{
	const double beta = 3.0, turn = 2 * 3.14159265358979323846 / 8000;
	for (int g = 0; g < 2; g++) {
		double sum = 0, h[TAPS];
		for (int i = 0; i < TAPS; i++) {
			double t = i - (TAPS - 1) / 2.0, edge = t / (TAPS / 2.0);
			double x = turn * band_hz[g][1] * t;
			h[i] = bessel_i0(beta * sqrt(1 - edge * edge)) * (sin(x) / x);
			sum += h[i];
		}
		for (int i = 0; i < TAPS; i++) {
			/* convolution: the sample i of the row is TAPS - 1 - i ago */
			double a = turn * band_hz[g][0] * (TAPS - 1 - i);
			d->tap_re[g][i] = (float)(2 * h[i] / sum * cos(a));
			d->tap_im[g][i] = (float)(2 * h[i] / sum * sin(a));
		}
	}
}

int mc_dtmf_init(struct mc_dtmf **out, void *mem, size_t size, uint32_t srate)
{
	if (!out || !mem || (uintptr_t)mem % 16 || !mc_srate_ok(srate))
		return MC_EINVAL;
	if (size < mc_dtmf_size(srate))
		return MC_ENOMEM;
	struct mc_dtmf *d = mem;
	memset(d, 0, sizeof *d);
	d->srate = srate;
	if (mc_decim_init(&d->decim, srate))
		return MC_EINVAL;
	design(d);
	mc_dtmf_reset(d);
	*out = d;
	return MC_OK;
}

void mc_dtmf_reset(struct mc_dtmf *d)
{
	mc_decim_reset(&d->decim);
	memset((uint8_t *)d + offsetof(struct mc_dtmf, old), 0,
	       sizeof *d - offsetof(struct mc_dtmf, old));
	d->candidate = d->digit = -1;
}

struct tone {
	float power;  /* mean |z|^2 */
	float offset; /* from nominal, relative */
	float unsteady;
};

/* One group's window: which of its four tones, or -1. */
static int group_tone(const struct mc_dtmf *d, int g, struct tone *t)
{
	const float *re = d->re[g], *im = d->im[g];
	float p2 = 0, p4 = 0, r1 = 0, i1 = 0, r8 = 0, i8 = 0, fine = 0;
	for (int n = 0; n < WIN; n++) {
		float p = re[n] * re[n] + im[n] * im[n];
		p2 += p;
		p4 += p * p;
		if (n >= 1) {
			r1 += re[n] * re[n - 1] + im[n] * im[n - 1];
			i1 += im[n] * re[n - 1] - re[n] * im[n - 1];
		}
		if (n >= LAG) {
			float q = re[n - LAG] * re[n - LAG] + im[n - LAG] * im[n - LAG];
			r8 += re[n] * re[n - LAG] + im[n] * im[n - LAG];
			i8 += im[n] * re[n - LAG] - re[n] * im[n - LAG];
			fine += 0.5f * (p + q);
		}
	}
	t->power = p2 / WIN;
	if (t->power < LEVEL_MIN * LEVEL_MIN)
		return -1;
	t->unsteady = p4 * WIN / (p2 * p2);
	if (t->unsteady > UNSTEADY)
		return -1;
	if (r1 * r1 + i1 * i1 < PURITY * PURITY * p2 * p2 * (WIN - 1) * (WIN - 1) / (WIN * WIN) ||
	    r8 * r8 + i8 * i8 < PURITY_FINE * PURITY_FINE * fine * fine)
		return -1;
	/* z is sampled at 1 kHz: its phase step is the frequency modulo 1000 Hz */
	float hz = atan2f(i1, r1) / (2 * pi) * 1000;
	float centre = (float)band_hz[g][0];
	hz += 1000 * rintf((centre - hz) / 1000);
	float hz8 = atan2f(i8, r8) / (2 * pi) * 125;
	hz8 += 125 * rintf((hz - hz8) / 125);
	for (int k = 0; k < 4; k++) {
		t->offset = hz8 / tone_hz[g][k] - 1;
		if (fabsf(t->offset) <= FREQ_TOL)
			return k;
	}
	return -1;
}

static int window_digit(const struct mc_dtmf *d, struct tone *low, struct tone *high)
{
	int row = group_tone(d, 0, low);
	if (row < 0)
		return -1;
	int col = group_tone(d, 1, high);
	if (col < 0)
		return -1;
	if (low->power > TWIST_LOW * TWIST_LOW * high->power ||
	    high->power > TWIST_HIGH * TWIST_HIGH * low->power)
		return -1;
	/* the 20 ms that the window saw: the band-passes are 5 ms late */
	float all = (d->energy[0] + d->energy[1] + d->energy[2] + d->energy[3]) / 160;
	float tones = 0.5f * (low->power + high->power);
	if (tones < ENERGY_SHARE * all)
		return -1;
	if (tones > CLEAN_SHARE * all &&
	    (low->unsteady > CLEAN_UNSTEADY || high->unsteady > CLEAN_UNSTEADY))
		return -1;
	return row * 4 + col;
}

static char key_of(int digit)
{
	return keys[digit / 4][digit % 4];
}

static int emit(struct mc_dtmf *d, struct mc_dtmf_event *e, int start, int back_ms,
		uint32_t duration_ms)
{
	e->digit = key_of(d->digit);
	e->start = (uint8_t)start;
	e->back_samples = (uint32_t)(back_ms > 0 ? back_ms : 0) * (d->srate / 1000);
	e->duration_ms = duration_ms;
	d->stats.digits += (uint32_t)start;
	return 1;
}

/* Both tones within 7 dB of the digit's level in the hop `ago` hops back. */
static int sounding(const struct mc_dtmf *d, int ago)
{
	return d->power[0][PAST - 1 - ago] >= 0.2f * d->level[0] &&
	       d->power[1][PAST - 1 - ago] >= 0.2f * d->level[1];
}

static int finish(struct mc_dtmf *d, struct mc_dtmf_event *e, int after_ms)
{
	uint32_t silent = d->gap + d->murky;
	uint32_t hops = d->on_hops > silent ? d->on_hops - silent : 1;
	int n = emit(d, e, 0, after_ms + (int)(silent * 5) + FIR_MS, hops * 5);
	d->digit = -1;
	return n;
}

/* after_ms: from this hop to the end of the frame. */
static int hop(struct mc_dtmf *d, struct mc_dtmf_event *e, int after_ms)
{
	struct tone low = {0}, high = {0};
	int n = 0, key = window_digit(d, &low, &high);
	int same = key >= 0 && key == d->candidate && fabsf(low.offset - d->offset[0]) <= DRIFT &&
		   fabsf(high.offset - d->offset[1]) <= DRIFT;
	d->agree = same ? d->agree + 1 : key >= 0;
	d->candidate = key;
	d->offset[0] = low.offset;
	d->offset[1] = high.offset;
	if (d->digit >= 0) {
		d->on_hops++;
		if (key == d->digit) {
			d->gap = d->murky = 0;
		} else if (sounding(d, 0)) {
			d->murky++;
		} else {
			d->gap++;
		}
		if (d->gap >= GAP || d->murky >= MURKY || (key != d->digit && d->agree >= CONFIRM))
			n += finish(d, e, after_ms);
	}
	if (d->digit < 0 && key >= 0 && d->agree >= CONFIRM) {
		d->digit = key;
		d->level[0] = low.power;
		d->level[1] = high.power;
		d->gap = d->murky = 0;
		int ago = WIN / HOP;
		while (ago < PAST - 1 && sounding(d, ago))
			ago++;
		d->on_hops = (uint32_t)ago;
		n += emit(d, e + n, 1, after_ms + ago * 5 + FIR_MS, 0);
	}
	return n;
}

int mc_dtmf_frame(struct mc_dtmf *d, const int16_t *pcm, struct mc_dtmf_event *events, size_t cap)
{
	float x[TAPS + MC_DECIM_FRAME];
	int n = 0;
	if (cap < MC_DTMF_EVENTS)
		return MC_EINVAL;
	memcpy(x, d->old, sizeof d->old);
	mc_decim_frame(&d->decim, x + TAPS, pcm);
	memcpy(d->old, x + MC_DECIM_FRAME, sizeof d->old);
	d->stats.frames++;
	for (int h = 0; h < HOPS; h++) {
		const float *now = x + h * HOP * STEP;
		memmove(d->energy, d->energy + 1, 4 * sizeof *d->energy);
		d->energy[4] = mc_dot(now + TAPS, now + TAPS, HOP * STEP);
		for (int g = 0; g < 2; g++) {
			float p = 0;
			memmove(d->re[g], d->re[g] + HOP, (WIN - HOP) * sizeof(float));
			memmove(d->im[g], d->im[g] + HOP, (WIN - HOP) * sizeof(float));
			for (int i = 0; i < HOP; i++) {
				const float *y = now + (i + 1) * STEP;
				float re = mc_dot(d->tap_re[g], y, TAPS);
				float im = mc_dot(d->tap_im[g], y, TAPS);
				d->re[g][WIN - HOP + i] = re;
				d->im[g][WIN - HOP + i] = im;
				p += re * re + im * im;
			}
			memmove(d->power[g], d->power[g] + 1, (PAST - 1) * sizeof(float));
			d->power[g][PAST - 1] = p / HOP;
		}
		n += hop(d, events + n, (HOPS - 1 - h) * 5);
		MC_ASSERT(n <= MC_DTMF_EVENTS);
	}
	return n;
}

char mc_dtmf_now(const struct mc_dtmf *d)
{
	return (char)(d->digit < 0 ? 0 : key_of(d->digit));
}

void mc_dtmf_get_stats(const struct mc_dtmf *d, struct mc_dtmf_stats *stats)
{
	*stats = d->stats;
}

static int find_key(char digit)
{
	if (digit >= 'a' && digit <= 'd')
		digit = (char)(digit - 'a' + 'A');
	for (int i = 0; i < 16; i++) {
		if (key_of(i) == digit)
			return i;
	}
	return -1;
}

int mc_dtmf_gen(int16_t *pcm, size_t n, uint32_t srate, char digit, size_t offset, size_t total,
		int low_dbov, int high_dbov)
{
	int key = find_key(digit);
	if (key < 0 || !mc_srate_ok(srate) || low_dbov < -60 || low_dbov > -4 || high_dbov < -60 ||
	    high_dbov > -4)
		return MC_EINVAL;
	const double turn = 2 * 3.14159265358979323846 / srate;
	const double wl = turn * tone_hz[0][key / 4], wh = turn * tone_hz[1][key % 4];
	const double full = 32768 * sqrt(2.0);
	const double al = full * pow(10, low_dbov / 20.0), ah = full * pow(10, high_dbov / 20.0);
	const size_t ramp = srate / 200;
	for (size_t i = 0; i < n; i++) {
		size_t t = offset + i;
		if (t >= total) {
			pcm[i] = 0;
			continue;
		}
		size_t edge = t < total - 1 - t ? t : total - 1 - t;
		double gain = 1;
		if (edge < ramp)
			gain = 0.5 -
			       0.5 * cos(3.14159265358979 * ((double)edge + 0.5) / (double)ramp);
		double y = gain * (al * sin(wl * (double)t) + ah * sin(wh * (double)t));
		pcm[i] = mc_sat16((int32_t)lrint(y));
	}
	return MC_OK;
}
