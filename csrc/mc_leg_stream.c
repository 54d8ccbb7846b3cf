#include "mc_leg_stream.h"

#include "mc_leg_parts.h"
#include "mc_stream.h"

int mc_leg_stream_normalise(struct mc_leg_cfg *cfg, const struct mc_codec *codec)
{
	uint32_t piece = mc_stream_piece_bytes(codec);

	if (cfg->fd >= 0 || cfg->srtp || cfg->ptime_ms != MC_TICK_MS)
		return MC_EINVAL;
	cfg->payload_type = 0; /* no RTP: none of these means anything */
	cfg->event_payload_type = cfg->cn_payload_type = 0;
	cfg->rtcp = MC_RTCP_NONE;
	if (piece && piece < cfg->payload_max) { /* half a frame at a time */
		cfg->payload_max = (uint16_t)piece;
		cfg->jitter_slots = (uint16_t)(cfg->jitter_slots * 2);
	}
	if (!cfg->stream_queue_ms)
		cfg->stream_queue_ms = MC_STREAM_QUEUE_MS;
	return MC_OK;
}

void mc_leg_stream_rx(struct mc_leg *leg, const struct mc_leg_env *env)
{
	struct mc_stream_packet packet;

	while (mc_stream_next(leg->stream, &packet, env->now_us)) {
		mc_leg_alive(leg, env->now_us);
		if (!leg->receives) {
			leg->stats.rx_unwanted++;
			continue;
		}
		leg->stats.rx_packets++;
		leg->stats.rx_bytes += packet.n;
		leg->note.packets++;
		if (!leg->received_any)
			leg->first_tick = leg->ticks;
		leg->received_any = true;
		int rc = mc_rx_put(leg->rx, packet.payload, packet.n, MC_JBUF_AUDIO, packet.seq,
				   packet.ts, packet.at_us);
		if (rc == MC_ELATE)
			leg->note.late++;
		leg->stats.rx_malformed += rc == MC_EBADMSG;
	}
	leg->stats.stream_dropped_samples = mc_stream_dropped(leg->stream);
}

struct listener {
	const struct mc_playout_sink *next;
	struct mc_stream *stream;
};

static void overhear(void *ctx, const struct mc_event *event)
{
	const struct listener *l = ctx;

	if (event->kind == MC_EV_MARK)
		mc_stream_mark(l->stream, event->utterance, event->a);
	else if (event->kind == MC_EV_UTTERANCE_FINISHED)
		mc_stream_mark(l->stream, event->utterance, 0);
	else if (event->kind == MC_EV_PLAYOUT_CUT)
		mc_stream_cut(l->stream);
	l->next->emit(l->next->ctx, event);
}

size_t mc_leg_stream_speech(struct mc_leg *leg, int16_t *pcm, uint64_t tx_at,
			    const struct mc_leg_env *env)
{
	struct listener l = {.next = &env->sink, .stream = leg->stream};
	struct mc_playout_sink sink = {.emit = overhear, .ctx = &l};
	uint64_t cuts = mc_playout_stats(leg->playout)->cuts;
	size_t n = mc_playout_pull(leg->playout, pcm, leg->frame, tx_at, &sink);

	/* The fade of a cut is heard by nobody: the far side drops what it has. A started utterance
	 * that waits for more audio goes on as silence. */
	bool cut = mc_playout_stats(leg->playout)->cuts != cuts;
	bool going_on = leg->stream_voice && mc_playout_active(leg->playout);
	leg->stream_voice = (n && !cut) || going_on;
	return n;
}

void mc_leg_stream_tx(struct mc_leg *leg, int16_t *pcm, bool playing, const struct mc_leg_env *env)
{
	struct mc_stream_sent sent =
		mc_stream_put(leg->stream, leg->enc, pcm, playing || leg->stream_voice);

	if (sent.any)
		env->scratch->stream_out = true;
	leg->stats.tx_packets += sent.frames;
	leg->stats.tx_bytes += sent.bytes;
	leg->stats.tx_link_dropped += sent.lost;
}
