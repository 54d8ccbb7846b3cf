"""The decision log: one greppable line per decision, free of content.

    call=8f2c… seq=12 decision=barge_in verdict=cut onset_ms=140 generation=3

Values are numbers, booleans and identifier-like words. Anything else, and whatever could be a
phone, card or account number, is replaced by its length, and with a `salt` by a keyed hash, so
that two lines can be compared without showing what they hold. Values of keys with a `pii` segment
are always replaced. What was said goes to another logger, `mediacore.content`, only when that is
switched on, and through the redactor.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path
from typing import Final

from mediacore.policy.redact import redact

DECISION_LOGGER: Final = "mediacore.decisions"
CONTENT_LOGGER: Final = "mediacore.content"

Value = int | float | bool | str | None
_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)
_HEX_ID: Final = re.compile(
    r"(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:-[0-9]{1,5})?", re.ASCII
)
_LONG_NUMBER: Final = re.compile(r"\d(?:[_.:-]*\d){6}")
_OWN_KEYS: Final = frozenset({"call", "seq", "decision", "verdict", "time"})


@dataclass(frozen=True, slots=True)
class DecisionRules:
    """content: also log what was said. salt: for hashes; empty = lengths only.

    redactor: what content passes through.
    """

    content: bool = False
    salt: bytes = b""
    redactor: Callable[[str], str] = redact


@dataclass(frozen=True, slots=True)
class DecisionEntry:
    """One line. values: already checked."""

    call: str
    seq: int
    decision: str
    verdict: str
    values: tuple[tuple[str, int | float | bool | str], ...] = ()

    def __str__(self) -> str:
        head = f"call={self.call} seq={self.seq} decision={self.decision} verdict={self.verdict}"
        return " ".join([head, *(f"{key}={_plain(value)}" for key, value in self.values)])


def _plain(value: float | str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def safe_value(value: object, salt: bytes = b"") -> int | float | bool | str:
    """The value if it is free of content, else what stands for it: `text(12)`, `text(12,9f3a…)`."""
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None:
        return "none"
    if isinstance(value, str) and _IDENTIFIER.fullmatch(value):
        if _HEX_ID.fullmatch(value) and not value.isdigit():
            return str(value)
        if not _LONG_NUMBER.search(value):
            return str(value)
    return _stand_in(value, salt)


def _stand_in(value: object, salt: bytes) -> str:
    if not isinstance(value, str | bytes):
        return f"{type(value).__name__}()"
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    if not salt:
        return f"text({len(value)})"
    digest = hashlib.blake2s(data, key=salt[:32], digest_size=6).hexdigest()
    return f"text({len(value)},{digest})"


class DecisionLog:
    """The decisions of one call, numbered from 1. Used by the owner of the call only."""

    def __init__(
        self,
        call_id: str,
        rules: DecisionRules | None = None,
        logger: logging.Logger | None = None,
        content_logger: logging.Logger | None = None,
    ) -> None:
        self._rules = rules or DecisionRules()
        self._call = str(safe_value(call_id, self._rules.salt))
        self._logger = logger or logging.getLogger(DECISION_LOGGER)
        self._content = content_logger or logging.getLogger(CONTENT_LOGGER)
        self._seq = 0

    def note(self, decision: str, verdict: str, /, **values: object) -> DecisionEntry:
        """Log one decision. Returns the entry as logged."""
        self._seq += 1
        salt = self._rules.salt
        entry = DecisionEntry(
            self._call,
            self._seq,
            str(safe_value(decision, salt)),
            str(safe_value(verdict, salt)),
            tuple(_pair(key, value, salt) for key, value in values.items()),
        )
        self._logger.info(entry)
        return entry

    def decided(
        self, name: str, verdict: str, evidence: Mapping[str, int | float | str | bool]
    ) -> None:
        """Log one decision of a call."""
        self.note(name, verdict, **evidence)

    def said(self, speaker: str, text: str) -> None:
        """Log one turn, if content is switched on."""
        self.content(speaker, text)

    def content(self, kind: str, text: str) -> None:
        """Log what was said, redacted, if that is switched on; `seq` ties it to the decisions."""
        if self._rules.content:
            said = json.dumps(self._rules.redactor(text), ensure_ascii=True)
            self._content.info(
                "call=%s seq=%d kind=%s pii_text=%s",
                self._call,
                self._seq,
                safe_value(kind, self._rules.salt),
                said,
            )


def _pair(key: str, value: object, salt: bytes) -> tuple[str, int | float | bool | str]:
    if not _KEY.fullmatch(key) or _LONG_NUMBER.search(key):
        return "bad_key", _stand_in(key, salt)
    if key in _OWN_KEYS:
        key = f"{key}_"
    if "pii" in key.split("_"):
        return key, _stand_in(value if isinstance(value, bytes) else str(value), salt)
    return key, safe_value(value, salt)


class LineFormatter(logging.Formatter):
    """The line, after its wallclock: `time=2026-01-31T12:00:00.000Z call=… …`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line for any record."""
        return f"time={_wallclock(record)} {_one_line(record.getMessage())}"


class JsonFormatter(logging.Formatter):
    """One JSON object per line, with the same keys."""

    def format(self, record: logging.LogRecord) -> str:
        """One line for any record."""
        row: dict[str, object] = {"time": _wallclock(record)}
        entry = record.msg
        if isinstance(entry, DecisionEntry):
            row |= {"call": entry.call, "seq": entry.seq}
            row |= {"decision": entry.decision, "verdict": entry.verdict}
            row |= dict(entry.values)
        else:
            row["message"] = record.getMessage()
        return json.dumps(row, ensure_ascii=True)


def _wallclock(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")


class _PrivateFile(TimedRotatingFileHandler):
    """A log file that only its owner may read."""

    def _open(self) -> TextIOWrapper:
        fd = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(fd, "a", encoding="utf-8")


def log_file(path: Path, *, keep_days: int = 30, as_json: bool = False) -> logging.Handler:
    """A handler for a file that starts anew each midnight UTC and is kept for `keep_days`."""
    if keep_days < 1:
        raise ValueError("a log is kept for at least one day")
    handler = _PrivateFile(path, when="midnight", utc=True, backupCount=keep_days, delay=True)
    handler.setFormatter(JsonFormatter() if as_json else LineFormatter())
    return handler
