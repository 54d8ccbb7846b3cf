/* mc_vad: see the header. */
#include "mc_vad.h"
#include "mc_decim.h"
#include "mc_fft.h"
#include "mc_simd.h"
#include "mc_vad_net.h"

#include <math.h>

enum {
	BANDS = 16,
	FRAME = MC_DECIM_FRAME,
	WINDOW = 256,
	OLD = WINDOW - FRAME,
	SUBS = 8,        /* the floor's memory: 8 sub-windows ... */
	SUB_FRAMES = 15, /* ... of 0.3 s */
	LOW_N = 96,      /* the 2 kHz signal for the pitch: 48 ms */
	LOW_NEW = FRAME / 4,
	LOW_TAPS = 16,
	SEGMENT = 48, /* correlated against its past */
	LAG_MIN = 5,  /* 400 Hz */
	LAG_MAX = 33, /* 60 Hz */
	ONSET_DEFAULT = 2,
	HANGOVER_DEFAULT_MS = 300,
};

/* Edges of the bands in bins of 31.25 Hz: 94 to 3875 Hz. */
static const uint8_t band_edge[BANDS + 1] = {3,  5,  7,  9,  11, 14, 17, 21, 25,
					     30, 36, 44, 53, 64, 78, 95, 124};

/* Low-pass at 0.9 kHz for the step from 8 to 2 kHz. */
static const float low_taps[LOW_TAPS] = {-0.0040f, -0.0075f, -0.0068f, 0.0115f, 0.0533f, 0.1102f,
					 0.1606f,  0.1827f,  0.1827f,  0.1606f, 0.1102f, 0.0533f,
					 0.0115f,  -0.0068f, -0.0075f, -0.0040f};

/* A bin of white noise at -70 dBov (variance 107) through the window (energy 160): nothing below
 * it counts, which keeps digital silence and idle G.711 in one place. */
#define BIN_FLOOR 17000.0f
/* Mean of a smoothed band above its minimum over 2.4 s of stationary noise, log2 units. */
#define FLOOR_BIAS 0.7f
/* No floor above white noise of -50 dBov is believed before the first sub-window is full. */
#define FLOOR_START 6.6f

struct mc_vad {
	struct mc_vad_cfg cfg;
	uint32_t hangover_frames;
	struct mc_decim decim;
	/* cleared by reset */
	float old[OLD];
	float low[LOW_N];
	float low_x1, low_y1;
	float last[BANDS];   /* levels, log2 over BIN_FLOOR, of the frame before */
	float smooth[BANDS]; /* ... smoothed, from which the minima are taken */
	float mean[BANDS];   /* ... over about 1.3 s */
	float now_min[BANDS], old_min[BANDS];
	float sub_min[SUBS][BANDS];
	float noise[BANDS];
	float features[MC_VAD_FEATURES];
	float last_r, last_lag;
	float slow_change, slow_r, slow_jump, slow_peak, slow_snr;
	uint32_t sub, sub_frame, subs_full;
	int started;
	/* the gate */
	int active;
	uint32_t recent; /* one bit per frame, newest lowest */
	uint32_t seen;   /* frames since the last edge, saturating */
	uint32_t quiet;
	int16_t peak_q15;
	struct mc_vad_stats stats;
};

static int cfg_fix(struct mc_vad_cfg *cfg)
{
	if (!mc_srate_ok(cfg->srate) || cfg->threshold_q15 < 0 ||
	    cfg->onset_frames > MC_VAD_ONSET_MAX)
		return MC_EINVAL;
	if (!cfg->threshold_q15)
		cfg->threshold_q15 = 16384;
	if (!cfg->onset_frames)
		cfg->onset_frames = ONSET_DEFAULT;
	if (!cfg->hangover_ms)
		cfg->hangover_ms = HANGOVER_DEFAULT_MS;
	return MC_OK;
}

size_t mc_vad_size(const struct mc_vad_cfg *cfg)
{
	(void)cfg;
	return mc_align(sizeof(struct mc_vad));
}

int mc_vad_init(struct mc_vad **out, void *mem, size_t size, const struct mc_vad_cfg *cfg)
{
	if (!out || !mem || !cfg || (uintptr_t)mem % 16)
		return MC_EINVAL;
	struct mc_vad_cfg c = *cfg;
	if (cfg_fix(&c))
		return MC_EINVAL;
	if (size < mc_vad_size(cfg))
		return MC_ENOMEM;
	struct mc_vad *vad = mem;
	memset(vad, 0, sizeof *vad);
	vad->cfg = c;
	vad->hangover_frames = (c.hangover_ms + MC_TICK_MS - 1u) / MC_TICK_MS;
	if (mc_decim_init(&vad->decim, c.srate))
		return MC_EINVAL;
	mc_vad_reset(vad);
	*out = vad;
	return MC_OK;
}

void mc_vad_reset(struct mc_vad *vad)
{
	mc_decim_reset(&vad->decim);
	memset((uint8_t *)vad + offsetof(struct mc_vad, old), 0,
	       sizeof *vad - offsetof(struct mc_vad, old));
}

static inline float clampf(float x, float lo, float hi)
{
	return x < lo ? lo : x > hi ? hi : x;
}

static void bands(const float *x, float *energy, float *peak)
{
	float w[WINDOW], pw[WINDOW / 2 + 1];
	memcpy(w, x, sizeof w);
	/* rise over 128 samples, fall over the newest 64: quick to see an onset, smooth enough to
	 * keep the bands apart */
	mc_fft_taper(w, 128, 0);
	mc_fft_taper(w + WINDOW - 64, 64, 1);
	mc_fft_power(pw, w, WINDOW);
	for (size_t b = 0; b < BANDS; b++) {
		float sum = 0;
		for (size_t k = band_edge[b]; k < band_edge[b + 1]; k++)
			sum += pw[k];
		energy[b] = sum;
	}
	/* how far the highest bin of 190..2000 Hz stands out of their mean */
	float top = 0, sum = 0;
	for (size_t k = 6; k < 64; k++) {
		sum += pw[k];
		if (pw[k] > top)
			top = pw[k];
	}
	*peak = (top + BIN_FLOOR) / (sum / 58 + BIN_FLOOR);
}

/* Best normalised autocorrelation of the newest 24 ms with their past. */
static float pitch(struct mc_vad *vad, const float *x, float *lag)
{
	memmove(vad->low, vad->low + LOW_NEW, (LOW_N - LOW_NEW) * sizeof *vad->low);
	for (size_t i = 0; i < LOW_NEW; i++) {
		float y = mc_dot(low_taps, x + WINDOW - FRAME + 4 * (i + 1) - LOW_TAPS, LOW_TAPS);
		vad->low_y1 = y - vad->low_x1 + 0.8f * vad->low_y1;
		vad->low_x1 = y;
		vad->low[LOW_N - LOW_NEW + i] = vad->low_y1;
	}
	const float *s = vad->low + LOW_N - SEGMENT;
	const float floor_energy = 107.0f * SEGMENT / 4;
	float e0 = mc_dot(s, s, SEGMENT) + floor_energy, best = 0;
	float e = mc_dot(s - LAG_MIN, s - LAG_MIN, SEGMENT) + floor_energy;
	*lag = 0;
	for (int t = LAG_MIN; t <= LAG_MAX; t++) {
		float r = mc_dot(s, s - t, SEGMENT);
		/* r > 0 and r^2 / (e0 e) > best^2, without a root per lag */
		float score = r > 0 ? r * r / (e0 * e) : 0;
		if (score > best) {
			best = score;
			*lag = (float)t;
		}
		float in = s[-t - 1], out = s[SEGMENT - t - 1];
		e += in * in - out * out;
		if (e < floor_energy)
			e = floor_energy;
	}
	return sqrtf(best);
}

static void track(struct mc_vad *vad, const float *level)
{
	for (size_t b = 0; b < BANDS; b++) {
		if (!vad->started) {
			vad->smooth[b] = vad->mean[b] = vad->last[b] = level[b];
			vad->now_min[b] = vad->old_min[b] = level[b];
		}
		vad->smooth[b] += 0.4f * (level[b] - vad->smooth[b]);
		vad->mean[b] += 0.015f * (level[b] - vad->mean[b]);
		vad->now_min[b] = fminf(vad->now_min[b], vad->smooth[b]);
		float min = fminf(vad->now_min[b], vad->old_min[b]);
		if (!vad->subs_full)
			min = fminf(min, FLOOR_START);
		vad->noise[b] = fmaxf(min + FLOOR_BIAS, 0);
	}
	vad->started = 1;
	if (++vad->sub_frame < SUB_FRAMES)
		return;
	vad->sub_frame = 0;
	memcpy(vad->sub_min[vad->sub], vad->now_min, sizeof vad->now_min);
	vad->sub = (vad->sub + 1) % SUBS;
	if (vad->subs_full < SUBS)
		vad->subs_full++;
	memcpy(vad->old_min, vad->sub_min[0], sizeof vad->old_min);
	for (size_t i = 1; i < vad->subs_full; i++) {
		for (size_t b = 0; b < BANDS; b++)
			vad->old_min[b] = fminf(vad->old_min[b], vad->sub_min[i][b]);
	}
	memcpy(vad->now_min, vad->smooth, sizeof vad->now_min);
}

static void features(struct mc_vad *vad, const float *x)
{
	float energy[BANDS], level[BANDS], peak, lag, total = 0, mean = 0;
	float *f = vad->features;
	bands(x, energy, &peak);
	float r = pitch(vad, x, &lag);
	for (size_t b = 0; b < BANDS; b++) {
		float ref = (float)(band_edge[b + 1] - band_edge[b]) * BIN_FLOOR;
		level[b] = log2f(energy[b] / ref + 1);
		total += energy[b];
		mean += level[b] / BANDS;
	}
	track(vad, level);
	float snr_max = 0, snr_sum = 0, change = 0, rise = 0, off_mean = 0;
	for (size_t b = 0; b < BANDS; b++) {
		float snr = clampf(level[b] - vad->noise[b], -1, 14);
		float d = clampf(level[b] - vad->last[b], -8, 8);
		f[b] = snr / 4;
		f[BANDS + b] = clampf((level[b] - mean) / 4, -3, 3);
		f[2 * BANDS + b] = d / 4;
		if (snr > snr_max)
			snr_max = snr;
		snr_sum += snr / BANDS;
		change += fabsf(d) / BANDS;
		rise += (d > 0 ? d : 0) / BANDS;
		off_mean += (level[b] - vad->mean[b]) / BANDS;
		vad->last[b] = level[b];
	}
	float peak_log = log2f(peak);
	float jump = lag > 0 && vad->last_lag > 0 ? fabsf(lag - vad->last_lag) / (lag + 4) : 1;
	jump = clampf(jump, 0, 1);
	float *g = f + 3 * BANDS;
	g[0] = snr_max / 4;
	g[1] = (log2f(total + 121 * BIN_FLOOR) - 21) / 6;
	g[2] = r;
	g[3] = lag / 32;
	g[4] = jump;
	g[5] = vad->last_r;
	g[6] = peak_log / 4;
	g[7] = vad->slow_change;
	g[8] = vad->slow_r;
	g[9] = vad->slow_jump;
	g[10] = vad->slow_peak / 4;
	g[11] = vad->slow_snr / 4;
	g[12] = clampf(off_mean / 4, -3, 3);
	g[13] = rise / 2;
	g[14] = change / 2;
	g[15] = snr_sum / 4;
	vad->slow_change += 0.05f * (change - vad->slow_change);
	vad->slow_r += 0.07f * (r - vad->slow_r);
	vad->slow_jump += 0.07f * (jump - vad->slow_jump);
	vad->slow_peak += 0.07f * (peak_log - vad->slow_peak);
	vad->slow_snr += 0.2f * (snr_sum - vad->slow_snr);
	vad->last_r = r;
	vad->last_lag = lag;
}

static float network(const float *x)
{
	float a[VAD_NET_H1], b[VAD_NET_H2];
	for (size_t i = 0; i < VAD_NET_H1; i++) {
		float v = mc_dot(vad_net_w1 + i * MC_VAD_FEATURES, x, MC_VAD_FEATURES) +
			  vad_net_b1[i];
		a[i] = v > 0 ? v : 0;
	}
	for (size_t i = 0; i < VAD_NET_H2; i++) {
		float v = mc_dot(vad_net_w2 + i * VAD_NET_H1, a, VAD_NET_H1) + vad_net_b2[i];
		b[i] = v > 0 ? v : 0;
	}
	float v = mc_dot(vad_net_w3, b, VAD_NET_H2) + vad_net_b3;
	return 1.0f / (1.0f + expf(-v));
}

int mc_vad_frame(struct mc_vad *vad, const int16_t *pcm)
{
	float x[WINDOW];
	memcpy(x, vad->old, sizeof vad->old);
	mc_decim_frame(&vad->decim, x + OLD, pcm);
	memcpy(vad->old, x + FRAME, sizeof vad->old);
	features(vad, x);
	return (int)(32767.0f * network(vad->features));
}

enum mc_vad_kind mc_vad_speech(struct mc_vad *vad, int prob_q15, struct mc_vad_edge *edge)
{
	const uint32_t frame = (uint32_t)mc_frame_samples(vad->cfg.srate);
	const uint32_t need = vad->cfg.onset_frames, span = need > 1 ? need + 1 : 1;
	int hit = prob_q15 >= vad->cfg.threshold_q15;
	enum mc_vad_kind kind = MC_VAD_NONE;
	uint32_t back = 0;
	vad->stats.frames++;
	vad->stats.speech_frames += (uint32_t)hit;
	if (prob_q15 > vad->peak_q15)
		vad->peak_q15 = mc_sat16(prob_q15);
	if (!vad->active) {
		vad->recent = vad->recent << 1 | (uint32_t)hit;
		uint32_t bits = vad->recent & ((1u << span) - 1), count = 0, first = 0;
		for (uint32_t i = 0; i < span; i++) {
			if (bits >> i & 1) {
				count++;
				first = i + 1;
			}
		}
		if (hit && count >= need) {
			kind = MC_VAD_START;
			back = first * frame;
			vad->active = 1;
			vad->quiet = 0;
			vad->stats.starts++;
		}
	} else {
		vad->quiet = prob_q15 < vad->cfg.threshold_q15 * 3 / 4 ? vad->quiet + 1 : 0;
		if (vad->quiet >= vad->hangover_frames) {
			kind = MC_VAD_END;
			back = vad->quiet * frame;
			vad->active = 0;
			vad->recent = 0;
			vad->stats.ends++;
		}
	}
	if (kind != MC_VAD_NONE) {
		if (edge) {
			edge->back_samples = back;
			edge->peak_q15 = vad->peak_q15;
		}
		vad->peak_q15 = 0;
	}
	return kind;
}

int mc_vad_active(const struct mc_vad *vad)
{
	return vad->active;
}

float mc_vad_noise_dbov(const struct mc_vad *vad)
{
	float sum = 0;
	if (!vad->started)
		return -96.0f;
	for (size_t b = 0; b < BANDS; b++) {
		float ref = (float)(band_edge[b + 1] - band_edge[b]) * BIN_FLOOR;
		sum += (exp2f(vad->noise[b]) - 1) * ref;
	}
	/* the window's energy is 160, and a bin counts for its mirror image too */
	return 10 * log10f((sum + BIN_FLOOR) / 160 / 128 / (32768.0f * 32768.0f));
}

const float *mc_vad_features(const struct mc_vad *vad)
{
	return vad->features;
}

void mc_vad_get_stats(const struct mc_vad *vad, struct mc_vad_stats *stats)
{
	*stats = vad->stats;
}
