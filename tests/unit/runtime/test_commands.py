"""Commands of controllers: who may, what is answered, in every state of a line."""

from __future__ import annotations

from typing import Any

import pytest

from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.commands import COMMANDS
from mediacore.runtime.state import LineState
from support.runtime_call import Phone, settings

TTS = [{"type": "tts", "params": {"text": "hi"}}]
DEVICES = [[{"type": "phone", "params": {"to_number": "+1"}}]]
RTP = {"type": "rtp", "params": {"addr": "127.0.0.1", "port": 9000}}
GOOD: dict[str, dict[str, Any]] = {
    "play": {"play": TTS},
    "play_and_collect": {"play": TTS, "collect": {"digits": {"max": 1}}},
    "collect": {"digits": {"max": 1}},
    "record": {"record": {"audio": {}}},
    "detect": {"detect": {"type": "machine", "params": {}}},
    "tap": {"tap": {"type": "audio", "params": {}}, "device": RTP},
    "stream": {"url": "ws://x"},
    "send_digits": {"digits": "1"},
    "connect": {"devices": DEVICES},
    "transfer": {"dest": {"sections": {"main": [{"sleep": -1}]}}},
    "refer": {"device": {"type": "sip", "params": {"to": "sip:desk@example.org"}}},
    "ai": {"prompt": {"text": "Be kind."}},
    "ai_message": {"message_text": "x", "role": "system"},
}
"""Parameters with which each command can succeed; {} where none are needed."""

MEDIA = frozenset(
    {
        *("play", "play_and_collect", "collect", "record", "detect", "tap", "stream"),
        *("send_digits", "refer", "hold", "ai"),
    }
)
NAMED = frozenset(name for name in COMMANDS if "." in name and not name.startswith("ai"))
AGENT = frozenset({"ai.stop", "ai_message", "ai_hold", "ai_unhold"})


def at(state: str) -> Phone:
    phone = Phone()
    if state == "ringing":
        return phone
    phone.ok("answer")
    phone.answered()
    match state:
        case "held":
            phone.ok("hold")
        case "bridged":
            phone.ok("connect", {"devices": DEVICES})
            phone.answered(phone.others[0])
        case "dialing":
            phone.ok("connect", {"devices": DEVICES})
        case "ending":
            phone.ok("record", {"control_id": "r", "record": {}})
            phone.do(i.LineGone("L1", "hangup"))
            assert phone.line().over and not phone.state.over
        case "ended":
            phone.do(i.LineGone("L1", "hangup"))
    return phone


def code(state: str, method: str) -> str:
    """What the answer must be."""
    if state in ("ending", "ended"):
        return "410"
    if method in NAMED:
        return "404"
    if method in ("release", *AGENT):
        return "409"
    if state == "ringing":
        return "409" if method in MEDIA | {"disconnect", "unhold"} else "200"
    if method in ("answer", "pass"):
        return "409"
    if state == "dialing":
        busy = ("connect", "transfer", "ai", "play", "play_and_collect", "hold", "unhold")
        return "409" if method in busy else "200"
    refused = {
        "answered": ("disconnect", "unhold"),
        "held": ("disconnect", "hold"),
        "bridged": ("connect", "unhold"),
    }
    return "409" if method in refused[state] else "200"


STATES = ["ringing", "answered", "held", "dialing", "bridged", "ending", "ended"]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("method", sorted(COMMANDS))
def test_every_command_in_every_state_has_one_answer(method: str, state: str) -> None:
    phone = at(state)
    version = phone.state.version
    answer = phone.command(method, GOOD.get(method, {}))
    assert answer.code == code(state, method), answer
    if answer.code == "200":
        assert answer.data["state_version"] == phone.state.version or phone.state.version > version
    elif state not in ("ending", "ended"):
        assert phone.state.version == version


@pytest.mark.parametrize("method", sorted(COMMANDS))
def test_a_line_that_is_being_dialled(method: str) -> None:
    phone = Phone(outbound=True)
    phone.ok("dial", {"tag": "t", "devices": DEVICES}, line="")
    line = phone.others[0]
    assert phone.line(line).state is LineState.CREATED
    answer = phone.command(method, GOOD.get(method, {}), line=line)
    allowed = ("end", "lease", "user_event", "pass")
    assert answer.code in (("200", "409") if method in allowed else ("404", "409")), answer


class TestWhoMay:
    def test_unknown_commands(self) -> None:
        answer = at("answered").command("send_fax")
        assert answer.code == "501" and "send_fax" in answer.message

    def test_unknown_calls(self) -> None:
        assert at("answered").command("play", line="L9").code == "404"

    def test_another_project_does_not_learn_of_the_call(self) -> None:
        for state in ("answered", "ending"):
            assert at(state).command("end", project="q").code == "404"
        assert at("answered").command("send_fax", project="q").code == "404"

    def test_permissions(self) -> None:
        answer = at("answered").command("end", permissions=frozenset({"read", "dial"}))
        assert answer.code == "403"

    def test_a_version_that_is_not_the_present_one(self) -> None:
        phone = at("answered")
        version = phone.ok("user_event").data["state_version"]
        assert phone.command("hold", version=version).code == "200"
        answer = phone.command("unhold", version=version)
        assert answer.code == "409" and "state_version" in answer.message

    def test_versions_only_go_up(self) -> None:
        phone = at("ringing")
        seen = [phone.state.version]
        for method in ("answer", "user_event", "lease"):
            phone.ok(method)
            seen.append(phone.state.version)
        assert seen == sorted(set(seen))

    def test_names_are_used_once_at_a_time(self) -> None:
        phone = at("answered")
        phone.ok("play", {"control_id": "c", "play": TTS})
        assert phone.command("record", {"control_id": "c", "record": {}}).code == "409"
        phone.ok("play.stop", {"control_id": "c"})
        phone.ok("record", {"control_id": "c", "record": {}})

    def test_names_belong_to_their_kind_and_line(self) -> None:
        phone = at("bridged")
        phone.ok("play", {"control_id": "c", "play": TTS})
        assert phone.command("record.stop", {"control_id": "c"}).code == "404"
        assert phone.command("play.stop", {"control_id": "c"}, line=phone.others[0]).code == "404"

    def test_names_that_the_call_makes_up_do_not_collide(self) -> None:
        phone = at("answered")
        taken = {f"play-{n}" for n in range(1, 9)}
        for name in sorted(taken):
            phone.ok("play", {"control_id": name, "play": TTS})
        assert phone.ok("play", {"play": TTS}).data["control_id"] not in taken
        assert len(phone.state.ops) == 9

    def test_too_long_a_name(self) -> None:
        assert at("answered").command("play", {"control_id": "x" * 257, "play": TTS}).code == "400"

    def test_too_many_operations(self) -> None:
        phone = Phone(rules=settings(max_operations=2))
        phone.ok("answer")
        phone.answered()
        phone.ok("play", {"play": TTS})
        phone.ok("play", {"play": TTS})
        assert phone.command("play", {"play": TTS}).code == "429"

    def test_too_many_destinations(self) -> None:
        phone = Phone(rules=settings(max_lines=1))
        phone.ok("answer")
        phone.answered()
        assert phone.command("connect", {"devices": DEVICES}).code == "429"


class TestLeases:
    def test_a_lease_keeps_others_out_until_it_ends(self) -> None:
        phone = at("answered")
        phone.ok("lease", {"ttl": 10})
        assert phone.command("hold", issuer="s2").code == "409"
        phone.ok("hold")
        phone.wait(10_000)
        assert phone.state.lease is None
        phone.ok("unhold", issuer="s2")

    def test_it_is_released_by_its_holder_only(self) -> None:
        phone = at("answered")
        phone.ok("lease")
        assert phone.command("release", issuer="s2").code == "409"
        phone.ok("release")
        phone.ok("hold", issuer="s2")

    def test_it_ends_with_its_controller(self) -> None:
        phone = at("answered")
        phone.ok("lease")
        phone.do(i.ControllerGone("s2"))
        assert phone.state.lease is not None
        phone.do(i.ControllerGone("s1"))
        assert phone.state.lease is None

    @pytest.mark.parametrize("ttl", [0, -1, 3601, "x"])
    def test_lengths_that_are_refused(self, ttl: object) -> None:
        phone = at("answered")
        assert phone.command("lease", {"ttl": ttl}).code == "400" and phone.state.lease is None

    def test_a_document_has_the_voice_until_it_is_taken_over(self) -> None:
        phone = Phone([{"prompt": {"play": "say:press"}}, {"play": "say:on"}])
        phone.answered()
        phone.playing()
        assert phone.command("play", {"play": TTS}).code == "409"
        phone.ok("lease", {"take_over": True})
        assert phone.told("collect")[-1]["state"] == "error" and not phone.state.flows
        phone.ok("play", {"control_id": "c", "play": TTS})
        assert phone.said[-1] == "hi" and phone.of(a.StopPlay)
        assert not phone.state.over

    @pytest.mark.parametrize(
        "statement",
        [
            {"record": {}},
            {"sleep": -1},
            {"send_digits": {"digits": "1"}},
            {"request": {"url": "https://x", "method": "GET"}},
            {"detect_machine": {}},
            {"transfer": {"dest": "https://x"}},
            {"connect": {"to": "+1"}},
        ],
    )
    def test_whatever_a_document_waits_for_is_undone(self, statement: dict[str, Any]) -> None:
        phone = Phone([{"answer": {}}, statement, {"play": "say:on"}])
        phone.answered()
        phone.ok("lease", {"take_over": True})
        phone.wait(60_000)
        assert not phone.said and not phone.state.over and not phone.state.ops

    def test_a_transfer_ends_what_there_was(self) -> None:
        phone = Phone([{"play": "say:one"}, {"play": "say:two"}])
        phone.answered()
        phone.playing()
        phone.ok("transfer", {"dest": {"sections": {"main": [{"play": "say:new"}]}}})
        assert phone.said == ["one", "new"] and len(phone.state.flows) == 1

    @pytest.mark.parametrize("dest", [None, "", 5, {}, {"sections": {}}, {"sections": {"main": 1}}])
    def test_a_transfer_to_nothing_changes_nothing(self, dest: object) -> None:
        phone = Phone([{"play": "say:one"}, {"play": "say:two"}])
        phone.answered()
        before = phone.state.flows, phone.state.ops
        assert phone.command("transfer", {"dest": dest}).code == "400"
        assert (phone.state.flows, phone.state.ops) == before


class TestParameters:
    @pytest.mark.parametrize(
        ("method", "params"),
        [
            ("play", {}),
            ("play", {"play": []}),
            ("play", {"play": "x"}),
            ("play", {"play": [{"type": "tts"}]}),
            ("play", {"play": [{"type": "dance"}]}),
            ("play", {"play": TTS, "volume": 41}),
            ("play", {"play": TTS, "control_id": ["x"]}),
            ("play_and_collect", {"play": TTS}),
            ("collect", {}),
            ("collect", {"digits": "x"}),
            ("record", {"record": "x"}),
            ("record", {"record": {"audio": {"format": "ogg"}}}),
            ("record", {"record": {"audio": {"direction": "up"}}}),
            ("detect", {"detect": {"type": "dog"}}),
            ("detect", {"detect": {}, "timeout": 0}),
            ("tap", {}),
            ("tap", {"device": {"params": {"addr": "x"}}}),
            ("tap", {"device": {"params": {"addr": "x", "port": 99999}}}),
            ("tap", {"device": {"params": {"uri": "ftp://x"}}}),
            ("stream", {}),
            ("stream", {"url": "http://x"}),
            ("stream", {"url": "ws://x", "custom_parameters": "y"}),
            ("send_digits", {"digits": "hello"}),
            ("connect", {}),
            ("connect", {"devices": [[{}]]}),
            ("connect", {"devices": DEVICES, "ringback": [5]}),
        ],
    )
    def test_what_cannot_be_used_changes_nothing(self, method: str, params: dict[str, Any]) -> None:
        phone = at("answered")
        before = phone.state
        assert phone.command(method, params).code == "400"
        kept = (phone.state.ops, phone.state.lines, phone.state.version)
        assert kept == (before.ops, before.lines, before.version)

    def test_what_a_refused_command_had_begun_is_undone(self) -> None:
        phone = Phone([{"play": "say:one"}, {"play": "say:two"}])
        phone.answered()
        phone.playing()
        before = phone.state.flows, phone.state.ops, phone.state.lines
        params = {"devices": DEVICES, "ringback": [{"type": "dance"}]}
        assert phone.command("connect", params).code == "400"
        assert (phone.state.flows, phone.state.ops, phone.state.lines) == before
        assert not phone.of(a.StopPlay)

    def test_results_name_their_operation(self) -> None:
        answer = at("answered").ok("play", {"control_id": "c", "play": TTS})
        assert (answer.data["control_id"], answer.data["call_id"]) == ("c", "L1")

    def test_end_reasons(self) -> None:
        phone = at("answered")
        phone.ok("end", {"reason": "something"})
        assert phone.state.end_reason == "hangup"

    def test_answer_takes_a_limit(self) -> None:
        phone = Phone()
        phone.ok("answer", {"max_duration": 5})
        phone.wait(2000)
        phone.answered()
        phone.wait(5000)
        assert phone.state.over and phone.state.end_reason == "max_duration"

    def test_send_digits_is_told_when_it_is_over(self) -> None:
        phone = at("answered")
        phone.ok("send_digits", {"control_id": "c", "digits": "12W"})
        phone.wait(1400)
        assert phone.states("send_digits", "c") == ["finished"]

    def test_user_events_are_passed_on(self) -> None:
        phone = at("ringing")
        phone.ok("user_event", {"event": {"a": 1}})
        assert phone.told("user_event")[-1]["event"] == {"a": 1}
