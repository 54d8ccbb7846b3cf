"""Whatever happens, in whatever order, the reducer keeps its promises."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediacore.call import (
    Action,
    BargeProfiles,
    CallSettings,
    CallStarted,
    CutPlayout,
    Event,
    Hangup,
    Phase,
    Speak,
    StartReply,
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
    DigitSource,
    LegOpened,
    PlayoutCut,
    PlayoutEvent,
)
from mediacore.media import BargeAction, BargeIn

LEG = 1
TEXTS = st.sampled_from(
    ["", "Yes.", "okay", "I want a", "Where is my order?", "stop that now", "5 5 5", "Hello. "]
)
PIECES = st.sampled_from(["Hello, ", "this is a sentence. ", "and one more, ", "**x** ", "end"])

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "leg": st.sampled_from([LEG, LEG, LEG, LEG, 2]),
    "tick": st.integers(0, 5000),
    "at": st.integers(0, 800_000),
    "srate_hz": st.sampled_from([8000, 16000]),
    "p": st.floats(0, 1),
    "id": st.sampled_from(["a", "b"]),
    "name": st.just("look_up"),
    "arguments": st.just("{}"),
    "ok": st.booleans(),
    "confidence": st.none() | st.floats(0, 1),
    "by": st.just("api"),
    "digit": st.sampled_from(list("0123456789*#")),
    "source": st.sampled_from(DigitSource),
    "cause": st.sampled_from(CutCause),
    "error_class": st.sampled_from(ErrorClass),
    "ducked": st.booleans(),
    "words": st.lists(
        st.builds(
            WordTime, *(st.integers(-5, 40) for _ in range(2)), *(st.integers(-9, 9000),) * 2
        ),
        max_size=3,
    ).map(tuple),
}
NUMBERS = st.integers(0, 20_000)


@dataclass(frozen=True)
class Draw:
    """An event to be made; generation and utterance are aimed at what is open, or near it."""

    kind: type
    values: tuple[tuple[str, Any], ...]
    off: int
    gap_us: int


def draws(kinds: list[type]) -> st.SearchStrategy[Draw]:
    def of(kind: type) -> st.SearchStrategy[Draw]:
        parts = {
            f.name: FIELDS.get(f.name, TEXTS if f.name == "text" else NUMBERS) for f in fields(kind)
        }
        if kind.__name__ == "ReplyText":
            parts["text"] = PIECES
        if "reason" in parts:
            parts["reason"] = (
                st.sampled_from(CloseReason) if kind.__name__ == "LegClosed" else st.just("why")
            )
        return st.builds(
            Draw,
            st.just(kind),
            st.fixed_dictionaries(parts).map(lambda d: tuple(d.items())),
            st.sampled_from([0, 0, 0, 0, 0, -1, 1]),
            st.sampled_from([0, 1000, 20_000, 150_000, 700_000, 3_000_000]),
        )

    return st.one_of([of(kind) for kind in kinds])


LAST = ("LegClosed", "CallerGone", "HangupRequested", "CallStarted", "GenerationSeen")
OFTEN = [k for k in EVENT_TYPES if k.__name__ not in LAST]
SCRIPTS = st.lists(draws(OFTEN * 3 + list(EVENT_TYPES)), max_size=50)
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


def make(draw: Draw, state: CallState) -> Event:
    """The event, aimed at the state."""
    values = dict(draw.values)
    agent = state.agent
    if "generation" in values:
        values["generation"] = max(state.generation + draw.off, 0)
    if "segment" in values:
        values["segment"] = state.segment + draw.off
    if "utterance" in values:
        open_ids = [u.id for u in agent.utterances if not u.state.final] if agent else []
        values["utterance"] = (open_ids[0] if open_ids else state.next_utterance) + draw.off
    if draw.kind is PlayoutCut:
        values["next_generation"] = ((state.generation >> 32) + 1) << 32
    return draw.kind(**values)  # type: ignore[no-any-return]


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


def walk(config: CallSettings, script: list[Draw]) -> list[tuple[CallState, list[Action]]]:
    state = initial_state(config)
    now = 1_000_000
    out = []
    opening: list[Event] = [LegOpened(LEG, 0, 0), CallStarted(LEG, 8000)]
    for item in [*opening, *script]:
        if isinstance(item, Draw):
            now += item.gap_us
            deadline = next_deadline(state)
            if deadline is not None and deadline < now:
                before = state
                state, actions = step(state, Wake(), max(deadline, 1_000_000))
                check(state, before, actions)
                out.append((state, actions))
            event = make(item, state)
        else:
            event = item
        before = state
        state, actions = step(state, event, now)
        check(state, before, actions)
        out.append((state, actions))
        deadline = next_deadline(state)
        assert deadline is None or deadline > now, "a due timer was left over"
    return out


@settings(max_examples=150, deadline=None)
@given(SETTINGS, SCRIPTS)
def test_any_sequence_of_events_is_survived(config: CallSettings, script: list[Draw]) -> None:
    steps = walk(config, script)
    actions = [a for _, step_actions in steps for a in step_actions]
    hangups = [a for a in actions if isinstance(a, Hangup)]
    final = steps[-1][0]
    assert len(hangups) == (1 if final.phase is Phase.ENDED else 0)
    turns_so_far(final)


@settings(max_examples=80, deadline=None)
@given(SETTINGS, SCRIPTS)
def test_nothing_is_spoken_for_a_generation_that_was_cut(
    config: CallSettings, script: list[Draw]
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
def test_left_alone_every_call_ends(config: CallSettings, script: list[Draw]) -> None:
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


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda k: k.__name__)
@settings(max_examples=12, deadline=None)
@given(config=SETTINGS, script=st.lists(draws(OFTEN), min_size=5, max_size=25), data=st.data())
def test_every_event_is_handled_in_every_phase(
    kind: type, config: CallSettings, script: list[Draw], data: st.DataObject
) -> None:
    for state, _ in walk(config, script):
        event = make(data.draw(draws([kind])), state)
        now = 400_000_000
        after, actions = step(state, event, now)
        check(after, state, actions)
        if kind not in TRANSITIONS[state.phase] and not isinstance(event, PlayoutEvent):
            grew = after.counts.illegal + after.counts.stale
            assert grew == state.counts.illegal + state.counts.stale + 1


def test_the_script_covers_every_event() -> None:
    assert set(EVENT_TYPES) == set(get_args(Event))
