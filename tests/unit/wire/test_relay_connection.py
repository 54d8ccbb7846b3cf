"""The connection's state machine, message by message; no sockets, time by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mediacore.wire import frames
from mediacore.wire.limits import RelayLimits, S
from mediacore.wire.methods import COMMANDS, PERMISSIONS, UNSUPPORTED, CloseCode
from mediacore.wire.outbox import Entry
from mediacore.wire.relay_actions import (
    Authenticate,
    Close,
    Count,
    Forget,
    RelayAction,
    Send,
    Submit,
)
from mediacore.wire.relay_connection import Phase, RelayConnection
from mediacore.wire.relay_session import Grant, RelaySession

CREDENTIALS = {"project": "p", "token": "t"}


def call(method: str, request_id: object = "1", **params: object) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})


def reply(request_id: object) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "result": {}})


def sent(actions: list[RelayAction]) -> list[dict[str, Any]]:
    return [json.loads(action.frame) for action in actions if isinstance(action, Send)]


def counted(actions: list[RelayAction]) -> list[str]:
    return [action.what for action in actions if isinstance(action, Count)]


def code(actions: list[RelayAction]) -> str:
    (frame,) = sent(actions)
    return str(frame["result"]["code"])


def new_session(
    permissions: frozenset[str] = PERMISSIONS, contexts: tuple[str, ...] = ("*",), **limits: int
) -> RelaySession:
    grant = Grant("p", permissions, contexts, "cred")
    return RelaySession("s1", "signalwire_1", "secret", grant, RelayLimits(**limits))


def ready(session: RelaySession | None = None, **limits: int) -> RelayConnection:
    connection = RelayConnection(RelayLimits(**limits), 0)
    connection.receive(call("signalwire.connect", "c", authentication=CREDENTIALS), 0)
    mine = session or new_session()
    connection.accept("c", mine, (), 0, restored=False, timestamp=1.0)
    assert connection.phase is Phase.READY
    connection.receive(reply("s1"), 0)
    return connection


class TestConnect:
    def test_asks_its_owner_to_authenticate(self) -> None:
        connection = RelayConnection(RelayLimits(), 0)
        (asked,) = connection.receive(
            call(
                "signalwire.connect",
                version={"major": 2, "minor": 0, "revision": 0},
                agent="a",
                event_acks=True,
                authentication=CREDENTIALS,
                contexts=["office"],
                protocol="signalwire_1",
                authorization_state="secret",
            ),
            0,
        )
        assert asked == Authenticate("1", CREDENTIALS, "signalwire_1", "secret", ("office",), True)
        assert connection.phase is Phase.CHECKING

    def test_node_says_version_3_and_no_contexts(self) -> None:
        connection = RelayConnection(RelayLimits(), 0)
        version = {"major": 3, "minor": 0, "revision": 0}
        text = call("signalwire.connect", version=version, authentication=CREDENTIALS)
        (asked,) = connection.receive(text, 0)
        assert isinstance(asked, Authenticate) and asked.contexts == ()

    def test_accept_answers_then_hands_out_the_state_then_what_waits(self) -> None:
        session = new_session()
        session.queue(Entry(session.outbox.next_id(), b'{"id":"e1"}'))
        session.queue(Entry(session.outbox.next_id(), b'{"id":"e2"}'))
        connection = RelayConnection(RelayLimits(), 0)
        connection.receive(call("signalwire.connect", authentication=CREDENTIALS), 0)
        actions = connection.accept("1", session, ("office",), 0, restored=True, timestamp=5.0)
        answer, state, *waiting = sent(actions)
        assert answer["result"] == {
            "protocol": "signalwire_1",
            "identity": "s1",
            "sessionid": "s1",
            "session_restored": True,
            "contexts": ["office"],
            "authorization": {"project": "p", "scope": ["control", "dial", "read"]},
        }
        assert state["method"] == "signalwire.event"
        assert state["params"]["event_type"] == "signalwire.authorization.state"
        assert state["params"]["params"] == {"authorization_state": "secret"}
        assert [each["id"] for each in waiting] == ["e1", "e2"]
        assert session.contexts == {"office"}

    def test_reject_tells_why_and_closes(self) -> None:
        connection = RelayConnection(RelayLimits(), 0)
        connection.receive(call("signalwire.connect", authentication=CREDENTIALS), 0)
        actions = connection.reject("1", "unknown project or token")
        (frame,) = sent(actions)
        assert frame["error"]["data"] == {"signalwire_error_code": "AUTH_REQUIRED"}
        assert actions[-1] == Close(CloseCode.AUTH_FAILED, "authentication failed")
        assert connection.receive(call("signalwire.ping"), 1) == []

    @pytest.mark.parametrize("credentials", [None, "text", [1]])
    def test_credentials_of_no_shape_are_refused(self, credentials: object) -> None:
        connection = RelayConnection(RelayLimits(), 0)
        actions = connection.receive(call("signalwire.connect", authentication=credentials), 0)
        assert sent(actions)[0]["error"]["data"]["signalwire_error_code"] == "AUTH_REQUIRED"
        assert connection.phase is Phase.CLOSED

    @pytest.mark.parametrize(
        "wrong",
        [
            {"contexts": "office"},
            {"contexts": [1]},
            {"contexts": [""]},
            {"contexts": ["x" * 129]},
            {"contexts": ["x"] * 65},
            {"protocol": 5},
            {"authorization_state": ["x"]},
            {"version": {"major": 1}},
            {"version": "2"},
        ],
    )
    def test_unusable_parameters(self, wrong: dict[str, object]) -> None:
        connection = RelayConnection(RelayLimits(), 0)
        text = call("signalwire.connect", authentication=CREDENTIALS, **wrong)
        (frame,) = sent(connection.receive(text, 0))
        assert frame["error"]["code"] == frames.INVALID_PARAMS
        assert connection.phase is Phase.NEW

    def test_connect_twice(self) -> None:
        (frame,) = sent(ready().receive(call("signalwire.connect", authentication={}), 0))
        assert "already" in frame["error"]["message"]

    def test_nothing_else_before_it(self) -> None:
        connection = RelayConnection(RelayLimits(), 0)
        for method in ("calling.answer", "signalwire.ping", "signalwire.receive", "x"):
            (frame,) = sent(connection.receive(call(method, call_id="c"), 0))
            assert frame["error"]["data"] == {"signalwire_error_code": "AUTH_REQUIRED"}

    def test_blade_clients_are_told_what_is_supported(self) -> None:
        connection = RelayConnection(RelayLimits(), 0)
        actions = connection.receive(call("blade.connect", authentication=CREDENTIALS), 0)
        (frame,) = sent(actions)
        assert "signalwire-sdk" in frame["error"]["message"]
        assert "realtime-api" in frame["error"]["message"]
        assert counted(actions) == ["unsupported"]

    def test_too_late(self) -> None:
        connection = RelayConnection(RelayLimits(), 5)
        assert connection.tick(10 * S + 4) == []
        actions = connection.tick(10 * S + 5)
        assert actions == [Count("refused"), Close(CloseCode.AUTH_LATE, "not authenticated")]
        assert connection.tick(11 * S) == []

    def test_accept_refuses_contexts_that_are_not_allowed(self) -> None:
        connection = RelayConnection(RelayLimits(), 0)
        connection.receive(call("signalwire.connect", authentication=CREDENTIALS), 0)
        session = new_session(contexts=("a",))
        actions = connection.accept("1", session, ("b",), 0, restored=False, timestamp=0.0)
        assert "'b'" in sent(actions)[0]["error"]["message"]
        assert connection.session is None

    def test_accept_without_a_question_does_nothing(self) -> None:
        connection = RelayConnection(RelayLimits(), 0)
        assert connection.accept("1", new_session(), (), 0, restored=False, timestamp=0.0) == []


class TestCommands:
    def test_a_command_is_handed_on_without_its_address(self) -> None:
        text = call("calling.play", "r", node_id="n", call_id="c1", control_id="k", state_version=4)
        assert ready().receive(text, 0) == [Submit("r", "play", "c1", {"control_id": "k"}, 4)]

    @pytest.mark.parametrize("method", sorted(COMMANDS - {"dial"}))
    def test_every_supported_method(self, method: str) -> None:
        (action,) = ready().receive(call(f"calling.{method}", call_id="c1"), 0)
        assert action == Submit("1", method, "c1", {}, None)

    def test_dial_has_no_call(self) -> None:
        connection = ready()
        (action,) = connection.receive(call("calling.dial", tag="t", devices=[[]]), 0)
        assert action == Submit("1", "dial", "", {"tag": "t", "devices": [[]]}, None)
        assert code(connection.receive(call("calling.dial", "2", call_id="c"), 0)) == "400"

    @pytest.mark.parametrize(
        "wrong",
        [
            {},
            {"call_id": ""},
            {"call_id": 5},
            {"call_id": "c", "state_version": "4"},
            {"call_id": "c", "state_version": True},
            {"call_id": "c", "state_version": -1},
        ],
    )
    def test_unusable_commands(self, wrong: dict[str, object]) -> None:
        assert code(ready().receive(call("calling.answer", **wrong), 0)) == "400"

    @pytest.mark.parametrize("method", [*sorted(UNSUPPORTED), "fly"])
    def test_what_is_not_supported(self, method: str) -> None:
        actions = ready().receive(call(f"calling.{method}", call_id="c"), 0)
        assert code(actions) == "501" and counted(actions) == ["unsupported"]
        message = sent(actions)[0]["result"]["message"]
        assert f"calling.{method}" in message and UNSUPPORTED.get(method, "this method") in message

    def test_messaging_is_not_supported(self) -> None:
        assert code(ready().receive(call("messaging.send", body="x"), 0)) == "501"

    def test_methods_of_nobody(self) -> None:
        (frame,) = sent(ready().receive(call("signalwire.subscribe"), 0))
        assert frame["error"]["code"] == frames.METHOD_NOT_FOUND

    def test_permissions(self) -> None:
        reader = ready(new_session(frozenset({"read"})))
        assert code(reader.receive(call("calling.answer", call_id="c"), 0)) == "403"
        assert code(reader.receive(call("calling.dial", "2"), 0)) == "403"
        dialler = ready(new_session(frozenset({"dial"})))
        assert isinstance(dialler.receive(call("calling.dial"), 0)[0], Submit)
        actions = dialler.receive(call("calling.end", "2", call_id="c"), 0)
        assert code(actions) == "403" and counted(actions) == ["forbidden"]

    def test_the_answer_says_code_and_message_whatever_the_data(self) -> None:
        connection = ready()
        connection.receive(call("calling.tap", 9, call_id="c"), 0)
        (frame,) = sent(connection.answer(9, "200", "ok", {"source_device": 1, "code": "x"}))
        assert frame == {
            "jsonrpc": "2.0",
            "id": 9,
            "result": {"source_device": 1, "code": "200", "message": "ok"},
        }

    def test_a_second_answer_is_counted_only(self) -> None:
        connection = ready()
        connection.receive(call("calling.tap", call_id="c"), 0)
        connection.answer("1", "200", "ok", {})
        assert connection.answer("1", "200", "ok", {}) == [Count("late_answers")]

    def test_an_answer_that_cannot_be_written(self) -> None:
        connection = ready()
        connection.receive(call("calling.tap", call_id="c"), 0)
        actions = connection.answer("1", "200", "ok", {"x": object()})
        assert code(actions) == "500" and counted(actions) == ["unencodable"]

    def test_a_call_that_does_not_answer(self) -> None:
        connection = ready(answer_within_us=S)
        connection.receive(call("calling.tap", call_id="c"), 5)
        assert connection.tick(S + 4) == []
        actions = connection.tick(S + 5)
        assert code(actions) == "504" and counted(actions) == ["unanswered"]
        assert connection.answer("1", "200", "ok", {}) == [Count("late_answers")]

    def test_open_commands_are_bounded_and_ids_are_used_once(self) -> None:
        connection = ready(open_requests=2)
        connection.receive(call("calling.tap", "a", call_id="c"), 0)
        (frame,) = sent(connection.receive(call("calling.tap", "a", call_id="c"), 0))
        assert frame["error"]["code"] == frames.INVALID_REQUEST
        connection.receive(call("calling.tap", "b", call_id="c"), 0)
        assert code(connection.receive(call("calling.tap", "d", call_id="c"), 0)) == "429"
        connection.answer("a", "200", "ok", {})
        assert isinstance(connection.receive(call("calling.tap", "d", call_id="c"), 0)[0], Submit)


class TestContexts:
    def test_receive_and_unreceive(self) -> None:
        session = new_session(contexts=("office", "home"))
        connection = ready(session)
        assert code(connection.receive(call("signalwire.receive", contexts=["office"]), 0)) == "200"
        assert session.contexts == {"office"}
        assert code(connection.receive(call("signalwire.receive", contexts=["bank"]), 0)) == "403"
        assert code(connection.receive(call("signalwire.receive", contexts="home"), 0)) == "400"
        assert code(connection.receive(call("signalwire.receive"), 0)) == "400"
        assert code(connection.receive(call("signalwire.unreceive", contexts=[1]), 0)) == "400"
        unreceive = call("signalwire.unreceive", contexts=["office", "never"])
        assert code(connection.receive(unreceive, 0)) == "200"
        assert session.contexts == set()


class TestEvents:
    def test_acknowledged_in_any_order(self) -> None:
        session = new_session()
        connection = ready(session)
        for ends in ("", "c1"):
            entry = Entry(session.outbox.next_id(), b"{}", ends)
            session.queue(entry)
            assert connection.event(entry.frame) == [Send(b"{}")]
        assert connection.receive(reply("e2"), 0) == [Count("acked"), Forget("c1")]
        assert connection.receive(reply("e1"), 0) == [Count("acked")]
        assert len(session.outbox) == 0
        assert connection.receive(reply("e1"), 0) == []

    def test_no_event_before_the_connection_is_ready(self) -> None:
        assert RelayConnection(RelayLimits(), 0).event(b"{}") == []


class TestPings:
    def test_answered(self) -> None:
        (frame,) = sent(ready().receive(call("signalwire.ping", "k"), 0))
        assert frame == {"jsonrpc": "2.0", "id": "k", "result": {}}

    def test_ours_come_at_their_time(self) -> None:
        connection = ready()
        assert connection.tick(10 * S - 1) == []
        (frame,) = sent(connection.tick(10 * S))
        assert (frame["id"], frame["method"]) == ("p1", "signalwire.ping")
        assert connection.receive(reply("p1"), 11 * S) == []
        assert [each["id"] for each in sent(connection.tick(20 * S))] == ["p2"]
        assert connection.receive(reply("p2"), 20 * S) == []
        assert connection.tick(29 * S) == []

    def test_a_silent_client_is_closed_and_a_late_answer_saves_it(self) -> None:
        silent = ready()
        silent.tick(10 * S)
        silent.tick(20 * S)
        assert silent.tick(30 * S - 1) == []
        actions = silent.tick(30 * S)
        assert counted(actions) == ["silent"]
        assert actions[-1] == Close(CloseCode.SILENT, "no answer to our pings", flush=False)
        late = ready()
        late.tick(10 * S)
        late.tick(20 * S)
        late.receive(reply("p1"), 25 * S)
        assert [each["id"] for each in sent(late.tick(30 * S))] == ["p3"]


class TestRate:
    def test_refused_above_the_rate_then_closed(self) -> None:
        connection = ready(requests_per_s=10, request_burst=3)
        results = [connection.receive(call("signalwire.ping"), 0) for _ in range(2)]
        assert all(not counted(each) for each in results)
        limited = connection.receive(call("calling.answer", call_id="c"), 0)
        assert code(limited) == "429" and counted(limited) == ["limited"]
        (frame,) = sent(connection.receive(call("signalwire.ping"), 0))
        assert frame["error"]["code"] == frames.TOO_MANY_REQUESTS
        connection.receive(call("signalwire.ping"), 0)
        actions = connection.receive(call("signalwire.ping"), 0)
        close = actions[-1]
        assert isinstance(close, Close) and close.code is CloseCode.FLOOD and not close.flush
        assert json.loads(close.last)["params"] == {"restart": False, "reason": "too many requests"}
        assert connection.receive(call("signalwire.ping"), 0) == []

    def test_rubbish_counts_too(self) -> None:
        connection = ready(requests_per_s=1, request_burst=2)
        first = connection.receive("{", 0)
        assert counted(first) == ["malformed"]
        assert sent(first)[0]["error"]["code"] == frames.PARSE_ERROR
        for _ in range(2):
            assert counted(connection.receive("{", 0)) == ["limited", "malformed"]
        assert "flooded" in counted(connection.receive("{", 0))

    def test_acknowledgements_are_free_and_invented_ones_are_not(self) -> None:
        session = new_session()
        connection = ready(session, requests_per_s=1, request_burst=2)
        for _ in range(20):
            entry = Entry(session.outbox.next_id(), b"{}")
            session.queue(entry)
            assert connection.receive(reply(entry.id), 0) == [Count("acked")]
        assert connection.receive(reply("e99"), 0) == []
        assert connection.receive(reply("e99"), 0) == [Count("limited")]


class TestGoodbye:
    def test_drain(self) -> None:
        connection = ready()
        connection.receive(call("calling.play", "a", call_id="c"), 0)
        (frame,) = sent(connection.drain(restart=True, reason="going away"))
        assert frame["method"] == "signalwire.disconnect" and frame["params"]["restart"] is True
        assert connection.drain(restart=True, reason="again") == []
        assert code(connection.receive(call("calling.play", "b", call_id="c"), 0)) == "503"
        connection.receive(reply(frame["id"]), 0)
        assert not connection.drained
        assert sent(connection.answer("a", "200", "ok", {}))
        assert connection.drained
        assert connection.event(b"{}") == [Send(b"{}")]
        assert connection.close(CloseCode.GOING_AWAY, "bye") == [Close(CloseCode.GOING_AWAY, "bye")]
        assert connection.close(CloseCode.GOING_AWAY, "bye") == []

    def test_a_client_that_never_connected_is_not_waited_for(self) -> None:
        connection = RelayConnection(RelayLimits(), 0)
        assert connection.drain(restart=True, reason="x") == []
        assert connection.drained

    def test_drop_says_why_once(self) -> None:
        connection = ready()
        (close,) = connection.drop(CloseCode.SLOW, "too slow")
        assert isinstance(close, Close) and close.code is CloseCode.SLOW
        assert json.loads(close.last)["params"] == {"restart": False, "reason": "too slow"}
        assert connection.drop(CloseCode.SLOW, "too slow") == []

    def test_the_client_leaves(self) -> None:
        actions = ready().receive(call("signalwire.disconnect", "z"), 0)
        assert sent(actions)[0]["id"] == "z"
        assert actions[-1] == Close(CloseCode.NORMAL, "as asked")
