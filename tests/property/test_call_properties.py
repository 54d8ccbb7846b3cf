"""Whatever happens, in whatever order, the reducer keeps its promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from itertools import pairwise
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
    CallTool,
    ConversationOver,
    ConversationStopped,
    CutPlayout,
    Event,
    GenerationSeen,
    HangupRequested,
    HoldEnded,
    HoldStarted,
    LineSaid,
    NoteGiven,
    Phase,
    ReplyEnded,
    ReplyFailed,
    ReplyHangup,
    ReplyText,
    ReplyToolCall,
    ResumePlayout,
    Role,
    SettingsChanged,
    Speak,
    SpeechFailed,
    SpeechReady,
    SpeechSynthesised,
    SpeechWords,
    StartReply,
    TextGiven,
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
from mediacore.call.context import Context, ContextEntry, ToolRequest
from mediacore.call.record import UtteranceKind, UtteranceState, WordTime
from mediacore.call.recovery import ErrorReason
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
RARE = (
    *(LegClosed, CallerGone, HangupRequested, CallStarted, GenerationSeen, LegOpened),
    *(ConversationStopped, HoldStarted, SettingsChanged),
)
STEER = (TextGiven, LineSaid, NoteGiven)
HISTORIES: tuple[Context, ...] = (
    (),
    (ContextEntry(Role.SYSTEM, "so far: nothing"), ContextEntry(Role.USER, "hello")),
    (
        ContextEntry(Role.TOOL, "nobody asked", tool_call_id="x"),
        ContextEntry(Role.ASSISTANT, "", (ToolRequest("a", "look_up", "{}"),)),
    ),
)
COMMON = tuple(kind for kind in EVENT_TYPES if kind not in RARE)

LIKELY: dict[Phase, tuple[type, ...]] = {
    Phase.LISTENING: (SpeechStarted, SpeechStarted, TranscriptFinal, DigitReceived, *STEER),
    Phase.ON_HOLD: (HoldEnded, SpeechStarted, SpeechEnded, ToolFinished, Wake, *STEER),
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
    Phase.CLOSING: (
        *(PlayoutStarted, UtteranceFinished, PlayoutPaused, ReplyEnded, SpeechStarted),
        *(HoldStarted, LineSaid, Wake),
    ),
}


def coin(r: Random) -> bool:
    return r.random() < 0.5


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
    "role": lambda r: r.choice(list(Role)),
    "context": lambda r: r.choice(HISTORIES),
    "settings": lambda r: CallSettings(tools_wait=r.random() < 0.5, history_turns=r.randrange(3)),
    "line": lambda r: r.choice(["", "Here I am again."]),
    "limit_ms": lambda r: r.choice([1, 500, 5000]),
    "replaced_by": lambda r: r.choice([None, None, "", "It was looked up."]),
    **dict.fromkeys(("respond", "interruptible", "forget_open", "now", "hangup"), coin),
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
    hard_stop_ms=st.sampled_from([0, 0, 15_000]),
    hard_stop_prompt=st.sampled_from(["", "Say goodbye."]),
    attention_prompt=st.sampled_from(["", "Ask whether they are there."]),
    inactivity_ms=st.sampled_from([0, 30_000]),
    initial_sleep_ms=st.sampled_from([0, 400]),
    max_fillers=st.sampled_from([1, 3]),
    tools_wait=st.booleans(),
    history_turns=st.sampled_from([0, 2]),
    turn=st.builds(
        TurnSettings,
        speculative=st.booleans(),
        detector=st.booleans(),
        sound_cuts=st.booleans(),
        merge_ms=st.sampled_from([0, 3000]),
    ),
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
    if kind in (ReplyFailed, ToolFinished):
        values["reason"] = r.choice([None, None, *ErrorReason])
    if kind is LegClosed:
        values["reason"] = r.choice(list(CloseReason))
    return kind(**values)  # type: ignore[no-any-return]


def check(state: CallState, before: CallState, actions: list[Action]) -> None:
    """The promises of one step."""
    if before.phase is Phase.ENDED:
        assert state.phase is Phase.ENDED
        assert actions == []
    if any(isinstance(a, ConversationOver) for a in actions):
        assert isinstance(actions[-1], ConversationOver)
        assert state.phase is Phase.ENDED
    for action in actions:
        if isinstance(action, Speak | StartReply):
            assert action.generation > before.generation or (
                before.agent is not None and before.agent.generation == action.generation
            )
    for action in actions:
        if isinstance(action, StartReply):
            check_context(action.context)
    if before.phase is Phase.ON_HOLD and state.hold is not None:
        audible = (Speak, StartReply, CallTool, ResumePlayout)
        assert not any(isinstance(a, audible) for a in actions)
    if state.phase is Phase.ON_HOLD:
        assert state.agent is None
        assert state.interruption is None
    for utt in state.agent.utterances if state.agent else ():
        heard = ledger.heard_samples(utt, state.far_delay_samples)
        assert heard <= utt.played <= utt.queued
        chars = ledger.heard_chars(utt, state.rate, state.srate_hz, state.far_delay_samples)
        assert 0 <= chars <= len(utt.text)
        if utt.state is UtteranceState.REFUSED:
            assert chars == 0
    assert state.generation >= before.generation
    assert state.next_utterance >= before.next_utterance


def check_context(context: Context) -> None:
    """Each result follows its call, each call has its result."""
    waiting: list[str] = []
    for entry in context:
        if entry.role is Role.TOOL:
            assert entry.tool_call_id in waiting
            waiting.remove(entry.tool_call_id)
        else:
            assert not waiting
            waiting = [call.id for call in entry.tool_calls]
    assert not waiting


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
    hangups = [a for a in actions if isinstance(a, ConversationOver)]
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


@settings(max_examples=120, deadline=None)
@given(SETTINGS, SCRIPTS)
def test_one_goodbye_for_each_closing_and_a_second_only_after_the_caller_cut_the_first(
    config: CallSettings, script: list[int]
) -> None:
    in_this_closing = in_all = 0
    before: CallState | None = None
    for state, actions in walk(config, script):
        goodbyes = sum(isinstance(a, Speak) and a.kind is UtteranceKind.CLOSING for a in actions)
        withdrawn = state.closing_interrupted and before and not before.closing_interrupted
        if withdrawn or (before is not None and before.ending is None):
            in_this_closing = 0
        in_this_closing += goodbyes
        in_all += goodbyes
        assert in_this_closing <= 1
        if goodbyes and before is not None and before.closing_interrupted:
            assert state.ending is None or not state.ending.interruptible
        before = state
    assert in_all <= 2


@settings(max_examples=60, deadline=None)
@given(SETTINGS, SCRIPTS)
def test_no_line_of_recovery_is_said_twice_in_a_row(
    config: CallSettings, script: list[int]
) -> None:
    scripted = {*config.lines.recoveries, *config.lines.reprompts}
    said = [a.text for _, actions in walk(config, script) for a in actions if isinstance(a, Speak)]
    canned = [text for text in said if text in scripted]
    assert all(a != b for a, b in pairwise(canned))


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
        hangups += sum(isinstance(a, ConversationOver) for a in actions)
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
