"""Handlers: what the core did with the agent's speech."""

from __future__ import annotations

from mediacore.call import floor, ledger, opening
from mediacore.call.actions import PausePlayout
from mediacore.call.draft import Draft
from mediacore.call.record import UtteranceKind
from mediacore.call.state import Interruption, Phase, agent_phase, interruptible
from mediacore.events import (
    MarkReached,
    PlayoutCut,
    PlayoutDucked,
    PlayoutEvent,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    PlayoutUnderrun,
    UtteranceFinished,
    UtteranceRefused,
)


def only_ledger(d: Draft, event: PlayoutEvent) -> None:
    """Only the ledger follows."""
    utt = d.find(event.utterance)
    if utt is None:
        return
    at, position = event.at, event.position
    if not isinstance(event, UtteranceRefused):
        for earlier in d.agent.utterances[: d.agent.utterances.index(utt)]:
            d.set_utterance(ledger.overtaken(earlier, at))
    match event:
        case PlayoutStarted():
            utt = ledger.start(utt, at)
        case PlayoutPaused():
            utt = ledger.pause(utt, at, position)
        case PlayoutResumed():
            utt = ledger.release(utt, at, position)
        case PlayoutUnderrun():
            utt = ledger.run_dry(utt, at, position)
        case MarkReached():
            utt = ledger.play_to(ledger.sounding(utt, at, position), at, position)
        case UtteranceFinished():
            utt = ledger.finish(utt, at, position, event.wire_samples)
        case PlayoutCut():
            cause = event.cause.name.lower()
            utt = ledger.cut(utt, at, position, event.wire_samples, cause)
        case UtteranceRefused():
            utt = ledger.refuse(utt)
    d.set_utterance(utt)
    d.set_agent(playout_us=d.now)


def playout_started(d: Draft, event: PlayoutStarted) -> None:
    """The agent is heard. Over a caller who speaks already it waits."""
    only_ledger(d, event)
    utt = d.utterance(event.utterance)
    d.set_agent(dry_since_us=None)
    if utt.kind is not UtteranceKind.FILLER:
        d.set_stamps(first_frame_us=d.state.clock.us(event.at, d.now))
    opening.arm(d, utt.kind)
    running = d.state.interruption
    if running is not None:
        if not running.committed and not running.core:
            d.emit(PausePlayout())
            d.set(interruption=Interruption(running.since_us, core=True))
        return
    d.set(phase=agent_phase(d.state))
    if d.caller.speaking and interruptible(d.state, d.now):
        d.emit(PausePlayout())
        _interrupted(d)


def playout_paused(d: Draft, event: PlayoutPaused) -> None:
    """The caller spoke over it: what they say decides."""
    only_ledger(d, event)
    _interrupted(d)


def playout_ducked(d: Draft, event: PlayoutDucked) -> None:
    """As a pause and a resume, but the agent stays audible."""
    only_ledger(d, event)
    if event.ducked:
        _interrupted(d)
    else:
        _core_resumed(d)


def playout_resumed(d: Draft, event: PlayoutResumed) -> None:
    """The agent goes on."""
    only_ledger(d, event)
    d.set_agent(dry_since_us=None)
    _core_resumed(d)


def playout_moves(d: Draft, event: MarkReached) -> None:
    """The ledger follows."""
    only_ledger(d, event)
    d.set_agent(dry_since_us=None)


def playout_dry(d: Draft, event: PlayoutUnderrun) -> None:
    """The caller hears a gap; too long a one is a failure."""
    only_ledger(d, event)
    if d.utterance(event.utterance).total is None:
        d.set_agent(dry_since_us=d.now)


def playout_cut(d: Draft, event: PlayoutCut) -> None:
    """The turn ends with what was heard of it."""
    only_ledger(d, event)
    agent = d.state.agent
    if agent is None or agent.generation >= event.next_generation:
        d.set(generation=max(d.state.generation, event.next_generation))
        return
    d.log(
        "barge_in",
        "cut_done",
        by=event.cause.name.lower(),
        played_ms=event.position * 1000 // d.state.srate_hz,
    )
    floor.cut_confirmed(d, event.next_generation)


def utterance_finished(d: Draft, event: UtteranceFinished) -> None:
    """On with the next one, or the turn is complete."""
    only_ledger(d, event)
    d.set_agent(dry_since_us=None, quiet_since_us=d.now)
    if d.state.phase is not Phase.PAUSED:
        d.set(phase=agent_phase(d.state))


def utterance_refused(d: Draft, event: UtteranceRefused) -> None:
    """Never heard."""
    only_ledger(d, event)
    d.count("refused")
    d.log("stale", "utterance_refused", utterance=event.utterance)


def _interrupted(d: Draft) -> None:
    running = d.state.interruption
    if running is None:
        d.log("barge_in", "pause", caller_speaking=d.caller.speaking)
        d.set(phase=Phase.PAUSED, interruption=Interruption(d.now, core=True))
    elif not running.committed:
        d.set(interruption=Interruption(running.since_us, core=True))


def _core_resumed(d: Draft) -> None:
    running = d.state.interruption
    if running is not None and running.core and not running.committed:
        floor.resume(d, "core")
