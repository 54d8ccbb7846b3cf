#include "mc_srtp.h"

#include <stdlib.h>
#include <string.h>

#include "mc_dl.h"
#include "mc_wire.h"

/* The structs of libsrtp2's C interface, 2.1 to 2.x (srtp.h). */
struct srtp_crypto_policy_t {
	uint32_t cipher;
	int cipher_key_len;
	uint32_t auth;
	int auth_key_len;
	int auth_tag_len;
	int services;
};

struct srtp_policy_t {
	struct {
		int kind;
		unsigned value;
	} ssrc;
	struct srtp_crypto_policy_t rtp, rtcp;
	uint8_t *key;
	void *keys;
	unsigned long key_count;
	void *ekt;
	unsigned long window;
	int allow_repeat_tx;
	int *encrypted_extensions;
	int encrypted_extension_count;
	struct srtp_policy_t *next;
	uint64_t later[8]; /* zero: for fields that a later 2.x puts behind */
};

enum {
	SSRC_SPECIFIC = 1,
	SSRC_ANY_INBOUND = 2,
	SSRC_ANY_OUTBOUND = 3,
	STATUS_OK = 0,
	STATUS_ALLOC_FAIL = 3,
	VERSION_MAJOR = 2,
	VERSION_MINOR = 1, /* the struct above */
	WINDOW = 256,
	RTP_FIXED = 12,
	RTCP_FIXED = 8,
};

static struct mc_srtp_lib lib;

static const struct suite {
	const char *name;
	uint8_t key_len;
	uint8_t rtcp; /* suite of SRTCP: the short tag is for RTP only, RFC 4568 §6.2 */
} SUITES[MC_SRTP_SUITES] = {
	[MC_SRTP_CM_80] = {"AES_CM_128_HMAC_SHA1_80", 30, MC_SRTP_CM_80},
	[MC_SRTP_CM_32] = {"AES_CM_128_HMAC_SHA1_32", 30, MC_SRTP_CM_80},
	[MC_SRTP_GCM_128] = {"AEAD_AES_128_GCM", 28, MC_SRTP_GCM_128},
	[MC_SRTP_GCM_256] = {"AEAD_AES_256_GCM", 44, MC_SRTP_GCM_256},
};

/* ------------------------------------------------------------------ library */

#define BIND(field, name) mc_dl_bind(handle, name, &found.field, sizeof(found.field))

static int bind_all(void *handle)
{
	struct mc_srtp_lib found = {0};
	int rc = BIND(version, "srtp_get_version");
	rc |= BIND(version_string, "srtp_get_version_string");
	rc |= BIND(init, "srtp_init");
	rc |= BIND(create, "srtp_create");
	rc |= BIND(add_stream, "srtp_add_stream");
	rc |= BIND(dealloc, "srtp_dealloc");
	rc |= BIND(protect, "srtp_protect");
	rc |= BIND(unprotect, "srtp_unprotect");
	rc |= BIND(protect_rtcp, "srtp_protect_rtcp");
	rc |= BIND(unprotect_rtcp, "srtp_unprotect_rtcp");
	/* The default policy is AES_CM_128_HMAC_SHA1_80. */
	rc |= BIND(set[MC_SRTP_CM_80], "srtp_crypto_policy_set_rtp_default");
	rc |= BIND(set[MC_SRTP_CM_32], "srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32");
	rc |= BIND(set[MC_SRTP_GCM_128], "srtp_crypto_policy_set_aes_gcm_128_16_auth");
	rc |= BIND(set[MC_SRTP_GCM_256], "srtp_crypto_policy_set_aes_gcm_256_16_auth");
	if (rc)
		return MC_ENOTSUP;
	unsigned version = found.version();
	if (version >> 24 != VERSION_MAJOR || (version >> 16 & 0xFF) < VERSION_MINOR ||
	    found.init() != STATUS_OK)
		return MC_ENOTSUP;
	lib = found;
	return MC_OK;
}

int mc_srtp_load(const char *path)
{
	static const char *const namev[] = {
		"libsrtp2.so.1",
		"libsrtp2.1.dylib",
		"/opt/homebrew/lib/libsrtp2.1.dylib",
		"/usr/local/lib/libsrtp2.1.dylib",
	};
	if (mc_srtp_version())
		return MC_OK;
	void *handle = NULL;
	if (path)
		handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; !path && !handle && i < sizeof(namev) / sizeof(namev[0]); i++)
		handle = dlopen(namev[i], RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return MC_ENOTSUP;
	if (bind_all(handle) < 0) {
		dlclose(handle);
		return MC_ENOTSUP;
	}
	return MC_OK; /* the library stays loaded for the life of the process */
}

const char *mc_srtp_version(void)
{
	return lib.version_string ? lib.version_string() : NULL;
}

void mc_srtp_use(const struct mc_srtp_lib *table)
{
	lib = table ? *table : (struct mc_srtp_lib){0};
}

/* ----------------------------------------------------------------- sessions */

static void wipe(void *memory, size_t n)
{
	volatile uint8_t *p = memory; /* a plain memset before the end of life may be left out */
	while (n--)
		*p++ = 0;
}

static int find_suite(const struct mc_srtp_keys *keys)
{
	for (int i = 0; keys->suite && i < MC_SRTP_SUITES; i++)
		if (!strcmp(SUITES[i].name, keys->suite))
			return keys->key_len == SUITES[i].key_len ? i : MC_EINVAL;
	return MC_EINVAL;
}

static int failed(int status)
{
	return status == STATUS_ALLOC_FAIL ? MC_ENOMEM : MC_ENOTSUP;
}

static int open_half(struct mc_srtp_half *half, int suite, const uint8_t *key,
		     const uint32_t *tx_ssrc)
{
	struct srtp_policy_t policy = {.window = WINDOW};

	half->suite = (uint8_t)suite;
	memcpy(half->key, key, SUITES[suite].key_len);
	lib.set[suite](&policy.rtp);
	lib.set[SUITES[suite].rtcp](&policy.rtcp);
	policy.key = half->key;
	policy.ssrc.kind = tx_ssrc ? SSRC_SPECIFIC : SSRC_ANY_INBOUND;
	policy.ssrc.value = tx_ssrc ? *tx_ssrc : 0;
	int status = lib.create(&half->session, &policy);
	if (status != STATUS_OK) {
		half->session = NULL;
		return failed(status);
	}
	if (!tx_ssrc)
		return MC_OK;
	policy.ssrc.kind = SSRC_ANY_OUTBOUND;
	policy.ssrc.value = 0;
	status = lib.add_stream(half->session, &policy);
	return status == STATUS_OK ? MC_OK : failed(status);
}

static void close_half(struct mc_srtp_half *half)
{
	if (half->session)
		(void)lib.dealloc(half->session);
	wipe(half, sizeof(*half));
}

int mc_srtp_open(struct mc_srtp **out, const struct mc_srtp_keys *keys, uint32_t tx_ssrc)
{
	int suite = find_suite(keys);

	if (suite < 0)
		return suite;
	if (!lib.create)
		return MC_ENOTSUP;
	struct mc_srtp *srtp = calloc(1, sizeof(*srtp));
	if (!srtp)
		return MC_ENOMEM;
	int rc = open_half(&srtp->tx, suite, keys->tx_key, &tx_ssrc);
	if (rc == MC_OK)
		rc = open_half(&srtp->rx, suite, keys->rx_key, NULL);
	if (rc == MC_OK)
		*out = srtp;
	else
		mc_srtp_close(srtp);
	return rc;
}

void mc_srtp_close(struct mc_srtp *srtp)
{
	if (!srtp)
		return;
	close_half(&srtp->tx);
	close_half(&srtp->rx);
	free(srtp);
}

static bool same(const struct mc_srtp_half *a, const struct mc_srtp_half *b)
{
	return a->suite == b->suite && !memcmp(a->key, b->key, sizeof(a->key));
}

static void swap(struct mc_srtp_half *a, struct mc_srtp_half *b)
{
	struct mc_srtp_half kept = *a;
	*a = *b;
	*b = kept;
	wipe(&kept, sizeof(kept));
}

struct mc_srtp *mc_srtp_replace(struct mc_srtp **srtp, struct mc_srtp *fresh)
{
	struct mc_srtp *old = *srtp;

	*srtp = fresh;
	if (!old || !fresh)
		return old;
	if (same(&old->tx, &fresh->tx))
		swap(&old->tx, &fresh->tx);
	if (same(&old->rx, &fresh->rx)) {
		swap(&old->rx, &fresh->rx);
		memcpy(fresh->sources, old->sources, sizeof(fresh->sources));
		fresh->source_count = old->source_count;
	}
	return old;
}

/* ------------------------------------------------------------------ packets */

typedef int transform(struct srtp_ctx_t_ *session, void *packet, int *n);

/* The library reads words; a memory link's packets lie anywhere. */
static int apply(transform *change, struct srtp_ctx_t_ *session, uint8_t *packet, size_t n)
{
	_Alignas(8) uint8_t aligned[MC_PACKET_MAX];
	bool moved = (uintptr_t)packet % 8 != 0;
	uint8_t *at = moved ? aligned : packet;
	int size = (int)n;

	if (moved)
		memcpy(aligned, packet, n);
	if (change(session, at, &size) != STATUS_OK || size < 0)
		return MC_EBADMSG;
	if (moved)
		memcpy(packet, aligned, (size_t)size);
	return size;
}

int mc_srtp_protect(struct mc_srtp *srtp, uint8_t *packet, size_t n, size_t cap, bool rtcp)
{
	if (cap > MC_PACKET_MAX)
		cap = MC_PACKET_MAX;
	if (n + MC_SRTP_TRAILER_MAX > cap)
		return MC_ENOMEM;
	return apply(rtcp ? lib.protect_rtcp : lib.protect, srtp->tx.session, packet, n);
}

int mc_srtp_unprotect(struct mc_srtp *srtp, uint8_t *packet, size_t n, bool rtcp)
{
	uint32_t i = 0;

	if (n < (rtcp ? RTCP_FIXED : RTP_FIXED) || n > MC_PACKET_MAX)
		return MC_EBADMSG;
	uint32_t ssrc = mc_get32(packet + (rtcp ? 4 : 8));
	while (i < srtp->source_count && srtp->sources[i] != ssrc)
		i++;
	if (i == MC_SRTP_SOURCES)
		return MC_EBADMSG;
	int rc = apply(rtcp ? lib.unprotect_rtcp : lib.unprotect, srtp->rx.session, packet, n);
	if (rc >= 0 && i == srtp->source_count)
		srtp->sources[srtp->source_count++] = ssrc;
	return rc;
}
