#include "mc_playout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Requests of one tick are collected and carried out by the pull:
 *
 *   state     | pause      | resume     | cut              | audio runs out
 *   ----------+------------+------------+------------------+------------------------------
 *   PLAYING   | fade, PAUSED | -        | fade, flush      | fade, REFILLING (underrun)
 *   PAUSED    | -          | PLAYING    | flush            | -
 *   REFILLING | PAUSED     | -          | flush            | PLAYING once prebuffered
 *
 * A cut wins over a pause, a pause over a resume. */
enum playout_state {
	PLAYING = 0, /* also: nothing queued */
	PAUSED,
	REFILLING,
};

struct utterance {
	uint64_t id;
	mc_generation generation;
	uint64_t start;
	uint64_t end;  /* UINT64_MAX while open */
	uint64_t high; /* furthest ring position played */
	uint64_t wire;
	uint32_t mark; /* last one passed */
	bool started;
	bool dead; /* refused or cut: its audio is dropped */
};

struct mark {
	uint32_t id;
	uint64_t at;
	bool passed;
};

struct mc_playout {
	struct mc_ring ring;
	uint32_t srate;
	uint32_t fade_n;      /* samples of the cut, pause and resume fades */
	uint32_t prebuffer_n; /* samples */
	uint32_t history_n;
	uint32_t low_n;
	uint32_t reserved; /* control thread: utterances announced */
	_Atomic uint32_t popped;

	/* Media thread only from here on. */
	uint64_t observed; /* ring position that this tick may play up to */
	uint64_t pos;      /* next sample to play */
	mc_generation generation;
	enum playout_state state;
	uint32_t fade_in_at; /* < fade_n while fading in */
	bool want_pause, want_resume, resume_from_mark, want_cut;
	uint32_t cut_cause;
	mc_generation cut_generation;
	bool low_told; /* PLAYOUT_LOW was sent for the present dip */
	bool resumed;  /* PLAYOUT_RESUMED is due */
	uint8_t duck_db;
	bool duck_changed;
	int32_t gain_q15, gain_target_q15, gain_step_q15;

	struct utterance queue[MC_PLAYOUT_UTTERANCES];
	uint32_t head, count;
	struct mark marks[MC_PLAYOUT_MARKS];
	uint32_t mark_head, mark_count;
	struct mc_playout_stats stats;
	int16_t fade_q15[]; /* [fade_n] raised cosine, 1 -> 0 */
};

static size_t ring_samples(const struct mc_playout_cfg *cfg)
{
	return (size_t)cfg->srate / 1000 * cfg->queue_ms;
}

static size_t header_size(const struct mc_playout_cfg *cfg)
{
	size_t fade = (size_t)cfg->srate * MC_PLAYOUT_FADE_MS / 1000 * sizeof(int16_t);
	return mc_align(sizeof(struct mc_playout) + fade);
}

size_t mc_playout_size(const struct mc_playout_cfg *cfg)
{
	return header_size(cfg) + mc_align(ring_samples(cfg) * sizeof(int16_t));
}

int mc_playout_init(struct mc_playout **out, void *mem, size_t size,
		    const struct mc_playout_cfg *cfg)
{
	struct mc_playout *po = mem;

	if (!mc_srate_ok(cfg->srate) ||
	    cfg->queue_ms < MC_PLAYOUT_HISTORY_MS + 4 * MC_PLAYOUT_PREBUFFER_MS ||
	    cfg->queue_ms > 120000)
		return MC_EINVAL;
	if (size < mc_playout_size(cfg))
		return MC_ENOMEM;
	memset(po, 0, sizeof(*po));
	po->srate = cfg->srate;
	po->fade_n = cfg->srate * MC_PLAYOUT_FADE_MS / 1000;
	po->prebuffer_n = cfg->srate * MC_PLAYOUT_PREBUFFER_MS / 1000;
	po->history_n = cfg->srate * MC_PLAYOUT_HISTORY_MS / 1000;
	po->low_n = cfg->srate * MC_PLAYOUT_LOW_MS / 1000;
	for (uint32_t i = 0; i < po->fade_n; i++) {
		double x = 3.14159265358979323846 * (i + 1) / (po->fade_n + 1);
		po->fade_q15[i] = (int16_t)lrint(32767 * 0.5 * (1 + cos(x)));
	}
	po->fade_in_at = po->fade_n;
	po->gain_q15 = po->gain_target_q15 = 32768;
	mc_ring_init(&po->ring, (uint8_t *)mem + header_size(cfg), sizeof(int16_t),
		     (uint32_t)ring_samples(cfg));
	*out = po;
	return MC_OK;
}

/* ------------------------------------------------------------ control thread */

size_t mc_playout_write(struct mc_playout *po, const int16_t *pcm, size_t n)
{
	return mc_ring_write(&po->ring, pcm, n);
}

size_t mc_playout_room(const struct mc_playout *po)
{
	return mc_ring_room(&po->ring);
}

bool mc_playout_reserve(struct mc_playout *po)
{
	uint32_t popped = atomic_load_explicit(&po->popped, memory_order_acquire);
	if (po->reserved - popped >= MC_PLAYOUT_UTTERANCES)
		return false;
	po->reserved++;
	return true;
}

uint64_t mc_playout_written(const struct mc_playout *po)
{
	return mc_ring_written(&po->ring);
}

/* -------------------------------------------------------------------- queue */

static struct utterance *queued(struct mc_playout *po, uint32_t i)
{
	return &po->queue[(po->head + i) % MC_PLAYOUT_UTTERANCES];
}

static struct utterance *last_open(struct mc_playout *po)
{
	if (!po->count)
		return NULL;
	struct utterance *last = queued(po, po->count - 1);
	return last->end == UINT64_MAX ? last : NULL;
}

/* The utterance at the read position, unless it is dead or there is none. */
static const struct utterance *current(const struct mc_playout *po)
{
	const struct utterance *utt = &po->queue[po->head];
	return po->count && !utt->dead ? utt : NULL;
}

static void emit(const struct mc_playout_sink *sink, uint32_t kind, uint64_t at,
		 const struct utterance *utt, uint64_t position, uint32_t a, uint32_t b)
{
	struct mc_event event = {.kind = kind, .at = at, .position = position, .a = a, .b = b};
	if (utt) {
		event.utterance = utt->id;
		event.generation = utt->generation;
		event.wire = utt->wire;
	}
	sink->emit(sink->ctx, &event);
}

void mc_playout_observe(struct mc_playout *po)
{
	po->observed = mc_ring_written(&po->ring);
}

void mc_playout_begin(struct mc_playout *po, uint64_t utterance, mc_generation generation,
		      uint64_t start, const struct mc_playout_sink *sink)
{
	struct utterance *open = last_open(po);

	MC_ASSERT(po->count < MC_PLAYOUT_UTTERANCES); /* mc_playout_reserve() saw to it */
	if (open) /* the control side never does this; a lost end must not glue utterances */
		open->end = start;
	bool stale = generation < po->generation;
	if (stale) {
		struct utterance refused = {.id = utterance, .generation = generation};
		po->stats.stale_utterances++;
		emit(sink, MC_EV_UTTERANCE_REFUSED, 0, &refused, 0, 0, 0);
	} else {
		po->generation = generation;
	}
	*queued(po, po->count++) = (struct utterance){
		.id = utterance,
		.generation = generation,
		.start = start,
		.end = UINT64_MAX,
		.high = start,
		.dead = stale,
	};
}

void mc_playout_mark(struct mc_playout *po, uint32_t mark, uint64_t at)
{
	if (po->mark_count == MC_PLAYOUT_MARKS) {
		po->stats.marks_dropped++;
		return;
	}
	po->marks[(po->mark_head + po->mark_count++) % MC_PLAYOUT_MARKS] =
		(struct mark){.id = mark, .at = at};
}

void mc_playout_end(struct mc_playout *po, uint64_t end)
{
	struct utterance *open = last_open(po);
	if (open)
		open->end = end;
}

/* ----------------------------------------------------------------- requests */

bool mc_playout_paused(const struct mc_playout *po)
{
	return po->state == PAUSED;
}

bool mc_playout_active(const struct mc_playout *po)
{
	const struct utterance *utt = current(po);
	return utt && po->state != PAUSED && (utt->started || po->observed > po->pos);
}

void mc_playout_pause(struct mc_playout *po)
{
	if (current(po) && po->state != PAUSED)
		po->want_pause = true;
	po->want_resume = false;
}

void mc_playout_resume(struct mc_playout *po, bool from_mark)
{
	if (po->state == PAUSED) {
		po->want_resume = true;
		po->resume_from_mark = from_mark;
	}
	po->want_pause = false;
}

void mc_playout_duck(struct mc_playout *po, uint8_t db)
{
	if (db == po->duck_db)
		return;
	po->duck_db = db;
	po->duck_changed = true;
	po->gain_target_q15 = (int32_t)lrint(32768 * pow(10, -db / 20.0));
	int32_t step = (po->gain_target_q15 - po->gain_q15) / (int32_t)mc_frame_samples(po->srate);
	po->gain_step_q15 = step ? step : (po->gain_target_q15 > po->gain_q15 ? 1 : -1);
}

void mc_playout_cut(struct mc_playout *po, mc_generation generation, uint32_t cause)
{
	po->want_cut = true;
	if (generation > po->cut_generation)
		po->cut_generation = generation;
	po->cut_cause = cause;
}

/* -------------------------------------------------------------------- audio */

/* Copy n samples from the read position to out, with fade-in and ducking, and count them. */
static void play(struct mc_playout *po, struct utterance *utt, int16_t *out, size_t n)
{
	mc_ring_peek(&po->ring, po->pos, out, n);
	for (size_t i = 0; i < n && po->fade_in_at < po->fade_n; i++) {
		int32_t gain = po->fade_q15[po->fade_n - 1 - po->fade_in_at++];
		out[i] = (int16_t)(out[i] * gain >> 15);
	}
	if (po->gain_q15 != 32768 || po->gain_target_q15 != 32768) {
		for (size_t i = 0; i < n; i++) {
			int32_t left = po->gain_target_q15 - po->gain_q15;
			po->gain_q15 +=
				abs(left) > abs(po->gain_step_q15) ? po->gain_step_q15 : left;
			out[i] = (int16_t)((int64_t)out[i] * po->gain_q15 >> 15);
		}
	}
	po->pos += n;
	utt->wire += n;
	po->stats.wire += n;
	if (po->pos > utt->high) {
		po->stats.played += po->pos - utt->high;
		utt->high = po->pos;
	}
}

/* Fade out[0..n) to silence over its last fade_n samples. */
static void fade_tail(const struct mc_playout *po, int16_t *out, size_t n)
{
	size_t fade = n < po->fade_n ? n : po->fade_n;
	for (size_t i = 0; i < fade; i++) {
		size_t k = n - fade + i;
		out[k] = (int16_t)(out[k] * (int32_t)po->fade_q15[po->fade_n - fade + i] >> 15);
	}
}

/* Play the fade that ends the sound now: at most fade_n samples, no further than the utterance. */
static size_t play_fade(struct mc_playout *po, struct utterance *utt, int16_t *out, size_t n)
{
	uint64_t limit = utt->end < po->observed ? utt->end : po->observed;
	size_t left = limit > po->pos ? (size_t)(limit - po->pos) : 0;

	if (!utt->started || po->state != PLAYING)
		return 0;
	n = n < po->fade_n ? n : po->fade_n;
	n = n < left ? n : left;
	play(po, utt, out, n);
	fade_tail(po, out, n);
	return n;
}

static void release(struct mc_playout *po)
{
	uint64_t keep = po->pos > po->history_n ? po->pos - po->history_n : 0;
	if (po->count && po->queue[po->head].start > keep)
		keep = po->queue[po->head].start;
	mc_ring_release(&po->ring, keep < po->pos ? keep : po->pos);
	while (po->mark_count && po->marks[po->mark_head].at < mc_ring_released(&po->ring)) {
		po->mark_head = (po->mark_head + 1) % MC_PLAYOUT_MARKS;
		po->mark_count--;
	}
}

static void pop(struct mc_playout *po)
{
	po->head = (po->head + 1) % MC_PLAYOUT_UTTERANCES;
	po->count--;
	po->low_told = false;
	atomic_fetch_add_explicit(&po->popped, 1, memory_order_release);
}

/* Skip what is there of a dead utterance. return true when it is gone. */
static bool skip_dead(struct mc_playout *po, const struct utterance *utt)
{
	uint64_t to = utt->end < po->observed ? utt->end : po->observed;
	uint64_t from = utt->high > po->pos ? utt->high : po->pos; /* a replay is not lost */
	if (to > from) {
		if (utt->generation < po->generation && !utt->started)
			po->stats.stale_samples += to - from;
		po->stats.flushed += to - from;
	}
	if (to > po->pos)
		po->pos = to;
	if (po->pos < utt->end)
		return false;
	pop(po);
	return true;
}

static void pass_marks(struct mc_playout *po, struct utterance *utt, uint64_t from, uint64_t tx_at,
		       const struct mc_playout_sink *sink)
{
	for (uint32_t i = 0; i < po->mark_count; i++) {
		struct mark *mark = &po->marks[(po->mark_head + i) % MC_PLAYOUT_MARKS];
		if (mark->at > po->pos)
			break;
		if (mark->passed || mark->at < utt->start)
			continue;
		mark->passed = true;
		utt->mark = mark->id;
		uint64_t offset = mark->at > from ? mark->at - from : 0;
		emit(sink, MC_EV_MARK, tx_at + offset, utt, mark->at - utt->start, mark->id, 0);
	}
}

static void do_cut(struct mc_playout *po, int16_t *out, size_t n, uint64_t tx_at,
		   const struct mc_playout_sink *sink, size_t *played)
{
	struct utterance *head = po->count ? queued(po, 0) : NULL;
	struct utterance *cut = NULL;

	po->want_cut = po->want_pause = po->want_resume = false;
	if (head && !head->dead && head->generation <= po->cut_generation) {
		cut = head;
		*played = play_fade(po, cut, out, n);
		pass_marks(po, cut, po->pos - *played, tx_at, sink);
	}
	mc_generation cut_generation = po->cut_generation;
	po->cut_generation = 0;
	if (po->generation <= cut_generation)
		po->generation = ((po->generation >> 32) + 1) << 32;

	struct mc_event event = {
		.kind = MC_EV_PLAYOUT_CUT,
		.at = tx_at + *played,
		.next_generation = po->generation,
		.a = po->cut_cause,
	};
	if (cut) {
		event.utterance = cut->id;
		event.generation = cut->generation;
		event.position = cut->high - cut->start;
		event.wire = cut->wire;
		event.b = cut->mark;
		po->stats.cuts++;
		po->state = PLAYING;
		po->fade_in_at = po->fade_n;
	}
	if (cut || po->cut_cause != MC_CUT_CLOSE)
		sink->emit(sink->ctx, &event);
	for (uint32_t i = 0; i < po->count; i++) {
		struct utterance *utt = queued(po, i);
		if (utt->dead || utt->generation > cut_generation)
			continue;
		utt->dead = true;
		if (utt != cut)
			emit(sink, MC_EV_UTTERANCE_REFUSED, tx_at, utt, 0, 0, 0);
	}
}

static void do_pause(struct mc_playout *po, int16_t *out, size_t n, uint64_t tx_at,
		     const struct mc_playout_sink *sink, size_t *played)
{
	struct utterance *utt = queued(po, 0);
	uint64_t resume_at = po->pos;

	po->want_pause = false;
	*played = play_fade(po, utt, out, n);
	pass_marks(po, utt, resume_at, tx_at, sink);
	po->pos = resume_at; /* the faded samples are played again in full */
	po->state = PAUSED;
	po->stats.pauses++;
	emit(sink, MC_EV_PLAYOUT_PAUSED, tx_at + *played, utt, resume_at - utt->start, 0,
	     utt->mark);
}

static void do_resume(struct mc_playout *po, uint64_t tx_at, const struct mc_playout_sink *sink)
{
	struct utterance *utt = queued(po, 0);

	po->want_resume = false;
	if (po->resume_from_mark) {
		uint64_t to = po->pos;
		for (uint32_t i = 0; i < po->mark_count; i++) {
			const struct mark *mark =
				&po->marks[(po->mark_head + i) % MC_PLAYOUT_MARKS];
			if (mark->at <= po->pos && mark->at >= utt->start &&
			    mark->at >= mc_ring_released(&po->ring))
				to = mark->at;
		}
		po->pos = to;
	}
	po->state = PLAYING;
	po->fade_in_at = utt->started ? 0 : po->fade_n;
	po->stats.resumes++;
	emit(sink, MC_EV_PLAYOUT_RESUMED, tx_at, utt, po->pos - utt->start, 0, utt->mark);
}

/* More audio is to come and less than a tick and a fade is here: play that and refill. */
static bool runs_dry(const struct mc_playout *po, const struct utterance *utt, size_t n)
{
	return utt->end > po->observed && po->observed - po->pos < n + po->fade_n;
}

static bool prebuffered(const struct mc_playout *po, const struct utterance *utt)
{
	return utt->end <= po->observed || po->observed - po->pos >= po->prebuffer_n;
}

size_t mc_playout_pull(struct mc_playout *po, int16_t *out, size_t n, uint64_t tx_at,
		       const struct mc_playout_sink *sink)
{
	size_t done = 0;

	memset(out, 0, n * sizeof(*out));
	if (po->duck_changed) {
		po->duck_changed = false;
		emit(sink, MC_EV_PLAYOUT_DUCKED, tx_at, current(po), mc_playout_position(po),
		     po->duck_db ? 1 : 0, 0);
	}
	if (po->want_cut)
		do_cut(po, out, n, tx_at, sink, &done);
	else if (po->want_pause && current(po))
		do_pause(po, out, n, tx_at, sink, &done);
	else if (po->want_resume && current(po))
		do_resume(po, tx_at, sink);

	bool faded = done > 0; /* the rest of this tick stays silent after a fade */
	while (po->count && po->state != PAUSED && !faded && done < n) {
		struct utterance *utt = queued(po, 0);
		if (utt->dead) {
			if (!skip_dead(po, utt))
				break;
			continue;
		}
		if (po->pos < utt->start) /* audio that no utterance claims */
			po->pos = utt->start < po->observed ? utt->start : po->observed;
		if (po->pos >= utt->end) {
			emit(sink, MC_EV_UTTERANCE_FINISHED, tx_at + done, utt,
			     utt->high - utt->start, 0, utt->mark);
			pop(po);
			continue;
		}
		if (!utt->started || po->state == REFILLING) {
			if (po->observed <= po->pos || !prebuffered(po, utt))
				break;
			if (!utt->started) {
				utt->started = true;
				emit(sink, MC_EV_PLAYOUT_STARTED, tx_at + done, utt, 0, 0, 0);
			} else {
				po->fade_in_at = 0;
			}
			po->state = PLAYING;
		}
		uint64_t limit = utt->end < po->observed ? utt->end : po->observed;
		size_t take = (size_t)(limit - po->pos);
		take = take < n - done ? take : n - done;
		bool dry = runs_dry(po, utt, n - done);
		uint64_t from = po->pos;
		play(po, utt, out + done, take);
		pass_marks(po, utt, from, tx_at + done, sink);
		done += take;
		if (dry) {
			fade_tail(po, out, done);
			po->state = REFILLING;
			po->stats.underruns++;
			emit(sink, MC_EV_PLAYOUT_UNDERRUN, tx_at + done, utt,
			     utt->high - utt->start, 0, utt->mark);
			break;
		}
		if (po->pos >= utt->end) {
			emit(sink, MC_EV_UTTERANCE_FINISHED, tx_at + done, utt,
			     utt->high - utt->start, 0, utt->mark);
			pop(po);
		}
	}
	release(po);

	const struct utterance *utt = current(po);
	bool low = mc_ring_room(&po->ring) > po->low_n;
	if (utt && last_open(po) && low && !po->low_told) {
		po->low_told = true;
		emit(sink, MC_EV_PLAYOUT_LOW, tx_at, last_open(po), 0, 0, 0);
	} else if (!low) {
		po->low_told = false;
	}
	return done;
}

/* ------------------------------------------------------------------ queries */

uint64_t mc_playout_position(const struct mc_playout *po)
{
	const struct utterance *utt = current(po);
	return utt ? utt->high - utt->start : 0;
}

uint32_t mc_playout_last_mark(const struct mc_playout *po)
{
	const struct utterance *utt = current(po);
	return utt ? utt->mark : 0;
}

mc_generation mc_playout_generation(const struct mc_playout *po)
{
	return po->generation;
}

const struct mc_playout_stats *mc_playout_stats(const struct mc_playout *po)
{
	return &po->stats;
}
