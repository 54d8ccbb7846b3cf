"""The owner of one call: the only task that changes its state.

      media events, results ─► one queue ─► call.step ─► actions, all of them ─► next event

Everything that runs for the call (recognition, synthesis, replies, tools) is a child task in one
TaskGroup and reports back through the same queue. When the owner leaves, the children are
cancelled and awaited: nothing of a call outlives it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from mediacore._core import Leg
from mediacore.call import CallState, Phase, initial_state, next_deadline, step, turns_so_far
from mediacore.call.actions import (
    Action,
    ArmBargeIn,
    AskTurnDetector,
    CallTool,
    CancelReply,
    ConversationOver,
    CutPlayout,
    LogDecision,
    PausePlayout,
    ResumePlayout,
    Speak,
    StartReply,
    TurnCompleted,
)
from mediacore.call.inputs import (
    CallerGone,
    CallStarted,
    Event,
    FarDelayMeasured,
    GenerationSeen,
    HangupRequested,
    TurnProbability,
    Wake,
)
from mediacore.call.live import LiveModel
from mediacore.call.record import CallRecord, ErrorNote, TransportFacts, Usage
from mediacore.errors import MediaError
from mediacore.events import (
    EventsLost,
    LegClosed,
    MediaEvent,
    PlayoutCut,
    PlayoutLow,
    SpeechEnded,
    SpeechStarted,
    TapReady,
    UtteranceFinished,
)
from mediacore.session.hearing import Hearing
from mediacore.session.hub import MediaHub
from mediacore.session.parts import CallParts
from mediacore.session.recorder import Recorder, StereoSink
from mediacore.session.replying import Replying
from mediacore.session.speaking import Speaking
from mediacore.session.uncancelled import to_the_end
from mediacore.slots.report import AttemptReport, Clock, Outcome
from mediacore.slots.turn import TurnContext

log = logging.getLogger("mediacore.call")
_BACKLOG = 1000  # results that may wait; producers then wait for the owner
_CLOSE_S = 1.0  # for the leg's last event
_FAR_DELAY_EVERY = 50  # TapReady events between two looks at RTCP: about 5 s
_MIN_FAR_DELAY_MS = 20  # the far end plays whole frames


class _CallOverError(Exception):
    """The call has ended as it should."""


@dataclass(frozen=True, slots=True)
class CallOptions:
    """Facts of one call. audio: where its recording goes, None = none is kept."""

    call_id: str
    wallclock: datetime
    transport: TransportFacts
    audio: StereoSink | None = None
    title: str = ""


class CallOwner:
    """Runs one call on one leg. `run` once; `hangup` from anywhere on the loop."""

    def __init__(
        self,
        hub: MediaHub,
        leg: Leg,
        parts: CallParts,
        options: CallOptions,
        clock_us: Clock,
        on_live: Callable[[LiveModel], None] | None = None,
    ) -> None:
        self._hub = hub
        self._leg = leg
        self._parts = parts
        self._options = options
        self._clock_us = clock_us
        self._on_live = on_live
        self._state = initial_state(parts.settings)
        self._queue: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._drained = asyncio.Event()
        self._deadline: asyncio.TimerHandle | None = None
        self._closed = asyncio.Event()
        self._last_at = 0
        self._taps = 0
        self._note = ""
        self._recorder = Recorder(leg, options.call_id, options.wallclock, options.audio)
        self._hearing = Hearing(leg, parts.stt, self._post, self._report)
        self._speaking = Speaking(
            leg,
            parts.tts,
            self._post,
            self._report,
            language=parts.language,
            voice=parts.voice,
        )
        self._replying: Replying | None = None
        self._group: asyncio.TaskGroup | None = None
        hub.attach(leg, self._on_media)  # now: LegOpened, which sets the clock, comes once

    @property
    def state(self) -> CallState:
        """The call's state as of the last event."""
        return self._state

    def hangup(self, reason: str = "requested", by: str = "api") -> None:
        """Ask for the end of the call."""
        self._enqueue(HangupRequested(reason, by))

    async def run(self) -> CallRecord:
        """Own the call until it has ended. Cancelling hangs up."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._replying = Replying(self._parts, group, self._post, self._report)
                group.create_task(self._hearing.run())
                group.create_task(self._speaking.run())
                self._enqueue(CallStarted(self._leg.handle, self._leg.srate_hz))
                await self._own()
                raise _CallOverError  # leaving by an exception cancels the children
        except* _CallOverError:
            pass
        finally:
            record = await to_the_end(self._finish())
        return record

    async def _own(self) -> None:
        while self._state.phase is not Phase.ENDED:
            while not self._queue:
                self._drained.set()
                self._arrived.clear()
                await self._arrived.wait()
            event = self._queue.popleft()
            if isinstance(event, MediaEvent):
                self._before_step(event)
            self._state, actions = step(self._state, event, self._clock_us())
            for action in actions:
                self._execute(action)
            self._arm_deadline()
            if not isinstance(event, TapReady) or self._taps % 2 == 0:
                self._show()

    # -- events in ---------------------------------------------------------------------------

    def _enqueue(self, event: Event) -> None:
        self._queue.append(event)
        self._arrived.set()

    async def _post(self, event: Event) -> None:
        """A child's result; waits while the owner is far behind."""
        while len(self._queue) >= _BACKLOG:
            self._drained.clear()
            await self._drained.wait()
        self._enqueue(event)

    def _on_media(self, event: MediaEvent) -> None:
        if isinstance(event, LegClosed):
            self._closed.set()
        # Cuts act on synthesis and the recogniser gets its audio at once: neither waits its turn.
        if isinstance(event, PlayoutCut):
            self._speaking.drop(event.next_generation)
        elif isinstance(event, PlayoutLow):
            self._speaking.room()
            return
        elif isinstance(event, SpeechStarted | SpeechEnded):
            self._hearing.speech(started=isinstance(event, SpeechStarted))
        elif isinstance(event, TapReady):
            self._hearing.take()
        self._enqueue(event)  # type: ignore[arg-type]

    def _before_step(self, event: MediaEvent) -> None:
        self._last_at = max(self._last_at, event.at)
        if isinstance(event, TapReady):
            self._recorder.take_media()
            self._taps += 1
            if self._taps % _FAR_DELAY_EVERY == 0:
                self._measure_far_delay()
            return
        if isinstance(event, EventsLost):
            self._recorder.media(replace(event, at=self._last_at))
            self._resync(event.tick)
            return
        self._recorder.media(event)
        if isinstance(event, LegClosed):
            self._enqueue(CallerGone(event.reason.name.lower()))

    def _resync(self, tick: int) -> None:
        """Events are gone: what snapshots tell of them comes as events of its own."""
        leg, stats = self._leg, self._leg.stats()
        at = stats.ticks * leg.srate_hz // 50
        self._speaking.drop(stats.generation)
        self._enqueue(GenerationSeen(stats.generation))
        self._recorder.take_media()
        self._hearing.take()
        if self._recorder.caller_speaks != self._hearing.speaking:
            edge = SpeechStarted if self._recorder.caller_speaks else SpeechEnded
            self._on_media(edge(leg.handle, tick, at))
        agent = self._state.agent
        drained = stats.queued_samples == stats.played_samples + stats.flushed_samples
        if agent is None or not drained or not self._speaking.idle:
            return
        for utt in agent.utterances:
            if not utt.state.final and utt.total is not None:
                total = utt.total
                over = (leg.handle, tick, at, utt.id, utt.generation, total, total)
                self._enqueue(UtteranceFinished(*over))

    def _measure_far_delay(self) -> None:
        stats = self._leg.stats()
        if not stats.rtcp_packets:
            return
        delay_ms = stats.rtt_us // 2000 + max(_MIN_FAR_DELAY_MS, 2 * stats.far_jitter_us // 1000)
        self._enqueue(FarDelayMeasured(delay_ms))

    def _report(self, report: AttemptReport) -> None:
        if report.outcome is not Outcome.FAILED:
            return
        note = ErrorNote(
            self._last_at,
            f"{report.slot} {report.provider}",
            report.error.value if report.error else "",
            report.detail,
            report.then.value,
        )
        self._recorder.error(note)
        log.warning(
            "provider failed",
            extra={
                "call": self._options.call_id,
                "slot": report.slot,
                "provider": report.provider,
                "error_class": note.error_class,
                "then": note.recovery,
            },
        )

    def _arm_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        due_us = next_deadline(self._state)
        if due_us is None:
            return
        wait_s = max(0, due_us - self._clock_us()) / 1e6
        self._deadline = asyncio.get_running_loop().call_later(wait_s, self._enqueue, Wake())

    # -- actions out -------------------------------------------------------------------------

    def _execute(self, action: Action) -> None:
        replying = self._replying
        assert replying is not None
        try:
            match action:
                case StartReply():
                    replying.start(action)
                case CancelReply():
                    replying.cancel(action.generation)
                case Speak():
                    self._speaking.speak(action)
                case CutPlayout():
                    self._speaking.drop(action.generation + 1)
                    self._leg.cut(action.generation)
                case PausePlayout():
                    self._leg.pause()
                case ResumePlayout():
                    self._leg.resume(action.from_mark)
                    self._leg.duck(0)
                case ArmBargeIn():
                    self._leg.arm(action.policy)
                case CallTool():
                    replying.call_tool(action)
                case AskTurnDetector():
                    self._ask_turn_detector(action)
                case ConversationOver():
                    self._log(LogDecision("hangup", action.reason, {}))
                case LogDecision():
                    self._log(action)
                case TurnCompleted():
                    self._recorder.turn(action.turn)
        except MediaError as error:
            self._recorder.error(ErrorNote(self._last_at, "core", type(error).__name__, str(error)))
            log.error(
                "core refused an action",
                extra={"call": self._options.call_id, "action": type(action).__name__},
            )

    def _ask_turn_detector(self, action: AskTurnDetector) -> None:
        driver, group = self._parts.turn, self._group
        if driver is None or group is None:
            return
        context = TurnContext(action.text, self._hearing.recent(), 0)

        async def ask() -> None:
            vote = await driver.predict(context, self._report)
            await self._post(TurnProbability(action.segment, vote))

        group.create_task(ask())

    def _log(self, action: LogDecision) -> None:
        self._note = f"{action.name}: {action.verdict}"
        self._recorder.decision(self._last_at, action)
        evidence = " ".join(f"{k}={v}" for k, v in action.evidence.items())
        log.info(
            "call=%s decision=%s verdict=%s %s",
            self._options.call_id,
            action.name,
            action.verdict,
            evidence,
        )

    def _show(self) -> None:
        if self._on_live is None:
            return
        state = self._state
        self._on_live(
            LiveModel(
                call_id=self._options.call_id,
                title=self._options.title,
                srate_hz=self._leg.srate_hz,
                elapsed_ms=self._last_at * 1000 // self._leg.srate_hz,
                state=state.phase.value,
                turns=state.turns,
                partial=state.caller.text,
                rx_dbov=self._recorder.rx_dbov,
                tx_dbov=self._recorder.tx_dbov,
                delay_ms=self._recorder.delay_ms,
                target_ms=self._recorder.target_ms,
                note=self._note,
                ended=state.phase is Phase.ENDED,
            )
        )

    # -- the end -----------------------------------------------------------------------------

    async def _finish(self) -> CallRecord:
        """Close the leg, drain its taps, and make the record. Cancellation waits for it."""
        if self._deadline is not None:
            self._deadline.cancel()
        if not self._closed.is_set():
            self._leg.close()
            try:
                async with asyncio.timeout(_CLOSE_S):
                    await self._closed.wait()
            except TimeoutError:
                log.error("leg did not close", extra={"call": self._options.call_id})
        self._hub.detach(self._leg)
        while self._queue:
            event = self._queue.popleft()
            if isinstance(event, MediaEvent) and not isinstance(event, TapReady):
                self._recorder.media(event)
            self._state, _ = step(self._state, event, self._clock_us())
        for turn in turns_so_far(self._state):  # those that the end left open as well
            self._recorder.turn(turn)
        self._recorder.take_media()
        self._show()
        parts, replying = self._parts, self._replying
        usage = Usage(
            input_tokens=replying.input_tokens if replying else 0,
            output_tokens=replying.output_tokens if replying else 0,
            spoken_chars=self._speaking.spoken_chars,
            recognised_ms=self._hearing.recognised_ms,
        )
        ended_at = self._leg.stats().ticks * self._leg.srate_hz // 50
        engine = self._hub.engine
        record = await asyncio.to_thread(
            self._recorder.finish,
            ended_at=ended_at,
            end_reason=self._state.end_reason or "cancelled",
            transport=self._options.transport,
            agent=parts.name,
            providers={
                "stt": parts.stt.info.name,
                "llm": parts.llm.info.name,
                "tts": parts.tts.info.name,
            },
            usage=usage,
            pacer={k: int(v) for k, v in asdict(engine.pacer_stats()).items()}
            if engine.running
            else {},
        )
        self._leg.free()
        return record
