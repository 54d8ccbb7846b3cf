"""The rules of a call that must hold after every step, and what is raised when one is broken."""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn


class Rule(StrEnum):
    """One invariant."""

    RAISES = "raises"  # a step never raises
    TWO_OWNERS = "two_owners"  # a line has one voice and at most one peer
    ZOMBIE = "zombie"  # a dead call executes nothing
    LEAK = "leak"  # a dead call leaves no resource
    DEAD_LINE = "dead_line"  # actions address lines that are not over
    LOST_UPDATE = "lost_update"  # data that was applied stays
    STALE_AUDIO = "stale_audio"  # nothing of an old generation is heard
    PHANTOM_TRANSFER = "phantom_transfer"  # a dialled line is never left with nobody
    ANSWERS = "answers"  # every command has exactly one answer
    TWO_WINNERS = "two_winners"  # of conflicting commands one wins
    TWO_GOODBYES = "two_goodbyes"  # one goodbye at a time, none after it
    MONEY_CAP = "money_cap"  # a cap is passed by one unit in flight at most
    TIME_CAP = "time_cap"  # a line ends within its limit and its grace
    UNPLAYED_WORD = "unplayed_word"  # the ledger claims only what was played
    TERMINAL = "terminal"  # one terminal event per control id, before the line's end
    STATE_ORDER = "state_order"  # a line's state only goes forward
    NO_DEADLINE = "no_deadline"  # every wait has a deadline, in the future
    STUCK = "stuck"  # the call ends within its limits whatever is lost


class Violation(Exception):  # noqa: N818 - a finding, not a fault
    """A rule was broken."""

    def __init__(self, rule: Rule, detail: str) -> None:
        super().__init__(f"{rule.value}: {detail}")
        self.rule = rule
        self.detail = detail


def broken(rule: Rule, detail: str) -> NoReturn:
    """Raise the violation."""
    raise Violation(rule, detail)
