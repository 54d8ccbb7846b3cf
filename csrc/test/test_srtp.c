/* SRTP: with a fake library on every machine, with libsrtp2 where there is one. */
#include "mc_rtcp.h"
#include "mc_rtp.h"
#include "mc_srtp.h"
#include "mc_test.h"
#include "mediacore.h"

enum { TAG = 4 };

static uint8_t KEYS[4][MC_SRTP_KEY_MAX];

static struct mc_srtp_keys keys_of(const char *suite, size_t n, int tx, int rx)
{
	return (struct mc_srtp_keys){
		.suite = suite, .tx_key = KEYS[tx], .rx_key = KEYS[rx], .key_len = n};
}

static struct mc_srtp_keys keys_80(int tx, int rx)
{
	return keys_of("AES_CM_128_HMAC_SHA1_80", 30, tx, rx);
}

/* --------------------------------------------------------------- a fake library
 *
 * A session is a counted token; "protected" is the packet with a tag of four bytes behind it. */

static long sessions, streams;
static int fail_create_at = -1, fail_stream_at = -1, create_status = 1;

static unsigned fake_version(void)
{
	return 2u << 24 | 5u << 16;
}

static const char *fake_name(void)
{
	return "fake";
}

static int fake_init(void)
{
	return 0;
}

static int fake_create(struct srtp_ctx_t_ **session, const struct srtp_policy_t *policy)
{
	(void)policy;
	if (fail_create_at >= 0 && fail_create_at-- == 0)
		return create_status;
	*session = malloc(1);
	sessions++;
	return 0;
}

static int fake_add(struct srtp_ctx_t_ *session, const struct srtp_policy_t *policy)
{
	(void)session;
	(void)policy;
	streams++;
	return fail_stream_at >= 0 && fail_stream_at-- == 0 ? 3 : 0;
}

static int fake_dealloc(struct srtp_ctx_t_ *session)
{
	free(session);
	sessions--;
	return 0;
}

static int fake_protect(struct srtp_ctx_t_ *session, void *packet, int *n)
{
	CHECK(session && (uintptr_t)packet % 8 == 0);
	memcpy((uint8_t *)packet + *n, "tag!", TAG);
	*n += TAG;
	return 0;
}

static int fake_unprotect(struct srtp_ctx_t_ *session, void *packet, int *n)
{
	CHECK(session && (uintptr_t)packet % 8 == 0);
	if (*n < 12 + TAG || memcmp((uint8_t *)packet + *n - TAG, "tag!", TAG))
		return 7;
	*n -= TAG;
	return 0;
}

static void fake_set(struct srtp_crypto_policy_t *policy)
{
	CHECK(policy);
}

static const struct mc_srtp_lib FAKE = {
	.version = fake_version,
	.version_string = fake_name,
	.init = fake_init,
	.create = fake_create,
	.add_stream = fake_add,
	.dealloc = fake_dealloc,
	.protect = fake_protect,
	.unprotect = fake_unprotect,
	.protect_rtcp = fake_protect,
	.unprotect_rtcp = fake_unprotect,
	.set = {fake_set, fake_set, fake_set, fake_set},
};

static size_t rtp(uint8_t *out, uint16_t seq, uint32_t ssrc)
{
	uint8_t payload[160];
	memset(payload, 0xD5, sizeof(payload));
	struct mc_rtp packet = {.pt = 0, .seq = seq, .ts = seq * 160u, .ssrc = ssrc};
	packet.payload = payload;
	packet.payload_len = sizeof(payload);
	int n = mc_rtp_build(out, MC_PACKET_MAX, &packet);
	CHECK(n > 0);
	return (size_t)n;
}

static void test_without_library(void)
{
	struct mc_srtp *srtp = NULL;
	struct mc_srtp_keys keys = keys_80(0, 1);
	mc_srtp_use(NULL);
	CHECK(!mc_srtp_version());
	CHECK_EQ(mc_srtp_load("/nonexistent/libsrtp2.so.1"), MC_ENOTSUP);
	CHECK_EQ(mc_srtp_load("/dev/null"), MC_ENOTSUP);
	CHECK_EQ(mc_srtp_open(&srtp, &keys, 1), MC_ENOTSUP);
	CHECK(!srtp);
	mc_srtp_close(srtp);
}

static void test_another_library_is_not_taken(void)
{
	CHECK_EQ(mc_srtp_load("libm.so.6"), MC_ENOTSUP);
	CHECK(!mc_srtp_version());
}

static void test_keys_are_checked(void)
{
	struct mc_srtp *srtp;
	struct mc_srtp_keys wrong[] = {
		keys_of("AES_CM_128_HMAC_SHA1_80", 28, 0, 1),
		keys_of("AEAD_AES_256_GCM", 30, 0, 1),
		keys_of("NULL_HMAC_SHA1_80", 30, 0, 1),
		keys_of("", 0, 0, 1),
		keys_of(NULL, 0, 0, 1),
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK_EQ(mc_srtp_open(&srtp, &wrong[i], 1), MC_EINVAL);
}

static void test_what_fails_half_way_leaks_nothing(void)
{
	struct mc_srtp *srtp;
	struct mc_srtp_keys keys = keys_80(0, 1);
	for (int i = 0; i < 2; i++) {
		fail_create_at = i;
		create_status = i ? 3 : 1;
		CHECK_EQ(mc_srtp_open(&srtp, &keys, 1), i ? MC_ENOMEM : MC_ENOTSUP);
		CHECK_EQ(sessions, 0);
	}
	fail_create_at = -1;
	fail_stream_at = 0;
	CHECK_EQ(mc_srtp_open(&srtp, &keys, 1), MC_ENOMEM);
	CHECK_EQ(sessions, 0);
	fail_stream_at = -1;
}

static void rekey(struct mc_srtp **srtp, const struct mc_srtp_keys *keys)
{
	struct mc_srtp *fresh = NULL;
	if (keys)
		CHECK_EQ(mc_srtp_open(&fresh, keys, 1), MC_OK);
	mc_srtp_close(mc_srtp_replace(srtp, fresh));
}

static void test_a_direction_with_the_same_key_goes_on(void)
{
	struct mc_srtp *srtp = NULL;
	struct mc_srtp_keys first = keys_80(0, 1), other_rx = keys_80(0, 2),
			    other_tx = keys_80(3, 2);
	rekey(&srtp, &first);
	struct srtp_ctx_t_ *tx = srtp->tx.session, *rx = srtp->rx.session;
	srtp->source_count = 5;
	srtp->sources[4] = 77;

	rekey(&srtp, &first);
	CHECK(srtp->tx.session == tx && srtp->rx.session == rx);
	CHECK(srtp->source_count == 5 && srtp->sources[4] == 77);
	rekey(&srtp, &other_rx);
	CHECK(srtp->tx.session == tx && srtp->rx.session != rx && srtp->source_count == 0);
	rx = srtp->rx.session;
	rekey(&srtp, &other_tx);
	CHECK(srtp->tx.session != tx && srtp->rx.session == rx);
	CHECK_EQ(sessions, 2);
	rekey(&srtp, NULL);
	CHECK(!srtp);
	CHECK_EQ(sessions, 0);
}

static void test_packets_may_lie_anywhere_and_have_bounds(void)
{
	struct mc_srtp *srtp;
	struct mc_srtp_keys keys = keys_80(0, 1);
	uint8_t memory[MC_PACKET_MAX + 32], plain[MC_PACKET_MAX];
	CHECK_EQ(mc_srtp_open(&srtp, &keys, 1), MC_OK);
	size_t n = rtp(plain, 7, 0x1234);
	for (size_t at = 0; at < 9; at++) {
		memcpy(memory + at, plain, n);
		int sealed = mc_srtp_protect(srtp, memory + at, n, MC_PACKET_MAX, at % 2);
		CHECK_EQ(sealed, n + TAG);
		CHECK_EQ(mc_srtp_unprotect(srtp, memory + at, (size_t)sealed, at % 2), n);
		CHECK(!memcmp(memory + at, plain, n));
	}
	CHECK_EQ(mc_srtp_protect(srtp, memory, MC_PACKET_MAX - 10, MC_PACKET_MAX, false),
		 MC_ENOMEM);
	CHECK_EQ(mc_srtp_protect(srtp, memory, n, n + 10, false), MC_ENOMEM);
	CHECK_EQ(mc_srtp_protect(srtp, memory, MC_PACKET_MAX, 2 * MC_PACKET_MAX, false), MC_ENOMEM);
	CHECK_EQ(mc_srtp_unprotect(srtp, memory, 11, false), MC_EBADMSG);
	CHECK_EQ(mc_srtp_unprotect(srtp, memory, 7, true), MC_EBADMSG);
	CHECK_EQ(mc_srtp_unprotect(srtp, memory, MC_PACKET_MAX + 1, false), MC_EBADMSG);
	CHECK_EQ(mc_srtp_unprotect(srtp, plain, n, false), MC_EBADMSG);
	mc_srtp_close(srtp);
}

static void test_sources_are_bounded(void)
{
	struct mc_srtp *srtp;
	struct mc_srtp_keys keys = keys_80(0, 1);
	uint8_t packet[MC_PACKET_MAX];
	CHECK_EQ(mc_srtp_open(&srtp, &keys, 1), MC_OK);
	for (uint32_t ssrc = 0; ssrc < MC_SRTP_SOURCES + 5; ssrc++)
		for (int bad = 1; bad >= 0; bad--) {
			size_t n = rtp(packet, 7, ssrc);
			int rc = mc_srtp_protect(srtp, packet, n, sizeof(packet), false);
			CHECK(rc > 0);
			packet[rc - 1] ^= (uint8_t)bad;
			rc = mc_srtp_unprotect(srtp, packet, (size_t)rc, false);
			CHECK_EQ(rc > 0, !bad && ssrc < MC_SRTP_SOURCES);
		}
	CHECK_EQ(srtp->source_count, MC_SRTP_SOURCES);
	mc_srtp_close(srtp);
}

/* ------------------------------------------------------------------- legs */

static struct mc_engine *engine;
static uint64_t now_us;

static mc_handle link_leg(const struct mc_srtp_keys *keys, uint64_t seed)
{
	struct mc_leg_cfg cfg = {
		.codec = "PCMU",
		.payload_type = 255,
		.fd = -1,
		.rtcp_fd = -1,
		.seed = seed,
		.rtcp = MC_RTCP_MUX,
		.srtp = keys,
	};
	mc_handle leg;
	CHECK_EQ(mc_leg_open(engine, &cfg, &leg), MC_OK);
	return leg;
}

static struct mc_leg_stats stats_of(mc_handle leg)
{
	struct mc_leg_stats stats;
	CHECK_EQ(mc_leg_stats(engine, leg, &stats), MC_OK);
	return stats;
}

static void ticks(mc_handle a, mc_handle b, int n)
{
	uint8_t data[MC_PACKET_MAX];
	struct mc_event events[16];
	while (n-- > 0) {
		mc_engine_tick(engine, now_us += MC_TICK_US);
		for (int got; (got = mc_leg_pull_packet(engine, a, data, sizeof(data))) > 0;)
			(void)mc_leg_push_packet(engine, b, data, (size_t)got);
		for (int got; (got = mc_leg_pull_packet(engine, b, data, sizeof(data))) > 0;)
			(void)mc_leg_push_packet(engine, a, data, (size_t)got);
		while (mc_engine_poll(engine, events, 16))
			;
	}
}

static void begin(void)
{
	struct mc_engine_cfg cfg = {.max_legs = 4, .max_bridges = 1, .command_slots = 16};
	CHECK_EQ(mc_engine_create(&engine, &cfg), MC_OK);
	now_us = 1000000;
}

static void test_two_legs_and_new_keys(void)
{
	struct mc_srtp_keys ours = keys_80(0, 1), theirs = keys_80(1, 0);
	struct mc_srtp_keys new_ours = keys_80(2, 3), new_theirs = keys_80(3, 2);
	begin();
	mc_handle a = link_leg(&ours, 1), b = link_leg(&theirs, 2);
	ticks(a, b, 700); /* reports go out each 5 s */
	struct mc_leg_stats at = stats_of(a), bt = stats_of(b);
	CHECK(at.rx_packets > 690 && bt.rx_packets > 690 && bt.rtcp_packets > 0);
	CHECK_EQ(at.rx_unauthentic + bt.rx_unauthentic + at.rx_malformed, 0);
	CHECK_EQ(at.tx_errors, 0);

	CHECK_EQ(mc_leg_rekey(engine, a, &new_ours), MC_OK);
	ticks(a, b, 1);
	CHECK_EQ(mc_leg_rekey(engine, b, &new_theirs), MC_OK);
	for (int i = 0; i < 100; i++) { /* the same again, as often as it may come */
		CHECK_EQ(mc_leg_rekey(engine, a, &new_ours), MC_OK);
		ticks(a, b, 1);
	}
	CHECK(stats_of(b).rx_packets > bt.rx_packets + 95);
	CHECK(stats_of(a).rx_packets > at.rx_packets + 95);

	CHECK_EQ(mc_leg_rekey(engine, a, NULL), MC_OK);
	CHECK_EQ(mc_leg_rekey(engine, b, NULL), MC_OK);
	ticks(a, b, 20);
	at = stats_of(a);
	ticks(a, b, 20);
	CHECK_EQ(stats_of(a).rx_packets, at.rx_packets + 20);

	struct mc_srtp_keys wrong = keys_of("none", 3, 0, 1);
	CHECK_EQ(mc_leg_rekey(engine, a, &wrong), MC_EINVAL);
	CHECK_EQ(mc_leg_rekey(engine, a + 1000, &new_ours), MC_ENOENT);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(mc_leg_rekey(engine, a, &new_ours), MC_OK);
	CHECK_EQ(mc_leg_rekey(engine, a, &new_ours), MC_EFULL);
	mc_engine_destroy(engine); /* with commands on their way */
}

static void test_a_leg_that_is_gone_gives_its_keys_back(void)
{
	struct mc_srtp_keys ours = keys_80(0, 1);
	begin();
	mc_handle a = link_leg(&ours, 1);
	ticks(a, a, 2);
	CHECK_EQ(mc_leg_close(engine, a), MC_OK);
	ticks(a, a, 1);
	CHECK_EQ(mc_leg_rekey(engine, a, &ours), MC_OK); /* out of the tick, not freed */
	ticks(a, a, 1);
	CHECK_EQ(mc_leg_free(engine, a), MC_OK);
	mc_engine_destroy(engine);
	CHECK_EQ(sessions, 0);
}

static void test_a_stream_link_has_no_packets_to_protect(void)
{
	struct mc_srtp_keys keys = keys_80(0, 1);
	struct mc_leg_cfg cfg = {.codec = "PCMU", .fd = -1, .rtcp_fd = -1, .stream = true};
	mc_handle leg;
	begin();
	cfg.srtp = &keys;
	CHECK_EQ(mc_leg_open(engine, &cfg, &leg), MC_EINVAL);
	mc_engine_destroy(engine);
}

static void test_plain_and_altered_packets_change_nothing(void)
{
	struct mc_srtp_keys ours = keys_80(0, 1), theirs = keys_80(1, 0);
	uint8_t packet[MC_PACKET_MAX];
	uint32_t rng = 5;
	begin();
	mc_handle a = link_leg(&ours, 1), b = link_leg(&theirs, 2);
	ticks(a, b, 50);
	mc_engine_tick(engine, now_us += MC_TICK_US); /* takes what was moved last */
	struct mc_leg_stats before = stats_of(a);
	for (int i = 0; i < 100000; i += 10) {
		mc_engine_tick(engine, now_us += MC_TICK_US);
		for (int k = 0; k < 10; k++) {
			size_t n = rtp(packet, (uint16_t)(i + k), test_rand(&rng));
			for (int junk = k % 3 ? 10 : 0; junk > 0; junk--)
				packet[n++] = (uint8_t)test_rand(&rng);
			CHECK_EQ(mc_leg_push_packet(engine, a, packet, n), MC_OK);
		}
	}
	mc_engine_tick(engine, now_us += MC_TICK_US);
	struct mc_leg_stats after = stats_of(a);
	CHECK_EQ(after.rx_unauthentic - before.rx_unauthentic, 100000);
	CHECK_EQ(after.rx_packets, before.rx_packets);
	CHECK_EQ(after.rx_restarts + after.rx_malformed + after.rx_wrong_pt + after.rx_stranger +
			 after.rtcp_malformed,
		 before.rx_restarts + before.rx_malformed + before.rx_wrong_pt +
			 before.rx_stranger + before.rtcp_malformed);
	mc_engine_destroy(engine);
}

/* ---------------------------------------------------------------- libsrtp2 */

static const struct {
	const char *name;
	size_t key_len;
	size_t rtp_tag, rtcp_tag; /* with the index */
} SUITES[] = {
	{"AES_CM_128_HMAC_SHA1_80", 30, 10, 14},
	{"AES_CM_128_HMAC_SHA1_32", 30, 4, 14},
	{"AEAD_AES_128_GCM", 28, 16, 20},
	{"AEAD_AES_256_GCM", 44, 16, 20},
};

static void test_suites_of_the_library(void)
{
	for (size_t s = 0; s < sizeof(SUITES) / sizeof(SUITES[0]); s++) {
		struct mc_srtp *a, *b;
		struct mc_srtp_keys ours = keys_of(SUITES[s].name, SUITES[s].key_len, 0, 1);
		struct mc_srtp_keys theirs = keys_of(SUITES[s].name, SUITES[s].key_len, 1, 0);
		int rc = mc_srtp_open(&a, &ours, 0xABCD);
		if (rc == MC_ENOTSUP) {
			printf("  (no %s in this libsrtp2)\n", SUITES[s].name);
			continue;
		}
		CHECK_EQ(rc, MC_OK);
		CHECK_EQ(mc_srtp_open(&b, &theirs, 0x1), MC_OK);
		_Alignas(8) uint8_t packet[MC_PACKET_MAX], plain[MC_PACKET_MAX],
			copy[MC_PACKET_MAX];
		for (uint32_t i = 0; i < 70000; i += i < 1000 || i > 65000 ? 1 : 50) {
			size_t n = rtp(plain, (uint16_t)i, i < 100 ? 0xABCD : 0xABCE);
			memcpy(packet, plain, n);
			rc = mc_srtp_protect(a, packet, n, sizeof(packet), false);
			CHECK_EQ(rc, n + SUITES[s].rtp_tag);
			CHECK(memcmp(packet + 12, plain + 12, n - 12));
			memcpy(copy, packet, (size_t)rc);
			copy[i % (uint32_t)rc] ^= 1;
			CHECK_EQ(mc_srtp_unprotect(b, copy, (size_t)rc, false), MC_EBADMSG);
			memcpy(copy, packet, (size_t)rc);
			CHECK_EQ(mc_srtp_unprotect(b, packet, (size_t)rc, false), n);
			CHECK(!memcmp(packet, plain, n));
			CHECK_EQ(mc_srtp_unprotect(b, copy, (size_t)rc, false), MC_EBADMSG);
		}
		struct mc_rtcp report = {.ssrc = 0xABCD, .has_report = true};
		int n = mc_rtcp_build(plain, sizeof(plain), &report);
		CHECK(n > 0);
		memcpy(packet, plain, (size_t)n);
		rc = mc_srtp_protect(a, packet, (size_t)n, sizeof(packet), true);
		CHECK_EQ(rc, n + (int)SUITES[s].rtcp_tag);
		CHECK_EQ(mc_srtp_unprotect(b, packet, (size_t)rc, true), n);
		CHECK(!memcmp(packet, plain, (size_t)n));
		CHECK_EQ(mc_srtp_unprotect(b, packet, (size_t)n, true), MC_EBADMSG);
		mc_srtp_close(a);
		mc_srtp_close(b);
	}
}

int main(void)
{
	for (size_t k = 0; k < 4; k++)
		for (size_t i = 0; i < MC_SRTP_KEY_MAX; i++)
			KEYS[k][i] = (uint8_t)(k * 50 + i);
	RUN(test_without_library);
	RUN(test_another_library_is_not_taken);
	mc_srtp_use(&FAKE);
	RUN(test_keys_are_checked);
	RUN(test_what_fails_half_way_leaks_nothing);
	RUN(test_a_direction_with_the_same_key_goes_on);
	RUN(test_packets_may_lie_anywhere_and_have_bounds);
	RUN(test_sources_are_bounded);
	RUN(test_two_legs_and_new_keys);
	RUN(test_a_leg_that_is_gone_gives_its_keys_back);
	RUN(test_a_stream_link_has_no_packets_to_protect);
	RUN(test_plain_and_altered_packets_change_nothing);
	CHECK_EQ(sessions, 0);
	CHECK(streams > 0);
	mc_srtp_use(NULL);
	if (mc_srtp_load(NULL) < 0) {
		printf("  (no libsrtp2 here)\n");
		return 0;
	}
	printf("  (%s)\n", mc_srtp_version());
	RUN(test_suites_of_the_library);
	RUN(test_two_legs_and_new_keys);
	RUN(test_a_leg_that_is_gone_gives_its_keys_back);
	RUN(test_plain_and_altered_packets_change_nothing);
	return 0;
}
