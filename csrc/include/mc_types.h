/* mc_types: errors, units and attributes shared by every module.
 *
 * Units live in names: _ms, _us, _samples, _ts (RTP ticks), srate (Hz), _q15, _dbov.
 * Audio is int16 mono in host order on every module boundary. One tick is 20 ms.
 */
#ifndef MC_TYPES_H
#define MC_TYPES_H

#include <stddef.h>
#include <stdint.h>

enum {
	MC_TICK_MS = 20,
	MC_TICK_US = 20000,
	MC_TICKS_PER_S = 50,
	MC_SRATE_MAX = 48000,
	MC_FRAME_MAX = MC_SRATE_MAX / MC_TICKS_PER_S, /* samples in one tick at the highest rate */
	MC_PACKET_MAX = 1500, /* bytes; longer datagrams are counted and dropped */
};

/* Results are 0 (or a count) on success and one of these on failure. */
enum mc_err {
	MC_OK = 0,
	MC_EINVAL = -1,  /* an argument or a configuration value is out of range */
	MC_ENOMEM = -2,  /* the memory given is too small, or none was to be had */
	MC_EBADMSG = -3, /* wire data that does not parse; nothing was changed */
	MC_ELATE = -4,   /* a packet that came after its playout time */
	MC_EDUP = -5,    /* a packet that is already here */
	MC_EFULL = -6,   /* a bounded queue is full; the header says what was dropped */
	MC_ESTALE = -7,  /* made for a generation or a handle that is no longer current */
	MC_ENOENT = -8,  /* no such leg, bridge or mark */
	MC_ENOTSUP = -9, /* not available in this build or on this machine */
	MC_EAGAIN = -10, /* nothing there now */
	MC_EIO = -11,    /* the operating system refused; errno has the reason */
	MC_ESTATE = -12, /* not legal in the present state */
};

#if defined(__GNUC__) || defined(__clang__)
#define MC_WUR __attribute__((warn_unused_result))
#define MC_LIKELY(x) __builtin_expect(!!(x), 1)
#define MC_UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define MC_WUR
#define MC_LIKELY(x) (x)
#define MC_UNLIKELY(x) (x)
#endif

/* A broken contract inside the library: on in tests, sanitizer builds and fuzzing. */
#ifdef MC_DEBUG
#include <assert.h>
#define MC_ASSERT(x) assert(x)
#else
#define MC_ASSERT(x) ((void)0)
#endif

static inline int16_t mc_sat16(int32_t x)
{
	return (int16_t)(x > INT16_MAX ? INT16_MAX : x < INT16_MIN ? INT16_MIN : x);
}

static inline size_t mc_align(size_t n)
{
	return (n + 15u) & ~(size_t)15u;
}

/* Samples of one tick at a leg's rate. */
static inline size_t mc_frame_samples(uint32_t srate)
{
	return srate / MC_TICKS_PER_S;
}

/* The leg rates the core runs at, in Hz. */
static inline int mc_srate_ok(uint32_t srate)
{
	return srate == 8000 || srate == 16000 || srate == 24000 || srate == 48000;
}

#endif
