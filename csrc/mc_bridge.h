/* mc_bridge: legs that hear each other, mixed N-1 at one rate.
 *
 * A port joins a leg to a bridge: its buffers and, where the rates differ, two resamplers. Ports
 * are made and freed by the control thread; the tick only links them.
 */
#ifndef MC_BRIDGE_H
#define MC_BRIDGE_H

#include <stdbool.h>

#include "mc_mix.h"
#include "mediacore.h"

struct mc_bridge;
struct mc_port;

size_t mc_bridge_size(void);
void mc_bridge_init(struct mc_bridge *bridge, uint32_t srate, mc_handle handle);
uint32_t mc_bridge_srate(const struct mc_bridge *bridge);

/** rx: the leg's received frame, stays where it is; leg_srate: its rate. */
size_t mc_port_size(uint32_t leg_srate, uint32_t bridge_srate);
int mc_port_init(struct mc_port **out, void *mem, size_t size, mc_handle leg, uint32_t leg_srate,
		 uint32_t bridge_srate, const int16_t *rx) MC_WUR;
/** Nobody hears a muted port. */
void mc_port_mute(struct mc_port *port, bool muted);
/** What the leg hears of the others in this tick, at the leg's rate. */
const int16_t *mc_port_heard(const struct mc_port *port);

/** return 0 | MC_EFULL */
int mc_bridge_add(struct mc_bridge *bridge, struct mc_port *port) MC_WUR;
/** return the port of the leg, now unlinked, or NULL. */
struct mc_port *mc_bridge_remove(struct mc_bridge *bridge, mc_handle leg);
/** return any port, now unlinked, or NULL when the bridge is empty. */
struct mc_port *mc_bridge_remove_any(struct mc_bridge *bridge, mc_handle *leg);
void mc_bridge_set_gain(struct mc_bridge *bridge, mc_handle from, mc_handle to, int16_t gain_q15);
/** Mix one tick: reads every member's rx, fills every member's heard. */
void mc_bridge_mix(struct mc_bridge *bridge);

#endif
