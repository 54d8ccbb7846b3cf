#include "mc_stream.h"

#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "mc_ring.h"

enum {
	MAX_WAITED_US = 200000, /* a message waits for its tick, late ticks included */
	PAUSE_MS = 200,         /* nothing for so long: the sender paused */
	STAMP_SLACK_MS = 60,    /* timestamps of messages may be off by that */
	STAMP_JUMP_MS = 60000,  /* and by that they are a new clock */
	SEQ_JUMP = 1000,        /* messages; more is a new count */
	OUT_ELEM = 16,          /* the outgoing ring counts in these */
};

/* A packet on its way to the media thread. */
struct piece {
	uint64_t arrival_us;
	uint32_t ts, message;
	uint16_t seq, n;
	uint16_t index; /* within its message */
	uint8_t data[];
};

/* Head of an outgoing item; the payload follows in whole elements. */
struct head {
	uint64_t utterance;
	uint32_t mark;
	uint16_t n;
	uint8_t kind;
	uint8_t zero;
};
_Static_assert(sizeof(struct head) == OUT_ELEM, "one element");

struct noted {
	uint64_t utterance;
	uint32_t mark;
};

struct mc_stream {
	const struct mc_codec *codec;
	uint32_t frame; /* samples per tick */
	uint32_t srate;
	uint32_t piece_bytes; /* 0: packets as they come */
	uint32_t piece_ts;
	uint32_t bytes_per_ts;
	uint32_t slot;  /* bytes of a ring slot */
	uint32_t ahead; /* frames */
	uint16_t behind;
	bool always;
	struct mc_ring in, out;
	_Atomic uint64_t dropped_ts, skipped_ts;

	/* control thread: where the next piece belongs */
	uint64_t pos; /* RTP ticks; of what is carried over when there is some */
	uint64_t unit;
	uint32_t message;
	uint32_t next_seq;
	uint32_t last_ts, last_units; /* the last message's length */
	uint64_t stamp_ms, stamp_pos; /* a timestamp and its position */
	bool seq_known, stamp_known;
	uint32_t carry_n;
	struct piece *build; /* [slot] */
	uint8_t *carry;      /* [piece_bytes] */

	/* media thread, in */
	struct piece *now; /* [slot] */
	uint32_t of_message;
	uint64_t message_us; /* its arrival on the engine's clock */
	bool any;
	uint64_t last_at_us;
	uint32_t last_unit_ts, ts_shift;
	uint16_t seq_shift;

	/* media thread, out */
	bool talking, flush_due, idle_due;
	bool sent; /* audio since the last flush */
	uint32_t noted_n;
	struct noted noted[MC_STREAM_MARKS];
};

uint32_t mc_stream_piece_bytes(const struct mc_codec *codec)
{
	if (!strcasecmp(codec->name, "opus"))
		return 0;
	uint32_t bytes = codec->clock_rate / MC_TICKS_PER_S;
	if (!strncasecmp(codec->name, "L16", 3))
		bytes *= 2;
	return bytes <= MC_PACKET_MAX ? bytes : bytes / 2;
}

static uint32_t slot_bytes(const struct mc_stream_cfg *cfg)
{
	uint32_t n = mc_stream_piece_bytes(cfg->codec);
	return (uint32_t)mc_align(sizeof(struct piece) + (n ? n : MC_STREAM_OPUS_MAX));
}

static uint32_t in_slots(const struct mc_stream_cfg *cfg)
{
	uint32_t n = mc_stream_piece_bytes(cfg->codec);
	bool half = n && n < cfg->codec->clock_rate / MC_TICKS_PER_S * 2 &&
		    !strncasecmp(cfg->codec->name, "L16", 3);
	return cfg->queue_ms / MC_TICK_MS * (half ? 2 : 1);
}

static uint32_t frame_bytes(const struct mc_stream_cfg *cfg)
{
	uint32_t n = mc_stream_piece_bytes(cfg->codec);
	if (!n)
		return MC_STREAM_OPUS_MAX;
	return n * (in_slots(cfg) / (cfg->queue_ms / MC_TICK_MS));
}

static uint32_t out_elems(const struct mc_stream_cfg *cfg)
{
	uint32_t per_frame = 1 + (frame_bytes(cfg) + OUT_ELEM - 1) / OUT_ELEM;
	return (cfg->queue_ms + cfg->ahead_ms) / MC_TICK_MS * per_frame + MC_STREAM_SPARE;
}

struct layout {
	size_t build, now, carry, in, out, total;
};

static struct layout lay_out(const struct mc_stream_cfg *cfg)
{
	struct layout l;
	l.build = mc_align(sizeof(struct mc_stream));
	l.now = l.build + slot_bytes(cfg);
	l.carry = l.now + slot_bytes(cfg);
	l.in = l.carry + mc_align(MC_PACKET_MAX);
	l.out = l.in + (size_t)slot_bytes(cfg) * in_slots(cfg);
	l.total = l.out + (size_t)out_elems(cfg) * OUT_ELEM;
	return l;
}

static bool valid(const struct mc_stream_cfg *cfg)
{
	return cfg->codec && mc_srate_ok(cfg->srate) && cfg->queue_ms >= 10 * MC_TICK_MS &&
	       cfg->queue_ms <= MC_STREAM_QUEUE_MAX_MS && cfg->ahead_ms <= MC_STREAM_AHEAD_MAX_MS &&
	       cfg->ahead_ms % MC_TICK_MS == 0 && cfg->behind;
}

size_t mc_stream_size(const struct mc_stream_cfg *cfg)
{
	return valid(cfg) ? lay_out(cfg).total : 0;
}

int mc_stream_init(struct mc_stream **out, void *mem, size_t size, const struct mc_stream_cfg *cfg)
{
	struct mc_stream *s = mem;
	uint8_t *base = mem;

	if (!valid(cfg))
		return MC_EINVAL;
	struct layout l = lay_out(cfg);
	if (size < l.total)
		return MC_ENOMEM;
	memset(s, 0, l.in);
	s->codec = cfg->codec;
	s->srate = cfg->srate;
	s->frame = (uint32_t)mc_frame_samples(cfg->srate);
	s->piece_bytes = mc_stream_piece_bytes(cfg->codec);
	s->bytes_per_ts = strncasecmp(cfg->codec->name, "L16", 3) ? 1 : 2;
	s->piece_ts = s->piece_bytes / s->bytes_per_ts;
	s->slot = slot_bytes(cfg);
	s->ahead = cfg->ahead_ms / MC_TICK_MS;
	s->behind = cfg->behind;
	s->always = cfg->always;
	s->build = (struct piece *)(void *)(base + l.build);
	s->now = (struct piece *)(void *)(base + l.now);
	s->carry = base + l.carry;
	mc_ring_init(&s->in, base + l.in, s->slot, in_slots(cfg));
	mc_ring_init(&s->out, base + l.out, OUT_ELEM, out_elems(cfg));
	*out = s;
	return MC_OK;
}

/* ----------------------------------------------------------- in, control thread */

static uint64_t to_ts(const struct mc_stream *s, uint64_t ms)
{
	return ms * s->codec->clock_rate / 1000;
}

static void count_dropped(_Atomic uint64_t *counter, uint64_t ts)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + ts,
			      memory_order_relaxed);
}

/* One packet into the ring. A packet that is dropped keeps its time but takes no number, so that
 * the gap is a pause and nobody conceals it. return bytes dropped. */
static size_t give(struct mc_stream *s, const uint8_t *data, size_t n, uint64_t pos, uint64_t *unit,
		   uint32_t dur_ts)
{
	if (!mc_ring_room(&s->in)) {
		count_dropped(&s->dropped_ts, dur_ts);
		return n;
	}
	s->build->ts = (uint32_t)pos;
	s->build->seq = (uint16_t)*unit;
	s->build->n = (uint16_t)n;
	memcpy(s->build->data, data, n);
	mc_ring_write(&s->in, s->build, 1);
	s->build->index++;
	++*unit;
	return 0;
}

/* What was carried over goes out short: the next audio does not follow it. */
static size_t give_carry(struct mc_stream *s)
{
	uint32_t n = s->carry_n - s->carry_n % s->bytes_per_ts;
	size_t dropped = 0;

	s->carry_n = 0;
	if (n) {
		dropped = give(s, s->carry, n, s->pos, &s->unit, n / s->bytes_per_ts);
		s->pos += n / s->bytes_per_ts;
	}
	return dropped;
}

/* Audio that follows the last one: whole pieces, the rest is carried over. */
static size_t give_next(struct mc_stream *s, const uint8_t *data, size_t n)
{
	size_t dropped = 0;

	while (s->carry_n + n >= s->piece_bytes) {
		const uint8_t *piece = data;
		size_t take = s->piece_bytes - s->carry_n;
		if (s->carry_n) {
			memcpy(s->carry + s->carry_n, data, take);
			piece = s->carry;
		}
		dropped += give(s, piece, s->piece_bytes, s->pos, &s->unit, s->piece_ts);
		s->pos += s->piece_ts;
		s->carry_n = 0;
		data += take;
		n -= take;
	}
	memcpy(s->carry + s->carry_n, data, n);
	s->carry_n += (uint32_t)n;
	return dropped;
}

/* A message that comes after its successors, to where it belongs. */
static size_t give_late(struct mc_stream *s, const uint8_t *data, size_t n, uint64_t pos,
			uint64_t unit)
{
	size_t dropped = 0;

	for (size_t take; n >= s->bytes_per_ts; data += take, n -= take) {
		take = n < s->piece_bytes ? n - n % s->bytes_per_ts : s->piece_bytes;
		dropped += give(s, data, take, pos, &unit, (uint32_t)take / s->bytes_per_ts);
		pos += take / s->bytes_per_ts;
	}
	return dropped;
}

/* Messages between this one and the one expected: > 0 some are missing, < 0 it is late. */
static int32_t distance(struct mc_stream *s, const struct mc_media_stamp *stamp)
{
	if (!stamp->has_seq)
		return 0;
	int32_t d = s->seq_known ? (int32_t)(stamp->seq - s->next_seq) : 0;
	if (d > SEQ_JUMP || d < -SEQ_JUMP)
		d = 0;
	s->seq_known = true;
	if (d >= 0)
		s->next_seq = stamp->seq + 1;
	return d;
}

/* The position that the timestamp names, when it differs from `expected` by more than slack. */
static uint64_t by_stamp(struct mc_stream *s, const struct mc_media_stamp *stamp, uint64_t expected,
			 bool late)
{
	if (!stamp->has_ts)
		return expected;
	int64_t ms = (int64_t)(stamp->ts_ms - s->stamp_ms);
	bool sane = s->stamp_known && ms < STAMP_JUMP_MS && ms > -STAMP_JUMP_MS;
	int64_t want = (int64_t)s->stamp_pos;
	if (sane)
		want += ms * (int64_t)s->codec->clock_rate / 1000;
	int64_t off = want - (int64_t)expected, slack = (int64_t)to_ts(s, STAMP_SLACK_MS);
	bool moved = sane && (off > slack || (late && off < -slack));
	uint64_t pos = moved ? (uint64_t)want : expected;
	if (!late) {
		s->stamp_known = true;
		s->stamp_ms = stamp->ts_ms;
		s->stamp_pos = pos;
	}
	return pos;
}

static size_t push_packet(struct mc_stream *s, const uint8_t *payload, size_t n,
			  const struct mc_media_stamp *stamp)
{
	int samples = s->codec->samples(payload, n, s->srate);
	if (samples <= 0 || n > MC_STREAM_OPUS_MAX) {
		count_dropped(&s->dropped_ts, s->codec->clock_rate / MC_TICKS_PER_S);
		return n;
	}
	uint32_t dur = (uint32_t)((uint64_t)samples * s->codec->clock_rate / s->srate);
	int64_t d = distance(s, stamp);
	int64_t back = d * (int64_t)s->last_ts;
	bool late = d < 0;
	uint64_t pos = s->pos, unit = s->unit;

	pos += (uint64_t)back; /* before the first one they wrap, as those of RTP do */
	unit += (uint64_t)d;
	pos = by_stamp(s, stamp, pos, late);
	size_t dropped = give(s, payload, n, pos, &unit, dur);
	if (!late) {
		s->pos = pos + dur;
		s->unit = unit;
		s->last_ts = dur;
	}
	return dropped;
}

size_t mc_stream_push(struct mc_stream *s, const uint8_t *payload, size_t n,
		      const struct mc_media_stamp *stamp)
{
	size_t dropped = 0;

	if (!n)
		return 0;
	s->build->arrival_us = stamp->arrival_us;
	s->build->message = ++s->message;
	s->build->index = 0;
	if (!s->piece_bytes)
		return push_packet(s, payload, n, stamp);

	int64_t d = distance(s, stamp);
	uint64_t back = (uint64_t)-d * s->last_ts, units = (uint64_t)-d * s->last_units;
	uint64_t end = s->pos + s->carry_n / s->bytes_per_ts;
	if (d < 0)
		return give_late(s, payload, n, by_stamp(s, stamp, end - back, true),
				 s->unit - units);
	uint64_t expected = end + (d > 0 ? (uint64_t)d * s->last_ts : 0);
	uint64_t pos = by_stamp(s, stamp, expected, false);
	if (pos != end) {
		dropped = give_carry(s);
		s->pos = pos;
		if (d > 0)
			s->unit += (uint64_t)d * s->last_units;
	}
	s->last_ts = (uint32_t)(n / s->bytes_per_ts);
	s->last_units = (uint32_t)(n / s->piece_bytes);
	s->last_units += !s->last_units;
	return dropped + give_next(s, payload, n);
}

uint64_t mc_stream_dropped(const struct mc_stream *s)
{
	uint64_t ts = atomic_load_explicit(&s->dropped_ts, memory_order_relaxed) +
		      atomic_load_explicit(&s->skipped_ts, memory_order_relaxed);
	return ts * s->srate / s->codec->clock_rate;
}

/* ------------------------------------------------------------- in, media thread */

static uint32_t piece_us(const struct mc_stream *s)
{
	return s->piece_bytes ? (uint32_t)((uint64_t)s->piece_ts * 1000000u / s->codec->clock_rate)
			      : MC_TICK_US;
}

/* Pieces that wait and belong to messages before the newest. */
static size_t older(const struct mc_stream *s, size_t count, uint32_t *newest)
{
	struct piece last;
	mc_ring_peek(&s->in, mc_ring_released(&s->in) + count - 1, s->now, 1);
	memcpy(&last, s->now, sizeof(last));
	*newest = last.message;
	return count > last.index ? count - last.index - 1 : 0;
}

/* A silence of the sender shall not look like delay: move the time base. */
static uint32_t shifted(struct mc_stream *s, uint32_t ts, uint64_t at_us)
{
	if (s->any && at_us > s->last_at_us && at_us - s->last_at_us >= PAUSE_MS * 1000u) {
		uint64_t waited = to_ts(s, (at_us - s->last_at_us) / 1000);
		int64_t late = (int64_t)waited - (int32_t)(ts - s->last_unit_ts);
		if (late > (int64_t)to_ts(s, PAUSE_MS))
			s->ts_shift += (uint32_t)late;
	}
	s->any = true;
	s->last_at_us = at_us;
	s->last_unit_ts = ts;
	return ts + s->ts_shift;
}

bool mc_stream_next(struct mc_stream *s, struct mc_stream_packet *out, uint64_t now_us)
{
	for (size_t count; (count = mc_ring_count(&s->in)) > 0;) {
		uint32_t newest;
		uint64_t first = mc_ring_released(&s->in);
		size_t before = older(s, count, &newest);
		mc_ring_peek(&s->in, first, s->now, 1);
		if (before > s->behind) {
			s->seq_shift++; /* the gap in time without one in numbers is a pause */
			count_dropped(&s->skipped_ts,
				      s->piece_bytes ? s->now->n / s->bytes_per_ts
						     : s->codec->clock_rate / MC_TICKS_PER_S);
			mc_ring_release(&s->in, first + 1);
			continue;
		}
		if (!s->any || s->of_message != s->now->message) {
			uint64_t waited_us = now_us - s->now->arrival_us;
			s->of_message = s->now->message;
			s->message_us = waited_us <= MAX_WAITED_US ? s->now->arrival_us : now_us;
		}
		uint64_t due_us = s->message_us + (uint64_t)s->now->index * piece_us(s);
		if (due_us > now_us) {
			if (s->now->message == newest)
				return false;
			due_us = now_us;
		}
		mc_ring_release(&s->in, first + 1);
		*out = (struct mc_stream_packet){
			.payload = s->now->data,
			.n = s->now->n,
			.at_us = due_us,
			.ts = shifted(s, s->now->ts, due_us),
			.seq = (uint16_t)(s->now->seq - s->seq_shift),
		};
		return true;
	}
	return false;
}

/* -------------------------------------------------------------------------- out */

static bool put_item(struct mc_stream *s, const struct head *head, const uint8_t *payload,
		     size_t spare)
{
	struct {
		struct head head;
		uint8_t payload[(MC_MEDIA_MAX + OUT_ELEM - 1) / OUT_ELEM * OUT_ELEM];
	} item;
	size_t elems = 1 + (head->n + OUT_ELEM - 1u) / OUT_ELEM;

	if (mc_ring_room(&s->out) < elems + spare)
		return false;
	item.head = *head;
	if (head->n)
		memcpy(item.payload, payload, head->n);
	memset(item.payload + head->n, 0, (elems - 1) * OUT_ELEM - head->n);
	return mc_ring_write(&s->out, &item, elems) == elems;
}

static bool put_plain(struct mc_stream *s, enum mc_media_kind kind)
{
	return put_item(s, &(struct head){.kind = (uint8_t)kind}, NULL, 0);
}

static void put_frame(struct mc_stream *s, void *enc, const int16_t *pcm,
		      struct mc_stream_sent *sent)
{
	uint8_t payload[MC_MEDIA_MAX];
	size_t cap = s->piece_bytes ? sizeof(payload) : MC_STREAM_OPUS_MAX;
	int n = s->codec->encode(enc, payload, cap, pcm, s->frame);
	struct head head = {.kind = MC_MEDIA_AUDIO, .n = (uint16_t)(n > 0 ? n : 0)};

	if (n <= 0 || !put_item(s, &head, payload, MC_STREAM_SPARE)) {
		sent->lost++;
		return;
	}
	sent->frames++;
	sent->bytes += (uint32_t)n;
	s->sent = true;
}

void mc_stream_mark(struct mc_stream *s, uint64_t utterance, uint32_t mark)
{
	if (s->noted_n < MC_STREAM_MARKS)
		s->noted[s->noted_n++] = (struct noted){.utterance = utterance, .mark = mark};
}

void mc_stream_cut(struct mc_stream *s)
{
	s->noted_n = 0; /* they lie in the fade, which is not sent */
	s->flush_due = s->flush_due || s->sent;
	s->idle_due = s->idle_due || s->talking;
	s->talking = false;
}

struct mc_stream_sent mc_stream_put(struct mc_stream *s, void *enc, const int16_t *pcm,
				    bool playing)
{
	static const int16_t silence[MC_FRAME_MAX];
	uint64_t before = mc_ring_written(&s->out);
	struct mc_stream_sent sent = {0};

	playing = playing || s->always;
	if (s->flush_due && put_plain(s, MC_MEDIA_FLUSH))
		s->flush_due = s->sent = false;
	if (playing && !s->flush_due) {
		s->idle_due = false;
		for (uint32_t i = 0; !s->talking && i < s->ahead; i++)
			put_frame(s, enc, silence, &sent);
		s->talking = true;
		put_frame(s, enc, pcm, &sent);
	} else if (playing) {
		sent.lost++; /* before the flush nothing new may go out */
	} else if (s->talking) {
		s->talking = false;
		s->idle_due = true;
	}
	for (uint32_t i = 0; i < s->noted_n; i++) {
		struct head mark = {
			.kind = MC_MEDIA_MARK,
			.utterance = s->noted[i].utterance,
			.mark = s->noted[i].mark,
		};
		sent.lost += !put_item(s, &mark, NULL, MC_STREAM_SPARE / 4);
	}
	s->noted_n = 0;
	if (s->idle_due && !s->flush_due && put_plain(s, MC_MEDIA_IDLE))
		s->idle_due = false;
	sent.any = mc_ring_written(&s->out) != before;
	return sent;
}

bool mc_stream_pull(struct mc_stream *s, struct mc_media_item *item, uint8_t *buf)
{
	struct head head;

	if (!mc_ring_count(&s->out))
		return false;
	uint64_t at = mc_ring_released(&s->out);
	mc_ring_peek(&s->out, at, &head, 1);
	size_t whole = head.n / OUT_ELEM, rest = head.n % OUT_ELEM;
	mc_ring_peek(&s->out, at + 1, buf, whole);
	if (rest) {
		uint8_t last[OUT_ELEM];
		mc_ring_peek(&s->out, at + 1 + whole, last, 1);
		memcpy(buf + whole * OUT_ELEM, last, rest);
	}
	mc_ring_release(&s->out, at + 1 + whole + (rest > 0));
	*item = (struct mc_media_item){
		.kind = (enum mc_media_kind)head.kind,
		.utterance = head.utterance,
		.mark = head.mark,
		.n = head.n,
	};
	return true;
}
