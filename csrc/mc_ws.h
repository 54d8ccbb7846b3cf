/* mc_ws: WebSocket frames of the server side, after the handshake; no extensions. RFC 6455 §5.
 *
 * What does it do?  Bytes in, whole messages out: unmasks, puts fragments together, checks every
 *                   rule of §5 and UTF-8, and says with which close code to answer a breach.
 * How does it work? A frame header is collected byte by byte, payload is unmasked into one buffer
 *                   per message that grows with what has arrived (never by what was announced).
 *
 *      state     | data                          | close          | breach
 *      ----------+-------------------------------+----------------+------------
 *      open      | TEXT BINARY PING PONG         | CLOSE: ended   | BAD: ended
 *      ended     | consumed and ignored          | the same       | the same
 *
 * How do I use it?  mc_ws_feed() until all is consumed; answer PING, CLOSE and BAD with what
 *                   mc_ws_header() and the payload make. One thread, not the media thread: a
 *                   message that grows allocates.
 *
 * Memory: at most the limits of the configuration, doubled. Cost: a copy of the payload.
 */
#ifndef MC_WS_H
#define MC_WS_H

#include <stdbool.h>

#include "mc_types.h"

enum {
	MC_WS_HEADER_MAX = 10, /* of frames sent */
	MC_WS_CONTROL_MAX = 125,
	MC_WS_CODE_NONE = 1005, /* a close without a code, §7.4.1 */
	MC_WS_PROTOCOL = 1002,
	MC_WS_NOT_TEXT = 1007,
	MC_WS_TOO_BIG = 1009,
};

enum mc_ws_opcode {
	MC_WS_CONTINUATION = 0,
	MC_WS_OP_TEXT = 1,
	MC_WS_OP_BINARY = 2,
	MC_WS_OP_CLOSE = 8,
	MC_WS_OP_PING = 9,
	MC_WS_OP_PONG = 10,
};

enum mc_ws_kind {
	MC_WS_NONE = 0,
	MC_WS_TEXT, /* valid UTF-8 */
	MC_WS_BINARY,
	MC_WS_PING,
	MC_WS_PONG,
	MC_WS_CLOSE, /* code; data: the reason, valid UTF-8 */
	MC_WS_BAD,   /* code to close with; data: why */
};

struct mc_ws_event {
	enum mc_ws_kind kind;
	uint16_t code;
	uint8_t *data; /* the receiver may write to it; valid until the next call */
	size_t n;
};

struct mc_ws {
	size_t max_text, max_binary;
	uint8_t *message; /* [cap] */
	size_t n, cap;
	uint64_t left; /* payload bytes of the frame still to come */
	uint32_t mask_at;
	uint8_t mask[4];
	uint8_t head[14];
	uint8_t head_n;
	uint8_t opcode; /* of the frame, once its header is there */
	uint8_t of;     /* of the message that fragments belong to; 0 = none */
	bool in_payload, fin, ended;
	uint8_t control_n;
	uint8_t control[MC_WS_CONTROL_MAX];
};

/** Limits in bytes of whole messages, 1 … 2^30. return 0 | MC_EINVAL */
int mc_ws_init(struct mc_ws *ws, size_t max_text, size_t max_binary) MC_WUR;
void mc_ws_free(struct mc_ws *ws);
/** Consume bytes up to the end of the next message or control frame.
 *  return bytes consumed; ev->kind is MC_WS_NONE when that is all and there is none. */
size_t mc_ws_feed(struct mc_ws *ws, const uint8_t *data, size_t n, struct mc_ws_event *ev);
/** Header of a whole unmasked frame. out [MC_WS_HEADER_MAX]. return its bytes. */
size_t mc_ws_header(uint8_t *out, enum mc_ws_opcode opcode, size_t n);
/** Whether a close frame may carry the code, §7.4. */
bool mc_ws_code_ok(uint16_t code);
/** Well-formed UTF-8, RFC 3629. */
bool mc_utf8_ok(const uint8_t *text, size_t n);

#endif
