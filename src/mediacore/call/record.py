"""The record of one call: what was said, what was heard, when, and why.

Plain frozen data, filled by the session and read by everything that shows a call. One clock:
every position (`at`, `start`, `end`, names with `_at`) is in samples at `CallRecord.srate_hz`
since the leg opened. Receive and transmit clock start together and run together. Durations of
work are microseconds (`_us`). Characters are counted in Python string indices, end exclusive.

The files of a call live in one directory under the names below.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum
from typing import Final

from mediacore.media import Note, NoteFlag

RECORD_VERSION: Final = 1
RECORD_FILE: Final = "call.json"
AUDIO_FILE: Final = "call.wav"
REPORT_FILE: Final = "report.html"
TIMELINE_FILE: Final = "timeline.png"


class Speaker(StrEnum):
    """Who has the floor."""

    CALLER = "caller"
    AGENT = "agent"


class Accuracy(StrEnum):
    """How well a transport knows what was heard."""

    EXACT = "exact"
    MARK_BOUNDED = "mark_bounded"
    UNKNOWN = "unknown"


class UtteranceState(StrEnum):
    """Where an utterance is; the last three are final."""

    QUEUED = "queued"
    PLAYING = "playing"
    FINISHED = "finished"
    CUT = "cut"
    REFUSED = "refused"

    @property
    def final(self) -> bool:
        """Whether nothing of the utterance can still be played."""
        return self not in (UtteranceState.QUEUED, UtteranceState.PLAYING)


class UtteranceKind(StrEnum):
    """Why the agent spoke."""

    REPLY = "reply"
    GREETING = "greeting"
    FILLER = "filler"  # the reply was late
    SCRIPT = "script"  # a provider failed, or a fixed line
    REPROMPT = "reprompt"  # the line was silent
    CLOSING = "closing"
    SAY = "say"  # somebody wanted this text said


class MarkKind(StrEnum):
    """A point on the call's time line."""

    CUT = "cut"
    PAUSE = "pause"
    RESUME = "resume"
    DUCK = "duck"
    UNDERRUN = "underrun"
    DIGIT = "digit"
    TONE = "tone"
    MEDIA_LOST = "media_lost"
    MEDIA_RESUMED = "media_resumed"
    EVENTS_LOST = "events_lost"
    HANGUP = "hangup"


@dataclass(frozen=True, slots=True)
class TransportFacts:
    """How the media travelled. kind: "rtp", "websocket", "file" … Addresses may be empty.

    far_delay_ms: the estimate taken off `played` to get `heard`.
    """

    kind: str
    codec: str
    payload_type: int | None = None
    ptime_ms: int = 20
    local: str = ""
    remote: str = ""
    accuracy: Accuracy = Accuracy.EXACT
    far_delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class TextSpan:
    """Characters `start`..`end` of an utterance's text, heard by the caller or not."""

    start: int
    end: int
    heard: bool


@dataclass(frozen=True, slots=True)
class WordTime:
    """One word: characters `start`..`end`, sounding from sample `at` to `until` of the utterance.

    measured: the time came with the audio; otherwise it was estimated.
    """

    start: int
    end: int
    at: int
    until: int
    measured: bool = True


@dataclass(frozen=True, slots=True)
class PlayoutBand:
    """A stretch of an utterance on the wire: samples `start`..`end` of the transmit clock."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class UtteranceRecord:
    """One synthesised phrase or sentence and what became of it.

    heard_chars: length of the text's heard beginning. spans: the whole text in order, for texts
    of which a middle was missed as well; empty means one heard span of `heard_chars`.
    playout: stretches on the wire, split by pauses and underruns. queued_samples: given to
    playout so far. played_samples: distinct samples played. wire_samples: replays included.
    cut_at: last sample on the wire, for state `cut`.
    """

    id: int
    generation: int
    kind: UtteranceKind
    text: str
    state: UtteranceState
    heard_chars: int = 0
    spans: tuple[TextSpan, ...] = ()
    words: tuple[WordTime, ...] = ()
    playout: tuple[PlayoutBand, ...] = ()
    queued_samples: int = 0
    played_samples: int = 0
    wire_samples: int = 0
    cut_at: int | None = None
    cut_cause: str = ""

    @property
    def heard_text(self) -> str:
        """What the caller heard of it."""
        return "".join(self.text[s.start : s.end] for s in self.all_spans() if s.heard)

    def all_spans(self) -> tuple[TextSpan, ...]:
        """The whole text as spans without gaps or overlaps, whatever `spans` holds."""
        size = len(self.text)
        heard = min(max(self.heard_chars, 0), size)
        given = self.spans or (TextSpan(0, heard, heard=True),)
        out: list[TextSpan] = []
        at = 0
        for span in sorted(given, key=lambda s: s.start):
            start, end = max(span.start, at), min(span.end, size)
            if start > at and start < end:
                out.append(TextSpan(at, start, heard=False))
            if start < end:
                out.append(TextSpan(start, end, span.heard))
                at = end
        if at < size:
            out.append(TextSpan(at, size, heard=False))
        return tuple(out)


@dataclass(frozen=True, slots=True)
class LatencyStamps:
    """When the stages of one answer were done, in µs after the caller's last speech sample.

    caller_end: that sample on the receive clock. A stage that did not happen is None; one that
    was done before the caller finished (a partial used early) may be negative.
    endpoint: the turn was decided to be over. stt_final: its text was final. reply_first_token:
    the model's first text. first_phrase: enough text to speak. tts_first_audio: first audio of
    it. first_frame_out: first agent sample on the wire.
    """

    caller_end: int
    endpoint_us: int | None = None
    stt_final_us: int | None = None
    reply_first_token_us: int | None = None
    first_phrase_us: int | None = None
    tts_first_audio_us: int | None = None
    first_frame_out_us: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One party's floor time.

    Caller turns carry `text` as recognised (and `confidence` where given); agent turns carry
    `utterances`, and `latency` when they answer a caller. end: None while the turn is open.
    """

    index: int
    speaker: Speaker
    start: int
    end: int | None = None
    text: str = ""
    confidence: float | None = None
    stage: str = ""
    generation: int = 0
    utterances: tuple[UtteranceRecord, ...] = ()
    latency: LatencyStamps | None = None

    @property
    def full_text(self) -> str:
        """Caller: what was recognised. Agent: everything it meant to say."""
        if self.speaker is Speaker.CALLER:
            return self.text
        return " ".join(u.text.strip() for u in self.utterances)

    @property
    def heard_text(self) -> str:
        """Caller: what was recognised. Agent: what the caller heard, refused phrases left out."""
        if self.speaker is Speaker.CALLER:
            return self.text
        parts = (u.heard_text.strip() for u in self.utterances)
        return " ".join(p for p in parts if p)

    @property
    def was_cut(self) -> bool:
        """Whether some of the turn was cut off."""
        return any(u.state is UtteranceState.CUT for u in self.utterances)


@dataclass(frozen=True, slots=True)
class SpeechBand:
    """The caller's voice as the detector saw it, hangover taken off."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A point on the time line. took_ms: for a cut or a pause, caller's onset to silence."""

    kind: MarkKind
    at: int
    label: str = ""
    took_ms: int | None = None


@dataclass(frozen=True, slots=True)
class DecisionNote:
    """One decision. evidence: the quote or the measurement that it rests on."""

    at: int
    name: str
    verdict: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class ErrorNote:
    """Something failed. recovery: what was done about it."""

    at: int
    source: str
    error_class: str
    message: str
    recovery: str = ""


class FrameFlag(IntFlag):
    """What a frame was; the core's own bits, and GAP for a tick whose note is missing."""

    RX_SPEECH = int(NoteFlag.RX_SPEECH)
    TX_SPEECH = int(NoteFlag.TX_SPEECH)
    CONCEALED = int(NoteFlag.CONCEALED)
    COMFORT = int(NoteFlag.COMFORT)
    CUT = int(NoteFlag.CUT)
    PAUSED = int(NoteFlag.PAUSED)
    UNDERRUN = int(NoteFlag.UNDERRUN)
    WAITING = int(NoteFlag.WAITING)
    GAP = 1 << 8


@dataclass(frozen=True, slots=True)
class FrameArrays:
    """One entry per 20 ms tick from the first tick of the leg; all arrays have one length.

    rx_dbov, tx_dbov: RMS, -127..0. flags: FrameFlag. concealed_ms: of the frame's 20. delay_ms,
    target_ms: jitter buffer, now and wanted. packets: received; late: of them too late.
    """

    rx_dbov: tuple[int, ...] = ()
    tx_dbov: tuple[int, ...] = ()
    flags: tuple[int, ...] = ()
    concealed_ms: tuple[int, ...] = ()
    delay_ms: tuple[int, ...] = ()
    target_ms: tuple[int, ...] = ()
    packets: tuple[int, ...] = ()
    late: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.flags)


@dataclass(frozen=True, slots=True)
class Usage:
    """What the call consumed. cost_micros: millionths of `currency`; None = not known."""

    input_tokens: int = 0
    output_tokens: int = 0
    spoken_chars: int = 0
    recognised_ms: int = 0
    cost_micros: int | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """Everything about one call that is kept.

    started_at: wallclock of sample 0, ISO 8601 in UTC. providers: slot name to provider name.
    media: the leg's counters at its end; pacer: the media thread's. lost: what could not be
    stored (a full disk, an overrun), in words.
    """

    call_id: str
    started_at: str
    duration_ms: int
    srate_hz: int
    transport: TransportFacts
    end_reason: str
    version: int = RECORD_VERSION
    agent: str = ""
    providers: dict[str, str] = field(default_factory=dict)
    turns: tuple[Turn, ...] = ()
    speech: tuple[SpeechBand, ...] = ()
    marks: tuple[Mark, ...] = ()
    decisions: tuple[DecisionNote, ...] = ()
    errors: tuple[ErrorNote, ...] = ()
    media: dict[str, int] = field(default_factory=dict)
    pacer: dict[str, int] = field(default_factory=dict)
    frames: FrameArrays = field(default_factory=FrameArrays)
    usage: Usage | None = None
    lost: tuple[str, ...] = ()


_MAX_GAP: Final = 50 * 60 * 60  # an hour of ticks: a jump beyond it is a broken tick number


class FrameLog:
    """Collects the notes of a leg while the call runs: about 14 bytes a tick.

    Ticks that are missing (the reader was late) are filled in as `GAP`; repeated or older ticks
    are ignored, and so is a tick that jumps more than an hour ahead.
    """

    __slots__ = ("_columns",)

    def __init__(self) -> None:
        # rx_dbov, tx_dbov, flags, concealed_ms, delay_ms, target_ms, packets, late
        self._columns = tuple(array(code) for code in "bbHBHHHH")

    def __len__(self) -> int:
        return len(self._columns[0])

    def add(self, notes: Iterable[Note]) -> None:
        """Take notes in the order in which the core gave them (`unpack_notes`)."""
        columns = self._columns
        for tick, *values in notes:
            missing = tick - len(columns[0])
            if missing < 0 or missing > _MAX_GAP:
                continue
            for _ in range(missing):
                self._append((-127, -127, int(FrameFlag.GAP), 0, 0, 0, 0, 0))
            self._append(values)

    def freeze(self) -> FrameArrays:
        """What was collected so far."""
        return FrameArrays(*(tuple(column) for column in self._columns))

    def _append(self, values: Iterable[int]) -> None:
        for column, value in zip(self._columns, values, strict=True):
            column.append(value)
