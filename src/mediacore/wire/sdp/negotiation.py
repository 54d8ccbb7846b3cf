"""Offer and answer (RFC 3264) of one dialog with one audio stream.

What does it do?  Writes our offers and answers and tells what was agreed.
How does it work? The stream has one place among the m= lines; every other line is kept and refused
                  with port 0. A failed step changes nothing.
How do I use it?  offer() and accept(), or answer(); then the same again for hold, resume, a new
                  address. Assign `terms` before a step to change what is offered.

    state      | offer()      accept()    answer()      abandon()
    quiet      | offered      refused     quiet         no-op
    offered    | refused      quiet       refused       quiet
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mediacore.wire.sdp.errors import NothingInCommonError, SdpError
from mediacore.wire.sdp.model import Direction, Media, Origin, Session
from mediacore.wire.sdp.payloads import CODECS, Payload, codec_of, payloads
from mediacore.wire.sdp.peer import read_stream
from mediacore.wire.sdp.streams import accept_stream, answer_stream, offer_stream
from mediacore.wire.sdp.terms import Agreed, Terms


@dataclass(frozen=True, slots=True)
class _Settled:
    """What the last finished exchange left. index: place of the stream among the m= lines."""

    local: Session
    remote: Session
    agreed: Agreed
    index: int


@dataclass(frozen=True, slots=True)
class _Pending:
    """Our unanswered offer."""

    local: Session
    index: int
    direction: Direction


class Negotiation:
    """The offer/answer state of one dialog. session_id: a random number below 2**62."""

    def __init__(self, terms: Terms, session_id: int) -> None:
        self.terms = terms
        self._session_id = session_id
        self._sent: Session | None = None  # carries the highest version so far
        self._settled: _Settled | None = None
        self._pending: _Pending | None = None
        self._wish = Direction.SENDRECV

    @property
    def agreed(self) -> Agreed | None:
        """The last agreement."""
        return self._settled.agreed if self._settled else None

    @property
    def pending(self) -> bool:
        """Whether an offer of ours waits for its answer."""
        return self._pending is not None

    @property
    def local(self) -> Session | None:
        """What we sent last, to be sent again unchanged."""
        return self._sent

    def offer(self, direction: Direction = Direction.SENDRECV) -> Session:
        """Our offer: the first, a delayed one, or a new one for hold, resume, another address.

        Raises RuntimeError while an earlier offer is unanswered (RFC 3261 §14.1: 491).
        """
        self._require_quiet()
        settled = self._settled
        index = settled.index if settled else 0
        stream = self._next(settled, direction) if settled else offer_stream(self.terms, direction)
        others = settled.local.media if settled else ()
        session = self._described(_placed(others, index, stream))
        self._sent = session
        self._pending = _Pending(session, index, direction)
        return session

    def accept(self, answer: Session) -> Agreed:
        """The answer to our offer. Raises SdpError, NothingInCommonError; RuntimeError without one.

        After an error the offer is still pending: `abandon` it, or accept a better answer.
        """
        pending = self._pending
        if pending is None:
            raise RuntimeError("there is no offer to be answered")
        if len(answer.media) <= pending.index:
            raise NothingInCommonError("the answer has fewer streams than the offer")
        peer = read_stream(answer, answer.media[pending.index], self.terms.ipv6)
        offered = pending.local.media[pending.index]
        agreed = accept_stream(self.terms, offered, peer, pending.direction)
        self._settled = _Settled(pending.local, answer, agreed, pending.index)
        self._wish = pending.direction
        self._pending = None
        return agreed

    def abandon(self) -> None:
        """Our offer was refused or timed out: the earlier agreement stands (RFC 3264 §8)."""
        self._pending = None

    def answer(self, offer: Session, direction: Direction | None = None) -> tuple[Session, Agreed]:
        """Answer the peer's offer, the first or a later one.

        direction: the most we want, None = as our side wanted so far. The codec in use stays while
        it is on offer. Raises SdpError, NothingInCommonError; RuntimeError while our own offer is
        unanswered.
        """
        self._require_quiet()
        wish = self._wish if direction is None else direction
        settled = self._settled
        current = _codec_name(settled) if settled else None
        index, stream, agreed = self._chosen(offer, wish, current)
        session = self._described(_placed(offer.media, index, stream))
        self._sent = session
        self._settled = _Settled(session, offer, agreed, index)
        self._wish = wish
        return session, agreed

    def _require_quiet(self) -> None:
        if self._pending is not None:
            raise RuntimeError("an offer of ours is unanswered")

    def _chosen(
        self, offer: Session, wish: Direction, current: str | None
    ) -> tuple[int, Media, Agreed]:
        """The first stream that serves; the one in use is tried before all others."""
        used = self._settled.index if self._settled else 0
        refusals: list[SdpError] = []
        for index in sorted(range(len(offer.media)), key=lambda index: index != used):
            media = offer.media[index]
            try:
                peer = read_stream(offer, media, self.terms.ipv6)
                stream, agreed = answer_stream(self.terms, peer, wish, current)
            except SdpError as error:
                # What is wrong with an audio stream says more than that another is video.
                refusals.insert(0 if media.kind == "audio" else len(refusals), error)
                continue
            return index, stream, agreed
        raise refusals[0] if refusals else NothingInCommonError("no stream at all")

    def _next(self, settled: _Settled, direction: Direction) -> Media:
        """Our stream in a later offer: the codec in use first, numbers and profile as they were."""
        ours = settled.local.media[settled.index]
        name, keyed = _codec_name(settled), settled.agreed.srtp is not None
        first = name if name in self.terms.codecs else None
        return offer_stream(self.terms, direction, _meanings(settled), first, ours.proto, keyed)

    def _described(self, media: tuple[Media, ...]) -> Session:
        """The session around the streams; its version rises when it differs from what was sent."""
        host, sent = self.terms.host, self._sent
        version = sent.origin.version if sent is not None else "1"
        origin = Origin("-", str(self._session_id), version, host)
        session = Session(origin, connection=host, media=media)
        if sent is None or session == sent:
            return session
        return replace(session, origin=replace(origin, version=str(int(version) + 1)))


def _codec_name(settled: _Settled) -> str | None:
    """The codec in use by its name in `CODECS`."""
    agreed = settled.agreed
    for name, codec in CODECS.items():
        if (codec.name, codec.leg_srate_hz) == (agreed.codec, agreed.srate_hz):
            return name
    return None


def _meanings(settled: _Settled) -> Iterator[Payload]:
    """Payload types that mean something by now, ours before the peer's."""
    ours = payloads(settled.local.media[settled.index])
    theirs = payloads(settled.remote.media[settled.index], ours)
    yield from (p for p in (*ours, *theirs) if codec_of(p, CODECS) or p.number >= 96)


def _placed(others: tuple[Media, ...], index: int, stream: Media) -> tuple[Media, ...]:
    """Our stream in its place, all other lines refused (RFC 3264 §6)."""
    refused = [Media(m.kind, 0, m.proto, m.formats or ("0",)) for m in others]
    return (*refused[:index], stream, *refused[index + 1 :])
