#include "mc_mjson.h"

#include <string.h>

enum { DEPTH_MAX = 8 };

struct token {
	const uint8_t *at;
	size_t n;
};

/* Where the scan is. */
struct scan {
	const uint8_t *text, *p, *end;
	const struct mc_mjson_cfg *cfg;
	struct mc_mjson *out;
	bool is_event, has_payload, has_track; /* seen so far */
	bool has_event, saw_seq, saw_ts;
	struct token objects[4]; /* of the paths, seen so far */
	size_t object_count;
};

static void blanks(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
		s->p++;
}

static bool one(struct scan *s, char c)
{
	blanks(s);
	if (s->p == s->end || *s->p != (uint8_t)c)
		return false;
	s->p++;
	return true;
}

static bool word(struct scan *s, const char *text, size_t n)
{
	if ((size_t)(s->end - s->p) < n || memcmp(s->p, text, n) != 0)
		return false;
	s->p += n;
	return true;
}

/* A string that stands for itself. */
static bool plain_string(struct scan *s, struct token *out)
{
	if (!one(s, '"'))
		return false;
	const uint8_t *p = s->p;
	while (p < s->end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
		p++;
	if (p == s->end || *p != '"')
		return false;
	*out = (struct token){.at = s->p, .n = (size_t)(p - s->p)};
	s->p = p + 1;
	return true;
}

/* Base64; of escapes only that of the slash. What else is in it the decoder finds. */
static bool payload_string(struct scan *s, struct token *out)
{
	if (!one(s, '"'))
		return false;
	const uint8_t *quote = memchr(s->p, '"', (size_t)(s->end - s->p));
	if (!quote)
		return false;
	for (const uint8_t *p = s->p; (p = memchr(p, '\\', (size_t)(quote - p))); p += 2)
		if (p[1] != '/')
			return false;
	*out = (struct token){.at = s->p, .n = (size_t)(quote - s->p)};
	s->p = quote + 1;
	return true;
}

static bool digits(struct scan *s)
{
	const uint8_t *from = s->p;
	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > from;
}

/* RFC 8259 §6. */
static bool number(struct scan *s, struct token *out)
{
	const uint8_t *from = s->p;
	(void)word(s, "-", 1);
	if (!word(s, "0", 1) && !digits(s))
		return false;
	if (word(s, ".", 1) && !digits(s))
		return false;
	if (word(s, "e", 1) || word(s, "E", 1)) {
		if (!word(s, "+", 1))
			(void)word(s, "-", 1);
		if (!digits(s))
			return false;
	}
	*out = (struct token){.at = from, .n = (size_t)(s->p - from)};
	return true;
}

static bool skip_value(struct scan *s, int depth);

static bool skip_list(struct scan *s, int depth, bool members)
{
	char close = members ? '}' : ']';
	struct token key;

	s->p++;
	if (depth >= DEPTH_MAX)
		return false;
	if (one(s, close))
		return true;
	do {
		if (members && !(plain_string(s, &key) && one(s, ':')))
			return false;
		if (!skip_value(s, depth + 1))
			return false;
	} while (one(s, ','));
	return one(s, close);
}

static bool skip_value(struct scan *s, int depth)
{
	struct token ignored;

	blanks(s);
	if (s->p == s->end)
		return false;
	switch (*s->p) {
	case '"':
		return plain_string(s, &ignored);
	case '{':
		return skip_list(s, depth, true);
	case '[':
		return skip_list(s, depth, false);
	case 't':
		return word(s, "true", 4);
	case 'f':
		return word(s, "false", 5);
	case 'n':
		return word(s, "null", 4);
	default:
		return number(s, &ignored);
	}
}

static bool scalar(struct scan *s, struct token *out)
{
	blanks(s);
	return s->p < s->end && (*s->p == '"' ? plain_string(s, out) : number(s, out));
}

static bool is(const struct mc_mjson_name *name, const struct token *token)
{
	return name->n && name->n == token->n && memcmp(name->text, token->at, token->n) == 0;
}

static bool at_path(const struct mc_mjson_path *path, const struct token *object,
		    const struct token *key)
{
	return is(&path->key, key) && (object ? is(&path->object, object) : !path->object.n);
}

static bool whole_number(const struct token *token, uint64_t *out)
{
	uint64_t v = 0;
	if (!token->n || token->n > 18)
		return false;
	for (size_t i = 0; i < token->n; i++) {
		if (token->at[i] < '0' || token->at[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(token->at[i] - '0');
	}
	*out = v;
	return true;
}

/* Mark a member as seen. return false the second time. */
static bool first(bool *seen)
{
	bool before = *seen;
	*seen = true;
	return !before;
}

/* The value of a member that may be one of those looked for. */
static bool member(struct scan *s, const struct token *object, const struct token *key, int depth)
{
	const struct mc_mjson_cfg *cfg = s->cfg;
	struct token value;

	if (!object && is(&cfg->event_key, key)) {
		if (!first(&s->has_event) || !plain_string(s, &value))
			return false;
		s->is_event = is(&cfg->event_value, &value);
		return s->is_event;
	}
	if (at_path(&cfg->payload, object, key)) {
		if (!first(&s->has_payload) || !payload_string(s, &value))
			return false;
		s->out->payload_at = (size_t)(value.at - s->text);
		s->out->payload_n = value.n;
		return true;
	}
	if (at_path(&cfg->seq, object, key)) {
		if (!first(&s->saw_seq) || !scalar(s, &value))
			return false;
		s->out->has_seq = whole_number(&value, &s->out->seq);
		return true;
	}
	if (at_path(&cfg->ts, object, key)) {
		if (!first(&s->saw_ts) || !scalar(s, &value))
			return false;
		s->out->has_ts = whole_number(&value, &s->out->ts);
		return true;
	}
	if (at_path(&cfg->track, object, key)) {
		if (!first(&s->has_track) || !plain_string(s, &value))
			return false;
		bool accepted = !cfg->track_count;
		for (size_t i = 0; i < cfg->track_count; i++)
			accepted = accepted || is(&cfg->tracks[i], &value);
		s->out->wrong_track = !accepted;
		return true;
	}
	return skip_value(s, depth);
}

static bool object_of(const struct mc_mjson_cfg *cfg, const struct token *key)
{
	return is(&cfg->payload.object, key) || is(&cfg->seq.object, key) ||
	       is(&cfg->ts.object, key) || is(&cfg->track.object, key);
}

/* return false the second time. */
static bool first_object(struct scan *s, const struct token *key)
{
	for (size_t i = 0; i < s->object_count; i++)
		if (s->objects[i].n == key->n && !memcmp(s->objects[i].at, key->at, key->n))
			return false;
	s->objects[s->object_count++] = *key; /* no more names than paths */
	return true;
}

static bool inner(struct scan *s, const struct token *object)
{
	struct token key;

	if (!one(s, '{'))
		return false;
	if (one(s, '}'))
		return true;
	do {
		if (!plain_string(s, &key) || !one(s, ':') || !member(s, object, &key, 2))
			return false;
	} while (one(s, ','));
	return one(s, '}');
}

bool mc_mjson_scan(struct mc_mjson *out, const struct mc_mjson_cfg *cfg, const uint8_t *text,
		   size_t n)
{
	struct scan s = {.text = text, .p = text, .end = text + n, .cfg = cfg, .out = out};
	struct token key;

	*out = (struct mc_mjson){0};
	if (!one(&s, '{'))
		return false;
	do {
		if (!plain_string(&s, &key) || !one(&s, ':'))
			return false;
		blanks(&s);
		bool nested = object_of(cfg, &key);
		if (nested && !first_object(&s, &key))
			return false;
		nested = nested && s.p < s.end && *s.p == '{';
		if (!(nested ? inner(&s, &key) : member(&s, NULL, &key, 1)))
			return false;
	} while (one(&s, ','));
	if (!one(&s, '}'))
		return false;
	blanks(&s);
	return s.p == s.end && s.has_payload && (s.is_event || !cfg->event_key.n);
}
