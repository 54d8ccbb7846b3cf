"""What is wrong with a message, and which status that owes (RFC 3261 §8.2, RFC 4475).

The parser refuses only what it cannot frame; here the rest is judged. A refusal's reason phrase
names the fault, never the offending text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.fields import CSeq, NameAddr, Via
from mediacore.wire.sip.message import Request, Response, reason_of
from mediacore.wire.sip.uri import SipUri

_REQUIRED: Final = ("From", "To", "Call-ID", "CSeq")
_SINGLE: Final = (*_REQUIRED, "Max-Forwards", "Content-Type")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):.")
_CALL_ID = re.compile(r"[^\s,;<>\"]+|[^\s]+@[^\s]+|[^\s]+")
_SMALL = re.compile(r"0{0,6}[0-9]{1,3}")
_MAX_FORWARDS: Final = 255


@dataclass(frozen=True, slots=True)
class Policy:
    """What this side understands.

    methods: those that are answered; ACK and CANCEL are always. extensions: option tags. schemes:
    of request URIs. content_types: of bodies whose handling is required.
    """

    methods: tuple[str, ...]
    extensions: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ("sip", "sips", "tel")
    content_types: tuple[str, ...] = ("application/sdp",)

    @property
    def allow(self) -> str:
        """The value of Allow."""
        return ", ".join(dict.fromkeys((*self.methods, "ACK", "CANCEL")))


@dataclass(frozen=True, slots=True)
class Refusal:
    """The status that a request is owed. 0: nothing can be answered, drop it."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()


def validate(request: Request, policy: Policy) -> Refusal | None:
    """Judge a request; None when it is fit for its user."""
    try:
        vias = request.headers.items_of("Via")
        if not vias:
            return Refusal(0, "no Via")
        Via.parse(vias[0])
    except SipError:
        return Refusal(0, "malformed Via")
    if request.version != "SIP/2.0":
        return _refuse(505)
    if fault := _fault(request, vias):
        return Refusal(400, fault)
    return _not_understood(request, policy)


def check_response(response: Response) -> str | None:
    """Why a response must be dropped; None when it is fit."""
    if response.faults:
        return response.faults[0]
    try:
        if len(response.headers.items_of("Via")) != 1:
            return "several Vias: not for us"
        response.via  # noqa: B018
        response.cseq  # noqa: B018
        for name in ("From", "To"):
            NameAddr.parse(response.headers.get(name) or "")
    except SipError as error:
        return str(error)
    return None if response.call_id else "no Call-ID"


def _fault(request: Request, vias: list[str]) -> str | None:
    """What is malformed (§8.2, §21.4.1)."""
    if request.faults:
        return _shown(request.faults[0])
    headers = request.headers
    for name in _SINGLE:
        count = len(headers.all(name))
        if count > 1:
            return f"Several {name} headers"
        if count == 0 and name in _REQUIRED:
            return f"Missing {name} header"
    try:
        for via in vias[1:]:
            Via.parse(via)
        CSeq.parse(headers.get("CSeq") or "")
    except SipError as error:
        return _shown(str(error))
    if request.cseq.method != request.method:
        return "CSeq method differs from the request"
    if _CALL_ID.fullmatch(request.call_id) is None:
        return "Malformed Call-ID"
    forwards = headers.get("Max-Forwards")
    if forwards is not None and (
        _SMALL.fullmatch(forwards) is None or int(forwards) > _MAX_FORWARDS
    ):
        return "Malformed Max-Forwards"
    return _address_fault(request)


def _address_fault(request: Request) -> str | None:
    headers = request.headers
    for name in ("From", "To"):
        try:
            NameAddr.parse(headers.get(name) or "")
        except SipError:
            return f"Malformed {name} header"
    for name in ("Contact", "Route", "Record-Route"):
        try:
            for value in headers.items_of(name):
                if not (name == "Contact" and value == "*"):
                    NameAddr.parse(value)
        except SipError:
            return f"Malformed {name} header"
    if _SCHEME.match(request.uri) is None or "<" in request.uri:
        return "Malformed Request-URI"
    return None


def _not_understood(request: Request, policy: Policy) -> Refusal | None:
    """Well formed, and still not served: the order is that of §8.2."""
    method = request.method
    if method not in policy.methods and method not in ("ACK", "CANCEL"):
        status = 405 if method in _KNOWN_METHODS else 501
        return _refuse(status, ("Allow", policy.allow))
    if refusal := _uri_refused(request, policy):
        return refusal
    if method in ("ACK", "CANCEL"):
        return None
    known = {tag.lower() for tag in policy.extensions}
    missing = [tag for tag in request.headers.tokens("Require") if tag.lower() not in known]
    if missing:
        return _refuse(420, ("Unsupported", ", ".join(missing)))
    return _body_refused(request, policy)


_KNOWN_METHODS: Final = frozenset(
    {
        "INVITE",
        "ACK",
        "BYE",
        "CANCEL",
        "OPTIONS",
        "REGISTER",
        "PRACK",
        "UPDATE",
        "INFO",
        "SUBSCRIBE",
        "NOTIFY",
        "REFER",
        "MESSAGE",
        "PUBLISH",
    }
)


def _uri_refused(request: Request, policy: Policy) -> Refusal | None:
    scheme = request.uri.partition(":")[0].lower()
    if scheme not in policy.schemes:
        return _refuse(416)
    try:
        uri = SipUri.parse(request.uri)
    except SipError:
        return Refusal(400, "Malformed Request-URI")
    return Refusal(400, "Headers in the Request-URI") if uri.headers else None


def _body_refused(request: Request, policy: Policy) -> Refusal | None:
    """§8.2.3. A body whose handling is optional is left alone."""
    headers = request.headers
    if not request.body or "handling=optional" in (headers.get("Content-Disposition") or ""):
        return None
    encodings = [code.lower() for code in headers.tokens("Content-Encoding")]
    if any(code != "identity" for code in encodings):
        return _refuse(415, ("Accept-Encoding", "identity"))
    if "*" in policy.content_types or request.content_type in policy.content_types:
        return None
    if not request.content_type and request.method not in ("INVITE", "UPDATE"):
        return None
    return _refuse(415, ("Accept", ", ".join(policy.content_types)))


def _refuse(status: int, *headers: tuple[str, str]) -> Refusal:
    return Refusal(status, reason_of(status), headers)


def _shown(fault: str) -> str:
    return fault[:1].upper() + fault[1:]
