#include "mc_rtcp.h"

#include <string.h>

#include "mc_wire.h"

enum {
	PT_SR = 200,
	PT_RR = 201,
	PT_SDES = 202,
	PT_BYE = 203,
	SDES_CNAME = 1,
	SENDER_BYTES = 20,
	BLOCK_BYTES = 24,
	RTT_MAX_S = 60,
};

static const uint64_t NTP_UNIX_S = 2208988800u; /* 1900 to 1970 */

uint64_t mc_rtcp_ntp(uint64_t unix_us)
{
	uint64_t s = unix_us / 1000000, us = unix_us % 1000000;
	return (s + NTP_UNIX_S) << 32 | (us << 32) / 1000000;
}

static void put_header(uint8_t *out, uint32_t count, uint8_t type, size_t bytes)
{
	out[0] = (uint8_t)(0x80u | count);
	out[1] = type;
	mc_put16(out + 2, (uint16_t)(bytes / 4 - 1));
}

static size_t put_report(uint8_t *out, const struct mc_rtcp *msg)
{
	size_t at = 8;
	mc_put32(out + 4, msg->ssrc);
	if (msg->has_sender) {
		mc_put32(out + 8, (uint32_t)(msg->ntp >> 32));
		mc_put32(out + 12, (uint32_t)msg->ntp);
		mc_put32(out + 16, msg->rtp_ts);
		mc_put32(out + 20, msg->packets);
		mc_put32(out + 24, msg->bytes);
		at += SENDER_BYTES;
	}
	for (uint32_t i = 0; i < msg->block_count; i++, at += BLOCK_BYTES) {
		const struct mc_rtcp_block *b = &msg->blocks[i];
		mc_put32(out + at, b->ssrc);
		mc_put32(out + at + 4, (uint32_t)b->lost & 0xFFFFFFu);
		out[at + 4] = b->fraction_lost;
		mc_put32(out + at + 8, b->ext_seq);
		mc_put32(out + at + 12, b->jitter_ts);
		mc_put32(out + at + 16, b->lsr);
		mc_put32(out + at + 20, b->dlsr);
	}
	put_header(out, msg->block_count, msg->has_sender ? PT_SR : PT_RR, at);
	return at;
}

/* One chunk with the CNAME, ended by one to four zero bytes up to a word, §6.5. */
static size_t sdes_bytes(const struct mc_rtcp *msg)
{
	return msg->cname_len ? (8u + 2 + msg->cname_len + 4) & ~(size_t)3 : 0;
}

static size_t put_sdes(uint8_t *out, const struct mc_rtcp *msg)
{
	size_t bytes = sdes_bytes(msg);
	if (!bytes)
		return 0;
	memset(out, 0, bytes);
	put_header(out, 1, PT_SDES, bytes);
	mc_put32(out + 4, msg->ssrc);
	out[8] = SDES_CNAME;
	out[9] = msg->cname_len;
	memcpy(out + 10, msg->cname, msg->cname_len);
	return bytes;
}

int mc_rtcp_build(uint8_t *out, size_t cap, const struct mc_rtcp *msg)
{
	if (msg->block_count > MC_RTCP_BLOCKS_MAX)
		return MC_EINVAL;
	size_t need = 8u + (msg->has_sender ? SENDER_BYTES : 0u) + msg->block_count * BLOCK_BYTES +
		      sdes_bytes(msg) + (msg->bye ? 8u : 0u);
	if (need > cap)
		return MC_ENOMEM;
	size_t at = put_report(out, msg);
	at += put_sdes(out + at, msg);
	if (msg->bye) {
		put_header(out + at, 1, PT_BYE, 8);
		mc_put32(out + at + 4, msg->ssrc);
		at += 8;
	}
	MC_ASSERT(at == need);
	return (int)at;
}

static void get_block(struct mc_rtcp_block *b, const uint8_t *p)
{
	uint32_t lost = mc_get32(p + 4) & 0xFFFFFFu;
	b->ssrc = mc_get32(p);
	b->fraction_lost = p[4];
	b->lost = (int32_t)(lost ^ 0x800000u) - 0x800000;
	b->ext_seq = mc_get32(p + 8);
	b->jitter_ts = mc_get32(p + 12);
	b->lsr = mc_get32(p + 16);
	b->dlsr = mc_get32(p + 20);
}

/* p is the part after its 4-byte header, n its bytes without padding. */
static int parse_report(struct mc_rtcp *msg, const uint8_t *p, size_t n, uint32_t count, bool sr)
{
	size_t at = sr ? 4u + SENDER_BYTES : 4u;
	if (n < at + count * BLOCK_BYTES)
		return MC_EBADMSG;
	if (!msg->has_report)
		msg->ssrc = mc_get32(p);
	msg->has_report = true;
	if (sr && !msg->has_sender && mc_get32(p) == msg->ssrc) {
		msg->has_sender = true;
		msg->ntp = (uint64_t)mc_get32(p + 4) << 32 | mc_get32(p + 8);
		msg->rtp_ts = mc_get32(p + 12);
		msg->packets = mc_get32(p + 16);
		msg->bytes = mc_get32(p + 20);
	}
	for (uint32_t i = 0; i < count; i++, at += BLOCK_BYTES) {
		if (msg->block_count < MC_RTCP_BLOCKS_MAX)
			get_block(&msg->blocks[msg->block_count++], p + at);
		else
			msg->ignored++;
	}
	return MC_OK;
}

static void take_cname(struct mc_rtcp *msg, uint32_t ssrc, const uint8_t *text, uint8_t len)
{
	if (msg->has_report ? ssrc != msg->ssrc : msg->cname_len != 0)
		return;
	memcpy(msg->cname, text, len);
	msg->cname[len] = 0;
	msg->cname_len = len;
}

static int parse_sdes(struct mc_rtcp *msg, const uint8_t *p, size_t n, uint32_t count)
{
	size_t at = 0;
	for (uint32_t chunk = 0; chunk < count; chunk++) {
		if (n - at < 8)
			return MC_EBADMSG;
		uint32_t ssrc = mc_get32(p + at);
		at += 4;
		while (at < n && p[at] != 0) {
			if (n - at < 2 || n - at - 2 < p[at + 1])
				return MC_EBADMSG;
			if (p[at] == SDES_CNAME)
				take_cname(msg, ssrc, p + at + 2, p[at + 1]);
			at += 2u + p[at + 1];
		}
		at = (at + 4) & ~(size_t)3;
		if (at > n)
			return MC_EBADMSG;
	}
	return MC_OK;
}

static int parse_bye(struct mc_rtcp *msg, const uint8_t *p, size_t n, uint32_t count)
{
	if (n < count * 4u)
		return MC_EBADMSG;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t ssrc = mc_get32(p + i * 4u);
		if (!msg->has_report && !msg->bye)
			msg->ssrc = ssrc;
		msg->bye |= ssrc == msg->ssrc;
	}
	return MC_OK;
}

static int parse_part(struct mc_rtcp *msg, uint8_t type, const uint8_t *p, size_t n, uint32_t count)
{
	switch (type) {
	case PT_SR:
	case PT_RR:
		return parse_report(msg, p, n, count, type == PT_SR);
	case PT_SDES:
		return parse_sdes(msg, p, n, count);
	case PT_BYE:
		return parse_bye(msg, p, n, count);
	default:
		msg->ignored++;
		return MC_OK;
	}
}

int mc_rtcp_parse(struct mc_rtcp *msg, const uint8_t *data, size_t n)
{
	struct mc_rtcp m = {0};
	if (n < 4 || n % 4)
		return MC_EBADMSG;
	while (n) {
		size_t bytes = n < 4 ? 0 : 4u + 4u * mc_get16(data + 2);
		if (bytes == 0 || bytes > n || !mc_rtp_is_rtcp(data, n))
			return MC_EBADMSG;
		size_t pad = 0;
		if (data[0] & 0x20) {
			pad = data[bytes - 1];
			if (bytes != n || pad == 0 || pad % 4 || pad > bytes - 4)
				return MC_EBADMSG;
		}
		int rc = parse_part(&m, data[1], data + 4, bytes - 4 - pad, data[0] & 0x1Fu);
		if (rc)
			return rc;
		data += bytes;
		n -= bytes;
	}
	*msg = m;
	return MC_OK;
}

void mc_rtcp_seen(struct mc_rtcp_peer *peer, const struct mc_rtcp *msg, uint64_t now_us)
{
	if (!msg->has_sender)
		return;
	peer->lsr = (uint32_t)(msg->ntp >> 16);
	peer->at_us = now_us;
}

void mc_rtcp_block_fill(struct mc_rtcp_block *block, struct mc_rtp_source *src,
			const struct mc_rtcp_peer *peer, uint64_t now_us)
{
	uint64_t since_us = now_us - peer->at_us;
	bool answers = peer->lsr != 0 && now_us >= peer->at_us && since_us < 65536ull * 1000000;
	block->ssrc = src->ssrc;
	block->fraction_lost = mc_rtp_source_fraction_lost(src);
	block->lost = mc_rtp_source_lost(src);
	block->ext_seq = (uint32_t)src->ext_seq;
	block->jitter_ts = mc_rtp_source_jitter_ts(src);
	block->lsr = answers ? peer->lsr : 0;
	block->dlsr = answers ? (uint32_t)((since_us << 16) / 1000000) : 0;
}

int mc_rtcp_rtt(uint32_t *rtt_us, const struct mc_rtcp_block *block, uint64_t ntp)
{
	if (block->lsr == 0)
		return MC_EAGAIN;
	uint32_t rtt = (uint32_t)(ntp >> 16) - block->lsr - block->dlsr;
	if (rtt >= 0x80000000u)
		rtt = rtt > UINT32_MAX - 65536u ? 0
						: UINT32_MAX; /* up to 1 s of rounding and drift */
	if (rtt > RTT_MAX_S * 65536u)
		return MC_EBADMSG;
	*rtt_us = (uint32_t)((uint64_t)rtt * 1000000 >> 16);
	return MC_OK;
}

float mc_emodel_r(float delay_ms, float loss_percent, float burst_r, struct mc_emodel_codec codec)
{
	float id = 0.024f * delay_ms;
	if (delay_ms > 177.3f)
		id += 0.11f * (delay_ms - 177.3f);
	float ie = codec.ie;
	if (loss_percent > 0)
		ie += (95.0f - codec.ie) * loss_percent / (loss_percent / burst_r + codec.bpl);
	return 93.2f - id - ie;
}

float mc_emodel_mos(float r)
{
	if (r > 100.0f)
		return 4.5f;
	if (!(r > 0.0f))
		return 1.0f;
	float mos = 1.0f + 0.035f * r + r * (r - 60.0f) * (100.0f - r) * 7e-6f;
	return mos < 1.0f ? 1.0f : mos; /* the polynomial dips below 1 for R under 6.5 */
}
