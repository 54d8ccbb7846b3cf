"""Handlers: the call as a whole. It starts, its media comes and goes, somebody ends it."""

from __future__ import annotations

from dataclasses import replace

from mediacore.call import closing, floor, opening
from mediacore.call.draft import Draft
from mediacore.call.inputs import (
    CallerGone,
    CallStarted,
    Event,
    FarDelayMeasured,
    GenerationSeen,
    HangupRequested,
)
from mediacore.call.recovery import Source, classify
from mediacore.events import EventsLost, LegClosed, LegOpened, MediaLost, MediaResumed, ToneDetected


def leg_opened(d: Draft, event: LegOpened) -> None:
    """Media time begins."""
    d.set(clock=d.state.clock.opened(event.tick, event.at, d.now))


def call_started(d: Draft, event: CallStarted) -> None:
    """The agent greets, or listens."""
    clock = d.state.clock
    if clock.srate_hz != event.srate_hz:
        clock = replace(clock, srate_hz=event.srate_hz)
    d.set(leg=event.leg, srate_hz=event.srate_hz, clock=clock, started_us=d.now)
    settings = d.state.settings
    greets = bool(settings.greeting) or settings.greet_by_reply
    if not greets or settings.wait_for_user:
        floor.give_floor(d)
    elif settings.initial_sleep_ms:
        d.set(greet_at_us=d.now + settings.initial_sleep_ms * 1000)
        floor.give_floor(d)
    else:
        opening.greet(d)


def leg_closed(d: Draft, event: LegClosed) -> None:
    """Without a leg there is no call."""
    closing.end_call(d, "leg_closed", by=event.reason.name.lower())


def caller_gone(d: Draft, event: CallerGone) -> None:
    """Hang up on our side."""
    closing.end_call(d, event.reason, by="caller")


def hangup_requested(d: Draft, event: HangupRequested) -> None:
    """Hang up now."""
    closing.end_call(d, event.reason, by=event.by)


def media_lost(d: Draft, event: MediaLost) -> None:
    """Too long a loss ends the call."""
    d.log("media", "lost", silent_ms=event.silent_ms)
    if d.state.media_lost_us is None:
        closing.report(d, classify(Source.MEDIA))
        d.set(media_lost_us=d.now - event.silent_ms * 1000)


def media_resumed(d: Draft, event: MediaResumed) -> None:
    """Packets come again."""
    d.log("media", "resumed")
    d.set(media_lost_us=None)


def tone_detected(d: Draft, event: ToneDetected) -> None:
    """Noted."""
    d.log("tone", "detected", kind=event.kind, duration_ms=event.duration_ms)


def events_lost(d: Draft, event: EventsLost) -> None:
    """Noted; the session sends GenerationSeen from the leg's snapshot."""
    d.count("events_lost")
    d.log("media", "events_lost", count=event.count)


def generation_seen(d: Draft, event: GenerationSeen) -> None:
    """A cut may have happened unseen: then the open turn is over."""
    agent = d.state.agent
    if agent is not None and agent.generation < event.generation:
        d.log("stale", "generation_moved")
        if agent.decided:
            floor.cut_confirmed(d, event.generation)
            return
        opening.drop_speculation(d)
    d.set(generation=max(d.state.generation, event.generation))


def far_delay_measured(d: Draft, event: FarDelayMeasured) -> None:
    """From now on `heard` counts with it."""
    d.set(far_delay_ms=max(event.delay_ms, 0))


def time_passes(d: Draft, event: Event) -> None:
    """Nothing but the timers that are due."""


def for_the_session(d: Draft, event: Event) -> None:
    """Nothing to decide: the session moves the audio."""


def too_late(d: Draft, event: Event) -> None:
    """The call is over; nothing is done any more."""
