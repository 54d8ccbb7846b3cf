"""Recordings that the call asked for: files of a line, written while it goes on."""

from __future__ import annotations

import asyncio
import hashlib
import queue
import re
import threading
from array import array
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from mediacore._core import Leg
from mediacore.audiofile import WavWriter
from mediacore.errors import MediacoreError, MediaError
from mediacore.runtime.actions import StartRecording
from mediacore.runtime.inputs import RecordingStored
from mediacore.session.encoded import EncodedWriter
from mediacore.session.ringback import Ringback, ring_cycle
from mediacore.session.tapping import RecordTap

_WAITING_BLOCKS = 100  # about 10 s of audio; more means that the disk has stopped
_CLOSE_S = 5.0
_BED_MS = 1600  # what an empty bed has room for
_MAX_NAME = 100  # characters, the ending not counted
_BEEP = Ringback((1000,), (250,))


class _File(Protocol):
    def write(self, pcm: bytes) -> OSError | None: ...

    def close(self) -> OSError | None: ...


def _open(path: Path, srate_hz: int, channels: int) -> _File:
    if path.suffix != ".wav":
        return EncodedWriter(path, srate_hz, channels)
    return WavWriter(path, srate_hz, channels=channels)


class _Tape:
    """One recording. `put` and the switches belong to the loop, the file to its own thread."""

    def __init__(self, action: StartRecording, path: Path, srate_hz: int) -> None:
        self.path = path
        self._direction = action.direction
        self._stereo = action.stereo and action.direction == "both"
        self._srate_hz = srate_hz
        self._paused = ""  # behavior of the pause
        self._next_at: int | None = None
        self._frames = 0  # given to the file
        self._queue: queue.Queue[bytes | None] = queue.Queue(_WAITING_BLOCKS)
        self._failed = ""
        self._thread = threading.Thread(target=self._run, name="taping", daemon=True)
        self._thread.start()

    @property
    def duration_ms(self) -> int:
        """Of what was given to the file."""
        return self._frames * 1000 // self._srate_hz

    @property
    def ok(self) -> bool:
        """All of it was written, as far as is known."""
        return not self._failed and not self._thread.is_alive()

    def pause(self, behavior: str) -> None:
        """behavior: "silence" or "skip"."""
        self._paused = behavior or "skip"

    def resume(self) -> None:
        """Go on."""
        self._paused = ""

    def put(self, at: int, pcm: bytes) -> None:
        """See PairSink."""
        pairs = len(pcm) // 4
        missing = 0 if self._next_at is None else at - self._next_at
        self._next_at = at + pairs
        if self._paused == "skip":
            return
        channels = 2 if self._stereo else 1
        body = bytes(2 * channels * pairs) if self._paused else self._choose(pcm)
        self._frames += missing + pairs
        try:
            self._queue.put_nowait(bytes(2 * channels * missing) + body)
        except queue.Full:
            self._failed = "the disk is too slow"

    def close(self) -> None:
        """No more audio; the thread ends soon."""
        while True:
            try:
                self._queue.put_nowait(None)
            except queue.Full:
                self._failed = "the disk is too slow"
                with suppress(queue.Empty):
                    self._queue.get_nowait()
            else:
                return

    def join(self) -> None:
        """Wait for the file. Blocks, at most 5 s."""
        self._thread.join(_CLOSE_S)

    def _choose(self, pcm: bytes) -> bytes:
        if self._stereo:
            return pcm
        samples = array("h", pcm)
        if self._direction == "speak":
            return samples[0::2].tobytes()
        if self._direction == "listen":
            return samples[1::2].tobytes()
        both = zip(samples[0::2], samples[1::2], strict=True)
        return array("h", [max(-32768, min(32767, a + b)) for a, b in both]).tobytes()

    def _run(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = _open(self.path, self._srate_hz, 2 if self._stereo else 1)
        except (MediacoreError, OSError) as error:
            self._failed = str(error)
            while self._queue.get() is not None:
                pass
            return
        while (pcm := self._queue.get()) is not None:
            self._check(file.write(pcm))
        self._check(file.close())

    def _check(self, error: OSError | None) -> None:
        if error is not None:
            self._failed = str(error)


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:_MAX_NAME]


def _file_name(op: str) -> str:
    """Safe in any directory. Controllers choose it: changed names stay apart by a digest."""
    safe = _plain(op)
    return safe if safe == op else f"{safe}-{hashlib.sha256(op.encode()).hexdigest()[:12]}"


class Taping:
    """Executes StartRecording and what goes with it for one leg.

    The leg has `Tap.RECORD`, and `bed` for the beep. Files lie in `directory` as
    <stem>-<op>.wav, .mp3 or .mp4. link: what RecordingStored says as URL. `post` gets exactly one
    RecordingStored per recording, after stop() or close().
    """

    def __init__(
        self,
        leg: Leg,
        tap: RecordTap,
        group: asyncio.TaskGroup,
        post: Callable[[RecordingStored], None],
        *,
        directory: Path,
        stem: str,
        link: Callable[[Path], str] = lambda path: path.resolve().as_uri(),
    ) -> None:
        self._leg = leg
        self._tap = tap
        self._group = group
        self._post = post
        self._directory = directory
        self._stem = stem
        self._link = link
        self._tapes: dict[str, _Tape] = {}

    def start(self, action: StartRecording) -> None:
        """Record from now on. format: "wav", "mp3" or "mp4"."""
        if action.op in self._tapes:
            return
        self._tap.take()
        suffix = action.format if action.format in ("mp3", "mp4") else "wav"
        name = f"{_plain(self._stem)}-{_file_name(action.op)}"
        tape = _Tape(action, self._directory / f"{name}.{suffix}", self._tap.srate_hz)
        self._tapes[action.op] = tape
        self._tap.add(tape)
        if action.beep:
            self._beep()

    def pause(self, op: str, behavior: str) -> None:
        """behavior: "silence" (time goes on) or "skip"."""
        if op in self._tapes:
            self._tap.take()
            self._tapes[op].pause(behavior)

    def resume(self, op: str) -> None:
        """Go on after a pause."""
        if op in self._tapes:
            self._tap.take()
            self._tapes[op].resume()

    def stop(self, op: str) -> None:
        """Close the file; RecordingStored follows. Idempotent."""
        tape = self._take_off(op)
        if tape is not None:
            self._group.create_task(self._finish(op, tape))

    async def close(self) -> None:
        """End all recordings and wait for their files; RecordingStored was posted then."""
        tapes = [(op, self._take_off(op)) for op in tuple(self._tapes)]
        for op, tape in tapes:
            if tape is not None:
                await self._finish(op, tape)

    def _take_off(self, op: str) -> _Tape | None:
        tape = self._tapes.pop(op, None)
        if tape is not None:
            self._tap.take()
            self._tap.remove(tape)
            tape.close()
        return tape

    async def _finish(self, op: str, tape: _Tape) -> None:
        try:
            await asyncio.to_thread(tape.join)
        finally:
            size = tape.path.stat().st_size if tape.path.exists() else 0
            url = self._link(tape.path) if tape.ok else ""
            self._post(RecordingStored(op, tape.ok, url, tape.duration_ms, size))

    def _beep(self) -> None:
        """Under the voice; not when a bed plays already."""
        srate_hz = self._leg.srate_hz
        try:
            if self._leg.bed_room() >= srate_hz * _BED_MS // 1000:
                self._leg.bed_gain(0)
                self._leg.bed(ring_cycle(_BEEP, srate_hz))
        except MediaError:
            return  # the leg is gone, or has no bed
