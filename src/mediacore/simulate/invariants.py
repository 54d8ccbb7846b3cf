"""The checker: sees every event, state and action of a call, and raises at the first broken rule.

It believes nothing that the state says about itself where it can count on its own: what was
opened and closed, who was answered, what was asked for and spent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mediacore.call import actions as talk
from mediacore.call.record import Turn, UtteranceKind, UtteranceState
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.state import DialData, RunState
from mediacore.simulate.core import Leg
from mediacore.simulate.published import Told
from mediacore.simulate.resources import Resources
from mediacore.simulate.spent import Spent
from mediacore.simulate.violation import Rule, broken

_TAG: Final = re.compile(r"r(\d+)g(\d+)")
_SLACK_SAMPLES: Final = 480  # three ticks: the media clock is estimated
_SLACK_US: Final = 20_000
_NOT_THE_LINE: Final = (talk.CancelReply, talk.TurnCompleted)
_AFTER: Final = (a.AnswerCommand, a.EndLine, a.Log)


class Checker:
    """One call's rules. legs: the audio cores, by line."""

    __slots__ = (
        "_after",
        "_answered",
        "_asked",
        "_closings",
        "_ended",
        "_expected",
        "_legs",
        "_over_at",
        "_resources",
        "_see",
        "_spent",
        "_told",
        "_winners",
        "before",
        "now",
    )

    def __init__(self, state: RunState, legs: Mapping[str, Leg]) -> None:
        self.before = state
        self._after = state
        self.now = 0
        self._legs = legs
        self._resources = Resources()
        self._told = Told()
        self._spent = Spent(state.settings)
        self._ended: set[str] = set()
        self._answered: set[int] = set()
        self._asked = False
        self._winners: dict[int, str] = {}
        self._closings: dict[int, list[int]] = {}
        self._expected: tuple[int, dict[str, object]] = (0, {})
        self._over_at = False
        self._see: Mapping[type, Callable[[Any], None]] = {
            a.Talk: self._talk,
            a.EndLine: self._end_line,
            a.JoinLines: self._join,
            a.AnswerCommand: self._answer,
            a.Publish: self._publish,
            a.DeliverPayload: self._payload,
            a.CallOver: self._call_over,
        }

    # ------------------------------------------------------------------------------- a step

    def step(
        self, event: i.Event | None, state: RunState, actions: Sequence[a.Action], now: int
    ) -> None:
        """Look at one step. event: None for what begins a call."""
        self.now = now
        before = self.before
        self._resources.event(event)
        self._spent.event(event, before)
        for action in actions:
            kind = type(action)
            if kind is a.Log:
                continue
            if self._over_at and kind not in _AFTER:
                broken(Rule.ZOMBIE, f"{kind.__name__} after the end of the call")
            self._line(action)
            self._resources.action(action)
            self._spent.action(action, state)
            self._after = state
            see = self._see.get(kind)
            if see is not None:
                see(action)
        if type(event) is i.CommandReceived:
            self._one_answer(event, before)
        if before.over:
            self._dead(before, state)
        else:
            self._lines(state)
            self._data(event, before, state)
            self._version(before, state)
        for leg in self._legs.values():
            leg.check()
        self.before = state

    def deadline(self, state: RunState, deadline_us: int | None, now: int) -> None:
        """What the call wants to be woken for."""
        if state.over:
            if deadline_us is not None:
                broken(Rule.ZOMBIE, "a dead call wants to be woken")
            return
        if deadline_us is None:
            if state.lines or state.ops:
                broken(Rule.NO_DEADLINE, f"waits for ever with {_open(state)}")
        elif deadline_us <= now:
            broken(Rule.NO_DEADLINE, f"its deadline has passed, with {_open(state)}")

    def stuck(self, state: RunState) -> None:
        """The call did not end within its limits."""
        broken(Rule.STUCK, f"still there with {_open(state)}")

    # ----------------------------------------------------------------------------- actions

    def _line(self, action: Any) -> None:
        kind = type(action)
        if kind is a.EndLine or kind is a.Publish:
            return
        if kind is a.Talk and type(action.action) in _NOT_THE_LINE:
            return
        if kind is a.JoinLines or kind is a.PartLines:
            named: tuple[str, ...] = (action.a, action.b)
        else:
            line = getattr(action, "line", "")
            named = (line,) if line else ()
        for line in named:
            if line in self._ended:
                broken(Rule.DEAD_LINE, f"{kind.__name__} for {line}, which is over")

    def _end_line(self, action: a.EndLine) -> None:
        self._ended.add(action.line)

    def _join(self, action: a.JoinLines) -> None:
        for line in (action.a, action.b):
            if line not in self._legs:
                broken(Rule.PHANTOM_TRANSFER, f"{line} is joined without media")

    def _talk(self, action: a.Talk) -> None:
        said = action.action
        if isinstance(said, talk.TurnCompleted):
            self._ledger(action.line, said.turn)
        if not isinstance(said, talk.Speak):
            return
        for run, generation in _TAG.findall(said.text):
            if int(run) != action.run or int(generation) != said.generation:
                broken(
                    Rule.STALE_AUDIO,
                    f"run {action.run} says for turn {said.generation} what was answered to "
                    f"run {run}, turn {generation}",
                )
        if said.kind is UtteranceKind.CLOSING:
            self._goodbye(action, said.utterance)

    def _goodbye(self, action: a.Talk, utterance: int) -> None:
        earlier = self._closings.setdefault(action.run, [])
        leg = self._legs.get(action.line)
        for other in earlier:
            voice = leg.voices.get(other) if leg is not None else None
            if voice is not None and not voice.over:
                broken(Rule.TWO_GOODBYES, f"goodbye {utterance} while {other} is not over")
        run = self._after.run
        interrupted = run is None or run.talk.closing_interrupted
        if earlier and not interrupted:
            broken(Rule.TWO_GOODBYES, f"goodbye {utterance}, and nobody cut {earlier[-1]}")
        earlier.append(utterance)
        if len(earlier) > 2:  # one that the caller cut, and the one after it
            broken(Rule.TWO_GOODBYES, f"{len(earlier)} goodbyes in run {action.run}")

    def _ledger(self, line: str, turn: Turn) -> None:
        leg = self._legs.get(line)
        if leg is None or leg.lossy:  # without the core's events the ledger is an estimate
            return
        for record in turn.utterances:
            played = leg.heard(record.id)
            if record.played_samples > played + _SLACK_SAMPLES:
                broken(
                    Rule.UNPLAYED_WORD,
                    f"utterance {record.id}: {record.played_samples} samples claimed, "
                    f"{played} played",
                )
            if record.state is UtteranceState.FINISHED and not leg.voices[record.id].over:
                broken(Rule.UNPLAYED_WORD, f"utterance {record.id} is not finished")
            for word in record.words:
                middle = (word.at + word.until) // 2
                if word.end <= record.heard_chars and middle > played + _SLACK_SAMPLES:
                    broken(
                        Rule.UNPLAYED_WORD,
                        f"utterance {record.id}: character {word.end} was not played",
                    )

    def _payload(self, action: a.DeliverPayload) -> None:
        run: Any = action.run
        for turn in run.talk.turns:
            self._ledger(run.line, turn)

    # ---------------------------------------------------------------------------- commands

    def _answer(self, action: a.AnswerCommand) -> None:
        if action.request in self._answered:
            broken(Rule.ANSWERS, f"request {action.request} was answered twice")
        self._answered.add(action.request)
        self._asked = action.answer.code == "200"
        self._told.answered(action.answer)

    def _one_answer(self, event: i.CommandReceived, before: RunState) -> None:
        command = event.command
        if event.request not in self._answered:
            broken(Rule.ANSWERS, f"request {event.request} ({command.method}) has no answer")
        if not self._asked:
            return
        if command.version is not None:
            if command.version != before.version:
                broken(Rule.TWO_WINNERS, f"{command.method} won on version {command.version}")
            winner = self._winners.setdefault(command.version, f"{command.issuer} {event.request}")
            if winner != f"{command.issuer} {event.request}":
                broken(Rule.TWO_WINNERS, f"{command.issuer} and {winner} won on one version")
        lease = before.lease
        if lease is None or lease.holder == command.issuer or command.method == "dial":
            return
        if lease.until_us > self.now:
            broken(Rule.TWO_WINNERS, f"{command.issuer} won against {lease.holder}'s lease")

    # ------------------------------------------------------------------------------ events

    def _publish(self, action: a.Publish) -> None:
        self._told.publish(action)

    def _call_over(self, action: a.CallOver) -> None:
        self._over_at = True
        self._resources.at_the_end()
        self._told.at_the_end()

    def _dead(self, before: RunState, state: RunState) -> None:
        for name in ("lines", "ops", "flows", "run", "closing", "vars", "global_data", "lease"):
            if getattr(before, name) is not getattr(state, name):
                broken(Rule.ZOMBIE, f"{name} changed after the end of the call")
        if not state.over:
            broken(Rule.ZOMBIE, "the call came back to life")

    # ------------------------------------------------------------------------------- state

    def _lines(self, state: RunState) -> None:
        lines = state.lines
        if len(lines) == 1:
            line = lines.get(state.main)
            if line is not None and not line.over:
                self._lifetime(state, line)
            return
        main = lines.get(state.main)
        wanted: set[str] = set()
        for op in state.ops.values():
            data = op.data
            if isinstance(data, DialData):
                wanted.update(data.open)
                wanted.add(data.winner)
        for line in lines.values():
            if line.peer:
                peer = lines.get(line.peer)
                if peer is None or peer.peer != line.id:
                    broken(Rule.TWO_OWNERS, f"{line.id} hears {line.peer}, not the other way")
                if peer.over or line.over:
                    broken(Rule.PHANTOM_TRANSFER, f"{line.id} and {line.peer}: one is over")
            if line.over:
                continue
            self._lifetime(state, line)
            if line.id == state.main:
                continue
            if main is not None and main.over:
                broken(Rule.PHANTOM_TRANSFER, f"{line.id} outlives the call's own line")
            if line.id not in wanted and not line.peer:
                broken(Rule.PHANTOM_TRANSFER, f"{line.id} is left with nobody")

    def _lifetime(self, state: RunState, line: Any) -> None:
        settings = state.settings
        begun = line.answered_us if line.answered_us is not None else line.created_us
        limits = [settings.max_call_ms]
        if line.answered_us is None:
            limits = [max(settings.answer_ms, 601_000)]
        elif line.id == state.main and settings.budget.seconds is not None:
            limits.append(settings.budget.seconds * 1000 + settings.talk.limit_grace_ms)
        late_us = self.now - begun - min(limits) * 1000
        if late_us > _SLACK_US:
            broken(Rule.TIME_CAP, f"{line.id} is {late_us // 1000} ms over its limit")

    def _data(self, event: i.Event | None, before: RunState, state: RunState) -> None:
        """Every applied change of the data is there, whatever came between."""
        run = state.run
        number, expected = self._expected
        if run is not None and run.id != number:
            self._expected = number, expected = (run.id, dict(run.session.global_data))
        if expected:
            data = run.session.global_data if run is not None else state.global_data
            for key, value in expected.items():
                if data.get(key) != value:
                    broken(Rule.LOST_UPDATE, f"global_data.{key} is {data.get(key)!r}")
        for key, value in before.vars.items():
            if key.startswith("e") and state.vars.get(key) != value:
                broken(Rule.LOST_UPDATE, f"vars.{key} is {state.vars.get(key)!r}")
        if event is not None:
            self._expect(event, before, state)

    def _expect(self, event: i.Event, before: RunState, state: RunState) -> None:
        run, number = before.run, self._expected[0]
        if run is None or run.id != number:
            return
        given: object = None
        if isinstance(event, i.ToolReplied | i.HookReplied):
            waits = event.run == run.id and any(j.id == event.id for j in run.jobs)
            if waits and event.ok and isinstance(event.reply, Mapping):
                given = event.reply["action"][0]["set_global_data"]
        if isinstance(event, i.CommandReceived) and self._asked:
            told = event.command.method == "ai_message"
            given = event.command.params.get("global_data") if told else None
        if not isinstance(given, Mapping):
            return
        after = state.run
        data = state.global_data if after is None else after.session.global_data
        for key, value in given.items():
            if data.get(key) != value:
                broken(Rule.LOST_UPDATE, f"global_data.{key} was not applied")
            self._expected[1][key] = value

    def _version(self, before: RunState, state: RunState) -> None:
        if state.version < before.version:
            broken(Rule.TWO_WINNERS, "the state version went back")


def _open(state: RunState) -> str:
    lines = ", ".join(f"{line.id} {line.state.value}" for line in state.lines.values())
    ops = ", ".join(op.id for op in state.ops.values())
    return f"lines [{lines}], operations [{ops}], flows {len(state.flows)}"
