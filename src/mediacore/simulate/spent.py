"""What a call has used of its budget, counted from what was asked for and what was reported."""

from __future__ import annotations

from typing import Final

from mediacore.call.actions import Speak
from mediacore.policy.prices import ANY_MODEL, Priced, UsageDelta
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.settings import RunSettings
from mediacore.runtime.state import RunState
from mediacore.simulate.violation import Rule, broken

_GOODBYE_CHARS: Final = 200


class Spent:
    """Turns and money of one call."""

    __slots__ = (
        "_asks",
        "_cap",
        "_day",
        "_granted",
        "_reserved",
        "_settings",
        "_turns",
        "_unit",
        "_used",
    )

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._cap = settings.budget.money_micros
        self._turns = settings.budget.turns
        self._day = settings.money.day_cap_micros > 0
        self._reserved: dict[str, int] = {}
        self._granted = 0
        self._asks = 0
        self._used = 0
        self._unit = 0

    def event(self, event: i.Event | None, before: RunState) -> None:
        """Tokens that were counted."""
        if isinstance(event, i.SpendChecked) and event.granted:
            self._granted += self._reserved.pop(event.reservation, 0)
        if not self._limited or not isinstance(event, i.TokensUsed):
            return
        self._add(
            self._cost("llm", input_tokens=event.input_tokens, output_tokens=event.output_tokens)
        )

    def action(self, action: a.Action, state: RunState) -> None:
        """What is asked for."""
        if isinstance(action, a.AskModel):
            self._asks += 1
            if self._turns is not None and self._asks > self._turns:
                broken(Rule.MONEY_CAP, f"{self._asks} replies asked for, {self._turns} allowed")
            if self._limited:
                self._ask(action)
        elif isinstance(action, a.ReserveSpend):
            self._reserved[action.reservation] = action.amount_micros
        if not self._limited or not isinstance(action, a.Talk):
            return
        if isinstance(action.action, Speak):
            self._add(self._cost("tts", characters=len(action.action.text)))

    def _ask(self, action: a.AskModel) -> None:
        chars = sum(len(entry.text) for entry in action.context)
        tokens = chars // 4 + action.max_tokens
        self._unit = max(self._unit, self._cost("llm", output_tokens=tokens))
        if self._used > self._limit:
            broken(Rule.MONEY_CAP, f"a reply is asked for with {self._used} of {self._limit} spent")

    def _add(self, micros: int) -> None:
        self._used += micros
        goodbye = self._cost("tts", characters=_GOODBYE_CHARS)
        if self._used > self._limit + self._unit + goodbye:
            broken(Rule.MONEY_CAP, f"{self._used} micros spent of {self._limit}")

    @property
    def _limited(self) -> bool:
        return self._day or self._cap is not None

    @property
    def _limit(self) -> int:
        limits = [self._granted] if self._day else []
        return min([*limits, *([self._cap] if self._cap is not None else [])])

    def _cost(self, slot: str, **used: int) -> int:
        money = self._settings.money
        if money.prices is None:
            return 0
        provider, _, model = money.providers.get(slot, "").partition(":")
        priced = money.prices.cost(UsageDelta(provider, model or ANY_MODEL, **used))
        return priced.micros if isinstance(priced, Priced) else 0
