"""Who calls, as the INVITE tells it; and which headers may travel between SIP and a call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from mediacore.slots.gateway import LineEnd, LineFailedError, Party
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.fields import NameAddr
from mediacore.wire.sip.message import Request
from mediacore.wire.sip.uri import SipUri

_KEPT: Final = frozenset(
    (
        "p-asserted-identity",
        "p-preferred-identity",
        "privacy",
        "diversion",
        "history-info",
        "user-to-user",
        "reason",
        "referred-by",
        "remote-party-id",
        "subject",
    )
)
_MAX_HEADERS: Final = 64
_MAX_VALUE: Final = 2048
_NUMBER: Final = re.compile(r"\+?[0-9]{3,32}")
_NAME: Final = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,64}")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")


def may_travel(name: str) -> bool:
    """Whether a header is the host's: X-* and the ones that tell about the parties."""
    return name.lower().startswith("x-") or name.lower() in _KEPT


def caller_of(request: Request) -> Party:
    """The party behind an INVITE. Raises SipError when it has no usable addresses."""
    caller = NameAddr.parse(request.headers.get("From") or "").uri
    called = request.uri
    headers: dict[str, str] = {}
    for name, value in request.headers:
        if may_travel(name) and len(headers) < _MAX_HEADERS:
            known = headers.get(name)
            joined = value if known is None else f"{known}, {value}"
            headers[name] = joined[:_MAX_VALUE]
    number = _number(caller)
    kind = "phone" if _NUMBER.fullmatch(number) else "sip"
    shown = (number, _number(called)) if kind == "phone" else (caller, called)
    return Party(kind, "inbound", shown[0], shown[1], headers)


def _number(uri: str) -> str:
    """The user part, without parameters and separators."""
    try:
        user = SipUri.parse(uri).user.partition(";")[0]
    except SipError:
        return ""
    plain = re.sub(r"[-.() ]", "", user)
    return plain if _NUMBER.fullmatch(plain) else user


def outgoing_headers(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The host's headers for an INVITE. Raises LineFailedError for what cannot be sent."""
    for name, value in headers.items():
        if not may_travel(name) or not _NAME.fullmatch(name):
            raise LineFailedError(LineEnd.ERROR, "a header of the call may not be set by its host")
        if _UNPRINTABLE.search(value) or len(value) > _MAX_VALUE:
            raise LineFailedError(LineEnd.ERROR, "a header of the call has an unusable value")
    return tuple(headers.items())
