"""The working copy of one step: a state to replace, actions to collect, and now."""

from __future__ import annotations

from typing import Any

from mediacore.call.actions import Action, LogDecision
from mediacore.call.changed import changed
from mediacore.call.ledger import Utterance
from mediacore.call.state import AgentTurn, CallerTurn, CallState, Phase, count


class Draft:
    """Lives for one step and is seen by its handlers only; the state itself stays frozen."""

    __slots__ = ("actions", "now", "state")

    def __init__(self, state: CallState, now: int) -> None:
        self.state = state
        self.now = now
        self.actions: list[Action] = []

    def set(self, **changes: Any) -> None:
        """Replace fields of the state."""
        self.state = changed(self.state, **changes)

    def set_caller(self, **changes: Any) -> None:
        """Replace fields of the caller's turn."""
        self.state = changed(self.state, caller=changed(self.state.caller, **changes))

    def set_agent(self, **changes: Any) -> None:
        """Replace fields of the agent's open turn."""
        self.state = changed(self.state, agent=changed(self.agent, **changes))

    def set_stamps(self, **changes: Any) -> None:
        """Stamp stages of the answer that have no stamp yet."""
        stamps = self.agent.stamps
        fresh = {k: v for k, v in changes.items() if getattr(stamps, k) is None}
        if fresh:
            self.set_agent(stamps=changed(stamps, **fresh))

    def set_utterance(self, utt: Utterance) -> None:
        """Put a changed utterance back into the agent's turn."""
        same = tuple(utt if u.id == utt.id else u for u in self.agent.utterances)
        self.set_agent(utterances=same)

    def emit(self, *actions: Action) -> None:
        """Add actions. After the hang-up there are none."""
        if self.state.phase is not Phase.ENDED:
            self.actions.extend(actions)

    def log(self, name: str, verdict: str, **evidence: int | float | str | bool) -> None:
        """Add a decision to the log. Evidence never holds what somebody said."""
        self.emit(LogDecision(name, verdict, evidence))

    def count(self, name: str) -> None:
        """One more of `name` in the counts."""
        self.state = count(self.state, name)

    @property
    def agent(self) -> AgentTurn:
        """The agent's open turn. Only where the phase or the gate guarantees one."""
        agent = self.state.agent
        if agent is None:
            raise AssertionError("no agent turn is open")
        return agent

    @property
    def caller(self) -> CallerTurn:
        """The caller's turn so far."""
        return self.state.caller

    @property
    def committed(self) -> bool:
        """A cut was ordered and its report is awaited: the open turn says nothing more."""
        running = self.state.interruption
        return running is not None and running.committed

    def utterance(self, utterance: int) -> Utterance:
        """An utterance that the gate has let through: it is there."""
        utt = self.find(utterance)
        if utt is None:
            raise AssertionError("no such utterance is open")
        return utt

    def find(self, utterance: int) -> Utterance | None:
        """An utterance of the agent's open turn."""
        agent = self.state.agent
        if agent is None:
            return None
        return next((u for u in agent.utterances if u.id == utterance), None)
