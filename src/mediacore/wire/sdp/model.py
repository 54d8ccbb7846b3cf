"""A session description (RFC 8866) as frozen data, and how it is written.

Only what a phone call needs has a field; i=, u=, e=, p=, k= and r= lines are read over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Direction(StrEnum):
    """Who sends, seen from the writer of the description (RFC 8866 §6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @staticmethod
    def of(sends: bool, receives: bool) -> Direction:
        """The direction with these two halves."""
        if sends:
            return Direction.SENDRECV if receives else Direction.SENDONLY
        return Direction.RECVONLY if receives else Direction.INACTIVE

    @property
    def sends(self) -> bool:
        """Whether the writer sends media."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """Whether the writer wants media."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def reversed(self) -> Direction:
        """The same as the other side sees it."""
        return Direction.of(self.receives, self.sends)


_DIRECTIONS: Final = frozenset(str(direction) for direction in Direction)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An a= line. value: None for a flag such as a=sendrecv."""

    name: str
    value: str | None = field(default=None, repr=False)  # may be a key

    def line(self) -> str:
        """The line without its end."""
        return f"a={self.name}" if self.value is None else f"a={self.name}:{self.value}"


@dataclass(frozen=True, slots=True)
class Origin:
    """The o= line. session_id, version: digits of any length, as they came."""

    user: str
    session_id: str
    version: str
    host: str

    def line(self) -> str:
        """The line without its end."""
        return f"o={self.user} {self.session_id} {self.version} IN {_family(self.host)} {self.host}"


@dataclass(frozen=True, slots=True)
class Media:
    """An m= line and what belongs to it.

    port: 0 = refused or removed. ports: count after the slash. connection: host of a c= line of
    its own. bandwidth: b= lines without "b=".
    """

    kind: str
    port: int
    proto: str
    formats: tuple[str, ...]
    ports: int = 1
    connection: str | None = None
    bandwidth: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()

    def lines(self) -> Iterator[str]:
        """The lines without their ends."""
        port = str(self.port) if self.ports == 1 else f"{self.port}/{self.ports}"
        yield " ".join(("m=" + self.kind, port, self.proto, *self.formats))
        yield from _body(self.connection, self.bandwidth)
        yield from (attribute.line() for attribute in self.attributes)


@dataclass(frozen=True, slots=True)
class Session:
    """A whole description. connection: host of the c= line for all streams without their own."""

    origin: Origin
    name: str = "-"
    connection: str | None = None
    bandwidth: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    media: tuple[Media, ...] = ()

    def encode(self) -> str:
        """The text, lines ended by CRLF. Raises ValueError when a value holds a line end."""
        lines = ["v=0", self.origin.line(), f"s={self.name}"]
        lines += _body(self.connection, self.bandwidth)
        lines.append("t=0 0")
        lines += [attribute.line() for attribute in self.attributes]
        for media in self.media:
            lines += media.lines()
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a value of a session description holds a line end")
        return "".join(line + "\r\n" for line in lines)

    def host(self, media: Media) -> str | None:
        """Where the writer wants this stream."""
        return media.connection if media.connection is not None else self.connection

    def value(self, media: Media, name: str) -> str | None:
        """First value of an attribute, the stream's own before the session's."""
        return next((v for v in self._values(media, name) if v is not None), None)

    def has(self, media: Media, name: str) -> bool:
        """Whether the attribute stands at the stream or at the session."""
        return any(True for _ in self._values(media, name))

    def direction(self, media: Media) -> Direction:
        """As written; without any the default (RFC 8866 §6.7)."""
        for attributes in (media.attributes, self.attributes):
            for attribute in attributes:
                name = attribute.name.lower()
                if name in _DIRECTIONS:
                    return Direction(name)
        return Direction.SENDRECV

    def _values(self, media: Media, name: str) -> Iterator[str | None]:
        for attribute in (*media.attributes, *self.attributes):
            if attribute.name.lower() == name:
                yield attribute.value


def _body(connection: str | None, bandwidth: tuple[str, ...]) -> Iterator[str]:
    if connection is not None:
        yield f"c=IN {_family(connection)} {connection}"
    yield from ("b=" + each for each in bandwidth)


def _family(host: str) -> str:
    return "IP6" if ":" in host else "IP4"
