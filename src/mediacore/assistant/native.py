"""The engine's own tools: navigation, answers to questions, time, pauses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mediacore.assistant.functions import NATIVES, NAVIGATION
from mediacore.assistant.moves import ask_context, ask_step, submit_answer
from mediacore.assistant.notes import read_int, read_text
from mediacore.assistant.orders import Orders, Pause, Tune, WaitForUser
from mediacore.assistant.params import PARAMS
from mediacore.assistant.session import AiSession, legal_contexts, legal_steps

LATENCY_STEP_MS = 250
LONGEST_PAUSE = 60
LONGEST_ZONE = 64


@dataclass(frozen=True, slots=True)
class NativeResult:
    """The new state, what the model is told, and what the owner must do."""

    session: AiSession
    text: str
    orders: Orders = ()


def is_native(session: AiSession, name: str) -> bool:
    """Whether the engine itself answers a call of that name."""
    return name in NAVIGATION or (name in NATIVES and session.function(name) is None)


def call_native(
    session: AiSession, name: str, arguments: Mapping[str, object], wall_us: int
) -> NativeResult:
    """Run one native tool. `wall_us`: UTC in microseconds, for check_time only. Never raises.

    A transition outside the legal list is refused here and entered into the trail.
    """
    if name == "next_step":
        target = read_text(arguments.get("step")) or ""
        session, orders, made = ask_step(session, target)
        return NativeResult(session, _told(made, "step", legal_steps(session)), orders)
    if name == "change_context":
        target = read_text(arguments.get("context")) or ""
        session, orders, made = ask_context(session, target)
        return NativeResult(session, _told(made, "context", legal_contexts(session)), orders)
    if name == "gather_submit":
        session, orders, text = submit_answer(session, dict(arguments))
        return NativeResult(session, text, orders)
    if name == "check_time":
        zone = read_text(arguments.get("timezone")) or str(session.param("local_tz"))
        return NativeResult(session, spoken_time(wall_us, zone))
    if name == "wait_seconds":
        seconds = min(LONGEST_PAUSE, max(1, read_int(arguments.get("seconds")) or 1))
        return NativeResult(session, f"Waiting {seconds} seconds.", (Pause(seconds),))
    if name == "wait_for_user":
        return NativeResult(session, "Waiting for the caller.", (WaitForUser(),))
    if name == "adjust_response_latency":
        return _latency(session, arguments.get("direction"))
    return NativeResult(session, "There is no such tool.")


def _told(made: bool, what: str, legal: tuple[str, ...]) -> str:
    if made:
        return "Done. Follow the current instructions."
    return f"That {what} is not open from here. Open: {', '.join(legal) or 'none'}."


def spoken_time(wall_us: int, zone: str) -> str:
    """Date and time in a zone; UTC when the zone is unknown."""
    where, name = _zone(zone)
    try:
        moment = datetime.fromtimestamp(wall_us / 1_000_000, where)
    except (OverflowError, OSError, ValueError):
        return "The time is not known."
    return f"It is {moment:%A}, {moment.day} {moment:%B %Y}, {moment:%H:%M} ({name})."


def local_facts(wall_us: int, zone: str) -> dict[str, object]:
    """Date, time and time of day in a zone, by the names that prompts use."""
    where, _ = _zone(zone)
    try:
        moment = datetime.fromtimestamp(wall_us / 1_000_000, where)
    except (OverflowError, OSError, ValueError):
        return {}
    parts = ((5, "night"), (12, "morning"), (18, "afternoon"), (22, "evening"), (24, "night"))
    part = next(name for hour, name in parts if moment.hour < hour)
    return {
        "local_date": f"{moment:%A}, {moment.day} {moment:%B %Y}",
        "local_time": f"{moment:%H:%M}",
        "time_of_day": part,
    }


def _zone(zone: str) -> tuple[tzinfo, str]:
    try:
        return ZoneInfo(zone[:LONGEST_ZONE]), zone[:LONGEST_ZONE]
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC, "UTC"


def _latency(session: AiSession, direction: object) -> NativeResult:
    spec = PARAMS["end_of_speech_timeout"]
    before = read_int(session.param("end_of_speech_timeout")) or 0
    change = LATENCY_STEP_MS if direction == "slower" else -LATENCY_STEP_MS
    after = int(min(spec.maximum or before, max(spec.minimum or 0, before + change)))
    delta = {"end_of_speech_timeout": after}
    session = replace(session, settings={**session.settings, **delta})
    return NativeResult(session, "Done.", (Tune(delta),))
