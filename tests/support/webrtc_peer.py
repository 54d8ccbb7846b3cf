"""Browsers made of aiortc, for the tests: raw packets in and out of a real DTLS-SRTP connection.

As a program: `python -m support.webrtc_peer N SECONDS` prints N offers, one JSON line each, reads N
answers, sends 50 Opus packets a second on each connection for SECONDS, and prints what it got.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import aioice.ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from mediacore import _core
from mediacore._core import Resampler
from mediacore.transports.files import read_audio

LOOPBACK = "127.0.0.1"
CALLER = Path(__file__).parents[2] / "src" / "mediacore" / "demo" / "caller"
HEADER = struct.Struct("!BBHII")


def loopback_only() -> Any:
    """aioice gathers every address but the one that tests may use."""
    return mock.patch.object(aioice.ice, "get_host_addresses", return_value=[LOOPBACK])


def rtp(payload_type: int, seq: int, ts: int, payload: bytes, ssrc: int = 7) -> bytes:
    return HEADER.pack(0x80, payload_type, seq & 0xFFFF, ts & 0xFFFF_FFFF, ssrc) + payload


def speech(srate_hz: int) -> bytes:
    """Somebody who speaks, int16 mono."""
    audio = read_audio(CALLER / "02_order_number.wav")
    return Resampler(audio.srate_hz, srate_hz).run(audio.pcm)


class Browser:
    """Offers audio and a data channel; keeps what it receives."""

    def __init__(self, *, data: bool = True) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration([]))
        self.transceiver = self.pc.addTransceiver("audio", direction="sendrecv")
        self.packets: list[bytes] = []
        self.texts: list[str] = []
        self.connected = asyncio.Event()
        self.closed = asyncio.Event()
        self.channel = self.pc.createDataChannel("events") if data else None
        if self.channel is not None:
            self.channel.on("message", self.texts.append)
            self.channel.on("close", self.closed.set)
        self.pc.on("connectionstatechange", self._moved)

    def _moved(self) -> None:
        if self.pc.connectionState == "connected":
            self.connected.set()
        elif self.pc.connectionState in ("closed", "failed"):
            self.closed.set()

    async def offer(self) -> str:
        with loopback_only():
            await self.pc.setLocalDescription(await self.pc.createOffer())
        return self.pc.localDescription.sdp

    async def accept(self, answer: str) -> None:
        transport = self.transceiver.sender.transport

        async def keep(data: bytes, arrival_time_ms: int) -> None:
            self.packets.append(data)

        async def ignore(data: bytes) -> None:
            return

        transport._handle_rtp_data = keep
        transport._handle_rtcp_data = ignore
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def send(self, packet: bytes) -> None:
        await self.transceiver.sender.transport._send_rtp(packet)

    async def wait_texts(self, found: Callable[[str], bool], limit_s: float = 5) -> str:
        async with asyncio.timeout(limit_s):
            while True:
                for text in self.texts:
                    if found(text):
                        return text
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        await self.pc.close()


async def _main(count: int, seconds: float) -> None:
    assert _core.opus_load()
    codec, pcm = _core.Codec("opus", 48000), speech(48000)
    voice = [codec.encode(pcm[at : at + 1920]) for at in range(0, len(pcm) - 1920, 1920)]
    browsers = [Browser(data=False) for _ in range(count)]
    for browser in browsers:
        print(json.dumps(await browser.offer()), flush=True)
    loop = asyncio.get_running_loop()
    for browser in browsers:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        await browser.accept(json.loads(line))
    await asyncio.gather(*(browser.connected.wait() for browser in browsers))
    print("connected", flush=True)
    start = time.monotonic()
    for frame in range(int(seconds * 50)):
        for browser in browsers:
            await browser.send(rtp(96, frame, 960 * frame, voice[frame % len(voice)]))
        await asyncio.sleep(max(0.0, start + 0.02 * (frame + 1) - time.monotonic()))
    print(json.dumps([len(browser.packets) for browser in browsers]), flush=True)
    for browser in browsers:
        await browser.close()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), float(sys.argv[2])))
