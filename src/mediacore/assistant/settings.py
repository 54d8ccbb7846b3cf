"""The parameters of the `ai` method as rules of the conversation.

Parameters have the names of the published format; their values are typed and within their ranges
already. What is not named here does not concern turn-taking. A parameter that is missing leaves
the rule of `base` as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from mediacore.call.settings import (
    NOT_INTERRUPTIBLE,
    BargeProfiles,
    CallSettings,
    Lines,
    TurnSettings,
)
from mediacore.media import BargeAction, BargeIn

ACKNOWLEDGE_PROMPT: Final = (
    "The caller has interrupted you. Acknowledge that in a word or two before you answer."
)
NOISE_COMMIT_MS: Final = 1000  # interrupt_on_noise: any sound longer than a second

_USUAL_MODES: Final = frozenset({"complete", "partial"})
_SPAN: Final = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?")
_REPEATED_GROUP: Final = re.compile(r"\)\s*(?:[*+]|\{\d+,?\d*\})")
_OUTBOUND: Final = "outbound"


def call_settings(
    params: Mapping[str, object],
    base: CallSettings,
    *,
    direction: str = "inbound",
    greeting: str = "",
    fillers: tuple[str, ...] = (),
) -> CallSettings:
    """The rules of one conversation.

    direction: "inbound" or "outbound", seen from us; the parameter of that name wins. greeting:
    takes the place of the parameter static_greeting when it is not empty. fillers: said while an
    answer is late, in turn; none: those of `base`.
    """
    direction = _text(params, "direction") or direction
    text = greeting or _text(params, "static_greeting")
    waits = _flag(params, "wait_for_user", base.wait_for_user)
    return replace(
        base,
        turn=_turn(params, base.turn),
        barge=_barge(params, base.barge),
        lines=_lines(base.lines, fillers),
        greeting=text or base.greeting,
        greet_by_reply=not waits and not (text or base.greeting),
        wait_for_user=waits,
        initial_sleep_ms=_number(params, "initial_sleep_ms", base.initial_sleep_ms),
        dead_air_ms=_attention_ms(params, base.dead_air_ms, direction),
        attention_prompt=_text(params, "attention_timeout_prompt") or base.attention_prompt,
        inactivity_ms=_number(params, "inactivity_timeout", base.inactivity_ms),
        hard_stop_ms=_hard_stop_ms(params, base.hard_stop_ms),
        hard_stop_prompt=_text(params, "hard_stop_prompt") or base.hard_stop_prompt,
        interrupt_prompt=_interrupt_prompt(params, base.interrupt_prompt),
        tools_wait=_flag(params, "function_wait_for_talking", base.tools_wait),
        max_response_tokens=_number(params, "max_response_tokens", base.max_response_tokens),
        history_turns=_number(params, "conversation_sliding_window", base.history_turns),
    )


def tuned(settings: CallSettings, params: Mapping[str, object]) -> CallSettings:
    """The rules after a tool changed some parameters in the middle of the conversation."""
    return replace(
        settings,
        turn=_turn(params, settings.turn),
        barge=_barge(params, settings.barge) if _names_barge(params) else settings.barge,
        dead_air_ms=_number(params, "attention_timeout", settings.dead_air_ms),
        inactivity_ms=_number(params, "inactivity_timeout", settings.inactivity_ms),
        max_response_tokens=_number(params, "max_response_tokens", settings.max_response_tokens),
        tools_wait=_flag(params, "function_wait_for_talking", settings.tools_wait),
    )


def safe_pattern(pattern: str) -> str:
    """The pattern, or its text taken literally when it is broken or could run for ever.

    Repeated groups are what makes a search exponential; nothing needs them to name a few words.
    """
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return re.escape(pattern)
    return re.escape(pattern) if _REPEATED_GROUP.search(pattern) else pattern


# ------------------------------------------------------------------------------ turn taking


def _turn(params: Mapping[str, object], base: TurnSettings) -> TurnSettings:
    complete_ms, unsure_ms, incomplete_ms = _endpoint(params, base)
    modes = _modes(params)
    min_words = _number(params, "barge_min_words", 0)
    pattern = _text(params, "barge_match_string")
    noise = _flag(params, "interrupt_on_noise", default=False)
    by_words = _barge_is_named(params)
    return replace(
        base,
        complete_ms=complete_ms,
        unsure_ms=unsure_ms,
        incomplete_ms=incomplete_ms,
        detector_ms=_number(params, "turn_detection_timeout", base.detector_ms),
        stt_deadline_ms=_number(params, "speech_event_timeout", 0) or base.stt_deadline_ms,
        noise_ms=_number(params, "first_word_timeout", base.noise_ms),
        caller_limit_ms=_number(params, "speech_timeout", 0) or base.caller_limit_ms,
        digit_ms=_number(params, "digit_timeout", base.digit_ms),
        digit_terminators=_text(params, "digit_terminators") or base.digit_terminators,
        min_words=min_words or base.min_words,
        final_min_words=min_words or base.final_min_words,
        barge_pattern=safe_pattern(pattern) if pattern else base.barge_pattern,
        barge_partials=bool(modes & {"partial", "all"}) if by_words else base.barge_partials,
        sound_cuts=(noise or "all" in modes) if by_words else base.sound_cuts,
        merge_ms=_merge_ms(params, base.merge_ms),
    )


def _endpoint(params: Mapping[str, object], base: TurnSettings) -> tuple[int, int, int]:
    """Silence that ends a turn which looks complete, unsure, incomplete.

    end_of_speech_timeout is meant for a turn of which nothing is known; without turn detection it
    holds for every turn.
    """
    unsure_ms = _number(params, "end_of_speech_timeout", base.unsure_ms)
    if not _flag(params, "enable_turn_detection", default=True):
        return unsure_ms, unsure_ms, unsure_ms
    complete_ms = _number(params, "turn_detection_timeout", base.complete_ms)
    return min(complete_ms, unsure_ms), unsure_ms, max(base.incomplete_ms, unsure_ms)


def _merge_ms(params: Mapping[str, object], base: int) -> int:
    transparent = params.get("transparent_barge")
    if transparent is None:
        return base
    return _number(params, "transparent_barge_max_time", 3000) if transparent else 0


def _hard_stop_ms(params: Mapping[str, object], base: int) -> int:
    """hard_stop_time is hours, minutes and seconds as text ("1h45m30s"), or seconds."""
    value = params.get("hard_stop_time")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return max(int(value * 1000), 0)
    found = _SPAN.fullmatch(value.strip()) if isinstance(value, str) and value.strip() else None
    if found is None:
        return base
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000


def _interrupt_prompt(params: Mapping[str, object], base: str) -> str:
    prompt = _text(params, "interrupt_prompt")
    if prompt:
        return prompt
    return ACKNOWLEDGE_PROMPT if _flag(params, "acknowledge_interruptions", default=False) else base


def _attention_ms(params: Mapping[str, object], base: int, direction: str) -> int:
    """Silence before the caller is asked. The party we have called gets its own."""
    if direction == _OUTBOUND and "outbound_attention_timeout" in params:
        return _number(params, "outbound_attention_timeout", base)
    return _number(params, "attention_timeout", base)


# ----------------------------------------------------------------------------- interruption


def _barge(params: Mapping[str, object], base: BargeProfiles) -> BargeProfiles:
    """What the core does by itself, for each kind of utterance."""
    modes = _modes(params)
    if not modes:
        off = NOT_INTERRUPTIBLE
        return BargeProfiles(off, off, off, off, off, off, off)
    commit_ms = None
    if _flag(params, "interrupt_on_noise", default=False):
        commit_ms = NOISE_COMMIT_MS
    elif _barge_is_named(params) and "all" not in modes:
        commit_ms = 0
    profiles = BargeProfiles(
        reply=_committing(base.reply, commit_ms),
        greeting=_committing(base.greeting, commit_ms),
        filler=_committing(base.filler, commit_ms),
        script=base.script,
        reprompt=_committing(base.reprompt, commit_ms),
        closing=_committing(base.closing, commit_ms),
        say=_committing(base.say, commit_ms),
    )
    if _flag(params, "static_greeting_no_barge", default=False):
        profiles = replace(profiles, greeting=NOT_INTERRUPTIBLE)
    return profiles


def _committing(profile: BargeIn, commit_ms: int | None) -> BargeIn:
    if commit_ms is None or profile.action is BargeAction.OFF:
        return profile
    return replace(profile, commit_ms=commit_ms)


def _names_barge(params: Mapping[str, object]) -> bool:
    names = ("enable_barge", "interrupt_on_noise", "barge_min_words", "barge_match_string")
    return any(name in params for name in names)


def _barge_is_named(params: Mapping[str, object]) -> bool:
    """The document has rules of its own for words that interrupt; the usual ones are ours."""
    if _number(params, "barge_min_words", 0) or _text(params, "barge_match_string"):
        return True
    if _flag(params, "interrupt_on_noise", default=False):
        return True
    return _modes(params) not in (_USUAL_MODES, frozenset({"all"}) | _USUAL_MODES)


def _modes(params: Mapping[str, object]) -> frozenset[str]:
    """Ways to interrupt that are on: of complete, partial, all. Empty: none."""
    value = params.get("enable_barge", True)
    if isinstance(value, bool):
        return _USUAL_MODES if value else frozenset()
    if isinstance(value, str):
        given = frozenset(part.strip().lower() for part in value.split(","))
    elif isinstance(value, tuple | list | frozenset | set):
        given = frozenset(str(part).lower() for part in value)
    else:
        return _USUAL_MODES
    if given & {"true", "yes", "on", "1"}:
        return _USUAL_MODES
    return given & {"complete", "partial", "all"}


# ---------------------------------------------------------------------------------- values


def _lines(base: Lines, fillers: tuple[str, ...]) -> Lines:
    return replace(base, fillers=fillers) if fillers else base


def _number(params: Mapping[str, object], name: str, default: int) -> int:
    value = params.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return max(int(value), 0)


def _flag(params: Mapping[str, object], name: str, default: bool) -> bool:
    value = params.get(name)
    return value if isinstance(value, bool) else default


def _text(params: Mapping[str, object], name: str) -> str:
    value = params.get(name)
    return value.strip() if isinstance(value, str) else ""
