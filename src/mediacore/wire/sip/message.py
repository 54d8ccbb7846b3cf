"""Requests and responses (RFC 3261 §7), read leniently and written strictly.

What does it do? `parse` turns the bytes of one message into a Request or a Response; `encode`
turns them back.
How does it work? Bytes that phones send and the grammar does not foresee are made regular first:
leading CRLFs, bare LF, folded lines, Latin-1. Only what cannot be framed raises; every other
fault is noted in `faults`, so that the validator can name the status that is owed. Headers stay
text until somebody asks for their meaning.
How do I use it? parse(datagram), then validate.validate(request, policy).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.fields import CSeq, NameAddr, Via, is_token
from mediacore.wire.sip.headers import Headers

MAX_HEADER_BYTES: Final = 65_535
MAX_HEADERS: Final = 256

REASONS: Final[Mapping[int, str]] = MappingProxyType(
    {
        100: "Trying",
        180: "Ringing",
        181: "Call Is Being Forwarded",
        182: "Queued",
        183: "Session Progress",
        200: "OK",
        202: "Accepted",
        300: "Multiple Choices",
        301: "Moved Permanently",
        302: "Moved Temporarily",
        305: "Use Proxy",
        400: "Bad Request",
        401: "Unauthorized",
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        406: "Not Acceptable",
        407: "Proxy Authentication Required",
        408: "Request Timeout",
        410: "Gone",
        413: "Request Entity Too Large",
        415: "Unsupported Media Type",
        416: "Unsupported URI Scheme",
        420: "Bad Extension",
        421: "Extension Required",
        422: "Session Interval Too Small",
        423: "Interval Too Brief",
        480: "Temporarily Unavailable",
        481: "Call/Transaction Does Not Exist",
        482: "Loop Detected",
        483: "Too Many Hops",
        484: "Address Incomplete",
        486: "Busy Here",
        487: "Request Terminated",
        488: "Not Acceptable Here",
        489: "Bad Event",
        491: "Request Pending",
        494: "Security Agreement Required",
        500: "Server Internal Error",
        501: "Not Implemented",
        503: "Service Unavailable",
        504: "Server Time-out",
        505: "Version Not Supported",
        513: "Message Too Large",
        600: "Busy Everywhere",
        603: "Decline",
        604: "Does Not Exist Anywhere",
        606: "Not Acceptable",
    }
)

_REQUEST_LINE = re.compile(r"([^ \t]+) ([^ \t]+) (SIP/[0-9]+\.[0-9]+)")
_LOOSE_LINE = re.compile(r"\s*(\S+)\s+(.*?)\s+(SIP/[0-9]+\.[0-9]+)\s*", re.IGNORECASE)
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?", re.IGNORECASE)
_FOLD = re.compile(r"[ \t]*\n[ \t]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_LENGTH = re.compile(r"[0-9]{1,9}")
_END_CRLF: Final = b"\r\n\r\n"
_END_LF: Final = b"\n\n"


@dataclass(slots=True)
class Message:
    """What requests and responses share. faults: why it is not well formed, in order. latin1: its
    text came as Latin-1, and goes out so."""

    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    faults: tuple[str, ...] = ()
    latin1: bool = False

    @property
    def call_id(self) -> str:
        """Call-ID, "" when there is none."""
        return self.headers.get("Call-ID") or ""

    @property
    def from_tag(self) -> str:
        """The tag of From, "" when there is none or From is not valid."""
        return _tag(self.headers.get("From"))

    @property
    def to_tag(self) -> str:
        """The tag of To, "" when there is none or To is not valid."""
        return _tag(self.headers.get("To"))

    @property
    def cseq(self) -> CSeq:
        """CSeq. Raises SipError."""
        return CSeq.parse(self.headers.get("CSeq") or "")

    @property
    def via(self) -> Via:
        """The topmost Via. Raises SipError."""
        return Via.parse((self.headers.items_of("Via") or [""])[0])

    @property
    def branch(self) -> str:
        """The branch of the topmost Via. Raises SipError."""
        return self.via.branch

    @property
    def content_type(self) -> str:
        """Content-Type in lower case without parameters, "" when there is none."""
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()

    def _encoded(self, start: str) -> bytes:
        text = f"{start}\r\n{self.headers.text()}Content-Length: {len(self.body)}\r\n\r\n"
        if self.latin1:
            return text.encode("latin-1", "replace") + self.body
        return text.encode("utf-8", "replace") + self.body


@dataclass(slots=True)
class Request(Message):
    """A request. uri: raw text of the request line."""

    method: str = ""
    uri: str = ""
    version: str = "SIP/2.0"

    def encode(self) -> bytes:
        """The bytes on the wire; Content-Length is set."""
        return self._encoded(f"{self.method} {self.uri} SIP/2.0")


@dataclass(slots=True)
class Response(Message):
    """A response."""

    status: int = 0
    reason: str = ""

    def encode(self) -> bytes:
        """The bytes on the wire; Content-Length is set."""
        return self._encoded(f"SIP/2.0 {self.status} {self.reason}")


def make_request(
    method: str,
    uri: str,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str = "",
) -> Request:
    """A request; its Via is added when it is sent. Raises SipError for a uri with white space."""
    if not uri or any(c.isspace() or c in "<>" or not c.isprintable() for c in uri):
        raise SipError("request URI is not valid")
    request = Request(Headers(headers), body, method=method, uri=uri)
    if content_type:
        request.headers.add("Content-Type", content_type)
    return request


def make_response(
    request: Request,
    status: int,
    reason: str = "",
    *,
    to_tag: str = "",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str = "",
) -> Response:
    """A response to `request` (§8.2.6): Via, From, To, Call-ID, CSeq, and Record-Route in 101-2xx
    (§12.1.1). to_tag: added when To has none. reason: "" gives the usual one."""
    made = Headers()
    names = ["via", "from", "to", "call-id", "cseq"]
    if 100 < status < 300:
        names.append("record-route")
    for name, value in request.headers:
        key = name.lower()
        if key in names:
            if key == "to" and to_tag and not _tag(value):
                made.add(name, f"{value};tag={to_tag}")
            else:
                made.add(name, value)
    for name, value in headers:
        made.add(name, value)
    if content_type:
        made.add("Content-Type", content_type)
    said = reason or reason_of(status)
    return Response(made, body, latin1=request.latin1, status=status, reason=said)


def reason_of(status: int) -> str:
    """The usual reason phrase; that of x00 for unknown ones (§8.1.3.2)."""
    return REASONS.get(status) or REASONS.get(status // 100 * 100) or "Unknown"


def parse(data: bytes) -> Request | Response:
    """Read one whole message. Raises SipError when no request or response can be made of it."""
    data = data.lstrip(b"\r\n")
    head, body, faults = _cut(data)
    latin1 = False
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        text = head.decode("latin-1")
        latin1 = True
    text = text.replace("\r\n", "\n")
    if _CONTROL.search(text):
        text = _CONTROL.sub(" ", text)
        faults.append("control character in a header")
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\n")
    if len(lines) > MAX_HEADERS + 1:
        raise SipError("too many header lines")
    message = _start(lines[0], faults)
    _read_headers(message.headers, lines, faults)
    message.latin1 = latin1
    message.body = _sized(message.headers, body, faults)
    message.faults = tuple(faults)
    return message


def _cut(data: bytes) -> tuple[bytes, bytes, list[str]]:
    """Head, body and what is wrong so far."""
    at = data.find(_END_CRLF)
    size = len(_END_CRLF)
    if at < 0:
        at = data.find(_END_LF)
        size = len(_END_LF)
    head = data if at < 0 else data[:at]
    if not head or len(head) > MAX_HEADER_BYTES:
        raise SipError("no message, or its header is too long")
    if at < 0:
        return head.rstrip(b"\r\n"), b"", ["no empty line ends the header"]
    return head, data[at + size :], []


def _start(line: str, faults: list[str]) -> Request | Response:
    if line.lstrip()[:4].upper() == "SIP/":
        found = _STATUS_LINE.fullmatch(line)
        if found is None:
            raise SipError("status line is not valid")
        return Response(status=int(found[1]), reason=(found[2] or "").strip())
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        found = _LOOSE_LINE.fullmatch(line)
        if found is None:
            raise SipError("neither request nor response")
        faults.append("malformed request line")
    if not is_token(found[1]):
        faults.append("malformed method")
    return Request(method=found[1], uri=found[2], version=found[3].upper())


def _read_headers(headers: Headers, lines: list[str], faults: list[str]) -> None:
    for number in range(1, len(lines)):
        name, colon, value = lines[number].partition(":")
        name = name.strip()
        if not colon or not is_token(name):
            faults.append("malformed header line")
        else:
            headers.add(name, value.strip())


def _sized(headers: Headers, body: bytes, faults: list[str]) -> bytes:
    """The body as long as Content-Length says (§18.3); octets behind it are dropped."""
    lengths = headers.all("Content-Length")
    if not lengths:
        return body
    if any(_LENGTH.fullmatch(length) is None for length in lengths):
        faults.append("malformed Content-Length")
        return body
    if len({int(length) for length in lengths}) > 1:
        faults.append("Content-Length values differ")
        return body
    length = int(lengths[0])
    if length > len(body):
        faults.append("Content-Length larger than the message")
    return body[:length]


def _tag(value: str | None) -> str:
    if not value or ";" not in value:
        return ""
    try:
        return NameAddr.parse(value).tag
    except SipError:
        return ""
