"""The owner of one call: the only task that changes its state.

      lines, media, providers, tools, commands ─► one queue ─► runtime.step ─► all actions ─► next

Everything that runs for the call is a child task in one TaskGroup and reports through the same
queue. When the owner leaves, the children are cancelled and awaited: nothing outlives the call.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from typing import TypeGuard

from mediacore.call.actions import Evidence, TurnCompleted
from mediacore.call.record import CallRecord, Turn
from mediacore.errors import MediaError
from mediacore.events import LegClosed, LegOpened
from mediacore.flow.document import Document
from mediacore.runtime import actions as a
from mediacore.runtime.inputs import (
    CallOffered,
    Event,
    HangupAsked,
    LineGone,
    Media,
    PlayFailed,
    SpendChecked,
    Tick,
)
from mediacore.runtime.ports import Answer, Published
from mediacore.runtime.state import AiRun, RunState
from mediacore.runtime.step import begin_document, step
from mediacore.runtime.timers import next_deadline
from mediacore.session.aftercall import AfterCall
from mediacore.session.agentside import AgentSide, hook, summarise
from mediacore.session.bridges import Bridges
from mediacore.session.callfacts import SessionFacts
from mediacore.session.keeping import Keeping
from mediacore.session.legwork import execute_on_leg
from mediacore.session.lineside import LineSide
from mediacore.session.outside import Outside
from mediacore.session.purse import Purse
from mediacore.session.recorder import StereoSink
from mediacore.session.services import LogBook, Services
from mediacore.session.uncancelled import to_the_end
from mediacore.slots.gateway import DialOut, FarLine, LineEnd
from mediacore.slots.report import AttemptReport, Outcome

log = logging.getLogger("mediacore.session")
_MAX_QUEUE = 4096  # events that wait; more media is dropped and the line resynchronised
_MAX_COMMANDS = 256  # commands that wait for their answer; more are refused
_LAST_STEPS = 10_000


class _CallOverError(Exception):
    """The call has ended as it should."""


class CallRunner:
    """Runs one call. `run` once; `post` and `command` from anywhere on the loop.

    The queue is bounded by its sources: commands wait for at most 256 answers and are refused with
    503 beyond that; media events are dropped and counted when 4096 events wait, then what the
    legs' counters tell replaces them; every other event belongs to one operation or task of the
    call, and those are bounded by `RunSettings`.
    """

    def __init__(
        self,
        services: Services,
        state: RunState,
        publish: Callable[[Published], None],
        log_book: LogBook,
        *,
        far: FarLine | None = None,
        document: Document | None = None,
        audio: Callable[[int], StereoSink] | None = None,
        after: AfterCall | None = None,
        purse: Purse | None = None,
        on_line: Callable[[str, CallRunner], None] = lambda line, runner: None,
    ) -> None:
        self._services = services
        self._state = state
        self._publish = publish
        self._log_book = log_book
        self._told_turns: set[int] = set()
        self._far = far
        self._document = document
        self._after = after
        self._purse = purse
        self._on_line = on_line
        self._queue: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._deadline: asyncio.TimerHandle | None = None
        self._armed_us: int | None = None
        self._answers: dict[int, Callable[[Answer], None]] = {}
        self._requests = 0
        self._sides: dict[str, LineSide] = {}
        self._agents: dict[int, AgentSide] = {}
        self._kept = Keeping(services, state.id, audio)
        self._dropped = 0
        self._behind: set[str] = set()  # lines whose media events were dropped
        self._crashed = False
        self.record: CallRecord | None = None
        """What is kept of the call once `run` is over, also when it was cancelled; None when it
        never had media."""
        self._op_lines: dict[str, str] = {}  # stops name only the operation

    @property
    def state(self) -> RunState:
        """The call's state as of the last event."""
        return self._state

    @property
    def call_id(self) -> str:
        """The call."""
        return self._state.id

    # -- from outside

    def post(self, event: Event) -> None:
        """Give the call an event."""
        if len(self._queue) >= _MAX_QUEUE and _may_drop(event):
            self._dropped += 1
            self._behind.add(event.line)
            return
        self._queue.append(event)
        self._arrived.set()

    def command(self, make: Callable[[int], Event], reply: Callable[[Answer], None]) -> None:
        """Give the call a command; `make` gets the request number."""
        if self._state.over:
            reply(Answer("410", "the call is over"))
            return
        if len(self._answers) >= _MAX_COMMANDS:
            reply(Answer("503", "the call is behind with its commands"))
            return
        self._requests += 1
        self._answers[self._requests] = reply
        self.post(make(self._requests))

    def hangup(self, reason: str = "hangup") -> None:
        """End the call."""
        self.post(HangupAsked(reason))

    # -- the owner

    async def run(self) -> CallRecord | None:
        """Own the call until it has ended. Cancelling hangs up; `record` is there in any case."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._outside = Outside(self._services, group, self.post)
                self._bridges = Bridges(self._services.hub.engine)
                self._begin()
                await self._own()
                for side in self._sides.values():
                    await side.wait_ended()
                await self._outside.wait_told()
                raise _CallOverError  # leaving by an exception cancels the children
        except* _CallOverError:
            pass
        except* Exception:
            self._crashed = True
            raise
        finally:
            await to_the_end(self._finish())
        return self.record

    def _begin(self) -> None:
        main = self._state.main
        if main and self._far is not None:
            side = self._add_side(main, self._far)
            side.watch()
            self.post(CallOffered(main))

    def _add_side(self, line: str, far: FarLine) -> LineSide:
        side = LineSide(
            line,
            far,
            self._services,
            self._group,
            self.post,
            self._report,
            self._line_up,
            self._services.records / self.call_id,  # recordings are kept and removed with the call
        )
        self._sides[line] = side
        self._on_line(line, self)
        return side

    async def _own(self) -> None:
        while not self._state.over:
            while not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
            self._take(self._queue.popleft())

    def _take(self, event: Event) -> None:
        """One event and everything that it leads to."""
        self._before(event)
        now = self._services.clock_us()
        self._state, actions = step(self._state, event, now)
        self._execute_all(actions)
        if isinstance(event, CallOffered) and self._document is not None:
            document, self._document = self._document, None
            self._state, actions = begin_document(self._state, document, now)
            self._execute_all(actions)
        self._keep_main()
        if self._behind and not self._queue:
            self._catch_up()
        self._arm_deadline()

    def _catch_up(self) -> None:
        """Media events were dropped: what the legs' counters tell of them."""
        behind, self._behind = self._behind, set()
        for line in behind:
            if line in self._sides:
                self._sides[line].resync()

    def _before(self, event: Event) -> None:
        match event:
            case Media(line, given):
                self._kept.media(line, given)
            case PlayFailed():
                self._kept.error("playback", event.error_class.value, event.detail)

    def _arm_deadline(self) -> None:
        due_us = next_deadline(self._state)
        if due_us == self._armed_us and self._deadline is not None:
            return
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._armed_us = due_us
        if due_us is None:
            return
        wait_s = max(0, due_us - self._services.clock_us()) / 1e6
        self._deadline = asyncio.get_running_loop().call_later(wait_s, self._tick)

    def _tick(self) -> None:
        self._deadline = self._armed_us = None
        self.post(Tick())

    def _report(self, report: AttemptReport) -> None:
        if report.outcome is not Outcome.FAILED:
            return
        error_class = report.error.value if report.error else ""
        source = f"{report.slot} {report.provider}"
        self._kept.error(source, error_class, report.detail, report.then.value)
        log.warning(
            "provider failed",
            extra={
                "call": self.call_id,
                "slot": report.slot,
                "provider": report.provider,
                "error_class": error_class,
                "then": report.then.value,
            },
        )

    # -- lines

    def _line_up(self, side: LineSide) -> None:
        """A line has media: the call's own is recorded from its first sample."""
        if side.line == self._state.main:
            self._kept.begin(side)

    def _keep_main(self) -> None:
        """The record is about the call's own line, of a dial the one that was committed to."""
        side = self._sides.get(self._state.main)
        if side is not None and not self._kept.line:
            self._kept.begin(side)

    def _dial(self, action: a.DialLine) -> None:
        gateway = self._services.gateway
        if gateway is None:
            self.post(LineGone(action.line, LineEnd.NOT_FOUND.value))
            return
        far = gateway.dial(
            DialOut(
                action.kind,
                action.to_number,
                action.from_number,
                action.headers,
                action.codecs,
                action.timeout_ms,
                action.username,
                action.password,
            )
        )
        self._add_side(action.line, far).connect()

    # -- actions

    def _execute_all(self, actions: list[a.Action]) -> None:
        for action in actions:
            try:
                self._execute(action)
            except MediaError as error:
                self._kept.error("core", type(error).__name__, str(error))
                log.error(
                    "core refused an action",
                    extra={
                        "call": self.call_id,
                        "action": type(action).__name__,
                        "error": type(error).__name__,
                    },
                )

    def _execute(self, action: a.Action) -> None:
        match action:
            case a.Log(name, verdict, evidence):
                self._decided(name, verdict, evidence)
            case a.Publish(kind, call_id, params, context, project, issuer):
                self._publish(Published(kind, call_id, params, context, project, issuer))
            case a.AnswerCommand(request, answer):
                reply = self._answers.pop(request, None)
                if reply is not None:
                    reply(answer)
            case a.AnswerLine(line):
                self._sides[line].connect()
            case a.DialLine():
                self._dial(action)
            case a.EndLine(line, reason):
                if line in self._sides:
                    self._sides[line].end(reason)
            case a.JoinLines(one, other):
                self._bridges.join(self._sides[one].leg, self._sides[other].leg)
            case a.PartLines(one, other):
                self._bridges.part(self._sides[one].leg, self._sides[other].leg)
            case a.BeginRun():
                self._begin_run(action)
            case a.EndRun(run):
                agent = self._agents.pop(run, None)
                if agent is not None:
                    agent.end()
            case a.ReserveSpend():
                self._group.create_task(self._reserve(action))
            case a.CallOver():
                pass
            case _:
                self._execute_on_line(action)

    def _turn(self, run: int, turn: Turn) -> None:
        kept = self._kept.turn(run, turn)
        if kept.end is not None and kept.index not in self._told_turns:
            self._told_turns.add(kept.index)
            self._log_book.said(kept.speaker.value, kept.heard_text)

    def _execute_on_line(self, action: a.Action) -> None:
        match action:
            case a.Talk():
                if isinstance(action.action, TurnCompleted):
                    self._turn(action.run, action.action.turn)
                self._agent(action.run, lambda agent: agent.talk(action))
            case a.AskModel():
                self._agent(action.run, lambda agent: agent.ask(action))
            case a.RunTool():
                self._agent(action.run, lambda agent: agent.run_tool(action))
            case a.RunHook():
                self._group.create_task(hook(self._services, self.post, action))
            case a.AskSummary():
                work = summarise(self._services, self.post, action, self._report)
                self._group.create_task(work)
            case a.ChangeVoice():
                self._agent(action.run, lambda agent: agent.change_voice(action.voice))
            case a.DeliverPayload():
                self._deliver(action)
            case a.SendRequest():
                self._outside.request(action)
            case a.FetchDocument():
                self._outside.fetch(action)
            case a.PostStatus():
                self._outside.status(action)
            case a.CancelWork(op):
                self._outside.cancel(op)
            case _:
                side = self._side_of(action)
                if side is not None and side.leg is not None:
                    execute_on_leg(side, side.leg, action)

    def _agent(self, run: int, act: Callable[[AgentSide], None]) -> None:
        agent = self._agents.get(run)
        if agent is not None:
            act(agent)

    def _side_of(self, action: a.Action) -> LineSide | None:
        line, op = getattr(action, "line", ""), getattr(action, "op", "")
        if line and op:
            self._op_lines[op] = line
        return self._sides.get(line or self._op_lines.get(op, ""))

    def _begin_run(self, action: a.BeginRun) -> None:
        side = self._sides[action.line]
        self._agents[action.run] = AgentSide(
            action, side, self._services, self._group, self.post, self._report
        )

    def _deliver(self, action: a.DeliverPayload) -> None:
        run = action.run
        assert isinstance(run, AiRun)
        self._kept.run(run)
        if self._after is not None:
            line = self._state.lines[run.line]
            self._after.deliver(action, run, line, self._state, self._facts())

    def _facts(self) -> SessionFacts:
        """What the session knows of the call beside its state."""
        side = self._kept.side
        if side is None or side.leg is None:
            return SessionFacts()
        media = {k: int(v) for k, v in asdict(side.leg.stats()).items()}
        return SessionFacts(media, side.recognised_ms, self._kept.decisions)

    async def _reserve(self, action: a.ReserveSpend) -> None:
        reason = "" if self._purse is None else await self._purse.reserve(action.amount_micros)
        self.post(SpendChecked(action.reservation, not reason, reason))

    def _decided(self, name: str, verdict: str, evidence: Evidence) -> None:
        self._kept.decision(name, verdict, evidence)
        self._log_book.decided(name, verdict, evidence)

    # -- the end

    async def _finish(self) -> None:
        """Whatever the reason for leaving: nothing is left, everybody is told, the record made."""
        if self._deadline is not None:
            self._deadline.cancel()
        for agent in self._agents.values():
            agent.end()
        for side in self._sides.values():
            await side.hang_up(LineEnd.HANGUP)
            await side.close_media()
        self._tell_the_end()
        for reply in self._answers.values():
            reply(Answer("410", "the call is over"))
        self._answers.clear()
        self._bridges.close()
        await self._settle()
        try:
            reason = "error" if self._crashed else self._state.end_reason or "cancelled"
            sides = tuple(self._sides.values())
            keep = self._kept.finish
            self.record = await asyncio.to_thread(keep, self._state, reason, sides, self._lost())
        finally:
            for side in self._sides.values():
                side.free()

    def _tell_the_end(self) -> None:
        """Let the state come to its end when nobody is left to carry anything out: what is to be
        told is told, and time passes at once."""
        try:
            now = self._services.clock_us()
            self._last_step(HangupAsked("error" if self._crashed else "cancelled"), now)
            for _ in range(_LAST_STEPS):
                due_us = next_deadline(self._state)
                if self._queue:
                    self._last_step(self._queue.popleft(), now)
                elif self._state.over or due_us is None:
                    return
                else:
                    now = max(now, due_us)
                    self._last_step(Tick(), now)
        except Exception:
            log.exception("the end of a call was not told", extra={"call": self.call_id})

    def _last_step(self, event: Event, now: int) -> None:
        self._before(event)
        if self._state.over:
            return
        self._state, actions = step(self._state, event, now)
        for action in actions:
            try:
                self._last_action(action)
            except Exception:
                log.exception("an end was not told", extra={"call": self.call_id})

    def _last_action(self, action: a.Action) -> None:
        match action:
            case a.Log() | a.Publish() | a.AnswerCommand() | a.DeliverPayload():
                self._execute(action)
            case a.Talk(run, action=TurnCompleted(turn)):
                self._turn(run, turn)

    async def _settle(self) -> None:
        """Give back what is left of the day's money."""
        meter = self._state.meter
        if self._purse is None:
            return
        used = meter.day.used.money_micros if meter is not None and meter.day is not None else 0
        await self._purse.settle(used)

    def _lost(self) -> tuple[str, ...]:
        """What of the call could not be kept or told, in words."""
        found = []
        if self._dropped:
            found.append(f"events: {self._dropped} of the media were dropped, the call was behind")
        if self._outside.dropped:
            found.append(f"status: {self._outside.dropped} posts were not sent")
        return tuple(found)


def _may_drop(event: Event) -> TypeGuard[Media]:
    """Media whose effect the leg's counters tell as well."""
    return isinstance(event, Media) and not isinstance(event.event, LegOpened | LegClosed)
