/* mc_mjson: finds the audio in a JSON message, as the media streams of providers carry it.
 *
 *   {"event": "media", "media": {"track": "inbound", "chunk": "2", "payload": "<base64>"}}
 *
 * What does it do?  Reads the whole message once and gives the payload's place, its number and
 *                   time, wherever in the object they stand. Values are top-level members or
 *                   members of a top-level object.
 * How does it work? A scan without a tree that accepts valid JSON only, and of that a part: when it
 *                   meets something it is not certain of (an escape or a non-ASCII character
 *                   outside of the payload, a member twice, deep nesting) it says so, and the
 *                   message goes to a full parser. So nothing is lost and nothing misread.
 * How do I use it?  Fill in mc_mjson_cfg once; mc_mjson_scan() per text message, then
 *                   mc_b64_decode() on the payload.
 *
 * No state, no allocation. Cost: about 0.2 µs for a message of 20 ms.
 */
#ifndef MC_MJSON_H
#define MC_MJSON_H

#include <stdbool.h>

#include "mc_types.h"

enum {
	MC_MJSON_KEY = 48, /* bytes of a key or value looked for */
	MC_MJSON_TRACKS = 4,
};

struct mc_mjson_name {
	char text[MC_MJSON_KEY];
	size_t n;
};

/* A member: key alone, or key within a top-level object. key.n 0: not looked for. */
struct mc_mjson_path {
	struct mc_mjson_name object, key;
};

struct mc_mjson_cfg {
	struct mc_mjson_name event_key; /* n 0: the payload alone makes it media */
	struct mc_mjson_name event_value;
	struct mc_mjson_path payload, seq, ts, track;
	struct mc_mjson_name tracks[MC_MJSON_TRACKS]; /* accepted; none: all are */
	size_t track_count;
};

struct mc_mjson {
	size_t payload_at, payload_n; /* base64 characters in the message, perhaps with "\/" */
	bool has_seq, has_ts;         /* a whole number, bare or as a string */
	bool wrong_track;
	uint64_t seq, ts;
};

/** return whether it is media for certain; otherwise *out means nothing. */
bool mc_mjson_scan(struct mc_mjson *out, const struct mc_mjson_cfg *cfg, const uint8_t *text,
		   size_t n);

#endif
