/* mc_fork: a copy of one leg's audio for another leg to send.
 *
 *   from: rx ─┐
 *             ├─(sum)─→ resample ─→ [frame at the rate of `to`] ─→ sent by `to` in the same tick
 *   from: tx ─┘
 *
 * Made and freed by the control thread; the tick only fills it.
 */
#ifndef MC_FORK_H
#define MC_FORK_H

#include "mediacore.h"

struct mc_fork;

size_t mc_fork_size(uint32_t from_srate, uint32_t to_srate);
/** return 0 | MC_EINVAL | MC_ENOMEM */
int mc_fork_init(struct mc_fork **out, void *mem, size_t size, mc_handle from, mc_handle to,
		 uint32_t from_srate, uint32_t to_srate, uint32_t directions) MC_WUR;
mc_handle mc_fork_from(const struct mc_fork *fork);
mc_handle mc_fork_to(const struct mc_fork *fork);
/** One tick. rx, sent: frames of `from`. No allocation. */
void mc_fork_fill(struct mc_fork *fork, const int16_t *rx, const int16_t *sent);
/** The last frame filled, at the rate of `to`. */
const int16_t *mc_fork_frame(const struct mc_fork *fork);

#endif
