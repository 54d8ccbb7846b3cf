"""The four transaction machines as tables (RFC 3261 §17, RFC 6026 for Accepted).

A step names the next state and what to do, in order. An event that a state does not name changes
nothing. Timers are never stopped: one that fires in a state that does not name it is void.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Kind(StrEnum):
    """The four machines."""

    INVITE_CLIENT = "INVITE client"
    CLIENT = "non-INVITE client"
    INVITE_SERVER = "INVITE server"
    SERVER = "non-INVITE server"


class State(StrEnum):
    """Where a transaction is."""

    CALLING = "Calling"
    TRYING = "Trying"
    PROCEEDING = "Proceeding"
    ACCEPTED = "Accepted"
    COMPLETED = "Completed"
    CONFIRMED = "Confirmed"
    TERMINATED = "Terminated"


class Event(StrEnum):
    """What can happen to it. 1xx, 2xx, 3xx-6xx: received by a client, given to a server."""

    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "3xx-6xx"
    REQUEST = "request again"
    ACK = "ACK"
    ERROR = "transport error"
    TIMER_A = "timer A"
    TIMER_B = "timer B"
    TIMER_D = "timer D"
    TIMER_E = "timer E"
    TIMER_F = "timer F"
    TIMER_G = "timer G"
    TIMER_H = "timer H"
    TIMER_I = "timer I"
    TIMER_J = "timer J"
    TIMER_K = "timer K"
    TIMER_L = "timer L"
    TIMER_M = "timer M"
    CANCELLED = "cancel timer"
    ABANDONED = "abandon timer"


class Op(StrEnum):
    """What a step does. SEND: the message at hand. REPEAT: the last one sent."""

    SEND = "send"
    REPEAT = "repeat"
    PASS = "tell"
    ACK = "send ACK"
    SEND_CANCEL = "send CANCEL if asked"
    TIMED_OUT = "tell: timed out"
    FAILED = "tell: transport failed"
    ACK_MISSING = "tell: ACK missing"
    START_A = "start A"
    START_B = "start B"
    START_D = "start D"
    START_E = "start E"
    START_F = "start F"
    START_G = "start G"
    START_H = "start H"
    START_I = "start I"
    START_J = "start J"
    START_K = "start K"
    START_L = "start L"
    START_M = "start M"
    START_ABANDON = "start abandon"


TIMER_OF: Final[Mapping[Op, Event]] = MappingProxyType(
    {
        op: Event.ABANDONED if op is Op.START_ABANDON else Event(f"timer {op.value[-1]}")
        for op in Op
        if op.value.startswith("start ")
    }
)


@dataclass(frozen=True, slots=True)
class Step:
    """One transition."""

    to: State
    do: tuple[Op, ...] = ()


Table = Mapping[State, Mapping[Event, Step]]

_GONE: Final = Step(State.TERMINATED)
_CLIENT_ERROR: Final = Step(State.TERMINATED, (Op.FAILED,))

_INVITE_CLIENT: Final = {
    State.CALLING: {
        Event.TIMER_A: Step(State.CALLING, (Op.REPEAT, Op.START_A)),
        Event.TIMER_B: Step(State.TERMINATED, (Op.TIMED_OUT,)),
        Event.PROVISIONAL: Step(State.PROCEEDING, (Op.PASS, Op.SEND_CANCEL)),
        Event.SUCCESS: Step(State.ACCEPTED, (Op.PASS, Op.START_M)),
        Event.FAILURE: Step(State.COMPLETED, (Op.ACK, Op.PASS, Op.START_D)),
        Event.ERROR: _CLIENT_ERROR,
    },
    State.PROCEEDING: {
        Event.PROVISIONAL: Step(State.PROCEEDING, (Op.PASS,)),
        Event.SUCCESS: Step(State.ACCEPTED, (Op.PASS, Op.START_M)),
        Event.FAILURE: Step(State.COMPLETED, (Op.ACK, Op.PASS, Op.START_D)),
        Event.CANCELLED: Step(State.TERMINATED, (Op.TIMED_OUT,)),
        Event.ERROR: _CLIENT_ERROR,
    },
    State.ACCEPTED: {
        Event.SUCCESS: Step(State.ACCEPTED, (Op.PASS,)),
        Event.TIMER_M: _GONE,
    },
    State.COMPLETED: {
        Event.FAILURE: Step(State.COMPLETED, (Op.ACK,)),
        Event.TIMER_D: _GONE,
        Event.ERROR: _GONE,
    },
}

_CLIENT: Final = {
    State.TRYING: {
        Event.TIMER_E: Step(State.TRYING, (Op.REPEAT, Op.START_E)),
        Event.TIMER_F: Step(State.TERMINATED, (Op.TIMED_OUT,)),
        Event.PROVISIONAL: Step(State.PROCEEDING, (Op.PASS,)),
        Event.SUCCESS: Step(State.COMPLETED, (Op.PASS, Op.START_K)),
        Event.FAILURE: Step(State.COMPLETED, (Op.PASS, Op.START_K)),
        Event.ERROR: _CLIENT_ERROR,
    },
    State.PROCEEDING: {
        Event.TIMER_E: Step(State.PROCEEDING, (Op.REPEAT, Op.START_E)),
        Event.TIMER_F: Step(State.TERMINATED, (Op.TIMED_OUT,)),
        Event.PROVISIONAL: Step(State.PROCEEDING, (Op.PASS,)),
        Event.SUCCESS: Step(State.COMPLETED, (Op.PASS, Op.START_K)),
        Event.FAILURE: Step(State.COMPLETED, (Op.PASS, Op.START_K)),
        Event.ERROR: _CLIENT_ERROR,
    },
    State.COMPLETED: {
        Event.TIMER_K: _GONE,
    },
}

_INVITE_SERVER: Final = {
    State.PROCEEDING: {
        Event.REQUEST: Step(State.PROCEEDING, (Op.REPEAT,)),
        Event.PROVISIONAL: Step(State.PROCEEDING, (Op.SEND,)),
        Event.SUCCESS: Step(State.ACCEPTED, (Op.SEND, Op.START_L)),
        Event.FAILURE: Step(State.COMPLETED, (Op.SEND, Op.START_G, Op.START_H)),
        Event.ERROR: Step(State.TERMINATED, (Op.FAILED,)),
    },
    State.ACCEPTED: {
        Event.REQUEST: Step(State.ACCEPTED),
        Event.SUCCESS: Step(State.ACCEPTED, (Op.SEND,)),
        Event.ERROR: Step(State.ACCEPTED, (Op.FAILED,)),
        Event.TIMER_L: _GONE,
    },
    State.COMPLETED: {
        Event.REQUEST: Step(State.COMPLETED, (Op.REPEAT,)),
        Event.TIMER_G: Step(State.COMPLETED, (Op.REPEAT, Op.START_G)),
        Event.TIMER_H: Step(State.TERMINATED, (Op.ACK_MISSING,)),
        Event.ACK: Step(State.CONFIRMED, (Op.START_I,)),
        Event.ERROR: Step(State.TERMINATED, (Op.FAILED,)),
    },
    State.CONFIRMED: {
        Event.REQUEST: Step(State.CONFIRMED),
        Event.ACK: Step(State.CONFIRMED),
        Event.TIMER_I: _GONE,
    },
}

_SERVER: Final = {
    State.TRYING: {
        Event.REQUEST: Step(State.TRYING),
        Event.PROVISIONAL: Step(State.PROCEEDING, (Op.SEND,)),
        Event.SUCCESS: Step(State.COMPLETED, (Op.SEND, Op.START_J)),
        Event.FAILURE: Step(State.COMPLETED, (Op.SEND, Op.START_J)),
        Event.ERROR: Step(State.TERMINATED, (Op.FAILED,)),
        Event.ABANDONED: _GONE,
    },
    State.PROCEEDING: {
        Event.REQUEST: Step(State.PROCEEDING, (Op.REPEAT,)),
        Event.PROVISIONAL: Step(State.PROCEEDING, (Op.SEND,)),
        Event.SUCCESS: Step(State.COMPLETED, (Op.SEND, Op.START_J)),
        Event.FAILURE: Step(State.COMPLETED, (Op.SEND, Op.START_J)),
        Event.ERROR: Step(State.TERMINATED, (Op.FAILED,)),
        Event.ABANDONED: _GONE,
    },
    State.COMPLETED: {
        Event.REQUEST: Step(State.COMPLETED, (Op.REPEAT,)),
        Event.TIMER_J: _GONE,
        Event.ERROR: Step(State.TERMINATED, (Op.FAILED,)),
    },
}

FIRST: Final[Mapping[Kind, Step]] = MappingProxyType(
    {
        Kind.INVITE_CLIENT: Step(State.CALLING, (Op.SEND, Op.START_A, Op.START_B)),
        Kind.CLIENT: Step(State.TRYING, (Op.SEND, Op.START_E, Op.START_F)),
        Kind.INVITE_SERVER: Step(State.PROCEEDING, (Op.PASS,)),
        Kind.SERVER: Step(State.TRYING, (Op.PASS, Op.START_ABANDON)),
    }
)
"""The state that a transaction begins in, and how."""

TABLES: Final[Mapping[Kind, Table]] = MappingProxyType(
    {
        Kind.INVITE_CLIENT: _INVITE_CLIENT,
        Kind.CLIENT: _CLIENT,
        Kind.INVITE_SERVER: _INVITE_SERVER,
        Kind.SERVER: _SERVER,
    }
)


@dataclass(frozen=True, slots=True)
class Times:
    """T1: round trip. T2: longest gap between repetitions. T4: how long a message may live in the
    network. give_up: 64 T1. absorb: timer D, at least 32 s on UDP. All ms (§17, table 4)."""

    t1: int = 500
    t2: int = 4000
    t4: int = 5000

    @property
    def give_up(self) -> int:
        """64 T1."""
        return 64 * self.t1

    def first(self, timer: Event, reliable: bool) -> int | None:
        """The first interval of a timer; None: not used on such a transport."""
        if timer in (Event.TIMER_A, Event.TIMER_E, Event.TIMER_G):
            return None if reliable else self.t1
        if timer in (Event.TIMER_I, Event.TIMER_K):
            return 0 if reliable else self.t4
        if timer is Event.TIMER_D:
            return 0 if reliable else max(32_000, self.give_up)
        if timer is Event.TIMER_J:
            return 0 if reliable else self.give_up
        return self.give_up

    def again(self, timer: Event, interval: int, state: State) -> int:
        """The interval that follows: doubled; E and G end at T2, E is T2 at once after a 1xx."""
        if timer is Event.TIMER_A:
            return 2 * interval
        if timer is Event.TIMER_E and state is State.PROCEEDING:
            return self.t2
        return min(2 * interval, self.t2)


_TIMER_TEXT: Final = (
    ("A", "T1, doubling", "–", "INVITE repeated until any response"),
    ("B", "64 T1", "64 T1", "no response to an INVITE; only in Calling"),
    ("D", "32 s", "0", "repeated refusals of an INVITE are ACKed again"),
    ("E", "T1, doubling to T2", "–", "request repeated until the final response"),
    ("F", "64 T1", "64 T1", "no final response"),
    ("G", "T1, doubling to T2", "–", "refusal of an INVITE repeated until its ACK"),
    ("H", "64 T1", "64 T1", "no ACK"),
    ("I", "T4", "0", "repeated ACKs are absorbed"),
    ("J", "64 T1", "0", "repeated requests get the response again"),
    ("K", "T4", "0", "repeated responses are absorbed"),
    ("L", "64 T1", "64 T1", "INVITEs repeated after the 2xx are absorbed (RFC 6026)"),
    ("M", "64 T1", "64 T1", "2xx of other branches are passed on (RFC 6026)"),
    ("cancel", "64 T1", "64 T1", "no final response after a CANCEL (RFC 3261 §9.1)"),
    ("abandon", "64 T1", "64 T1", "a request that nobody answered is forgotten"),
)


def render_transactions() -> str:
    """Markdown of the four tables and of the timers."""
    lines = ["# SIP transactions", "", "Rendered from `mediacore.wire.sip.machines`.", ""]
    for kind, table in TABLES.items():
        begin = FIRST[kind]
        lines += [f"## {kind.value}", "", f"Begins in **{begin.to}**: {_ops(begin)}.", ""]
        lines += ["| in | on | does | then |", "|---|---|---|---|"]
        for state, row in table.items():
            for event, step in row.items():
                lines.append(f"| {state} | {event} | {_ops(step)} | {step.to} |")
        lines.append("")
    lines += ["## Timers", "", "T1 = 500 ms, T2 = 4 s, T4 = 5 s unless configured.", ""]
    lines += ["| timer | UDP | TCP, TLS | what for |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in _TIMER_TEXT]
    return "\n".join(lines) + "\n"


def _ops(step: Step) -> str:
    return ", ".join(op.value for op in step.do) or "–"
