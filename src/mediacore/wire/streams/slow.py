"""Media messages that the core's scan left alone: escapes in keys, keys twice, no ASCII."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from mediacore.media import MediaDialect
from mediacore.wire.streams import fields
from mediacore.wire.streams.model import Malformed, MediaCame, StreamEvent

_NO_NUMBER = -1


def media_of(message: Mapping[str, Any], dialect: MediaDialect) -> tuple[StreamEvent, ...]:
    """The audio of a decoded media message; nothing when it is of another track."""
    track = _at(message, dialect.track_key)
    if track is not None and track not in dialect.tracks:
        return ()
    payload = _at(message, dialect.payload_key)
    try:
        audio = base64.b64decode(payload, validate=True) if isinstance(payload, str) else b""
    except (binascii.Error, ValueError):
        audio = b""
    if not audio:
        return (Malformed("media without usable payload"),)
    number = {"seq": _at(message, dialect.seq_key)}
    seq = fields.number_of(number, "seq", default=_NO_NUMBER)
    return (MediaCame(audio, None if seq == _NO_NUMBER else seq),)


def _at(message: Mapping[str, Any], path: tuple[str, ...]) -> object:
    value: object = message if path else None
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
