/* mc_rtp: the header byte by byte, and the reception state against scripted arrivals. */
#include "mc_rtp.h"
#include "mc_test.h"

static void build_then_parse_gives_the_same(void)
{
	uint8_t payload[160], buf[256];
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)i;
	for (unsigned pt = 0; pt < 64; pt++) {
		struct mc_rtp in = {
			(uint8_t)pt, pt & 1, (uint16_t)(65530 + pt), 0xDEADBEEFu + pt, 0xCAFEBABEu,
			payload,     pt * 2};
		struct mc_rtp out = {0};
		CHECK_EQ(mc_rtp_build(buf, sizeof(buf), &in), 12 + pt * 2);
		CHECK_EQ(mc_rtp_parse(&out, buf, 12 + pt * 2), MC_OK);
		CHECK_EQ(out.pt, in.pt);
		CHECK_EQ(out.marker, in.marker);
		CHECK_EQ(out.seq, in.seq);
		CHECK_EQ(out.ts, in.ts);
		CHECK_EQ(out.ssrc, in.ssrc);
		CHECK_EQ(out.payload_len, in.payload_len);
		CHECK(!memcmp(out.payload, payload, in.payload_len));
	}
}

static void build_takes_a_payload_in_place_or_overlapping(void)
{
	for (size_t from = 0; from <= 24; from++) {
		uint8_t buf[64];
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = (uint8_t)i;
		struct mc_rtp rtp = {.payload = buf + from, .payload_len = 40};
		CHECK_EQ(mc_rtp_build(buf, sizeof(buf), &rtp), 52);
		for (size_t i = 0; i < 40; i++)
			CHECK_EQ(buf[12 + i], from + i);
	}
}

static void build_refuses_what_does_not_fit(void)
{
	uint8_t buf[32] = {0}, payload[32] = {0};
	struct mc_rtp rtp = {.payload = payload, .payload_len = 20};
	CHECK_EQ(mc_rtp_build(buf, 32, &rtp), 32);
	CHECK_EQ(mc_rtp_build(buf, 31, &rtp), MC_ENOMEM);
	CHECK_EQ(mc_rtp_build(buf, 11, &rtp), MC_ENOMEM);
	CHECK_EQ(mc_rtp_build(buf, 0, &rtp), MC_ENOMEM);
	rtp.payload_len = SIZE_MAX;
	CHECK_EQ(mc_rtp_build(buf, 32, &rtp), MC_ENOMEM);
	rtp.payload_len = 0;
	rtp.payload = NULL;
	CHECK_EQ(mc_rtp_build(buf, 12, &rtp), 12);
	rtp.pt = 128;
	CHECK_EQ(mc_rtp_build(buf, 32, &rtp), MC_EINVAL);
}

static void parse_rows(void)
{
	static const struct {
		const char *name;
		uint8_t first, second; /* bytes 0 and 1 */
		uint8_t tail[20];      /* bytes 12.. */
		size_t n;
		int rc;
		size_t at, len; /* payload */
	} rowv[] = {
		{"plain", 0x80, 0, {1, 2, 3}, 15, 0, 12, 3},
		{"no payload", 0x80, 0, {0}, 12, 0, 12, 0},
		{"short", 0x80, 0, {0}, 11, MC_EBADMSG, 0, 0},
		{"empty", 0x80, 0, {0}, 0, MC_EBADMSG, 0, 0},
		{"version 1", 0x40, 0, {0}, 15, MC_EBADMSG, 0, 0},
		{"version 3", 0xC0, 0, {0}, 15, MC_EBADMSG, 0, 0},
		{"version 0", 0x00, 0, {0}, 15, MC_EBADMSG, 0, 0},
		{"two CSRC", 0x82, 0, {0}, 22, 0, 20, 2},
		{"two CSRC, one there", 0x82, 0, {0}, 19, MC_EBADMSG, 0, 0},
		{"fifteen CSRC, none there", 0x8F, 0, {0}, 32, MC_EBADMSG, 0, 0},
		{"extension of one word", 0x90, 0, {0xBE, 0xDE, 0, 1, 9, 9, 9, 9, 7}, 21, 0, 20, 1},
		{"empty extension", 0x90, 0, {0xBE, 0xDE, 0, 0, 7}, 17, 0, 16, 1},
		{"extension to the end", 0x90, 0, {0xBE, 0xDE, 0, 2}, 24, 0, 24, 0},
		{"extension too long", 0x90, 0, {0xBE, 0xDE, 0, 3}, 24, MC_EBADMSG, 0, 0},
		{"extension of 65535 words", 0x90, 0, {0, 0, 255, 255}, 32, MC_EBADMSG, 0, 0},
		{"extension header cut", 0x90, 0, {0xBE, 0xDE, 0}, 15, MC_EBADMSG, 0, 0},
		{"CSRC and extension", 0x91, 0, {0, 0, 0, 0, 0, 0, 0, 0, 5, 6}, 22, 0, 20, 2},
		{"padding of three", 0xA0, 0, {1, 2, 0, 0, 3}, 17, 0, 12, 2},
		{"only padding", 0xA0, 0, {0, 0, 0, 4}, 16, 0, 12, 0},
		{"padding too long", 0xA0, 0, {0, 0, 0, 5}, 16, MC_EBADMSG, 0, 0},
		{"padding of none", 0xA0, 0, {0, 0, 0, 0}, 16, MC_EBADMSG, 0, 0},
		{"padding without a byte", 0xA0, 0, {0}, 12, MC_EBADMSG, 0, 0},
		{"padding into the extension", 0xB0, 0, {0, 0, 0, 0, 2}, 17, MC_EBADMSG, 0, 0},
		{"receiver report", 0x81, 201, {0}, 32, MC_EBADMSG, 0, 0},
	};
	for (size_t i = 0; i < sizeof(rowv) / sizeof(rowv[0]); i++) {
		uint8_t buf[32] = {rowv[i].first, rowv[i].second};
		memcpy(buf + 12, rowv[i].tail, sizeof(rowv[i].tail));
		struct mc_rtp rtp = {.pt = 99};
		int rc = mc_rtp_parse(&rtp, buf, rowv[i].n);
		if (rc != rowv[i].rc)
			fprintf(stderr, "row: %s\n", rowv[i].name);
		CHECK_EQ(rc, rowv[i].rc);
		if (rc) {
			CHECK_EQ(rtp.pt, 99);
			continue;
		}
		CHECK_EQ(rtp.payload - buf, (long)rowv[i].at);
		CHECK_EQ(rtp.payload_len, rowv[i].len);
	}
}

static void every_second_byte_is_rtp_or_rtcp(void)
{
	for (unsigned b = 0; b < 256; b++) {
		uint8_t buf[12] = {0x80, (uint8_t)b};
		struct mc_rtp rtp;
		bool rtcp = b >= 192 && b <= 223;
		CHECK_EQ(mc_rtp_is_rtcp(buf, sizeof(buf)), rtcp);
		CHECK_EQ(mc_rtp_parse(&rtp, buf, sizeof(buf)), rtcp ? MC_EBADMSG : MC_OK);
	}
	uint8_t stun[12] = {0x00, 200};
	CHECK(!mc_rtp_is_rtcp(stun, sizeof(stun)));
	CHECK(!mc_rtp_is_rtcp((const uint8_t[]){0x80}, 1));
}

/* One arrival: the source's answer, and the counters that must stand afterwards. */
struct arrival {
	uint32_t ssrc;
	uint16_t seq;
	uint32_t ts;
	uint32_t at_ms;
	int rc;
};

static struct mc_rtp_source play(const struct arrival *v, size_t n)
{
	struct mc_rtp_source src = {0};
	for (size_t i = 0; i < n; i++) {
		struct mc_rtp rtp = {.seq = v[i].seq, .ts = v[i].ts, .ssrc = v[i].ssrc};
		int rc = mc_rtp_source_update(&src, &rtp, v[i].at_ms * 1000ull, 8000);
		if (rc != v[i].rc)
			fprintf(stderr, "arrival %zu\n", i);
		CHECK_EQ(rc, v[i].rc);
	}
	return src;
}
#define PLAY(v) play(v, sizeof(v) / sizeof(v[0]))

static void a_stream_over_the_wrap(void)
{
	static const struct arrival v[] = {
		{1, 65534, 0xFFFFFF60u, 0, 0},
		{1, 65535, 0, 20, 0},
		{1, 0, 160, 40, 0},
		{1, 2, 480, 80, 0},
		{1, 1, 320, 81, 0},
		{1, 2, 480, 82, 0},
		{1, 5, 960, 140, 0},
	};
	struct mc_rtp_source s = PLAY(v);
	CHECK_EQ(s.ext_seq, 65536 + 5);
	CHECK_EQ(s.packets, 7);
	CHECK_EQ(s.reordered, 1);
	CHECK_EQ(s.duplicates, 1);
	CHECK_EQ(mc_rtp_source_lost(&s), 8 - 7);
	CHECK_EQ(mc_rtp_source_fraction_lost(&s), 256 / 8);
	CHECK_EQ(mc_rtp_source_fraction_lost(&s), 0);
	CHECK_EQ(s.restarts, 0);
}

static void a_far_sequence_number_needs_two_in_order(void)
{
	static const struct arrival v[] = {
		{1, 100, 0, 0, 0},
		{1, 101, 160, 20, 0},
		{1, 9000, 320, 40, MC_ESTATE}, /* far ahead */
		{1, 102, 320, 40, 0},          /* the old stream goes on */
		{1, 9001, 480, 60, MC_ESTATE}, /* not in a row */
		{1, 9003, 480, 60, MC_ESTATE}, /* not in order */
		{1, 9004, 640, 80, MC_RTP_RESTART},
		{1, 9005, 800, 100, 0},
		{1, 8800, 800, 100, MC_ESTATE}, /* behind */
		{1, 8801, 800, 100, MC_RTP_RESTART},
	};
	struct mc_rtp_source s = PLAY(v);
	CHECK_EQ(s.jumped, 4);
	CHECK_EQ(s.restarts, 2);
	CHECK_EQ(s.ext_seq, 8801);
	CHECK_EQ(s.packets, 6);
	CHECK_EQ(mc_rtp_source_lost(&s), 0);
}

static void the_edges_of_dropout_and_misorder(void)
{
	for (int32_t d = -32768; d <= 32767; d++) {
		struct mc_rtp_source s = {0};
		struct mc_rtp rtp = {.seq = 40000, .ts = 1u << 30, .ssrc = 1};
		CHECK_EQ(mc_rtp_source_update(&s, &rtp, 0, 8000), 0);
		rtp.seq = (uint16_t)(40000 + (uint32_t)d);
		int rc = mc_rtp_source_update(&s, &rtp, 0, 8000);
		CHECK_EQ(rc, d > -MC_RTP_MAX_MISORDER && d < MC_RTP_MAX_DROPOUT ? 0 : MC_ESTATE);
		CHECK_EQ(s.ext_seq, rc == 0 && d > 0 ? (uint64_t)(40000 + d) : 40000);
	}
}

static void a_new_ssrc_needs_two_in_a_row(void)
{
	static const struct arrival v[] = {
		{1, 1, 0, 0, 0},
		{1, 3, 320, 40, 0},
		{2, 700, 5, 41, MC_ESTATE}, /* stray */
		{2, 700, 5, 42, MC_ESTATE}, /* the same once more is not two */
		{1, 4, 480, 60, 0},         /* the old one lives */
		{2, 701, 165, 61, MC_ESTATE},
		{3, 702, 165, 61, MC_ESTATE}, /* a third one */
		{2, 703, 325, 80, MC_ESTATE},
		{2, 704, 485, 100, MC_RTP_RESTART},
		{2, 705, 645, 120, 0},
		{1, 5, 640, 121, MC_ESTATE}, /* the old one is the stray now */
	};
	struct mc_rtp_source s = PLAY(v);
	CHECK_EQ(s.ssrc, 2);
	CHECK_EQ(s.stray, 6);
	CHECK_EQ(s.restarts, 1);
	CHECK_EQ(s.lost_before, 1);
	CHECK_EQ(mc_rtp_source_lost(&s), 0);
	CHECK_EQ(s.packets, 5);
}

static void a_timestamp_jump_restarts(void)
{
	static const struct arrival v[] = {
		{1, 1, 1000, 0, 0},
		{1, 2, 1160, 20, 0},
		{1, 3, 1320 + 80001, 40, MC_RTP_RESTART}, /* > 10 s ahead at once */
		{1, 4, 81481, 60, 0},
		{1, 5, 1000, 80, MC_RTP_RESTART}, /* > 10 s back */
		{1, 6, 1160, 100, 0},
		{1, 7, 1320 + 480000, 60120, 0},  /* a minute of silence, and it took a minute */
		{1, 8, 1480 + 480000, 120120, 0}, /* a minute of hold, the far clock stood */
		{1, 7, 0x70000000u, 120121, MC_ESTATE}, /* behind and absurd */
		{1, 9, 1640 + 480000, 120140, 0},
	};
	struct mc_rtp_source s = PLAY(v);
	CHECK_EQ(s.restarts, 2);
	CHECK_EQ(s.bad_ts, 1);
	CHECK_EQ(s.packets, 9);
}

static void a_long_loss_is_no_jump(void)
{
	struct mc_rtp_source s = {0};
	struct mc_rtp rtp = {.ssrc = 1};
	CHECK_EQ(mc_rtp_source_update(&s, &rtp, 0, 8000), 0);
	rtp.seq = 1, rtp.ts = 160;
	CHECK_EQ(mc_rtp_source_update(&s, &rtp, 20000, 8000), 0);
	rtp.seq = 2999, rtp.ts = 2999 * 160;
	CHECK_EQ(mc_rtp_source_update(&s, &rtp, 20001, 8000), 0);
	CHECK_EQ(mc_rtp_source_lost(&s), 2997);
	CHECK_EQ(mc_rtp_source_fraction_lost(&s), 2997 * 256 / 3000);
}

static void jitter_follows_the_rfc_and_ignores_held_timestamps(void)
{
	struct mc_rtp_source s = {0};
	double want = 0, before = 0;
	uint32_t rng = 5;
	uint64_t at_us = 0;
	for (uint32_t i = 0; i < 2000; i++) {
		double late_ms = test_rand(&rng) % 31;
		at_us = i * 20000ull + (uint64_t)late_ms * 1000;
		struct mc_rtp rtp = {.seq = (uint16_t)i, .ts = i * 160, .ssrc = 1};
		CHECK_EQ(mc_rtp_source_update(&s, &rtp, at_us, 8000), 0);
		if (i)
			want += (fabs(late_ms - before) * 8 - want) / 16;
		before = late_ms;
	}
	CHECK(fabs((double)mc_rtp_source_jitter_ts(&s) - want) < 2);
	uint32_t jitter = s.jitter_q4;
	for (uint32_t i = 0; i < 50; i++) {
		struct mc_rtp event = {.seq = (uint16_t)(2000 + i), .ts = 1999 * 160, .ssrc = 1};
		CHECK_EQ(mc_rtp_source_update(&s, &event, at_us + i * 20000, 8000), 0);
	}
	CHECK_EQ(s.jitter_q4, jitter);
}

static void duplicates_make_the_loss_negative_and_the_fraction_zero(void)
{
	struct mc_rtp_source s = {0};
	struct mc_rtp rtp = {.ssrc = 1, .payload_len = 160};
	for (int i = 0; i < 10; i++)
		CHECK_EQ(mc_rtp_source_update(&s, &rtp, 0, 8000), 0);
	CHECK_EQ(mc_rtp_source_lost(&s), -9);
	CHECK_EQ(mc_rtp_source_fraction_lost(&s), 0);
	CHECK_EQ(s.duplicates, 9);
	CHECK_EQ(s.bytes, 1600);
	CHECK_EQ(mc_rtp_source_update(&s, &rtp, 0, 0), MC_EINVAL);
}

/* Whatever arrives: counters add up, the sequence never goes back within a stream. */
static void random_arrivals_keep_the_books(void)
{
	uint32_t rng = 99;
	struct mc_rtp_source s = {0};
	uint64_t good = 0, dropped = 0;
	for (int i = 0; i < 300000; i++) {
		uint32_t r = test_rand(&rng);
		struct mc_rtp rtp = {.ssrc = r % 50 ? 1 : r % 3,
				     .seq = (uint16_t)((uint32_t)i + (r % 97 ? r % 7 : r >> 8)),
				     .ts = r % 1001 ? (uint32_t)i * 160 : r};
		uint64_t was = s.ext_seq;
		int rc = mc_rtp_source_update(&s, &rtp, (uint64_t)i * 20000, 8000);
		CHECK(rc == MC_OK || rc == MC_RTP_RESTART || rc == MC_ESTATE);
		if (rc == MC_OK && i)
			CHECK(s.ext_seq >= was && s.ext_seq < was + MC_RTP_MAX_DROPOUT);
		if (rc < 0)
			dropped++;
		else
			good++;
	}
	CHECK_EQ(s.packets, good);
	CHECK_EQ(s.stray + s.jumped + s.bad_ts, dropped);
	CHECK(s.restarts > 10 && dropped > 1000);
}

int main(void)
{
	RUN(build_then_parse_gives_the_same);
	RUN(build_takes_a_payload_in_place_or_overlapping);
	RUN(build_refuses_what_does_not_fit);
	RUN(parse_rows);
	RUN(every_second_byte_is_rtp_or_rtcp);
	RUN(a_stream_over_the_wrap);
	RUN(a_far_sequence_number_needs_two_in_order);
	RUN(the_edges_of_dropout_and_misorder);
	RUN(a_new_ssrc_needs_two_in_a_row);
	RUN(a_timestamp_jump_restarts);
	RUN(a_long_loss_is_no_jump);
	RUN(jitter_follows_the_rfc_and_ignores_held_timestamps);
	RUN(duplicates_make_the_loss_negative_and_the_fraction_zero);
	RUN(random_arrivals_keep_the_books);
	return 0;
}
