"""REFER, its progress reports, and Replaces: what the headers say. RFC 3515, 3420, 3891, 4488."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.fields import NameAddr
from mediacore.wire.sip.message import Request, Response, reason_of

SIPFRAG: Final = "message/sipfrag"
_MAX_FRAGMENT: Final = 4096
_VALUE: Final = re.compile(r"[ -~]{1,1024}")


@dataclass(frozen=True, slots=True)
class ReferTo:
    """target: URI without headers. replaces: value of the header for the new INVITE, "" = none.
    referred_by: to be passed on. silent: no reports are wanted (RFC 4488)."""

    target: str
    replaces: str
    referred_by: str
    silent: bool


def read_refer(request: Request) -> ReferTo:
    """What a REFER asks for. Raises SipError when it has no, several or unusable Refer-To."""
    targets = request.headers.items_of("Refer-To")
    if len(targets) != 1:
        raise SipError("not exactly one Refer-To")
    uri = NameAddr.parse(targets[0]).sip()
    if uri.params.get("method", "INVITE").upper() != "INVITE":
        raise SipError("Refer-To asks for another method than INVITE")
    replaces = uri.headers.get("replaces", "")  # unescaped: anything may be in it
    if replaces and not _VALUE.fullmatch(replaces):
        raise SipError("Replaces in Refer-To is not a header value")
    referred_by = request.headers.get("Referred-By") or _bare_party(request.headers.get("From"))
    silent = (request.headers.get("Refer-Sub") or "").strip().lower().startswith("false")
    return ReferTo(uri.bare, replaces, referred_by, silent)


def _bare_party(value: str | None) -> str:
    """A From value without its tag."""
    return f"<{NameAddr.parse(value).uri}>" if value else ""


def fragment(status: int) -> bytes:
    """Body of a NOTIFY: how far it is."""
    return f"SIP/2.0 {status} {reason_of(status)}\r\n".encode()


def read_fragment(request: Request) -> tuple[int, bool]:
    """(status, final) of a NOTIFY about our REFER. Raises SipError."""
    status = _fragment_status(request.body)
    state = (request.headers.get("Subscription-State") or "").split(";")[0].strip().lower()
    if status is None and state != "terminated":
        raise SipError("the NOTIFY tells nothing")
    status = status or 408  # a subscription that ends without a word
    return status, status >= 200 or state == "terminated"


def _fragment_status(body: bytes) -> int | None:
    words = body[:_MAX_FRAGMENT].split(None, 2)
    if len(words) < 2 or words[0].upper() != b"SIP/2.0":
        return None
    return int(words[1]) if len(words[1]) == 3 and words[1].isdigit() else None


@dataclass(frozen=True, slots=True)
class Replaces:
    """Names a dialog as its owner sees it: `to_tag` is the owner's tag."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"

    def in_uri(self, uri: str) -> str:
        """A Refer-To value: `uri` with this as its Replaces header."""
        joint = "&" if "?" in uri else "?"
        return f"<{uri}{joint}Replaces={quote(str(self), safe='')}>"


def read_replaces(values: Sequence[str]) -> Replaces:
    """The only Replaces header. Raises SipError."""
    if len(values) != 1:
        raise SipError("several Replaces")
    call_id, *params = (part.strip() for part in values[0].split(";"))
    named = {}
    for param in params:
        name, _, value = param.partition("=")
        named[name.strip().lower()] = value.strip()
    if not call_id or "to-tag" not in named or "from-tag" not in named:
        raise SipError("Replaces without call or tags")
    return Replaces(call_id, named["to-tag"], named["from-tag"], "early-only" in named)


def wants_no_reports(response: Response) -> bool:
    """Whether the 2xx of our REFER says that no NOTIFY will come (RFC 4488 §4)."""
    return (response.headers.get("Refer-Sub") or "").strip().lower().startswith("false")
