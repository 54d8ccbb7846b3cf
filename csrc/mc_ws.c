#include "mc_ws.h"

#include <stdlib.h>
#include <string.h>

#include "mc_wire.h"

enum {
	LIMIT_MAX = 1 << 30,
	FIRST_CAP = 1024,
	KEEP_CAP = 1 << 16,
	FIN = 0x80,
	RSV = 0x70,
	MASKED = 0x80,
	LEN_16 = 126,
	LEN_64 = 127,
};

int mc_ws_init(struct mc_ws *ws, size_t max_text, size_t max_binary)
{
	memset(ws, 0, sizeof(*ws));
	if (!max_text || max_text > LIMIT_MAX || !max_binary || max_binary > LIMIT_MAX)
		return MC_EINVAL;
	ws->max_text = max_text;
	ws->max_binary = max_binary;
	return MC_OK;
}

void mc_ws_free(struct mc_ws *ws)
{
	free(ws->message);
	ws->message = NULL;
	ws->n = ws->cap = 0;
}

bool mc_ws_code_ok(uint16_t code)
{
	return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
	       (code >= 3000 && code <= 4999);
}

/* Bytes of the character that begins at p, 0 when it is none. Table 3-7 of Unicode. */
static size_t utf8_one(const uint8_t *p, size_t n)
{
	uint8_t a = p[0], low = 0x80, high = 0xBF;
	size_t more = a >= 0xC2 && a <= 0xDF   ? 1
		      : (a & 0xF0) == 0xE0     ? 2
		      : a >= 0xF0 && a <= 0xF4 ? 3
					       : 0;

	if (!more || n <= more)
		return 0;
	if (a == 0xE0)
		low = 0xA0;
	else if (a == 0xED)
		high = 0x9F;
	else if (a == 0xF0)
		low = 0x90;
	else if (a == 0xF4)
		high = 0x8F;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i <= more; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	return more + 1;
}

bool mc_utf8_ok(const uint8_t *text, size_t n)
{
	for (size_t i = 0; i < n;) {
		uint64_t eight;
		if (n - i >= sizeof(eight)) {
			memcpy(&eight, text + i, sizeof(eight));
			if (!(eight & 0x8080808080808080u)) {
				i += sizeof(eight);
				continue;
			}
		}
		size_t one = text[i] < 0x80 ? 1 : utf8_one(text + i, n - i);
		if (!one)
			return false;
		i += one;
	}
	return true;
}

static void bad(struct mc_ws *ws, struct mc_ws_event *ev, uint16_t code, const char *why)
{
	ws->ended = true;
	mc_ws_free(ws);
	size_t n = strlen(why);
	memcpy(ws->control, why, n); /* all are shorter than a control frame */
	*ev = (struct mc_ws_event){.kind = MC_WS_BAD, .code = code, .data = ws->control, .n = n};
}

static size_t head_size(const struct mc_ws *ws)
{
	if (ws->head_n < 2)
		return 2;
	uint8_t len = ws->head[1] & 0x7F;
	return 2u + (len == LEN_16 ? 2 : len == LEN_64 ? 8 : 0) + (ws->head[1] & MASKED ? 4 : 0);
}

static size_t limit(const struct mc_ws *ws)
{
	return ws->of == MC_WS_OP_TEXT ? ws->max_text : ws->max_binary;
}

/* The header is whole. return false after a breach. */
static bool begin_frame(struct mc_ws *ws, struct mc_ws_event *ev)
{
	uint8_t first = ws->head[0], len = ws->head[1] & 0x7F;
	uint64_t n = len;
	size_t at = 2;

	if (len == LEN_16) {
		n = mc_get16(ws->head + 2);
		at = 4;
	} else if (len == LEN_64) {
		n = (uint64_t)mc_get32(ws->head + 2) << 32 | mc_get32(ws->head + 6);
		at = 10;
	}
	ws->opcode = first & 0x0F;
	ws->fin = first & FIN;
	bool control = ws->opcode >= MC_WS_OP_CLOSE;
	const char *why = NULL;
	if (first & RSV)
		why = "reserved bits";
	else if (!(ws->head[1] & MASKED))
		why = "not masked";
	else if (ws->opcode > MC_WS_OP_PONG || (ws->opcode > MC_WS_OP_BINARY && !control))
		why = "unknown opcode";
	else if ((len == LEN_16 && n < LEN_16) || (len == LEN_64 && n <= UINT16_MAX) || n >> 63)
		why = "length not in its shortest form";
	else if (control && (!ws->fin || n > MC_WS_CONTROL_MAX))
		why = "control frame fragmented or too long";
	else if (!control && (ws->opcode == MC_WS_CONTINUATION) != (ws->of != 0))
		why = "fragment out of place";
	if (why) {
		bad(ws, ev, MC_WS_PROTOCOL, why);
		return false;
	}
	if (control) {
		ws->control_n = 0;
	} else if (ws->opcode != MC_WS_CONTINUATION) {
		ws->of = ws->opcode;
		ws->n = 0;
		if (ws->cap > KEEP_CAP) /* a rare big message shall not stay */
			mc_ws_free(ws);
	}
	if (!control && n > limit(ws) - ws->n) {
		bad(ws, ev, MC_WS_TOO_BIG, "message too big");
		return false;
	}
	memcpy(ws->mask, ws->head + at, sizeof(ws->mask));
	ws->mask_at = 0;
	ws->left = n;
	ws->in_payload = true;
	return true;
}

static void unmask(struct mc_ws *ws, uint8_t *out, const uint8_t *in, size_t n)
{
	uint8_t mask[8];
	uint64_t wide, word;
	size_t i = 0;

	for (uint32_t k = 0; k < 8; k++)
		mask[k] = ws->mask[(ws->mask_at + k) % 4];
	memcpy(&wide, mask, sizeof(wide));
	for (; n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, in + i, sizeof(word));
		word ^= wide;
		memcpy(out + i, &word, sizeof(word));
	}
	for (; i < n; i++)
		out[i] = in[i] ^ mask[i % 4];
	ws->mask_at = (uint32_t)((ws->mask_at + n) % 4);
}

static bool grow(struct mc_ws *ws, size_t need)
{
	if (need <= ws->cap)
		return true;
	size_t cap = ws->cap ? ws->cap : FIRST_CAP;
	while (cap < need)
		cap *= 2;
	uint8_t *more = realloc(ws->message, cap);
	if (!more)
		return false;
	ws->message = more;
	ws->cap = cap;
	return true;
}

/* What is there of the frame's payload. return bytes taken. */
static size_t take_payload(struct mc_ws *ws, const uint8_t *data, size_t n, struct mc_ws_event *ev)
{
	size_t take = n < ws->left ? n : (size_t)ws->left;

	if (ws->opcode >= MC_WS_OP_CLOSE) {
		unmask(ws, ws->control + ws->control_n, data, take);
		ws->control_n = (uint8_t)(ws->control_n + take);
	} else if (grow(ws, ws->n + take)) {
		if (take)
			unmask(ws, ws->message + ws->n, data, take);
		ws->n += take;
	} else {
		bad(ws, ev, MC_WS_TOO_BIG, "no memory");
	}
	ws->left -= take;
	return take;
}

static void end_close(struct mc_ws *ws, struct mc_ws_event *ev)
{
	uint16_t code = ws->control_n >= 2 ? mc_get16(ws->control) : MC_WS_CODE_NONE;

	if (ws->control_n == 1 || (ws->control_n && !mc_ws_code_ok(code))) {
		bad(ws, ev, MC_WS_PROTOCOL, "close code");
		return;
	}
	size_t n = ws->control_n ? ws->control_n - 2u : 0;
	if (!mc_utf8_ok(ws->control + 2, n)) {
		bad(ws, ev, MC_WS_NOT_TEXT, "close reason is not UTF-8");
		return;
	}
	ws->ended = true;
	mc_ws_free(ws);
	*ev = (struct mc_ws_event){
		.kind = MC_WS_CLOSE, .code = code, .data = ws->control + 2, .n = n};
}

/* The payload is whole. */
static void end_frame(struct mc_ws *ws, struct mc_ws_event *ev)
{
	ws->in_payload = false;
	ws->head_n = 0;
	if (ws->opcode == MC_WS_OP_CLOSE) {
		end_close(ws, ev);
	} else if (ws->opcode >= MC_WS_OP_CLOSE) {
		ev->kind = ws->opcode == MC_WS_OP_PING ? MC_WS_PING : MC_WS_PONG;
		ev->data = ws->control;
		ev->n = ws->control_n;
	} else if (ws->fin) {
		bool text = ws->of == MC_WS_OP_TEXT;
		ws->of = 0;
		if (text && !mc_utf8_ok(ws->message, ws->n)) {
			bad(ws, ev, MC_WS_NOT_TEXT, "text is not UTF-8");
			return;
		}
		ev->kind = text ? MC_WS_TEXT : MC_WS_BINARY;
		ev->data = ws->message;
		ev->n = ws->n;
	}
}

size_t mc_ws_feed(struct mc_ws *ws, const uint8_t *data, size_t n, struct mc_ws_event *ev)
{
	size_t at = 0;

	*ev = (struct mc_ws_event){0};
	while (!ws->ended && ev->kind == MC_WS_NONE) {
		if (!ws->in_payload) {
			while (at < n && ws->head_n < head_size(ws))
				ws->head[ws->head_n++] = data[at++];
			if (ws->head_n < head_size(ws))
				return at;
			if (!begin_frame(ws, ev))
				break;
		}
		at += take_payload(ws, data + at, n - at, ev);
		if (ws->ended)
			break;
		if (ws->left)
			return at;
		end_frame(ws, ev);
	}
	return ws->ended ? n : at;
}

size_t mc_ws_header(uint8_t *out, enum mc_ws_opcode opcode, size_t n)
{
	out[0] = (uint8_t)(FIN | opcode);
	if (n < LEN_16) {
		out[1] = (uint8_t)n;
		return 2;
	}
	if (n <= UINT16_MAX) {
		out[1] = LEN_16;
		mc_put16(out + 2, (uint16_t)n);
		return 4;
	}
	out[1] = LEN_64;
	mc_put32(out + 2, (uint32_t)((uint64_t)n >> 32));
	mc_put32(out + 6, (uint32_t)n);
	return 10;
}
