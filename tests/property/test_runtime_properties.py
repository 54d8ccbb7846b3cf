"""Whatever happens to a call, in whatever order: the reducer's invariants hold, and it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as rules_of
from hypothesis import strategies as st

from mediacore import events as e
from mediacore.call import inputs as talk
from mediacore.errors import ErrorClass
from mediacore.events import CloseReason, CutCause, DigitSource
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.commands import COMMANDS
from mediacore.runtime.documents import inline_document
from mediacore.runtime.settings import RunSettings
from mediacore.runtime.timers import next_deadline
from support.runtime_call import Phone, settings

TTS = [{"type": "tts", "params": {"text": "hi"}}]
DEVICES = [[{"type": "phone", "params": {"to_number": "+1", "timeout": 3}}], ["+2"]]
DEVICES[1] = [{"type": "phone", "params": {"to_number": n, "timeout": 2}} for n in ("+2", "+3")]
DOCUMENTS: list[list[Any] | None] = [
    None,
    [
        {"answer": {}},
        {"record_call": {}},
        {"prompt": {"play": "say:x", "max_digits": 2, "speech_timeout": 9}},
        {"detect_machine": {"wait": False}},
        {"connect": {"serial": [{"to": "+1", "timeout": 4}, {"to": "+2"}], "confirm": "main"}},
        {"send_digits": {"digits": "1w"}},
    ],
    [
        {
            "connect": {
                "parallel": [{"to": "+1"}, {"to": "+2"}],
                "answer_on_bridge": True,
                "confirm": [{"prompt": {"play": "say:take it?"}}],
                "call_state_url": "http://s",
            }
        },
        {"request": {"url": "https://x", "method": "GET", "timeout": 3}},
        {"transfer": {"dest": "https://x/y"}},
    ],
    [
        {"ai": {"prompt": "hi", "params": {"static_greeting": "hello"}, "post_prompt": "sum"}},
        {"play": "say:after"},
    ],
    [{"label": "a"}, {"sleep": 0}, {"record": {"max_length": 2}}, {"goto": {"label": "a"}}],
]


def limits() -> RunSettings:
    return settings(max_call_ms=20_000, answer_ms=5_000, work_ms=3_000, play_stall_ms=2_000)


def some(found: list[str], pick: int) -> str:
    """One of them, or one that does not exist."""
    names = [*found, "nobody"]
    return names[pick % len(names)]


def line(phone: Phone, pick: int) -> str:
    return some(list(phone.state.lines), pick)


def op(phone: Phone, pick: int) -> str:
    return some(list(phone.state.ops), pick)


def playout(phone: Phone, pick: int) -> i.Event:
    plays = phone.of(a.StartPlay)
    if not plays or pick % 7 == 0:
        where, ids = line(phone, pick), (pick % 5, 0)
    else:
        play = plays[-1 - pick % min(len(plays), 3)]
        where, ids = play.line, (play.utterance, play.generation)
    kinds: list[e.MediaEvent] = [
        e.PlayoutStarted(7, 1, 10, *ids, 0),
        e.UtteranceFinished(7, 1, 10, *ids, 9, 9),
        e.UtteranceRefused(7, 1, 10, *ids, 0),
        e.PlayoutCut(7, 1, 10, *ids, 5, ids[1] + (1 << 32), 0, CutCause.BARGE_IN, 5),
        e.PlayoutLow(7, 1, 10, *ids, 5),
    ]
    return i.Media(where, kinds[pick % len(kinds)])


def media(phone: Phone, pick: int) -> i.Event:
    kinds: list[e.MediaEvent] = [
        e.SpeechStarted(7, 1, 8 * pick),
        e.SpeechEnded(7, 1, 8 * pick),
        e.DigitReceived(7, 1, 8, "123#*"[pick % 5], 100, DigitSource.EVENT),
        e.ToneDetected(7, 1, 8, 5 + pick % 3, 300),
        e.MediaLost(7, 1, 8, 500),
        e.MediaResumed(7, 1, 8),
        e.LegOpened(7, pick, 0),
        e.EventsLost(7, 1, 8, 3),
        e.LegClosed(7, 1, 8, CloseReason.BUDGET),
    ]
    index = pick % (len(kinds) if pick % 11 == 0 else len(kinds) - 1)
    return i.Media(line(phone, pick // 3), kinds[index])


def heard(phone: Phone, pick: int) -> i.Event:
    results = [
        talk.TranscriptPartial("ye", 5),
        talk.TranscriptFinal("yes please", 9, 0.5),
        talk.TranscriptFinal("", 9),
        talk.SttFailed(ErrorClass.UNAVAILABLE),
    ]
    return i.Heard(line(phone, pick // 4), results[pick % 4])


def agent(phone: Phone, pick: int) -> i.Event:
    run = phone.state.run.id if phone.state.run is not None and pick % 5 else pick
    asked = phone.of(a.AskModel)
    generation = asked[-1].generation if asked and pick % 3 else pick
    results: list[Any] = [
        talk.ReplyText(generation, "Sure."),
        talk.ReplyHangup(generation),
        talk.ReplyEnded(generation),
        talk.ReplyFailed(generation, ErrorClass.TIMEOUT),
        talk.ReplyToolCall(generation, "t1", "look", "{}"),
    ]
    return i.AgentResult(run, results[pick % len(results)])


def work(phone: Phone, pick: int) -> i.Event:
    name, run = op(phone, pick // 9), pick % 3 + 1
    document = inline_document([{"play": "say:there"}], "x") if pick % 2 else None
    events: list[i.Event] = [
        i.PlayFailed(name, ErrorClass.UNAVAILABLE, "x", pick % 2),
        i.RecordingStored(name, ok=bool(pick % 2), url="u"),
        i.ForkChanged(name, running=bool(pick % 2)),
        i.HttpReplied(name, 200, {"A": "b"}, '{"a": 1}', "" if pick % 2 else "refused"),
        i.DocumentFetched(name, document, "relay_script_parse_error", "x"),
        i.TokensUsed(run, 5, 5),
        i.SummaryReady(run, "done"),
        i.HookReplied(run, "startup_hook", ok=True),
        i.ToolReplied(run, pick, "t1", ok=True, reply={"response": "x"}),
    ]
    return events[pick % len(events)]


def signalling(phone: Phone, pick: int) -> i.Event:
    where = line(phone, pick // 4)
    reasons = ["hangup", "busy", "noAnswer", "decline"]
    events: list[i.Event] = [
        i.LineAnswered(where, 8 + pick % 3, 8000),
        i.LineAnswered(where, 8 + pick % 3, 8000),
        i.LineRinging(where),
        i.LineGone(where, reasons[pick % 4]),
    ]
    return events[pick % len(events)]


def odd(phone: Phone, pick: int) -> i.Event:
    events: list[i.Event] = [
        i.CallOffered(line(phone, pick)),
        i.ControllerGone(f"s{pick % 3}"),
        i.SpendChecked("x", granted=True),
        i.Tick(),
        i.HangupAsked("error") if pick % 7 == 0 else i.Tick(),
    ]
    return events[pick % len(events)]


MAKERS: list[Callable[[Phone, int], i.Event]] = [
    *(playout, media, heard, agent, work, signalling, odd),
]
VALUES: list[Any] = [None, "", "x", 0, 1, 5, -1, 2.5, True, [], {}, [[]], ["x"], 10**400]
PARAMS: dict[str, list[Any]] = {
    "control_id": ["c1", "c2", "c3", None, 5, []],
    "play": [TTS, TTS, [{"type": "silence", "duration": 1}], "x", []],
    "collect": [{"digits": {"max": 2}, "speech": {}}, {"speech": {}}, {}, 5],
    "digits": [{"max": 1}, "12", 5, None],
    "speech": [{}, None, "x"],
    "record": [{"audio": {}}, {}, "x"],
    "detect": [{"type": "machine", "params": {"detect_message_end": True}}, {"type": "x"}, 1],
    "tap": [{"params": {"direction": "both"}}, None, 5],
    "device": [{"params": {"addr": "1.2.3.4", "port": 5}}, {}, 5],
    "url": ["ws://x", "x", 5],
    "devices": [DEVICES, DEVICES, [], 5, [[{"params": {}}]]],
    "dest": [{"sections": {"main": [{"play": "say:x"}]}}, "https://x", "", 5, {}],
    "take_over": [True, False, "x"],
    "prompt": [{"text": "hi"}, "hi", 5, None],
    "message_text": ["x", 5, ""],
    "role": ["system", "user", "x"],
    "volume": VALUES,
    "timeout": VALUES,
    "ttl": VALUES,
    "reason": ["busy", 5, None],
}


def command(phone: Phone, pick: int, values: list[int]) -> None:
    methods = [*sorted(COMMANDS), "dial", "nonsense"]
    params = {
        name: choices[values[n % len(values)] % len(choices)]
        for n, (name, choices) in enumerate(PARAMS.items())
        if (values[0] >> n) % 4 or name == "control_id"
    }
    answer = phone.command(
        methods[pick % len(methods)],
        params,
        line=line(phone, pick // 50),
        issuer=f"s{pick % 2}",
        version=phone.state.version if pick % 5 == 0 else None,
    )
    assert answer.code in ("200", "400", "403", "404", "409", "410", "429", "501")


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["event", "event", "command", "wait"]),
        st.integers(0, 5_000),
        st.lists(st.integers(0, 1 << 24), min_size=5, max_size=5),
    ),
    min_size=15,
    max_size=60,
)


def started(which: int, outbound: bool) -> Phone:
    if outbound:
        phone = Phone(outbound=True, rules=limits())
        phone.command("dial", {"tag": "t", "devices": DEVICES}, line="")
        return phone
    document = DOCUMENTS[which]
    return Phone(document, rules=limits())


@given(st.integers(0, len(DOCUMENTS) - 1), st.booleans(), MOVES)
@rules_of(max_examples=120, deadline=None)
def test_any_sequence_keeps_the_invariants_and_comes_to_an_end(
    which: int, outbound: bool, moves: list[tuple[str, int, list[int]]]
) -> None:
    phone = started(which, outbound)
    for kind, pick, values in moves:
        if kind == "wait":
            phone.wait(pick)
        elif kind == "command":
            command(phone, pick, values)
        else:
            phone.do(MAKERS[values[0] % len(MAKERS)](phone, pick), pick % 300)
    phone.wait(500_000)  # every report is lost from here on
    assert phone.state.over, phone.state
    assert next_deadline(phone.state) is None
    assert phone.state.refused.get("timer_storm", 0) == 0
    assert phone.state.refused.get("endless_settling", 0) == 0


@pytest.mark.parametrize("which", range(len(DOCUMENTS)))
def test_a_call_ends_when_nothing_is_ever_reported(which: int) -> None:
    phone = started(which, outbound=False)
    phone.wait(500_000)
    assert phone.state.over


@pytest.mark.parametrize("which", range(len(DOCUMENTS)))
def test_a_call_ends_when_nothing_is_reported_after_the_answer(which: int) -> None:
    phone = started(which, outbound=False)
    if not phone.line().answering:
        phone.command("answer")
    phone.answered()
    phone.wait(500_000)
    assert phone.state.over


@given(st.sampled_from(sorted(COMMANDS)), st.integers(0, 6), st.data())
@rules_of(max_examples=150, deadline=None)
def test_any_parameters_of_any_command_have_one_answer(
    method: str, state: int, data: st.DataObject
) -> None:
    """The one answer is checked by the call's watch; what is refused changes nothing."""
    phone = Phone(rules=limits())
    if state:
        phone.ok("answer")
        phone.answered()
    if state == 2:
        phone.ok("hold")
    if state >= 3:
        phone.ok("connect", {"devices": DEVICES})
    if state == 4:
        phone.answered(phone.others[0])
    if state == 5:
        phone.do(i.LineGone("L1", "hangup"))
    names = data.draw(st.lists(st.sampled_from(sorted(PARAMS)), unique=True))
    params = {n: data.draw(st.sampled_from([*PARAMS[n], *VALUES])) for n in names}
    before = phone.state
    answer = phone.command(method, params)
    if answer.code != "200":
        assert (phone.state.ops, phone.state.flows) == (before.ops, before.flows)
        assert phone.state.version == before.version


def test_the_same_events_make_the_same_actions() -> None:
    def run() -> list[a.Action]:
        phone = Phone([{"connect": {"parallel": [{"to": str(n)} for n in range(9)]}}])
        phone.answered()
        phone.do(i.LineGone("L1", "hangup"))
        return phone.actions

    assert [x for x in run() if not isinstance(x, a.Log)] == [
        x for x in run() if not isinstance(x, a.Log)
    ]
