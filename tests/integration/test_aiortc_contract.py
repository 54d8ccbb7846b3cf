"""What we rely on in aiortc and aioice beyond their public interface.

Fails with names when a new version has changed something: then look at
transports/webrtc/peerlink.py, which is the only file that knows them.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

aiortc = pytest.importorskip("aiortc")

import aioice  # noqa: E402

from mediacore import _core  # noqa: E402
from mediacore.errors import MissingDependencyError  # noqa: E402
from mediacore.media import LegConfig, Tap, unpack_notes  # noqa: E402
from mediacore.session.hub import MediaHub  # noqa: E402
from mediacore.transports.webrtc import peerlink  # noqa: E402
from mediacore.transports.webrtc.link import Ears  # noqa: E402
from mediacore.transports.webrtc.offer import agree, parse_offer, write_answer  # noqa: E402
from support.webrtc_peer import LOOPBACK, Browser, rtp  # noqa: E402

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(60)]

OPUS_FRAME = 960  # RTP ticks


class Call:
    """A browser and the leg that it reaches."""

    def __init__(self, browser: Browser, link: peerlink.PeerLink, gone: list[str]) -> None:
        self.browser = browser
        self.link = link
        self.gone = gone
        self.received: list[bytes] = []
        self.payload_type = 0


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(*, data: bool = True) -> AsyncIterator[Call]:
    browser, gone, received = Browser(data=data), [], []
    link = peerlink.PeerLink(Ears(received.append, lambda text: None, gone.append), (LOOPBACK,))
    offer = parse_offer(await browser.offer())
    agreed = agree(offer, ("opus",))
    local = await link.gather()
    assert {c.host for c in local.candidates} == {LOOPBACK}
    _, sctp_port = (
        await browser.accept(write_answer(offer, agreed, local, 1)),
        agreed.data.sctp_port if agreed.data else None,
    )
    async with asyncio.timeout(10):
        await link.connect(agreed.tagged.peer, sctp_port)
        await browser.connected.wait()
    call = Call(browser, link, gone)
    call.received, call.payload_type = received, agreed.payload.type
    try:
        yield call
    finally:
        await link.close()
        await browser.close()


# ------------------------------------------------------------------------------------- the names


def test_this_is_the_version_that_was_tried() -> None:
    peerlink.check_version()
    assert aiortc.__version__.startswith(f"{peerlink.SUPPORTED}."), (
        f"aiortc is {aiortc.__version__}: go through transports/webrtc/peerlink.py, run this file, "
        "then raise SUPPORTED and the requirement"
    )


def test_another_version_is_refused_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiortc, "__version__", "1.17.0")
    with pytest.raises(MissingDependencyError, match=r"aiortc~=1\.16"):
        peerlink.check_version()


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (aioice.Connection, "data_received", ["self", "data", "component"]),
        (aiortc.RTCDtlsTransport, "_send_rtp", ["self", "data"]),
        (aioice.Connection, "get_component_candidates", ["self", "component", "addresses"]),
    ],
)
def test_a_private_name_is_there(owner: type, name: str, parameters: list[str]) -> None:
    function = getattr(owner, name, None)
    assert function is not None, f"{owner.__name__}.{name} is gone"
    assert inspect.iscoroutinefunction(function) == (name != "data_received")
    found = list(inspect.signature(function).parameters)
    assert found[: len(parameters)] == parameters, f"{owner.__name__}.{name} takes {found}"


def test_a_name_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(aiortc.RTCDtlsTransport, "_send_rtp")

    async def main() -> None:
        ears = Ears(lambda data: None, lambda text: None, lambda reason: None)
        with pytest.raises(MissingDependencyError, match=r"RTCDtlsTransport\._send_rtp"):
            peerlink.PeerLink(ears, (LOOPBACK,))

    asyncio.run(main())


# ---------------------------------------------------------------------------------- what it does


def test_raw_packets_go_both_ways_without_a_thread() -> None:
    async def main() -> None:
        before = {thread.name for thread in threading.enumerate()}
        async with connected() as call:
            sent = [rtp(call.payload_type, n, n * 960, bytes([n]) * 20) for n in range(50)]
            for packet in sent:
                await call.browser.send(packet)
            call.link.send(sent)
            async with asyncio.timeout(5):
                await until(lambda: min(len(call.received), len(call.browser.packets)) >= 50)
            assert [p for p in call.received if p[1] == call.payload_type] == sent
            assert call.browser.packets == sent
            # aiortc's own side, our browser, has its decoder; this side has no thread at all.
            mine = {t.name for t in threading.enumerate()} - before
            assert len([name for name in mine if "decoder" in name]) <= 1, mine
            assert call.link.unsent == 0  # sending never waited
            assert call.link._sender is None
            assert call.link.local.startswith(LOOPBACK) and call.link.remote.startswith(LOOPBACK)

    asyncio.run(main())


def test_the_data_channel_carries_texts_and_says_goodbye() -> None:
    async def main() -> None:
        async with connected() as call:
            async with asyncio.timeout(5):
                await until(lambda: call.link.tell("hello"))
            assert await call.browser.wait_texts(lambda text: text == "hello")
            assert call.link.tell("last words")
            await call.link.close()
            assert await call.browser.wait_texts(lambda text: text == "last words")
            async with asyncio.timeout(5):
                await call.browser.closed.wait()
            assert call.gone == []  # we know that we have closed it

    asyncio.run(main())


@pytest.mark.parametrize("how", ["connection", "channel"])
def test_a_browser_that_closes_is_noticed_at_once(how: str) -> None:
    async def main() -> None:
        async with connected() as call:
            if how == "channel":
                await asyncio.sleep(0.2)
                assert call.browser.channel is not None
                call.browser.channel.close()
            else:
                await call.browser.close()
            async with asyncio.timeout(3):
                await until(lambda: bool(call.gone))
            assert call.gone == ["closed"]

    asyncio.run(main())


def test_one_lost_packet_of_two_hundred_does_not_stall_the_sound() -> None:
    """aiortc's own jitter buffer is silent for 300 ms then, and late for ever after."""
    assert _core.opus_load()
    codec = _core.Codec("opus", 16000)
    tone = [codec.encode(_tone(n)) for n in range(200)]

    async def main() -> list[Any]:
        hub = MediaHub(_core.Engine())
        try:
            async with connected(data=False) as call:
                leg = hub.engine.open_leg(
                    LegConfig(
                        codec="opus",
                        srate_hz=16000,
                        payload_type=96,
                        taps=Tap.NOTES,
                        tap_ms=8000,
                        seed=1,
                    )
                )
                call.link._ears = Ears(leg.push_packet, print, call.gone.append)
                hub.start()
                start = time.monotonic()
                for n, payload in enumerate(tone):
                    if n != 100:
                        await call.browser.send(rtp(96, n, n * OPUS_FRAME, payload))
                    await asyncio.sleep(max(0.0, start + 0.02 * (n + 1) - time.monotonic()))
                await asyncio.sleep(0.1)
                stats, notes = leg.stats(), unpack_notes(leg.read_notes())
                leg.close()
                assert stats.rx_lost == 1 and stats.rx_late == 0, stats
                return notes
        finally:
            hub.stop()
            hub.engine.close()

    notes = asyncio.run(main())
    first = next(n for n, note in enumerate(notes) if note.packets)
    heard = notes[first + 10 : first + 185]
    silent = [note for note in heard if note.rx_dbov < -50]
    assert len(silent) <= 2, f"{20 * len(silent)} ms of silence"
    assert notes[first + 180].delay_ms <= notes[first + 60].delay_ms + 20


def _tone(n: int) -> bytes:
    import numpy as np

    at = np.arange(n * 320, (n + 1) * 320) / 16000
    wave = 6000 * np.sin(2 * np.pi * 220 * at) + 3000 * np.sin(2 * np.pi * 660 * at)
    return wave.astype("<i2").tobytes()


# ----------------------------------------------------------------------------------- what it costs

CALLS, SECONDS = 4, 4.0
