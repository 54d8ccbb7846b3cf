"""What controllers are told: order of states, and one terminal event per control id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mediacore.runtime.actions import Publish
from mediacore.runtime.ports import Answer
from mediacore.simulate.violation import Rule, broken

_STATES: Final = ("created", "ringing", "answered", "ending", "ended")
_GOES_ON: Final = frozenset(
    {
        *("playing", "paused", "recording", "tapping", "streaming", "collecting", "hold"),
        *("unhold", "connecting", "inProgress"),
    }
)
_CALL: Final = "calling.call."


class Told:
    """The events of one call, in order."""

    __slots__ = ("_closed", "_ids", "_open", "_state")

    def __init__(self) -> None:
        self._state: dict[str, int] = {}
        self._open: dict[tuple[str, str], str] = {}
        self._closed: set[tuple[str, str]] = set()
        self._ids: set[str] = set()

    def publish(self, action: Publish) -> None:
        """One event."""
        if not action.event_type.startswith(_CALL):
            return
        kind = action.event_type[len(_CALL) :]
        line, params = action.call_id, action.params
        if line and self._state.get(line) == len(_STATES) - 1:
            broken(Rule.STATE_ORDER, f"{kind} of {line} after it has ended")
        if kind == "receive":
            if line in self._state:
                broken(Rule.STATE_ORDER, f"{line} is offered after other events")
            self._state[line] = -1
        elif kind == "state":
            self._moves(line, str(params["call_state"]), params)
        elif kind == "connect":
            self._connect(line, str(params["connect_state"]))
        elif kind == "dial":
            self._over(("dial", str(params["tag"])))
        elif kind != "hold":
            self._operation(kind, line, params)

    def answered(self, answer: Answer) -> None:
        """A command was accepted that begins an operation: it will be told how that ended."""
        name = answer.data.get("control_id")
        if isinstance(name, str) and name not in self._ids:
            self._ids.add(name)
            if not any(closed == name for _, closed in self._closed):
                self._open.setdefault(("?", name), str(answer.data.get("call_id", "")))

    def at_the_end(self) -> None:
        """The call is over: so is everything that was begun."""
        if self._open:
            kind, name = next(iter(self._open))
            broken(Rule.TERMINAL, f"{kind} {name} has no terminal event")

    def _moves(self, line: str, state: str, params: Mapping[str, Any]) -> None:
        if line not in self._state and params.get("direction") == "inbound":
            broken(Rule.STATE_ORDER, f"{line} is {state} before it was offered")
        at, known = _STATES.index(state), self._state.get(line, -1)
        again = state == "answered" and at == known  # told again around the dial's own event
        if at <= known and not again:
            broken(Rule.STATE_ORDER, f"{line} goes back to {state}")
        self._state[line] = at
        if state == "ending":
            for (kind, name), where in self._open.items():
                if where == line:
                    broken(Rule.TERMINAL, f"{kind} {name} is open when {line} ends")

    def _connect(self, line: str, state: str) -> None:
        key = ("connect", line)
        if state == "connecting":
            if key in self._open:
                broken(Rule.TERMINAL, f"{line} connects while it connects")
            self._open[key] = line
        elif state == "connected":
            if key not in self._open:
                broken(Rule.TERMINAL, f"{line} is connected without a beginning")
        elif self._open.pop(key, None) is None:
            broken(Rule.TERMINAL, f"{line} is {state} twice")

    def _operation(self, kind: str, line: str, params: Mapping[str, Any]) -> None:
        name = params.get("control_id")
        if not isinstance(name, str):
            return
        key = (kind, name)
        if not _terminal(kind, params):
            if key in self._closed:
                broken(Rule.TERMINAL, f"{kind} {name} goes on after its terminal event")
            self._open[key] = line
            return
        self._over(key)

    def _over(self, key: tuple[str, str]) -> None:
        if key in self._closed:
            broken(Rule.TERMINAL, f"{key[0]} {key[1]} has two terminal events")
        self._closed.add(key)
        self._open.pop(key, None)
        if (key[0], key[1]) != ("play", key[1]) or ("collect", key[1]) not in self._open:
            self._open.pop(("?", key[1]), None)


def _terminal(kind: str, params: Mapping[str, Any]) -> bool:
    if kind == "detect":
        return params["detect"]["params"]["event"] in ("finished", "error")
    state = params.get("state")
    if kind == "collect" and (state is None or params.get("final") is False):
        return False
    return state not in _GOES_ON
