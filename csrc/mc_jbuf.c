#include "mc_jbuf.h"

#include <string.h>

enum {
	NONE = 0xff, /* end of a block chain */
	BIN_MS = 5,  /* histogram resolution */
	BINS = 100,  /* 0 … 500 ms, the last one open */
	BASE_SLOT_US = 250000,
	BASE_SLOTS = 10,      /* window of the lowest transit: 2.25 … 2.5 s */
	BASE_DRIFT_PPM = 500, /* how fast a remembered base may rise over a silence */
	JUMP_US = 2000000,    /* transit off by more: not the same time base */
	JUMP_SEQ = 1000,
	STARVE_US = 200000,  /* without packets for longer: paused */
	KEEP_US = 60000,     /* late audio is still played when this much above target */
	EXCESS_US = 300000,  /* above target by more: drop, do not stretch */
	HYST_DOWN_US = 2000, /* below target, before expanding */
	HYST_UP_US = 3000,   /* above target + one tick, before accelerating */
	HURRY_US = 60000,
	AIM_EVERY = 4,   /* packets between two computations of the target */
	OTHER_RUNS = 12, /* of packets without audio, remembered */
	SEEN_BITS = 64,
};

/* Forgetting per packet: 20 s and 0.8 s of 20 ms packets; weight of the slow one. */
#define SLOW_FORGET 0.999f
#define FAST_FORGET 0.975f
#define SLOW_WEIGHT 0.5f
#define LOSS_FORGET 0.998f
/* Rise of a histogram's weight before all of it is scaled back. */
#define RESCALE 1e6f

struct entry {
	int64_t ts;
	int64_t seq;
	uint32_t dur_ts;
	uint16_t n;
	uint8_t kind;
};

/* Sequence numbers of packets without audio: the low half of the first, and how many. */
struct run {
	uint32_t first, n;
};

/* Exponential forgetting by a growing increment: O(1) per sample. */
struct hist {
	float bin[BINS];
	float sum;
	float inc;
};

struct mc_jbuf {
	uint32_t clock_rate;
	uint32_t slots;
	uint32_t slot_bytes;
	int64_t min_us, max_us, start_us;
	size_t order_at; /* offsets from this struct: the state holds no pointers */
	size_t chain_at;
	size_t pool_at;
	/* cleared by reset */
	struct mc_jbuf_stats stats;
	struct hist slow, fast;
	float loss; /* share of packets that the network lost */
	int64_t target_us;
	uint32_t since_aim;
	int seen;    /* a packet has been accepted: the unwrap references are valid */
	int playing; /* audio is expected at the position */
	int placed;  /* the position is valid */
	int jump;    /* audio was left out since the last PLAY */
	int pend;    /* one implausible packet was seen */
	int last_was_cn;
	int starving;
	uint16_t pend_seq;
	uint8_t free_first;
	uint32_t free_count;
	uint32_t count;
	int64_t newest_ts, newest_seq;
	uint64_t seen_mask;           /* bit i: newest_seq − i was received */
	int newest_is_other;          /* newest_seq is that of a packet without audio */
	struct run other[OTHER_RUNS]; /* the last runs of them, in any order */
	uint32_t other_next;
	int64_t next_ts;  /* position */
	int64_t last_seq; /* of the last packet played or dropped */
	uint32_t last_dur_ts;
	int64_t hole_ts;   /* of the hole at the position, concealed or left out */
	int64_t waited_ts; /* concealed while waiting, since the last PLAY */
	uint64_t starve_us;
	int64_t base_us; /* lowest transit of the window */
	int64_t base_min[BASE_SLOTS];
	uint64_t base_slot;  /* number of the running slot */
	uint64_t base_at_us; /* of the last packet */
	/* then: order[slots], chain[slots], pool. A packet's entry has the index of its first
	 * block; order holds these indices by timestamp; chain links the blocks. */
	struct entry entry[];
};

static uint8_t *order_of(struct mc_jbuf *jb)
{
	return (uint8_t *)jb + jb->order_at;
}

static uint8_t *chain_of(struct mc_jbuf *jb)
{
	return (uint8_t *)jb + jb->chain_at;
}

static uint8_t *block_of(struct mc_jbuf *jb, uint8_t i)
{
	return (uint8_t *)jb + jb->pool_at + (size_t)i * jb->slot_bytes;
}

/* The i-th packet by timestamp. */
static const struct entry *at(const struct mc_jbuf *jb, uint32_t i)
{
	return &jb->entry[((const uint8_t *)jb + jb->order_at)[i]];
}

static int64_t us_of(const struct mc_jbuf *jb, int64_t ts)
{
	int64_t rate = jb->clock_rate;
	return ts / rate * 1000000 + ts % rate * 1000000 / rate;
}

static int64_t ts_of(const struct mc_jbuf *jb, int64_t us)
{
	return us * jb->clock_rate / 1000000;
}

/* How long a packet with this timestamp would have had to arrive if it were played now. */
static int64_t margin_us(const struct mc_jbuf *jb, uint64_t now_us, int64_t ts)
{
	return (int64_t)now_us - us_of(jb, ts) - jb->base_us;
}

static int with_defaults(struct mc_jbuf_cfg *c)
{
	if (c->slots == 0)
		c->slots = 64;
	if (c->slot_bytes == 0)
		c->slot_bytes = 160;
	if (c->min_ms == 0)
		c->min_ms = 10;
	if (c->max_ms == 0)
		c->max_ms = 400;
	if (c->start_ms == 0)
		c->start_ms = 40;
	if (c->clock_rate < 8000 || c->clock_rate > 192000 || c->slots < 4 ||
	    c->slots > MC_JBUF_SLOTS_MAX || c->slot_bytes < 16 || c->slot_bytes > MC_PACKET_MAX ||
	    c->min_ms > c->max_ms || c->max_ms > BINS * BIN_MS)
		return MC_EINVAL;
	return MC_OK;
}

/* Offsets of the tables after the entries; return the total. */
static size_t lay_out(const struct mc_jbuf_cfg *c, size_t *order, size_t *chain, size_t *pool)
{
	*order = sizeof(struct mc_jbuf) + c->slots * sizeof(struct entry);
	*chain = *order + c->slots;
	*pool = *chain + c->slots;
	return mc_align(*pool + (size_t)c->slots * c->slot_bytes);
}

size_t mc_jbuf_size(const struct mc_jbuf_cfg *cfg)
{
	struct mc_jbuf_cfg c = *cfg;
	size_t order, chain, pool;
	return with_defaults(&c) ? 0 : lay_out(&c, &order, &chain, &pool);
}

int mc_jbuf_init(struct mc_jbuf **out, void *mem, size_t size, const struct mc_jbuf_cfg *cfg)
{
	struct mc_jbuf_cfg c = *cfg;
	if (with_defaults(&c))
		return MC_EINVAL;
	struct mc_jbuf *jb = mem;
	size_t order, chain, pool;
	if (size < lay_out(&c, &order, &chain, &pool))
		return MC_ENOMEM;
	jb->clock_rate = c.clock_rate;
	jb->slots = c.slots;
	jb->slot_bytes = c.slot_bytes;
	jb->min_us = c.min_ms * 1000;
	jb->max_us = c.max_ms * 1000;
	jb->start_us = c.start_ms * 1000;
	if (jb->start_us < jb->min_us)
		jb->start_us = jb->min_us;
	if (jb->start_us > jb->max_us)
		jb->start_us = jb->max_us;
	jb->order_at = order;
	jb->chain_at = chain;
	jb->pool_at = pool;
	mc_jbuf_reset(jb);
	*out = jb;
	return MC_OK;
}

/* Drop all packets and the time base. */
static void flush(struct mc_jbuf *jb)
{
	jb->seen = jb->playing = jb->placed = jb->pend = jb->last_was_cn = jb->starving = 0;
	jb->jump = 1;
	jb->seen_mask = 0;
	jb->newest_is_other = 0;
	memset(jb->other, 0, sizeof jb->other);
	jb->hole_ts = jb->waited_ts = 0;
	jb->count = 0;
	jb->free_first = 0;
	jb->free_count = jb->slots;
	uint8_t *chain = chain_of(jb);
	for (uint32_t i = 0; i < jb->slots; i++)
		chain[i] = (uint8_t)(i + 1 < jb->slots ? i + 1 : NONE);
}

void mc_jbuf_reset(struct mc_jbuf *jb)
{
	memset(&jb->stats, 0, sizeof jb->stats);
	memset(&jb->slow, 0, sizeof jb->slow);
	memset(&jb->fast, 0, sizeof jb->fast);
	jb->slow.inc = jb->fast.inc = 1.0f;
	jb->loss = 0.0f;
	jb->target_us = jb->start_us;
	jb->since_aim = 0;
	jb->last_dur_ts = 0;
	jb->next_ts = 0;
	jb->last_seq = 0;
	jb->base_us = 0;
	flush(jb);
}

void mc_jbuf_restart(struct mc_jbuf *jb)
{
	flush(jb);
	jb->stats.resets++;
}

void mc_jbuf_set_clock(struct mc_jbuf *jb, uint32_t clock_rate)
{
	jb->clock_rate = clock_rate;
	jb->last_dur_ts = 0;
}

/* --- delay statistics ------------------------------------------------------------------- */

static void hist_add(struct hist *h, uint32_t bin, float forget)
{
	h->bin[bin] += h->inc;
	h->sum += h->inc;
	h->inc /= forget;
	if (h->inc > RESCALE) {
		float s = 1.0f / h->inc;
		for (uint32_t i = 0; i < BINS; i++)
			h->bin[i] *= s;
		h->sum *= s;
		h->inc = 1.0f;
	}
}

/* Follow the lowest transit over a sliding window of slots. */
static void follow_base(struct mc_jbuf *jb, int64_t transit_us, uint64_t now_us)
{
	uint64_t slot = now_us / BASE_SLOT_US;
	if (!jb->seen) {
		for (uint32_t i = 0; i < BASE_SLOTS; i++)
			jb->base_min[i] = INT64_MAX;
		jb->base_slot = slot;
		jb->base_at_us = now_us;
	}
	if (slot > jb->base_slot) {
		if (slot - jb->base_slot >= BASE_SLOTS) {
			/* A long silence: what was known holds, within the drift of a clock. */
			uint64_t gone_us = now_us - jb->base_at_us;
			int64_t old = jb->base_us + (int64_t)(gone_us / 1000000u * BASE_DRIFT_PPM);
			for (uint32_t i = 0; i < BASE_SLOTS; i++)
				jb->base_min[i] = INT64_MAX;
			jb->base_min[slot % BASE_SLOTS] = old;
		} else {
			for (uint64_t s = jb->base_slot + 1; s <= slot; s++)
				jb->base_min[s % BASE_SLOTS] = INT64_MAX;
		}
		jb->base_slot = slot;
	}
	uint64_t i = jb->base_slot % BASE_SLOTS;
	if (transit_us < jb->base_min[i])
		jb->base_min[i] = transit_us;
	int64_t low = INT64_MAX;
	for (i = 0; i < BASE_SLOTS; i++)
		low = jb->base_min[i] < low ? jb->base_min[i] : low;
	jb->base_us = low;
	if (now_us > jb->base_at_us)
		jb->base_at_us = now_us;
}

/* Impairment by loss of a share p of packets, and by delay; E-model, ITU-T G.107 simplified. The
 * 70 ms are the codec's and the network's part of the way. */
static float loss_cost(float p)
{
	return 95.0f * p / (p + 0.251f);
}

static float delay_cost(float ms)
{
	float over = ms + 70.0f - 177.3f;
	return 0.024f * ms + (over > 0.0f ? 0.11f * over : 0.0f);
}

/* The delay with the least total cost. */
static void aim(struct mc_jbuf *jb)
{
	float late_slow = 0.0f, late_fast = 0.0f, best = 1e9f;
	float ws = SLOW_WEIGHT / jb->slow.sum, wf = (1.0f - SLOW_WEIGHT) / jb->fast.sum;
	uint32_t best_bin = 0;
	for (uint32_t b = BINS; b-- > 0;) {
		/* Played at the upper edge of bin b: the bins above come too late. */
		float late = late_slow * ws + late_fast * wf;
		float cost = delay_cost((float)((b + 1) * BIN_MS)) + loss_cost(jb->loss + late);
		if (cost <= best) {
			best = cost;
			best_bin = b;
		}
		late_slow += jb->slow.bin[b];
		late_fast += jb->fast.bin[b];
	}
	int64_t target = (int64_t)(best_bin + 1) * BIN_MS * 1000;
	target = target < jb->min_us ? jb->min_us : target > jb->max_us ? jb->max_us : target;
	jb->target_us = target;
	jb->since_aim = 0;
}

static void learn_delay(struct mc_jbuf *jb, int64_t delay_us)
{
	int64_t bin = delay_us / (BIN_MS * 1000);
	bin = bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin;
	hist_add(&jb->slow, (uint32_t)bin, SLOW_FORGET);
	hist_add(&jb->fast, (uint32_t)bin, FAST_FORGET);
	/* The first few packets say little: stay at the start value for a fifth of a second. */
	if (jb->slow.sum / jb->slow.inc < 10.0f)
		return;
	if (++jb->since_aim >= AIM_EVERY || delay_us > jb->target_us)
		aim(jb);
}

/* --- packets ---------------------------------------------------------------------------- */

static void release(struct mc_jbuf *jb, uint8_t first)
{
	uint8_t *chain = chain_of(jb);
	uint8_t i = first;
	for (;;) {
		uint8_t next = chain[i];
		jb->free_count++;
		if (next == NONE)
			break;
		i = next;
	}
	chain[i] = jb->free_first;
	jb->free_first = first;
}

static void drop_head(struct mc_jbuf *jb)
{
	uint8_t *order = order_of(jb), first = order[0];
	jb->count--;
	memmove(order, order + 1, jb->count);
	release(jb, first);
}

/* Leave the head out: the position goes past it. */
static void skip_head(struct mc_jbuf *jb)
{
	const struct entry *e = at(jb, 0);
	if (jb->placed && e->ts + e->dur_ts > jb->next_ts)
		jb->next_ts = e->ts + e->dur_ts;
	if (e->seq > jb->last_seq)
		jb->last_seq = e->seq;
	jb->hole_ts = jb->waited_ts = 0;
	jb->jump = 1;
	drop_head(jb);
}

/* Take blocks from the free list and copy the payload in; return the first. */
static uint8_t store(struct mc_jbuf *jb, const uint8_t *payload, size_t n, uint32_t blocks)
{
	uint8_t *chain = chain_of(jb), first = jb->free_first, i = first;
	for (uint32_t k = 0; k < blocks; k++) {
		size_t part = n < jb->slot_bytes ? n : jb->slot_bytes;
		if (k)
			i = chain[i];
		if (part)
			memcpy(block_of(jb, i), payload, part);
		payload += part;
		n -= part;
	}
	jb->free_first = chain[i];
	jb->free_count -= blocks;
	chain[i] = NONE;
	return first;
}

/* The payload of a stored packet in one piece. */
static const uint8_t *payload_of(struct mc_jbuf *jb, uint32_t index, uint8_t *scratch)
{
	uint8_t i = order_of(jb)[index];
	size_t n = jb->entry[i].n, done = 0;
	if (n <= jb->slot_bytes)
		return block_of(jb, i);
	while (done < n) {
		size_t part = n - done < jb->slot_bytes ? n - done : jb->slot_bytes;
		memcpy(scratch + done, block_of(jb, i), part);
		done += part;
		i = chain_of(jb)[i];
	}
	return scratch;
}

/* Is the packet of this stream's time base? A restart needs two packets in agreement, or one
 * that follows the last in sequence. */
static int plausible(struct mc_jbuf *jb, uint16_t seq, int64_t dseq, int64_t transit_us)
{
	int64_t off = transit_us - jb->base_us;
	if (off < JUMP_US && off > -JUMP_US && dseq < JUMP_SEQ && dseq > -JUMP_SEQ) {
		jb->pend = 0;
		return 1;
	}
	if (dseq == 1 || (jb->pend && seq == (uint16_t)(jb->pend_seq + 1))) {
		mc_jbuf_restart(jb);
		return 1;
	}
	jb->pend = 1;
	jb->pend_seq = seq;
	return 0;
}

/* Note the sequence number; return 1 when it was there before. */
static int seen_before(struct mc_jbuf *jb, int64_t seq)
{
	int64_t ahead = seq - jb->newest_seq;
	if (ahead > 0) {
		jb->seen_mask = ahead < SEEN_BITS ? jb->seen_mask << ahead : 0;
		jb->seen_mask |= 1;
		for (int64_t i = 0; i < ahead && i < 50; i++)
			jb->loss = jb->loss * LOSS_FORGET + (i ? 1.0f - LOSS_FORGET : 0.0f);
		jb->newest_seq = seq;
		return 0;
	}
	if (ahead <= -SEEN_BITS)
		return 0;
	uint64_t bit = (uint64_t)1 << -ahead;
	if (jb->seen_mask & bit)
		return 1;
	jb->seen_mask |= bit;
	jb->loss -= 1.0f - LOSS_FORGET;
	if (jb->loss < 0.0f)
		jb->loss = 0.0f;
	return 0;
}

/* How far a run reaches around seq: 0 = seq is its first, n - 1 = its last. */
static int32_t in_run(const struct run *run, int64_t seq)
{
	return (int32_t)((uint32_t)seq - run->first);
}

static void add_other(struct mc_jbuf *jb, int64_t seq)
{
	for (uint32_t i = 0; i < OTHER_RUNS; i++) {
		struct run *run = &jb->other[i];
		int32_t at = in_run(run, seq);
		if (!run->n || at < -1 || at > (int32_t)run->n)
			continue;
		run->first -= at < 0;
		run->n++;
		return;
	}
	jb->other[jb->other_next] = (struct run){.first = (uint32_t)seq, .n = 1};
	jb->other_next = (jb->other_next + 1) % OTHER_RUNS;
}

void mc_jbuf_other(struct mc_jbuf *jb, uint16_t seq)
{
	if (!jb->seen) /* before the first audio nothing can be missing */
		return;
	int64_t ahead = (int16_t)(seq - (uint16_t)jb->newest_seq);
	int64_t ext_seq = jb->newest_seq + ahead;
	if (ahead >= JUMP_SEQ || ahead <= -SEEN_BITS || seen_before(jb, ext_seq))
		return;
	jb->newest_is_other |= ahead > 0;
	add_other(jb, ext_seq);
}

/* Audio packets that should lie between two sequence numbers. */
static int64_t audio_between(const struct mc_jbuf *jb, int64_t from, int64_t to)
{
	int64_t n = to - from - 1;
	for (uint32_t i = 0; i < OTHER_RUNS; i++) {
		const struct run *run = &jb->other[i];
		int64_t begin = -(int64_t)in_run(run, from + 1), end = begin + run->n;
		begin = begin > 0 ? begin : 0; /* from here on relative to from + 1 */
		end = end < to - from - 1 ? end : to - from - 1;
		n -= run->n && end > begin ? end - begin : 0;
	}
	return n;
}

int mc_jbuf_put(struct mc_jbuf *jb, uint16_t seq, uint32_t ts, uint32_t dur_ts,
		enum mc_jbuf_kind kind, const uint8_t *payload, size_t n, uint64_t now_us)
{
	jb->stats.received++;
	uint32_t blocks = n ? (uint32_t)((n + jb->slot_bytes - 1) / jb->slot_bytes) : 1;
	if (n > MC_PACKET_MAX || blocks > MC_JBUF_BLOCKS_MAX || blocks > jb->slots / 2 ||
	    dur_ts > jb->clock_rate || (dur_ts == 0 && kind == MC_JBUF_AUDIO)) {
		jb->stats.refused++;
		return MC_EINVAL;
	}
	int64_t ext_ts = ts, ext_seq = seq;
	if (jb->seen) {
		ext_ts = jb->newest_ts + (int32_t)(ts - (uint32_t)jb->newest_ts);
		ext_seq = jb->newest_seq + (int16_t)(seq - (uint16_t)jb->newest_seq);
		if (!plausible(jb, seq, ext_seq - jb->newest_seq,
			       (int64_t)now_us - us_of(jb, ext_ts))) {
			jb->stats.refused++;
			return MC_EINVAL;
		}
	}
	if (!jb->seen) { /* the first packet, or the first after a restart */
		ext_ts = ts;
		ext_seq = seq;
		jb->newest_ts = ext_ts;
		jb->newest_seq = ext_seq - 1;
	}
	int newest = ext_seq > jb->newest_seq;
	if (seen_before(jb, ext_seq)) {
		jb->stats.duplicate++;
		return MC_EDUP;
	}
	if (newest)
		jb->newest_is_other = 0;
	int64_t transit_us = (int64_t)now_us - us_of(jb, ext_ts);
	follow_base(jb, transit_us, now_us);
	jb->seen = 1;
	learn_delay(jb, transit_us - jb->base_us);
	if (ext_ts > jb->newest_ts)
		jb->newest_ts = ext_ts;

	/* Past its time, or so nearly that decoding it is not worth while? */
	int64_t left = ext_ts + dur_ts - jb->next_ts;
	if (jb->placed && (kind == MC_JBUF_CN ? left < 0 : left <= dur_ts / 2)) {
		jb->stats.late++;
		if (ext_seq < jb->last_seq && jb->stats.lost > 0)
			jb->stats.lost--;
		return MC_ELATE;
	}
	uint32_t i = jb->count;
	while (i > 0 && at(jb, i - 1)->ts > ext_ts)
		i--;
	if (i > 0 && at(jb, i - 1)->ts == ext_ts) {
		jb->stats.duplicate++;
		return MC_EDUP;
	}
	int full = 0;
	while (jb->free_count < blocks) {
		full = 1;
		jb->stats.overflow++;
		if (i == 0)
			return MC_EFULL;
		skip_head(jb);
		i--;
	}
	uint8_t first = store(jb, payload, n, blocks);
	jb->entry[first] = (struct entry){ext_ts, ext_seq, dur_ts, (uint16_t)n, (uint8_t)kind};
	uint8_t *order = order_of(jb);
	memmove(order + i + 1, order + i, jb->count - i);
	order[i] = first;
	jb->count++;
	return full ? MC_EFULL : MC_OK;
}

/* --- playout ---------------------------------------------------------------------------- */

/* Drop packets while the head is more than limit_us above target and its successor is not below
 * it. */
static void shed(struct mc_jbuf *jb, uint64_t now_us, int64_t limit_us)
{
	while (jb->count >= 2 && margin_us(jb, now_us, at(jb, 0)->ts) > jb->target_us + limit_us &&
	       margin_us(jb, now_us, at(jb, 1)->ts) >= jb->target_us) {
		jb->stats.discarded++;
		skip_head(jb);
	}
}

static void play_head(struct mc_jbuf *jb, uint8_t *scratch, struct mc_jbuf_next *next)
{
	const struct entry *e = at(jb, 0);
	next->op = MC_JBUF_PLAY;
	next->kind = (enum mc_jbuf_kind)e->kind;
	next->ts = (uint32_t)e->ts;
	next->len_ts = e->dur_ts;
	next->skip_ts = jb->placed && jb->next_ts > e->ts ? (uint32_t)(jb->next_ts - e->ts) : 0;
	next->jump = jb->jump;
	next->payload = payload_of(jb, 0, scratch);
	next->payload_len = e->n;
	if (next->skip_ts > e->dur_ts)
		next->skip_ts = e->dur_ts;
	int64_t between = audio_between(jb, jb->last_seq, e->seq);
	if (jb->placed && between > 0)
		jb->stats.lost += (uint32_t)between;
	if (!jb->placed || e->seq > jb->last_seq)
		jb->last_seq = e->seq;
	int64_t end = e->ts + e->dur_ts;
	if (!jb->placed || end > jb->next_ts)
		jb->next_ts = end;
	jb->placed = 1;
	jb->jump = 0;
	jb->starving = 0;
	jb->hole_ts = jb->waited_ts = 0;
	jb->last_was_cn = e->kind == MC_JBUF_CN;
	jb->playing = !jb->last_was_cn;
	if (e->dur_ts)
		jb->last_dur_ts = e->dur_ts;
	/* The block goes back to the free list, but nothing writes to it before the next put. */
	drop_head(jb);
}

/* Nothing is here. */
static enum mc_jbuf_op starve(struct mc_jbuf *jb, uint64_t now_us)
{
	if (jb->newest_is_other) /* it replaces audio: nothing is late */
		jb->playing = 0;
	if (!jb->playing)
		return MC_JBUF_IDLE;
	if (!jb->starving) {
		jb->starving = 1;
		jb->starve_us = now_us;
	}
	if (now_us - jb->starve_us < STARVE_US)
		return MC_JBUF_WAIT;
	jb->playing = 0;
	return MC_JBUF_IDLE;
}

/* Ticks of the hole before the head that are to be concealed; the rest of it is a pause. */
static int64_t lost_ticks(const struct mc_jbuf *jb)
{
	const struct entry *e = at(jb, 0);
	int64_t gap = e->ts - jb->next_ts, between = audio_between(jb, jb->last_seq, e->seq);
	int64_t lost = between > 0 ? between * jb->last_dur_ts - jb->hole_ts : 0;
	return lost < gap ? lost : gap;
}

void mc_jbuf_get(struct mc_jbuf *jb, uint64_t now_us, uint32_t want_ts, uint8_t *scratch,
		 struct mc_jbuf_next *next)
{
	memset(next, 0, sizeof *next);
	next->ts = (uint32_t)jb->next_ts;
	if (jb->count == 0) {
		next->op = starve(jb, now_us);
		if (next->op == MC_JBUF_WAIT)
			jb->waited_ts += want_ts;
		return;
	}
	if (jb->playing) {
		shed(jb, now_us, jb->starving ? KEEP_US : EXCESS_US);
		int64_t gap = at(jb, 0)->ts - jb->next_ts, lost = lost_ticks(jb);
		if (lost > 0) {
			/* What was concealed while waiting counts. And when above target anyway, a
			 * shorter concealment brings the delay down. */
			int64_t spare_us = margin_us(jb, now_us, jb->next_ts) - jb->target_us;
			int64_t cut = ts_of(jb, spare_us - MC_TICK_US);
			cut = cut < jb->waited_ts ? jb->waited_ts : cut;
			cut = cut < lost ? cut : lost;
			jb->waited_ts -= cut < jb->waited_ts ? cut : jb->waited_ts;
			jb->next_ts += cut;
			jb->hole_ts += cut;
			lost -= cut;
			gap -= cut;
			jb->jump |= cut > 0;
		}
		if (lost > 0) {
			next->op = MC_JBUF_LOST;
			next->ts = (uint32_t)jb->next_ts;
			next->len_ts = lost < (int64_t)want_ts ? (uint32_t)lost : want_ts;
			jb->next_ts += next->len_ts;
			jb->hole_ts += next->len_ts;
			if (at(jb, 0)->ts == jb->next_ts && at(jb, 0)->kind == MC_JBUF_AUDIO) {
				next->payload = payload_of(jb, 0, scratch);
				next->payload_len = at(jb, 0)->n;
			}
			return;
		}
		if (gap <= (int64_t)jb->last_dur_ts / 2 || at(jb, 0)->kind == MC_JBUF_CN) {
			play_head(jb, scratch, next);
			return;
		}
		jb->playing = 0; /* in sequence but later: a pause of the sender */
	}
	/* Start of the stream or of a talkspurt: wait for the target. */
	if (at(jb, 0)->kind == MC_JBUF_AUDIO) {
		if (margin_us(jb, now_us, at(jb, 0)->ts) < jb->target_us) {
			next->op = MC_JBUF_IDLE;
			return;
		}
		shed(jb, now_us, KEEP_US);
	}
	play_head(jb, scratch, next);
}

enum mc_jbuf_advice mc_jbuf_advise(struct mc_jbuf *jb, uint64_t now_us, uint32_t held_ts,
				   uint32_t tick_ts, uint32_t *most_ts)
{
	*most_ts = 0;
	if (!jb->placed || tick_ts == 0)
		return MC_JBUF_KEEP;
	int64_t delay_us = margin_us(jb, now_us, jb->next_ts - held_ts);
	int64_t ms = delay_us / 1000;
	jb->stats.delay_ms = (uint16_t)(ms < 0 ? 0 : ms > UINT16_MAX ? UINT16_MAX : ms);
	if (!jb->playing)
		return MC_JBUF_KEEP;
	uint32_t ticks = held_ts / tick_ts, rest = held_ts % tick_ts;
	int64_t spare_us =
		margin_us(jb, now_us + (uint64_t)ticks * MC_TICK_US, jb->next_ts) - jb->target_us;
	if (spare_us < -HYST_DOWN_US)
		return MC_JBUF_EXPAND;
	int64_t whole = (spare_us - HYST_UP_US) / MC_TICK_US;
	if (spare_us >= MC_TICK_US + HYST_UP_US) {
		*most_ts = rest + (uint32_t)(whole < 50 ? whole : 50) * tick_ts;
		return spare_us >= HURRY_US ? MC_JBUF_HURRY : MC_JBUF_ACCELERATE;
	}
	*most_ts = rest;
	return rest ? MC_JBUF_TRIM : MC_JBUF_KEEP;
}

int mc_jbuf_ready(const struct mc_jbuf *jb)
{
	return jb->playing && jb->count > 0 && at(jb, 0)->kind == MC_JBUF_AUDIO &&
	       at(jb, 0)->ts <= jb->next_ts;
}

uint32_t mc_jbuf_position(const struct mc_jbuf *jb)
{
	return (uint32_t)jb->next_ts;
}

void mc_jbuf_stats(const struct mc_jbuf *jb, struct mc_jbuf_stats *stats)
{
	*stats = jb->stats;
	stats->target_ms = (uint16_t)(jb->target_us / 1000);
	stats->packets = (uint16_t)jb->count;
}
