"""What a controller and the calls need of each other: commands in, answers and events out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Command:
    """One request of a controller.

    issuer: the controller's session, opaque. method: published name without "calling.". call_id:
    of the line meant; empty for "dial". version: the state version that the controller saw, None
    when it does not say. permissions: what its token allows ("read", "control", "dial").
    """

    issuer: str
    project: str
    permissions: frozenset[str]
    method: str
    call_id: str
    params: Mapping[str, object] = field(default_factory=dict)
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command. code: "200", or "4xx"/"5xx" as a reason not to."""

    code: str
    message: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Published:
    """An event for controllers.

    event_type: published name, such as "calling.call.play". params: as published, without
    node_id, project_id and timestamp, which the control server adds. call_id: the line meant,
    empty for events of a dial that has none yet. context: offer it to every session subscribed
    to this context (an incoming call); project: of which project, empty for all. issuer: this
    session also gets it and hears of the call from now on.
    """

    event_type: str
    call_id: str
    params: Mapping[str, object]
    context: str = ""
    project: str = ""
    issuer: str = ""


class CallHost(Protocol):
    """All calls of a process, as the control server sees them. One event loop."""

    def submit(self, command: Command, reply: Callable[[Answer], None]) -> None:
        """Give a command to its call. `reply` comes exactly once, on the loop, without waiting
        for the work to be done."""
        ...

    def subscribe(self, deliver: Callable[[Published], None]) -> Callable[[], None]:
        """Hand every event to `deliver`, in order per call; it must not block. Returns the
        function that ends it."""
        ...

    def gone(self, issuer: str) -> None:
        """The controller's session is over for good: its leases end."""
        ...
