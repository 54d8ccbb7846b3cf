/* mc_telev: every arrival order of a short key's packets, then long keys, lost ends and the
 * sender's timeline. */
#include "mc_telev.h"
#include "mc_test.h"

static const char KEYS[] = "0123456789*#ABCD";

static void digits_and_codes(void)
{
	for (int c = 0; c < 256; c++) {
		CHECK_EQ(mc_telev_digit((uint8_t)c), c < 16 ? KEYS[c] : 0);
		const char *at = c ? strchr(KEYS, c >= 'a' && c <= 'd' ? c - 32 : c) : NULL;
		CHECK_EQ(mc_telev_code((char)c), at ? at - KEYS : MC_EINVAL);
	}
}

/* The packets of one key as the sender makes them, ticks in between left out. */
static size_t key_packets(struct mc_telev_packet *v, size_t cap, uint32_t clock_rate, char digit,
			  uint32_t duration_ms, uint32_t ts)
{
	struct mc_telev_tx tx;
	size_t n = 0;
	CHECK_EQ(mc_telev_tx_init(&tx, clock_rate), 0);
	CHECK_EQ(mc_telev_tx_put(&tx, digit, duration_ms, 40), 0);
	while (!mc_telev_tx_idle(&tx)) {
		struct mc_telev_packet p;
		mc_telev_tx_tick(&tx, &p, ts);
		ts += clock_rate / 50;
		if (p.send) {
			CHECK(n < cap);
			v[n++] = p;
		}
	}
	return n;
}

/* A receiver that counts what it gives. */
struct listener {
	struct mc_telev_rx rx;
	struct mc_telev_event last;
	unsigned started, ended;
	char digits[64];
};

static void listen_to(struct listener *l, uint32_t clock_rate)
{
	memset(l, 0, sizeof(*l));
	CHECK_EQ(mc_telev_rx_init(&l->rx, clock_rate), 0);
}

static void take(struct listener *l, const struct mc_telev_event *v, int n)
{
	CHECK(n >= 0 && n <= MC_TELEV_OUT_MAX);
	for (int i = 0; i < n; i++) {
		if (v[i].kind == MC_TELEV_STARTED) {
			CHECK_EQ(l->started, l->ended); /* never two open */
			l->digits[l->started++ % 63] = v[i].digit;
		} else {
			CHECK_EQ(v[i].kind, MC_TELEV_ENDED);
			CHECK_EQ(l->started, l->ended + 1);
			l->ended++;
		}
		l->last = v[i];
	}
}

static void feed(struct listener *l, const struct mc_telev_packet *p, uint64_t now_us)
{
	struct mc_telev_event v[MC_TELEV_OUT_MAX];
	take(l, v, mc_telev_rx_feed(&l->rx, v, p->payload, 4, p->ts, p->marker, now_us));
}

static void poll(struct listener *l, uint64_t now_us)
{
	struct mc_telev_event e;
	take(l, &e, mc_telev_rx_poll(&l->rx, &e, now_us));
}

/* Three ticks of tone give five packets. Every sequence of up to seven arrivals out of these
 * five holds all patterns of loss, duplication and order. */
static void every_arrival_of_a_key_gives_one_event(void)
{
	struct mc_telev_packet v[8];
	size_t n = key_packets(v, 8, 8000, '7', 60, 0xFFFFFF00u);
	CHECK_EQ(n, 5);
	for (unsigned length = 1, total = 5; length <= 7; length++, total *= 5)
		for (unsigned code = 0; code < total; code++) {
			struct listener l;
			bool e_came = false;
			uint64_t now = 1000000;
			listen_to(&l, 8000);
			for (unsigned i = 0, rest = code; i < length;
			     i++, rest /= 5, now += 20000) {
				feed(&l, &v[rest % 5], now);
				poll(&l, now);
				e_came |= rest % 5 >= 2;
				CHECK_EQ(l.started, 1);
				CHECK_EQ(l.ended, e_came);
			}
			poll(&l, now + 300000);
			CHECK_EQ(l.started, 1);
			CHECK_EQ(l.ended, 1);
			CHECK_EQ(l.last.digit, '7');
			CHECK_EQ(l.last.ts, 0xFFFFFF00u);
			CHECK_EQ(l.last.lost_end, !e_came);
			CHECK(e_came ? l.last.duration_ms == 60 : l.last.duration_ms <= 40);
			feed(&l, &v[4], now + 320000);
			CHECK_EQ(l.started, 1);
		}
}

/* A row of keys, also the same one twice, under every mask of loss that leaves each key at
 * least one packet, with neighbours swapped and some packets doubled. */
static void a_row_of_keys_under_loss(void)
{
	static const char dialled[] = "55#A";
	struct mc_telev_packet v[4][8];
	uint32_t rng = 3;
	for (uint32_t k = 0; k < 4; k++)
		CHECK_EQ(key_packets(v[k], 8, 8000, dialled[k], 60, 5000 + k * 1000), 5);
	for (unsigned mask = 0; mask < 1u << 20; mask += 1 + test_rand(&rng) % 7) {
		struct listener l;
		uint64_t now = 0;
		bool whole = true;
		listen_to(&l, 8000);
		for (unsigned k = 0; k < 4; k++) {
			unsigned keep = mask >> (5 * k) & 31;
			whole &= keep != 0;
			unsigned swap = test_rand(&rng) % 5;
			for (unsigned i = 0; i < 5; i++) {
				unsigned at = i == swap && i < 4 ? i + 1
					      : i == swap + 1    ? i - 1
								 : i;
				if (keep >> at & 1)
					feed(&l, &v[k][at], now);
				if ((keep >> at & 1) && test_rand(&rng) % 4 == 0)
					feed(&l, &v[k][at], now);
				now += 20000;
			}
		}
		poll(&l, now + 300000);
		CHECK_EQ(l.started, l.ended);
		if (whole)
			CHECK(!strcmp(l.digits, dialled));
		CHECK(l.started <= 4);
	}
}

static void a_lost_end_is_closed_by_time_or_by_the_next_key(void)
{
	struct mc_telev_packet v[16];
	struct listener l;
	size_t n = key_packets(v, 16, 8000, '1', 200, 1000);
	CHECK_EQ(n, 12);
	listen_to(&l, 8000);
	for (size_t i = 0; i < 5; i++)
		feed(&l, &v[i], i * 20000);
	poll(&l, 80000 + MC_TELEV_TIMEOUT_MS * 1000 - 1);
	CHECK_EQ(l.ended, 0);
	poll(&l, 80000 + MC_TELEV_TIMEOUT_MS * 1000);
	CHECK_EQ(l.ended, 1);
	CHECK_EQ(l.last.duration_ms, 100);
	CHECK(l.last.lost_end);
	feed(&l, &v[11], 400000); /* late end of the key that was closed */
	CHECK_EQ(l.started, 1);
	CHECK_EQ(l.rx.lost_ends, 1);

	listen_to(&l, 8000);
	feed(&l, &v[0], 0);
	n = key_packets(v, 16, 8000, '2', 40, 5000);
	feed(&l, &v[n - 1], 100000); /* of the second key only its last packet */
	CHECK_EQ(l.started, 2);
	CHECK_EQ(l.ended, 2);
	CHECK(!strcmp(l.digits, "12"));
	CHECK_EQ(l.rx.lost_ends, 1);
}

static void a_long_key_is_one_event(void)
{
	static struct mc_telev_packet v[3200];
	static const uint32_t ratev[] = {8000, 16000, 48000};
	for (size_t r = 0; r < 3; r++) {
		uint32_t rng = 11;
		size_t n = key_packets(v, 3200, ratev[r], '*', 60000, 0xFFFF0000u);
		size_t segments = 0;
		for (size_t i = 0; i < n; i++) {
			CHECK_EQ(v[i].marker, i == 0);
			CHECK_EQ(v[i].payload[1] >> 7, i >= n - 3);
			segments += i && v[i].ts != v[i - 1].ts;
			if (i && v[i].ts != v[i - 1].ts)
				CHECK_EQ(v[i].ts - v[i - 1].ts, 0xFFFF);
		}
		CHECK_EQ(segments, 60ull * ratev[r] / 0xFFFF);
		for (int loss = 0; loss <= 40; loss += 20) {
			struct listener l;
			listen_to(&l, ratev[r]);
			for (size_t i = 0; i < n; i++) {
				if ((int)(test_rand(&rng) % 100) < loss && i != n - 1)
					continue;
				feed(&l, &v[i], i * 20000);
				poll(&l, i * 20000);
			}
			CHECK_EQ(l.started, 1);
			CHECK_EQ(l.ended, 1);
			CHECK_EQ(l.last.duration_ms, 60000);
			CHECK(!l.last.lost_end);
		}
	}
}

/* A key that timed out in a gap of the network and goes on in a later segment stays ended. */
static void a_closed_long_key_does_not_come_back(void)
{
	static struct mc_telev_packet v[600];
	struct listener l;
	size_t n = key_packets(v, 600, 8000, '9', 10000, 0);
	listen_to(&l, 8000);
	for (size_t i = 0; i < n; i++) {
		if (i < 100 || i > 120)
			feed(&l, &v[i], i * 20000);
		poll(&l, i * 20000);
	}
	CHECK_EQ(l.started, 1);
	CHECK_EQ(l.ended, 1);
	CHECK(l.last.lost_end);
}

static void what_is_not_an_event_changes_nothing(void)
{
	struct mc_telev_rx rx;
	struct mc_telev_event out[MC_TELEV_OUT_MAX];
	const uint8_t five[4] = {5, 10, 0, 160}, six[4] = {6, 10, 0, 160},
		      flash[4] = {16, 10, 0, 1};
	CHECK_EQ(mc_telev_rx_init(&rx, 0), MC_EINVAL);
	CHECK_EQ(mc_telev_rx_init(&rx, 192001), MC_EINVAL);
	CHECK_EQ(mc_telev_rx_init(&rx, 8000), 0);
	for (size_t len = 0; len < 4; len++)
		CHECK_EQ(mc_telev_rx_feed(&rx, out, five, len, 0, true, 0), MC_EBADMSG);
	CHECK_EQ(rx.bad, 4);
	CHECK_EQ(mc_telev_rx_feed(&rx, out, flash, 4, 0, true, 0), 0);
	CHECK_EQ(rx.ignored, 1);
	CHECK_EQ(mc_telev_rx_feed(&rx, out, five, 4, 800, true, 0), 1);
	CHECK_EQ(out[0].volume, 10);
	CHECK_EQ(mc_telev_rx_feed(&rx, out, six, 4, 800, false, 0), MC_EBADMSG);
	CHECK_EQ(mc_telev_rx_feed(&rx, out, six, 4, 640, false, 0), 0); /* an earlier key */
	CHECK_EQ(rx.late, 1);
	CHECK(rx.open);
	CHECK_EQ(rx.code, 5);
}

static void a_new_stream_may_begin_anywhere(void)
{
	struct mc_telev_packet v[8];
	struct listener l;
	listen_to(&l, 8000);
	key_packets(v, 8, 8000, '3', 40, 1000000);
	feed(&l, &v[0], 0);
	mc_telev_rx_reset(&l.rx);
	l.ended++; /* the reset gives no event */
	key_packets(v, 8, 8000, '4', 40, 999000);
	feed(&l, &v[0], 20000);
	CHECK_EQ(l.started, 2);
	feed(&l, &v[3], 40000);
	key_packets(v, 8, 8000, '5', 40, 999000 - 8000 * 6); /* beyond any reordering */
	feed(&l, &v[0], 60000);
	CHECK_EQ(l.started, 3);
	feed(&l, &v[3], 80000);
	key_packets(v, 8, 8000, '6', 40, 999000 - 8000 * 7); /* back, but 6 s later */
	feed(&l, &v[0], 6080000);
	CHECK(!strcmp(l.digits, "3456"));
}

static void the_senders_timeline(void)
{
	/* '1' 60 ms, gap 80; '2' 50 ms (rounded up to 60), gap 40. One character per tick:
	 * F first, t tone, E end, p pause without audio, a audio. */
	static const char want[] = "FtEEEppFtEEEaa";
	struct mc_telev_tx tx;
	uint32_t ts = 0xFFFFFFF0u, first = 0;
	CHECK_EQ(mc_telev_tx_init(&tx, 8000), 0);
	CHECK_EQ(mc_telev_tx_put(&tx, '1', 60, 80), 0);
	CHECK_EQ(mc_telev_tx_put(&tx, '2', 50, 40), 0);
	for (size_t i = 0; want[i]; i++, ts += 160) {
		struct mc_telev_packet p;
		mc_telev_tx_tick(&tx, &p, ts);
		bool e = p.send && p.payload[1] & 0x80;
		char got = !p.send    ? (p.suppress_audio ? 'p' : 'a')
			   : e        ? 'E'
			   : p.marker ? 'F'
				      : 't';
		if (got != want[i])
			fprintf(stderr, "tick %zu: %c, want %c\n", i, got, want[i]);
		CHECK(got == want[i]);
		if (!p.send)
			continue;
		first = p.marker ? ts : first;
		CHECK_EQ(p.ts, first);
		CHECK(p.suppress_audio);
		CHECK_EQ(p.payload[0], i < 7 ? 1 : 2);
		uint32_t duration = (uint32_t)p.payload[2] << 8 | p.payload[3];
		CHECK_EQ(duration, e ? 480 : ts - first + 160);
	}
	CHECK(mc_telev_tx_idle(&tx));
}

static void the_queue_is_bounded_and_can_be_cleared(void)
{
	struct mc_telev_tx tx;
	struct mc_telev_packet p;
	struct listener l;
	CHECK_EQ(mc_telev_tx_init(&tx, 8001), MC_EINVAL);
	CHECK_EQ(mc_telev_tx_init(&tx, 0), MC_EINVAL);
	CHECK_EQ(mc_telev_tx_init(&tx, 8000), 0);
	CHECK_EQ(mc_telev_tx_put(&tx, 'x', 100, 50), MC_EINVAL);
	CHECK_EQ(mc_telev_tx_put(&tx, '1', 39, 50), MC_EINVAL);
	CHECK_EQ(mc_telev_tx_put(&tx, '1', 60001, 50), MC_EINVAL);
	CHECK_EQ(mc_telev_tx_put(&tx, '1', 100, 39), MC_EINVAL);
	CHECK_EQ(mc_telev_tx_put(&tx, '1', 100, 60001), MC_EINVAL);
	CHECK(mc_telev_tx_idle(&tx));
	for (int i = 0; i < MC_TELEV_QUEUE; i++)
		CHECK_EQ(mc_telev_tx_put(&tx, KEYS[i % 16], 1000, 50), 0);
	CHECK_EQ(mc_telev_tx_put(&tx, '1', 100, 50), MC_EFULL);
	listen_to(&l, 8000);
	for (uint32_t tick = 0; tick < 20; tick++) {
		if (tick == 5)
			mc_telev_tx_clear(&tx);
		mc_telev_tx_tick(&tx, &p, tick * 160);
		if (p.send)
			feed(&l, &p, tick * 20000);
	}
	CHECK(mc_telev_tx_idle(&tx));
	CHECK_EQ(l.started, 1);
	CHECK_EQ(l.last.duration_ms, 120);
	CHECK(!l.last.lost_end);
	mc_telev_tx_clear(&tx);
	mc_telev_tx_tick(&tx, &p, 0);
	CHECK(!p.send && !p.suppress_audio);
}

/* Digits put at any moment come out once each, in order, without audio under them. */
static void random_dialling_arrives(void)
{
	struct mc_telev_tx tx;
	struct listener l;
	uint32_t rng = 21;
	char put[64] = {0};
	unsigned n = 0;
	CHECK_EQ(mc_telev_tx_init(&tx, 48000), 0);
	listen_to(&l, 48000);
	for (uint32_t tick = 0; tick < 3000; tick++) {
		if (n < 60 && test_rand(&rng) % 16 == 0) {
			char d = KEYS[test_rand(&rng) % 16];
			if (mc_telev_tx_put(&tx, d, 40 + test_rand(&rng) % 400,
					    40 + test_rand(&rng) % 100) == 0)
				put[n++] = d;
		}
		struct mc_telev_packet p;
		mc_telev_tx_tick(&tx, &p, tick * 960);
		if (p.send)
			feed(&l, &p, tick * 20000);
		poll(&l, tick * 20000);
	}
	CHECK_EQ(n, 60);
	CHECK_EQ(l.ended, 60);
	CHECK(!strcmp(l.digits, put));
	CHECK_EQ(l.rx.lost_ends, 0);
}

int main(void)
{
	RUN(digits_and_codes);
	RUN(every_arrival_of_a_key_gives_one_event);
	RUN(a_row_of_keys_under_loss);
	RUN(a_lost_end_is_closed_by_time_or_by_the_next_key);
	RUN(a_long_key_is_one_event);
	RUN(a_closed_long_key_does_not_come_back);
	RUN(what_is_not_an_event_changes_nothing);
	RUN(a_new_stream_may_begin_anywhere);
	RUN(the_senders_timeline);
	RUN(the_queue_is_bounded_and_can_be_cleared);
	RUN(random_dialling_arrives);
	return 0;
}
