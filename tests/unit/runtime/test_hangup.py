"""The end of a line takes along what hangs on it, and nothing else."""

from __future__ import annotations

from mediacore.events import CloseReason, LegClosed
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from support.runtime_call import Phone

CONNECT = [{"answer": {}}, {"connect": {"to": "+1"}}, {"sleep": -1}]


def connected() -> tuple[Phone, str]:
    phone = Phone(CONNECT)
    phone.answered()
    b = phone.others[0]
    phone.answered(b)
    return phone, b


def order(phone: Phone) -> list[str]:
    kinds = (a.PartLines, a.EndLine, a.StopRecording, a.Publish, a.CallOver)
    found = [x for x in phone.last if isinstance(x, kinds)]
    return [
        x.event_type.rpartition(".")[2] + str(x.params.get("call_state", ""))
        if isinstance(x, a.Publish)
        else type(x).__name__
        for x in found
    ]


def test_the_call_s_own_line_takes_the_others_along() -> None:
    phone, b = connected()
    phone.do(i.LineGone("L1", "hangup"))
    assert order(phone) == [
        "PartLines",
        "connect",
        "EndLine",
        "EndLine",
        "stateending",
        "stateended",
        "stateending",
        "stateended",
        "CallOver",
    ]
    assert [x.line for x in phone.of(a.EndLine)] == ["L1", b]


def test_another_line_leaves_the_call_standing() -> None:
    phone, b = connected()
    phone.ok("play", {"play": [{"type": "silence", "duration": 1}]}, line=b)
    phone.do(i.LineGone(b, "hangup"))
    assert [x.line for x in phone.of(a.EndLine)] == [b]
    assert not phone.line().over
    assert not [o for o in phone.state.ops.values() if o.line == b]


def test_an_end_is_ordered_once() -> None:
    phone, b = connected()
    phone.do(i.LineGone(b, "hangup"))
    phone.do(i.LineGone(b, "hangup"))
    phone.do(i.LineGone("L1", "hangup"))
    assert len(phone.of(a.EndLine)) == 2 and phone.state.refused["stale_line"] == 1


def test_the_core_s_own_end_of_a_leg_is_the_end_of_the_line() -> None:
    for reason, word in [(CloseReason.BUDGET, "max_duration"), (CloseReason.COMMAND, "error")]:
        phone, _ = connected()
        phone.media(LegClosed, reason)
        assert phone.state.over and phone.state.end_reason == word


def test_a_shutdown_ends_everything() -> None:
    phone, b = connected()
    phone.do(i.HangupAsked("error"))
    assert phone.state.over and {x.line for x in phone.of(a.EndLine)} == {"L1", b}


def test_a_shutdown_before_anybody_answered() -> None:
    phone = Phone(outbound=True)
    devices = [[{"type": "phone", "params": {"to_number": "+1"}}]]
    phone.ok("dial", {"tag": "t", "devices": devices}, line="")
    phone.do(i.HangupAsked("cancel"))
    assert phone.state.over and phone.told("dial")[-1]["dial_state"] == "failed"


def test_recognition_stops_with_the_line() -> None:
    phone = Phone([{"prompt": {"play": "say:x", "speech_timeout": 5}}])
    phone.answered()
    assert phone.line().hearing
    phone.do(i.LineGone("L1", "hangup"))
    assert not phone.line().hearing
