"""The microphone and loudspeaker of this machine as the far party of a call.

The leg is a memory link with L16 (RFC 3551 §4.5.11) at the device's rate: every frame of the
device becomes one packet for the core, and takes along what the core has to say. There is no echo
control, so unless the user wears a headset the microphone is silent while the agent is heard.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mediacore._core import Engine, Leg
from mediacore.call.record import TransportFacts
from mediacore.errors import MediacoreError, MediaError
from mediacore.media import LegConfig, RtcpMode
from mediacore.slots.gateway import LineEnd, LineFailedError, Party
from mediacore.transports.soundcard import SoundCard, SoundStats
from mediacore.units import TICK_MS

PAYLOAD_TYPE: Final = 96
_HEADER: Final = struct.Struct("!BBHII")
_AUDIBLE: Final = 300  # peak below which a frame of the agent is silence, about -41 dBov
_TAIL_MS: Final = 240  # the room and the device are still sounding
_STALLED_S: Final = 3.0  # a device that calls back no more is gone


@dataclass(frozen=True, slots=True)
class MicrophoneConfig:
    """source, sink: device number or part of its name, "" = the system's own. headset: the
    microphone does not hear the loudspeaker, so the caller may interrupt. to_number, headers:
    what is called, in the call's facts."""

    source: str = ""
    sink: str = ""
    headset: bool = False
    to_number: str = "agent"
    headers: Mapping[str, str] = field(default_factory=dict)


class MicrophoneLine:
    """A FarLine to whoever sits at this machine. One event loop.

    leg: template. seed: of the stream of packets. pyaudio: the module, None = import it.
    """

    def __init__(
        self,
        config: MicrophoneConfig,
        engine: Engine,
        leg: LegConfig,
        *,
        seed: int,
        pyaudio: Any | None = None,
    ) -> None:
        self._config = config
        self._engine = engine
        self._template = leg
        self._seed = seed
        self._pyaudio = pyaudio
        self._party = Party("microphone", "inbound", "local", config.to_number, config.headers)
        self._over: asyncio.Future[LineEnd] = asyncio.get_running_loop().create_future()
        self._card: SoundCard | None = None
        self._leg: Leg | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._seq = seed & 0xFFFF
        self._ts = seed & 0xFFFF_FFFF
        self._guard = 0  # frames for which the microphone stays silent
        self.muted = 0
        """Frames of the microphone that were silenced because the agent was heard."""

    @property
    def party(self) -> Party:
        """See FarLine."""
        return self._party

    @property
    def transport(self) -> TransportFacts:
        """See FarLine."""
        return TransportFacts("microphone", "L16", PAYLOAD_TYPE)

    def far_delay_ms(self) -> int | None:
        """What the loudspeaker still has to play."""
        return self._card.delay_ms if self._card is not None else None

    def snapshot(self) -> SoundStats | None:
        """Counters of the device; None before `connect`."""
        return self._card.snapshot() if self._card is not None else None

    async def connect(self, on_ringing: Callable[[], None]) -> Leg:
        """Open the device. Raises MissingDependencyError too: there is none."""
        if self._over.done():
            raise LineFailedError(self._over.result())
        config = self._config
        card = SoundCard(self._frame, source=config.source, sink=config.sink, pyaudio=self._pyaudio)
        try:
            self._leg = leg = self._engine.open_leg(
                replace(
                    self._template,
                    codec="L16",
                    srate_hz=card.srate_hz,
                    payload_type=PAYLOAD_TYPE,
                    event_payload_type=0,
                    rtcp=RtcpMode.NONE,
                    remote=None,
                    fd=-1,
                    rtcp_fd=-1,
                    seed=self._seed,
                )
            )
        except MediacoreError:
            card.close()
            raise
        self._card = card
        card.start()
        self._watcher = asyncio.create_task(self._watch(card))
        return leg

    async def hangup(self, reason: LineEnd) -> None:
        """See FarLine."""
        self.end(reason)
        watcher, card = self._watcher, self._card
        if watcher is not None:
            watcher.cancel()
            await asyncio.wait([watcher])
        if card is not None:
            await asyncio.to_thread(card.close)  # waits for the device's thread

    async def wait_gone(self) -> LineEnd:
        """See FarLine."""
        await asyncio.wait([self._over])
        return self._over.result()

    def end(self, reason: LineEnd = LineEnd.HANGUP) -> None:
        """The user hangs up; idempotent."""
        if not self._over.done():
            self._over.set_result(reason)

    async def _watch(self, card: SoundCard) -> None:
        """A device that was pulled out ends the call."""
        before = -1
        while card.running and card.snapshot().taken != before:
            before = card.snapshot().taken
            await asyncio.sleep(_STALLED_S)
        self.end(LineEnd.ERROR)

    # -- media, once per frame of the device

    def _frame(self) -> None:
        card, leg = self._card, self._leg
        if card is None or leg is None or self._over.done():
            return
        try:
            for frame in card.take():
                leg.push_packet(self._packet(frame))
            while (packet := leg.pull_packet()) is not None:
                self._play(card, packet)
        except MediaError:
            return  # the leg is closed, or the core is far behind

    def _packet(self, frame: bytes) -> bytes:
        samples = array("h", frame)
        if self._guard > 0 and not self._config.headset:
            self._guard -= 1
            self.muted += 1
            samples = array("h", bytes(len(frame)))
        header = _HEADER.pack(0x80, PAYLOAD_TYPE, self._seq, self._ts, self._seed & 0xFFFF_FFFF)
        self._seq = (self._seq + 1) & 0xFFFF
        self._ts = (self._ts + len(samples)) & 0xFFFF_FFFF
        return header + _swapped(samples)

    def _play(self, card: SoundCard, packet: bytes) -> None:
        """What the core says: RTP without extension or padding, as it sends it."""
        samples = array("h", packet[_HEADER.size :])
        frame = _swapped(samples)
        samples = array("h", frame)
        if max(samples, default=0) > _AUDIBLE or min(samples, default=0) < -_AUDIBLE:
            self._guard = (_TAIL_MS + card.delay_ms) // TICK_MS
        card.play(frame)


def _swapped(samples: array[int]) -> bytes:
    """Between this machine's byte order and the network's."""
    if sys.byteorder == "little":
        samples.byteswap()
    return samples.tobytes()
