/* mc_leg_stream: a leg whose wire is a stream link (mc_stream) instead of RTP. Media thread. */
#ifndef MC_LEG_STREAM_H
#define MC_LEG_STREAM_H

#include "mc_codec.h"
#include "mc_leg.h"

/** Fill in what a stream link needs. return 0 | MC_EINVAL */
int mc_leg_stream_normalise(struct mc_leg_cfg *cfg, const struct mc_codec *codec) MC_WUR;
/** Everything that is due goes to the jitter buffer. */
void mc_leg_stream_rx(struct mc_leg *leg, const struct mc_leg_env *env);
/** Pull the agent's speech into pcm as mc_playout_pull() does; marks and cuts are noted. */
size_t mc_leg_stream_speech(struct mc_leg *leg, int16_t *pcm, uint64_t tx_at,
			    const struct mc_leg_env *env);
/** Put out one frame. playing: something other than the agent's speech is in it. */
void mc_leg_stream_tx(struct mc_leg *leg, int16_t *pcm, bool playing, const struct mc_leg_env *env);

#endif
