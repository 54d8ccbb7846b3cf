/* The far address of a leg: who is heard, where packets go, and whether anything comes.
 *
 *   locked | announced | sent to    | heard              | what locks a source
 *   -------+-----------+------------+--------------------+---------------------------------------
 *   no     | no        | nobody     | nobody             | LEARN: 2 ticks in sequence
 *   no     | yes       | announced  | nobody             | a packet of it or of the last source;
 *          |           |            |                    | LEARN: 5 ticks of another in sequence,
 *          |           |            |                    | or 2 once it has tried for 500 ms
 *   yes    | either    | its source | its source, by the | ends with another address from
 *          |           |            | kernel and by us   | signalling, or after relatch_ms
 *
 * A tick counts once, so a burst is no stream. A lock needs a valid RTP header and one of the leg's
 * payload types. RFC 4961, RFC 7362 §4. */
#include <string.h>

#include "mc_leg_parts.h"
#include "mc_seq.h"

enum {
	LEARN_TICKS = 5,     /* another source than the announced one */
	LEARN_TICKS_FEW = 2, /* nothing is announced, or it had its time */
	LEARN_US = 500000,   /* the time it has */
	SEQ_STEP_MAX = 5,    /* packets that may be missing in a sequence */
	LEARN_SOURCES = sizeof(((struct mc_learn *)0)->sources) /
			sizeof(((struct mc_learn *)0)->sources[0]),
};

static void set_port_after(struct mc_udp_addr *addr, const struct mc_udp_addr *rtp)
{
	*addr = *rtp;
	if (!addr->len)
		return;
	if (addr->sa.any.sa_family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)&addr->sa;
		in->sin_port = htons((uint16_t)(ntohs(in->sin_port) + 1));
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&addr->sa;
		in6->sin6_port = htons((uint16_t)(ntohs(in6->sin6_port) + 1));
	}
}

static int lock(struct mc_leg *leg, const struct mc_udp_addr *remote)
{
	leg->remote = *remote;
	set_port_after(&leg->rtcp_remote, remote);
	if (mc_udp_connect(leg->cfg.fd, &leg->remote) < 0)
		return MC_EIO;
	leg->latched = true;
	leg->drained = false;
	leg->stats.latches++;
	memset(&leg->learn, 0, sizeof(leg->learn));
	return leg->cfg.rtcp == MC_RTCP_PAIR ? mc_udp_connect(leg->cfg.rtcp_fd, &leg->rtcp_remote)
					     : MC_OK;
}

static void unlock(struct mc_leg *leg)
{
	if (leg->latched) {
		mc_udp_disconnect(leg->cfg.fd);
		if (leg->cfg.rtcp == MC_RTCP_PAIR)
			mc_udp_disconnect(leg->cfg.rtcp_fd);
	}
	leg->latched = leg->drained = false;
	memset(&leg->learn, 0, sizeof(leg->learn));
}

int mc_leg_aim(struct mc_leg *leg, const struct mc_udp_addr *announced)
{
	leg->announced = *announced;
	if (leg->cfg.latch == MC_LATCH_STRICT && announced->len)
		return lock(leg, announced);
	unlock(leg);
	leg->remote = *announced;
	set_port_after(&leg->rtcp_remote, announced);
	return MC_OK;
}

bool mc_leg_knows_pt(const struct mc_leg *leg, uint8_t pt)
{
	return pt == leg->cfg.payload_type ||
	       (leg->cfg.event_payload_type && pt == leg->cfg.event_payload_type) ||
	       (leg->cfg.cn_payload_type && pt == leg->cfg.cn_payload_type);
}

/* return ticks in which the source has sent in sequence. */
static uint32_t follow(struct mc_leg *leg, const struct mc_udp_addr *from, const struct mc_rtp *rtp)
{
	struct mc_learn *learn = &leg->learn;
	size_t i = 0;

	while (i < LEARN_SOURCES && !mc_udp_same(&learn->sources[i].from, from))
		i++;
	bool known = i < LEARN_SOURCES;
	if (!known) {
		i = learn->next;
		learn->next = (learn->next + 1) % LEARN_SOURCES;
		learn->sources[i].from = *from;
	}
	int32_t step = mc_seq_diff(rtp->seq, learn->sources[i].seq);
	if (!known || learn->sources[i].ssrc != rtp->ssrc || step < 1 || step > SEQ_STEP_MAX) {
		learn->sources[i].ticks = 1;
		learn->sources[i].tick = leg->ticks;
	} else if (learn->sources[i].tick != leg->ticks) {
		learn->sources[i].ticks++;
		learn->sources[i].tick = leg->ticks;
	}
	learn->sources[i].ssrc = rtp->ssrc;
	learn->sources[i].seq = rtp->seq;
	return learn->sources[i].ticks;
}

bool mc_leg_from_remote(struct mc_leg *leg, const struct mc_udp_packet *packet, uint64_t now_us)
{
	const struct mc_udp_addr *from = &packet->from;
	struct mc_rtp rtp;

	if (leg->latched) /* of datagrams that came before the socket was connected */
		return mc_udp_same(from, &leg->remote);
	if (leg->cfg.latch == MC_LATCH_STRICT || !from->len ||
	    mc_rtp_parse(&rtp, packet->data, packet->n) < 0 || !mc_leg_knows_pt(leg, rtp.pt))
		return false;
	if (mc_udp_same(from, &leg->announced) || mc_udp_same(from, &leg->remote))
		return lock(leg, from) == MC_OK;
	if (!leg->learn.began_us)
		leg->learn.began_us = now_us;
	bool few = !leg->announced.len || now_us - leg->learn.began_us >= LEARN_US;
	if (follow(leg, from, &rtp) < (few ? LEARN_TICKS_FEW : LEARN_TICKS))
		return false;
	return lock(leg, from) == MC_OK;
}

/* ---------------------------------------------------------------- the watch */

void mc_leg_alive(struct mc_leg *leg, uint64_t now_us)
{
	leg->quiet_since_us = now_us;
	leg->came = leg->heard_target = true;
}

void mc_leg_watch(struct mc_leg *leg, const struct mc_leg_env *env)
{
	bool half = leg->held || !leg->receives;
	enum mc_media_loss kind = half                ? MC_LOSS_ON_HOLD
				  : leg->heard_target ? MC_LOSS_STOPPED
						      : MC_LOSS_NEVER;
	uint32_t limit_ms = half                ? leg->cfg.media_hold_ms
			    : leg->heard_target ? leg->cfg.media_lost_ms
						: leg->cfg.media_first_ms;

	if (!leg->ticks)
		leg->quiet_since_us = env->now_us;
	uint64_t silent_us =
		env->now_us > leg->quiet_since_us ? env->now_us - leg->quiet_since_us : 0;
	if (leg->media_lost && leg->came) {
		leg->media_lost = false;
		mc_leg_emit(env, MC_EV_MEDIA_RESUMED, clock_now(leg), 0, 0);
	} else if (!leg->media_lost && limit_ms && silent_us >= (uint64_t)limit_ms * 1000) {
		leg->media_lost = true;
		mc_leg_emit(env, MC_EV_MEDIA_LOST, clock_now(leg), (uint32_t)(silent_us / 1000),
			    kind);
	}
	leg->came = false;
	if (leg->cfg.relatch_ms && leg->latched && leg->cfg.latch == MC_LATCH_LEARN &&
	    silent_us >= (uint64_t)leg->cfg.relatch_ms * 1000)
		unlock(leg);
}

/* --------------------------------------------------------------- signalling */

/* Sound and sequence begin anew. */
static void new_stream(struct mc_leg *leg)
{
	memset(&leg->source, 0, sizeof(leg->source));
	memset(&leg->rtcp_peer, 0, sizeof(leg->rtcp_peer));
	mc_rx_restart(leg->rx);
	mc_telev_rx_reset(&leg->telev_rx);
}

void mc_leg_set_direction(struct mc_leg *leg, bool send, bool receive, const struct mc_leg_env *env)
{
	if (send == leg->sends && receive == leg->receives)
		return;
	if (receive != leg->receives)
		new_stream(leg);
	if (!send) { /* what was collected for a longer packet is dropped */
		leg->tx_payload_ms = 0;
		leg->tx_payload_n = 0;
		leg->tx_marker = true; /* audio begins anew, RFC 3551 §4.1 */
		leg->sent_us = env->now_us;
	}
	leg->sends = send;
	leg->receives = receive;
	leg->quiet_since_us = env->now_us;
	mc_leg_set_held(leg, leg->held_by_command, env);
}

/* The media clock of one SSRC cannot change, RFC 7160 §4: another clock is another stream. */
static void change_codec(struct mc_leg *leg, const struct mc_codec *codec)
{
	if (codec->clock_rate != leg->codec->clock_rate) {
		leg->tx_ssrc = (uint32_t)mc_leg_random(leg);
		leg->tx_packets_told[0] = leg->tx_packets_told[1] = leg->stats.tx_packets;
	}
	leg->codec = codec;
	leg->cfg.codec = codec->name;
	leg->frame_ts = codec->clock_rate / MC_TICKS_PER_S;
	/* Both succeeded with the same arguments before the leg was opened. */
	int rc = codec->enc_init ? codec->enc_init(leg->enc, leg->cfg.srate) : MC_OK;
	MC_ASSERT(rc >= 0);
	if (codec->clock_rate != leg->telev_rx.clock_rate) {
		rc = mc_telev_rx_init(&leg->telev_rx, codec->clock_rate);
		MC_ASSERT(rc == MC_OK);
		rc = mc_telev_tx_init(&leg->telev_tx, codec->clock_rate);
		MC_ASSERT(rc == MC_OK);
	}
	(void)rc;
	mc_rx_change(leg->rx, codec);
}

void mc_leg_set_wire(struct mc_leg *leg, const struct mc_leg_wire *wire,
		     const struct mc_leg_env *env)
{
	bool moved = leg->cfg.fd >= 0 && !mc_udp_same(&wire->remote, &leg->announced);

	if (wire->codec != leg->codec || wire->ptime_ms != leg->cfg.ptime_ms) {
		leg->tx_payload_ms = 0;
		leg->tx_payload_n = 0;
		leg->tx_marker = true;
	}
	if (wire->codec != leg->codec) {
		new_stream(leg);
		change_codec(leg, wire->codec);
	}
	leg->cfg.payload_type = wire->payload_type;
	leg->cfg.tx_payload_type = wire->tx_payload_type;
	leg->cfg.event_payload_type = wire->event_payload_type;
	leg->cfg.cn_payload_type = wire->cn_payload_type;
	leg->cfg.ptime_ms = wire->ptime_ms;
	leg->quiet_since_us = env->now_us;
	if (!moved)
		return;
	if (leg->latched && mc_udp_same(&wire->remote, &leg->remote)) {
		leg->announced = wire->remote; /* signalling names the source that is locked */
		return;
	}
	new_stream(leg);
	leg->heard_target = false;
	leg->stats.tx_errors += mc_leg_aim(leg, &wire->remote) < 0;
}
