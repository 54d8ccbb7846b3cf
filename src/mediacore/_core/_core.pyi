"""Types of the compiled binding. PCM is int16 mono in host order unless said otherwise.

`Buffer` is anything with the buffer protocol: bytes, bytearray, memoryview, an int16 array.
"""

from types import TracebackType
from typing import Any, Self, final

from typing_extensions import Buffer

from mediacore.events import MediaEvent
from mediacore.media import (
    BargeIn,
    EngineStats,
    LegConfig,
    LegStats,
    MediaDialect,
    MediaItem,
    MediaSocketStats,
    PacerStats,
    SocketItem,
    Srtp,
    VadEdge,
)

VERSION: str

@final
class Engine:
    """The media plane of many calls. One control thread calls everything here; the media thread
    is the pacer (start) or whoever calls tick."""

    def __init__(
        self,
        *,
        max_legs: int = 0,  # [1024]
        max_bridges: int = 0,  # [256]
        event_slots: int = 0,  # [8192]
        command_slots: int = 0,  # [4096]
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def close(self) -> None:
        """Stop the pacer, close every leg and bridge, free everything. Idempotent."""
    @property
    def closed(self) -> bool: ...
    @property
    def event_fd(self) -> int:
        """Readable while events wait; owned by the engine."""
    def fileno(self) -> int: ...
    @property
    def stream_fd(self) -> int:
        """Readable after a tick in which a stream link put something out; owned by the engine."""
    def stream_clear(self) -> None:
        """Make stream_fd unreadable again; pull from the legs after it."""
    def tick(self, now_us: int) -> None:
        """Run one tick of 20 ms. Monotonic microseconds, must not go back."""
    def tick_many(self, start_us: int, n: int) -> int:
        """Run n ticks without the GIL. Returns the time of the next one in microseconds."""
    def poll(self) -> list[MediaEvent]:
        """Take the waiting events, oldest first."""
    def stats(self) -> EngineStats: ...
    def start(self, realtime: bool = False) -> None:
        """Start the media thread."""
    def stop(self) -> None:
        """Stop and join the media thread. No-op when it does not run."""
    @property
    def running(self) -> bool: ...
    def pacer_stats(self) -> PacerStats:
        """Raises MediaError when the media thread does not run."""
    def open_leg(self, config: LegConfig) -> Leg:
        """Raises MediaError, QueueFullError (max_legs), MissingDependencyError (opus,
        SRTP)."""
    def open_bridge(self, srate_hz: int = 8000) -> Bridge:
        """srate_hz: rate of the mix in Hz."""

@final
class Leg:
    """One media path to one party. After close() commands raise StaleError; stats and taps can
    be read until free()."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def close(self) -> None:
        """Stop in the next tick; LegClosed is the last event. Idempotent."""
    def free(self) -> None:
        """Give back the memory once LegClosed was polled. Idempotent."""
    @property
    def closed(self) -> bool: ...
    @property
    def handle(self) -> int:
        """The number by which events name this leg."""
    @property
    def srate_hz(self) -> int:
        """Rate of the leg's audio, positions and clocks in Hz."""
    @property
    def codec(self) -> str:
        """Name of the codec on the wire."""
    def stats(self) -> LegStats: ...
    def begin(self, utterance: int, generation: int) -> None:
        """Announce an utterance. Ids grow."""
    def say(self, pcm: Buffer, offset: int = 0) -> int:
        """Queue audio at srate_hz, without its first `offset` samples. Returns samples taken."""
    def mark(self, mark: int, position: int) -> None:
        """Tie a mark (> 0) to a position of the utterance, in samples. Ascending."""
    def end(self) -> None:
        """No more audio for the utterance."""
    def room(self) -> int:
        """Samples that say() would take now."""
    def pause(self) -> None:
        """Stop with a 5 ms fade; the position is kept."""
    def resume(self, from_mark: bool = False) -> None:
        """Go on from the pause, exactly there or at the last mark still held."""
    def cut(self, generation: int) -> None:
        """Stop and flush all speech of generations <= generation."""
    def duck(self, db: int) -> None:
        """Lower the agent's level by db; 0 = back to full."""
    def arm(self, policy: BargeIn) -> None:
        """Arm a policy that acts inside the tick until replaced."""
    def send_digits(self, digits: str, tone_ms: int = 100, gap_ms: int = 100) -> None:
        """Send "0-9*#A-D"; at most 32 at once."""
    def limit(self, ticks: int) -> None:
        """Close by itself after so many more ticks; replaces the last one, 0 = no limit."""
    def hold(self, on: bool) -> None:
        """Silent and deaf in its bridge, voice paused, speech untold; bed, taps, forks go on."""
    def push_digit(self, digit: str, duration_ms: int = 100) -> None:
        """A digit "0-9*#A-D" that came by signalling: DigitReceived, DigitSource.SIGNALLED."""
    def direction(self, send: bool, receive: bool) -> None:
        """SDP direction. Not send: keep-alive only, and as held. Not receive: what comes is
        dropped."""
    def retarget(
        self,
        remote: tuple[str, int] | None,
        *,
        payload_type: int | None = None,
        tx_payload_type: int | None = None,
        event_payload_type: int | None = None,
        cn_payload_type: int | None = None,
        codec: str | None = None,
        ptime_ms: int | None = None,
        srtp: Srtp | None = None,
    ) -> None:
        """A new answer or offer. remote None = learn it; other None = as it is. Raises MediaError:
        a codec that is not reserved (LegConfig.codecs), a value out of range."""
    def rekey(self, srtp: Srtp | None) -> None:
        """Other SRTP keys, None = plain RTP; a direction whose key is the same goes on as it is.
        Raises MediaError, MissingDependencyError."""
    def bed(self, pcm: Buffer, offset: int = 0) -> int:
        """Queue audio under the voice, at srate_hz. Returns samples taken, of 1.6 s."""
    def bed_room(self) -> int:
        """Samples that bed() would take now; 0 on a leg without bed."""
    def bed_gain(self, db: float) -> None:
        """Level of the bed, at most 20 dB; below -96 silence."""
    def bed_stop(self) -> None:
        """Fade out in 20 ms and forget what was queued."""
    def fork(self, source: Leg, *, rx: bool = True, tx: bool = True) -> None:
        """Send a copy of what `source` receives and sends until unfork or the end of either."""
    def unfork(self) -> None:
        """Send no copy any more."""
    def read_tap(self, max_samples: int) -> tuple[int, bytes]:
        """Take caller audio: (position of the first sample, int16 mono)."""
    def read_record(self, max_pairs: int) -> tuple[int, bytes]:
        """Take the record: (position of the first pair, int16 stereo: caller, sent)."""
    def read_notes(self, max_notes: int = 1024) -> bytes:
        """Take packed notes for mediacore.media.unpack_notes()."""
    def push_packet(self, packet: Buffer) -> None:
        """Give one received datagram to a leg without socket."""
    def pull_packet(self) -> bytes | None:
        """Take one sent datagram of a leg without socket."""
    def push_media(self, payload: Buffer, seq: int | None = None, ts: int | None = None) -> int:
        """Give a received message of any length to a stream link. seq: its number; ts: its time
        in ms. Returns the bytes dropped because the queue is full."""
    def pull_media(self) -> list[MediaItem]:
        """Take what a stream link put out, in exact order."""

@final
class MediaSocket:
    """WebSocket of a media stream after the handshake, server side, sans I/O (RFC 6455 without
    extensions). Audio goes straight between the messages and the leg's stream link."""

    def __init__(
        self,
        dialect: MediaDialect,
        leg: Leg | None = None,
        *,
        max_text: int = 65536,  # bytes of a message
        max_binary: int = 1048576,
    ) -> None:
        """Raises ValueError: limits out of range, keys too long, several Opus frames."""
    def attach(self, leg: Leg | None) -> None:
        """Where audio goes from now on."""
    def set_wrap(self, prefix: str, suffix: str) -> None:
        """Text around the base64 of outgoing audio, once the stream's id is known."""
    def feed(self, data: Buffer) -> list[SocketItem]:
        """Take received bytes. Returns what is not audio, and what is to be sent. Wire data never
        raises; after CLOSED or FAILED everything is ignored."""
    def drain(self) -> list[Any]:
        """What the leg put out: bytes (one or more whole frames) and MediaOut tuples in order."""
    def media(self, payload: Buffer) -> bytes:
        """One message of audio made by hand."""
    def text(self, message: str) -> bytes: ...
    def binary(self, data: Buffer) -> bytes: ...
    def ping(self, data: Buffer = b"") -> bytes:
        """ValueError above 125 bytes."""
    def close(self, code: int = 1000, reason: str = "") -> bytes:
        """Close frame. After it (and after CLOSED, FAILED) everything to be sent is b""."""
    @property
    def closed(self) -> bool:
        """The peer closed, or sent bad data."""
    def stats(self) -> MediaSocketStats: ...

@final
class Bridge:
    """Up to 8 legs that hear each other, N-1."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def close(self) -> None:
        """Take the bridge away; its legs go on. Idempotent."""
    @property
    def closed(self) -> bool: ...
    @property
    def handle(self) -> int: ...
    def join(self, leg: Leg) -> None:
        """At full gain to and from everybody."""
    def leave(self, leg: Leg) -> None: ...
    def gain(self, from_leg: Leg, to_leg: Leg, gain_q15: int) -> None:
        """Gain of one leg in what another hears: 32767 = full, 0 = not at all."""

@final
class Resampler:
    """Streaming conversion of int16 mono between two rates in Hz. One thread at a time."""

    def __init__(self, in_hz: int, out_hz: int) -> None: ...
    @property
    def delay_samples(self) -> int:
        """Delay of the output, in output samples."""
    def run(self, pcm: Buffer) -> bytes:
        """Convert a chunk of any size."""
    def flush(self) -> bytes:
        """Give what the filter still holds, and begin a new stream."""

@final
class Codec:
    """A codec outside of a leg. name as in SDP; srate_hz of the PCM, 0 = the codec's own."""

    def __init__(self, name: str, srate_hz: int = 0) -> None: ...
    @property
    def srate_hz(self) -> int: ...
    @property
    def clock_rate_hz(self) -> int:
        """Rate of RTP timestamps in Hz."""
    @property
    def static_payload_type(self) -> int | None: ...
    def decode(self, payload: Buffer) -> bytes:
        """One payload, at most 5760 samples, to PCM."""
    def encode(self, pcm: Buffer) -> bytes:
        """PCM, at most 5760 samples, to one payload."""

@final
class Vad:
    """Speech detection outside of a leg, 20 ms frame by frame."""

    def __init__(
        self,
        srate_hz: int,
        *,
        threshold_q15: int = 0,  # [16384]
        onset_frames: int = 0,  # [2]
        hangover_ms: int = 0,  # [300]
    ) -> None: ...
    @property
    def active(self) -> bool: ...
    @property
    def noise_dbov(self) -> float: ...
    def reset(self) -> None: ...
    def run(self, pcm: Buffer) -> tuple[list[int], list[VadEdge]]:
        """Whole frames in; a q15 probability per frame and the edges found out."""

def load_libsrtp(path: str | None) -> str | None: ...
def srtp_version() -> str | None:
    """Version string of the loaded libsrtp2, or None."""

def load_libopus(path: str | None) -> str | None: ...
def opus_version() -> str | None:
    """Version string of the loaded libopus, or None."""

def now_us() -> int:
    """The pacer's clock: monotonic microseconds."""

def udp_open(host: str, port: int = 0) -> tuple[int, int]:
    """Non-blocking UDP socket at a numeric host; port 0 = any. Returns (fd, port)."""

def live_objects() -> int:
    """Engines, legs and bridges not closed; counted with MC_DEBUG=1, otherwise 0."""
