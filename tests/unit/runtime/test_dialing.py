"""Dialling: prepared, committed or aborted; nobody is left with nobody."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.state import DialData, DialStage, LineState
from support.runtime_call import Phone, settings

AFTER = [{"play": "say:after"}, {"sleep": -1}]


def device(to: str, **more: Any) -> dict[str, Any]:
    return {"type": "phone", "params": {"to_number": to, **more}}


def connect(*, answered: bool = True, **params: Any) -> Phone:
    """A document that connects the caller, then goes on."""
    phone = Phone([{"answer": {}}, {"connect": params}, *AFTER])
    if answered:
        phone.answered()
    return phone


def bridged(phone: Phone) -> bool:
    return len(phone.of(a.JoinLines)) > len(phone.of(a.PartLines))


def bed(phone: Phone) -> bool:
    beds = phone.of(a.StartBed)
    stops = phone.of(a.StopBed)
    assert 0 <= len(beds) - len(stops) <= 1
    return len(beds) > len(stops)


def stage(phone: Phone) -> DialStage | None:
    found = [op.data.stage for op in phone.state.ops.values() if isinstance(op.data, DialData)]
    return found[0] if found else None


def ended(phone: Phone) -> list[tuple[str, str]]:
    return [(x.line, x.reason) for x in phone.of(a.EndLine)]


class TestWays:
    def test_one(self) -> None:
        phone = connect(to="+1777")
        (b,) = phone.others
        dial = phone.of(a.DialLine)[0]
        assert (dial.to_number, dial.from_number, dial.kind) == ("+1777", "+1555", "phone")
        assert bed(phone)
        phone.do(i.LineRinging(b))
        phone.answered(b)
        assert bridged(phone) and not bed(phone)
        assert phone.line().peer == b and phone.line(b).peer == "L1"
        assert [p["connect_state"] for p in phone.told("connect")] == ["connecting", "connected"]
        peer = phone.told("connect")[-1]["peer"]
        assert peer["call_id"] == b and peer["device"]["params"]["to_number"] == "+1777"
        phone.do(i.LineGone(b, "hangup"))
        assert not bridged(phone) and phone.said == ["after"]
        assert phone.vars["connect_result"] == phone.vars["return_value"] == "connected"
        assert phone.told("connect")[-1]["connect_state"] == "disconnected"

    def test_one_after_the_other(self) -> None:
        phone = connect(serial=[{"to": "+1"}, {"to": "sip:b@x"}])
        assert len(phone.others) == 1
        phone.do(i.LineGone(phone.others[0], "busy"))
        assert len(phone.others) == 2
        assert phone.of(a.DialLine)[1].kind == "sip"
        phone.answered(phone.others[1])
        assert bridged(phone)

    def test_all_at_once_the_first_wins_even_in_the_same_instant(self) -> None:
        phone = connect(parallel=[{"to": "+1"}, {"to": "+2"}, {"to": "+3"}])
        one, two, three = phone.others
        phone.answered(two)
        assert set(ended(phone)) == {(one, "cancel"), (three, "cancel")}
        phone.do(i.LineAnswered(one, 44, 8000))
        assert phone.of(a.EndLine, last=True) == [a.EndLine(one, "cancel")]
        assert phone.line().peer == two and phone.state.refused["stale_line"] == 1

    def test_groups(self) -> None:
        phone = connect(serial_parallel=[[{"to": "+1"}, {"to": "+2"}], [{"to": "+3"}]])
        one, two = phone.others
        phone.do(i.LineGone(one, "busy"))
        assert len(phone.others) == 2
        phone.do(i.LineGone(two, "decline"))
        assert len(phone.others) == 3

    def test_numbers_of_the_destination_s_own(self) -> None:
        phone = connect(
            serial=[
                {"to": "+1", "from": "+9", "timeout": 5, "headers": [{"name": "X", "value": 1}]}
            ],
            codecs="PCMA,OPUS",
        )
        dial = phone.of(a.DialLine)[0]
        assert (dial.from_number, dial.timeout_ms, dial.headers) == ("+9", 5000, {"X": "1"})
        assert dial.codecs == ("PCMA", "OPUS")

    def test_each_rings_as_long_as_its_own_time(self) -> None:
        phone = connect(parallel=[{"to": "+1", "timeout": 2}, {"to": "+2", "timeout": 5}])
        one, two = phone.others
        phone.wait(2000)
        assert ended(phone) == [(one, "noAnswer")]
        phone.wait(3000)
        assert ended(phone) == [(one, "noAnswer"), (two, "noAnswer")]
        assert phone.vars["connect_failed_reason"] == "noAnswer"

    @pytest.mark.parametrize(
        "reason", ["busy", "noAnswer", "decline", "error", "not_found", "cancel"]
    )
    def test_why_it_failed(self, reason: str) -> None:
        phone = connect(to="+1")
        phone.do(i.LineGone(phone.others[0], reason))
        assert phone.vars["connect_result"] == phone.vars["return_value"] == "failed"
        assert phone.vars["connect_failed_reason"] == reason
        assert phone.told("connect")[-1]["failed_reason"] == reason
        assert not bed(phone) and phone.said == ["after"] and phone.state.dial is None

    def test_the_result_is_switched_on(self) -> None:
        cases = {"connected": [{"play": "say:was there"}], "failed": [{"play": "say:nobody"}]}
        phone = connect(to="+1", result={"variable": "connect_result", "case": cases})
        phone.do(i.LineGone(phone.others[0], "busy"))
        assert phone.said == ["nobody"]

    def test_too_many_destinations_are_a_mistake(self) -> None:
        phone = connect(serial=[{"to": str(n)} for n in range(17)])
        assert phone.vars["connect_result"] == "failed" and not phone.others
        assert phone.said == ["after"]

    def test_lines_of_a_call_are_limited(self) -> None:
        phone = Phone(
            [{"answer": {}}, {"connect": {"parallel": [{"to": "+1"}, {"to": "+2"}]}}, *AFTER],
            rules=settings(max_lines=2),
        )
        phone.answered()
        assert phone.vars["connect_result"] == "failed" and not phone.others


class TestConfirm:
    ASK: ClassVar[list[Any]] = [
        {"prompt": {"play": "say:take it?", "max_digits": 1}},
        {"cond": [{"when": "prompt_value != '1'", "then": [{"hangup": {}}]}]},
    ]

    def asked(self, **more: Any) -> tuple[Phone, str]:
        phone = connect(to="+1", confirm=self.ASK, confirm_timeout=10, **more)
        b = phone.others[0]
        phone.answered(b)
        assert stage(phone) is DialStage.CONFIRMING and not bridged(phone)
        assert phone.of(a.StartPlay)[-1].line == b
        return phone, b

    def test_accepted(self) -> None:
        phone, b = self.asked()
        phone.key("1", b)
        assert bridged(phone) and not bed(phone)

    def test_refused(self) -> None:
        phone, b = self.asked()
        phone.key("2", b)
        assert not bridged(phone) and phone.line(b).state is LineState.ENDED
        assert phone.vars["connect_result"] == "failed" and not bed(phone)

    def test_time_over(self) -> None:
        phone, b = self.asked()
        phone.wait(10_000)
        assert phone.line(b).state is LineState.ENDED
        assert phone.vars["connect_failed_reason"] == "decline" and not bed(phone)

    def test_the_destination_hangs_up_meanwhile(self) -> None:
        phone, b = self.asked()
        phone.do(i.LineGone(b, "hangup"))
        assert phone.vars["connect_failed_reason"] == "hangup" and not bed(phone)
        assert not [f for f in phone.state.flows if f.line == b]

    def test_the_caller_hangs_up_meanwhile(self) -> None:
        phone, b = self.asked()
        phone.do(i.LineGone("L1", "hangup"))
        assert phone.state.over and (b, "hangup") in ended(phone) and not bed(phone)

    def test_the_next_is_asked_after_a_refusal(self) -> None:
        phone = connect(serial=[{"to": "+1"}, {"to": "+2"}], confirm=self.ASK)
        phone.answered(phone.others[0])
        phone.key("2", phone.others[0])
        phone.answered(phone.others[1])
        phone.key("1", phone.others[1])
        assert phone.line().peer == phone.others[1]

    def test_a_document_by_url(self) -> None:
        phone = connect(to="+1", confirm="https://x/confirm")
        phone.answered(phone.others[0])
        fetch = phone.of(a.FetchDocument)[-1]
        assert fetch.url == "https://x/confirm"
        phone.do(i.DocumentFetched(fetch.op, None, "relay_script_execute_failed", "404"))
        assert bridged(phone)

    def test_a_document_that_is_none(self) -> None:
        main = [{"set": {"x": [{"nonsense": {}}]}}, {"connect": {"to": "+1", "confirm": "%{x}"}}]
        phone = Phone([{"answer": {}}, *main, *AFTER])
        phone.answered()
        phone.answered(phone.others[0])
        assert phone.vars["connect_failed_reason"] == "decline" and phone.told("script.warning")

    def test_a_controller_cannot_take_over_the_one_who_is_asked(self) -> None:
        phone, b = self.asked()
        assert phone.command("lease", {"take_over": True}, line=b).code == "409"
        phone.key("1", b)
        assert bridged(phone)


class TestBridge:
    def test_the_caller_is_answered_only_when_somebody_is_there(self) -> None:
        phone = Phone([{"connect": {"to": "+1", "answer_on_bridge": True, "timeout": 300}}, *AFTER])
        assert not phone.of(a.AnswerLine) and not phone.of(a.StartBed)
        phone.wait(120_000)
        assert not phone.line().over
        phone.answered(phone.others[0])
        assert phone.of(a.AnswerLine) and stage(phone) is DialStage.JOINING
        phone.answered("L1")
        assert bridged(phone) and not phone.of(a.StopBed)

    def test_an_answer_that_never_comes_ends_the_call(self) -> None:
        phone = Phone([{"connect": {"to": "+1", "answer_on_bridge": True}}, *AFTER])
        phone.answered(phone.others[0])
        phone.wait(phone.state.settings.answer_ms)
        assert phone.state.over and phone.state.end_reason == "error"

    def test_the_ring_is_heard_from_the_answer_on(self) -> None:
        phone = Phone([{"connect": {"to": "+1"}}, *AFTER])
        assert phone.of(a.AnswerLine) and not phone.of(a.StartBed)
        phone.answered("L1")
        assert bed(phone)
        phone.do(i.LineGone(phone.others[0], "busy"))
        assert not bed(phone)

    def test_its_length_is_limited(self) -> None:
        phone = connect(to="+1", max_duration=30)
        phone.answered(phone.others[0])
        phone.wait(30_000)
        assert ended(phone) == [(phone.others[0], "max_duration")]
        assert phone.said == ["after"]

    def test_the_caller_hangs_up(self) -> None:
        phone = connect(to="+1")
        b = phone.others[0]
        phone.answered(b)
        phone.do(i.LineGone("L1", "hangup"))
        assert ended(phone) == [("L1", "hangup"), (b, "hangup")] and phone.state.over
        assert len(phone.of(a.PartLines)) == 1

    def test_both_hang_up_in_the_same_instant(self) -> None:
        phone = connect(to="+1")
        b = phone.others[0]
        phone.answered(b)
        phone.do(i.LineGone(b, "hangup"))
        phone.do(i.LineGone("L1", "hangup"))
        assert phone.state.over and len(ended(phone)) == 2

    def test_no_second_dial_while_it_lasts(self) -> None:
        phone = connect(to="+1")
        phone.answered(phone.others[0])
        answer = phone.command("connect", {"devices": [[device("+2")]]})
        assert answer.code == "409"


class TestStatus:
    def test_the_states_that_are_wanted_are_posted(self) -> None:
        wanted = ["created", "ringing", "answered", "ended"]
        phone = connect(to="+1", call_state_url="http://s", call_state_events=wanted)
        b = phone.others[0]
        phone.do(i.LineRinging(b))
        phone.answered(b)
        phone.do(i.LineGone(b, "hangup"))
        posts = [x.body["params"] for x in phone.of(a.PostStatus)]
        assert [p["call_state"] for p in posts] == wanted  # type: ignore[index]
        assert {p["call_id"] for p in posts} == {b}  # type: ignore[index]

    def test_only_the_end_by_default(self) -> None:
        phone = connect(parallel=[{"to": "+1"}, {"to": "+2"}], call_state_url="http://s")
        phone.answered(phone.others[0])
        phone.do(i.LineGone("L1", "hangup"))
        posts = [x.body["params"] for x in phone.of(a.PostStatus)]
        assert [p["call_state"] for p in posts] == ["ended", "ended"]  # type: ignore[index]


def at_stage(name: str) -> Phone:
    """A document's connect, at this stage."""
    confirm = TestConfirm.ASK if name == "confirming" else None
    bridge = name == "joining"
    params: dict[str, Any] = {"to": "+1", "answer_on_bridge": bridge}
    if confirm:
        params["confirm"] = confirm
    phone = connect(answered=not bridge, **params)
    if bridge:
        phone = Phone([{"connect": params}, *AFTER])
    b = phone.others[0]
    if name != "created":
        phone.do(i.LineRinging(b))
    if name in ("confirming", "joining", "committed"):
        phone.answered(b)
    return phone


STAGES = ["created", "ringing", "confirming", "joining", "committed"]


@pytest.mark.parametrize("name", STAGES)
class TestEveryStage:
    def test_the_caller_hangs_up(self, name: str) -> None:
        phone = at_stage(name)
        b = phone.others[0]
        phone.do(i.LineGone("L1", "hangup"))
        assert phone.state.over and not bed(phone) and not bridged(phone)
        reason = "cancel" if name in ("created", "ringing") else "hangup"
        assert (b, reason) in ended(phone)
        over = "disconnected" if name == "committed" else "failed"
        assert [p["connect_state"] for p in phone.told("connect")].count(over) == 1

    def test_the_destination_hangs_up(self, name: str) -> None:
        phone = at_stage(name)
        phone.do(i.LineGone(phone.others[0], "hangup"))
        assert not bed(phone) and not bridged(phone)
        assert phone.vars["connect_result"] == ("connected" if name == "committed" else "failed")

    def test_disconnect(self, name: str) -> None:
        phone = at_stage(name)
        b = phone.others[0]
        phone.ok("disconnect")
        assert not bed(phone) and not bridged(phone) and phone.line(b).over
        assert not phone.line().over and stage(phone) is None
        assert phone.command("disconnect").code == "409"

    def test_no_transfer_before_the_commit(self, name: str) -> None:
        phone = at_stage(name)
        answer = phone.command("transfer", {"dest": {"sections": {"main": [{"sleep": -1}]}}})
        assert answer.code == ("200" if name == "committed" else "409")
        assert name != "committed" or phone.line(phone.others[0]).over

    def test_a_take_over_undoes_it(self, name: str) -> None:
        phone = at_stage(name)
        phone.ok("lease", {"take_over": True})
        assert not bed(phone) and stage(phone) is None and phone.line(phone.others[0]).over
        assert not phone.line().over and not phone.state.flows


class TestOutbound:
    def dial(self, *groups: list[str], **more: Any) -> Phone:
        phone = Phone(outbound=True)
        devices = [[device(to) for to in group] for group in groups]
        phone.ok("dial", {"tag": "t", "devices": devices, **more}, line="")
        return phone

    def test_states_come_before_and_after_the_dial_s_own_event(self) -> None:
        phone = self.dial(["+1"])
        (b,) = phone.others
        created = next(x for x in phone.of(a.Publish) if x.event_type == "calling.call.state")
        assert created.issuer == "s1" and created.params["tag"] == "t"
        phone.do(i.LineRinging(b))
        phone.answered(b)
        order = [
            x.event_type.rpartition(".")[2] + ":" + str(x.params.get("call_state", ""))
            for x in phone.of(a.Publish)
        ]
        assert order == ["state:created", "state:ringing", "state:answered", "dial:"]
        dial = phone.told("dial")[-1]
        assert dial["tag"] == "t" and dial["dial_state"] == "answered"
        assert dial["call"]["call_id"] == b and dial["call"]["dial_winner"] is True
        assert dial["call"]["tag"] == "t" and dial["call"]["device"]["type"] == "phone"
        phone.wait(1000)
        states = [p["call_state"] for p in phone.told("state")]
        assert states == ["created", "ringing", "answered", "answered"]
        assert phone.state.main == b

    def test_the_loser_is_cancelled(self) -> None:
        phone = self.dial(["+1", "+2"])
        one, two = phone.others
        phone.answered(one)
        assert ended(phone) == [(two, "cancel")] and not phone.state.over

    def test_nobody_answers(self) -> None:
        phone = self.dial(["+1"], ["+2"])
        phone.do(i.LineGone(phone.others[0], "busy"))
        phone.do(i.LineGone(phone.others[1], "decline"))
        dial = phone.told("dial")
        assert [p["dial_state"] for p in dial] == ["failed"]
        assert phone.state.over and phone.state.end_reason == "decline"

    def test_nothing_is_ever_reported(self) -> None:
        phone = self.dial(["+1"], ["+2"])
        phone.wait(120_000)
        assert phone.state.over and phone.told("dial")[-1]["dial_state"] == "failed"

    def test_its_length_is_limited(self) -> None:
        phone = self.dial(["+1"], max_duration=60)
        phone.answered(phone.others[0])
        phone.wait(60_000)
        assert phone.state.over and phone.state.end_reason == "max_duration"

    def test_a_controller_that_is_gone_aborts_it(self) -> None:
        phone = self.dial(["+1"])
        phone.do(i.ControllerGone("s1"))
        assert phone.state.over and phone.told("dial")[-1]["dial_state"] == "failed"
        assert ended(phone) == [(phone.others[0], "cancel")]

    @pytest.mark.parametrize("devices", [None, [], [[]], [["x"]], [[{"type": "phone"}]]])
    def test_a_dial_that_is_refused_ends_the_call_that_never_was(self, devices: Any) -> None:
        phone = Phone(outbound=True)
        assert phone.command("dial", {"tag": "t", "devices": devices}, line="").code == "400"
        assert phone.state.over

    def test_who_may_not_dial(self) -> None:
        phone = Phone(outbound=True)
        answer = phone.command("dial", {}, line="", permissions=frozenset({"control"}))
        assert answer.code == "403" and phone.state.over

    def test_one_call_dials_once(self) -> None:
        phone = self.dial(["+1"])
        answer = phone.command("dial", {"devices": [[device("+2")]]}, line="")
        assert answer.code == "409" and not phone.state.over


class TestControllers:
    def test_connect(self) -> None:
        phone = Phone()
        phone.ok("answer")
        phone.answered()
        ring = [{"type": "ringtone", "params": {"name": "us"}}]
        phone.ok("connect", {"devices": [[device("+2")]], "tag": "x", "ringback": ring})
        assert bed(phone) and phone.of(a.DialLine)[0].from_number == "+1555"
        phone.answered(phone.others[0])
        assert not bed(phone) and phone.told("connect")[-1]["tag"] == "x"
        phone.ok("disconnect")
        assert phone.told("connect")[-1]["connect_state"] == "disconnected"
        assert not phone.line().over

    def test_without_ringback_no_bed_is_touched(self) -> None:
        phone = Phone()
        phone.ok("answer")
        phone.answered()
        phone.ok("connect", {"devices": [[device("+2")]]})
        phone.do(i.LineGone(phone.others[0], "busy"))
        assert not phone.of(a.StartBed) and not phone.of(a.StopBed)
