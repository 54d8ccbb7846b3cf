"""What is kept of a call by its runner: the recorder of its own line, and what came before it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from mediacore.call.actions import Evidence, LogDecision
from mediacore.call.record import CallRecord, DecisionNote, ErrorNote, Turn, Usage
from mediacore.events import MediaEvent
from mediacore.runtime.state import AiRun, RunState
from mediacore.session.lineside import LineSide
from mediacore.session.recorder import Recorder, StereoSink
from mediacore.session.services import Services
from mediacore.units import TICK_MS

_EARLY = 100  # decisions and errors before there is media; the first ones are dropped


class Keeping:
    """Collects the record of one call. audio: gives the sink for its sound, None = none is kept."""

    def __init__(
        self, services: Services, call_id: str, audio: Callable[[int], StereoSink] | None
    ) -> None:
        self.line = ""
        """The line that the record is about, "" while there is none."""
        self._services = services
        self._call_id = call_id
        self._audio = audio
        self._recorder: Recorder | None = None
        self._side: LineSide | None = None
        self._early: deque[LogDecision] = deque(maxlen=_EARLY)
        self._early_errors: deque[ErrorNote] = deque(maxlen=_EARLY)
        self._runs: list[AiRun] = []
        self._first_turn: dict[int, int] = {}
        self._turns = 0

    @property
    def decisions(self) -> tuple[DecisionNote, ...]:
        """Of the record, so far."""
        return tuple(self._recorder.decisions) if self._recorder is not None else ()

    @property
    def side(self) -> LineSide | None:
        """The line that the record is about."""
        return self._side

    def begin(self, side: LineSide) -> None:
        """Record this line from now on. Once; later calls change nothing."""
        leg = side.leg
        if self._recorder is not None or leg is None:
            return
        self.line, self._side = side.line, side
        audio = self._audio(leg.srate_hz) if self._audio is not None else None
        wallclock = self._services.wallclock()
        self._recorder = recorder = Recorder(leg, self._call_id, wallclock, audio, side.tap)
        for decision in self._early:
            recorder.decision(0, decision)
        for note in self._early_errors:
            recorder.error(note)
        side.take_with(recorder.take_media, lambda: recorder.caller_speaks)

    def media(self, line: str, event: MediaEvent) -> None:
        """Keep what happened on the recorded line."""
        if self._recorder is not None and line == self.line:
            self._recorder.media(event)

    def turn(self, run: int, turn: Turn) -> Turn:
        """Keep a turn of a run; each run numbers its turns from 0. Returns it as it was kept."""
        if run not in self._first_turn:
            self._first_turn[run] = self._turns
        numbered = replace(turn, index=self._first_turn[run] + turn.index)
        self._turns = max(self._turns, numbered.index + 1)
        if self._recorder is not None:
            self._recorder.turn(numbered)
        return numbered

    def run(self, run: AiRun) -> None:
        """Keep what a run of the agent used."""
        self._runs.append(run)

    def decision(self, name: str, verdict: str, evidence: Evidence) -> None:
        """Keep a decision."""
        decision = LogDecision(name, verdict, evidence)
        if self._recorder is None:
            self._early.append(decision)
        else:
            self._recorder.decision(self._at, decision)

    def error(self, source: str, error_class: str, message: str, recovery: str = "") -> None:
        """Keep an error."""
        note = ErrorNote(self._at, source, error_class, message, recovery)
        if self._recorder is None:
            self._early_errors.append(note)
        else:
            self._recorder.error(note)

    @property
    def _at(self) -> int:
        return self._side.last_at if self._side is not None else 0

    def finish(
        self, state: RunState, reason: str, sides: Iterable[LineSide], lost: tuple[str, ...]
    ) -> CallRecord | None:
        """Close the files and give the record; None when there was no media. Blocks for the disk.

        The legs are closed and not yet freed. lost: what could not be kept or told.
        """
        recorder, side, services = self._recorder, self._side, self._services
        if recorder is None or side is None or side.leg is None:
            return None
        recorder.take_media()
        record = recorder.finish(
            ended_at=side.leg.stats().ticks * side.leg.srate_hz * TICK_MS // 1000,
            end_reason=reason,
            transport=replace(side.far.transport, far_delay_ms=side.far_delay_ms),
            agent=services.settings.app_name,
            providers={
                "stt": services.stt.info.name,
                "tts": services.tts.info.name,
                **({"llm": services.llm.info.name} if services.llm is not None else {}),
            },
            usage=self._usage(state, sides),
            pacer={},
        )
        record = replace(record, lost=(*record.lost, *lost))
        engine = services.hub.engine
        return replace(record, pacer=_counters(engine.pacer_stats())) if engine.running else record

    def _usage(self, state: RunState, sides: Iterable[LineSide]) -> Usage:
        """Runs of the agent, and recognition on all lines; money where prices are known."""
        meter, prices = state.meter, self._services.settings.money.prices
        priced = meter is not None and prices is not None
        return Usage(
            input_tokens=sum(r.input_tokens for r in self._runs),
            output_tokens=sum(r.output_tokens for r in self._runs),
            spoken_chars=sum(r.spoken_chars for r in self._runs),
            recognised_ms=sum(side.recognised_ms for side in sides),
            cost_micros=meter.call.used.money_micros if priced and meter is not None else None,
            currency=prices.currency if priced and prices is not None else "",
        )


def _counters(stats: object) -> dict[str, int]:
    names = getattr(stats, "__slots__", ())
    return {name: int(getattr(stats, name)) for name in names}
