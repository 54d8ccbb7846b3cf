/* Bytes as a script for the receiving side of SRTP: what a peer with the key sends, the same
 * altered, cut, again, and what somebody without the key made up.
 *
 * Checked besides memory and undefined behaviour: an authentic packet is taken once; no other is.
 */
#include "mc_srtp.h"

#include <stdlib.h>
#include <string.h>

#define REQUIRE(x)                                                                                 \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

enum { STEPS = 200, ROOM = 1500, KEY = 30 };

static bool loaded;
static const uint8_t keys[2][KEY] = {{1, 2, 3}, {4, 5, 6}};

struct reader {
	const uint8_t *data;
	size_t left;
};

static uint8_t byte(struct reader *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->data++;
}

static size_t bytes(struct reader *in, uint8_t *out, size_t n)
{
	n = n < in->left ? n : in->left;
	memcpy(out, in->data, n);
	in->data += n;
	in->left -= n;
	return n;
}

/* A packet of the peer: valid headers, the rest from the script. */
static size_t packet_of(struct reader *in, uint8_t *out, bool rtcp, uint16_t seq)
{
	memset(out, 0, 28);
	out[0] = 0x80;
	out[1] = rtcp ? 201 : 0;
	out[2] = (uint8_t)(rtcp ? 0 : seq >> 8);
	out[3] = (uint8_t)(rtcp ? 1 : seq);
	out[rtcp ? 7 : 11] = 7; /* SSRC */
	return rtcp ? 8 : 12 + bytes(in, out + 12, byte(in));
}

static void altered(struct mc_srtp *rx, struct reader *in, const uint8_t *good, size_t n, bool rtcp)
{
	_Alignas(8) uint8_t bad[ROOM];
	memcpy(bad, good, n);
	size_t at = byte(in) % n;
	uint8_t with = byte(in);
	bad[at] ^= with ? with : 1;
	REQUIRE(mc_srtp_unprotect(rx, bad, n, rtcp) == MC_EBADMSG);
	memcpy(bad, good, n);
	REQUIRE(mc_srtp_unprotect(rx, bad, byte(in) % n, rtcp) == MC_EBADMSG);
}

static void step(struct mc_srtp *tx, struct mc_srtp *rx, struct reader *in, uint16_t *seq)
{
	_Alignas(8) uint8_t good[ROOM], copy[ROOM];
	uint8_t kind = byte(in);
	bool rtcp = kind & 1;
	if (kind & 2) { /* from somebody without the key */
		size_t n = bytes(in, copy, (size_t)byte(in) * 4);
		REQUIRE(mc_srtp_unprotect(rx, copy, n, rtcp) == MC_EBADMSG);
		return;
	}
	*seq = (uint16_t)(*seq + 1 + (kind >> 4)); /* gaps, and in time a wrap */
	size_t n = packet_of(in, good, rtcp, *seq);
	memcpy(copy, good, n);
	int whole = mc_srtp_protect(tx, copy, n, sizeof(copy), rtcp);
	REQUIRE(whole > (int)n);
	if (kind & 4)
		altered(rx, in, copy, (size_t)whole, rtcp);
	if (kind & 8)
		return; /* lost */
	_Alignas(8) uint8_t again[ROOM];
	memcpy(again, copy, (size_t)whole);
	REQUIRE(mc_srtp_unprotect(rx, copy, (size_t)whole, rtcp) == (int)n);
	REQUIRE(!memcmp(copy, good, n));
	REQUIRE(mc_srtp_unprotect(rx, again, (size_t)whole, rtcp) == MC_EBADMSG);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	loaded = mc_srtp_load(NULL) >= 0;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!loaded)
		return 0; /* no libsrtp2 on this machine */
	struct reader in = {data, size};
	struct mc_srtp_keys one = {.suite = "AES_CM_128_HMAC_SHA1_80", .key_len = KEY};
	one.tx_key = keys[0];
	one.rx_key = keys[1];
	struct mc_srtp_keys other = one;
	other.tx_key = keys[1];
	other.rx_key = keys[0];
	struct mc_srtp *tx = NULL, *rx = NULL;
	REQUIRE(mc_srtp_open(&tx, &one, 7) == 0);
	REQUIRE(mc_srtp_open(&rx, &other, 8) == 0);
	uint16_t seq = (uint16_t)(byte(&in) << 8 | 0xFF);
	for (int i = 0; i < STEPS && in.left; i++)
		step(tx, rx, &in, &seq);
	mc_srtp_close(tx);
	mc_srtp_close(rx);
	return 0;
}
