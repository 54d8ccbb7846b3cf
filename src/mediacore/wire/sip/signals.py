"""What the user agent tells its host. `call` names the session; every call ends with one `Over`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.message import Request


class Cause(StrEnum):
    """Why a session is over."""

    LOCAL = "local"  # the host hung up or refused
    BYE = "bye"
    CANCEL = "cancel"  # the caller gave up
    REFUSED = "refused"  # status says how
    SILENT = "silent"  # the peer answers nothing any more
    LOST = "lost"  # the connection is gone
    EXPIRED = "expired"  # no session refresh came, RFC 4028 §10
    REPLACED = "replaced"  # another dialog took its place, RFC 3891
    NO_ANSWER_SDP = "no_answer_sdp"  # the peer left an offer unanswered


@dataclass(frozen=True, slots=True)
class Incoming:
    """Somebody calls; 100 was sent. sdp: the offer, None = the answer must carry one.

    replaces: the session whose place it takes (RFC 3891), else None.
    """

    call: int
    request: Request
    flow: Flow
    sdp: bytes | None
    replaces: int | None = None


@dataclass(frozen=True, slots=True)
class Progressed:
    """101-199 for a call of ours. sdp: early media."""

    call: int
    status: int
    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """2xx for a call of ours. offer: sdp is an offer, and `confirm` must give the answer."""

    call: int
    sdp: bytes
    offer: bool = False


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The caller has our answer. sdp: its answer to the offer that the 2xx carried."""

    call: int
    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class Offered:
    """A new offer inside the call: `accept` or `refuse_offer`. sdp None: an offer is wanted."""

    call: int
    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class OfferAnswered:
    """The peer's answer to our offer inside the call."""

    call: int
    sdp: bytes


@dataclass(frozen=True, slots=True)
class OfferRefused:
    """Our offer inside the call came to nothing; what was agreed before holds."""

    call: int
    status: int


@dataclass(frozen=True, slots=True)
class OfferWanted:
    """The session must be refreshed by a re-INVITE: call `reoffer`."""

    call: int


@dataclass(frozen=True, slots=True)
class DigitSent:
    """A key pressed, by INFO."""

    call: int
    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class ReferAsked:
    """The peer wants this call to go to `target` (a URI without headers): `accept_refer`,
    `notify_refer` or `refuse_refer` with `refer`. replaces: header value for the INVITE."""

    call: int
    refer: int
    target: str
    replaces: str
    referred_by: str


@dataclass(frozen=True, slots=True)
class ReferProgressed:
    """How a REFER of ours fares. final: nothing more follows; 2xx = the target answered, or 202
    when the peer will not say."""

    call: int
    status: int
    final: bool


@dataclass(frozen=True, slots=True)
class Over:
    """The session is over for the host. status: the peer's refusal, 0 = none. reason: its Reason
    header (RFC 3326). contacts: of a 3xx."""

    call: int
    cause: Cause
    status: int = 0
    reason: str = ""
    retry_after_s: int = 0
    contacts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Registered:
    """The registrar knows us. name: of the registration."""

    name: str
    expires_s: int


@dataclass(frozen=True, slots=True)
class RegistrationFailed:
    """It does not; the next attempt follows after `retry_ms`."""

    name: str
    status: int
    retry_ms: int


@dataclass(frozen=True, slots=True)
class Unregistered:
    """The registrar was told, or never answered: `aclose` may go on."""

    name: str


Signal = (
    Incoming
    | Progressed
    | Accepted
    | Confirmed
    | Offered
    | OfferAnswered
    | OfferRefused
    | OfferWanted
    | DigitSent
    | ReferAsked
    | ReferProgressed
    | Over
    | Registered
    | RegistrationFailed
    | Unregistered
)
