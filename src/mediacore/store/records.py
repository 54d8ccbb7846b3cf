"""call.json: written whole or not at all, read strictly.

A call directory holds the files named in `mediacore.call.record`. Writing never raises anything
but `StoreError`, which the session reports; the call itself goes on.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import fields
from pathlib import Path

import msgspec

from mediacore.call.record import RECORD_FILE, RECORD_VERSION, CallRecord, FrameArrays
from mediacore.errors import MediacoreError
from mediacore.units import LEG_RATES_HZ


class StoreError(MediacoreError):
    """A file of a call could not be written or read; the message names it.

    `path` is the file or directory.
    """

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


class _Header(msgspec.Struct):
    version: int


def write_record(record: CallRecord, directory: Path) -> Path:
    """Write `directory`/call.json atomically: after a crash it is the old file or the new one.

    Creates the directory. Blocks for the disk: call it off the event loop.
    """
    path = directory / RECORD_FILE
    write_atomic(path, msgspec.json.encode(record))
    return path


def read_record(path: Path) -> CallRecord:
    """Read a record, given its directory or its file.

    A broken file raises `StoreError` with the place inside the document.
    """
    file = path / RECORD_FILE if path.is_dir() else path
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise StoreError(
            f"{file} does not exist. Give the directory of a call or its {RECORD_FILE}.", file
        ) from None
    except OSError as error:
        raise StoreError(f"{file} cannot be read: {error.strerror}", file) from None
    try:
        version = msgspec.json.decode(data, type=_Header).version
        if version != RECORD_VERSION:
            raise StoreError(
                f"{file} is a record of version {version}; this program reads version "
                f"{RECORD_VERSION}. Use the mediacore release that wrote it.",
                file,
            )
        record = msgspec.json.decode(data, type=CallRecord)
    except msgspec.DecodeError as error:
        raise StoreError(f"{file} is not a valid call record: {error}", file) from None
    fault = _fault(record)
    if fault:
        raise StoreError(f"{file} is not a valid call record: {fault}", file)
    return record


def _fault(record: CallRecord) -> str:
    if record.srate_hz not in LEG_RATES_HZ:
        return f"Expected one of {LEG_RATES_HZ} - at `$.srate_hz`"
    if record.duration_ms < 0:
        return "Expected a length that is not negative - at `$.duration_ms`"
    columns = (getattr(record.frames, f.name) for f in fields(FrameArrays))
    if len({len(column) for column in columns}) != 1:
        return "Expected arrays of one length - at `$.frames`"
    return ""


def write_atomic(path: Path, data: bytes) -> None:
    """Replace `path` by `data`: temporary file beside it, fsync, rename, fsync of the directory."""
    temp = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd, temp = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(fd, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(temp).replace(path)
        temp = ""
        _sync_directory(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(f"{path} could not be written: {reason}", path) from None
    finally:
        if temp:
            Path(temp).unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
