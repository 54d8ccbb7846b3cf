"""What WebRTC is compared with: aiortc as its examples use it, a track each way and nothing else.

No speech detection, no tap, no engine. Reads one line of JSON from stdin, `LinkOrder`; writes the
port as one line, waits until all calls are there, and writes `LinkReport` as another.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict

from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from mediacore.bench.links_agent import LinkOrder, LinkReport, Stopwatch
from mediacore.bench.links_browsers import Ear, VoiceTrack, loopback_only, voice_frames
from mediacore.bench.links_sip import HOST
from mediacore.units import TICKS_PER_S


class _Tracks:
    """Answers every offer."""

    def __init__(self, order: LinkOrder) -> None:
        self._order = order
        self._frames = voice_frames(order.codec)
        self._connected = 0
        self.peers: list[RTCPeerConnection] = []
        self.voices: list[VoiceTrack] = []
        self.ear = Ear()
        self.all = asyncio.Event()

    async def call(self, request: web.Request) -> web.Response:
        offer = await request.json()
        peer, voice = RTCPeerConnection(RTCConfiguration([])), VoiceTrack(self._frames)
        self.peers.append(peer)
        self.voices.append(voice)
        peer.on("track", self.ear.listen)
        peer.on("connectionstatechange", lambda: self._moved(peer))
        peer.addTrack(voice)
        with loopback_only():
            await peer.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
            await peer.setLocalDescription(await peer.createAnswer())
        return web.json_response({"type": "answer", "sdp": peer.localDescription.sdp})

    def _moved(self, peer: RTCPeerConnection) -> None:
        self._connected += peer.connectionState == "connected"
        if self._connected == self._order.calls:
            self.all.set()

    @property
    def sent(self) -> int:
        return sum(voice.sent for voice in self.voices)


async def serve(order: LinkOrder, tell: Callable[[list[int]], None]) -> LinkReport:
    """Take the calls and measure. tell: gets the port."""
    tracks, app = _Tracks(order), web.Application()
    app.router.add_post("/calls", tracks.call)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    tell([runner.addresses[0][1]])
    await tracks.all.wait()
    await asyncio.sleep(order.warm_s)
    sent, heard, spent = tracks.sent, tracks.ear.heard, Stopwatch()
    await asyncio.sleep(order.seconds)
    cpu_s, wall_s = spent.read()
    sent, heard = tracks.sent - sent, tracks.ear.heard - heard
    await tracks.ear.aclose()
    await asyncio.gather(*(peer.close() for peer in tracks.peers))
    await runner.cleanup()
    frames = order.calls * wall_s * TICKS_PER_S
    return LinkReport(cpu_s, 0.0, wall_s, sent / frames, heard / frames, 0, 0)


def main() -> None:
    """Serve one order."""
    order = LinkOrder(**json.loads(sys.stdin.readline()))
    report = asyncio.run(serve(order, lambda ports: print(json.dumps(ports), flush=True)))
    print(json.dumps(asdict(report)), flush=True)


if __name__ == "__main__":
    main()
