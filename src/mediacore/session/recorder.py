"""What is kept of a call: stereo audio, frame notes, marks, decisions, errors; the record."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Protocol

from mediacore._core import Leg
from mediacore.call.actions import LogDecision
from mediacore.call.record import (
    CallRecord,
    DecisionNote,
    ErrorNote,
    FrameLog,
    Mark,
    MarkKind,
    SpeechBand,
    TransportFacts,
    Turn,
    Usage,
)
from mediacore.events import (
    DigitReceived,
    EventsLost,
    MediaEvent,
    MediaLost,
    MediaResumed,
    PlayoutCut,
    PlayoutDucked,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutUnderrun,
    SpeechEnded,
    SpeechStarted,
    ToneDetected,
)
from mediacore.media import NoteFlag, unpack_notes
from mediacore.session.tapping import RecordTap
from mediacore.units import samples_to_ms


class StereoSink(Protocol):
    """Where the recording goes. Nothing here may block or raise into the call."""

    def put(self, at: int, pcm: bytes) -> None:
        """Stereo int16 PCM whose first pair is at sample `at` of the leg's clock."""
        ...

    def close(self) -> str:
        """Finish; may block for some seconds. Returns what was lost, in words, or ''."""
        ...


class Recorder:
    """Collects the record of one call. Every method is cheap and belongs to the owner."""

    def __init__(
        self,
        leg: Leg,
        call_id: str,
        wallclock: datetime,
        audio: StereoSink | None,
        tap: RecordTap | None = None,
    ) -> None:
        self._leg = leg
        self._call_id = call_id
        self._wallclock = wallclock
        self._audio = audio
        self._tap = tap or RecordTap(leg)
        if audio is not None:
            self._tap.add(audio)
        self._frames = FrameLog()
        self._turns: dict[int, Turn] = {}
        self._speech: list[SpeechBand] = []
        self._speech_start: int | None = None
        self._paused = False
        self._marks: list[Mark] = []
        self._decisions: list[DecisionNote] = []
        self._errors: list[ErrorNote] = []
        self.rx_dbov = self.tx_dbov = -127
        self.delay_ms = self.target_ms = 0
        self.caller_speaks = False

    @property
    def tap(self) -> RecordTap:
        """The one reader of the leg's record tap; others may add themselves to it."""
        return self._tap

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Turns so far, in order."""
        return tuple(self._turns[i] for i in sorted(self._turns))

    @property
    def decisions(self) -> tuple[DecisionNote, ...]:
        """Decisions so far, in order."""
        return tuple(self._decisions)

    def take_media(self) -> None:
        """Drain the leg's record and note taps."""
        notes = unpack_notes(self._leg.read_notes())
        self._frames.add(notes)
        if notes:
            self.rx_dbov = max(n.rx_dbov for n in notes)
            self.tx_dbov = max(n.tx_dbov for n in notes)
            self.delay_ms, self.target_ms = notes[-1].delay_ms, notes[-1].target_ms
            self.caller_speaks = bool(notes[-1].flags & NoteFlag.RX_SPEECH)
        self._tap.take()

    def turn(self, turn: Turn) -> None:
        """Keep a turn; a later one with the same index replaces it."""
        self._turns[turn.index] = turn

    def decision(self, at: int, action: LogDecision) -> None:
        """Keep a decision."""
        evidence = " ".join(f"{k}={v}" for k, v in action.evidence.items())
        self._decisions.append(DecisionNote(at, action.name, action.verdict, evidence))

    def error(self, note: ErrorNote) -> None:
        """Keep an error."""
        self._errors.append(note)

    def media(self, event: MediaEvent) -> None:
        """Keep what belongs on the time line."""
        match event:
            case SpeechStarted():
                self._speech_start = event.at
            case SpeechEnded():
                if self._speech_start is not None:
                    self._speech.append(SpeechBand(self._speech_start, event.at))
                self._speech_start = None
            case PlayoutCut() if event.utterance:
                # After a pause the line is silent already: the pause has the time.
                self._mark(MarkKind.CUT, event, event.cause.name.lower(), onset=not self._paused)
                self._paused = False
            case PlayoutPaused():
                self._mark(MarkKind.PAUSE, event, "", onset=True)
                self._paused = True
            case PlayoutResumed():
                self._mark(MarkKind.RESUME, event, "")
                self._paused = False
            case PlayoutDucked():
                self._mark(MarkKind.DUCK, event, "down" if event.ducked else "up")
            case PlayoutUnderrun():
                self._mark(MarkKind.UNDERRUN, event, "")
            case DigitReceived():
                self._mark(MarkKind.DIGIT, event, event.digit)
            case ToneDetected():
                self._mark(MarkKind.TONE, event, str(event.kind))
            case MediaLost():
                self._mark(MarkKind.MEDIA_LOST, event, f"{event.silent_ms} ms")
            case MediaResumed():
                self._mark(MarkKind.MEDIA_RESUMED, event, "")
            case EventsLost():
                self._mark(MarkKind.EVENTS_LOST, event, str(event.count))

    def finish(
        self,
        *,
        ended_at: int,
        end_reason: str,
        transport: TransportFacts,
        agent: str,
        providers: dict[str, str],
        usage: Usage,
        pacer: dict[str, int],
    ) -> CallRecord:
        """Close the files and give the record. Blocks while the audio is flushed."""
        stats = asdict(self._leg.stats())
        if self._speech_start is not None:
            self._speech.append(SpeechBand(self._speech_start, ended_at))
        self._marks.append(Mark(MarkKind.HANGUP, ended_at, end_reason))
        lost = self._audio.close() if self._audio is not None else ""
        return CallRecord(
            call_id=self._call_id,
            started_at=self._wallclock.isoformat(timespec="milliseconds"),
            duration_ms=samples_to_ms(ended_at, self._leg.srate_hz),
            srate_hz=self._leg.srate_hz,
            transport=transport,
            end_reason=end_reason,
            agent=agent,
            providers=providers,
            turns=self.turns,
            speech=tuple(self._speech),
            marks=tuple(self._marks),
            decisions=tuple(self._decisions),
            errors=tuple(self._errors),
            media={name: int(value) for name, value in stats.items()},
            pacer=pacer,
            frames=self._frames.freeze(),
            usage=usage,
            lost=(lost,) if lost else (),
        )

    def _mark(self, kind: MarkKind, event: MediaEvent, label: str, *, onset: bool = False) -> None:
        took_ms = None
        if onset and self._speech_start is not None and event.at >= self._speech_start:
            took_ms = samples_to_ms(event.at - self._speech_start, self._leg.srate_hz)
        self._marks.append(Mark(kind, event.at, label, took_ms))
