"""Callers by WebRTC: aiortc as its examples use it, with a track each way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, Final

import aioice.ice
from aiohttp import ClientSession
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from av import AudioFrame

from mediacore._core import Resampler
from mediacore.bench.links_far import SPARE_S, FarOrder, FarReport, Tell
from mediacore.bench.links_sip import HOST
from mediacore.bench.sound import SRATE_HZ, shipped_callers, without_gaps
from mediacore.units import TICK_MS, TICKS_PER_S

_OPUS_HZ: Final = 48_000


@contextmanager
def loopback_only() -> Iterator[None]:
    """While it gathers, aioice knows no address of this machine but loopback's, which it would
    leave out."""
    everywhere = aioice.ice.get_host_addresses
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [HOST]
    try:
        yield
    finally:
        aioice.ice.get_host_addresses = everywhere


def voice_frames(codec: str) -> list[AudioFrame]:
    """Speech in frames of 20 ms, as aiortc's encoder of the codec takes them without resampling."""
    srate_hz = _OPUS_HZ if codec == "opus" else SRATE_HZ
    pcm = without_gaps(shipped_callers())
    if srate_hz != SRATE_HZ:
        pcm = Resampler(SRATE_HZ, srate_hz).run(pcm)
    samples = srate_hz // TICKS_PER_S
    frames: list[AudioFrame] = []
    for at in range(0, len(pcm) - 2 * samples, 2 * samples):
        frame = AudioFrame(format="s16", layout="mono", samples=samples)
        frame.planes[0].update(pcm[at : at + 2 * samples])
        frame.sample_rate = srate_hz
        frames.append(frame)
    return frames


class VoiceTrack(AudioStreamTrack):
    """Speech at aiortc's own pace; the frames were made before."""

    def __init__(self, frames: list[AudioFrame]) -> None:
        super().__init__()
        self._frames = frames
        self._start = 0.0
        self.sent = 0

    async def recv(self) -> AudioFrame:
        """The next frame, when it is due."""
        self._start = self._start or time.monotonic()
        due = self._start + self.sent * TICK_MS / 1000
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        frame = self._frames[self.sent % len(self._frames)]
        frame.pts = frame.samples * self.sent
        frame.time_base = Fraction(1, frame.sample_rate)
        self.sent += 1
        return frame


class Ear:
    """Counts the frames of every track that it is given."""

    def __init__(self) -> None:
        self.heard = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def listen(self, track: Any) -> None:
        """From now on."""
        task = asyncio.get_running_loop().create_task(self._drain(track))
        self._tasks.add(task)

    async def _drain(self, track: Any) -> None:
        while True:
            await track.recv()
            self.heard += 1

    async def aclose(self) -> None:
        """Hear no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def run(order: FarOrder, tell: Tell) -> None:
    """Call, talk, and count what comes."""
    frames, ear = voice_frames(order.codec), Ear()
    peers: list[RTCPeerConnection] = []
    async with ClientSession(f"http://{HOST}:{order.ports[0]}") as session:
        for _ in range(order.calls):
            peers.append(await _call(session, order.codec, VoiceTrack(frames), ear))
    before = ear.heard
    await asyncio.sleep(order.seconds)
    got = ear.heard - before
    tell(FarReport(got / (order.calls * order.seconds * TICKS_PER_S)))
    await asyncio.sleep(SPARE_S)
    await ear.aclose()


async def _call(
    session: ClientSession, codec: str, voice: VoiceTrack, ear: Ear
) -> RTCPeerConnection:
    peer = RTCPeerConnection(RTCConfiguration([]))
    connected = asyncio.Event()
    peer.on("track", ear.listen)
    peer.on(
        "connectionstatechange",
        lambda: connected.set() if peer.connectionState == "connected" else None,
    )
    peer.addTrack(voice)
    able = RTCRtpSender.getCapabilities("audio").codecs
    (way,) = peer.getTransceivers()
    way.setCodecPreferences([c for c in able if c.mimeType.lower() == f"audio/{codec.lower()}"])
    with loopback_only():
        await peer.setLocalDescription(await peer.createOffer())
    offer = {"type": "offer", "sdp": peer.localDescription.sdp}
    async with session.post("/calls", json=offer) as response:
        response.raise_for_status()
        answer = await response.json()
    await peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
    await connected.wait()
    return peer
