/* A leg before its first tick: defaults, memory, codec, sockets. Control thread. */
#include <string.h>
#include <strings.h>

#include "mc_leg_parts.h"
#include "mc_leg_stream.h"
#include "mc_stream.h"

enum {
	DEFAULT_SPEECH_MS = 1600,
	DEFAULT_TAP_MS = 1000,
	DEFAULT_TAP_BLOCK_MS = 100,
	DEFAULT_JITTER_MIN_MS = 20,
	DEFAULT_JITTER_MAX_MS = 400,
	DEFAULT_JITTER_SLOTS = 40,
	DEFAULT_ONSET_MS = 60,
	DEFAULT_HANGOVER_MS = 200,
	CN_PT_8K = 13, /* RFC 3551 §6 */
	TX_PAYLOAD_MAX = MC_PACKET_MAX - MC_RTP_HEADER,
};

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
	return value ? value : fallback;
}

/* The codecs a leg may use, its own first. */
struct choice {
	const struct mc_codec *codecs[1 + MC_LEG_CODECS];
	size_t count;
};

static bool is_opus(const struct mc_codec *codec)
{
	return !strcasecmp(codec->name, "opus");
}

/* Bytes of 20 ms. */
static size_t tick_bytes(const struct mc_codec *codec)
{
	bool two_bytes = !strncasecmp(codec->name, "L16", 3); /* of either byte order */
	return is_opus(codec) ? 320 : mc_frame_samples(codec->clock_rate) * (two_bytes ? 2 : 1);
}

/* The longest packet that a leg of these codecs may be asked to send. */
static size_t tx_payload_bytes(const struct choice *choice)
{
	size_t most = 0;
	for (size_t i = 0; i < choice->count; i++) {
		size_t n = tick_bytes(choice->codecs[i]) * (MC_PTIME_MAX_MS / MC_TICK_MS);
		most = n > most ? n : most;
	}
	return most < TX_PAYLOAD_MAX ? most : TX_PAYLOAD_MAX;
}

static bool ptime_ok(const struct mc_codec *codec, uint32_t ptime_ms)
{
	switch (ptime_ms) {
	case 20:
		return true;
	case 10:
	case 30:
	case 40:
	case 60: /* Opus frames do not concatenate, RFC 7587 §4.2 */
		return !is_opus(codec) &&
		       tick_bytes(codec) * ptime_ms / MC_TICK_MS <= MC_PACKET_MAX - MC_RTP_HEADER;
	default:
		return false;
	}
}

static const struct mc_codec *find_codec(const struct mc_leg_cfg *cfg)
{
	if (!cfg->codec)
		return NULL;
	if (cfg->srate)
		return mc_codec_find(cfg->codec, cfg->srate);
	for (uint32_t srate = 48000; srate >= 8000; srate = srate == 48000 ? 16000 : srate / 2) {
		const struct mc_codec *codec = mc_codec_find(cfg->codec, srate);
		if (codec)
			return codec;
	}
	return NULL;
}

static int find_others(const struct mc_leg_cfg *cfg, struct choice *choice)
{
	for (size_t i = 0; i < MC_LEG_CODECS && cfg->codecs[i]; i++) {
		const struct mc_codec *codec = mc_codec_find(cfg->codecs[i], cfg->srate);
		if (!codec)
			return MC_ENOTSUP;
		choice->codecs[choice->count++] = codec;
	}
	return MC_OK;
}

/* Fill in defaults. return 0 | MC_ENOTSUP | MC_EINVAL */
static int normalise(struct mc_leg_cfg *cfg, struct choice *choice)
{
	const struct mc_codec **codec = &choice->codecs[0];
	*codec = find_codec(cfg);
	if (!*codec)
		return MC_ENOTSUP;
	if (!cfg->srate)
		cfg->srate = (*codec)->srate;
	if (!mc_srate_ok(cfg->srate))
		return MC_EINVAL;
	if (cfg->stream)
		cfg->payload_type = 0;
	if (cfg->payload_type == MC_PT_DYNAMIC)
		cfg->payload_type = (*codec)->static_pt;
	if (!cfg->asymmetric)
		cfg->tx_payload_type = cfg->payload_type;
	if (cfg->payload_type > 127 || cfg->tx_payload_type > 127 ||
	    cfg->event_payload_type > 127 || cfg->latch > MC_LATCH_STRICT ||
	    (cfg->relatch_ms && cfg->relatch_ms < MC_RELATCH_MIN_MS))
		return MC_EINVAL;
	choice->count = 1;
	int rc = find_others(cfg, choice);
	if (rc < 0)
		return rc;
	if (!cfg->cn_payload_type && (*codec)->clock_rate == 8000)
		cfg->cn_payload_type = CN_PT_8K;
	cfg->ptime_ms = or_default(cfg->ptime_ms, MC_TICK_MS);
	if (!ptime_ok(*codec, cfg->ptime_ms))
		return MC_EINVAL;
	for (size_t i = 0, largest = cfg->payload_max; i < choice->count && !largest; i++)
		if (tick_bytes(choice->codecs[i]) > cfg->payload_max)
			cfg->payload_max = (uint16_t)tick_bytes(choice->codecs[i]);
	cfg->jitter_min_ms = (uint16_t)or_default(cfg->jitter_min_ms, DEFAULT_JITTER_MIN_MS);
	cfg->jitter_max_ms = (uint16_t)or_default(cfg->jitter_max_ms, DEFAULT_JITTER_MAX_MS);
	cfg->jitter_slots = (uint16_t)or_default(cfg->jitter_slots, DEFAULT_JITTER_SLOTS);
	cfg->speech_ms = or_default(cfg->speech_ms, DEFAULT_SPEECH_MS);
	cfg->tap_ms = or_default(cfg->tap_ms, DEFAULT_TAP_MS);
	cfg->tap_block_ms = or_default(cfg->tap_block_ms, DEFAULT_TAP_BLOCK_MS);
	if (cfg->tap_ms > 60000 || cfg->tap_block_ms < MC_TICK_MS ||
	    cfg->tap_block_ms > cfg->tap_ms || cfg->rtcp > MC_RTCP_PAIR)
		return MC_EINVAL;
	cfg->vad_onset_ms = (uint16_t)or_default(cfg->vad_onset_ms, DEFAULT_ONSET_MS);
	cfg->vad_hangover_ms = (uint16_t)or_default(cfg->vad_hangover_ms, DEFAULT_HANGOVER_MS);
	return cfg->stream ? mc_leg_stream_normalise(cfg, *codec) : MC_OK;
}

/* The leg's memory as a row of parts. With mem NULL only the size is counted. */
struct arena {
	uint8_t *mem;
	size_t used;
};

static void *take(struct arena *arena, size_t n)
{
	void *part = arena->mem ? arena->mem + arena->used : NULL;
	arena->used += mc_align(n);
	return part;
}

static struct mc_rx_cfg rx_cfg(const struct mc_leg_cfg *cfg, const struct choice *choice)
{
	return (struct mc_rx_cfg){
		.codec = choice->codecs[0],
		.others = choice->codecs + 1,
		.other_count = choice->count - 1,
		.srate = cfg->srate,
		.slots = cfg->jitter_slots,
		.slot_bytes = cfg->payload_max,
		.min_ms = cfg->jitter_min_ms,
		.max_ms = cfg->jitter_max_ms,
		.seed = (uint32_t)(cfg->seed ^ cfg->seed >> 32) | 1u,
	};
}

static struct mc_vad_cfg vad_cfg(const struct mc_leg_cfg *cfg)
{
	return (struct mc_vad_cfg){
		.srate = cfg->srate,
		.threshold_q15 = cfg->vad_threshold_q15,
		/* A start is seen one frame after its onset_frames at the latest. */
		.onset_frames = (uint16_t)((cfg->vad_onset_ms + MC_TICK_MS - 1) / MC_TICK_MS),
		.hangover_ms = cfg->vad_hangover_ms,
	};
}

static struct mc_stream_cfg stream_cfg(const struct mc_leg_cfg *cfg, const struct mc_codec *codec)
{
	return (struct mc_stream_cfg){
		.codec = codec,
		.srate = cfg->srate,
		.queue_ms = cfg->stream_queue_ms,
		.ahead_ms = cfg->ahead_ms,
		.behind = cfg->jitter_slots,
		.always = cfg->stream_always,
	};
}

static struct mc_tap_ring *make_tap(struct arena *arena, uint32_t elem, uint32_t cap)
{
	struct mc_tap_ring *tap = take(arena, sizeof(*tap));
	void *mem = take(arena, (size_t)elem * cap);
	if (tap)
		mc_tap_init(tap, mem, elem, cap);
	return tap;
}

static struct mc_ring *make_link(struct arena *arena)
{
	struct mc_ring *ring = take(arena, sizeof(*ring));
	void *mem = take(arena, sizeof(struct mc_link_packet) * MC_LINK_SLOTS);
	if (ring)
		mc_ring_init(ring, mem, sizeof(struct mc_link_packet), MC_LINK_SLOTS);
	return ring;
}

/* Lay out, and when there is memory also initialise, every part. One function, so that the size
 * counted is the size used. */
static int build(struct arena *arena, const struct mc_leg_cfg *cfg, const struct choice *choice)
{
	struct mc_leg *leg = take(arena, sizeof(*leg));
	struct mc_playout_cfg playout = {.srate = cfg->srate, .queue_ms = cfg->speech_ms};
	struct mc_rx_cfg rx = rx_cfg(cfg, choice);
	struct mc_vad_cfg vad = vad_cfg(cfg);
	uint32_t tap_n = cfg->srate / 1000 * cfg->tap_ms;
	size_t n;
	void *mem;
	int rc = MC_OK;

	n = mc_rx_size(&rx);
	mem = take(arena, n);
	if (!n)
		return MC_EINVAL;
	if (leg)
		rc = mc_rx_init(&leg->rx, mem, n, &rx);
	if (rc < 0)
		return rc;
	n = mc_playout_size(&playout);
	mem = take(arena, n);
	if (leg)
		rc = mc_playout_init(&leg->playout, mem, n, &playout);
	if (rc < 0)
		return rc;
	n = 0; /* one place for the encoders of all codecs */
	for (size_t i = 0; i < choice->count; i++) {
		const struct mc_codec *row = choice->codecs[i];
		size_t bytes = row->enc_size ? row->enc_size(cfg->srate) : 0;
		n = bytes > n ? bytes : n;
	}
	mem = take(arena, n);
	for (size_t i = choice->count; leg && i-- > 0;) { /* its own last */
		const struct mc_codec *row = choice->codecs[i];
		leg->enc = mem;
		rc = row->enc_init ? row->enc_init(mem, cfg->srate) : MC_OK;
		if (rc < 0)
			return rc;
	}
	if (cfg->vad_threshold_q15 >= 0) {
		n = mc_vad_size(&vad);
		mem = take(arena, n);
		if (leg)
			rc = mc_vad_init(&leg->vad, mem, n, &vad);
		if (rc < 0)
			return rc;
	}
	if (cfg->detect_dtmf) {
		n = mc_dtmf_size(cfg->srate);
		mem = take(arena, n);
		if (leg)
			rc = mc_dtmf_init(&leg->dtmf, mem, n, cfg->srate);
		if (rc < 0)
			return rc;
	}
	if (cfg->detect_tones) {
		struct mc_tone_cfg tone = {.srate = cfg->srate, .mask = cfg->detect_tones};
		n = mc_tone_size(&tone);
		mem = take(arena, n);
		if (leg)
			rc = mc_tone_init(&leg->tone, mem, n, &tone);
		if (rc < 0)
			return rc;
	}
	if (cfg->bed) {
		n = mc_bed_size(cfg->srate);
		mem = take(arena, n);
		if (leg)
			rc = mc_bed_init(&leg->bed, mem, n, cfg->srate);
		if (rc < 0)
			return rc;
	}
	int16_t *rx_frame = take(arena, mc_frame_samples(cfg->srate) * sizeof(int16_t));
	uint8_t *payload = take(arena, tx_payload_bytes(choice));
	if (leg) {
		leg->rx_frame = rx_frame;
		leg->tx_payload = payload;
		leg->tx_payload_cap = tx_payload_bytes(choice);
	}
	if (cfg->taps & MC_TAP_RX) {
		struct mc_tap_ring *tap = make_tap(arena, sizeof(int16_t), tap_n);
		if (leg)
			leg->tap_rx = tap;
	}
	if (cfg->taps & MC_TAP_RECORD) {
		struct mc_tap_ring *tap = make_tap(arena, 2 * sizeof(int16_t), tap_n);
		if (leg)
			leg->tap_record = tap;
	}
	if (cfg->taps & MC_TAP_NOTES) {
		struct mc_tap_ring *tap =
			make_tap(arena, sizeof(struct mc_note), cfg->tap_ms / MC_TICK_MS);
		if (leg)
			leg->tap_notes = tap;
	}
	if (cfg->stream) {
		struct mc_stream_cfg stream = stream_cfg(cfg, choice->codecs[0]);
		n = mc_stream_size(&stream);
		mem = take(arena, n);
		if (!n)
			return MC_EINVAL;
		if (leg)
			rc = mc_stream_init(&leg->stream, mem, n, &stream);
		if (rc < 0)
			return rc;
	} else if (cfg->fd < 0) {
		struct mc_ring *in = make_link(arena), *out = make_link(arena);
		if (leg) {
			leg->link_in = in;
			leg->link_out = out;
		}
	}
	return MC_OK;
}

size_t mc_leg_size(const struct mc_leg_cfg *cfg)
{
	struct mc_leg_cfg full = *cfg;
	struct choice choice = {.count = 0};
	struct arena arena = {0};

	if (normalise(&full, &choice) < 0 || build(&arena, &full, &choice) < 0)
		return 0;
	return arena.used;
}

/* splitmix64: first sequence number, timestamp and SSRC from the seed, RFC 3550 §5.1. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9E3779B97F4A7C15u;
	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

uint64_t mc_leg_random(struct mc_leg *leg)
{
	return next_random(&leg->random);
}

static bool address_ok(const struct sockaddr *address, uint32_t len)
{
	return (len == sizeof(struct sockaddr_in) && address->sa_family == AF_INET) ||
	       (len == sizeof(struct sockaddr_in6) && address->sa_family == AF_INET6);
}

int mc_leg_init(struct mc_leg **out, void *mem, size_t size, const struct mc_leg_cfg *cfg)
{
	struct mc_leg_cfg full = *cfg;
	struct choice choice = {.count = 0};
	struct arena arena = {.mem = mem};

	int rc = normalise(&full, &choice);
	if (rc < 0)
		return rc;
	if (size < mc_leg_size(cfg))
		return MC_ENOMEM;
	if (size) /* 0: not buildable, and build() says why */
		memset(mem, 0, size);
	rc = build(&arena, &full, &choice);
	if (rc < 0)
		return rc;

	struct mc_leg *leg = mem;
	const struct mc_codec *codec = choice.codecs[0];
	leg->cfg = full;
	leg->codec = codec;
	memcpy(leg->codecs, choice.codecs, sizeof(choice.codecs));
	leg->codec_count = choice.count;
	leg->sends = leg->receives = true;
	leg->frame = mc_frame_samples(full.srate);
	leg->frame_ts = codec->clock_rate / MC_TICKS_PER_S;
	leg->random = full.seed;
	leg->tx_seq = (uint16_t)mc_leg_random(leg);
	if (full.srtp) /* far from the wrap, which a receiver must not miss: RFC 3711 §3.3.1 */
		leg->tx_seq &= 0x7FFF;
	leg->tx_ts = (uint32_t)mc_leg_random(leg);
	leg->tx_ssrc = (uint32_t)mc_leg_random(leg);
	leg->tap_due = full.tap_block_ms / MC_TICK_MS;
	rc = mc_telev_rx_init(&leg->telev_rx, codec->clock_rate);
	if (rc == MC_OK)
		rc = mc_telev_tx_init(&leg->telev_tx, codec->clock_rate);
	if (rc == MC_OK && full.fd >= 0 && full.remote) {
		struct mc_udp_addr remote = {.len = full.remote_len};
		if (!address_ok(full.remote, full.remote_len))
			return MC_EINVAL;
		memcpy(&remote.sa, full.remote, full.remote_len);
		rc = mc_leg_aim(leg, &remote);
	}
	leg->first_ssrc = leg->tx_ssrc;
	if (rc == MC_OK && full.srtp) /* last: what it allocates is given back by deinit alone */
		rc = mc_srtp_open(&leg->srtp, full.srtp, leg->tx_ssrc);
	leg->cfg.srtp = NULL;
	leg->cfg.remote = NULL; /* the caller's memory */
	leg->cfg.codec = codec->name;
	memset(leg->cfg.codecs, 0, sizeof(leg->cfg.codecs));
	*out = leg;
	return rc;
}

/* -------------------------------------------------------------- a new answer */

void mc_leg_wire_of(const struct mc_leg *leg, struct mc_leg_wire *wire)
{
	*wire = (struct mc_leg_wire){
		.codec = leg->codec,
		.payload_type = leg->cfg.payload_type,
		.tx_payload_type = leg->cfg.tx_payload_type,
		.event_payload_type = leg->cfg.event_payload_type,
		.cn_payload_type = leg->cfg.cn_payload_type,
		.ptime_ms = (uint8_t)leg->cfg.ptime_ms,
		.remote = leg->announced,
	};
}

static const struct mc_codec *reserved(const struct mc_leg *leg, const char *name)
{
	for (size_t i = 0; i < leg->codec_count; i++)
		if (!strcasecmp(leg->codecs[i]->name, name))
			return leg->codecs[i];
	return NULL;
}

static int take_codec(const struct mc_leg *leg, struct mc_leg_wire *wire,
		      const struct mc_leg_target *target)
{
	const struct mc_codec *codec = reserved(leg, target->codec);
	if (!codec)
		return MC_ENOTSUP;
	if (codec == wire->codec)
		return MC_OK;
	if (target->payload_type < 0) {
		if (codec->static_pt == MC_PT_DYNAMIC)
			return MC_EINVAL;
		wire->payload_type = codec->static_pt;
	}
	if (target->tx_payload_type < 0)
		wire->tx_payload_type = wire->payload_type;
	if (codec->clock_rate == 8000 && !wire->cn_payload_type)
		wire->cn_payload_type = CN_PT_8K;
	else if (codec->clock_rate != 8000 && wire->cn_payload_type == CN_PT_8K)
		wire->cn_payload_type = 0;
	wire->codec = codec;
	return MC_OK;
}

int mc_leg_resolve(const struct mc_leg *leg, struct mc_leg_wire *wire,
		   const struct mc_leg_target *target)
{
	struct mc_leg_wire next = *wire;
	int rc = MC_OK;

	if (target->payload_type > 127 || target->tx_payload_type > 127 ||
	    target->event_payload_type > 127 || target->cn_payload_type > 127 ||
	    target->ptime_ms > MC_PTIME_MAX_MS ||
	    (target->remote && !address_ok(target->remote, target->remote_len)))
		return MC_EINVAL;
	if (target->payload_type >= 0)
		next.payload_type = next.tx_payload_type = (uint8_t)target->payload_type;
	if (target->tx_payload_type >= 0)
		next.tx_payload_type = (uint8_t)target->tx_payload_type;
	if (target->codec)
		rc = take_codec(leg, &next, target);
	if (rc < 0)
		return rc;
	if (target->event_payload_type >= 0)
		next.event_payload_type = (uint8_t)target->event_payload_type;
	if (target->cn_payload_type >= 0)
		next.cn_payload_type = (uint8_t)target->cn_payload_type;
	if (target->ptime_ms)
		next.ptime_ms = (uint8_t)target->ptime_ms;
	if (!ptime_ok(next.codec, next.ptime_ms))
		return MC_EINVAL;
	next.remote = (struct mc_udp_addr){.len = 0};
	if (target->remote) {
		next.remote.len = target->remote_len;
		memcpy(&next.remote.sa, target->remote, target->remote_len);
	}
	*wire = next;
	return MC_OK;
}

void mc_leg_deinit(struct mc_leg *leg)
{
	mc_srtp_close(leg->srtp);
	mc_udp_close(leg->cfg.fd);
	if (leg->cfg.rtcp == MC_RTCP_PAIR)
		mc_udp_close(leg->cfg.rtcp_fd);
}

struct mc_srtp *mc_leg_set_srtp(struct mc_leg *leg, struct mc_srtp *fresh)
{
	return mc_srtp_replace(&leg->srtp, fresh);
}

uint32_t mc_leg_first_ssrc(const struct mc_leg *leg)
{
	return leg->first_ssrc;
}
