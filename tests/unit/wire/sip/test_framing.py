from __future__ import annotations

import pytest

from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.framing import StreamFramer

ONE = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 3\r\n\r\nabc"
TWO = b"SIP/2.0 200 OK\r\nVia: x\r\nl :\r\n 0\r\n\r\n"


def framer(header: int = 200, body: int = 50) -> StreamFramer:
    return StreamFramer(header, body)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_messages_however_the_stream_is_cut(size: int) -> None:
    f = framer()
    stream = b"\r\n" + ONE + TWO + b"\r\n\r\n" + ONE + b"\r\n\r\n"
    found = []
    for at in range(0, len(stream), size):
        found += f.feed(stream[at : at + size])
    assert found == [ONE, TWO, b"", ONE, b""]
    assert not f.partial


def test_partial() -> None:
    f = framer()
    assert f.feed(b"\r\n") == [] and not f.partial
    assert f.feed(ONE[:10]) == [] and f.partial
    assert f.feed(ONE[10:-1]) == [] and f.partial
    assert f.feed(ONE[-1:] + b"\r") == [ONE] and not f.partial


@pytest.mark.parametrize(
    "data",
    [
        b"OPTIONS sip:a@b SIP/2.0\r\n\r\n",
        b"A\r\nContent-Length: x\r\n\r\n",
        b"A\r\nContent-Length: -1\r\n\r\n",
        b"A\r\nContent-Length: 1\r\nl: 2\r\n\r\n",
        b"A\r\nContent-Length: 51\r\n\r\n",
        b"A\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"x" * 201,
        b"A: " + b"x" * 201 + b"\r\nl: 0\r\n\r\n",
    ],
)
def test_streams_that_cannot_be_cut(data: bytes) -> None:
    with pytest.raises(SipError):
        framer().feed(data)
