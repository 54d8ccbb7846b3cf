/* mc_rtcp: what is built parses back; every byte cut off or changed is survived; E-model
 * points of ITU-T G.107. */
#include "mc_rtcp.h"
#include "mc_test.h"

static struct mc_rtcp sample(uint32_t blocks, bool sender, size_t cname_len, bool bye)
{
	struct mc_rtcp m = {.ssrc = 0x11223344u,
			    .has_report = true,
			    .has_sender = sender,
			    .bye = bye,
			    .block_count = blocks};
	if (sender) {
		m.ntp = 0xE123456789ABCDEFull;
		m.rtp_ts = 0xFEDCBA98u;
		m.packets = 1500;
		m.bytes = 240000;
	}
	for (uint32_t i = 0; i < blocks; i++)
		m.blocks[i] =
			(struct mc_rtcp_block){.ssrc = i + 1,
					       .fraction_lost = (uint8_t)(255 - i),
					       .lost = i % 2 ? -0x800000 : 0x7FFFFF - (int32_t)i,
					       .ext_seq = 0x10000u * i + 7,
					       .jitter_ts = i * 3,
					       .lsr = 0xAAAA0000u + i,
					       .dlsr = i << 16};
	memset(m.cname, 'c', cname_len);
	m.cname_len = (uint8_t)cname_len;
	return m;
}

static void what_is_built_parses_back(void)
{
	static const size_t cnamev[] = {0, 1, 2, 3, 4, 5, 17, 254, 255};
	uint8_t buf[2048];
	for (uint32_t blocks = 0; blocks <= MC_RTCP_BLOCKS_MAX; blocks++)
		for (size_t c = 0; c < sizeof(cnamev) / sizeof(cnamev[0]); c++)
			for (int flags = 0; flags < 4; flags++) {
				struct mc_rtcp in = sample(blocks, flags & 1, cnamev[c], flags & 2),
					       out;
				int n = mc_rtcp_build(buf, sizeof(buf), &in);
				CHECK(n > 0 && n % 4 == 0);
				CHECK(mc_rtp_is_rtcp(buf, (size_t)n));
				memset(&out, 0xEE, sizeof(out));
				CHECK_EQ(mc_rtcp_parse(&out, buf, (size_t)n), MC_OK);
				CHECK_EQ(out.ssrc, in.ssrc);
				CHECK(out.has_report);
				CHECK_EQ(out.has_sender, in.has_sender);
				CHECK_EQ(out.bye, in.bye);
				CHECK(out.ntp == in.ntp);
				CHECK_EQ(out.rtp_ts, in.rtp_ts);
				CHECK_EQ(out.packets, in.packets);
				CHECK_EQ(out.bytes, in.bytes);
				CHECK_EQ(out.block_count, blocks);
				CHECK(!memcmp(out.blocks, in.blocks,
					      blocks * sizeof(in.blocks[0])));
				CHECK_EQ(out.cname_len, in.cname_len);
				CHECK(!strcmp(out.cname, in.cname));
				CHECK_EQ(out.ignored, 0);
				CHECK_EQ(mc_rtcp_build(buf, (size_t)n - 1, &in), MC_ENOMEM);
			}
	struct mc_rtcp bad = {.block_count = MC_RTCP_BLOCKS_MAX + 1};
	CHECK_EQ(mc_rtcp_build(buf, sizeof(buf), &bad), MC_EINVAL);
}

static void every_truncation_is_refused_or_a_whole_prefix(void)
{
	struct mc_rtcp in = sample(3, true, 9, true), out = {.ssrc = 77};
	uint8_t buf[512];
	size_t n = (size_t)mc_rtcp_build(buf, sizeof(buf), &in);
	size_t sr = 28 + 3 * 24, sdes = sr + 20; /* where parts end */
	for (size_t cut = 0; cut < n; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1); /* so that a sanitizer sees any overrun */
		memcpy(exact, buf, cut);
		bool whole = cut == sr || cut == sdes;
		CHECK_EQ(mc_rtcp_parse(&out, exact, cut), whole ? MC_OK : MC_EBADMSG);
		if (!whole)
			CHECK(out.ssrc == 77 || out.ssrc == in.ssrc);
		free(exact);
	}
}

static void every_changed_byte_is_survived(void)
{
	struct mc_rtcp in = sample(2, true, 9, true), out;
	uint8_t buf[512];
	size_t n = (size_t)mc_rtcp_build(buf, sizeof(buf), &in);
	uint8_t *exact = malloc(n);
	for (size_t at = 0; at < n; at++)
		for (unsigned v = 0; v < 256; v++) {
			memcpy(exact, buf, n);
			exact[at] = (uint8_t)v;
			int rc = mc_rtcp_parse(&out, exact, n);
			CHECK(rc == MC_OK || rc == MC_EBADMSG);
		}
	free(exact);
}

static void parse_rows(void)
{
	static const struct {
		const char *name;
		uint8_t data[48];
		size_t n;
		int rc;
		bool report, bye;
		const char *cname;
		uint32_t ignored;
	} rowv[] = {
		{"empty RR", {0x80, 201, 0, 1, 0, 0, 0, 1}, 8, 0, true, false, "", 0},
		{"header only", {0x80, 201, 0, 0}, 4, MC_EBADMSG, false, false, "", 0},
		{"count without block", {0x81, 201, 0, 1}, 8, MC_EBADMSG, false, false, "", 0},
		{"SR too short", {0x80, 200, 0, 5}, 24, MC_EBADMSG, false, false, "", 0},
		{"version 1", {0x40, 201, 0, 1}, 8, MC_EBADMSG, false, false, "", 0},
		{"RTP", {0x80, 0, 0, 1}, 8, MC_EBADMSG, false, false, "", 0},
		{"profile extension in RR",
		 {0x80, 201, 0, 2, 0, 0, 0, 1},
		 12,
		 0,
		 true,
		 false,
		 "",
		 0},
		{"BYE alone (reduced size)",
		 {0x81, 203, 0, 1, 0, 0, 0, 9},
		 8,
		 0,
		 false,
		 true,
		 "",
		 0},
		{"BYE of nobody", {0x80, 203, 0, 0}, 4, 0, false, false, "", 0},
		{"BYE short", {0x82, 203, 0, 1}, 8, MC_EBADMSG, false, false, "", 0},
		{"BYE of another source",
		 {0x80, 201, 0, 1, 0, 0, 0, 1, 0x81, 203, 0, 1, 0, 0, 0, 9},
		 16,
		 0,
		 true,
		 false,
		 "",
		 0},
		{"BYE with a reason",
		 {0x81, 203, 0, 2, 0, 0, 0, 9, 3, 'b', 'y', 'e'},
		 12,
		 0,
		 false,
		 true,
		 "",
		 0},
		{"XR and feedback are skipped",
		 {0x80, 201, 0, 1, 0, 0, 0, 1, 0x80, 207, 0, 1, 0, 0, 0, 0, 0x81, 205, 0, 0},
		 20,
		 0,
		 true,
		 false,
		 "",
		 2},
		{"SDES of another source",
		 {0x80, 201, 0, 1, 0, 0, 0, 1, 0x81, 202, 0, 2, 0, 0, 0, 9, 1, 1, 'x', 0},
		 20,
		 0,
		 true,
		 false,
		 "",
		 0},
		{"SDES, second chunk is ours",
		 {0x80, 201, 0, 1, 0,   0, 0, 1, 0x82, 202, 0, 4, 0,   0,
		  0,    9,   1, 1, 'x', 0, 0, 0, 0,    1,   1, 1, 'y', 0},
		 28,
		 0,
		 true,
		 false,
		 "y",
		 0},
		{"SDES without end",
		 {0x81, 202, 0, 2, 0, 0, 0, 9, 1, 2, 'x', 'x'},
		 12,
		 MC_EBADMSG,
		 false,
		 false,
		 "",
		 0},
		{"SDES item beyond",
		 {0x81, 202, 0, 2, 0, 0, 0, 9, 1, 9, 'x', 0},
		 12,
		 MC_EBADMSG,
		 false,
		 false,
		 "",
		 0},
		{"SDES chunk missing",
		 {0x82, 202, 0, 2, 0, 0, 0, 9, 1, 1, 'x', 0},
		 12,
		 MC_EBADMSG,
		 false,
		 false,
		 "",
		 0},
		{"SDES empty", {0x80, 202, 0, 0}, 4, 0, false, false, "", 0},
		{"padding at the end",
		 {0xA0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4},
		 12,
		 0,
		 true,
		 false,
		 "",
		 0},
		{"padding of the whole",
		 {0xA0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 8},
		 12,
		 MC_EBADMSG,
		 false,
		 false,
		 "",
		 0},
		{"padding beyond",
		 {0xA0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 12},
		 12,
		 MC_EBADMSG,
		 false,
		 false,
		 "",
		 0},
		{"padding of one byte",
		 {0xA0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1},
		 12,
		 MC_EBADMSG,
		 false,
		 false,
		 "",
		 0},
		{"padding of none",
		 {0xA0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0},
		 12,
		 MC_EBADMSG,
		 false,
		 false,
		 "",
		 0},
		{"padding in the first part",
		 {0xA0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4, 0x81, 203, 0, 1, 0, 0, 0, 1},
		 20,
		 MC_EBADMSG,
		 false,
		 false,
		 "",
		 0},
		{"length beyond",
		 {0x80, 201, 0, 2, 0, 0, 0, 1},
		 8,
		 MC_EBADMSG,
		 false,
		 false,
		 "",
		 0},
		{"not in words",
		 {0x80, 201, 0, 1, 0, 0, 0, 1, 0},
		 9,
		 MC_EBADMSG,
		 false,
		 false,
		 "",
		 0},
	};
	for (size_t i = 0; i < sizeof(rowv) / sizeof(rowv[0]); i++) {
		struct mc_rtcp out = {0};
		int rc = mc_rtcp_parse(&out, rowv[i].data, rowv[i].n);
		if (rc != rowv[i].rc)
			fprintf(stderr, "row: %s\n", rowv[i].name);
		CHECK_EQ(rc, rowv[i].rc);
		CHECK_EQ(out.has_report, rowv[i].report);
		CHECK_EQ(out.bye, rowv[i].bye);
		CHECK(!strcmp(out.cname, rowv[i].cname));
		CHECK_EQ(out.ignored, rowv[i].ignored);
	}
}

static void more_blocks_than_the_limit_are_counted(void)
{
	struct mc_rtcp in = sample(31, false, 0, false), out;
	uint8_t buf[2048];
	int n = mc_rtcp_build(buf, sizeof(buf), &in);
	CHECK(n > 0);
	memcpy(buf + n, buf, (size_t)n);
	CHECK_EQ(mc_rtcp_parse(&out, buf, (size_t)n * 2), MC_OK);
	CHECK_EQ(out.block_count, 31);
	CHECK_EQ(out.ignored, 31);
}

static void ntp_of_known_moments(void)
{
	CHECK(mc_rtcp_ntp(0) == 2208988800ull << 32);
	CHECK(mc_rtcp_ntp(500000) == (2208988800ull << 32 | 0x80000000u));
	CHECK(mc_rtcp_ntp(1700000000750000ull) >> 32 == 2208988800ull + 1700000000);
	CHECK((uint32_t)mc_rtcp_ntp(1700000000750000ull) == 0xC0000000u);
}

/* Two ends with clocks that are far apart measure the path between them. */
static void round_trip_of_two_ends(void)
{
	static const uint32_t onewayv_ms[] = {0, 1, 20, 75, 400, 3000, 29000};
	for (size_t i = 0; i < sizeof(onewayv_ms) / sizeof(onewayv_ms[0]); i++) {
		uint64_t t0 = 1700000000123456ull, path = onewayv_ms[i] * 1000ull, held = 1234567;
		struct mc_rtcp sr = sample(0, true, 3, false), seen,
			       rr = {.ssrc = 9, .block_count = 1};
		struct mc_rtcp_peer peer = {0};
		struct mc_rtp_source src = {.ssrc = 0x11223344u, .active = true, .ext_seq = 70000};
		uint8_t buf[256];
		uint32_t rtt_us = 1;

		sr.ntp = mc_rtcp_ntp(t0);
		int n = mc_rtcp_build(buf, sizeof(buf), &sr);
		CHECK(n > 0);
		CHECK_EQ(mc_rtcp_parse(&seen, buf, (size_t)n), MC_OK);
		mc_rtcp_seen(&peer, &seen, 55 + path);
		mc_rtcp_block_fill(&rr.blocks[0], &src, &peer, 55 + path + held);
		CHECK_EQ(rr.blocks[0].ext_seq, 70000);
		n = mc_rtcp_build(buf, sizeof(buf), &rr);
		CHECK(n > 0);
		CHECK_EQ(mc_rtcp_parse(&seen, buf, (size_t)n), MC_OK);
		CHECK_EQ(seen.blocks[0].ssrc, sr.ssrc);
		CHECK_EQ(mc_rtcp_rtt(&rtt_us, &seen.blocks[0], mc_rtcp_ntp(t0 + held + 2 * path)),
			 0);
		CHECK(llabs((long long)rtt_us - (long long)(2 * path)) <= 50);
	}
}

static void round_trip_that_cannot_be(void)
{
	uint32_t rtt_us = 5;
	struct mc_rtcp_block b = {.lsr = 0, .dlsr = 1};
	CHECK_EQ(mc_rtcp_rtt(&rtt_us, &b, 1ull << 40), MC_EAGAIN);
	b.lsr = 100 * 65536;
	b.dlsr = 65536;
	CHECK_EQ(mc_rtcp_rtt(&rtt_us, &b, (uint64_t)(162 * 65536) << 16), MC_EBADMSG);
	CHECK_EQ(mc_rtcp_rtt(&rtt_us, &b, (uint64_t)(95 * 65536) << 16), MC_EBADMSG);
	CHECK_EQ(rtt_us, 5);
	CHECK_EQ(mc_rtcp_rtt(&rtt_us, &b, (uint64_t)(101 * 65536 - 30) << 16), 0);
	CHECK_EQ(rtt_us, 0);
}

static void no_report_of_theirs_leaves_lsr_zero(void)
{
	struct mc_rtp_source src = {.ssrc = 4};
	struct mc_rtcp_peer peer = {0};
	struct mc_rtcp_block b;
	struct mc_rtcp rr = sample(0, false, 0, false);
	mc_rtcp_seen(&peer, &rr, 7);
	mc_rtcp_block_fill(&b, &src, &peer, 1000000);
	CHECK_EQ(b.lsr, 0);
	CHECK_EQ(b.dlsr, 0);
	peer = (struct mc_rtcp_peer){.at_us = 10, .lsr = 5};
	mc_rtcp_block_fill(&b, &src, &peer, 10 + 65536ull * 1000000);
	CHECK_EQ(b.lsr, 0); /* older than the field can tell */
	mc_rtcp_block_fill(&b, &src, &peer, 10 + 1500000);
	CHECK_EQ(b.dlsr, 98304);
}

static void emodel_points(void)
{
	static const struct {
		float delay_ms, loss, burst;
		float r, mos;
	} rowv[] = {
		{0, 0, 1, 93.2f, 4.41f},       {150, 0, 1, 89.6f, 4.33f},
		{177.3f, 0, 1, 88.94f, 4.31f}, {400, 0, 1, 59.10f, 3.05f},
		{0, 1, 1, 89.56f, 4.33f},      {0, 5, 1, 77.42f, 3.92f},
		{0, 5, 2, 75.99f, 3.86f},      {0, 100, 1, 17.26f, 1.18f},
	};
	for (size_t i = 0; i < sizeof(rowv) / sizeof(rowv[0]); i++) {
		float r = mc_emodel_r(rowv[i].delay_ms, rowv[i].loss, rowv[i].burst,
				      MC_EMODEL_G711_PLC);
		CHECK(fabsf(r - rowv[i].r) < 0.02f);
		CHECK(fabsf(mc_emodel_mos(r) - rowv[i].mos) < 0.01f);
	}
	CHECK(mc_emodel_mos(-5) == 1.0f);
	CHECK(mc_emodel_mos(0) == 1.0f);
	CHECK(mc_emodel_mos(3) == 1.0f);
	CHECK(mc_emodel_mos(101) == 4.5f);
	CHECK(mc_emodel_mos(100) == 4.5f);
	CHECK(mc_emodel_mos(NAN) == 1.0f);
	for (float r = 0; r < 100; r += 0.25f)
		CHECK(mc_emodel_mos(r + 0.25f) >= mc_emodel_mos(r));
}

int main(void)
{
	RUN(what_is_built_parses_back);
	RUN(every_truncation_is_refused_or_a_whole_prefix);
	RUN(every_changed_byte_is_survived);
	RUN(parse_rows);
	RUN(more_blocks_than_the_limit_are_counted);
	RUN(ntp_of_known_moments);
	RUN(round_trip_of_two_ends);
	RUN(round_trip_that_cannot_be);
	RUN(no_report_of_theirs_leaves_lsr_zero);
	RUN(emodel_points);
	return 0;
}
