"""One line in virtual time: a leg of the real core, its far end, and a tick every 20 ms."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable
from random import Random

from mediacore import _core
from mediacore._core import Codec, Engine, Leg
from mediacore.events import MediaEvent, PlayoutCut, PlayoutLow, TapReady
from mediacore.media import LegConfig, Tap
from mediacore.providers.scripted import ScriptedTts
from mediacore.session.hub import MediaHub
from mediacore.session.player import Player
from mediacore.session.sounds import Sounds
from mediacore.session.tapping import RecordTap
from mediacore.slots.driver import TtsDriver
from mediacore.transports.loopback import Link
from support.inline import InlineExecutor
from virtual import now_us

NEAR = LegConfig(seed=1, taps=Tap.RECORD, bed=True, event_payload_type=101)


class LineSim:
    """Enter; `near` is the line's leg, `far` the party. Leaving checks that nothing is left."""

    def __init__(self, near: LegConfig = NEAR, command_slots: int = 0) -> None:
        self._config = near
        self._command_slots = command_slots
        self.events: list[MediaEvent] = []
        self.packets: list[bytes] = []
        self.player: Player | None = None
        self.on_event: Callable[[MediaEvent], None] = lambda event: None

    async def __aenter__(self) -> LineSim:
        asyncio.get_running_loop().set_default_executor(InlineExecutor(max_workers=1))
        self._live = _core.live_objects()
        self.engine = Engine(max_legs=8, max_bridges=1, command_slots=self._command_slots)
        self.hub = MediaHub(self.engine)
        self.near = self.engine.open_leg(self._config)
        self.far = self.engine.open_leg(LegConfig(seed=2, event_payload_type=101))
        self.tap = RecordTap(self.near)
        self.hub.attach(self.near, self._on_event)
        self.hub.attach(self.far, self.events.append)
        self.group = await asyncio.TaskGroup().__aenter__()
        self._ticks = 0
        rng = Random(1)
        self._links = (
            Link(_Kept(self.near, self.packets), self.far, rng),  # type: ignore[arg-type]
            Link(self.far, self.near, rng),
        )
        self._drive_task = asyncio.create_task(self._drive())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        try:
            await self.group.__aexit__(*exc_info)  # type: ignore[arg-type]
        finally:
            await self._leave(failed=exc_info[0] is not None)

    async def _leave(self, *, failed: bool) -> None:
        self._drive_task.cancel()
        await asyncio.gather(self._drive_task, return_exceptions=True)
        for leg in (self.near, self.far):
            leg.close()
        for _ in range(2):
            self.tick()
        open_legs = self.engine.stats().legs_open
        self.near.free()
        self.far.free()
        self.engine.close()
        if not failed:
            assert open_legs == 2
            assert _core.live_objects() == self._live

    def tick(self) -> None:
        """One tick of the media plane."""
        self._ticks += 1
        at_us = self._ticks * 20_000
        self.engine.tick(at_us)
        if not (self.near.closed or self.far.closed):
            for link in self._links:
                link.move(at_us)
        self.hub.pump()

    def sounds(self, tts: ScriptedTts | None = None, **options: object) -> Sounds:
        """Sounds with a scripted voice."""
        return Sounds(TtsDriver([tts or ScriptedTts()], now_us), **options)  # type: ignore[arg-type]

    def sent(self) -> array[int]:
        """What the line sent, decoded."""
        codec = Codec("PCMU")
        pcm = array("h")
        for packet in self.packets:
            if packet[1] & 0x7F == 0:
                pcm.frombytes(codec.decode(packet[12:]))
        return pcm

    def named(self, kind: type[MediaEvent]) -> list[MediaEvent]:
        """Events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def _on_event(self, event: MediaEvent) -> None:
        self.events.append(event)
        if isinstance(event, TapReady):
            self.tap.take()
        elif self.player is not None and isinstance(event, PlayoutLow):
            self.player.room()
        elif self.player is not None and isinstance(event, PlayoutCut):
            self.player.cut(event.next_generation)
        self.on_event(event)

    async def _drive(self) -> None:
        while True:
            self.tick()
            await asyncio.sleep(0.02)


class _Kept:
    """A leg whose sent packets are kept."""

    def __init__(self, leg: Leg, packets: list[bytes]) -> None:
        self._leg = leg
        self._packets = packets

    def pull_packet(self) -> bytes | None:
        packet = self._leg.pull_packet()
        if packet is not None:
            self._packets.append(packet)
        return packet


def loud_ms(pcm: array[int], level: int = 100) -> int:
    """Milliseconds, in steps of 20, in which 8 kHz audio is above the level."""
    frames = (pcm[i : i + 160] for i in range(0, len(pcm), 160))
    return 20 * sum(max(max(f), -min(f)) > level for f in frames)


def peak(pcm: array[int]) -> int:
    """Largest magnitude."""
    return max(max(pcm, default=0), -min(pcm, default=0))
