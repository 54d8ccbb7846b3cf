/* mc_tone: see the header.
 *
 *  state  event                                   next  effect
 *  none   tone                                    tone  segment begins
 *  tone   same tone                               tone  start event once the row's time is reached
 *  tone   another tone                            tone  segment ends (end event), new one begins
 *  tone   no tone, second frame in a row          none  segment ends (end event)
 */
#include "mc_tone.h"
#include "mc_decim.h"
#include "mc_fft.h"
#include "mc_simd.h"

#include <math.h>

enum {
	WINDOW = 512,
	BINS = WINDOW / 2,
	OLD = WINDOW - MC_DECIM_FRAME,
	LOW_BIN = 10,   /* 156 Hz: hum and rumble below do not count */
	SIDE = 3,       /* bins on either side that belong to a peak */
	LOST = 2,       /* frames without the tone that end it */
	SIT_WAIT = 4,   /* frames after the first tone in which the second must begin */
	SIT_FRAMES = 4, /* of the second tone */
	SIT_TAIL = 25,
	SHORT_FRAMES = 5, /* a beep on a frequency reserved for another kind */
};

#define BIN_HZ 15.625f
#define SHARE 0.80f     /* of the peaks in all energy above LOW_BIN */
#define STEADY_HZ 10.0f /* from frame to frame */
#define DRIFT_HZ 8.0f   /* of a single tone from its second frame until it is told: voices glide */
#define SECOND 0.08f    /* the second peak's power over the first's, at least */
/* RMS of -45 dBov as the one-sided energy of the windowed spectrum: N / 2 * rms^2 * sum of w^2. */
#define ENERGY_MIN (184.0f * 184.0f * 512.0f * 192.0f / 2.0f)

struct row {
	uint8_t kind;
	uint16_t hz[2]; /* 0 in [1]: single */
	uint16_t tol_hz;
	uint16_t min_frames; /* matched frames before the start event; 0: never by itself */
};

/* First match wins. A tone of m ms fills about m / 20 - 1 windows well enough to match. */
static const struct row rows[] = {
	{MC_TONE_DIAL, {350, 440}, 12, 19},     {MC_TONE_RINGBACK, {440, 480}, 12, 14},
	{MC_TONE_RINGBACK, {400, 450}, 12, 14}, {MC_TONE_BUSY, {480, 620}, 12, 9},
	{MC_TONE_PROGRESS, {425, 0}, 12, 13},   {MC_TONE_SIT, {914, 0}, 10, 0},
	{MC_TONE_SIT, {985, 0}, 10, 0},         {MC_TONE_CNG, {1100, 0}, 60, 12},
	{MC_TONE_CED, {2100, 0}, 60, 12},       {MC_TONE_BEEP, {1200, 0}, 800, 4},
};
enum { ROWS = sizeof rows / sizeof rows[0], BEEP_ROW = ROWS - 1 };

struct segment {
	int row; /* -1: none that is reported */
	float hz[2];
	uint32_t frames; /* matched */
	uint32_t span;   /* frames since it began */
	uint32_t lost;
	float low_hz, high_hz; /* extremes of a single tone since its second frame */
	int told;              /* the start event is out */
	int mute;              /* a later part of a SIT */
};

struct mc_tone {
	struct mc_tone_cfg cfg;
	struct mc_decim decim;
	/* cleared by reset */
	float old[OLD];
	int sounding;
	struct segment seg;
	struct segment sit; /* a first SIT tone that has just ended */
	uint32_t sit_age;   /* frames since; 0: none */
	uint32_t sit_tail;  /* frames in which the third SIT tone may still come */
};

size_t mc_tone_size(const struct mc_tone_cfg *cfg)
{
	(void)cfg;
	return mc_align(sizeof(struct mc_tone));
}

int mc_tone_init(struct mc_tone **out, void *mem, size_t size, const struct mc_tone_cfg *cfg)
{
	if (!out || !mem || !cfg || (uintptr_t)mem % 16 || !mc_srate_ok(cfg->srate) ||
	    !(cfg->mask & MC_TONE_ALL))
		return MC_EINVAL;
	if (size < mc_tone_size(cfg))
		return MC_ENOMEM;
	struct mc_tone *t = mem;
	memset(t, 0, sizeof *t);
	t->cfg = *cfg;
	if (mc_decim_init(&t->decim, cfg->srate))
		return MC_EINVAL;
	*out = t;
	return MC_OK;
}

void mc_tone_reset(struct mc_tone *t)
{
	mc_decim_reset(&t->decim);
	memset((uint8_t *)t + offsetof(struct mc_tone, old), 0,
	       sizeof *t - offsetof(struct mc_tone, old));
}

/* Frequency of the peak at bin k: on the Hann window's main lobe the ratio of the two highest
 * bins gives the offset exactly for a single tone. */
static float peak_hz(const float *pw, size_t k)
{
	float left = sqrtf(pw[k - 1]), mid = sqrtf(pw[k]), right = sqrtf(pw[k + 1]);
	float r = (right > left ? right : left) / (mid + 1e-9f);
	float off = (2 * r - 1) / (r + 1);
	off = off < 0 ? 0 : off;
	return ((float)k + (right > left ? off : -off)) * BIN_HZ;
}

static float take(const float *pw, size_t k, size_t *from, size_t *to)
{
	float sum = 0;
	*from = k > SIDE ? k - SIDE : 0;
	*to = k + SIDE < BINS ? k + SIDE : BINS;
	for (size_t i = *from; i <= *to; i++)
		sum += pw[i];
	return sum;
}

/* The tones of the window: 0, 1 or 2 frequencies, ascending. */
static int analyse(const float *x, float *hz)
{
	float w[WINDOW], pw[BINS + 1], all = 0;
	memcpy(w, x, sizeof w);
	mc_fft_taper(w, BINS, 0);
	mc_fft_taper(w + BINS, BINS, 1);
	mc_fft_power(pw, w, WINDOW);
	size_t top = LOW_BIN + 1, second = 0, from, to;
	for (size_t k = LOW_BIN; k < BINS; k++) {
		all += pw[k];
		if (k > LOW_BIN && pw[k] > pw[top])
			top = k;
	}
	float energy = take(pw, top, &from, &to);
	if (all < ENERGY_MIN)
		return 0;
	/* a second peak: a local maximum two bins or more away */
	for (size_t k = LOW_BIN + 1; k < BINS - 1; k++) {
		if (pw[k] < SECOND * pw[top] || pw[k] < pw[k - 1] || pw[k] < pw[k + 1] ||
		    (k > top ? k - top : top - k) < 2)
			continue;
		if (!second || pw[k] > pw[second])
			second = k;
	}
	hz[0] = peak_hz(pw, top);
	hz[1] = 0;
	if (!second)
		return energy >= SHARE * all;
	for (size_t k = second > SIDE ? second - SIDE : 0; k <= second + SIDE && k <= BINS; k++) {
		if (k < from || k > to)
			energy += pw[k];
	}
	if (energy < SHARE * all)
		return 0;
	float other = peak_hz(pw, second);
	hz[1] = other > hz[0] ? other : hz[0];
	hz[0] = other < hz[0] ? other : hz[0];
	return 2;
}

static int near(float a, float b, float tol)
{
	return fabsf(a - b) <= tol;
}

static int find_row(const struct mc_tone *t, const float *hz)
{
	for (int i = 0; i < ROWS; i++) {
		const struct row *r = &rows[i];
		if ((hz[1] > 0) != (r->hz[1] > 0) || !near(hz[0], r->hz[0], r->tol_hz) ||
		    (r->hz[1] && !near(hz[1], r->hz[1], r->tol_hz)))
			continue;
		return t->cfg.mask >> r->kind & 1 ? i : -1;
	}
	return -1;
}

/* The window's centre of gravity makes the edges: a tone is seen from about 20 ms after its start
 * until about 40 ms after its end. */
static uint32_t length_ms(const struct segment *s)
{
	return (s->span - s->lost) * MC_TICK_MS;
}

static int emit(const struct mc_tone *t, struct mc_tone_event *e, const struct segment *s,
		enum mc_tone_kind kind, int start, uint32_t age)
{
	uint32_t back_ms = (s->lost + age) * MC_TICK_MS + 25;
	memset(e, 0, sizeof *e);
	e->kind = kind;
	e->start = (uint8_t)start;
	e->length_ms = length_ms(s);
	e->back_samples = (back_ms + (start ? e->length_ms : 0)) * (t->cfg.srate / 1000);
	e->hz[0] = (uint16_t)lrintf(s->hz[0]);
	e->hz[1] = (uint16_t)lrintf(s->hz[1]);
	return 1;
}

/* A tone on a reserved frequency, too short for its row: a beep after all. */
static int as_beep(const struct mc_tone *t, struct mc_tone_event *e, const struct segment *s,
		   uint32_t age)
{
	if (s->row < 0 || s->hz[1] > 0 || !(t->cfg.mask >> MC_TONE_BEEP & 1) ||
	    s->frames < SHORT_FRAMES || s->hz[0] > 2000)
		return 0;
	return emit(t, e, s, MC_TONE_BEEP, 0, age);
}

static int end_segment(struct mc_tone *t, struct mc_tone_event *e)
{
	struct segment *s = &t->seg;
	t->sounding = 0;
	if (s->told)
		return emit(t, e, s, (enum mc_tone_kind)rows[s->row].kind, 0, 0);
	if (s->row >= 0 && rows[s->row].kind == MC_TONE_SIT && s->frames >= SIT_FRAMES) {
		t->sit = *s;
		t->sit_age = 1;
		return 0;
	}
	return as_beep(t, e, s, 0);
}

/* After a first SIT tone: wait for the second (1370.6 or 1428.5 Hz), or call the first a beep. */
static int after_sit(struct mc_tone *t, struct mc_tone_event *e)
{
	if (!t->sit_age)
		return 0;
	uint32_t age = t->sit_age++;
	int second = t->sounding && t->seg.hz[1] <= 0 && near(t->seg.hz[0], 1400, 50);
	if (second && t->seg.frames >= SIT_FRAMES) {
		t->sit_age = 0;
		t->sit.span += age;
		t->seg.row = -1;
		t->seg.mute = 1;
		t->sit_tail = SIT_TAIL;
		return emit(t, e, &t->sit, MC_TONE_SIT, 1, 0);
	}
	if (second || age < SIT_WAIT)
		return 0;
	t->sit_age = 0;
	return as_beep(t, e, &t->sit, age - 1);
}

int mc_tone_frame(struct mc_tone *t, const int16_t *pcm, struct mc_tone_event *events, size_t cap)
{
	float x[WINDOW], hz[2] = {0, 0};
	struct segment *s = &t->seg;
	int n = 0;
	if (cap < MC_TONE_EVENTS)
		return MC_EINVAL;
	memcpy(x, t->old, sizeof t->old);
	mc_decim_frame(&t->decim, x + OLD, pcm);
	memcpy(t->old, x + MC_DECIM_FRAME, sizeof t->old);
	int found = analyse(x, hz);
	if (t->sit_tail)
		t->sit_tail--;
	if (t->sounding) {
		s->span++;
		if (found && near(hz[0], s->hz[0], STEADY_HZ) && near(hz[1], s->hz[1], STEADY_HZ)) {
			s->frames++;
			s->lost = 0;
			s->low_hz = s->frames == 2 ? hz[0] : fminf(s->low_hz, hz[0]);
			s->high_hz = s->frames == 2 ? hz[0] : fmaxf(s->high_hz, hz[0]);
			s->hz[0] += 0.3f * (hz[0] - s->hz[0]);
			s->hz[1] += 0.3f * (hz[1] - s->hz[1]);
			found = 0;
		} else {
			s->lost++;
			if (found || s->lost >= LOST)
				n += end_segment(t, events + n);
		}
	}
	if (found) {
		memset(s, 0, sizeof *s);
		s->hz[0] = hz[0];
		s->hz[1] = hz[1];
		s->frames = s->span = 1;
		s->mute = t->sit_tail && near(hz[0], 1777, 30);
		t->sounding = 1;
	}
	if (t->sounding && !s->told && !s->lost) {
		/* the frequency settles in the first windows: look it up until the start is told */
		int glides = s->hz[1] <= 0 && s->high_hz - s->low_hz > DRIFT_HZ;
		s->row = s->mute || glides ? -1 : find_row(t, s->hz);
		uint32_t need = s->row >= 0 ? rows[s->row].min_frames : 0;
		int wait = t->sit_age && near(s->hz[0], 1400, 50);
		if (need && s->frames >= need && !wait) {
			s->told = 1;
			n += emit(t, events + n, s, (enum mc_tone_kind)rows[s->row].kind, 1, 0);
		}
	}
	n += after_sit(t, events + n);
	MC_ASSERT(n <= MC_TONE_EVENTS);
	return n;
}
