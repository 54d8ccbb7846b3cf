"""A connection without a network, and an offer as a browser makes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mediacore.transports.webrtc.link import Ears, LinkError
from mediacore.transports.webrtc.offer import Candidate, Peer

FINGERPRINT = ":".join(["AB"] * 32)

OFFER = "\r\n".join(
    [
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "a=extmap-allow-mixed",
        "m=audio 50000 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
        "c=IN IP4 127.0.0.1",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=candidate:1 1 udp 2122260223 127.0.0.1 50000 typ host generation 0",
        "a=candidate:2 1 udp 2122260222 0f1e.local 50001 typ host",
        "a=candidate:3 1 tcp 1518280447 127.0.0.1 9 typ host tcptype active",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:0123456789abcdefghijklmn",
        f"a=fingerprint:sha-256 {FINGERPRINT}",
        "a=setup:actpass",
        "a=mid:0",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:63 red/48000/2",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:13 CN/8000",
        "a=rtpmap:110 telephone-event/48000",
        "a=rtpmap:126 telephone-event/8000",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:0123456789abcdefghijklmn",
        f"a=fingerprint:sha-256 {FINGERPRINT}",
        "a=setup:actpass",
        "a=mid:1",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
        "",
    ]
)


class FakeLink:
    """Does what it is told. hang: the connection never comes; fail: it is refused."""

    def __init__(self, ears: Ears, *, hang: bool = False, fail: bool = False) -> None:
        self.ears = ears
        self.hang = hang
        self.fail = fail
        self.received = 0
        self.sent: list[bytes] = []
        self.told: list[str] = []
        self.room = True
        self.closed = 0
        self.remote_peer: Peer | None = None

    local = "127.0.0.1:4000"
    remote = "127.0.0.1:50000"

    async def gather(self) -> Peer:
        host = Candidate("1", 2130706431, "127.0.0.1", 4000)
        return Peer("wxyz", "p" * 24, (("sha-256", FINGERPRINT),), (host,))

    async def connect(self, remote: Peer, sctp_port: int | None) -> None:
        self.remote_peer = remote
        if self.hang:
            await asyncio.Event().wait()
        if self.fail:
            raise LinkError("no way")

    def send(self, packets: Sequence[bytes]) -> None:
        self.sent.extend(packets)

    def tell(self, text: str) -> bool:
        if self.room:
            self.told.append(text)
        return self.room

    async def close(self) -> None:
        self.closed += 1

    def packet(self, data: bytes) -> None:
        self.received += 1
        self.ears.packet(data)
