"""One WebRTC connection by aiortc: ICE, DTLS-SRTP and a data channel, but none of its media.

This is the only file that knows aiortc's and aioice's inner names. It works below the peer
connection, on the transports alone: no track, no receiver, no sender, so no decoder thread and no
jitter buffer. Media is taken where aioice would queue it for aiortc's task, and decrypted there:

  aioice socket ─┬─ 128..191 (RFC 7983) ─► unprotect ─► ears.packet(bytes)   RTP and RTCP alike
                 └─ the rest ─► aioice's queue ─► DTLS ─► SCTP ─► ears.text(str)
  send(packets) ─► _send_rtp: protect ─► aioice socket

Names used that are not public, each checked when a connection is made: RTCIceGatherer._connection,
RTCDtlsTransport._rx_srtp and ._send_rtp, and of aioice's Connection get_component_candidates (to
say which addresses), data_received (where datagrams come) and _nominated (for the record).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import aiortc
import pylibsrtp
from aiortc import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceCandidate,
    RTCIceGatherer,
    RTCIceParameters,
    RTCIceServer,
    RTCIceTransport,
    RTCSctpCapabilities,
    RTCSctpTransport,
)

from mediacore.errors import MissingDependencyError
from mediacore.transports.webrtc.config import IceServer
from mediacore.transports.webrtc.link import Ears, LinkError
from mediacore.transports.webrtc.offer import Candidate, Peer

SUPPORTED: Final = "1.16"
_FIX: Final = "pip install 'aiortc~=1.16.0'"
_BACKLOG_BYTES: Final = 65_536  # told and not yet sent; more is refused
_WAITING: Final = 50  # packets for a relay that is slow; older ones are dropped
_UNSENT: Final = (OSError, pylibsrtp.Error)  # ConnectionError is an OSError
_FLUSH_S: Final = 0.3
_SHORTEST: Final = 12  # an RTP header; RTCP is longer
_MESSAGE_BYTES: Final = 65_536


def check_version() -> None:
    """Raises MissingDependencyError when this aiortc was never tried."""
    if not aiortc.__version__.startswith(f"{SUPPORTED}."):
        raise MissingDependencyError(f"aiortc {SUPPORTED} (found {aiortc.__version__})", _FIX)


class PeerLink:
    """One connection. `gather`, `connect`, then `send` and `tell` until `close`. One event loop.

    ears: take each decrypted RTP or RTCP packet and each text of the data channel. addresses:
    where UDP is received. servers: at most one STUN and one TURN server count.
    """

    def __init__(
        self, ears: Ears, addresses: Sequence[str], servers: Sequence[IceServer] = ()
    ) -> None:
        self._ears = ears
        self._gatherer = RTCIceGatherer(
            [RTCIceServer(s.url, s.username or None, s.credential or None) for s in servers]
        )
        self._connection = _private(self._gatherer, "_connection")
        self._limit_to(list(addresses))
        self._ice = RTCIceTransport(self._gatherer)
        self._dtls = RTCDtlsTransport(self._ice, [RTCCertificate.generateCertificate()])
        self._sctp: RTCSctpTransport | None = None
        self._channel: Any = None
        self._over = False
        self._waiting: deque[bytes] = deque(maxlen=_WAITING)
        self._more = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self.received = 0
        """Packets of media and reports received."""
        self.refused = 0
        """Packets that were forged, broken or came twice."""
        self.unsent = 0
        """Packets that could not be sent: not connected, or a relay was too slow."""
        self._others: Callable[[bytes, int], None] = _replace(
            self._connection, "data_received", self._datagram
        )
        _private(self._dtls, "_rx_srtp", maybe=True)
        self._send_rtp: Callable[[bytes], Any] = _private(self._dtls, "_send_rtp")

    def _limit_to(self, wanted: list[str]) -> None:
        """Receive only there; aioice would take every address of the machine but loopback."""

        def limited(component: int, addresses: object, **kwargs: object) -> Awaitable[object]:
            result: Awaitable[object] = gather(component=component, addresses=wanted, **kwargs)
            return result

        gather = _replace(self._connection, "get_component_candidates", limited)

    # -- setting up

    async def gather(self) -> Peer:
        """Open the sockets; what the far side is to be told."""
        await self._gatherer.gather()
        parameters = self._gatherer.getLocalParameters()
        return Peer(
            parameters.usernameFragment or "",
            parameters.password or "",
            tuple(
                (f.algorithm, f.value)
                for f in self._dtls.getLocalParameters().fingerprints
                if f.algorithm == "sha-256"
            ),
            tuple(
                Candidate(
                    c.foundation,
                    c.priority,
                    c.ip,
                    c.port,
                    c.type,
                    c.relatedAddress or "",
                    c.relatedPort or 0,
                )
                for c in self._gatherer.getLocalCandidates()
            ),
        )

    async def connect(self, remote: Peer, sctp_port: int | None) -> None:
        """ICE, then DTLS in the active role. Raises LinkError; may wait for ever, so limit it.

        sctp_port: of the far side's data channels, None = it has none.
        """
        for c in remote.candidates:
            await self._ice.addRemoteCandidate(
                RTCIceCandidate(1, c.foundation, c.host, c.port, c.priority, "udp", c.kind)
            )
        self._dtls.on("statechange", self._state_changed)
        self._ice.on("statechange", self._state_changed)
        await self._ice.start(RTCIceParameters(remote.ufrag, remote.password))
        if self._ice.state != "completed":
            raise LinkError("no way to the browser was found (ICE)")
        fingerprints = [RTCDtlsFingerprint(*pair) for pair in remote.fingerprints]
        await self._dtls.start(RTCDtlsParameters(fingerprints))
        if self._dtls.state != "connected":
            raise LinkError("the browser is not who it said (DTLS)")
        if sctp_port is not None:
            self._sctp = RTCSctpTransport(self._dtls)
            self._sctp.on("datachannel", self._opened)
            await self._sctp.start(RTCSctpCapabilities(_MESSAGE_BYTES), sctp_port)

    @property
    def local(self) -> str:
        """Our address on the pair in use, "" when not connected."""
        return self._pair("local_candidate")

    @property
    def remote(self) -> str:
        """The browser's address on the pair in use, "" when not connected."""
        return self._pair("remote_candidate")

    def _pair(self, side: str) -> str:
        pair = _private(self._connection, "_nominated").get(1)
        candidate = getattr(pair, side, None)
        return f"{candidate.host}:{candidate.port}" if candidate is not None else ""

    def _state_changed(self) -> None:
        if self._dtls.state in ("closed", "failed") or self._ice.state in ("closed", "failed"):
            lost = self._ice.state in ("closed", "failed")
            self._gone("lost" if lost else "closed")

    def _gone(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._ears.gone(reason)

    # -- media

    def _datagram(self, data: bytes, component: int) -> None:
        """Something that is not STUN: media is handled at once, DTLS goes the usual way."""
        if not data:  # aiortc's reader would not survive it
            self.refused += 1
            return
        session: Any = self._dtls._rx_srtp
        if session is None or not 127 < data[0] < 192 or len(data) < _SHORTEST:
            self._others(data, component)
            return
        try:
            # The payload types that RTCP's would be (RFC 5761 §4).
            rtcp = 192 <= data[1] <= 223
            packet = session.unprotect_rtcp(data) if rtcp else session.unprotect(data)
        except pylibsrtp.Error:
            self.refused += 1
            return
        self.received += 1
        self._ears.packet(packet)

    def send(self, packets: Sequence[bytes]) -> None:
        """Encrypt and send RTP or RTCP. Never waits.

        Over UDP the coroutine runs through without suspending, so it is driven here without a
        task. A relay may want to wait: then the packets go through a queue of their own.
        """
        if self._sender is not None:
            self.unsent += max(0, len(self._waiting) + len(packets) - _WAITING)
            self._waiting.extend(packets)
            self._more.set()
            return
        for at, packet in enumerate(packets):
            work = self._send_rtp(packet)
            try:
                work.send(None)
            except StopIteration:
                continue
            except _UNSENT:
                self.unsent += 1
                continue
            work.close()
            self.unsent += 1
            self._waiting.extend(packets[at + 1 :])
            self._sender = asyncio.create_task(self._send_waiting())
            return

    async def _send_waiting(self) -> None:
        """Send for a relay, until the connection is closed."""
        while not self._over:
            if not self._waiting:
                self._more.clear()
                await self._more.wait()
            try:
                await self._send_rtp(self._waiting.popleft())
            except _UNSENT:
                self.unsent += 1

    # -- the data channel

    def _opened(self, channel: Any) -> None:
        if self._channel is None:
            self._channel = channel
            channel.on("message", self._message)
            channel.on("close", lambda: self._gone("closed"))

    def _message(self, text: object) -> None:
        if isinstance(text, str):
            self._ears.text(text)

    def tell(self, text: str) -> bool:
        """Send a message. False: there is no open channel, or it is 64 KiB behind."""
        channel = self._channel
        if channel is None or channel.readyState != "open":
            return False
        if channel.bufferedAmount + len(text) > _BACKLOG_BYTES:
            return False
        channel.send(text)
        return True

    # -- the end

    async def close(self) -> None:
        """Say goodbye and close the sockets; what was told last is sent before. Idempotent."""
        told = self._channel is not None and not self._over
        self._over = True
        try:
            if told:
                await self._flush()
        finally:
            if self._sender is not None:
                self._sender.cancel()
                with suppress(asyncio.CancelledError):
                    await self._sender
            await self._stop()

    async def _flush(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                empty = asyncio.Event()
                self._channel.on("bufferedamountlow", empty.set)
                if self._channel.bufferedAmount:
                    await empty.wait()
                await asyncio.sleep(0.03)  # on its way before the connection goes down

    async def _stop(self) -> None:
        steps = [self._dtls.stop, self._ice.stop]
        if self._sctp is not None:
            steps.insert(0, self._sctp.stop)
        for step in steps:
            with suppress(OSError):
                await step()
        if self._ice.state == "closed":  # sockets are open also when ICE never started
            await self._connection.close()


def _private(owner: object, name: str, *, maybe: bool = False) -> Any:
    """A name of theirs. maybe: it may be None at first."""
    found = getattr(owner, name, None)
    if found is None and not (maybe and hasattr(owner, name)):
        what = f"aiortc {SUPPORTED} ({type(owner).__name__}.{name} is not in {aiortc.__version__})"
        raise MissingDependencyError(what, _FIX)
    return found


def _replace(owner: object, name: str, new: object) -> Any:
    """Put `new` there; gives what was there."""
    found = _private(owner, name)
    setattr(owner, name, new)
    return found
