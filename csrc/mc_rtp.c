#include "mc_rtp.h"

#include <string.h>

#include "mc_seq.h"
#include "mc_wire.h"

bool mc_rtp_is_rtcp(const uint8_t *data, size_t n)
{
	return n >= 2 && data[0] >> 6 == 2 && data[1] >= 192 && data[1] <= 223;
}

int mc_rtp_parse(struct mc_rtp *rtp, const uint8_t *data, size_t n)
{
	if (n < MC_RTP_HEADER || data[0] >> 6 != 2 || mc_rtp_is_rtcp(data, n))
		return MC_EBADMSG;
	size_t at = MC_RTP_HEADER + 4u * (data[0] & 0x0Fu);
	if (at > n)
		return MC_EBADMSG;
	if (data[0] & 0x10) {
		if (n - at < 4)
			return MC_EBADMSG;
		size_t ext = 4u + 4u * mc_get16(data + at + 2);
		if (ext > n - at)
			return MC_EBADMSG;
		at += ext;
	}
	size_t len = n - at;
	if (data[0] & 0x20) {
		if (len == 0 || data[n - 1] == 0 || data[n - 1] > len)
			return MC_EBADMSG;
		len -= data[n - 1];
	}
	rtp->marker = data[1] >> 7;
	rtp->pt = data[1] & 0x7F;
	rtp->seq = mc_get16(data + 2);
	rtp->ts = mc_get32(data + 4);
	rtp->ssrc = mc_get32(data + 8);
	rtp->payload = data + at;
	rtp->payload_len = len;
	return MC_OK;
}

int mc_rtp_build(uint8_t *out, size_t cap, const struct mc_rtp *rtp)
{
	if (rtp->pt > 127)
		return MC_EINVAL;
	if (cap < MC_RTP_HEADER || rtp->payload_len > cap - MC_RTP_HEADER ||
	    rtp->payload_len > UINT16_MAX)
		return MC_ENOMEM;
	if (rtp->payload_len && rtp->payload != out + MC_RTP_HEADER)
		memmove(out + MC_RTP_HEADER, rtp->payload, rtp->payload_len);
	out[0] = 0x80;
	out[1] = (uint8_t)(rtp->pt | (rtp->marker ? 0x80 : 0));
	mc_put16(out + 2, rtp->seq);
	mc_put32(out + 4, rtp->ts);
	mc_put32(out + 8, rtp->ssrc);
	return (int)(MC_RTP_HEADER + rtp->payload_len);
}

/* µs to RTP ticks modulo 2^32, without overflow for any time. */
static uint32_t us_to_ts(uint64_t us, uint32_t clock_rate)
{
	return (uint32_t)(us / 1000000 * clock_rate + us % 1000000 * clock_rate / 1000000);
}

static uint64_t expected(const struct mc_rtp_source *src)
{
	return src->active ? src->ext_seq - src->base_seq + 1 : 0;
}

static void start(struct mc_rtp_source *src, const struct mc_rtp *rtp, uint64_t now_us)
{
	if (expected(src) > src->received)
		src->lost_before += expected(src) - src->received;
	src->ssrc = rtp->ssrc;
	src->last_ts = rtp->ts;
	src->last_us = now_us;
	src->base_seq = src->ext_seq = rtp->seq;
	src->received = src->expected_was = src->received_was = 0;
	src->frame_ts = 0;
	src->jitter_q4 = 0;
	src->active = true;
	src->has_transit = src->has_candidate = src->has_resync = false;
}

/* RFC 3550 A.8. A packet with the timestamp of the one before (a telephone event, a frame in
 * parts) was not sent at that time and says nothing; a shift beyond the jump limit is a pause. */
static void measure_jitter(struct mc_rtp_source *src, const struct mc_rtp *rtp, uint64_t now_us,
			   uint32_t clock_rate)
{
	if (src->clock_rate != clock_rate) {
		src->clock_rate = clock_rate;
		src->jitter_q4 = 0;
		src->has_transit = false;
	}
	if (src->has_transit && rtp->ts == src->last_ts)
		return;
	uint32_t transit = us_to_ts(now_us, clock_rate) - rtp->ts;
	int64_t d = mc_ts_diff(transit, src->transit_ts);
	if (d < 0)
		d = -d;
	if (src->has_transit && d <= (int64_t)clock_rate * MC_RTP_TS_JUMP_S)
		src->jitter_q4 += (uint32_t)d - ((src->jitter_q4 + 8) >> 4);
	src->transit_ts = transit;
	src->has_transit = true;
}

static bool ts_jumped(const struct mc_rtp_source *src, const struct mc_rtp *rtp, int32_t seq_delta,
		      uint64_t now_us, uint32_t clock_rate)
{
	int64_t limit = (int64_t)clock_rate * MC_RTP_TS_JUMP_S;
	int64_t advance = mc_ts_diff(rtp->ts, src->last_ts);
	int64_t by_seq = advance - (int64_t)seq_delta * src->frame_ts;
	if (by_seq >= -limit && by_seq <= limit)
		return false;
	int64_t by_time =
		mc_ts_diff(rtp->ts - src->last_ts,
			   us_to_ts(now_us, clock_rate) - us_to_ts(src->last_us, clock_rate));
	return seq_delta < 0 || by_time < -limit || by_time > limit;
}

static int other_ssrc(struct mc_rtp_source *src, const struct mc_rtp *rtp, uint64_t now_us)
{
	bool again = src->has_candidate && src->candidate_ssrc == rtp->ssrc;
	int32_t delta = mc_seq_diff(rtp->seq, src->candidate_seq);
	if (again && delta != 0 && delta > -MC_RTP_MAX_MISORDER && delta < MC_RTP_MAX_DROPOUT) {
		start(src, rtp, now_us);
		return MC_RTP_RESTART;
	}
	src->candidate_ssrc = rtp->ssrc;
	src->candidate_seq = rtp->seq;
	src->has_candidate = true;
	src->stray++;
	return MC_ESTATE;
}

static int same_ssrc(struct mc_rtp_source *src, const struct mc_rtp *rtp, uint64_t now_us,
		     uint32_t clock_rate)
{
	int32_t delta = mc_seq_diff(rtp->seq, (uint16_t)src->ext_seq);
	if (delta >= MC_RTP_MAX_DROPOUT || delta <= -MC_RTP_MAX_MISORDER) {
		if (src->has_resync && rtp->seq == src->resync_seq) {
			start(src, rtp, now_us);
			return MC_RTP_RESTART;
		}
		src->resync_seq = (uint16_t)(rtp->seq + 1);
		src->has_resync = true;
		src->jumped++;
		return MC_ESTATE;
	}
	if (ts_jumped(src, rtp, delta, now_us, clock_rate)) {
		if (delta > 0) {
			start(src, rtp, now_us);
			return MC_RTP_RESTART;
		}
		src->bad_ts++;
		return MC_ESTATE;
	}
	if (delta > 0) {
		uint32_t step = rtp->ts - src->last_ts;
		if (delta == 1 && step > 0 && step <= clock_rate / 25 * 3)
			src->frame_ts = step;
		src->ext_seq += (uint64_t)delta;
	} else if (delta == 0) {
		src->duplicates++;
	} else {
		src->reordered++;
	}
	src->has_candidate = src->has_resync = false;
	return MC_OK;
}

int mc_rtp_source_update(struct mc_rtp_source *src, const struct mc_rtp *rtp, uint64_t now_us,
			 uint32_t clock_rate)
{
	if (clock_rate == 0)
		return MC_EINVAL;
	int rc = MC_OK;
	uint64_t was = src->ext_seq;
	bool first = !src->active;
	if (first)
		start(src, rtp, now_us);
	else if (rtp->ssrc != src->ssrc)
		rc = other_ssrc(src, rtp, now_us);
	else
		rc = same_ssrc(src, rtp, now_us, clock_rate);
	if (rc < 0)
		return rc;
	src->restarts += rc == MC_RTP_RESTART;
	src->packets++;
	src->received++;
	src->bytes += rtp->payload_len;
	measure_jitter(src, rtp, now_us, clock_rate);
	if (first || rc == MC_RTP_RESTART || src->ext_seq > was) {
		src->last_ts = rtp->ts;
		src->last_us = now_us;
	}
	return rc;
}

int32_t mc_rtp_source_lost(const struct mc_rtp_source *src)
{
	int64_t lost = (int64_t)(expected(src) - src->received);
	return (int32_t)(lost > 0x7FFFFF ? 0x7FFFFF : lost < -0x800000 ? -0x800000 : lost);
}

uint8_t mc_rtp_source_fraction_lost(struct mc_rtp_source *src)
{
	uint64_t now_expected = expected(src);
	int64_t due = (int64_t)(now_expected - src->expected_was);
	int64_t lost = due - (int64_t)(src->received - src->received_was);
	src->expected_was = now_expected;
	src->received_was = src->received;
	if (due <= 0 || lost <= 0)
		return 0;
	int64_t fraction = lost * 256 / due;
	return (uint8_t)(fraction > 255 ? 255 : fraction);
}

uint32_t mc_rtp_source_jitter_ts(const struct mc_rtp_source *src)
{
	return src->jitter_q4 >> 4;
}
