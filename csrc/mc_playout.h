/* mc_playout: the agent's speech queue of one leg, and the ledger of what was played.
 *
 * What does it do?  Plays utterances in order, one tick at a time; pauses, resumes, ducks and cuts
 *                   inside the tick with a 5 ms raised-cosine fade; refuses stale speech; counts
 *                   every sample that goes on the wire.
 * How does it work? Audio travels in a sample ring from the control thread. Utterances and marks
 *                   are announced by commands that name absolute ring positions:
 *
 *      ring   ......[history|utterance 7 .......|utterance 8 ...      |free......
 *                   ^released ^pos (next to play)            ^observed
 *
 *                   mc_playout_observe() is called before the tick drains its commands: audio
 *                   seen there was announced by commands that the drain will deliver, so audio is
 *                   never taken for the utterance before.
 * How do I use it?  Control thread: mc_playout_write(). Media thread: observe, begin/mark/end,
 *                   request (pause, resume, cut, duck), then mc_playout_pull() once per tick.
 *
 * Positions in events count samples of the utterance: `position` is how far it was ever played,
 * `wire` how many samples of it were sent, replays after a resume included.
 */
#ifndef MC_PLAYOUT_H
#define MC_PLAYOUT_H

#include "mc_ring.h"
#include "mediacore.h"

enum {
	MC_PLAYOUT_UTTERANCES = 16,
	MC_PLAYOUT_MARKS = 64,
	MC_PLAYOUT_FADE_MS = 5,
	MC_PLAYOUT_PREBUFFER_MS = 40, /* audio that must wait before an utterance starts */
	MC_PLAYOUT_HISTORY_MS = 300,  /* played audio kept for a resume at a mark */
	MC_PLAYOUT_LOW_MS = 200,      /* room that makes it ask for more */
};

struct mc_playout;

struct mc_playout_cfg {
	uint32_t srate;
	uint32_t queue_ms; /* ring length, history included */
};

struct mc_playout_stats {
	uint64_t played, wire, flushed, stale_utterances, stale_samples;
	uint64_t underruns, cuts, pauses, resumes, marks_dropped;
};

/* What one pull did; turned into events by the leg. */
struct mc_playout_sink {
	void (*emit)(void *ctx, const struct mc_event *event);
	void *ctx;
};

size_t mc_playout_size(const struct mc_playout_cfg *cfg);
int mc_playout_init(struct mc_playout **out, void *mem, size_t size,
		    const struct mc_playout_cfg *cfg) MC_WUR;

/* Control thread. */
/** Append audio. return samples taken. */
size_t mc_playout_write(struct mc_playout *po, const int16_t *pcm, size_t n);
size_t mc_playout_room(const struct mc_playout *po);
/** Take a place in the utterance queue, before begin is sent. return false when all
 *  MC_PLAYOUT_UTTERANCES are taken. */
bool mc_playout_reserve(struct mc_playout *po) MC_WUR;
/** Absolute ring position of the next sample written: what begin, mark and end refer to. */
uint64_t mc_playout_written(const struct mc_playout *po);

/* Media thread, in this order within a tick. */
void mc_playout_observe(struct mc_playout *po);
void mc_playout_begin(struct mc_playout *po, uint64_t utterance, mc_generation generation,
		      uint64_t start, const struct mc_playout_sink *sink);
void mc_playout_mark(struct mc_playout *po, uint32_t mark, uint64_t at);
void mc_playout_end(struct mc_playout *po, uint64_t end);
void mc_playout_pause(struct mc_playout *po);
void mc_playout_resume(struct mc_playout *po, bool from_mark);
void mc_playout_duck(struct mc_playout *po, uint8_t db);
/** Cut everything of generations <= generation; cause: enum mc_cut_cause. */
void mc_playout_cut(struct mc_playout *po, mc_generation generation, uint32_t cause);
/** One tick: out [n] is overwritten. tx_at: transmit clock of out[0]. return samples of agent
 *  audio in out (0: all silence). No allocation. O(n + marks). */
size_t mc_playout_pull(struct mc_playout *po, int16_t *out, size_t n, uint64_t tx_at,
		       const struct mc_playout_sink *sink);

/** Something of an utterance is playing or could play (not paused, not empty). */
bool mc_playout_active(const struct mc_playout *po);
bool mc_playout_paused(const struct mc_playout *po);
/** Samples of the current utterance played so far; 0 when there is none. */
uint64_t mc_playout_position(const struct mc_playout *po);
/** Last mark of the current utterance that was passed; 0 when none. */
uint32_t mc_playout_last_mark(const struct mc_playout *po);
mc_generation mc_playout_generation(const struct mc_playout *po);
const struct mc_playout_stats *mc_playout_stats(const struct mc_playout *po);

#endif
