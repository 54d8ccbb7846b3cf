"""Whole calls in virtual time: the real owner, the real core, scripted providers and caller.

One engine is ticked every 20 ms of the loop's clock by `Stage`; two of its legs are joined by a
lossy link in memory. What the agent sends is kept packet by packet, so that tests can compare the
wire with what the call says about it.
"""

from __future__ import annotations

import asyncio
import contextlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from mediacore import _core
from mediacore._core import Codec, Engine, Leg
from mediacore.call import CallSettings
from mediacore.call.record import CallRecord, TransportFacts, Turn
from mediacore.errors import StaleError
from mediacore.evals.caller import Line, ScriptedCaller, caller_leg
from mediacore.media import LegConfig, Tap
from mediacore.providers.scripted import voiced_audio
from mediacore.session.hub import MediaHub
from mediacore.session.owner import CallOptions, CallOwner
from mediacore.session.parts import CallParts, Tool
from mediacore.session.recorder import StereoSink
from mediacore.slots.driver import LlmDriver, SttDriver, TtsDriver
from mediacore.slots.policy import LlmPolicy, SttPolicy, TtsPolicy
from mediacore.transports.files import AudioFile
from mediacore.transports.loopback import Impairment, Link
from virtual import VirtualLoop, now_us

TICK_S = 0.02
FRAME = 160
AGENT_LEG = LegConfig(taps=Tap.RX | Tap.NOTES, seed=1, tap_ms=1500)
CALLER_LEG = caller_leg(LegConfig(seed=2))
FACTS = TransportFacts("loopback", "PCMU")
QUIET = 60  # µ-law noise of silence stays below this magnitude
GREETING = "Hello, how can I help?"


def speech(text: str, ms_per_char: int = 60) -> AudioFile:
    """A caller's line: as long as the text, voiced like it."""
    return AudioFile(voiced_audio(text, 8000, ms_per_char), 8000)


def say(text: str, after_s: float | None = None, wait_s: float = 15.0) -> Line:
    """A line of the caller; after_s: so long after the agent began to speak."""
    return Line(speech(text), after_s, wait_s)


class Tapped:
    """A leg whose sent packets are kept."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self.packets: list[tuple[int, bytes]] = []  # (sample of the leg's clock, packet)

    def pull_packet(self) -> bytes | None:
        """The next packet."""
        packet = self._leg.pull_packet()
        if packet is not None:
            self.packets.append((self._leg.stats().ticks, packet))
        return packet


@dataclass
class Stage:
    """One call. Enter, `run`, leave; leaving checks that nothing is left."""

    stt: Sequence[Any]
    llm: Sequence[Any]
    tts: Sequence[Any]
    lines: Sequence[Line] = ()
    settings: CallSettings = field(default_factory=lambda: CallSettings(greeting=GREETING))
    tools: Mapping[str, Tool] = field(default_factory=dict)
    leg: LegConfig = AGENT_LEG
    caller: LegConfig = CALLER_LEG
    to_caller: Impairment = field(default_factory=Impairment)
    to_agent: Impairment = field(default_factory=Impairment)
    event_slots: int = 1024
    command_slots: int = 0
    audio: StereoSink | None = None
    stt_policy: SttPolicy = field(default_factory=SttPolicy)
    llm_policy: LlmPolicy = field(default_factory=LlmPolicy)
    tts_policy: TtsPolicy = field(default_factory=TtsPolicy)
    on_tick: Callable[[Stage, int], None] = lambda stage, tick: None
    seed: int = 1

    async def __aenter__(self) -> Stage:
        self._live = _core.live_objects()
        self.hub = MediaHub(self._engine())
        self.agent = self.hub.engine.open_leg(self.leg)
        self.far = self.hub.engine.open_leg(self.caller)
        self.wire = Tapped(self.agent)
        rng = Random(self.seed)
        self.links = (
            Link(self.wire, self.far, rng, self.to_caller),  # type: ignore[arg-type]
            Link(self.far, self.agent, rng, self.to_agent),
        )
        self.tick = 0
        parts = CallParts(
            SttDriver(self.stt, now_us, self.stt_policy),
            LlmDriver(self.llm, now_us, self.llm_policy),
            TtsDriver(self.tts, now_us, self.tts_policy),
            settings=self.settings,
            tools=self.tools,
        )
        self.owner = CallOwner(
            self.hub,
            self.agent,
            parts,
            CallOptions("call-1", datetime(2026, 1, 1, tzinfo=UTC), FACTS, self.audio),
            now_us,
        )
        self.caller_side = ScriptedCaller(self.hub, self.far, self.lines)
        return self

    def _engine(self) -> Engine:
        return Engine(
            max_legs=4,
            max_bridges=1,
            event_slots=self.event_slots,
            command_slots=self.command_slots,
        )

    async def __aexit__(self, *exc_info: object) -> None:
        if not self.far.closed:
            self.far.close()
        if not self.agent.closed:
            self.agent.close()
        self.step()
        self.step()
        self.far.free()
        self.agent.free()
        legs = self.hub.engine.stats().legs_open
        self.hub.engine.close()
        if exc_info[0] is None:
            assert legs == 0
            assert _core.live_objects() == self._live

    def step(self) -> None:
        """One tick of the media plane, without the event loop."""
        self.tick += 1
        at_us = self.tick * 20_000
        self.hub.engine.tick(at_us)
        with contextlib.suppress(StaleError):
            for link in self.links:
                link.move(at_us)

    async def _drive(self) -> None:
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        begin_tick = self.tick
        while True:
            due_s = begin_s + (self.tick - begin_tick) * TICK_S
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            self.on_tick(self, self.tick)
            self.step()
            self.hub.pump()

    async def run(self, limit_s: float = 120.0) -> CallRecord:
        """The call from its beginning to its end."""
        drive = asyncio.create_task(self._drive())
        caller = asyncio.create_task(self.caller_side.run())
        try:
            async with asyncio.timeout(limit_s):
                self.record = await self.owner.run()
        finally:
            caller.cancel()
            await asyncio.gather(caller, return_exceptions=True)
            drive.cancel()
            await asyncio.gather(drive, return_exceptions=True)
        return self.record

    def stall(self, s: float) -> None:
        """The event loop does nothing for so long while the media goes on."""
        for _ in range(round(s / TICK_S)):
            self.step()

    def sent(self) -> array[int]:
        """What the agent sent, one frame per packet, decoded."""
        codec = Codec("PCMU")
        pcm = array("h")
        for _, packet in self.wire.packets:
            if packet[1] & 0x7F == 0:
                pcm.frombytes(codec.decode(packet[12:]))
        return pcm

    def loudness(self) -> list[int]:
        """Peak of what the agent sent, per tick of its leg; 0 without a packet."""
        codec = Codec("PCMU")
        peaks: dict[int, int] = {}
        for tick, packet in self.wire.packets:
            if packet[1] & 0x7F == 0:
                pcm = array("h", codec.decode(packet[12:]))
                peaks[tick] = max(max(pcm), -min(pcm))
        return [peaks.get(tick, 0) for tick in range(1, max(peaks, default=0) + 1)]

    def silence_ms(self) -> int:
        """The longest stretch without the agent's or the caller's voice."""
        caller = set()
        for band in self.record.speech:
            caller.update(range(band.start // FRAME, band.end // FRAME + 1))
        longest = run = 0
        for tick, peak in enumerate(self.loudness()):
            run = 0 if peak > QUIET or tick in caller else run + 1
            longest = max(longest, run)
        return longest * 20


def play(stage: Stage, limit_s: float = 120.0) -> Stage:
    """Run the stage's call on a fresh virtual loop; no task may be left. Gives the stage back."""

    async def main() -> None:
        async with stage:
            await stage.run(limit_s)

    run_on(VirtualLoop, main())
    return stage


def run_on(loop_factory: Callable[[], VirtualLoop], main: Any) -> Any:
    """As virtual.run_virtual, on a loop of one's own."""

    async def watched() -> Any:
        result = await main
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"
        return result

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(watched())


def agent_turns(record: CallRecord) -> list[Turn]:
    return [turn for turn in record.turns if turn.speaker.value == "agent"]


def assert_ledger(stage: Stage) -> None:
    """What the record says was played is what went over the wire."""
    media = stage.record.media
    utterances = [u for turn in stage.record.turns for u in turn.utterances]
    assert sum(u.wire_samples for u in utterances) == media["wire_samples"]
    assert sum(u.played_samples for u in utterances) == media["played_samples"]
    assert media["played_samples"] <= media["queued_samples"]
    for u in utterances:
        assert u.heard_chars <= len(u.text)
        assert u.played_samples <= u.queued_samples or u.queued_samples == 0
