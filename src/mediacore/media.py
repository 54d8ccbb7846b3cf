"""Settings, snapshots and notes of the audio core as plain frozen data.

The binding turns these into the structs of the C API and back. Nothing here needs the binding, so
that decisions can be made, tested and stored without it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Any, Final, NamedTuple


class BargeAction(IntEnum):
    """What the core does with the agent's speech when the caller begins to speak."""

    OFF = 0
    DUCK = 1
    PAUSE = 2
    CUT = 3


class RtcpMode(IntEnum):
    """Where RTCP travels."""

    NONE = 0
    MUX = 1  # on the RTP socket, RFC 5761
    PAIR = 2  # on the next port


class Latch(IntEnum):
    """Whose RTP a leg takes. Once a source is locked the kernel drops everybody else."""

    LEARN = 0  # symmetric RTP (RFC 4961): `remote` if it sends, else the first consistent source
    STRICT = 1  # `remote` and nobody else


class Tap(IntFlag):
    """Copies of a leg's media that can be read."""

    NONE = 0
    RX = 1  # the caller, int16 mono
    RECORD = 2  # int16 stereo: left the caller, right what was sent, on one clock
    NOTES = 4  # one `Note` per tick


class NoteFlag(IntFlag):
    """What happened in one frame."""

    RX_SPEECH = 1
    TX_SPEECH = 2
    CONCEALED = 4
    COMFORT = 8
    CUT = 16
    PAUSED = 32
    UNDERRUN = 64
    WAITING = 128  # nothing was received yet


class MediaOut(IntEnum):
    """What a stream link puts out (`Leg.pull_media`)."""

    AUDIO = 1  # (AUDIO, bytes): 20 ms at the leg's codec
    MARK = 2  # (MARK, utterance, mark): lies in the audio before it; mark 0 = the utterance's end
    FLUSH = 3  # (FLUSH,): a cut; the far side should drop what it still has
    IDLE = 4  # (IDLE,): nothing plays any more


MediaItem = tuple[Any, ...]
"""A `MediaOut` and what belongs to it."""


class SocketIn(IntEnum):
    """What `MediaSocket.feed` gives besides audio, which goes to the leg."""

    TEXT = 1  # (TEXT, str)
    BINARY = 2  # (BINARY, bytes)
    SEND = 3  # (SEND, bytes): write it now; pong, echo of a close, close after bad data
    PONG = 4  # (PONG, bytes)
    CLOSED = 5  # (CLOSED, code, reason): by the peer; 1005 = no code given
    FAILED = 6  # (FAILED, code, reason): bad data, answered with that code


SocketItem = tuple[Any, ...]
"""A `SocketIn` and what belongs to it."""


@dataclass(frozen=True, slots=True)
class MediaDialect:
    """How a provider's WebSocket carries audio.

    In JSON text: event_key: top-level member that must equal event_value, "" = the payload alone
    makes it audio. payload_key: where the base64 is, (member,) or (object, member); () = text is
    never audio. seq_key: number of the message, ts_key: its time in ms, whole numbers, bare or as
    strings. track_key: whose audio it is; when it is there and not one of `tracks` (at most 4; none
    = all), the message is dropped and counted. binary_in: binary messages are audio.

    Out: binary_out: as binary messages; otherwise prefix, base64 and suffix as text. frames: 20 ms
    frames in a message, 1 to 50.
    """

    event_key: str = "event"
    event_value: str = "media"
    payload_key: tuple[str, ...] = ("media", "payload")
    seq_key: tuple[str, ...] = ()
    ts_key: tuple[str, ...] = ()
    track_key: tuple[str, ...] = ()
    tracks: tuple[str, ...] = ()
    binary_in: bool = False
    binary_out: bool = False
    prefix: str = ""
    suffix: str = ""
    frames: int = 1


@dataclass(frozen=True, slots=True)
class MediaSocketStats:
    """Counters of a `MediaSocket`. messages: all received; of them texts and binaries were given
    to the caller, media went to the leg (media_bytes decoded), wrong_track and bad_base64 were
    dropped, unheard found no open leg. dropped_bytes: the leg's queue was full. media_out:
    messages of audio put out.
    """

    messages: int
    texts: int
    binaries: int
    media: int
    media_bytes: int
    wrong_track: int
    bad_base64: int
    unheard: int
    dropped_bytes: int
    pings: int
    media_out: int


@dataclass(frozen=True, slots=True)
class BargeIn:
    """Policy that the core applies by itself, inside the frame. Armed until replaced.

    action: at speech start. duck_db: how far DUCK lowers the level, 0 = 12 dB.
    resume_from_mark: an undone pause goes on at the last mark instead of the exact sample.
    onset_ms: speech that must have been seen, 0 = the speech detector's own onset.
    commit_ms: a duck or pause becomes a cut after so much speech, 0 = only by command.
    resume_ms: silence that undoes an uncommitted duck or pause, 0 = only by command.
    protect_ms: no action in the first milliseconds of an utterance.
    protect_mark: no action before this mark was reached, 0 = none.
    """

    action: BargeAction = BargeAction.OFF
    duck_db: int = 0
    resume_from_mark: bool = False
    onset_ms: int = 0
    commit_ms: int = 0
    resume_ms: int = 0
    protect_ms: int = 0
    protect_mark: int = 0


@dataclass(frozen=True, slots=True)
class Srtp:
    """Keys of SRTP and SRTCP (RFC 3711), one for each direction.

    suite: as in SDP (RFC 4568, RFC 7714). tx_key, rx_key: master key and master salt joined. They
    stay out of `repr`, so that no log shows them.
    """

    suite: str
    tx_key: bytes = field(repr=False)
    rx_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LegConfig:
    """How a leg is set up. 0 means the core's default, which is given in brackets.

    codec: "PCMU", "PCMA", "G722", "L16", "L16LE" (stream links only) or "opus". srate_hz: rate of
    the leg [the codec's own]. payload_type: RTP payload type, None = the codec's static one.
    event_payload_type: RFC 4733, 0 = none. cn_payload_type: comfort noise [13 at 8 kHz, else none].
    tx_payload_type: of what is sent, None = payload_type. codecs: up to 4 others of the same leg
    rate to which `Leg.retarget` may change. ptime_ms: audio in a sent packet, 10, 20, 30, 40 or 60
    (opus: 20); received packets may have any length up to 60. seed: first sequence number,
    timestamp, SSRC and
    noise.

    fd: UDP socket that the leg owns from then on, -1 = memory link (push_packet, pull_packet).
    rtcp_fd: second socket, RtcpMode.PAIR only. remote: announced numeric (host, port), None = not
    known. latch: whose RTP is taken. relatch_ms: Latch.LEARN looks for a source again after so
    long a silence of the locked one, at least 5000, 0 = never. keepalive_ms: while the direction
    says not to send, something goes out each so many milliseconds (RFC 6263), 0 = never. rtcp:
    where reports travel. srtp: keys, None = plain RTP; with keys nothing plain is taken or sent.

    jitter_min_ms, jitter_max_ms: bounds of the buffer's delay [20, 400]. payload_max: bytes of a
    received payload [by codec]. jitter_slots: packets in the buffer [64]. speech_ms: agent audio
    kept in the core, 300 ms of it already played [1600]. tap_ms: tap audio kept for a late
    reader [1000]. taps: what can be read. tap_block_ms: TapReady each so many milliseconds [100].
    media_first_ms, media_lost_ms, media_hold_ms: MediaLost after so long without a packet when
    none came yet [None: media_lost_ms], when they stopped, and while the leg is held or one
    direction is off; 0 = never. budget_ticks: 20 ms ticks after which the leg closes itself,
    0 = no limit.

    vad_threshold_q15: probability that counts as speech, 32767 = certain [16384]; None = no speech
    detection. vad_onset_ms: speech before SpeechStarted [60]. vad_hangover_ms: silence before
    SpeechEnded [200]. bed: room for 1.6 s of sound under the voice. detect_dtmf: in-band digits.
    detect_tones: mask for the tone detector, 0 = off.

    stream: encoded audio in messages (push_media, pull_media) instead of RTP, whose settings have
    no meaning then; digits are sent as sound. stream_always: a frame goes out each tick, not only
    while something plays. ahead_ms: silence before each talkspurt, a multiple of 20 up to 2000;
    the far side holds that much against our own lateness. stream_queue_ms: audio that waits in
    either direction [2000], at most 60000.
    """

    codec: str = "PCMU"
    srate_hz: int = 0
    payload_type: int | None = None
    event_payload_type: int = 0
    cn_payload_type: int = 0
    tx_payload_type: int | None = None
    codecs: tuple[str, ...] = ()
    ptime_ms: int = 20
    seed: int = 0
    fd: int = -1
    rtcp_fd: int = -1
    remote: tuple[str, int] | None = None
    latch: Latch = Latch.LEARN
    relatch_ms: int = 0
    keepalive_ms: int = 15_000
    rtcp: RtcpMode = RtcpMode.NONE
    srtp: Srtp | None = None
    jitter_min_ms: int = 0
    jitter_max_ms: int = 0
    payload_max: int = 0
    jitter_slots: int = 0
    speech_ms: int = 0
    tap_ms: int = 0
    taps: Tap = Tap.NONE
    tap_block_ms: int = 0
    media_first_ms: int | None = None
    media_lost_ms: int = 0
    media_hold_ms: int = 0
    budget_ticks: int = 0
    vad_threshold_q15: int | None = 0
    vad_onset_ms: int = 0
    vad_hangover_ms: int = 0
    bed: bool = False
    detect_dtmf: bool = False
    detect_tones: int = 0
    stream: bool = False
    stream_always: bool = False
    ahead_ms: int = 0
    stream_queue_ms: int = 0


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counters of an engine since it was made; `legs_open` and `bridges_open` are as of now."""

    ticks: int
    commands: int
    commands_stale: int
    events: int
    events_dropped: int
    legs_open: int
    bridges_open: int


@dataclass(frozen=True, slots=True)
class PacerStats:
    """The media thread's punctuality. Times in microseconds.

    skipped: ticks given up because the thread came too late. late_1ms, late_5ms, late_20ms: ticks
    that began so late or later. busy_us: time inside ticks. cpu_us: CPU time of the thread.
    realtime: the system granted real-time scheduling.
    """

    ticks: int
    skipped: int
    late_1ms: int
    late_5ms: int
    late_20ms: int
    late_max_us: int
    busy_us: int
    busy_max_us: int
    cpu_us: int
    realtime: bool


@dataclass(frozen=True, slots=True)
class LegStats:
    """Counters of a leg as of its last tick. Samples are at the leg's rate.

    queued_samples: given to playout. played_samples: distinct samples put on the wire.
    wire_samples: put on the wire, replays after a resume included. mos_x100: estimate of the
    received quality by the E-model (G.107) times 100, 0 = not known yet. far_*: what the far end
    reports by RTCP. rx_stranger: datagrams that are not from the far side, as far as the kernel
    does not drop them. rx_unwanted: packets of the far side dropped because receiving is off.
    latches: times a source was locked. keepalives: packets sent to show life.
    stream_dropped_samples: received on a stream link and too much for its queue; tx_link_dropped
    counts frames that nobody took in time. rx_unauthentic: SRTP packets that were plain, altered,
    replayed or of a 33rd source; they changed nothing else.
    """

    ticks: int
    rx_packets: int
    rx_bytes: int
    rx_malformed: int
    rx_wrong_pt: int
    rx_stranger: int
    rx_restarts: int
    rx_late: int
    rx_duplicate: int
    rx_overflow: int
    rx_lost: int
    rx_concealed_samples: int
    rx_accelerated_samples: int
    rx_expanded_samples: int
    rx_comfort_samples: int
    jitter_us: int
    delay_ms: int
    target_ms: int
    tx_packets: int
    tx_bytes: int
    tx_errors: int
    tx_link_dropped: int
    queued_samples: int
    played_samples: int
    wire_samples: int
    flushed_samples: int
    stale_utterances: int
    stale_samples: int
    underruns: int
    cuts: int
    pauses: int
    resumes: int
    generation: int
    speech_starts: int
    digits: int
    tap_dropped_samples: int
    rtt_us: int
    far_lost_permille: int
    far_jitter_us: int
    rtcp_packets: int
    rtcp_malformed: int
    mos_x100: int
    latches: int
    rx_unwanted: int
    keepalives: int
    stream_dropped_samples: int
    rx_unauthentic: int


class Note(NamedTuple):
    """One frame of a leg, for pictures and measurements.

    tick: of the leg, from 0. rx_dbov, tx_dbov: RMS level, -127..0. flags: `NoteFlag` bits.
    delay_ms, target_ms: jitter buffer, now and wanted. packets: received in the tick; late: of
    them, too late.
    """

    tick: int
    rx_dbov: int
    tx_dbov: int
    flags: int
    concealed_ms: int
    delay_ms: int
    target_ms: int
    packets: int
    late: int


class VadEdge(NamedTuple):
    """Start or end of speech found outside of a leg. at: samples since the first frame."""

    started: bool
    at: int
    peak_q15: int


_NOTE: Final = struct.Struct("=IbbBBHHHH")
NOTE_BYTES: Final = _NOTE.size
"""Size of one packed note."""


def unpack_notes(packed: bytes) -> list[Note]:
    """Decode what `Leg.read_notes` gave. Raises struct.error when not a whole number of notes."""
    return [Note._make(fields) for fields in _NOTE.iter_unpack(packed)]
