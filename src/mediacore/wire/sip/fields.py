"""Structured header values: addresses, Via, CSeq (RFC 3261 §20)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.uri import SipUri

MAGIC_BRANCH: Final = "z9hG4bK"
MAX_CSEQ: Final = 2**31 - 1

TOKEN: Final = r"[A-Za-z0-9\-.!%*_+`'~]+"
_TOKEN = re.compile(TOKEN)
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_NAME_ADDR = re.compile(rf"\s*(?:({_QUOTED})|([^\"<>;]*))\s*<([^<>\"\s]*)>\s*(;.*)?", re.DOTALL)
_ADDR_SPEC = re.compile(r"\s*([^\s<>\",;?]+)\s*(;.*)?", re.DOTALL)
_DISPLAY = re.compile(rf"(?:{TOKEN}|[^\x00-\x7f]+)(?:\s+(?:{TOKEN}|[^\x00-\x7f]+))*")
_PARAM = re.compile(
    rf"\s*;\s*({TOKEN})(?:\s*=\s*({_QUOTED}|\[[0-9A-Fa-f:.]+\]|[^\s;,\"<>]*))?\s*", re.DOTALL
)
_VIA = re.compile(
    rf"SIP\s*/\s*2\.0\s*/\s*({TOKEN})\s+(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+)"
    r"\s*(?::\s*([0-9]{1,5})\s*)?(;.*)?",
    re.IGNORECASE | re.DOTALL,
)
_CSEQ = re.compile(rf"\s*([0-9]{{1,10}})\s+({TOKEN})\s*")
_UNESCAPE = re.compile(r"\\(.)", re.DOTALL)
_NO_PARAMS: Final[Mapping[str, str]] = MappingProxyType({})


def parse_params(text: str | None) -> Mapping[str, str]:
    """`;name=value;flag`: names in lower case, quotes kept. Raises SipError."""
    if not text:
        return _NO_PARAMS
    params = {}
    at = 0
    while at < len(text):
        found = _PARAM.match(text, at)
        if found is None:
            raise SipError("parameters are not valid")
        params[found[1].lower()] = found[2] or ""
        at = found.end()
    return MappingProxyType(params)


def unquote(value: str) -> str:
    """The text within a quoted string; anything else as it is."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        return _UNESCAPE.sub(r"\1", value[1:-1])
    return value


def quote(value: str) -> str:
    """A quoted string (§25.1)."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_token(value: str) -> bool:
    """Whether the text is one token."""
    return _TOKEN.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class NameAddr:
    """`"Name" <uri>;params` or `uri;params`. name: unquoted. uri: raw. params: quotes kept."""

    name: str
    uri: str
    params: Mapping[str, str]
    text: str

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """Read one address. Raises SipError."""
        found = _NAME_ADDR.fullmatch(text)
        if found is not None:
            plain = (found[2] or "").strip()
            if plain and _DISPLAY.fullmatch(plain) is None:
                raise SipError("display name needs quotes")
            name = unquote(found[1]) if found[1] else plain
            return cls(name, _checked(found[3]), parse_params(found[4]), text)
        found = _ADDR_SPEC.fullmatch(text)
        if found is None:
            raise SipError("address is not valid")
        return cls("", _checked(found[1]), parse_params(found[2]), text)

    @property
    def tag(self) -> str:
        """The tag, "" when there is none."""
        return self.params.get("tag", "")

    def sip(self) -> SipUri:
        """The URI, read. Raises SipError when it is not sip, sips or tel."""
        return SipUri.parse(self.uri)


def name_addr(uri: str, name: str = "", params: Iterable[tuple[str, str]] = ()) -> str:
    """The text of an address; values of params as given."""
    shown = "".join(f";{key}={value}" if value else f";{key}" for key, value in params)
    return f"{quote(name)} <{uri}>{shown}" if name else f"<{uri}>{shown}"


def _checked(uri: str) -> str:
    scheme, colon, rest = uri.partition(":")
    if not colon or not rest or not scheme.isascii() or not scheme[:1].isalpha():
        raise SipError("address holds no URI")
    return uri


@dataclass(frozen=True, slots=True)
class Via:
    """One Via element. transport: upper case. params: as in NameAddr, in their order."""

    transport: str
    host: str
    port: int | None
    params: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read one element. Raises SipError."""
        found = _VIA.fullmatch(text)
        if found is None:
            raise SipError("Via is not valid")
        port = int(found[3]) if found[3] else None
        if port is not None and port > 0xFFFF:
            raise SipError("Via has a port above 65535")
        return cls(found[1].upper(), found[2], port, parse_params(found[4]))

    @property
    def branch(self) -> str:
        """The branch, "" when there is none."""
        return self.params.get("branch", "")

    @property
    def sent_by(self) -> str:
        """`host` or `host:port`, lower case."""
        host = self.host.lower()
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def rport_asked(self) -> bool:
        """Whether the response shall go to the port that the request came from (RFC 3581)."""
        return "rport" in self.params

    def marked(self, source: tuple[str, int]) -> str:
        """The element's text with what the server saw: received, and rport when asked for
        (§18.2.1, RFC 3581 §4). What the sender wrote there itself is replaced."""
        params = {k: v for k, v in self.params.items() if k not in ("received", "rport")}
        host, port = source
        if self.rport_asked:
            params["rport"] = str(port)
        if self.rport_asked or self.host.strip("[]").lower() != host:
            params["received"] = host
        where = self.host if self.port is None else f"{self.host}:{self.port}"
        shown = "".join(f";{key}={value}" if value else f";{key}" for key, value in params.items())
        return f"SIP/2.0/{self.transport} {where}{shown}"


@dataclass(frozen=True, slots=True)
class CSeq:
    """Number and method."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Read the value. Raises SipError; numbers end at 2^31 - 1 (§8.1.1.5)."""
        found = _CSEQ.fullmatch(text)
        if found is None or int(found[1]) > MAX_CSEQ:
            raise SipError("CSeq is not valid")
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"
