"""Which calls a process has open, on disk: one that is killed leaves no call without a record.

```
 call starts ─► {"call": …, "event": "start"}    one line of JSON each, written and fsynced by a
 is answered ─► {"event": "answer"}              thread of its own; the call does not wait for it
 is over     ─► {"event": "end"}
```
Each process has a journal of its own in the directory of records and holds a lock on it (flock)
as long as it lives. `recover` takes every journal that nobody holds: calls that began and did not
end, and have no record, get one with the reason `lost`.
"""

from __future__ import annotations

import fcntl
import logging
import os
import queue
import secrets
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from mediacore.call.record import AUDIO_FILE, RECORD_FILE, CallRecord, TransportFacts
from mediacore.store.records import StoreError, write_record

log = logging.getLogger("mediacore.store")
SUFFIX: Final = ".journal"
LOST: Final = "lost"
_WAITING: Final = 10_000  # lines; more means that the disk has stopped
_CLOSE_S: Final = 5.0


class JournalStats(msgspec.Struct, frozen=True):
    """written: lines on disk. dropped: lines that the disk was too slow for or refused."""

    written: int
    dropped: int


class Journal:
    """The journal of this process. `note` from the event loop; `close` when the calls are over.

    Raises StoreError when it cannot be opened.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / f"calls-{secrets.token_hex(8)}{SUFFIX}"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_WRONLY, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        except OSError as error:
            raise StoreError(f"{self.path} cannot be opened: {error.strerror}", self.path) from None
        self._queue: queue.Queue[bytes | None] = queue.Queue(_WAITING)
        self._written = self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def note(self, call_id: str, event: str, facts: Mapping[str, object] | None = None) -> None:
        """Keep an event: "start", "answer" or "end". Returns at once; a full queue drops it."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"call": call_id, "event": event, "at": at, **(facts or {})}
        try:
            self._queue.put_nowait(msgspec.json.encode(line) + b"\n")
        except queue.Full:
            self._dropped += 1

    def snapshot(self) -> JournalStats:
        """Counters since it was opened."""
        return JournalStats(self._written, self._dropped)

    def close(self, *, keep: bool = False) -> None:
        """Write what waits and remove the file: every call has its record. keep: leave it to be
        recovered. Blocks, at most 5 s."""
        with suppress(queue.Full):
            self._queue.put(None, timeout=_CLOSE_S)
        self._thread.join(_CLOSE_S)
        if not keep and not self._thread.is_alive():
            try:
                self.path.unlink(missing_ok=True)
            except OSError as error:
                log.error("journal not removed", extra={"error": type(error).__name__})
        os.close(self._fd)

    def _run(self) -> None:
        over = False
        while not over:
            lines = [self._queue.get()]
            with suppress(queue.Empty):  # one fsync for all that waits
                while True:
                    lines.append(self._queue.get_nowait())
            over = None in lines
            data = [line for line in lines if line is not None]
            try:
                os.write(self._fd, b"".join(data))
                os.fsync(self._fd)
                self._written += len(data)
            except OSError as error:
                self._dropped += len(data)
                log.error("journal not written", extra={"error": type(error).__name__})


def recover(directory: Path) -> tuple[str, ...]:
    """Write a record for each call that a dead process left open; their ids.

    Blocks for the disk. What cannot be read or written is logged and left where it is.
    """
    found: list[str] = []
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        with suppress(OSError):
            found += _recover(path, directory)
    return tuple(found)


def _recover(path: Path, directory: Path) -> list[str]:
    fd = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return []  # its process lives
        calls = _open_calls(path.read_bytes())
        found = []
        for call_id, facts in calls.items():
            if not (directory / call_id / RECORD_FILE).exists():
                write_record(_lost(call_id, facts, directory / call_id), directory / call_id)
                found.append(call_id)
        path.unlink(missing_ok=True)
        return found
    except StoreError as error:
        log.error("call not recovered", extra={"path": str(error.path)})
        return []
    finally:
        os.close(fd)


def _open_calls(data: bytes) -> dict[str, dict[str, Any]]:
    """Calls without an end. The last line may be torn by the crash; it is left out."""
    calls: dict[str, dict[str, Any]] = {}
    for line in data.splitlines():
        try:
            entry = msgspec.json.decode(line, type=dict[str, Any])
            call_id, event = str(entry["call"]), entry["event"]
        except (msgspec.DecodeError, KeyError):
            continue
        if call_id in ("", "..") or Path(call_id).name != call_id:
            continue
        if event == "end":
            calls.pop(call_id, None)
        elif event == "start":
            calls[call_id] = {"start": entry}
        elif call_id in calls:
            calls[call_id][event] = entry
    return calls


def _lost(call_id: str, facts: dict[str, Any], directory: Path) -> CallRecord:
    answer = facts.get("answer", {})
    began = str(answer.get("at") or facts["start"].get("at", ""))
    return CallRecord(
        call_id=call_id,
        started_at=began,
        duration_ms=_lasted_ms(began, directory) if answer else 0,
        srate_hz=8000,
        transport=TransportFacts("unknown", ""),
        end_reason=LOST,
        lost=("the process ended in mid-call; turns, frames and figures are gone",),
    )


def _lasted_ms(began: str, directory: Path) -> int:
    """From the answer to the last audio on disk; 0 without any."""
    try:
        start = datetime.fromisoformat(began).timestamp()
        end = (directory / AUDIO_FILE).stat().st_mtime
    except (OSError, ValueError):
        return 0
    return max(round((end - start) * 1000), 0)
