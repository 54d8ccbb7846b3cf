"""What the connection does with datagrams that are none."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("aiortc")

from mediacore.transports.webrtc import peerlink
from mediacore.transports.webrtc.link import Ears


def test_an_empty_datagram_goes_no_further() -> None:
    async def scene() -> None:
        heard: list[object] = []
        link = peerlink.PeerLink(Ears(heard.append, heard.append, heard.append), ["127.0.0.1"])
        link._others = lambda data, component: heard.append(data)
        link._datagram(b"", 1)
        assert (heard, link.refused) == ([], 1)
        link._dtls._rx_srtp = object()  # the handshake is over
        link._datagram(b"", 1)
        link._datagram(b"\x16\xfe", 1)
        assert (heard, link.refused) == ([b"\x16\xfe"], 2)

    asyncio.run(scene())
