"""SIP and tel URIs (RFC 3261 §19.1, RFC 3966). The grammar is that of the package sipmessage.

What it refuses and phones send is taken away first: the `?headers` of a URI, upper-case schemes,
underscores and digits in host names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, unquote

import sipmessage

from mediacore.wire.sip.errors import SipError

DEFAULT_PORT: Final = 5060
DEFAULT_TLS_PORT: Final = 5061
MAX_URI_CHARS: Final = 4096
SCHEMES: Final = ("sip", "sips", "tel")

_HOST_NAME = re.compile(r"[A-Za-z0-9._\-]+")
_IPV4 = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
_ODD = re.compile(r"[0-9_]")
_USER_SAFE: Final = "-_.!~*'()&=+$,;?/"
_PARAM_SAFE: Final = "-_.!~*'()[]/:&+$"


@dataclass(frozen=True, slots=True)
class SipUri:
    """One URI. params: names in lower case, "" for a flag. headers: the part behind `?`, unescaped,
    names in lower case. user of a tel URI: the number. text: as it came."""

    scheme: str
    user: str
    password: str
    host: str
    port: int | None
    params: Mapping[str, str]
    headers: Mapping[str, str]
    text: str

    @classmethod
    def parse(cls, text: str) -> SipUri:
        """Read one URI. Raises SipError."""
        if len(text) > MAX_URI_CHARS or not text.isascii():
            raise SipError("URI is too long or not ASCII")
        bare, headers = _cut_headers(text)
        scheme, colon, rest = bare.partition(":")
        scheme = scheme.lower()
        if not colon or scheme not in SCHEMES:
            raise SipError("URI has an unknown scheme")
        user, at, where = rest.rpartition("@")
        try:
            uri = sipmessage.URI.parse(f"{scheme}:{user}{at}{_grammatical(where)}")
        except (ValueError, TypeError):
            raise SipError("URI is not valid") from None
        if uri.port is not None and uri.port > 0xFFFF:
            raise SipError("URI has a port above 65535")
        host = where[: len(uri.host)] if uri.host else ""
        params = {name.lower(): value or "" for name, value in uri.parameters.items()}
        return cls(
            scheme,
            uri.user or "",
            uri.password or "",
            host.lower(),
            uri.port,
            MappingProxyType(params),
            MappingProxyType(headers),
            text,
        )

    @property
    def address(self) -> tuple[str, int]:
        """Where a request goes: host without brackets, and the port or its default."""
        port = DEFAULT_TLS_PORT if self.transport == "TLS" else DEFAULT_PORT
        return self.host.strip("[]"), self.port or port

    @property
    def transport(self) -> str:
        """UDP, TCP or TLS (RFC 3263 §4.1, without DNS)."""
        asked = self.params.get("transport", "").upper()
        if self.scheme == "sips" or asked == "TLS":
            return "TLS"
        return "TCP" if asked == "TCP" else "UDP"

    @property
    def loose(self) -> bool:
        """Whether it names a loose router."""
        return "lr" in self.params

    @property
    def bare(self) -> str:
        """The URI without `?headers`: what may stand in a request line (§19.1.1)."""
        return _cut_headers(self.text)[0]

    def __str__(self) -> str:
        return self.text


def make_uri(
    user: str,
    host: str,
    port: int | None = None,
    *,
    scheme: str = "sip",
    params: Iterable[tuple[str, str]] = (),
) -> str:
    """A URI's text: user and params escaped, an IPv6 host in brackets."""
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    made = f"{scheme}:{quote(user, safe=_USER_SAFE)}@" if user else f"{scheme}:"
    made += shown if port is None else f"{shown}:{port}"
    for name, value in params:
        made += f";{name}={quote(value, safe=_PARAM_SAFE)}" if value else f";{name}"
    return made


def _cut_headers(text: str) -> tuple[str, dict[str, str]]:
    """The URI and its `?headers`. A `?` before the `@` belongs to the user part."""
    at = text.find("?", max(0, text.find("@")))
    if at < 0:
        return text, {}
    headers = {}
    for pair in text[at + 1 :].split("&"):
        name, _, value = pair.partition("=")
        if name:
            headers[unquote(name).lower()] = unquote(value)
    return text[:at], headers


def _grammatical(where: str) -> str:
    """host[:port][;params] with a host name that the grammar takes, its length unchanged: it
    knows no underscores, and no digits in the last label."""
    host = _HOST_NAME.match(where)
    if host is None or _IPV4.fullmatch(host[0]):
        return where
    return _ODD.sub("x", host[0]) + where[host.end() :]
