"""A dialog: who talks with whom, by which way, and in what order. RFC 3261 §12."""

from __future__ import annotations

from collections.abc import Iterable

from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.fields import NameAddr
from mediacore.wire.sip.message import Request, Response, make_request
from mediacore.wire.sip.uri import SipUri

MAX_FORWARDS = "70"
MAX_ROUTES = 16


class Dialog:
    """One dialog, early or confirmed. local, remote: whole From/To values with their tags.

    target: the peer's Contact. routes: in the order in which requests pass them. Made by `uas`
    from an INVITE or by `uac` from a response; both raise SipError when the message lacks what a
    dialog needs.
    """

    __slots__ = (
        "call_id",
        "local",
        "local_cseq",
        "local_tag",
        "remote",
        "remote_cseq",
        "remote_tag",
        "routes",
        "target",
    )

    def __init__(
        self,
        call_id: str,
        local: str,
        local_tag: str,
        remote: str,
        remote_tag: str,
        target: str,
        routes: tuple[str, ...] = (),
        local_cseq: int = 0,
        remote_cseq: int = -1,
    ) -> None:
        self.call_id = call_id
        self.local = local
        self.local_tag = local_tag
        self.remote = remote
        self.remote_tag = remote_tag
        self.target = target
        self.routes = routes
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq

    @classmethod
    def uas(cls, request: Request, local_tag: str) -> Dialog:
        """As the called side."""
        to = request.headers.get("To") or ""
        return cls(
            request.call_id,
            to if request.to_tag else f"{to};tag={local_tag}",
            local_tag,
            request.headers.get("From") or "",
            request.from_tag,
            contact_of(request),
            _routes(request.headers.items_of("Record-Route")),
            remote_cseq=request.cseq.number,
        )

    @classmethod
    def uac(cls, request: Request, response: Response) -> Dialog:
        """As the calling side: `response` is a 101-299 with a To tag."""
        return cls(
            request.call_id,
            request.headers.get("From") or "",
            request.from_tag,
            response.headers.get("To") or "",
            response.to_tag,
            contact_of(response) if "Contact" in response.headers else request.uri,
            _routes(response.headers.items_of("Record-Route")[::-1]),
            local_cseq=request.cseq.number,
        )

    @property
    def next_hop(self) -> str:
        """The URI that a request is sent to: the first route, else the target."""
        return self.routes[0] if self.routes else self.target

    def number(self) -> int:
        """The next CSeq of our own."""
        self.local_cseq += 1
        return self.local_cseq

    def in_order(self, number: int) -> bool:
        """Take note of the peer's CSeq; False when it is an old one (§12.2.2)."""
        if number <= self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def retarget(self, message: Request | Response) -> None:
        """Target refresh: a new Contact, when it is a usable one."""
        if "Contact" in message.headers:
            try:
                self.target = contact_of(message)
            except SipError:
                return

    def request(
        self,
        method: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str = "",
        *,
        cseq: int | None = None,
    ) -> Request:
        """A request inside the dialog, without Via. cseq: None = the next one."""
        number = self.number() if cseq is None else cseq
        uri, routes = self._way()
        lines = [("Route", f"<{route}>") for route in routes]
        lines += [
            ("Max-Forwards", MAX_FORWARDS),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{number} {method}"),
            *headers,
        ]
        return make_request(method, uri, lines, body, content_type if body else "")

    def _way(self) -> tuple[str, tuple[str, ...]]:
        """Request-URI and Route; a strict first router gets what it expects (§12.2.1.1)."""
        if not self.routes:
            return _bare(self.target), ()
        if _is_loose(self.routes[0]):
            return _bare(self.target), self.routes
        return self.routes[0], (*self.routes[1:], self.target)


def contact_of(message: Request | Response) -> str:
    """The URI of the only Contact. Raises SipError."""
    contacts = message.headers.items_of("Contact")
    if len(contacts) != 1:
        raise SipError("not exactly one Contact")
    contact = NameAddr.parse(contacts[0])
    contact.sip()
    return contact.uri


def _routes(values: list[str]) -> tuple[str, ...]:
    if len(values) > MAX_ROUTES:
        raise SipError("too many routes")
    uris = tuple(NameAddr.parse(value).uri for value in values)
    for uri in uris:
        SipUri.parse(uri)
    return uris


def _bare(uri: str) -> str:
    return SipUri.parse(uri).bare


def _is_loose(uri: str) -> bool:
    return SipUri.parse(uri).loose
