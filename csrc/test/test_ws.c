/* mc_ws: whole messages from any split of the bytes, and every breach of RFC 6455 §5. */
#include "mc_ws.h"

#include "mc_test.h"

static uint8_t wire[1 << 18];
static size_t wire_n;

enum { MAX_TEXT = 70000, MAX_BINARY = 1000 };

static void put(const void *data, size_t n)
{
	CHECK(wire_n + n <= sizeof(wire));
	if (n)
		memcpy(wire + wire_n, data, n);
	wire_n += n;
}

/* A masked frame as a client sends it; len_bytes 0: the shortest form. */
static void frame_as(uint8_t first, const void *payload, size_t n, int len_bytes)
{
	const uint8_t mask[4] = {0x11, 0xA5, 0x00, 0xFE};
	uint8_t head[10] = {first};
	size_t size = 2;
	if (len_bytes == 8 || (!len_bytes && n > 65535)) {
		head[1] = 127;
		for (int i = 0; i < 8; i++)
			head[2 + i] = (uint8_t)(n >> (56 - 8 * i));
		size = 10;
	} else if (len_bytes == 2 || (!len_bytes && n > 125)) {
		head[1] = 126;
		head[2] = (uint8_t)(n >> 8);
		head[3] = (uint8_t)n;
		size = 4;
	} else {
		head[1] = (uint8_t)n;
	}
	head[1] |= 0x80;
	put(head, size);
	put(mask, 4);
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = ((const uint8_t *)payload)[i] ^ mask[i % 4];
		put(&byte, 1);
	}
}

static void frame(uint8_t first, const char *payload)
{
	frame_as(first, payload, strlen(payload), 0);
}

/* What comes out, `step` bytes at a time: "T:text B:bytes P:ping O:pong C1000:reason X1002". */
static const char *heard(size_t step)
{
	static char text[4096];
	struct mc_ws ws;
	struct mc_ws_event ev;
	size_t n = 0;
	CHECK_EQ(mc_ws_init(&ws, MAX_TEXT, MAX_BINARY), 0);
	for (size_t at = 0; at < wire_n;) {
		size_t part = wire_n - at < step ? wire_n - at : step;
		uint8_t *exact = malloc(part); /* so that an overrun is seen */
		CHECK(exact != NULL);
		memcpy(exact, wire + at, part);
		for (size_t used = 0; used < part;) {
			size_t took = mc_ws_feed(&ws, exact + used, part - used, &ev);
			used += took;
			if (ev.kind == MC_WS_NONE) {
				CHECK_EQ(used, part);
				break;
			}
			if (n)
				text[n++] = ' ';
			if (ev.kind == MC_WS_CLOSE || ev.kind == MC_WS_BAD)
				n += (size_t)sprintf(text + n, "%c%u",
						     ev.kind == MC_WS_BAD ? 'X' : 'C', ev.code);
			else
				text[n++] = "?TBPO"[ev.kind];
			if (ev.kind != MC_WS_BAD && ev.n <= 200) {
				text[n++] = ':';
				if (ev.n)
					memcpy(text + n, ev.data, ev.n);
				n += ev.n;
			} else if (ev.kind != MC_WS_BAD) {
				n += (size_t)sprintf(text + n, "#%zu", ev.n);
			} else {
				CHECK(ev.n > 4 && ev.n <= MC_WS_CONTROL_MAX - 2);
			}
		}
		free(exact);
		at += part;
	}
	text[n] = 0;
	mc_ws_free(&ws);
	return text;
}

#define HEARD(want)                                                                                \
	do {                                                                                       \
		const size_t steps[] = {1, 2, 3, 7, 64, 1 << 20};                                  \
		for (size_t k_ = 0; k_ < 6; k_++) {                                                \
			const char *got_ = heard(steps[k_]);                                       \
			if (strcmp(got_, want)) {                                                  \
				fprintf(stderr, "%d: got \"%s\" want \"%s\" by %zu\n", __LINE__,   \
					got_, want, steps[k_]);                                    \
				exit(1);                                                           \
			}                                                                          \
		}                                                                                  \
		wire_n = 0;                                                                        \
	} while (0)

static void test_messages(void)
{
	static char big[70001];
	memset(big, 'x', sizeof(big) - 1);
	frame(0x81, "hello");
	frame(0x82, "bytes");
	frame(0x81, "");
	frame(0x82, "");
	HEARD("T:hello B:bytes T: B:");
	frame_as(0x81, big, 125, 0);
	frame_as(0x81, big, 126, 0);
	frame_as(0x81, big, 65535, 0);
	frame_as(0x81, big, 65536, 0);
	frame_as(0x81, big, 70000, 0);
	const char *got = heard(1000);
	CHECK(strstr(got, "T#65535 T#65536 T#70000"));
	wire_n = 0;
}

static void test_fragments_and_control_between(void)
{
	frame(0x01, "one ");
	frame(0x89, "ping");
	frame(0x00, "two ");
	frame(0x8A, "");
	frame(0x00, "");
	frame(0x80, "three");
	frame(0x82, "after");
	HEARD("P:ping O: T:one two three B:after");
}

static void test_close(void)
{
	frame(0x88, "");
	frame(0x81, "ignored");
	HEARD("C1005:");
	frame(0x88, "\x03\xe9going");
	HEARD("C1001:going");
	frame(0x88, "\x0f\xa0");
	HEARD("C4000:");
}

static void test_breaches(void)
{
	const uint8_t unmasked[] = {0x81, 0x01, 'x'};
	put(unmasked, sizeof(unmasked));
	HEARD("X1002");
	const uint8_t firsts[] = {0xC1, 0xA1, 0x91, 0x83, 0x87, 0x8B, 0x8F, 0x80, 0x00, 0x09, 0x08};
	for (size_t i = 0; i < sizeof(firsts); i++) {
		frame(firsts[i], "x");
		HEARD("X1002");
	}
	frame(0x01, "begun");
	frame(0x81, "another");
	HEARD("X1002");
	frame_as(0x81, "x", 1, 2);
	HEARD("X1002");
	frame_as(0x81, "x", 1, 8);
	HEARD("X1002");
	const uint8_t huge[] = {0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4};
	put(huge, sizeof(huge));
	HEARD("X1002");
	char long_ping[127] = {0};
	frame_as(0x89, long_ping, 126, 0);
	HEARD("X1002");
	frame(0x88, "x");
	HEARD("X1002");
	const uint16_t codes[] = {0, 999, 1004, 1005, 1006, 1015, 2999, 5000};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		uint8_t code[2] = {(uint8_t)(codes[i] >> 8), (uint8_t)codes[i]};
		frame_as(0x88, code, 2, 0);
		HEARD("X1002");
	}
	frame(0x88, "\x03\xe8\xff");
	HEARD("X1007");
	frame(0x81, "ok");
	frame(0x81, "\xc3");
	frame(0x81, "never");
	HEARD("T:ok X1007");
}

static void test_limits(void)
{
	static char big[MAX_TEXT + 1];
	frame_as(0x82, big, MAX_BINARY, 0);
	frame_as(0x82, big, MAX_BINARY + 1, 0);
	HEARD("B#1000 X1009");
	frame_as(0x02, big, MAX_BINARY - 1, 0);
	frame_as(0x00, big, 1, 0);
	frame_as(0x00, big, 1, 0);
	HEARD("X1009");
	frame_as(0x81, big, MAX_TEXT + 1, 0);
	CHECK(!strcmp(heard(4096), "X1009"));
	wire_n = 0;
	/* An announced length takes no memory before its bytes are here. */
	struct mc_ws ws;
	struct mc_ws_event ev;
	const uint8_t head[] = {0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4, 5};
	CHECK_EQ(mc_ws_init(&ws, MAX_TEXT, MAX_BINARY), 0);
	CHECK_EQ(mc_ws_feed(&ws, head, sizeof(head), &ev), sizeof(head));
	CHECK_EQ(ev.kind, MC_WS_NONE);
	CHECK(ws.cap <= 1024);
	mc_ws_free(&ws);
	CHECK_EQ(mc_ws_init(&ws, 0, 1), MC_EINVAL);
	CHECK_EQ(mc_ws_init(&ws, 1, (size_t)1 << 31), MC_EINVAL);
}

static void test_headers(void)
{
	uint8_t out[MC_WS_HEADER_MAX];
	CHECK_EQ(mc_ws_header(out, MC_WS_OP_TEXT, 125), 2);
	CHECK(out[0] == 0x81 && out[1] == 125);
	CHECK_EQ(mc_ws_header(out, MC_WS_OP_BINARY, 126), 4);
	CHECK(out[0] == 0x82 && out[1] == 126 && out[2] == 0 && out[3] == 126);
	CHECK_EQ(mc_ws_header(out, MC_WS_OP_PONG, 65535), 4);
	CHECK_EQ(mc_ws_header(out, MC_WS_OP_BINARY, 65536), 10);
	CHECK(out[1] == 127 && out[7] == 1 && out[8] == 0 && out[9] == 0);
}

static void test_utf8(void)
{
	static const char *const right[] = {"",
					    "plain",
					    "\xc2\x80",
					    "\xdf\xbf",
					    "\xe0\xa0\x80",
					    "\xed\x9f\xbf",
					    "\xee\x80\x80",
					    "\xef\xbf\xbf",
					    "\xf0\x90\x80\x80",
					    "\xf4\x8f\xbf\xbf",
					    "eight by\xc3\xa4 eight more \xe2\x82\xac"};
	static const char *const wrong[] = {"\x80",
					    "\xbf",
					    "\xc0\x80",
					    "\xc1\xbf",
					    "\xc2",
					    "\xc2x",
					    "\xe0\x9f\xbf",
					    "\xe2\x82",
					    "\xed\xa0\x80",
					    "\xf0\x8f\xbf\xbf",
					    "\xf4\x90\x80\x80",
					    "\xf5\x80\x80\x80",
					    "\xff",
					    "\xf0\x90\x80",
					    "\xe2\x82x",
					    "12345678\xfe"};
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		CHECK(mc_utf8_ok((const uint8_t *)right[i], strlen(right[i])));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK(!mc_utf8_ok((const uint8_t *)wrong[i], strlen(wrong[i])));
}

int main(void)
{
	RUN(test_messages);
	RUN(test_fragments_and_control_between);
	RUN(test_close);
	RUN(test_breaches);
	RUN(test_limits);
	RUN(test_headers);
	RUN(test_utf8);
	return 0;
}
