"""Connections, sessions and calls together, without sockets and with time by hand."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from mediacore.control.config import ControlConfig, ControlLimits, Project, Token
from mediacore.control.dispatch import Dispatcher, Peer, Sources
from mediacore.runtime.ports import Answer, Command
from mediacore.wire.limits import RelayLimits, S
from mediacore.wire.methods import CloseCode
from support.fake_host import OK, FakeHost

READER = Token.plain("reader", frozenset({"read"}))
OFFICE = Token.plain("office", contexts=("office",))
PROJECTS = (
    Project("p1", (Token.plain("t1"), READER, OFFICE)),
    Project("p2", (Token.plain("t2"),)),
)


class FakePort:
    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.closed: tuple[int, bool] | None = None
        self.last: dict[str, Any] = {}
        self.full = False

    def send(self, frame: bytes) -> bool:
        if self.full:
            return False
        self.frames.append(json.loads(frame))
        return True

    def close(self, code: int, reason: str, *, flush: bool, last: bytes = b"") -> None:
        assert reason
        self.closed = (code, flush)
        self.last = json.loads(last) if last else {}


class Client:
    """A controller that says what it is told to say."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.port = FakePort()
        self.peer: Peer = desk.dispatcher.open(self.port)
        self._ids = itertools.count(1)

    def say(self, method: str, **params: object) -> dict[str, Any]:
        """Send a request and give its answer."""
        request_id = f"r{next(self._ids)}"
        message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        self.desk.dispatcher.received(self.peer, json.dumps(message))
        (answer,) = [each for each in self.port.frames if each["id"] == request_id]
        return answer

    def connect(self, project: str = "p1", token: str = "t1", **more: object) -> dict[str, Any]:
        credentials = {"project": project, "token": token}
        answer = self.say("signalwire.connect", authentication=credentials, **more)
        self.take()
        return answer

    def take(self) -> list[dict[str, Any]]:
        """The events that came since the last time, acknowledged."""
        events = self.peek()
        self.port.frames.clear()
        for each in events:
            self.ack(each)
        return [each["params"] for each in events]

    def peek(self) -> list[dict[str, Any]]:
        return [each for each in self.port.frames if each.get("method") == "signalwire.event"]

    def ack(self, event: dict[str, Any]) -> None:
        message = {"jsonrpc": "2.0", "id": event["id"], "result": {}}
        self.desk.dispatcher.received(self.peer, json.dumps(message))

    def kinds(self) -> list[str]:
        return [each["event_type"].removeprefix("calling.call.") for each in self.take()]

    def lose(self) -> None:
        self.desk.dispatcher.lost(self.peer)


class Desk:
    def __init__(self, limits: RelayLimits | None = None, server: ControlLimits | None = None):
        self.now_us = 0
        self.host = FakeHost()
        self.deferred: list[Callable[[], None]] = []
        numbers = itertools.count(1)
        sources = Sources(
            clock_us=lambda: self.now_us,
            wallclock=lambda: 1.5,
            ids=lambda: f"id{next(numbers)}",
            secret=lambda: f"secret{next(numbers)}",
            defer=self.deferred.append,
        )
        config = ControlConfig(
            PROJECTS,
            node_id="node",
            limits=limits or RelayLimits(),
            server=server or ControlLimits(),
        )
        self.dispatcher = Dispatcher(config, self.host, sources)
        self.host.subscribe(self.dispatcher.deliver)

    def client(self, token: str = "t1", project: str = "p1", **more: object) -> Client:
        client = Client(self)
        answer = client.connect(project, token, **more)
        assert "result" in answer, answer
        return client

    def run_deferred(self) -> None:
        while self.deferred:
            self.deferred.pop(0)()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def again(desk: Desk, session: dict[str, Any], state: str, token: str = "t1") -> Client:
    client = Client(desk)
    protocol = session["result"]["protocol"]
    credentials = {"project": "p1", "token": token}
    client.answer = client.say(  # type: ignore[attr-defined]
        "signalwire.connect",
        authentication=credentials,
        protocol=protocol,
        authorization_state=state,
    )
    return client


class TestAuthentication:
    def test_bad_credentials_are_told_and_closed(self, desk: Desk) -> None:
        client = Client(desk)
        answer = client.connect(token="wrong")
        assert answer["error"]["data"] == {"signalwire_error_code": "AUTH_REQUIRED"}
        assert client.port.closed == (CloseCode.AUTH_FAILED, True)
        counts = desk.dispatcher.snapshot()
        assert (counts.refused, counts.connections, counts.sessions) == (1, 0, 0)

    def test_a_context_that_is_not_allowed_refuses_the_connection(self, desk: Desk) -> None:
        answer = Client(desk).connect(token="office", contexts=["office", "bank"])
        assert "'bank'" in answer["error"]["message"]
        assert desk.dispatcher.snapshot().sessions == 0

    def test_a_socket_that_says_nothing_is_closed(self, desk: Desk) -> None:
        client = Client(desk)
        desk.now_us = 10 * S
        desk.dispatcher.sweep()
        assert client.port.closed == (CloseCode.AUTH_LATE, True)
        assert desk.dispatcher.connections == 0


class TestRouting:
    def test_an_offered_call_is_heard_from_its_offer_on(self, desk: Desk) -> None:
        first = desk.client(contexts=["office"])
        other_context = desk.client(contexts=["home"])
        other_project = desk.client("t2", "p2", contexts=["office"])
        desk.host.state("c1", "created")
        assert desk.dispatcher.snapshot().unrouted == 1
        desk.host.ring("c1", "office", "p1")
        desk.host.state("c1", "ringing")
        offer, state = first.take()
        assert offer["event_type"] == "calling.call.receive"
        assert offer["params"]["call_id"] == "c1" and offer["params"]["node_id"] == "node"
        assert offer["project_id"] == "p1" and offer["timestamp"] == 1.5
        assert state["params"]["call_state"] == "ringing"
        assert other_context.take() == other_project.take() == []

    def test_a_controller_that_comes_late_is_offered_what_still_rings(self, desk: Desk) -> None:
        desk.host.ring("c1", "office", "p1")
        desk.host.ring("c2", "office", "p1")
        desk.host.state("c2", "answered")
        desk.host.ring("c3", "home", "p1")
        late = Client(desk)
        late.say(
            "signalwire.connect",
            authentication={"project": "p1", "token": "t1"},
            contexts=["office"],
        )
        offers = [e for e in late.take() if e["event_type"] == "calling.call.receive"]
        assert [offer["params"]["call_id"] for offer in offers] == ["c1"]
        late.say("signalwire.receive", contexts=["home"])
        assert late.kinds() == ["receive"]

    def test_node_clients_subscribe_after_connecting(self, desk: Desk) -> None:
        client = desk.client()
        assert client.say("signalwire.receive", contexts=["office"])["result"]["code"] == "200"
        desk.host.ring("c1", "office", "p1")
        assert client.kinds() == ["receive"]
        client.say("signalwire.unreceive", contexts=["office"])
        desk.host.ring("c2", "office", "p1")
        assert client.kinds() == []

    def test_the_issuer_hears_of_what_it_started(self, desk: Desk) -> None:
        dialler, other = desk.client(), desk.client(contexts=["office"])
        assert dialler.say("calling.dial", tag="x", devices=[[{}]])["result"]["code"] == "200"
        states = [(each["event_type"], each["params"].get("call_state")) for each in dialler.take()]
        assert states == [
            ("calling.call.state", "created"),
            ("calling.call.state", "ringing"),
            ("calling.call.state", "answered"),
            ("calling.call.dial", None),
            ("calling.call.state", "answered"),
        ]
        assert other.take() == []
        assert desk.host.commands[0].issuer != ""

    def test_pass_ends_the_hearing_and_the_call_is_not_offered_again(self, desk: Desk) -> None:
        first, second = desk.client(contexts=["a"]), desk.client(contexts=["a"])
        desk.host.ring("c1", "a")
        first.take(), second.take()
        desk.host.on("pass", lambda _host, _command: Answer("409", "not now"))
        first.say("calling.pass", call_id="c1")
        desk.host.state("c1", "ringing")
        assert first.kinds() == ["state"]
        desk.host.on("pass", lambda _host, _command: OK)
        first.say("calling.pass", call_id="c1")
        desk.host.ring("c1", "a")
        desk.host.state("c1", "answered")
        assert first.kinds() == []
        assert second.kinds() == ["state", "receive", "state"]
        desk.host.state("c1", "ended")
        desk.host.ring("c1", "a")
        assert first.kinds() == ["receive"]

    def test_an_ended_call_is_forgotten_when_that_is_acknowledged(self, desk: Desk) -> None:
        client = desk.client(contexts=["a"])
        desk.host.ring("c1", "a")
        client.take()
        desk.host.state("c1", "ended")
        desk.host.publish("calling.call.play", "c1", {"state": "finished"})
        assert client.kinds() == ["state", "play"]
        desk.host.publish("calling.call.play", "c1", {"state": "finished"})
        assert client.kinds() == []

    def test_a_client_that_acknowledges_nothing_on_purpose(self, desk: Desk) -> None:
        client = desk.client(contexts=["a"], event_acks=False)
        desk.host.ring("c1", "a")
        desk.host.state("c1", "ended")
        desk.host.state("c1", "ended")
        assert len(client.peek()) == 2
        assert desk.dispatcher.snapshot().unacked == 0

    def test_an_event_that_cannot_be_written_harms_nobody(self, desk: Desk) -> None:
        client = desk.client(contexts=["a"])
        desk.host.ring("c1", "a")
        desk.host.publish("calling.call.play", "c1", {"x": object()})
        desk.host.state("c1", "answered")
        assert client.kinds() == ["receive", "state"]
        assert desk.dispatcher.snapshot().unencodable == 1


class TestCommands:
    def test_what_the_call_is_told_and_what_the_client_hears(self, desk: Desk) -> None:
        client = desk.client()
        desk.host.on("play", lambda _host, _command: Answer("409", "held", {"state_version": 7}))
        answer = client.say("calling.play", call_id="c", node_id="n", control_id="k")
        assert answer["result"] == {
            "code": "409",
            "message": "held",
            "call_id": "c",
            "node_id": "node",
            "control_id": "k",
            "state_version": 7,
        }
        (command,) = desk.host.commands
        assert (command.method, command.call_id, command.project) == ("play", "c", "p1")
        assert command.params == {"control_id": "k"}
        assert command.permissions == {"read", "control", "dial"}

    def test_without_permission_the_call_hears_nothing(self, desk: Desk) -> None:
        client = desk.client("reader", contexts=["a"])
        assert client.say("calling.end", call_id="c")["result"]["code"] == "403"
        assert client.say("calling.dial")["result"]["code"] == "403"
        assert desk.host.commands == []
        assert desk.dispatcher.snapshot().forbidden == 2

    def test_a_host_that_fails(self, desk: Desk) -> None:
        def broken(_host: FakeHost, _command: Command) -> Answer:
            raise ZeroDivisionError

        client = desk.client()
        desk.host.on("play", broken)
        assert client.say("calling.play", call_id="c")["result"]["code"] == "500"

    def test_a_late_answer_and_an_answer_for_a_lost_client(self, desk: Desk) -> None:
        replies: list[Callable[[Answer], None]] = []
        desk.host.submit = lambda _command, reply: replies.append(reply)  # type: ignore[method-assign]
        client = desk.client()
        message = {"id": "x", "method": "calling.hold", "params": {"call_id": "c"}}
        desk.dispatcher.received(client.peer, json.dumps(message))
        assert client.port.frames == []
        client.lose()
        replies[0](OK)
        assert client.port.frames == []
        assert desk.dispatcher.snapshot().late_answers == 1


class TestResume:
    def test_what_was_not_acknowledged_comes_again_in_order(self, desk: Desk) -> None:
        client = Client(desk)
        session = client.connect(contexts=["a"])
        state = f"secret{int(session['result']['protocol'][-1]) + 1}"
        desk.host.ring("c1", "a")
        client.take()
        for number in range(3):
            desk.host.publish("calling.call.play", "c1", {"n": number})
        client.ack(client.peek()[1])
        sent = client.peek()
        client.lose()
        assert desk.dispatcher.snapshot().kept == 1
        desk.host.publish("calling.call.play", "c1", {"n": 3})
        back = again(desk, session, state)
        assert back.answer["result"]["session_restored"] is True  # type: ignore[attr-defined]
        assert back.answer["result"]["contexts"] == ["a"]  # type: ignore[attr-defined]
        _state, *events = back.peek()
        assert [each["params"]["params"]["n"] for each in events] == [0, 2, 3]
        assert [events[0]["id"], events[1]["id"]] == [sent[0]["id"], sent[2]["id"]]
        back.take()
        desk.host.state("c1", "ended")
        assert back.kinds() == ["state"]
        counts = desk.dispatcher.snapshot()
        assert (counts.kept, counts.resumed, counts.unacked, counts.sessions) == (0, 1, 0, 1)
        assert desk.host.gone_issuers == []

    def test_a_resume_takes_over_from_a_socket_that_hangs(self, desk: Desk) -> None:
        client = Client(desk)
        session = client.connect(contexts=["a"])
        back = again(desk, session, f"secret{int(session['result']['protocol'][-1]) + 1}")
        assert client.port.closed == (CloseCode.REPLACED, True)
        client.lose()
        desk.host.ring("c1", "a")
        assert "receive" in back.kinds()
        assert desk.dispatcher.snapshot().kept == 0

    @pytest.mark.parametrize(("state", "token"), [("wrong", "t1"), ("", "t1"), (None, "office")])
    def test_without_proof_it_is_a_new_session(
        self, desk: Desk, state: str | None, token: str
    ) -> None:
        client = Client(desk)
        session = client.connect()
        good = f"secret{int(session['result']['protocol'][-1]) + 1}"
        client.lose()
        other = again(desk, session, good if state is None else state, token)
        result = other.answer["result"]  # type: ignore[attr-defined]
        assert result["session_restored"] is False
        assert result["protocol"] != session["result"]["protocol"]
        assert desk.dispatcher.snapshot().sessions == 2

    def test_kept_for_its_time_then_gone(self, desk: Desk) -> None:
        client = Client(desk)
        session = client.connect()
        client.lose()
        desk.now_us = 60 * S - 1
        desk.dispatcher.sweep()
        assert desk.dispatcher.snapshot().sessions == 1
        desk.now_us = 60 * S
        desk.dispatcher.sweep()
        assert desk.host.gone_issuers == []
        desk.run_deferred()
        assert desk.host.gone_issuers == [session["result"]["sessionid"]]
        assert desk.dispatcher.snapshot().expired == 1

    def test_the_oldest_kept_session_makes_room(self) -> None:
        desk = Desk(server=ControlLimits(sessions=2))
        desk.client().lose()
        desk.client()
        desk.client()
        desk.run_deferred()
        assert len(desk.host.gone_issuers) == 1
        assert "too many sessions" in Client(desk).connect()["error"]["message"]


class TestSlowClients:
    def test_dropped_and_told_and_the_call_goes_on(self) -> None:
        desk = Desk(RelayLimits(unacked_events=5))
        slow, good = desk.client(contexts=["a"]), desk.client(contexts=["a"])
        desk.host.ring("c1", "a")
        for _ in range(10):
            desk.host.publish("calling.call.play", "c1", {"state": "playing"})
            good.take()
        assert slow.port.closed == (CloseCode.SLOW, False)
        assert slow.port.last["method"] == "signalwire.disconnect"
        assert slow.port.last["params"]["restart"] is False
        assert "not taken" in slow.port.last["params"]["reason"]
        desk.host.state("c1", "answered")
        assert good.kinds() == ["state"]
        desk.run_deferred()
        counts = desk.dispatcher.snapshot()
        assert (counts.dropped, counts.sessions, counts.connections) == (1, 1, 1)
        assert len(desk.host.gone_issuers) == 1 and desk.host.commands == []

    def test_a_client_that_is_away_too_long_loses_its_session(self) -> None:
        desk = Desk(RelayLimits(unacked_events=5))
        desk.client(contexts=["a"]).lose()
        desk.host.ring("c1", "a")
        for _ in range(5):
            desk.host.publish("calling.call.play", "c1", {})
        counts = desk.dispatcher.snapshot()
        assert (counts.dropped, counts.sessions, counts.kept) == (1, 0, 0)

    def test_a_socket_that_takes_nothing_more(self, desk: Desk) -> None:
        client = desk.client(contexts=["a"])
        client.port.full = True
        desk.host.ring("c1", "a")
        assert client.port.closed == (CloseCode.SLOW, False)
        assert desk.dispatcher.snapshot().dropped == 1

    def test_a_stranger_whose_socket_takes_nothing(self, desk: Desk) -> None:
        client = Client(desk)
        client.port.full = True
        desk.dispatcher.received(client.peer, "{")
        assert client.port.closed == (CloseCode.SLOW, False)
        assert desk.dispatcher.connections == 0

    def test_the_host_may_publish_when_it_hears_that_a_session_is_gone(self) -> None:
        desk = Desk(RelayLimits(unacked_events=1))
        watcher = desk.client(contexts=["a"])
        desk.client(contexts=["a"])
        desk.host.ring("c1", "a")
        watcher.take()
        desk.host.gone = lambda _issuer: desk.host.state("c1", "answered")  # type: ignore[method-assign]
        desk.host.state("c1", "ringing")
        watcher.take()
        desk.run_deferred()
        assert watcher.kinds() == ["state"]


class TestEnd:
    def test_clients_are_told_to_come_back(self, desk: Desk) -> None:
        client, stranger = desk.client(), Client(desk)
        client.port.frames.clear()
        desk.dispatcher.drain()
        (goodbye,) = client.port.frames
        assert goodbye["params"]["restart"] is True
        assert stranger.port.frames == []
        assert not desk.dispatcher.drained
        client.ack(goodbye)
        assert desk.dispatcher.drained
        desk.dispatcher.shut()
        assert client.port.closed == stranger.port.closed == (CloseCode.GOING_AWAY, True)
        assert len(desk.host.gone_issuers) == 1
        assert desk.dispatcher.connections == 0
