#include "mc_rx.h"

#include "mc_cng.h"
#include "mc_pitch.h"
#include "mc_plc.h"
#include "mc_stretch.h"

#include <math.h>
#include <string.h>

enum {
	STEPS_MAX = 4 * MC_JBUF_SLOTS_MAX, /* packets and holes looked at in one pull */
	NOISE_FADE_US = 5000,
	OWN_STEP_MS = 10, /* codecs conceal in multiples of this */
	COOL_TICKS = 3,   /* between two careful stretches inside speech */
};
#define CAREFUL_SCORE 0.85f
#define HURRY_SCORE 0.5f
#define QUIET_FLOOR 24.0f    /* RMS that is always quiet: −63 dBov */
#define QUIET_CEILING 330.0f /* and never quiet: −40 dBov */

struct mc_rx {
	const struct mc_codec *codec;
	uint32_t srate;
	uint32_t frame;      /* samples per tick */
	uint32_t hist;       /* samples of history at the head of the line */
	uint32_t line_cap;   /* samples, history included */
	uint32_t max_packet; /* samples */
	struct mc_jbuf *jbuf;
	struct mc_plc *plc;
	struct mc_cng *cng;
	void *dec;
	int16_t *line;
	/* cleared by reset */
	struct mc_rx_stats stats;
	uint32_t held;    /* decoded, unplayed samples after the history */
	uint32_t last_ts; /* of the last frame, once has_ts */
	int has_ts;
	uint32_t cool;        /* ticks until the next careful stretch */
	int started;          /* something has been played */
	int restarted;        /* the next packet played begins a new time base */
	int noisy;            /* the line ends in comfort noise */
	int told_noise;       /* the noise is the sender's, from a CN packet */
	int own_conceal;      /* the codec concealed: no cross-fade of ours */
	uint32_t waited;      /* samples concealed since nothing has come */
	uint32_t paused;      /* of them taken for a pause, until the sequence says otherwise */
	uint32_t lost_before; /* packets, when it was */
};

struct layout {
	size_t jbuf, plc, cng, dec, line, total;
	uint32_t hist, line_cap;
};

static void parts(const struct mc_rx_cfg *cfg, struct mc_jbuf_cfg *j, struct mc_plc_cfg *p,
		  struct mc_cng_cfg *c)
{
	*j = (struct mc_jbuf_cfg){.clock_rate = cfg->codec->clock_rate,
				  .slots = cfg->slots,
				  .slot_bytes = cfg->slot_bytes,
				  .min_ms = cfg->min_ms,
				  .max_ms = cfg->max_ms,
				  .start_ms = cfg->start_ms};
	*p = (struct mc_plc_cfg){.srate = cfg->srate, .seed = cfg->seed ^ 0x9e3779b9u};
	*c = (struct mc_cng_cfg){.srate = cfg->srate, .seed = cfg->seed};
}

static uint32_t packet_ms(const struct mc_rx_cfg *cfg)
{
	return cfg->max_packet_ms ? cfg->max_packet_ms : 60;
}

/* Bytes for a decoder of any of the codecs. */
static size_t dec_bytes(const struct mc_rx_cfg *cfg)
{
	size_t most = cfg->codec->dec_size ? cfg->codec->dec_size(cfg->srate) : 0;
	for (size_t i = 0; i < cfg->other_count; i++) {
		const struct mc_codec *codec = cfg->others[i];
		size_t n = codec->dec_size ? codec->dec_size(cfg->srate) : 0;
		most = n > most ? n : most;
	}
	return most;
}

static int lay_out(const struct mc_rx_cfg *cfg, struct layout *l)
{
	struct mc_jbuf_cfg j;
	struct mc_plc_cfg p;
	struct mc_cng_cfg c;
	if (cfg->codec == NULL || !mc_srate_ok(cfg->srate) || packet_ms(cfg) < MC_TICK_MS ||
	    packet_ms(cfg) > 120)
		return MC_EINVAL;
	parts(cfg, &j, &p, &c);
	if (mc_jbuf_size(&j) == 0)
		return MC_EINVAL;
	uint32_t ms = cfg->srate / 1000;
	l->hist = MC_PLC_HIST_US / 1000 * ms;
	/* A frame less one sample, two packets, and a period inserted. */
	l->line_cap = l->hist + (MC_TICK_MS + 2 * packet_ms(cfg) + MC_PITCH_MAX_US / 1000) * ms;
	l->jbuf = mc_align(sizeof(struct mc_rx));
	l->plc = l->jbuf + mc_align(mc_jbuf_size(&j));
	l->cng = l->plc + mc_align(mc_plc_size(&p));
	l->dec = l->cng + mc_align(mc_cng_size(&c));
	l->line = l->dec + mc_align(dec_bytes(cfg));
	l->total = l->line + mc_align(l->line_cap * sizeof(int16_t));
	return MC_OK;
}

size_t mc_rx_size(const struct mc_rx_cfg *cfg)
{
	struct layout l;
	return lay_out(cfg, &l) ? 0 : l.total;
}

int mc_rx_init(struct mc_rx **out, void *mem, size_t size, const struct mc_rx_cfg *cfg)
{
	struct layout l;
	struct mc_jbuf_cfg j;
	struct mc_plc_cfg p;
	struct mc_cng_cfg c;
	if (lay_out(cfg, &l))
		return MC_EINVAL;
	if (size < l.total)
		return MC_ENOMEM;
	parts(cfg, &j, &p, &c);
	struct mc_rx *rx = mem;
	uint8_t *base = mem;
	memset(rx, 0, sizeof *rx);
	rx->codec = cfg->codec;
	rx->srate = cfg->srate;
	rx->frame = (uint32_t)mc_frame_samples(cfg->srate);
	rx->hist = l.hist;
	rx->line_cap = l.line_cap;
	rx->max_packet = packet_ms(cfg) * cfg->srate / 1000;
	rx->dec = base + l.dec;
	rx->line = (int16_t *)(void *)(base + l.line);
	int rc = mc_jbuf_init(&rx->jbuf, base + l.jbuf, l.plc - l.jbuf, &j);
	if (rc == MC_OK)
		rc = mc_plc_init(&rx->plc, base + l.plc, l.cng - l.plc, &p);
	if (rc == MC_OK)
		rc = mc_cng_init(&rx->cng, base + l.cng, l.dec - l.cng, &c);
	for (size_t i = 0; i < cfg->other_count && rc == MC_OK; i++)
		if (cfg->others[i]->dec_init)
			rc = cfg->others[i]->dec_init(rx->dec, rx->srate);
	if (rc == MC_OK && cfg->codec->dec_init)
		rc = cfg->codec->dec_init(rx->dec, rx->srate);
	if (rc < 0)
		return rc;
	mc_rx_reset(rx);
	*out = rx;
	return MC_OK;
}

/* dec_init succeeded with the same arguments at init, so it does again. */
static void new_decoder(struct mc_rx *rx)
{
	if (rx->codec->dec_init) {
		int rc = rx->codec->dec_init(rx->dec, rx->srate);
		MC_ASSERT(rc >= 0);
		(void)rc;
	}
}

void mc_rx_reset(struct mc_rx *rx)
{
	mc_jbuf_reset(rx->jbuf);
	mc_plc_reset(rx->plc);
	mc_cng_reset(rx->cng);
	new_decoder(rx);
	memset(rx->line, 0, rx->line_cap * sizeof *rx->line);
	memset(&rx->stats, 0, sizeof rx->stats);
	rx->held = 0;
	rx->last_ts = 0;
	rx->has_ts = 0;
	rx->cool = rx->waited = rx->paused = rx->lost_before = 0;
	rx->started = rx->restarted = rx->noisy = rx->told_noise = rx->own_conceal = 0;
}

void mc_rx_restart(struct mc_rx *rx)
{
	mc_jbuf_restart(rx->jbuf);
	new_decoder(rx);
	rx->restarted = rx->has_ts;
	rx->told_noise = 0;
}

void mc_rx_change(struct mc_rx *rx, const struct mc_codec *codec)
{
	rx->codec = codec;
	mc_jbuf_set_clock(rx->jbuf, codec->clock_rate);
	mc_rx_restart(rx);
}

static uint32_t to_ts(const struct mc_rx *rx, uint64_t samples)
{
	return (uint32_t)(samples * rx->codec->clock_rate / rx->srate);
}

static uint32_t to_samples(const struct mc_rx *rx, uint64_t ts)
{
	return (uint32_t)(ts * rx->srate / rx->codec->clock_rate);
}

/* Ticks that cover the samples, rounded up: never none. */
static uint32_t want_ts(const struct mc_rx *rx, uint32_t samples)
{
	return to_ts(rx, (uint64_t)samples + (rx->srate - 1) / rx->codec->clock_rate);
}

int mc_rx_put(struct mc_rx *rx, const uint8_t *payload, size_t n, enum mc_jbuf_kind kind,
	      uint16_t seq, uint32_t ts, uint64_t now_us)
{
	uint32_t dur_ts = 0;
	if (kind == MC_JBUF_AUDIO) {
		int samples = rx->codec->samples(payload, n, rx->srate);
		if (samples <= 0 || (uint32_t)samples > rx->max_packet) {
			rx->stats.undecodable++;
			return MC_EBADMSG;
		}
		dur_ts = to_ts(rx, (uint64_t)samples);
	} else if (n == 0) {
		rx->stats.undecodable++;
		return MC_EBADMSG;
	}
	struct mc_jbuf_stats was, is;
	mc_jbuf_stats(rx->jbuf, &was);
	int rc = mc_jbuf_put(rx->jbuf, seq, ts, dur_ts, kind, payload, n, now_us);
	mc_jbuf_stats(rx->jbuf, &is);
	if (is.resets != was.resets) {
		new_decoder(rx);
		rx->restarted = rx->has_ts;
		rx->told_noise = 0;
	}
	return rc;
}

void mc_rx_other(struct mc_rx *rx, uint16_t seq)
{
	mc_jbuf_other(rx->jbuf, seq);
}

/* --- filling the line ------------------------------------------------------------------- */

static int16_t *tail(struct mc_rx *rx)
{
	return rx->line + rx->hist + rx->held;
}

static uint32_t room(const struct mc_rx *rx)
{
	return rx->line_cap - rx->hist - rx->held;
}

/* Comfort noise of n samples at the tail. */
static void add_noise(struct mc_rx *rx, uint32_t n)
{
	if (!rx->noisy) {
		if (!rx->told_noise)
			mc_cng_background(rx->cng);
		/* After a concealment the noise is already under it. */
		if (mc_plc_run(rx->plc) == 0)
			mc_cng_start(rx->cng);
		/* What was heard runs out under the first noise. */
		mc_plc_conceal(rx->plc, tail(rx), 0, rx->line, rx->hist + rx->held);
		mc_cng_generate(rx->cng, tail(rx), n);
		mc_plc_merge(rx->plc, tail(rx), n);
		rx->noisy = 1;
	} else {
		mc_cng_generate(rx->cng, tail(rx), n);
	}
	rx->own_conceal = 0;
	rx->held += n;
}

/* Audio of n samples was written at the tail: join it to what is before. */
static void join(struct mc_rx *rx, int16_t *pcm, uint32_t n, int jump)
{
	if (rx->noisy) {
		int16_t noise[(size_t)NOISE_FADE_US * (MC_SRATE_MAX / 1000) / 1000];
		uint32_t fade = (uint32_t)((uint64_t)NOISE_FADE_US * rx->srate / 1000000u);
		if (fade > n)
			fade = n;
		mc_cng_generate(rx->cng, noise, fade);
		for (uint32_t i = 0; i < fade; i++) {
			float w = ((float)i + 0.5f) / (float)fade;
			pcm[i] = (int16_t)lrintf((float)noise[i] * (1.0f - w) + (float)pcm[i] * w);
		}
		rx->noisy = 0;
		mc_plc_reset(rx->plc);
	} else if (jump && !rx->own_conceal && mc_plc_run(rx->plc) == 0 && rx->started) {
		mc_plc_conceal(rx->plc, pcm, 0, rx->line, rx->hist + rx->held);
	}
	mc_plc_merge(rx->plc, pcm, n);
	rx->own_conceal = 0;
	rx->told_noise = 0;
}

/* About n samples of concealment at the tail (codecs that conceal do so in whole steps). */
static uint32_t add_concealment(struct mc_rx *rx, uint32_t n, const struct mc_jbuf_next *next)
{
	int16_t *pcm = tail(rx);
	if (rx->codec->conceal) {
		uint32_t step = rx->srate * OWN_STEP_MS / 1000;
		uint32_t whole = (n + step - 1) / step * step;
		if (whole > room(rx))
			whole = room(rx) / step * step;
		int got = whole ? rx->codec->conceal(rx->dec, pcm, whole, next->payload,
						     next->payload_len)
				: 0;
		if (got > 0 && (uint32_t)got <= whole) {
			rx->held += (uint32_t)got;
			rx->own_conceal = 1;
			rx->noisy = 0;
			return (uint32_t)got;
		}
	}
	if (n > room(rx))
		n = room(rx);
	if (rx->noisy) { /* a hole inside a pause: the noise goes on */
		add_noise(rx, n);
		return n;
	}
	float from = 1.0f - mc_plc_gain(rx->plc);
	if (mc_plc_run(rx->plc) == 0) {
		mc_cng_background(rx->cng);
		mc_cng_start(rx->cng);
	}
	mc_plc_conceal(rx->plc, pcm, n, rx->line, rx->hist + rx->held);
	mc_cng_add(rx->cng, pcm, n, from, 1.0f - mc_plc_gain(rx->plc));
	rx->held += n;
	return n;
}

/* One packet; return the samples that had to be concealed because it did not decode. */
static uint32_t add_packet(struct mc_rx *rx, const struct mc_jbuf_next *next)
{
	int16_t *pcm = tail(rx);
	int got = rx->codec->decode(rx->dec, pcm, room(rx), next->payload, next->payload_len);
	uint32_t want = to_samples(rx, next->len_ts), skip = to_samples(rx, next->skip_ts);
	if (got <= 0 || (uint32_t)got > room(rx)) {
		rx->stats.undecodable++;
		struct mc_jbuf_next none = {.op = MC_JBUF_LOST};
		return want > skip ? add_concealment(rx, want - skip, &none) : 0;
	}
	uint32_t n = (uint32_t)got;
	for (uint32_t i = 0; i < n; i += rx->frame)
		mc_cng_observe(rx->cng, pcm + i, n - i < rx->frame ? n - i : rx->frame);
	if (skip >= n)
		return 0;
	if (skip)
		memmove(pcm, pcm + skip, (n - skip) * sizeof *pcm);
	join(rx, pcm, n - skip, next->jump);
	rx->held += n - skip;
	rx->started = 1;
	return 0;
}

/* A packet to play, of either kind; return the samples concealed in its place. */
static uint32_t take(struct mc_rx *rx, const struct mc_jbuf_next *next)
{
	if (next->kind == MC_JBUF_AUDIO)
		return add_packet(rx, next);
	if (mc_cng_payload(rx->cng, next->payload, next->payload_len) == MC_OK) {
		rx->told_noise = 1;
		rx->started = 1;
	}
	return 0;
}

/* --- time-stretch ----------------------------------------------------------------------- */

static int is_quiet(const struct mc_rx *rx, uint32_t n)
{
	const int16_t *pcm = rx->line + rx->hist;
	int64_t sum = 0;
	for (uint32_t i = 0; i < n; i++)
		sum += (int32_t)pcm[i] * pcm[i];
	float rms = n ? sqrtf((float)sum / (float)n) : 0.0f;
	float bg = mc_cng_background_rms(rx->cng);
	float limit = bg * 2.0f;
	limit = limit < QUIET_FLOOR ? QUIET_FLOOR : limit > QUIET_CEILING ? QUIET_CEILING : limit;
	return rms <= limit;
}

/* Follow the advice of the jitter buffer on a line that holds at least a frame of audio. */
static int stretch(struct mc_rx *rx, uint64_t now_us)
{
	uint32_t most_ts;
	enum mc_jbuf_advice advice = mc_jbuf_advise(rx->jbuf, now_us, to_ts(rx, rx->held),
						    to_ts(rx, rx->frame), &most_ts);
	if (rx->cool)
		rx->cool--;
	if (advice == MC_JBUF_KEEP)
		return 0;
	int quiet = is_quiet(rx, rx->held);
	struct mc_stretch_opt opt = {
		.srate = rx->srate, .min_score = CAREFUL_SCORE, .quiet = quiet};
	int16_t *pcm = rx->line + rx->hist;
	if (advice == MC_JBUF_EXPAND) {
		size_t n = mc_stretch_expand(pcm, rx->held, rx->line_cap - rx->hist, rx->line,
					     rx->hist, &opt);
		uint32_t more = (uint32_t)n - rx->held;
		rx->held = (uint32_t)n;
		rx->stats.expanded_samples += more;
		rx->stats.expansions += more != 0;
		return (int)more;
	}
	if (!quiet && (advice == MC_JBUF_TRIM || (advice == MC_JBUF_ACCELERATE && rx->cool)))
		return 0;
	if (advice == MC_JBUF_HURRY)
		opt.min_score = HURRY_SCORE;
	opt.max_samples = to_samples(rx, most_ts);
	uint32_t period = (uint32_t)mc_pitch_max(rx->srate);
	if (rx->held < rx->frame + period && advice != MC_JBUF_TRIM && mc_jbuf_ready(rx->jbuf) &&
	    room(rx) >= rx->max_packet) {
		uint8_t scratch[MC_PACKET_MAX];
		struct mc_jbuf_next next;
		mc_jbuf_get(rx->jbuf, now_us, 0, scratch, &next);
		/* It need not be the one that was ready: get may drop packets to catch up. */
		if (next.op == MC_JBUF_PLAY)
			rx->stats.concealed_samples += take(rx, &next);
	}
	/* Never so much that this frame would fall short. */
	if (opt.max_samples > rx->held - rx->frame)
		opt.max_samples = rx->held - rx->frame;
	if (opt.max_samples < mc_pitch_min(rx->srate))
		return 0;
	size_t n = mc_stretch_accelerate(pcm, rx->held, &opt);
	uint32_t less = rx->held - (uint32_t)n;
	rx->held = (uint32_t)n;
	rx->stats.accelerated_samples += less;
	rx->stats.accelerations += less != 0;
	if (less && !quiet)
		rx->cool = COOL_TICKS;
	return -(int)less;
}

static uint32_t lost_packets(const struct mc_rx *rx)
{
	struct mc_jbuf_stats jb;
	mc_jbuf_stats(rx->jbuf, &jb);
	return jb.lost;
}

/* So long nothing has come that the sender must be silent on purpose, or gone. */
static void begin_pause(struct mc_rx *rx)
{
	if (rx->waited == 0)
		return;
	rx->paused += rx->waited;
	rx->stats.paused_samples += rx->waited;
	rx->lost_before = lost_packets(rx);
	rx->waited = 0;
}

/* Something came: it tells what the silence was. */
static void end_pause(struct mc_rx *rx)
{
	if (rx->paused && lost_packets(rx) != rx->lost_before)
		rx->stats.paused_samples -= rx->paused;
	rx->waited = rx->paused = 0;
}

/* --- one frame -------------------------------------------------------------------------- */

void mc_rx_pull(struct mc_rx *rx, int16_t *pcm, uint64_t now_us, struct mc_rx_info *info)
{
	uint8_t scratch[MC_PACKET_MAX];
	memset(info, 0, sizeof *info);
	uint32_t concealed = 0, noise = 0, ts = mc_jbuf_position(rx->jbuf) - to_ts(rx, rx->held);
	int first = 1, anew = 0, had_ts = rx->has_ts;
	if (rx->held)
		info->flags |= MC_RX_AUDIO;
	for (int i = 0; rx->held < rx->frame; i++) {
		struct mc_jbuf_next next;
		uint32_t need = rx->frame - rx->held, was = rx->held;
		if (i >= STEPS_MAX) {
			add_noise(rx, need);
			noise += need;
			break;
		}
		mc_jbuf_get(rx->jbuf, now_us, want_ts(rx, need), scratch, &next);
		switch (next.op) {
		case MC_JBUF_PLAY:
			/* The first packet of a time base says where the frame begins. */
			if (rx->restarted || !rx->has_ts || (first && was == 0))
				ts = next.ts + next.skip_ts - to_ts(rx, was);
			anew |= rx->restarted;
			rx->restarted = 0;
			rx->has_ts = 1;
			end_pause(rx);
			concealed += take(rx, &next);
			if (rx->held > was)
				info->flags |= MC_RX_AUDIO;
			break;
		case MC_JBUF_LOST:
			/* A hole may end in a fraction of a sample when the clock is finer. */
			need = to_samples(rx, next.len_ts);
			if (need)
				concealed += add_concealment(rx, need, &next);
			break;
		case MC_JBUF_WAIT:
			need = add_concealment(rx, need, &next);
			concealed += need;
			rx->waited += need;
			break;
		case MC_JBUF_IDLE:
			begin_pause(rx);
			if (!rx->started) {
				memset(tail(rx), 0, need * sizeof *rx->line);
				rx->held += need;
				info->flags |= MC_RX_BEFORE;
			} else {
				add_noise(rx, need);
				noise += need;
			}
			break;
		}
		first = first && rx->held == was;
	}
	int change = 0;
	if (concealed == 0 && noise == 0 && !(info->flags & MC_RX_BEFORE))
		change = stretch(rx, now_us);

	memcpy(pcm, rx->line + rx->hist, rx->frame * sizeof *pcm);
	memmove(rx->line, rx->line + rx->frame,
		(rx->hist + rx->held - rx->frame) * sizeof *rx->line);
	rx->held -= rx->frame;

	if (concealed > rx->frame)
		concealed = rx->frame;
	if (concealed)
		info->flags |= MC_RX_CONCEALED;
	if (noise)
		info->flags |= MC_RX_NOISE;
	if (anew)
		info->flags |= MC_RX_RESTARTED;
	else if (had_ts && (int32_t)(ts - rx->last_ts) < 0)
		ts = rx->last_ts;
	rx->last_ts = ts;
	rx->stats.frames++;
	rx->stats.concealed_samples += concealed;
	rx->stats.noise_samples += noise;
	info->ts = ts;
	info->concealed_samples = (uint16_t)concealed;
	info->noise_samples = (uint16_t)noise;
	info->stretch_samples = (int16_t)change;
	struct mc_jbuf_stats jb;
	mc_jbuf_stats(rx->jbuf, &jb);
	info->delay_ms = jb.delay_ms;
	info->target_ms = jb.target_ms;
}

void mc_rx_stats(const struct mc_rx *rx, struct mc_rx_stats *stats)
{
	*stats = rx->stats;
	mc_jbuf_stats(rx->jbuf, &stats->jbuf);
}
