"""What one leg costs in one tick of 20 ms, whole and by stage.

Legs joined in pairs over UDP on loopback, ticked back to back on virtual time. A stage is the
difference between two set-ups that are measured in turn, so that a neighbour's load meets both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from mediacore._core import Codec, Engine, Leg, Resampler, Vad, udp_open
from mediacore.app_options import BenchOptions
from mediacore.bench.baseline import BareCost, bare_pairs, bare_udp
from mediacore.bench.figures import Cpu, heap_bytes, percentile, process_cpu
from mediacore.bench.sound import FRAME, SRATE_HZ, Code, shipped_callers, without_gaps
from mediacore.media import LegConfig, RtcpMode, Tap
from mediacore.units import TICKS_PER_S

_PLAIN: Final = LegConfig(vad_threshold_q15=None)
_CALL: Final = LegConfig(taps=Tap.RX, rtcp=RtcpMode.MUX, event_payload_type=101)


@dataclass(frozen=True, slots=True)
class Setup:
    """How the legs are set up. talks: the agent speaks all the time."""

    leg: LegConfig
    talks: bool = False


SETUPS: Final = {
    "plain": Setup(_PLAIN),
    "playout": Setup(_PLAIN, talks=True),
    "vad": Setup(replace(_PLAIN, vad_threshold_q15=0), talks=True),
    "dtmf": Setup(replace(_PLAIN, detect_dtmf=True), talks=True),
    "tap_rx": Setup(replace(_PLAIN, taps=Tap.RX), talks=True),
    "tap_record": Setup(replace(_PLAIN, taps=Tap.RECORD), talks=True),
    "tap_notes": Setup(replace(_PLAIN, taps=Tap.NOTES), talks=True),
    "call": Setup(_CALL, talks=True),
}
STAGES: Final = ("vad", "dtmf", "tap_rx", "tap_record", "tap_notes")


class Rig:
    """One engine with legs in pairs."""

    def __init__(self, setup: Setup, pairs: int) -> None:
        self._talks = setup.talks
        self._engine = Engine(max_legs=2 * pairs, command_slots=16 * pairs, event_slots=64 * pairs)
        before = heap_bytes()
        self._legs = [leg for n in range(pairs) for leg in _pair(self._engine, setup.leg, 2 * n)]
        after = heap_bytes()
        self.bytes_per_leg = (
            None if before is None or after is None else (after - before) / len(self._legs)
        )
        self._speech = without_gaps(shipped_callers())
        self._second = 0
        self._now_us = 1_000_000
        for leg in self._legs:
            if self._talks:
                leg.begin(1, 1)

    def run(self, seconds: int) -> Cpu:
        """CPU of so many seconds of calls, without what is done from Python between them."""
        total = Cpu(0.0, 0.0, 0.0)
        for _ in range(seconds):
            if self._talks:
                pcm = self._next_second()
                for leg in self._legs:
                    leg.say(pcm)
            before = process_cpu()
            self._now_us = self._engine.tick_many(self._now_us, TICKS_PER_S)
            used = process_cpu().since(before)
            total = Cpu(
                total.total + used.total, total.user + used.user, total.kernel + used.kernel
            )
            for leg in self._legs:
                leg.read_tap(SRATE_HZ)
            self._engine.poll()
        return total

    def packets(self) -> int:
        """Packets received by all legs."""
        return sum(leg.stats().rx_packets for leg in self._legs)

    def talked(self) -> int:
        """Samples of agent speech that all legs put on the wire."""
        return sum(leg.stats().wire_samples for leg in self._legs)

    def close(self) -> None:
        """Free everything."""
        self._engine.close()

    def _next_second(self) -> bytes:
        seconds = len(self._speech) // (2 * SRATE_HZ)
        start = self._second % seconds * 2 * SRATE_HZ
        self._second += 1
        return self._speech[start : start + 2 * SRATE_HZ]


def _pair(engine: Engine, config: LegConfig, seed: int) -> tuple[Leg, Leg]:
    fd_a, port_a = udp_open("127.0.0.1")
    fd_b, port_b = udp_open("127.0.0.1")
    a = replace(config, fd=fd_a, remote=("127.0.0.1", port_b), seed=seed + 1)
    b = replace(config, fd=fd_b, remote=("127.0.0.1", port_a), seed=seed + 2)
    return engine.open_leg(a), engine.open_leg(b)


def run(options: BenchOptions) -> dict[str, float]:
    """Measure. See benchmarks/README.md for the figures."""
    pairs, seconds, rounds = (25, 2, 2) if options.quick else (100, 8, 5)
    options.progress(f"{2 * pairs} legs, {len(SETUPS)} set-ups, {rounds} rounds of {seconds} s")
    costs: dict[str, list[Cpu]] = {name: [] for name in SETUPS}
    bare: list[BareCost] = []
    bytes_per_leg: float | None = None
    with bare_udp() as program:
        for n in range(rounds):
            options.progress(f"round {n + 1} of {rounds}")
            if program is not None:
                bare.append(bare_pairs(program, pairs, seconds * TICKS_PER_S))
            for name, setup in SETUPS.items():
                cost, size = _measure(setup, pairs, seconds)
                costs[name].append(cost)
                if name == "call":
                    bytes_per_leg = size
    best = {name: min(of, key=lambda c: c.total) for name, of in costs.items()}
    whole = best["call"]
    figures = {
        "ns_per_frame": whole.total,
        "ns_per_frame_user": whole.user,
        "ns_per_frame_kernel": whole.kernel,
        "ns_per_frame_median": percentile([c.total for c in costs["call"]], 50),
        "plain_ns": best["plain"].total,
        "playout_ns": best["playout"].total - best["plain"].total,
    }
    for name in STAGES:
        figures[f"{name}_ns"] = best[name].total - best["playout"].total
    figures |= offline(options)
    if bytes_per_leg is not None:
        figures["bytes_per_leg"] = bytes_per_leg
    if bare:
        base = min(bare, key=lambda c: c.total)
        figures["bare_udp_ns"] = base.total
        figures["ratio_to_bare_udp"] = whole.total / base.total
    figures["legs"] = 2 * pairs
    return figures


def _measure(setup: Setup, pairs: int, seconds: int) -> tuple[Cpu, float | None]:
    """Nanoseconds per leg and tick, and heap bytes per leg."""
    rig = Rig(setup, pairs)
    try:
        rig.run(1)
        packets, talked = rig.packets(), rig.talked()
        used = rig.run(seconds)
        frames = 2 * pairs * seconds * TICKS_PER_S
        got, said = rig.packets() - packets, (rig.talked() - talked) / FRAME
        if got < 0.99 * frames or (setup.talks and said < 0.99 * frames):
            raise RuntimeError(f"not a measurement: of {frames} frames {got} came, {said} sounded")
        scale = 1e9 / frames
        return (
            Cpu(used.total * scale, used.user * scale, used.kernel * scale),
            rig.bytes_per_leg,
        )
    finally:
        rig.close()


def offline(options: BenchOptions) -> dict[str, float]:
    """The helpers by themselves, many frames in a call: nanoseconds per 20 ms frame."""
    repeat = 40 if options.quick else 400
    code = Code(25 * FRAME)
    codec = Codec("PCMU")
    up, down = Resampler(8000, 16000), Resampler(24000, 8000)
    vad = Vad(SRATE_HZ)
    at_24k = code.pcm * 3
    return {
        "g711_decode_ns": _time(lambda: codec.decode(code.wire), 25, repeat),
        "g711_encode_ns": _time(lambda: codec.encode(code.pcm), 25, repeat),
        "resample_8_16_ns": _time(lambda: up.run(code.pcm), 25, repeat),
        "resample_24_8_ns": _time(lambda: down.run(at_24k), 25, repeat),
        "vad_alone_ns": _time(lambda: vad.run(code.pcm), 25, repeat),
    }


def _time(work: Callable[[], object], frames: int, repeat: int) -> float:
    """CPU nanoseconds per frame, best of several blocks."""
    best = float("inf")
    for _ in range(15):
        start = time.thread_time_ns()
        for _ in range(repeat // 10):
            work()
        best = min(best, (time.thread_time_ns() - start) / (repeat // 10 * frames))
    return best
