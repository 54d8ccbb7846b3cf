/* mc_srtp: SRTP and SRTCP of one leg (RFC 3711; AEAD suites: RFC 7714) through libsrtp2.
 *
 * What does it do?  Encrypts what is sent and authenticates and decrypts what came, in place.
 * How does it work? libsrtp2 is found at run time; without it only legs with keys cannot be opened.
 *                   One session per direction, so that a new key of one side leaves the other
 *                   side's packet index alone: a key that starts over from index 0 would repeat
 *                   its key stream.
 * How do I use it?  Control thread: mc_srtp_load() once, mc_srtp_open(), mc_srtp_close().
 *                   Media thread: mc_srtp_protect(), mc_srtp_unprotect(), mc_srtp_replace().
 *
 * Allocation: on the media thread none of ours. libsrtp2 itself allocates when the first authentic
 * packet of another inbound SSRC comes, MC_SRTP_SOURCES times for one key at the most, and when our
 * own SSRC changes. Built on NSS or OpenSSL (Debian: NSS) it also takes memory for each packet and
 * gives it back before it returns. Cost there: 1 to 2.5 us for a packet. Replay window: 256
 * packets.
 */
#ifndef MC_SRTP_H
#define MC_SRTP_H

#include <stdbool.h>

#include "mediacore.h"

enum {
	MC_SRTP_KEY_MAX = 44,     /* AEAD_AES_256_GCM: 32 and 12 bytes */
	MC_SRTP_TRAILER_MAX = 20, /* tag of 16 and SRTCP index of 4 */
	MC_SRTP_SOURCES = 32,     /* inbound SSRCs under one key; more are refused */
};

struct srtp_ctx_t_; /* of libsrtp2 */

struct mc_srtp_half {
	struct srtp_ctx_t_ *session;
	uint8_t suite;
	uint8_t key[MC_SRTP_KEY_MAX]; /* to tell a new key from the same again */
};

/* Of a leg with keys; a leg without has none. */
struct mc_srtp {
	struct mc_srtp_half tx, rx;
	uint32_t source_count;
	uint32_t sources[MC_SRTP_SOURCES];
};

/** Control thread. tx_ssrc: ours, for which nothing is allocated later. *out: set on success.
 *  return 0 | MC_EINVAL unknown suite, wrong length | MC_ENOTSUP no library, or the suite is not
 *  in it | MC_ENOMEM */
int mc_srtp_open(struct mc_srtp **out, const struct mc_srtp_keys *keys, uint32_t tx_ssrc) MC_WUR;
/** Control thread. Keys are overwritten. NULL: nothing to do. */
void mc_srtp_close(struct mc_srtp *srtp);
/** Go over to `fresh`, NULL = plain RTP. A direction whose key is the same goes on as it is. No
 *  allocation. return what is to be closed, or NULL */
struct mc_srtp *mc_srtp_replace(struct mc_srtp **srtp, struct mc_srtp *fresh) MC_WUR;

/** Encrypt a packet of n bytes in place. return bytes, cap at the most | MC_ENOMEM cap |
 *  MC_EBADMSG (the packet must not be sent) */
int mc_srtp_protect(struct mc_srtp *srtp, uint8_t *packet, size_t n, size_t cap, bool rtcp) MC_WUR;
/** Authenticate and decrypt a packet of at most MC_PACKET_MAX bytes in place. return bytes |
 *  MC_EBADMSG (plain, altered, replayed, of a 33rd source): the packet is rubbish, and nothing
 *  was changed. */
int mc_srtp_unprotect(struct mc_srtp *srtp, uint8_t *packet, size_t n, bool rtcp) MC_WUR;

/* The part of libsrtp2's interface that is used here. */
struct srtp_policy_t;
struct srtp_crypto_policy_t;

enum mc_srtp_suite {
	MC_SRTP_CM_80,
	MC_SRTP_CM_32,
	MC_SRTP_GCM_128,
	MC_SRTP_GCM_256,
	MC_SRTP_SUITES,
};

struct mc_srtp_lib {
	unsigned (*version)(void);
	const char *(*version_string)(void);
	int (*init)(void);
	int (*create)(struct srtp_ctx_t_ **session, const struct srtp_policy_t *policy);
	int (*add_stream)(struct srtp_ctx_t_ *session, const struct srtp_policy_t *policy);
	int (*dealloc)(struct srtp_ctx_t_ *session);
	int (*protect)(struct srtp_ctx_t_ *session, void *packet, int *n);
	int (*unprotect)(struct srtp_ctx_t_ *session, void *packet, int *n);
	int (*protect_rtcp)(struct srtp_ctx_t_ *session, void *packet, int *n);
	int (*unprotect_rtcp)(struct srtp_ctx_t_ *session, void *packet, int *n);
	void (*set[MC_SRTP_SUITES])(struct srtp_crypto_policy_t *policy);
};

/** For tests: use these functions. NULL = no library. */
void mc_srtp_use(const struct mc_srtp_lib *lib);

#endif
