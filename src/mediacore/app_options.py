"""What the commands ask of `mediacore.app` and `mediacore.bench`, and what they get back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mediacore.call.live import LiveModel
from mediacore.call.record import CallRecord

Watch = Callable[[LiveModel], None]
"""Takes the newest state of a running call; called from the event loop."""


def unwatched(model: LiveModel) -> None:
    """A `Watch` for calls that nobody looks at."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """The conversation that comes with the program.

    out: directory for call.json and call.wav; made when missing.
    """

    out: Path
    watch: Watch = unwatched


@dataclass(frozen=True, slots=True)
class WavCallOptions:
    """A call with recordings as the caller, over real RTP on loopback.

    wavs: one turn each, in order. agent: its file, None = the built-in order line.
    barge_in_after_s: a turn is spoken so long after the agent began to speak; None = when the
    agent has finished. codec: of the RTP leg.
    """

    out: Path
    wavs: tuple[Path, ...]
    agent: Path | None = None
    barge_in_after_s: float | None = None
    codec: str = "PCMU"
    watch: Watch = unwatched


@dataclass(frozen=True, slots=True)
class CallResult:
    """A finished call. directory: holds call.json, and call.wav if it could be written."""

    record: CallRecord
    directory: Path


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """quick: a shorter run with the same figures, for smoke tests. progress: takes one line."""

    quick: bool = False
    progress: Callable[[str], None] = lambda line: None
