/* mc_telev: DTMF as telephone events in RTP, RFC 4733, both directions.
 *
 * What does it do?  The receiver turns packets into at most one "started" and one "ended" per
 *                   key, whatever is lost, doubled or out of order. The sender turns a bounded
 *                   queue of digits into one payload per tick.
 * How does it work? All packets of a key carry the RTP timestamp of its start, so the timestamp
 *                   is the identity of the key (§2.5.1.2):
 *
 *     tick      0     1     2   ...  N-1    N    N+1  |        |  0
 *     ts        t     t     t         t     t     t   |  pause |  t'
 *     marker    1     0     0         0     0     0   |        |  1
 *     duration  20    40    60  ...  20N   20N   20N  |        |  20     (ms here)
 *     E bit     0     0     0         1     1     1   |        |  0
 *     receiver  started               ended           |        |  started
 *
 *                   A key longer than 0xFFFF ticks goes on in a new segment: timestamp later by
 *                   0xFFFF, duration from 0 again, no marker, E only in the last (§2.5.1.3).
 *                   A lost end is closed by the next key or by mc_telev_rx_poll() when nothing
 *                   came for MC_TELEV_TIMEOUT_MS.
 * How do I use it?  Receive: mc_telev_rx_init(); mc_telev_rx_feed() per packet of the event
 *                   payload type and mc_telev_rx_poll() per tick; on a restart of the stream
 *                   mc_telev_rx_reset(). Send: mc_telev_tx_init(), mc_telev_tx_put(); per tick
 *                   mc_telev_tx_tick() before the audio is encoded.
 *
 * Both are plain structs of the caller without pointers. No clock, no allocation, O(1).
 */
#ifndef MC_TELEV_H
#define MC_TELEV_H

#include <stdbool.h>

#include "mc_types.h"

enum {
	MC_TELEV_PAYLOAD = 4,      /* bytes */
	MC_TELEV_TIMEOUT_MS = 200, /* a key without packets for this long has ended */
	MC_TELEV_STALE_MS = 5000,  /* a timestamp further back than this is not reordering */
	MC_TELEV_OUT_MAX = 3,      /* events one packet can cause: old ended, started, ended */
	MC_TELEV_QUEUE = 32,       /* digits waiting to be sent */
	MC_TELEV_MIN_MS = 40,      /* shortest tone and shortest pause, ITU-T Q.24 */
	MC_TELEV_MAX_MS = 60000,
	MC_TELEV_VOLUME = 10, /* -dBm0 of digits sent */
};

/** The digit of an event code 0..15: 0-9 * # A-D; NUL for any other code. */
char mc_telev_digit(uint8_t code);
/** The event code of a digit, letters of either case. return 0..15 | MC_EINVAL. */
int mc_telev_code(char digit);

enum mc_telev_kind {
	MC_TELEV_STARTED = 1,
	MC_TELEV_ENDED,
};

struct mc_telev_event {
	enum mc_telev_kind kind;
	char digit;
	uint8_t volume;       /* -dBm0 */
	bool lost_end;        /* ended without an E bit: the duration is a lower bound */
	uint32_t ts;          /* RTP ticks, start of the key */
	uint32_t duration_ms; /* so far, all segments */
};

struct mc_telev_rx {
	uint32_t clock_rate;  /* Hz of the RTP timestamps: that of the audio codec */
	uint32_t start_ts;    /* of the key */
	uint32_t segment_ts;  /* of its present segment */
	uint32_t duration_ts; /* longest reported in that segment */
	uint64_t last_us;     /* arrival of the last packet of the key */
	uint8_t code;
	uint8_t volume;
	bool known; /* a key was seen since the reset */
	bool open;  /* started and not ended */
	bool e_bit; /* ended by its E bit */

	/* Counters, kept over a reset. */
	uint32_t keys;
	uint32_t bad;       /* shorter than a payload, or another code under a known timestamp */
	uint32_t ignored;   /* codes above 15 */
	uint32_t late;      /* after the end, or of an earlier key or segment */
	uint32_t lost_ends; /* keys ended by a timeout or by the next key */
};

/** return 0 | MC_EINVAL clock_rate 0 or above 192 kHz. */
int mc_telev_rx_init(struct mc_telev_rx *rx, uint32_t clock_rate) MC_WUR;

/** Forget the present key without an event, for a new stream. Counters stay. */
void mc_telev_rx_reset(struct mc_telev_rx *rx);

/** Take one packet. Bytes after the first event of a payload are not read.
 *  out       [MC_TELEV_OUT_MAX] events in order
 *  ts        RTP timestamp; marker: RTP marker bit; now_us: arrival, monotonic µs
 *  return    events written, 0..3 | MC_EBADMSG shorter than 4 bytes or a code that contradicts
 *            the packets before it (nothing changes but the counter).  RFC 4733 §2.3, §2.5.2 */
int mc_telev_rx_feed(struct mc_telev_rx *rx, struct mc_telev_event *out, const uint8_t *payload,
		     size_t len, uint32_t ts, bool marker, uint64_t now_us) MC_WUR;

/** End the open key when it timed out. return events written to *out, 0 or 1. */
int mc_telev_rx_poll(struct mc_telev_rx *rx, struct mc_telev_event *out, uint64_t now_us) MC_WUR;

enum mc_telev_tx_state {
	MC_TELEV_IDLE,
	MC_TELEV_TONE,
	MC_TELEV_END,
	MC_TELEV_PAUSE,
};

struct mc_telev_tx {
	uint32_t tick_ts; /* RTP ticks per tick */
	enum mc_telev_tx_state state;
	uint32_t start_ts;   /* of the key being sent */
	uint32_t segment_ts; /* ticks of the key in segments already reported full */
	uint32_t elapsed;    /* ticks of the key reported, or of the pause passed */
	uint32_t total;      /* ticks of the key */
	uint32_t ends_left;  /* packets with E still to send */
	uint32_t gap;        /* ticks of the pause after the key */
	uint8_t code;
	uint8_t head, count; /* of the ring */
	struct {
		uint8_t code;
		uint16_t tone_ticks, gap_ticks;
	} queue[MC_TELEV_QUEUE];
};

struct mc_telev_packet {
	bool suppress_audio; /* send no audio in this tick */
	bool send;           /* send the payload below */
	bool marker;
	uint32_t ts;
	uint8_t payload[MC_TELEV_PAYLOAD];
};

/** return 0 | MC_EINVAL clock_rate 0, above 192 kHz or not a multiple of 50. */
int mc_telev_tx_init(struct mc_telev_tx *tx, uint32_t clock_rate) MC_WUR;

/** Queue a digit, rounded up to whole ticks.
 *  duration_ms, gap_ms  MC_TELEV_MIN_MS..MC_TELEV_MAX_MS; the gap is silence after this digit
 *  return               0 | MC_EINVAL | MC_EFULL (not queued) */
int mc_telev_tx_put(struct mc_telev_tx *tx, char digit, uint32_t duration_ms,
		    uint32_t gap_ms) MC_WUR;

/** Drop the queue. A digit being sent ends properly with the next ticks. */
void mc_telev_tx_clear(struct mc_telev_tx *tx);

/** Nothing is being sent and nothing waits. */
bool mc_telev_tx_idle(const struct mc_telev_tx *tx);

/** One tick. *out is always filled.
 *  now_ts  RTP timestamp that this tick's audio has. Audio is suppressed from the first packet
 *          to the last E, and between the digits of one queue. */
void mc_telev_tx_tick(struct mc_telev_tx *tx, struct mc_telev_packet *out, uint32_t now_ts);

#endif
