/* Bytes of a client into mc_ws, once whole and once in pieces: both must give the same messages,
 * nothing is read or written outside of the memory given, and messages obey the rules told.
 * Input: [piece length] [bytes]. */
#include <stdlib.h>
#include <string.h>

#include "mc_ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_TEXT = 3000, MAX_BINARY = 500 };

static void check(int ok)
{
	if (!ok)
		abort();
}

struct log {
	uint64_t hash;
	unsigned events;
	int ended;
};

static void note(struct log *log, const struct mc_ws_event *ev)
{
	uint64_t h = log->hash ^ ((uint64_t)ev->kind << 32 | (uint64_t)ev->code << 8 | ev->n << 40);
	for (size_t i = 0; i < ev->n; i++)
		h = (h ^ ev->data[i]) * 0x100000001B3u;
	log->hash = h * 31 + 7;
	log->events++;
	check(!log->ended);
	switch (ev->kind) {
	case MC_WS_TEXT:
		check(ev->n <= MAX_TEXT && mc_utf8_ok(ev->data, ev->n));
		break;
	case MC_WS_BINARY:
		check(ev->n <= MAX_BINARY);
		break;
	case MC_WS_PING:
	case MC_WS_PONG:
		check(ev->n <= MC_WS_CONTROL_MAX);
		break;
	case MC_WS_CLOSE:
		check(ev->code == MC_WS_CODE_NONE ? !ev->n : mc_ws_code_ok(ev->code));
		check(mc_utf8_ok(ev->data, ev->n));
		log->ended = 1;
		break;
	case MC_WS_BAD:
		check(ev->code == MC_WS_PROTOCOL || ev->code == MC_WS_NOT_TEXT ||
		      ev->code == MC_WS_TOO_BIG);
		log->ended = 1;
		break;
	case MC_WS_NONE:
		abort();
	}
	if (ev->n)
		memset(ev->data, 0xAA, ev->n); /* the receiver may write to it */
}

static struct log run(const uint8_t *data, size_t size, size_t piece)
{
	struct log log = {0};
	struct mc_ws ws;
	struct mc_ws_event ev;

	check(mc_ws_init(&ws, MAX_TEXT, MAX_BINARY) == MC_OK);
	for (size_t at = 0; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		uint8_t *exact = malloc(n);
		check(exact != NULL);
		memcpy(exact, data + at, n);
		for (size_t used = 0; used < n;) {
			size_t took = mc_ws_feed(&ws, exact + used, n - used, &ev);
			check(took > 0 && took <= n - used);
			used += took;
			check(ws.cap <= 2 * (MAX_TEXT + 1024));
			if (ev.kind != MC_WS_NONE)
				note(&log, &ev);
			else
				check(used == n);
		}
		free(exact);
	}
	mc_ws_free(&ws);
	return log;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct log whole = run(data + 1, size - 1, size - 1);
	struct log split = run(data + 1, size - 1, 1u + data[0]);
	check(whole.hash == split.hash && whole.events == split.events);
	return 0;
}
