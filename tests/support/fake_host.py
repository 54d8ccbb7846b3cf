"""A host of calls without calls: answers a controller's commands by a script.

`FakeHost` does what the published protocol promises for the usual methods, at once and in order:
first the answer, then an operation starts and finishes, a dial answers, a hang-up ends. A test
replaces single methods with `on(method, function)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mediacore.runtime.ports import Answer, Command, Published

Script = Callable[["FakeHost", Command], Answer]

OK = Answer("200", "done")


class FakeHost:
    """Keeps what was asked in `commands` and which issuers are gone in `gone_issuers`.

    soon: runs a function a little later. A client that waits for "answered" after its dial has
    returned misses a repetition that comes in one burst with the dial event.
    """

    def __init__(self, soon: Callable[[Callable[[], None]], object] = lambda run: run()) -> None:
        self.soon = soon
        self.commands: list[Command] = []
        self.gone_issuers: list[str] = []
        self._deliver: list[Callable[[Published], None]] = []
        self._scripts: dict[str, Script] = dict(SCRIPTS)
        self._held: list[Published] | None = None

    # -- CallHost

    def submit(self, command: Command, reply: Callable[[Answer], None]) -> None:
        self.commands.append(command)
        script = self._scripts.get(command.method)
        if script is None:
            reply(OK)
            return
        self._held = []
        answer = script(self, command)
        held, self._held = self._held, None
        reply(answer)
        for published in held:
            self._hand_out(published)

    def subscribe(self, deliver: Callable[[Published], None]) -> Callable[[], None]:
        self._deliver.append(deliver)
        return lambda: self._deliver.remove(deliver)

    def gone(self, issuer: str) -> None:
        self.gone_issuers.append(issuer)

    # -- what tests use

    def on(self, method: str, script: Script) -> None:
        """Answer `method` with this from now on."""
        self._scripts[method] = script

    def methods(self) -> list[str]:
        """Names of the commands so far."""
        return [command.method for command in self.commands]

    def ring(self, call_id: str, context: str, project: str = "") -> None:
        """Offer an incoming call."""
        params = {
            "call_state": "created",
            "direction": "inbound",
            "context": context,
            "device": {"type": "phone", "params": {"from_number": "+1555", "to_number": "+1556"}},
        }
        self.publish("calling.call.receive", call_id, params, context=context, project=project)

    def state(self, call_id: str, state: str, **more: object) -> None:
        self.publish("calling.call.state", call_id, {"call_state": state, **more})

    def event(self, kind: str, command: Command, state: str, **more: object) -> None:
        """An event of the operation that `command` started."""
        control_id = command.params.get("control_id", "")
        params = {"control_id": control_id, "state": state, **more}
        self.publish(f"calling.call.{kind}", command.call_id, params)

    def publish(
        self,
        event_type: str,
        call_id: str,
        params: Mapping[str, object],
        *,
        context: str = "",
        project: str = "",
        issuer: str = "",
    ) -> None:
        """Hand out an event; inside of a script it follows the answer."""
        published = Published(event_type, call_id, params, context, project, issuer)
        if self._held is None:
            self._hand_out(published)
        else:
            self._held.append(published)

    def _hand_out(self, published: Published) -> None:
        for deliver in list(self._deliver):
            deliver(published)


def _answer(host: FakeHost, command: Command) -> Answer:
    host.state(command.call_id, "answered")
    return OK


def _end(host: FakeHost, command: Command) -> Answer:
    host.state(command.call_id, "ending", end_reason="hangup")
    host.state(command.call_id, "ended", end_reason="hangup")
    return OK


def _play(host: FakeHost, command: Command) -> Answer:
    host.event("play", command, "playing")
    host.event("play", command, "finished")
    return OK


def _collect(host: FakeHost, command: Command) -> Answer:
    result = {"type": "digit", "params": {"digits": "42", "terminator": "#"}}
    host.event("collect", command, "finished", result=result, final=True)
    return OK


def _play_and_collect(host: FakeHost, command: Command) -> Answer:
    host.event("play", command, "playing")
    host.event("play", command, "finished")
    return _collect(host, command)


def _record(host: FakeHost, command: Command) -> Answer:
    host.event("record", command, "recording")
    host.event("record", command, "finished", url="file:///a.wav", duration=1.5, size=24044)
    return OK


def _dial(host: FakeHost, command: Command) -> Answer:
    """Both bundled habits of clients: the state before the dial event, and again after it."""
    tag = str(command.params.get("tag", ""))
    call_id = f"leg-{tag}"
    device = {"type": "phone", "params": {"to_number": "+1557"}}
    line = {"tag": tag, "device": device, "direction": "outbound"}
    for state in ("created", "ringing", "answered"):
        host.publish(
            "calling.call.state",
            call_id,
            {"call_state": state, **line},
            issuer=command.issuer,
        )
    winner = {"call_id": call_id, "tag": tag, "device": device, "dial_winner": True}
    params = {"tag": tag, "dial_state": "answered", "call": winner}
    host.publish("calling.call.dial", call_id, params, issuer=command.issuer)
    host.soon(lambda: host.state(call_id, "answered", **line))
    return Answer("200", "dialling")


SCRIPTS: Mapping[str, Script] = {
    "answer": _answer,
    "end": _end,
    "play": _play,
    "collect": _collect,
    "play_and_collect": _play_and_collect,
    "record": _record,
    "dial": _dial,
}
