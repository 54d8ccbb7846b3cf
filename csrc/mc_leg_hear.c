/* What a leg makes of what it hears: speech, digits, tones; the armed barge-in policy; hold. */
#include "mc_leg_parts.h"

enum { DEFAULT_DUCK_DB = 12 };

/* ------------------------------------------------------------------ events */

void mc_leg_emit(const struct mc_leg_env *env, uint32_t kind, uint64_t at, uint32_t a, uint32_t b)
{
	env->sink.emit(env->sink.ctx, &(struct mc_event){.kind = kind, .at = at, .a = a, .b = b});
}

void mc_leg_emit_digit(struct mc_leg *leg, const struct mc_leg_env *env, char digit,
		       uint32_t duration_ms, enum mc_digit_source source)
{
	struct mc_event event = {
		.kind = MC_EV_DIGIT,
		.at = clock_now(leg),
		.a = (uint32_t)(unsigned char)digit,
		.b = duration_ms,
		.position = source,
	};
	leg->stats.digits++;
	env->sink.emit(env->sink.ctx, &event);
}

/* --------------------------------------------------------------- detection */

/* A held leg's speech is nobody's business; edges told always alternate. */
static void tell_speech(struct mc_leg *leg, const struct mc_leg_env *env, bool on, uint64_t at)
{
	if (on == leg->speech_told || (on && leg->held))
		return;
	leg->speech_told = on;
	mc_leg_emit(env, on ? MC_EV_SPEECH_STARTED : MC_EV_SPEECH_ENDED, at, 0, 0);
}

static void detect_speech(struct mc_leg *leg, const struct mc_leg_env *env)
{
	struct mc_vad_edge edge;
	uint64_t end = clock_now(leg) + leg->frame;
	int probability = mc_vad_frame(leg->vad, leg->rx_frame);
	enum mc_vad_kind kind = mc_vad_speech(leg->vad, probability, &edge);

	if (kind != MC_VAD_NONE) {
		uint64_t at = end > edge.back_samples ? end - edge.back_samples : 0;
		bool start = kind == MC_VAD_START;
		if (start) {
			leg->speech_ms = (uint32_t)((end - at) * 1000 / leg->cfg.srate);
			leg->stats.speech_starts++;
		} else {
			leg->silence_ms = (uint32_t)((end - at) * 1000 / leg->cfg.srate);
		}
		tell_speech(leg, env, start, at);
	} else if (mc_vad_active(leg->vad)) {
		leg->speech_ms += MC_TICK_MS;
		tell_speech(leg, env, true, clock_now(leg));
	} else {
		leg->silence_ms += MC_TICK_MS;
	}
	if (mc_vad_active(leg->vad)) {
		leg->silence_ms = 0;
		leg->note.flags |= MC_NOTE_RX_SPEECH;
	} else {
		leg->speech_ms = 0;
	}
}

static void detect_tones(struct mc_leg *leg, const struct mc_leg_env *env)
{
	struct mc_dtmf_event digits[MC_DTMF_EVENTS];
	struct mc_tone_event tones[MC_TONE_EVENTS];
	int n = leg->dtmf ? mc_dtmf_frame(leg->dtmf, leg->rx_frame, digits, MC_DTMF_EVENTS) : 0;

	for (int i = 0; i < n; i++)
		if (!digits[i].start)
			mc_leg_emit_digit(leg, env, digits[i].digit, digits[i].duration_ms,
					  MC_DIGIT_IN_BAND);
	n = leg->tone ? mc_tone_frame(leg->tone, leg->rx_frame, tones, MC_TONE_EVENTS) : 0;
	for (int i = 0; i < n; i++)
		mc_leg_emit(env, MC_EV_TONE, clock_now(leg) + leg->frame - tones[i].back_samples,
			    (uint32_t)tones[i].kind, tones[i].length_ms);
}

/* ------------------------------------------------------------------ policy */

static bool protected_now(const struct mc_leg *leg)
{
	uint64_t played_ms = mc_playout_position(leg->playout) * 1000 / leg->cfg.srate;
	return played_ms < leg->policy.protect_ms ||
	       mc_playout_last_mark(leg->playout) < leg->policy.protect_mark;
}

static void undo_barge_in(struct mc_leg *leg)
{
	if (leg->barge_action == MC_BARGE_PAUSE)
		mc_playout_resume(leg->playout, leg->policy.resume_from_mark);
	else
		mc_playout_duck(leg->playout, 0);
	leg->barge = BARGE_IDLE;
}

static void cut_barge_in(struct mc_leg *leg)
{
	mc_playout_duck(leg->playout, 0);
	mc_playout_cut(leg->playout, mc_playout_generation(leg->playout), MC_CUT_BARGE_IN);
	leg->barge = BARGE_IDLE;
}

static void run_policy(struct mc_leg *leg)
{
	const struct mc_barge_in *policy = &leg->policy;
	bool active = mc_playout_active(leg->playout);
	bool paused = mc_playout_paused(leg->playout);

	if (leg->barge == BARGE_ACTED) {
		bool gone = leg->barge_action == MC_BARGE_PAUSE ? !paused : !active;
		if (gone) { /* resumed or cut by command, or played to its end */
			mc_playout_duck(leg->playout, 0);
			leg->barge = BARGE_IDLE;
		} else if (policy->commit_ms && leg->speech_ms >= policy->commit_ms) {
			cut_barge_in(leg);
		} else if (policy->resume_ms && leg->silence_ms >= policy->resume_ms) {
			undo_barge_in(leg);
		}
		return;
	}
	if (policy->action == MC_BARGE_OFF || !active || !leg->speech_ms ||
	    leg->speech_ms < policy->onset_ms || protected_now(leg))
		return;
	if (policy->action == MC_BARGE_CUT) {
		cut_barge_in(leg);
		return;
	}
	leg->barge = BARGE_ACTED;
	leg->barge_action = policy->action;
	if (policy->action == MC_BARGE_PAUSE)
		mc_playout_pause(leg->playout);
	else
		mc_playout_duck(leg->playout,
				(uint8_t)policy->duck_db ? policy->duck_db : DEFAULT_DUCK_DB);
}

void mc_leg_hear(struct mc_leg *leg, const struct mc_leg_env *env, bool voice)
{
	detect_tones(leg, env);
	if (leg->vad && voice)
		detect_speech(leg, env);
	if (!leg->held)
		run_policy(leg);
}

/* -------------------------------------------------------------- hold, limit */

void mc_leg_set_limit(struct mc_leg *leg, uint64_t ticks_from_now)
{
	leg->cfg.budget_ticks = ticks_from_now ? leg->ticks + ticks_from_now : 0;
}

bool mc_leg_held(const struct mc_leg *leg)
{
	return leg->held;
}

void mc_leg_set_held(struct mc_leg *leg, bool on, const struct mc_leg_env *env)
{
	leg->held_by_command = on;
	on = on || !leg->sends;
	if (on == leg->held)
		return;
	leg->quiet_since_us = env->now_us;
	if (on) {
		tell_speech(leg, env, false, clock_now(leg));
		leg->speech_ms = 0;
		leg->stays_paused = mc_playout_paused(leg->playout);
		mc_playout_pause(leg->playout);
	} else if (!leg->stays_paused) {
		mc_playout_resume(leg->playout, false);
	}
	leg->held = on;
}

void mc_leg_pause_voice(struct mc_leg *leg)
{
	leg->stays_paused = true;
	mc_playout_pause(leg->playout);
}

void mc_leg_resume_voice(struct mc_leg *leg, bool from_mark)
{
	leg->stays_paused = false;
	if (!leg->held)
		mc_playout_resume(leg->playout, from_mark);
}

void mc_leg_set_barge_in(struct mc_leg *leg, const struct mc_barge_in *policy)
{
	leg->policy = *policy;
}
