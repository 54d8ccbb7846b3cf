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
from dataclasses import asdict, replace

from mediacore.call.actions import Evidence, LogDecision, TurnCompleted
from mediacore.call.record import CallRecord, ErrorNote, Usage
from mediacore.errors import MediaError
from mediacore.flow.document import Document
from mediacore.runtime import actions as a
from mediacore.runtime.inputs import (
    CallOffered,
    Event,
    HangupAsked,
    LineGone,
    Media,
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
from mediacore.session.lineside import LineSide
from mediacore.session.outside import Outside
from mediacore.session.purse import Purse
from mediacore.session.recorder import Recorder, StereoSink
from mediacore.session.services import Services
from mediacore.session.uncancelled import to_the_end
from mediacore.slots.gateway import DialOut, FarLine, LineEnd
from mediacore.slots.report import AttemptReport, Outcome
from mediacore.units import TICK_MS

log = logging.getLogger("mediacore.session")
Decide = Callable[[str, str, Evidence], None]
"""Takes a decision's name, verdict and evidence for the decision log."""
_MAX_QUEUE = 4096


class _CallOverError(Exception):
    """The call has ended as it should."""


class CallRunner:
    """Runs one call. `run` once; `post` and `command` from anywhere on the loop."""

    def __init__(
        self,
        services: Services,
        state: RunState,
        publish: Callable[[Published], None],
        decide: Decide,
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
        self._decide = decide
        self._far = far
        self._document = document
        self._audio = audio
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
        self._recorder: Recorder | None = None
        self._recorded = ""  # the line that the record is about
        self._runs: list[AiRun] = []
        self._dropped = 0
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
        if len(self._queue) >= _MAX_QUEUE and isinstance(event, Media):
            self._dropped += 1  # the call is stuck; its media goes on in the core
            return
        self._queue.append(event)
        self._arrived.set()

    def command(self, make: Callable[[int], Event], reply: Callable[[Answer], None]) -> None:
        """Give the call a command; `make` gets the request number."""
        if self._state.over:
            reply(Answer("410", "the call is over"))
            return
        self._requests += 1
        self._answers[self._requests] = reply
        self.post(make(self._requests))

    def hangup(self, reason: str = "hangup") -> None:
        """End the call."""
        self.post(HangupAsked(reason))

    # -- the owner

    async def run(self) -> CallRecord | None:
        """Own the call until it has ended. Cancelling hangs up. None when it never had media."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._outside = Outside(self._services, group, self.post)
                self._bridges = Bridges(self._services.hub.engine)
                self._begin()
                await self._own()
                for side in self._sides.values():
                    await side.wait_ended()
                raise _CallOverError  # leaving by an exception cancels the children
        except* _CallOverError:
            pass
        finally:
            await to_the_end(self._clean_up())
        meter = self._state.meter
        if self._purse is not None and meter is not None and meter.day is not None:
            await self._purse.settle(meter.day.used.money_micros)
        return await self._record()

    def _begin(self) -> None:
        main = self._state.main
        if main and self._far is not None:
            side = self._add_side(main, self._far)
            side.watch()
            self.post(CallOffered(main))

    def _add_side(self, line: str, far: FarLine) -> LineSide:
        side = LineSide(
            line, far, self._services, self._group, self.post, self._report, self._line_up
        )
        self._sides[line] = side
        self._on_line(line, self)
        return side

    async def _own(self) -> None:
        offered = False
        while not self._state.over:
            while not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
            event = self._queue.popleft()
            self._before(event)
            now = self._services.clock_us()
            self._state, actions = step(self._state, event, now)
            self._execute_all(actions)
            if isinstance(event, CallOffered) and self._document is not None and not offered:
                offered = True
                self._state, actions = begin_document(self._state, self._document, now)
                self._execute_all(actions)
            self._arm_deadline()

    def _before(self, event: Event) -> None:
        if isinstance(event, Media) and event.line == self._recorded and self._recorder:
            self._recorder.media(event.event)

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
        note = ErrorNote(
            self._position(),
            f"{report.slot} {report.provider}",
            report.error.value if report.error else "",
            report.detail,
            report.then.value,
        )
        if self._recorder is not None:
            self._recorder.error(note)
        log.warning(
            "provider failed",
            extra={
                "call": self.call_id,
                "slot": report.slot,
                "provider": report.provider,
                "error_class": note.error_class,
                "then": note.recovery,
            },
        )

    def _position(self) -> int:
        side = self._sides.get(self._recorded)
        return side.last_at if side is not None else 0

    # -- lines

    def _line_up(self, side: LineSide) -> None:
        """A line has media. The call's own line is what the record is about."""
        if self._recorder is None and self._state.main in (side.line, ""):
            self._record_line(side)

    def _record_line(self, side: LineSide) -> None:
        leg = side.leg
        assert leg is not None
        self._recorded = side.line
        audio = self._audio(leg.srate_hz) if self._audio is not None else None
        recorder = Recorder(leg, self.call_id, self._services.wallclock(), audio, side.tap)
        self._recorder = recorder
        side.take_with(recorder.take_media)

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
            case a.SettleSpend() | a.CallOver():
                pass
            case _:
                self._execute_on_line(action)

    def _execute_on_line(self, action: a.Action) -> None:
        match action:
            case a.Talk():
                if isinstance(action.action, TurnCompleted) and self._recorder is not None:
                    self._recorder.turn(action.action.turn)
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
                self._execute_on_leg(action)

    def _agent(self, run: int, act: Callable[[AgentSide], None]) -> None:
        agent = self._agents.get(run)
        if agent is not None:
            act(agent)

    def _execute_on_leg(self, action: a.Action) -> None:
        side = self._side_of(action)
        if side is None or side.leg is None:
            return
        match action:
            case a.LimitLine(_, limit_ms):
                side.leg.limit(limit_ms // TICK_MS if limit_ms else 0)
            case a.StartPlay():
                side.player.start(action)
            case a.StopPlay(op, _, generation):
                side.player.stop(op, generation)
            case a.PausePlay():
                side.player.pause()
            case a.ResumePlay():
                side.player.resume()
            case a.SetVolume():
                side.player.volume(action)
            case a.StartBed():
                side.bed.start(action)
            case a.StopBed():
                side.bed.stop()
            case a.SendDigits(_, digits):
                side.digits.send(digits)
            case a.ArmLine(_, stops):
                side.arm(stops=stops)
            case a.StartHearing():
                side.start_hearing()
            case a.StopHearing():
                side.stop_hearing()
            case a.StartRecording():
                side.taping.start(action)
            case a.PauseRecording(op, behavior):
                side.taping.pause(op, behavior)
            case a.ResumeRecording(op):
                side.taping.resume(op)
            case a.StopRecording(op):
                side.taping.stop(op)
            case a.StartFork():
                side.forks.start(action)
            case a.StopFork(op):
                side.forks.stop(op)

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
        self._runs.append(run)
        if self._after is not None:
            line = self._state.lines[run.line]
            self._after.deliver(action, run, line, self._state, self._facts())

    def _facts(self) -> SessionFacts:
        """What the session knows of the call beside its state."""
        side = self._sides.get(self._recorded)
        if side is None or side.leg is None:
            return SessionFacts()
        media = {k: int(v) for k, v in asdict(side.leg.stats()).items()}
        return SessionFacts(media, side.recognised_ms)

    async def _reserve(self, action: a.ReserveSpend) -> None:
        reason = "" if self._purse is None else await self._purse.reserve(action.amount_micros)
        self.post(SpendChecked(action.reservation, not reason, reason))

    def _decided(self, name: str, verdict: str, evidence: Evidence) -> None:
        if self._recorder is not None:
            self._recorder.decision(self._position(), LogDecision(name, verdict, evidence))
        self._decide(name, verdict, evidence)

    # -- the end

    async def _clean_up(self) -> None:
        """Whatever the reason for leaving: commands are answered, no line or leg is left."""
        if self._deadline is not None:
            self._deadline.cancel()
        for reply in self._answers.values():
            reply(Answer("410", "the call is over"))
        self._answers.clear()
        for side in self._sides.values():
            await side.far.hangup(LineEnd.HANGUP)
            await side.close_media()

    async def _record(self) -> CallRecord | None:
        recorder, side = self._recorder, self._sides.get(self._recorded)
        self._bridges.close()
        try:
            if recorder is None or side is None or side.leg is None:
                return None
            return await asyncio.to_thread(self._finish, recorder, side)
        finally:
            for one in self._sides.values():
                one.free()

    def _finish(self, recorder: Recorder, side: LineSide) -> CallRecord:
        assert side.leg is not None
        recorder.take_media()
        services = self._services
        engine = services.hub.engine
        ended_at = side.leg.stats().ticks * side.leg.srate_hz * TICK_MS // 1000
        usage = Usage(
            input_tokens=sum(r.input_tokens for r in self._runs),
            output_tokens=sum(r.output_tokens for r in self._runs),
            spoken_chars=sum(r.spoken_chars for r in self._runs),
            recognised_ms=side.recognised_ms,
        )
        record = recorder.finish(
            ended_at=ended_at,
            end_reason=self._state.end_reason or "cancelled",
            transport=side.far.transport,
            agent=services.settings.app_name,
            providers={
                "stt": services.stt.info.name,
                "tts": services.tts.info.name,
                **({"llm": services.llm.info.name} if services.llm is not None else {}),
            },
            usage=usage,
            pacer={},
        )
        if not engine.running:
            return record
        return replace(record, pacer=_counters(engine.pacer_stats()))


def _counters(stats: object) -> dict[str, int]:
    names = getattr(stats, "__slots__", ())
    return {name: int(getattr(stats, name)) for name in names}
