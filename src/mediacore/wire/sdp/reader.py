"""Text to `Session`: strict where a mistake would send media astray, tolerant of what phones do.

Taken as they come: lines ended by LF or CR alone, blank lines, blanks at line ends, a missing s=
or t=, lines in another order, types and attributes that nobody knows. Bounded in every direction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from mediacore.wire.sdp.errors import SdpError
from mediacore.wire.sdp.model import Attribute, Media, Origin, Session

MAX_CHARS: Final = 32_768
MAX_LINES: Final = 512
MAX_MEDIA: Final = 16
MAX_FORMATS: Final = 128
"""Payload types of one stream; RTP has no more."""


def parse(text: str | bytes) -> Session:
    """Read a description. bytes: UTF-8, or Latin-1 where it is not. Raises SdpError alone."""
    if len(text) > MAX_CHARS:
        raise SdpError(f"longer than {MAX_CHARS} characters")
    if isinstance(text, bytes):
        text = _decoded(text)
    reader = _Reader()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) > MAX_LINES:
        raise SdpError(f"more than {MAX_LINES} lines")
    for number, line in enumerate(lines, start=1):
        stripped = line.strip()
        if stripped:
            reader.take(number, stripped)
    return reader.session()


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


@dataclass(slots=True)
class _Part:
    """What the session and each stream have in common."""

    connection: str | None = None
    bandwidth: list[str] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)


class _Reader:
    def __init__(self) -> None:
        self._version_seen = False
        self._origin: Origin | None = None
        self._name = "-"
        self._whole = _Part()
        self._streams: list[tuple[Media, _Part]] = []

    def take(self, number: int, line: str) -> None:
        if line[1:2] != "=":
            raise SdpError("not of the form x=value", number, line)
        value = line[2:].strip()
        if not self._version_seen:
            if line[0] != "v" or value != "0":
                raise SdpError("a description begins with v=0", number, line)
            self._version_seen = True
            return
        part = self._streams[-1][1] if self._streams else self._whole
        match line[0]:
            case "m":
                if len(self._streams) >= MAX_MEDIA:
                    raise SdpError(f"more than {MAX_MEDIA} streams", number)
                self._streams.append((_media(number, line, value), _Part()))
            case "c" if part.connection is None:
                part.connection = _connection(number, line, value)
            case "a" if value:
                part.attributes.append(_attribute(value))
            case "b" if value:
                part.bandwidth.append(value)
            case "o" if self._origin is None:
                self._origin = _origin(number, line, value)
            case "s" if not self._streams and value:
                self._name = value
            case _:
                pass

    def session(self) -> Session:
        if not self._version_seen:
            raise SdpError("empty")
        return Session(
            self._origin or Origin("-", "0", "0", "0.0.0.0"),
            self._name,
            self._whole.connection,
            tuple(self._whole.bandwidth),
            tuple(self._whole.attributes),
            tuple(_joined(media, part) for media, part in self._streams),
        )


def _joined(media: Media, part: _Part) -> Media:
    return Media(
        media.kind,
        media.port,
        media.proto,
        media.formats,
        media.ports,
        part.connection,
        tuple(part.bandwidth),
        tuple(part.attributes),
    )


def _attribute(text: str) -> Attribute:
    name, colon, value = text.partition(":")
    return Attribute(name.strip(), value.strip() if colon else None)


def _origin(number: int, line: str, value: str) -> Origin:
    fields = value.split()
    if len(fields) < 6:
        raise SdpError("o= needs user, session id, version, network, type and host", number, line)
    session_id, version, _, _, host = fields[-5:]
    # Phones put display names here, blanks and all.
    return Origin("_".join(fields[:-5]), session_id, version, host)


def _connection(number: int, line: str, value: str) -> str:
    fields = value.split()
    host = fields[2].partition("/")[0] if len(fields) >= 3 else ""
    if not host:
        raise SdpError("c= needs network, type and host", number, line)
    return host


def _media(number: int, line: str, value: str) -> Media:
    fields = value.split()
    if len(fields) < 3:
        raise SdpError("m= needs kind, port, protocol and formats", number, line)
    kind, where, proto, *formats = fields
    port, slash, count = where.partition("/")
    if not _is_number(port, 65_535) or (slash and not _is_number(count, 65_535)):
        raise SdpError("m= without a port of 0..65535", number, line)
    if not formats and int(port):
        raise SdpError("m= without formats", number, line)
    if len(formats) > MAX_FORMATS:
        raise SdpError(f"m= with more than {MAX_FORMATS} formats", number)
    ports = int(count) if slash and int(count) else 1
    return Media(kind.lower(), int(port), proto, tuple(formats), ports)


def _is_number(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6 and int(text) <= most
