/* mc_stream: the stream link of a leg: encoded audio without RTP, as WebSockets and the like carry.
 *
 * What does it do?  In: messages of any length become packets of one piece (20 ms) with the
 *                   sequence numbers and timestamps that mc_rx wants. Out: frames, marks, cuts and
 *                   the end of sound as items in one exact order.
 * How does it work?
 *
 *     push ─► number ─► cut into pieces ─► [ring] ─► mc_stream_next ─► mc_rx     control | media
 *     pull ◄─ AUDIO MARK FLUSH IDLE ◄───── [ring] ◄─ mc_stream_put ◄─ playout    control | media
 *
 *     in     A message that came whole was spoken over its length: of the newest one a piece is
 *            given to mc_rx per 20 ms; when a newer one is there the rest of the older goes at
 *            once, so after a stall mc_rx sees a burst and catches up as it does for RTP. Of older
 *            pieces only as many as the jitter buffer holds are given, the rest is skipped. A
 *            silence of the sender (by its timestamps, or nothing for 200 ms) is a pause, no delay.
 *            Full: the end of the message is dropped.
 *     out    Audio goes out while something plays. Each talkspurt begins with `ahead_ms` of
 *            silence, which stays in the far buffer against our own lateness. A cut gives FLUSH
 *            and begins a new talkspurt. Full: the newest audio is dropped; room for
 * MC_STREAM_SPARE other items is kept, and FLUSH and IDLE wait until they fit. How do I use it?
 * Control thread: push, pull. Media thread: next until it gives nothing; then mark, cut as they
 * happen and put once per tick.
 *
 * Memory: two rings of queue_ms, 40 KB for G.711 at 2 s. Nothing allocates, all O(size of data).
 */
#ifndef MC_STREAM_H
#define MC_STREAM_H

#include <stdbool.h>

#include "mc_codec.h"
#include "mediacore.h"

enum {
	MC_STREAM_QUEUE_MS = 2000, /* default */
	MC_STREAM_QUEUE_MAX_MS = 60000,
	MC_STREAM_AHEAD_MAX_MS = 2000,
	MC_STREAM_OPUS_MAX = 640, /* bytes of one Opus packet */
	MC_STREAM_SPARE = 64,
	MC_STREAM_MARKS = 80, /* in one tick: all marks and utterances of playout */
};

struct mc_stream_cfg {
	const struct mc_codec *codec;
	uint32_t srate;
	uint32_t queue_ms;
	uint32_t ahead_ms; /* whole ticks */
	uint16_t behind;   /* pieces of older messages that mc_rx can take at once */
	bool always;       /* a frame each tick, whether something plays or not */
};

/* Bytes of one piece: 20 ms, or 10 ms where that would not fit MC_PACKET_MAX; 0 = packets as they
 * come (Opus). */
uint32_t mc_stream_piece_bytes(const struct mc_codec *codec);

struct mc_stream;

size_t mc_stream_size(const struct mc_stream_cfg *cfg);
/** return 0 | MC_EINVAL | MC_ENOMEM */
int mc_stream_init(struct mc_stream **out, void *mem, size_t size,
		   const struct mc_stream_cfg *cfg) MC_WUR;

/* Control thread. */
/** return bytes that were dropped: the queue is full, or no packet of this codec. */
size_t mc_stream_push(struct mc_stream *s, const uint8_t *payload, size_t n,
		      const struct mc_media_stamp *stamp);
/** Take one item; its payload goes to buf [MC_MEDIA_MAX]. return false when there is none. */
bool mc_stream_pull(struct mc_stream *s, struct mc_media_item *item, uint8_t *buf);
/** Samples of received audio dropped or skipped. Any thread. */
uint64_t mc_stream_dropped(const struct mc_stream *s);

/* Media thread. */
struct mc_stream_packet {
	const uint8_t *payload; /* valid until the next call */
	size_t n;
	uint64_t at_us; /* arrival */
	uint32_t ts;
	uint16_t seq;
};

/** The next packet that is due. return false when there is none. */
bool mc_stream_next(struct mc_stream *s, struct mc_stream_packet *out, uint64_t now_us);
/** A mark (0: the end of the utterance) lies in this tick's frame. */
void mc_stream_mark(struct mc_stream *s, uint64_t utterance, uint32_t mark);
/** The agent's speech is cut in this tick. */
void mc_stream_cut(struct mc_stream *s);
struct mc_stream_sent {
	bool any;               /* an item was put out */
	uint32_t frames, bytes; /* of audio */
	uint32_t lost;          /* frames and marks dropped */
};

/** One tick: the frame pcm, and what was noted for it. enc: the codec's encoder. */
struct mc_stream_sent mc_stream_put(struct mc_stream *s, void *enc, const int16_t *pcm,
				    bool playing);

#endif
