#include "mc_telev.h"

#include <string.h>

#include "mc_seq.h"
#include "mc_wire.h"

enum {
	SEGMENT_MAX = 0xFFFF, /* RTP ticks one segment can report */
	E_BIT = 0x80,
	END_PACKETS = 3, /* RFC 4733 §2.5.1.4 */
	CLOCK_MAX = 192000,
};

static const char DIGITS[16] = {'0', '1', '2', '3', '4', '5', '6', '7',
				'8', '9', '*', '#', 'A', 'B', 'C', 'D'};

char mc_telev_digit(uint8_t code)
{
	return code < sizeof(DIGITS) ? DIGITS[code] : '\0';
}

int mc_telev_code(char digit)
{
	if (digit >= 'a' && digit <= 'd')
		digit = (char)(digit - 'a' + 'A');
	for (int code = 0; code < (int)sizeof(DIGITS); code++)
		if (DIGITS[code] == digit)
			return code;
	return MC_EINVAL;
}

int mc_telev_rx_init(struct mc_telev_rx *rx, uint32_t clock_rate)
{
	if (clock_rate == 0 || clock_rate > CLOCK_MAX)
		return MC_EINVAL;
	*rx = (struct mc_telev_rx){.clock_rate = clock_rate};
	return MC_OK;
}

void mc_telev_rx_reset(struct mc_telev_rx *rx)
{
	rx->known = rx->open = rx->e_bit = false;
}

static struct mc_telev_event event(const struct mc_telev_rx *rx, enum mc_telev_kind kind)
{
	uint64_t ts = (uint64_t)(rx->segment_ts - rx->start_ts) + rx->duration_ts;
	return (struct mc_telev_event){.kind = kind,
				       .digit = DIGITS[rx->code],
				       .volume = rx->volume,
				       .ts = rx->start_ts,
				       .duration_ms = (uint32_t)(ts * 1000 / rx->clock_rate)};
}

static int end_key(struct mc_telev_rx *rx, struct mc_telev_event *out, bool e_bit)
{
	if (!rx->open)
		return 0;
	*out = event(rx, MC_TELEV_ENDED);
	out->lost_end = !e_bit;
	rx->open = false;
	rx->e_bit = e_bit;
	rx->lost_ends += !e_bit;
	return 1;
}

/* The next segment of the present key, §2.5.1.3. Its distance is 0xFFFF; a sender that cuts at
 * its last packet before that is at most 100 ms short. Without the marker condition a second
 * press of the same key could be taken for it. */
static bool is_next_segment(const struct mc_telev_rx *rx, uint8_t code, bool marker, int32_t delta)
{
	return !marker && !rx->e_bit && code == rx->code && delta <= SEGMENT_MAX &&
	       delta > SEGMENT_MAX - (int32_t)(rx->clock_rate / 10) &&
	       (uint32_t)delta >= rx->duration_ts;
}

static bool is_late(const struct mc_telev_rx *rx, int32_t delta, uint64_t now_us)
{
	return delta < 0 && delta > -(int32_t)(rx->clock_rate * (MC_TELEV_STALE_MS / 1000)) &&
	       now_us - rx->last_us < MC_TELEV_STALE_MS * 1000u;
}

int mc_telev_rx_feed(struct mc_telev_rx *rx, struct mc_telev_event *out, const uint8_t *payload,
		     size_t len, uint32_t ts, bool marker, uint64_t now_us)
{
	if (len < MC_TELEV_PAYLOAD) {
		rx->bad++;
		return MC_EBADMSG;
	}
	uint8_t code = payload[0];
	if (mc_telev_digit(code) == '\0') {
		rx->ignored++;
		return 0;
	}
	int n = 0;
	int32_t delta = mc_ts_diff(ts, rx->segment_ts);
	if (rx->known && delta == 0) {
		if (code != rx->code) {
			rx->bad++;
			return MC_EBADMSG;
		}
	} else if (rx->known && is_next_segment(rx, code, marker, delta)) {
		rx->segment_ts = ts;
		rx->duration_ts = 0;
	} else if (rx->known && is_late(rx, delta, now_us)) {
		rx->late++;
		return 0;
	} else {
		n = end_key(rx, out, false);
		rx->start_ts = rx->segment_ts = ts;
		rx->duration_ts = mc_get16(payload + 2);
		rx->code = code;
		rx->volume = payload[1] & 0x3F;
		rx->known = rx->open = true;
		rx->e_bit = false;
		rx->keys++;
		out[n++] = event(rx, MC_TELEV_STARTED);
	}
	rx->last_us = now_us;
	if (!rx->open) {
		rx->late++;
		return n;
	}
	if (mc_get16(payload + 2) > rx->duration_ts)
		rx->duration_ts = mc_get16(payload + 2);
	if (payload[1] & E_BIT)
		n += end_key(rx, out + n, true);
	MC_ASSERT(n <= MC_TELEV_OUT_MAX);
	return n;
}

int mc_telev_rx_poll(struct mc_telev_rx *rx, struct mc_telev_event *out, uint64_t now_us)
{
	if (!rx->open || now_us < rx->last_us || now_us - rx->last_us < MC_TELEV_TIMEOUT_MS * 1000u)
		return 0;
	return end_key(rx, out, false);
}

int mc_telev_tx_init(struct mc_telev_tx *tx, uint32_t clock_rate)
{
	if (clock_rate == 0 || clock_rate > CLOCK_MAX || clock_rate % MC_TICKS_PER_S)
		return MC_EINVAL;
	*tx = (struct mc_telev_tx){.tick_ts = clock_rate / MC_TICKS_PER_S};
	return MC_OK;
}

static uint16_t to_ticks(uint32_t ms)
{
	return (uint16_t)((ms + MC_TICK_MS - 1) / MC_TICK_MS);
}

int mc_telev_tx_put(struct mc_telev_tx *tx, char digit, uint32_t duration_ms, uint32_t gap_ms)
{
	int code = mc_telev_code(digit);
	if (code < 0 || duration_ms < MC_TELEV_MIN_MS || duration_ms > MC_TELEV_MAX_MS ||
	    gap_ms < MC_TELEV_MIN_MS || gap_ms > MC_TELEV_MAX_MS)
		return MC_EINVAL;
	if (tx->count == MC_TELEV_QUEUE)
		return MC_EFULL;
	uint32_t at = (tx->head + tx->count++) % MC_TELEV_QUEUE;
	tx->queue[at].code = (uint8_t)code;
	tx->queue[at].tone_ticks = to_ticks(duration_ms);
	tx->queue[at].gap_ticks = to_ticks(gap_ms);
	return MC_OK;
}

void mc_telev_tx_clear(struct mc_telev_tx *tx)
{
	tx->count = 0;
	if (tx->state == MC_TELEV_TONE)
		tx->total = tx->elapsed + 1;
}

bool mc_telev_tx_idle(const struct mc_telev_tx *tx)
{
	return tx->state == MC_TELEV_IDLE && tx->count == 0;
}

static void start_key(struct mc_telev_tx *tx, uint32_t now_ts)
{
	tx->code = tx->queue[tx->head].code;
	tx->total = tx->queue[tx->head].tone_ticks;
	tx->gap = tx->queue[tx->head].gap_ticks;
	tx->head = (uint8_t)((tx->head + 1) % MC_TELEV_QUEUE);
	tx->count--;
	tx->start_ts = now_ts;
	tx->segment_ts = tx->elapsed = 0;
	tx->ends_left = END_PACKETS;
	tx->state = MC_TELEV_TONE;
}

/* One packet of the present key. A segment that has run full is reported so, without E; what
 * is beyond it follows in the next packet. return true when the E bit was set. */
static bool put_packet(struct mc_telev_tx *tx, struct mc_telev_packet *out)
{
	uint32_t duration = tx->elapsed * tx->tick_ts - tx->segment_ts;
	bool full = duration > SEGMENT_MAX;
	bool end = !full && tx->elapsed >= tx->total;
	out->send = out->suppress_audio = true;
	out->marker = tx->state == MC_TELEV_TONE && tx->elapsed == 1;
	out->ts = tx->start_ts + tx->segment_ts;
	out->payload[0] = tx->code;
	out->payload[1] = MC_TELEV_VOLUME | (end ? E_BIT : 0);
	mc_put16(out->payload + 2, (uint16_t)(full ? SEGMENT_MAX : duration));
	if (full)
		tx->segment_ts += SEGMENT_MAX;
	return end;
}

/* state   tick gives                         next state
 * IDLE    nothing waits: nothing             IDLE
 *         a digit waits: its first packet    TONE
 * TONE    packet, one tick longer            TONE until all ticks are reported, then END
 * END     packet with E, same duration       END until E went out 3 times, then PAUSE
 *         (E first goes out in TONE unless a full segment had to be reported there)
 * PAUSE   nothing                            PAUSE until the gap has passed, then IDLE
 * The gap runs from the end of the tone, so the repeated ends lie within it. */
void mc_telev_tx_tick(struct mc_telev_tx *tx, struct mc_telev_packet *out, uint32_t now_ts)
{
	memset(out, 0, sizeof(*out));
	if (tx->state == MC_TELEV_PAUSE && tx->elapsed >= tx->gap)
		tx->state = MC_TELEV_IDLE;
	if (tx->state == MC_TELEV_IDLE && tx->count)
		start_key(tx, now_ts);
	switch (tx->state) {
	case MC_TELEV_IDLE:
		return;
	case MC_TELEV_TONE:
		tx->elapsed++;
		if (put_packet(tx, out))
			tx->ends_left--;
		if (tx->elapsed >= tx->total)
			tx->state = MC_TELEV_END;
		return;
	case MC_TELEV_END:
		if (put_packet(tx, out))
			tx->ends_left--;
		if (tx->ends_left == 0) {
			tx->state = MC_TELEV_PAUSE;
			tx->elapsed = END_PACKETS - 1;
		}
		return;
	case MC_TELEV_PAUSE:
		tx->elapsed++;
		out->suppress_audio = tx->count > 0;
		return;
	}
}
