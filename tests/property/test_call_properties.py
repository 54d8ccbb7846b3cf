"""Whatever happens, in whatever order, the reducer keeps its promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from random import Random
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from mediacore.call import (
    Action,
    BargeProfiles,
    CallerGone,
    CallSettings,
    CallStarted,
    CutPlayout,
    Event,
    GenerationSeen,
    Hangup,
    HangupRequested,
    Phase,
    ReplyEnded,
    ReplyHangup,
    ReplyText,
    ReplyToolCall,
    Speak,
    SpeechFailed,
    SpeechReady,
    SpeechSynthesised,
    SpeechWords,
    StartReply,
    ToolFinished,
    TranscriptFinal,
    TranscriptPartial,
    TurnSettings,
    Wake,
    initial_state,
    ledger,
    next_deadline,
    step,
    turns_so_far,
)
from mediacore.call.record import UtteranceState, WordTime
from mediacore.call.state import CallState
from mediacore.call.table import EVENT_TYPES, TRANSITIONS
from mediacore.errors import ErrorClass
from mediacore.events import (
    CloseReason,
    CutCause,
    DigitReceived,
    DigitSource,
    LegClosed,
    LegOpened,
    MarkReached,
    PlayoutCut,
    PlayoutDucked,
    PlayoutEvent,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    PlayoutUnderrun,
    SpeechEnded,
    SpeechStarted,
    UtteranceFinished,
)
from mediacore.media import BargeAction, BargeIn

LEG = 1
TEXTS = ("", "Yes.", "okay", "I want a", "Where is my order?", "stop that now", "5 5 5", "Hello. ")
PIECES = ("Hello, ", "this is a sentence. ", "and one more, ", "**x** ", "end")
GAPS_US = (0, 0, 1000, 20_000, 20_000, 150_000, 500_000, 3_000_000)
RARE = (LegClosed, CallerGone, HangupRequested, CallStarted, GenerationSeen, LegOpened)
COMMON = tuple(kind for kind in EVENT_TYPES if kind not in RARE)

LIKELY: dict[Phase, tuple[type, ...]] = {
    Phase.LISTENING: (SpeechStarted, SpeechStarted, TranscriptFinal, DigitReceived),
    Phase.CALLER_SPEAKING: (SpeechEnded, SpeechEnded, TranscriptPartial, TranscriptFinal),
    Phase.ENDPOINTING: (TranscriptFinal, Wake, Wake, ReplyText, ReplyEnded, SpeechStarted),
    Phase.THINKING: (
        *(ReplyText, ReplyText, ReplyToolCall, ToolFinished, ReplyEnded, ReplyHangup),
        *(SpeechReady, SpeechSynthesised, SpeechFailed, SpeechStarted),
        *(PlayoutStarted, PlayoutStarted, PlayoutStarted, PlayoutStarted),
    ),
    Phase.SPEAKING: (
        *(ReplyText, ReplyEnded, MarkReached, SpeechWords, PlayoutUnderrun, SpeechStarted),
        *(UtteranceFinished, UtteranceFinished, PlayoutPaused, PlayoutDucked, TranscriptPartial),
    ),
    Phase.PAUSED: (PlayoutCut, PlayoutResumed, TranscriptFinal, SpeechEnded, Wake),
    Phase.CLOSING: (PlayoutStarted, UtteranceFinished, PlayoutPaused, ReplyEnded, SpeechStarted),
}

VALUES: dict[str, Callable[[Random], Any]] = {
    "leg": lambda r: LEG if r.random() < 0.97 else 2,
    "tick": lambda r: r.randrange(5000),
    "at": lambda r: r.randrange(800_000),
    "srate_hz": lambda r: r.choice([8000, 16000]),
    "p": lambda r: r.random(),
    "id": lambda r: r.choice("ab"),
    "name": lambda r: "look_up",
    "arguments": lambda r: "{}",
    "ok": lambda r: r.random() < 0.5,
    "confidence": lambda r: r.choice([None, 0.5]),
    "by": lambda r: "api",
    "digit": lambda r: r.choice("0123456789*#"),
    "source": lambda r: r.choice(list(DigitSource)),
    "cause": lambda r: r.choice(list(CutCause)),
    "error_class": lambda r: r.choice(list(ErrorClass)),
    "ducked": lambda r: r.random() < 0.5,
    "reason": lambda r: "why",
    "text": lambda r: r.choice(TEXTS),
    "words": lambda r: tuple(
        WordTime(r.randint(-5, 40), r.randint(-5, 40), r.randint(-9, 9000), r.randint(-9, 9000))
        for _ in range(r.randrange(4))
    ),
}

SCRIPTS = st.lists(st.integers(0, 2**32), min_size=20, max_size=150)
"""One seed per event: what it is depends on the state it meets."""


SETTINGS = st.builds(
    CallSettings,
    greeting=st.sampled_from(["", "Hello, who is there?"]),
    greet_by_reply=st.booleans(),
    max_call_ms=st.sampled_from([0, 20_000]),
    turn=st.builds(TurnSettings, speculative=st.booleans(), detector=st.booleans()),
    barge=st.sampled_from(
        [
            BargeProfiles(),
            BargeProfiles(reply=BargeIn(action=BargeAction.CUT)),
            BargeProfiles(reply=BargeIn(action=BargeAction.DUCK), greeting=BargeIn()),
            BargeProfiles(reply=BargeIn(action=BargeAction.PAUSE, protect_ms=500)),
        ]
    ),
)


def choose(r: Random, state: CallState) -> type:
    """A kind of event: mostly one that makes sense now."""
    dice = r.random()
    if dice < 0.01:
        return r.choice(RARE)
    likely = LIKELY.get(state.phase)
    return r.choice(likely if likely and dice < 0.8 else COMMON)


def make(kind: type, r: Random, state: CallState) -> Event:
    """An event; generation and utterance are those that are open, or next to them."""
    values = {f.name: VALUES.get(f.name, lambda r: r.randrange(20_000))(r) for f in fields(kind)}
    off = 0 if r.random() < 0.8 else r.choice([-1, 1])
    if "generation" in values:
        values["generation"] = max(state.generation + off, 0)
    if "segment" in values:
        values["segment"] = state.segment + off
    if "utterance" in values:
        spoken = state.agent.utterances if state.agent else ()
        aimed = [u.id for u in spoken if not u.state.final] or [state.next_utterance]
        values["utterance"] = aimed[0] + off
    if kind is PlayoutCut:
        values["next_generation"] = ((state.generation >> 32) + 1) << 32
    if kind is ReplyText:
        values["text"] = r.choice(PIECES)
    if kind is LegClosed:
        values["reason"] = r.choice(list(CloseReason))
    return kind(**values)  # type: ignore[no-any-return]


def check(state: CallState, before: CallState, actions: list[Action]) -> None:
    """The promises of one step."""
    if before.phase is Phase.ENDED:
        assert state.phase is Phase.ENDED
        assert actions == []
    if any(isinstance(a, Hangup) for a in actions):
        assert isinstance(actions[-1], Hangup)
        assert state.phase is Phase.ENDED
    for action in actions:
        if isinstance(action, Speak | StartReply):
            assert action.generation > before.generation or (
                before.agent is not None and before.agent.generation == action.generation
            )
    for utt in state.agent.utterances if state.agent else ():
        heard = ledger.heard_samples(utt, state.far_delay_samples)
        assert heard <= utt.played <= utt.queued
        chars = ledger.heard_chars(utt, state.rate, state.srate_hz, state.far_delay_samples)
        assert 0 <= chars <= len(utt.text)
        if utt.state is UtteranceState.REFUSED:
            assert chars == 0
    assert state.generation >= before.generation
    assert state.next_utterance >= before.next_utterance


def walk(config: CallSettings, script: list[int]) -> list[tuple[CallState, list[Action]]]:
    """Run a script, checking every step. Wakes come in time or late."""
    state, now = initial_state(config), 1_000_000
    out: list[tuple[CallState, list[Action]]] = []

    def take(event: Event) -> None:
        nonlocal state
        before = state
        state, actions = step(state, event, now)
        check(state, before, actions)
        out.append((state, actions))
        deadline = next_deadline(state)
        assert deadline is None or deadline > now, "a due timer was left over"

    take(LegOpened(LEG, 0, 0))
    take(CallStarted(LEG, 8000))
    for seed in script:
        r = Random(seed)
        until = now + r.choice(GAPS_US)
        deadline = next_deadline(state)
        if deadline is not None and deadline < until and r.random() < 0.7:
            now = deadline
            take(Wake())
        now = until
        take(make(choose(r, state), r, state))
    return out


@settings(max_examples=150, deadline=None)
@given(SETTINGS, SCRIPTS)
def test_any_sequence_of_events_is_survived(config: CallSettings, script: list[int]) -> None:
    steps = walk(config, script)
    actions = [a for _, step_actions in steps for a in step_actions]
    hangups = [a for a in actions if isinstance(a, Hangup)]
    final = steps[-1][0]
    assert len(hangups) == (1 if final.phase is Phase.ENDED else 0)
    turns_so_far(final)


@settings(max_examples=80, deadline=None)
@given(SETTINGS, SCRIPTS)
def test_nothing_is_spoken_for_a_generation_that_was_cut(
    config: CallSettings, script: list[int]
) -> None:
    cut = -1
    for _, actions in walk(config, script):
        for action in actions:
            if isinstance(action, CutPlayout):
                cut = max(cut, action.generation)
            elif isinstance(action, Speak):
                assert action.generation > cut


@settings(max_examples=60, deadline=None)
@given(SETTINGS, SCRIPTS)
def test_left_alone_every_call_ends(config: CallSettings, script: list[int]) -> None:
    state = walk(config, script)[-1][0]
    hangups = int(state.phase is Phase.ENDED)
    for _ in range(200):
        deadline = next_deadline(state)
        if deadline is None:
            break
        state, actions = step(state, Wake(), deadline)
        hangups += sum(isinstance(a, Hangup) for a in actions)
    assert state.phase is Phase.ENDED
    assert hangups == 1


@settings(max_examples=25, deadline=None)
@given(SETTINGS, SCRIPTS)
def test_every_event_is_handled_in_every_phase(config: CallSettings, script: list[int]) -> None:
    for state, _ in walk(config, script)[::4]:
        r = Random(state.next_utterance)
        for kind in EVENT_TYPES:
            event = make(kind, r, state)
            after, actions = step(state, event, 400_000_000)
            check(after, state, actions)
            if kind not in TRANSITIONS[state.phase] and not isinstance(event, PlayoutEvent):
                grown = after.counts.illegal + after.counts.stale
                assert grown == state.counts.illegal + state.counts.stale + 1


def test_the_scripts_reach_every_phase_and_action() -> None:
    phases: set[Phase] = set()
    actions: set[type] = set()
    for n in range(60):
        r = Random(n)
        config = CallSettings(
            greeting="Hello.", turn=TurnSettings(speculative=n % 2 == 0, detector=True)
        )
        for state, step_actions in walk(config, [r.randrange(2**32) for _ in range(150)]):
            phases.add(state.phase)
            actions.update(type(a) for a in step_actions)
    assert phases == set(Phase)
    assert actions == set(get_args(Action))


def test_the_script_covers_every_event() -> None:
    assert set(EVENT_TYPES) == set(get_args(Event))
