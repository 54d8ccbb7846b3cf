"""How long calls are kept, and the sweep that removes what is too old.

A directory is taken for a call only if it holds one of the files of a call; nothing else is
touched, and links are never followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from mediacore.call.record import (
    AUDIO_FILE,
    RECORD_FILE,
    REPORT_FILE,
    TIMELINE_FILE,
    CallRecord,
    Turn,
)
from mediacore.store.records import StoreError, read_record, write_record

_AUDIO: Final = (AUDIO_FILE, "*-*.wav", "*-*.mp3", "*-*.mp4")
"""The call's own audio, and recordings that a document or a controller asked for."""
_TEXT: Final = (REPORT_FILE, TIMELINE_FILE, "payload-*.json")
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Retention:
    """days: age at which a call is removed whole; None = never.

    keep_audio, keep_text: False removes the recording, or every spoken text, at the next sweep.
    """

    days: int | None = 30
    keep_audio: bool = True
    keep_text: bool = True


@dataclass(frozen=True, slots=True)
class Purged:
    """calls: removed whole. files: removed or rewritten of calls that stay. failed: messages."""

    calls: int = 0
    files: int = 0
    failed: tuple[str, ...] = ()


def purge(directory: Path, retention: Retention, now_s: int) -> Purged:
    """Apply `retention` to the calls in `directory`. now_s: wallclock seconds.

    Blocks for the disk. A call that fails is reported and the sweep goes on.
    """
    calls = files = 0
    failed: list[str] = []
    for call in _calls(directory):
        try:
            if retention.days is not None and now_s - _started_s(call) >= retention.days * _DAY_S:
                _remove(call)
                calls += 1
            else:
                files += _trim(call, retention)
        except OSError as error:
            failed.append(f"{call}: {error.strerror or type(error).__name__}")
        except StoreError as error:
            failed.append(str(error))
    return Purged(calls, files, tuple(failed))


def _calls(directory: Path) -> Iterator[Path]:
    if not directory.is_dir():
        return
    for path in sorted(directory.iterdir()):
        if path.is_symlink() or not path.is_dir():
            continue
        if (path / RECORD_FILE).is_file() or (path / AUDIO_FILE).is_file():
            yield path


def _started_s(call: Path) -> int:
    """When the call began; the newest file counts when its record cannot be read."""
    try:
        return int(datetime.fromisoformat(read_record(call).started_at).timestamp())
    except (StoreError, ValueError):
        return int(max(p.lstat().st_mtime for p in call.iterdir()))


def _remove(call: Path) -> None:
    """Remove the files of a call, its record last, so that a broken sweep can go on later."""
    for path in sorted(call.iterdir(), key=lambda p: p.name == RECORD_FILE):
        if path.is_dir() and not path.is_symlink():
            raise OSError(0, f"holds a directory {path.name}, which is left")
        path.unlink(missing_ok=True)
    os.rmdir(call)


def _trim(call: Path, retention: Retention) -> int:
    changed = 0
    patterns: tuple[str, ...] = () if retention.keep_audio else _AUDIO
    patterns += () if retention.keep_text else _TEXT
    for pattern in patterns:
        for path in tuple(call.glob(pattern)):
            path.unlink()
            changed += 1
    if not retention.keep_text and (call / RECORD_FILE).is_file():
        record = read_record(call)
        bare = without_text(record)
        if bare != record:
            write_record(bare, call)
            changed += 1
    return changed


def without_text(record: CallRecord) -> CallRecord:
    """The record without anything that was said; times and verdicts stay."""
    return replace(
        record,
        turns=tuple(_without_text(turn) for turn in record.turns),
        decisions=tuple(replace(note, evidence="") for note in record.decisions),
        errors=tuple(replace(note, message="") for note in record.errors),
        marks=tuple(replace(mark, label="") for mark in record.marks),
    )


def _without_text(turn: Turn) -> Turn:
    bare = tuple(replace(u, text="", heard_chars=0, spans=(), words=()) for u in turn.utterances)
    return replace(turn, text="", utterances=bare)
