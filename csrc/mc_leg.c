#include <string.h>

#include "mc_leg_parts.h"
#include "mc_leg_stream.h"
#include "mc_level.h"

enum {
	RTCP_INTERVAL_US = 5000000, /* mean; RFC 3550 §6.2: the minimum for a session of two */
	RTCP_PAIR_TICKS = 8,        /* between two looks at the RTCP socket */
	INBAND_LOW_DBOV = -13,      /* tones of in-band digits */
	INBAND_HIGH_DBOV = -11,
	MAX_WAITED_US = 200000, /* a packet waits for its tick, late ticks included */
	RECEIVE_ROUNDS = 2,     /* batches taken per tick at the most */
	LEARN_ROUNDS = 16,      /* ... while the kernel does not filter for us yet */
	CN_SILENCE = 127,       /* -dBov, RFC 3389 §3.1 */
};

/* ------------------------------------------------------------------ receive */

static void take_telev(struct mc_leg *leg, const struct mc_leg_env *env,
		       const struct mc_telev_event *events, int n)
{
	for (int i = 0; i < n; i++)
		if (events[i].kind == MC_TELEV_ENDED)
			mc_leg_emit_digit(leg, env, events[i].digit, events[i].duration_ms,
					  MC_DIGIT_EVENT);
}

static void take_rtcp(struct mc_leg *leg, const struct mc_leg_env *env, const uint8_t *data,
		      size_t n)
{
	struct mc_rtcp msg;

	if (mc_rtcp_parse(&msg, data, n) < 0) {
		leg->stats.rtcp_malformed++;
		return;
	}
	leg->stats.rtcp_packets++;
	mc_rtcp_seen(&leg->rtcp_peer, &msg, env->now_us);
	for (uint32_t i = 0; i < msg.block_count; i++) {
		uint32_t rtt_us;
		if (msg.blocks[i].ssrc != leg->tx_ssrc)
			continue;
		leg->stats.far_lost_permille = msg.blocks[i].fraction_lost * 1000u / 256u;
		leg->stats.far_jitter_us =
			(uint64_t)msg.blocks[i].jitter_ts * 1000000u / leg->codec->clock_rate;
		if (mc_rtcp_rtt(&rtt_us, &msg.blocks[i], mc_rtcp_ntp(env->unix_us)) == MC_OK)
			leg->stats.rtt_us = rtt_us;
	}
}

static void take_rtp(struct mc_leg *leg, const struct mc_leg_env *env, const uint8_t *data,
		     size_t n)
{
	struct mc_telev_event events[MC_TELEV_OUT_MAX];
	struct mc_rtp rtp;

	if (mc_rtp_parse(&rtp, data, n) < 0) {
		leg->stats.rx_malformed++;
		return;
	}
	bool audio = rtp.pt == leg->cfg.payload_type;
	bool event = leg->cfg.event_payload_type && rtp.pt == leg->cfg.event_payload_type;
	if (!mc_leg_knows_pt(leg, rtp.pt)) {
		leg->stats.rx_wrong_pt++;
		/* A keep-alive (RFC 6263 §4.5), or a codec nobody told us of: no loss. */
		if (leg->source.active && rtp.ssrc == leg->source.ssrc)
			mc_rx_other(leg->rx, rtp.seq);
		return;
	}
	mc_leg_alive(leg, env->now_us);
	if (!leg->receives) {
		leg->stats.rx_unwanted++;
		return;
	}
	int rc = mc_rtp_source_update(&leg->source, &rtp, env->now_us, leg->codec->clock_rate);
	if (rc < 0) {
		leg->stats.rx_stranger++;
		return;
	}
	if (rc == MC_RTP_RESTART) {
		mc_rx_restart(leg->rx);
		mc_telev_rx_reset(&leg->telev_rx);
		leg->stats.rx_restarts++;
	}
	leg->stats.rx_packets++;
	leg->stats.rx_bytes += rtp.payload_len;
	leg->note.packets++;
	if (!leg->received_any)
		leg->first_tick = leg->ticks;
	leg->received_any = true;
	if (event) {
		mc_rx_other(leg->rx, rtp.seq);
		int got = mc_telev_rx_feed(&leg->telev_rx, events, rtp.payload, rtp.payload_len,
					   rtp.ts, rtp.marker, env->now_us);
		leg->stats.rx_malformed += got < 0;
		take_telev(leg, env, events, got);
		return;
	}
	rc = mc_rx_put(leg->rx, rtp.payload, rtp.payload_len, audio ? MC_JBUF_AUDIO : MC_JBUF_CN,
		       rtp.seq, rtp.ts, env->now_us);
	if (rc == MC_ELATE)
		leg->note.late++;
	leg->stats.rx_malformed += rc == MC_EBADMSG;
}

static bool is_rtcp(const struct mc_leg *leg, const uint8_t *data, size_t n)
{
	return leg->cfg.rtcp == MC_RTCP_MUX && mc_rtp_is_rtcp(data, n);
}

/* SRTP: authenticate and decrypt in place, before anything else looks at the packet. */
static bool unsealed(struct mc_leg *leg, uint8_t *data, size_t *n, bool rtcp)
{
	if (!leg->srtp)
		return true;
	int rc = mc_srtp_unprotect(leg->srtp, data, *n, rtcp);
	if (rc < 0) {
		leg->stats.rx_unauthentic++;
		return false;
	}
	*n = (size_t)rc;
	return true;
}

static void take_datagram(struct mc_leg *leg, const struct mc_leg_env *env, const uint8_t *data,
			  size_t n)
{
	if (is_rtcp(leg, data, n))
		take_rtcp(leg, env, data, n);
	else
		take_rtp(leg, env, data, n);
}

/* The tick's time, moved back to when the kernel had the packet: it may have waited almost a tick,
 * and the jitter buffer must not take that for network delay. A wallclock that was set makes no
 * sense of the difference; then the tick's time serves. */
static struct mc_leg_env at_arrival(const struct mc_leg_env *env,
				    const struct mc_udp_packet *packet, uint64_t empty_us)
{
	struct mc_leg_env at = *env;
	uint64_t waited_us = env->unix_us - packet->arrival_unix_us;

	if (packet->arrival_unix_us && waited_us <= MAX_WAITED_US) {
		/* A firewall's queue may hold a packet after the kernel has stamped it. */
		if (waited_us > env->now_us - empty_us)
			waited_us = env->now_us - empty_us;
		at.now_us -= waited_us;
		at.unix_us -= waited_us;
	}
	return at;
}

static void receive_udp(struct mc_leg *leg, const struct mc_leg_env *env)
{
	struct mc_udp_batch *batch = &env->scratch->batch;

	for (int left = leg->drained ? RECEIVE_ROUNDS : LEARN_ROUNDS; left > 0; left--) {
		bool locked = leg->latched;
		size_t got = mc_udp_receive(leg->cfg.fd, batch, true);
		for (size_t i = 0; i < got; i++) {
			struct mc_udp_packet *packet = &batch->packets[i];
			struct mc_leg_env at = at_arrival(env, packet, leg->empty_us);
			if (packet->truncated)
				leg->stats.rx_malformed++;
			else if (leg->latched && !mc_udp_same(&packet->from, &leg->remote))
				leg->stats.rx_stranger++; /* not worth the decryption */
			else if (!unsealed(leg, packet->data, &packet->n,
					   is_rtcp(leg, packet->data, packet->n)))
				continue;
			else if (!mc_leg_from_remote(leg, packet, env->now_us))
				leg->stats.rx_stranger++;
			else
				take_datagram(leg, &at, packet->data, packet->n);
		}
		if (got < MC_UDP_BATCH) {
			leg->drained = locked && leg->latched;
			leg->empty_us = env->now_us;
			break;
		}
	}
	if (leg->cfg.rtcp == MC_RTCP_PAIR && leg->latched && leg->ticks % RTCP_PAIR_TICKS == 0) {
		size_t got = mc_udp_receive(leg->cfg.rtcp_fd, batch, true);
		for (size_t i = 0; i < got; i++) {
			struct mc_udp_packet *packet = &batch->packets[i];
			struct mc_leg_env at = at_arrival(env, packet, 0);
			if (mc_udp_same(&packet->from, &leg->rtcp_remote) &&
			    unsealed(leg, packet->data, &packet->n, true))
				take_rtcp(leg, &at, packet->data, packet->n);
		}
	}
}

static void receive_link(struct mc_leg *leg, const struct mc_leg_env *env)
{
	struct mc_link_packet packet;

	for (int i = 0; i < MC_LINK_SLOTS && mc_ring_read(leg->link_in, &packet, 1); i++) {
		size_t n = packet.n;
		if (unsealed(leg, packet.data, &n, is_rtcp(leg, packet.data, n)))
			take_datagram(leg, env, packet.data, n);
	}
}

void mc_leg_rx(struct mc_leg *leg, const struct mc_leg_env *env)
{
	struct mc_telev_event closed;
	struct mc_rx_info info;

	leg->note = (struct mc_note){.tick = (uint32_t)leg->ticks};
	if (leg->stream)
		mc_leg_stream_rx(leg, env);
	else if (leg->link_in)
		receive_link(leg, env);
	else
		receive_udp(leg, env);
	mc_leg_watch(leg, env);
	take_telev(leg, env, &closed, mc_telev_rx_poll(&leg->telev_rx, &closed, env->now_us));

	mc_rx_pull(leg->rx, leg->rx_frame, env->now_us, &info);
	leg->note.concealed_ms = (uint8_t)(info.concealed_samples * 1000u / leg->cfg.srate);
	leg->note.delay_ms = info.delay_ms;
	leg->note.target_ms = info.target_ms;
	if (info.flags & MC_RX_CONCEALED)
		leg->note.flags |= MC_NOTE_CONCEALED;
	if (info.flags & MC_RX_NOISE)
		leg->note.flags |= MC_NOTE_COMFORT;
	if (info.flags & MC_RX_BEFORE)
		leg->note.flags |= MC_NOTE_WAITING;

	/* The silence before the first packet is nobody's: as a noise floor it would make speech of
	 * a noisy line once the true floor takes over. */
	if (leg->received_any)
		mc_leg_hear(leg, env, !(info.flags & MC_RX_BEFORE));
	if (leg->tap_rx)
		leg->stats.tap_dropped_samples +=
			mc_tap_write(leg->tap_rx, leg->rx_frame, leg->frame);
}

/* ----------------------------------------------------------------- transmit */

/* SRTP: encrypt in place, last of all. return bytes to send, 0: none */
static size_t sealed(struct mc_leg *leg, struct mc_leg_scratch *scratch, int n, bool rtcp)
{
	if (n >= 0 && leg->srtp)
		n = mc_srtp_protect(leg->srtp, scratch->packet, (size_t)n, sizeof(scratch->packet),
				    rtcp);
	leg->stats.tx_errors += n < 0;
	return n < 0 ? 0 : (size_t)n;
}

static void send_datagram(struct mc_leg *leg, const uint8_t *data, size_t n)
{
	if (leg->link_out) {
		struct mc_link_packet packet = {.n = (uint16_t)n};
		memcpy(packet.data, data, n);
		leg->stats.tx_link_dropped += !mc_ring_write(leg->link_out, &packet, 1);
		return;
	}
	const struct mc_udp_addr *to = leg->latched ? NULL : &leg->remote;
	if (leg->remote.len && mc_udp_send(leg->cfg.fd, data, n, to) < 0)
		leg->stats.tx_errors++;
}

/* payload lies at packet + MC_RTP_HEADER, or anywhere else. */
static void send_rtp(struct mc_leg *leg, struct mc_leg_scratch *scratch, uint8_t pt, bool marker,
		     uint32_t ts, const uint8_t *payload, size_t n)
{
	struct mc_rtp rtp = {
		.pt = pt,
		.marker = marker,
		.seq = leg->tx_seq++,
		.ts = ts,
		.ssrc = leg->tx_ssrc,
		.payload = payload,
		.payload_len = n,
	};
	size_t size = sealed(leg, scratch,
			     mc_rtp_build(scratch->packet, sizeof(scratch->packet), &rtp), false);
	if (!size)
		return;
	leg->stats.tx_packets++;
	leg->stats.tx_bytes += n;
	send_datagram(leg, scratch->packet, size);
}

/* Encode a tick, or half of one, and send what makes a packet. */
static void add_audio(struct mc_leg *leg, struct mc_leg_scratch *scratch, const int16_t *pcm,
		      uint32_t ms, uint32_t ts)
{
	bool single = leg->cfg.ptime_ms == ms;
	uint8_t *payload =
		single ? scratch->packet + MC_RTP_HEADER : leg->tx_payload + leg->tx_payload_n;
	size_t cap =
		single ? MC_PACKET_MAX - MC_RTP_HEADER : leg->tx_payload_cap - leg->tx_payload_n;

	if (!leg->tx_payload_ms)
		leg->tx_ts_first = ts;
	int n = leg->codec->encode(leg->enc, payload, cap, pcm, leg->frame * ms / MC_TICK_MS);
	if (n < 0) {
		leg->stats.tx_errors++;
		return;
	}
	leg->tx_payload_n += (size_t)n;
	leg->tx_payload_ms += ms;
	if (leg->tx_payload_ms < leg->cfg.ptime_ms)
		return;
	send_rtp(leg, scratch, leg->cfg.tx_payload_type, leg->tx_marker, leg->tx_ts_first,
		 single ? payload : leg->tx_payload, leg->tx_payload_n);
	leg->tx_marker = false;
	leg->tx_payload_ms = 0;
	leg->tx_payload_n = 0;
}

static void send_audio(struct mc_leg *leg, struct mc_leg_scratch *scratch, const int16_t *pcm)
{
	if (leg->cfg.ptime_ms % MC_TICK_MS == 0) {
		add_audio(leg, scratch, pcm, MC_TICK_MS, leg->tx_ts);
		return;
	}
	add_audio(leg, scratch, pcm, MC_TICK_MS / 2, leg->tx_ts);
	add_audio(leg, scratch, pcm + leg->frame / 2, MC_TICK_MS / 2,
		  leg->tx_ts + leg->frame_ts / 2);
}

/* A payload type of nobody's: receivers ignore the packet, RFC 3550 §5.1. */
static uint8_t unknown_pt(const struct mc_leg *leg)
{
	uint8_t pt = 127;
	while (mc_leg_knows_pt(leg, pt) || pt == leg->cfg.tx_payload_type)
		pt--;
	return pt;
}

/* RFC 6263 §4: comfort noise of no level (§4.2) where the leg has it, so that NAT bindings, relays
 * and the far side's own time-outs see RTP; else an empty packet of an unknown type (§4.5). It
 * takes a sequence number and the running timestamp, so what follows is in order. */
static void keep_alive(struct mc_leg *leg, const struct mc_leg_env *env)
{
	static const uint8_t silence[1] = {CN_SILENCE};
	uint8_t cn = leg->cfg.cn_payload_type;

	if (!leg->cfg.keepalive_ms || leg->stream ||
	    env->now_us < leg->sent_us + (uint64_t)leg->cfg.keepalive_ms * 1000)
		return;
	leg->sent_us = env->now_us;
	leg->stats.keepalives++;
	send_rtp(leg, env->scratch, cn ? cn : unknown_pt(leg), false, leg->tx_ts, silence,
		 cn ? sizeof(silence) : 0);
}

/* The leg has no event payload type: the tick's part of the digit as sound, in place of pcm. The
 * timing is that of telephone-events; repeated end packets are silent. */
static void sound_digit(struct mc_leg *leg, const struct mc_telev_packet *packet, int16_t *pcm)
{
	char digit = mc_telev_digit(packet->payload[0]);
	size_t total = (size_t)leg->telev_tx.total * leg->frame;

	if (packet->marker)
		leg->inband_done = 0;
	if (mc_dtmf_gen(pcm, leg->frame, leg->cfg.srate, digit, leg->inband_done, total,
			INBAND_LOW_DBOV, INBAND_HIGH_DBOV) < 0)
		leg->stats.tx_errors++;
	leg->inband_done += leg->frame;
}

/* return true when this tick's audio must not be sent. */
static bool send_digits(struct mc_leg *leg, struct mc_leg_scratch *scratch, int16_t *pcm)
{
	struct mc_telev_packet packet;

	mc_telev_tx_tick(&leg->telev_tx, &packet, leg->tx_ts);
	if (!leg->cfg.event_payload_type) {
		if (packet.send)
			sound_digit(leg, &packet, pcm);
		return false;
	}
	if (packet.send)
		send_rtp(leg, scratch, leg->cfg.event_payload_type, packet.marker, packet.ts,
			 packet.payload, sizeof(packet.payload));
	if (packet.suppress_audio) { /* what was collected for a longer packet is dropped */
		leg->tx_payload_ms = 0;
		leg->tx_payload_n = 0;
		leg->tx_marker = true; /* audio begins anew, RFC 3551 §4.1 */
	}
	return packet.suppress_audio;
}

void mc_leg_signalled_digit(struct mc_leg *leg, char digit, uint32_t duration_ms,
			    const struct mc_leg_env *env)
{
	mc_leg_emit_digit(leg, env, digit, duration_ms, MC_DIGIT_SIGNALLED);
}

void mc_leg_queue_digit(struct mc_leg *leg, char digit, uint16_t tone_ms, uint16_t gap_ms)
{
	leg->stats.tx_errors += mc_telev_tx_put(&leg->telev_tx, digit, tone_ms, gap_ms) < 0;
}

static void estimate_mos(struct mc_leg *leg)
{
	if (!leg->received_any)
		return;
	struct mc_rx_stats rx;
	mc_rx_stats(leg->rx, &rx);
	float frames = (float)(leg->ticks - leg->first_tick);
	/* A sender that pauses (DTX, hold) has lost nothing. */
	float missing = (float)(rx.concealed_samples - rx.paused_samples);
	float loss = frames > 0 ? 100.0f * missing / (frames * (float)leg->frame) : 0;
	float delay_ms =
		(float)leg->stats.rtt_us / 2000.0f + (float)leg->note.delay_ms + MC_TICK_MS;
	float r = mc_emodel_r(delay_ms, loss, 1.0f, MC_EMODEL_G711_PLC);
	leg->stats.mos_x100 = (uint64_t)(mc_emodel_mos(r) * 100.0f + 0.5f);
}

static void send_rtcp(struct mc_leg *leg, const struct mc_leg_env *env, bool bye)
{
	struct mc_rtcp msg = {
		.ssrc = leg->tx_ssrc,
		.has_report = true,
		/* RFC 3550 §6.4: a sender has sent since the report before the last. */
		.has_sender = leg->stats.tx_packets != leg->tx_packets_told[1],
		.bye = bye,
		.ntp = mc_rtcp_ntp(env->unix_us),
		.rtp_ts = leg->tx_ts,
		.packets = (uint32_t)leg->stats.tx_packets,
		.bytes = (uint32_t)leg->stats.tx_bytes,
		.cname_len = 9,
		.cname = "mediacore",
	};

	if (leg->cfg.rtcp == MC_RTCP_NONE || (!leg->remote.len && !leg->link_out))
		return;
	leg->tx_packets_told[1] = leg->tx_packets_told[0];
	leg->tx_packets_told[0] = leg->stats.tx_packets;
	if (leg->source.active) {
		msg.block_count = 1;
		mc_rtcp_block_fill(&msg.blocks[0], &leg->source, &leg->rtcp_peer, env->now_us);
	}
	size_t n = sealed(leg, env->scratch,
			  mc_rtcp_build(env->scratch->packet, sizeof(env->scratch->packet), &msg),
			  true);
	if (!n)
		return;
	if (leg->cfg.rtcp == MC_RTCP_PAIR && !leg->link_out)
		leg->stats.tx_errors += mc_udp_send(leg->cfg.rtcp_fd, env->scratch->packet, n,
						    leg->latched ? NULL : &leg->rtcp_remote) < 0;
	else
		send_datagram(leg, env->scratch->packet, n);
}

/* Spread over half to one and a half of the mean, so that legs opened together do not report
 * together, RFC 3550 §6.3.1. */
static uint64_t rtcp_interval_us(struct mc_leg *leg)
{
	return RTCP_INTERVAL_US / 2 + mc_leg_random(leg) % RTCP_INTERVAL_US;
}

void mc_leg_bye(struct mc_leg *leg, const struct mc_leg_env *env)
{
	send_rtcp(leg, env, true);
}

bool mc_leg_exhausted(const struct mc_leg *leg)
{
	return leg->cfg.budget_ticks && leg->ticks + 1 >= leg->cfg.budget_ticks;
}

/* --------------------------------------------------------- taps and counters */

static void publish(struct mc_leg *leg)
{
	struct mc_leg_stats *stats = &leg->stats;
	const struct mc_playout_stats *played = mc_playout_stats(leg->playout);
	struct mc_rx_stats rx;
	uint64_t words[MC_LEG_STATS];

	mc_rx_stats(leg->rx, &rx);
	stats->ticks = leg->ticks + 1;
	stats->rx_late = rx.jbuf.late;
	stats->rx_duplicate = rx.jbuf.duplicate;
	stats->rx_overflow = rx.jbuf.overflow;
	stats->rx_lost = rx.jbuf.lost;
	stats->rx_concealed_samples = rx.concealed_samples;
	stats->rx_accelerated_samples = rx.accelerated_samples;
	stats->rx_expanded_samples = rx.expanded_samples;
	stats->rx_comfort_samples = rx.noise_samples;
	stats->jitter_us =
		(uint64_t)mc_rtp_source_jitter_ts(&leg->source) * 1000000u / leg->codec->clock_rate;
	stats->delay_ms = leg->note.delay_ms;
	stats->target_ms = leg->note.target_ms;
	stats->queued_samples = mc_playout_written(leg->playout);
	stats->played_samples = played->played;
	stats->wire_samples = played->wire;
	stats->flushed_samples = played->flushed;
	stats->stale_utterances = played->stale_utterances;
	stats->stale_samples = played->stale_samples;
	stats->underruns = played->underruns;
	stats->cuts = played->cuts;
	stats->pauses = played->pauses;
	stats->resumes = played->resumes;
	stats->generation = mc_playout_generation(leg->playout);

	memcpy(words, stats, sizeof(words));
	uint64_t seq = atomic_load_explicit(&leg->published_seq, memory_order_relaxed);
	atomic_store_explicit(&leg->published_seq, seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < MC_LEG_STATS; i++)
		atomic_store_explicit(&leg->published[i], words[i], memory_order_relaxed);
	atomic_store_explicit(&leg->published_seq, seq + 2, memory_order_release);
}

void mc_leg_read_stats(const struct mc_leg *leg, struct mc_leg_stats *out)
{
	uint64_t words[MC_LEG_STATS], before, after;

	do { /* the writer needs well under a microsecond in every 20 ms */
		before = atomic_load_explicit(&leg->published_seq, memory_order_acquire);
		for (size_t i = 0; i < MC_LEG_STATS; i++)
			words[i] = atomic_load_explicit(&leg->published[i], memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&leg->published_seq, memory_order_relaxed);
	} while (before != after || before & 1);
	memcpy(out, words, sizeof(words));
}

static int8_t level_dbov(const int16_t *pcm, size_t n)
{
	struct mc_level level;
	mc_level_measure(&level, pcm, n);
	return (int8_t)level.rms_dbov;
}

static void write_taps(struct mc_leg *leg, const struct mc_leg_env *env, const int16_t *sent)
{
	if (leg->tap_record) {
		int16_t *stereo = env->scratch->stereo;
		for (size_t i = 0; i < leg->frame; i++) {
			stereo[2 * i] = leg->rx_frame[i];
			stereo[2 * i + 1] = sent[i];
		}
		leg->stats.tap_dropped_samples += mc_tap_write(leg->tap_record, stereo, leg->frame);
	}
	if (leg->tap_notes) {
		leg->note.rx_dbov = level_dbov(leg->rx_frame, leg->frame);
		leg->note.tx_dbov = level_dbov(sent, leg->frame);
		mc_tap_write(leg->tap_notes, &leg->note, 1);
	}
	if (leg->cfg.taps && leg->ticks + 1 >= leg->tap_due) {
		leg->tap_due += leg->cfg.tap_block_ms / MC_TICK_MS;
		mc_leg_emit(env, MC_EV_TAP_READY, clock_now(leg) + leg->frame, leg->cfg.taps, 0);
	}
}

/* Sending is off: time and digits pass, and now and then something shows that the leg lives. */
static void send_nothing(struct mc_leg *leg, const struct mc_leg_env *env, int16_t *pcm)
{
	struct mc_telev_packet packet;

	mc_telev_tx_tick(&leg->telev_tx, &packet, leg->tx_ts);
	memset(pcm, 0, leg->frame * sizeof(*pcm));
	keep_alive(leg, env);
}

void mc_leg_tx(struct mc_leg *leg, const int16_t *heard, const struct mc_leg_env *env)
{
	int16_t *pcm = env->scratch->pcm;
	const struct mc_playout_stats *played = mc_playout_stats(leg->playout);
	uint64_t cuts = played->cuts, underruns = played->underruns;

	if (leg->held) { /* an utterance may have begun */
		mc_playout_pause(leg->playout);
		heard = NULL;
	}
	if (leg->stream
		    ? mc_leg_stream_speech(leg, pcm, clock_now(leg), env)
		    : mc_playout_pull(leg->playout, pcm, leg->frame, clock_now(leg), &env->sink))
		leg->note.flags |= MC_NOTE_TX_SPEECH;
	if (played->cuts != cuts)
		leg->note.flags |= MC_NOTE_CUT;
	if (played->underruns != underruns)
		leg->note.flags |= MC_NOTE_UNDERRUN;
	if (mc_playout_paused(leg->playout))
		leg->note.flags |= MC_NOTE_PAUSED;
	if (heard)
		for (size_t i = 0; i < leg->frame; i++)
			pcm[i] = mc_sat16(pcm[i] + heard[i]);
	bool bed = leg->bed && mc_bed_mix(leg->bed, pcm, leg->frame);

	if (!leg->tx_started)
		leg->tx_started = leg->tx_marker = true;
	if (leg->stream && !leg->sends) {
		send_nothing(leg, env, pcm);
		mc_leg_stream_tx(leg, pcm, false, env);
	} else if (leg->stream) {
		bool digits = !mc_telev_tx_idle(&leg->telev_tx);
		send_digits(leg, env->scratch, pcm);
		mc_leg_stream_tx(leg, pcm, heard || bed || digits, env);
	} else if (leg->link_out || leg->remote.len) {
		if (!leg->sends)
			send_nothing(leg, env, pcm);
		else if (!send_digits(leg, env->scratch, pcm))
			send_audio(leg, env->scratch, pcm);
		if (env->now_us >= leg->rtcp_due_us) {
			if (leg->rtcp_due_us)
				send_rtcp(leg, env, false);
			leg->rtcp_due_us = env->now_us + rtcp_interval_us(leg);
			estimate_mos(leg);
		}
	}
	leg->tx_ts += leg->frame_ts;
	write_taps(leg, env, pcm);
	publish(leg);
	leg->ticks++;
}

/* ---------------------------------------------------------------- accessors */

struct mc_playout *mc_leg_playout(struct mc_leg *leg)
{
	return leg->playout;
}

struct mc_bed *mc_leg_bed_of(struct mc_leg *leg)
{
	return leg->bed;
}

uint32_t mc_leg_srate(const struct mc_leg *leg)
{
	return leg->cfg.srate;
}

const int16_t *mc_leg_rx_frame(const struct mc_leg *leg)
{
	return leg->rx_frame;
}

struct mc_tap_ring *mc_leg_tap_ring(struct mc_leg *leg, enum mc_tap tap)
{
	return tap == MC_TAP_RX       ? leg->tap_rx
	       : tap == MC_TAP_RECORD ? leg->tap_record
				      : leg->tap_notes;
}

struct mc_stream *mc_leg_stream_of(struct mc_leg *leg)
{
	return leg->stream;
}

struct mc_ring *mc_leg_link_in(struct mc_leg *leg)
{
	return leg->link_in;
}

struct mc_ring *mc_leg_link_out(struct mc_leg *leg)
{
	return leg->link_out;
}
