"""Interruptions while Python holds the GIL: the core must act, and keep its pace, alone."""

from __future__ import annotations

import ctypes
import json
import math
import os
import sys
import time
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Final

from mediacore._core import Codec, Engine, udp_open
from mediacore.bench.children import child, line, tell
from mediacore.bench.far_end import FarOrder, FarReport
from mediacore.bench.rtp import Packet, track
from mediacore.bench.sound import (
    FRAME,
    NOISE_SHARE,
    SILENT_CODE,
    SRATE_HZ,
    Code,
    Recording,
    add,
    audible,
    noise,
    speech_level,
)
from mediacore.call.settings import INTERRUPTIBLE
from mediacore.events import LegOpened, MediaEvent, PlayoutStarted, SpeechStarted
from mediacore.media import BargeAction, BargeIn, LegConfig

BLOCK_S: Final = 1.0
_PRE_ROLL_S: Final = 1.2
_BEFORE_ONSET_S: Final = 0.2  # Python is blocked from here on
_TAIL_S: Final = 1.2
_MIN_SPEECH: Final = SRATE_HZ
_LATE_US: Final = 20_000
_TICK_MS: Final = 20
_CODE: Final = Code(8 * SRATE_HZ)


def measure_blocked(recordings: list[Recording], count: int) -> dict[str, float]:
    """So many interruptions, pause and cut in turn, each of another recording."""
    rng = Random(11)
    long = [r for r in recordings if r.end - r.onset >= _MIN_SPEECH]
    decisions: list[float] = []
    onsets: list[float] = []
    late = missed = 0
    longest_block_s = 0.0
    for n in range(count):
        policy = BargeIn(action=BargeAction.CUT) if n % 2 else INTERRUPTIBLE
        result = _interrupt(long[n % len(long)], policy, rng)
        late += result.late_frames
        longest_block_s = max(longest_block_s, result.blocked_s)
        if result.decision_ms is None or result.onset_ms is None:
            missed += 1
            continue
        decisions.append(result.decision_ms)
        onsets.append(result.onset_ms)
    return {
        "blocked_python_decision_to_last_sample_max_ms": max(decisions, default=math.nan),
        "blocked_python_onset_to_silence_max_ms": max(onsets, default=math.nan),
        "blocked_python_late_frames": late,
        "blocked_python_interruptions": count,
        "blocked_python_missed": missed,
        "blocked_python_s": longest_block_s,
    }


@dataclass(frozen=True, slots=True)
class _Result:
    """One interruption; the times are None when the agent was not stopped."""

    late_frames: int
    blocked_s: float
    decision_ms: float | None = None
    onset_ms: float | None = None


def _interrupt(rec: Recording, policy: BargeIn, rng: Random) -> _Result:
    pre_roll = round(_PRE_ROLL_S * SRATE_HZ)
    wire = _caller(rec, pre_roll, rng)
    fd, port = udp_open("127.0.0.1")
    far_fd, far_port = udp_open("127.0.0.1")
    os.close(far_fd)  # the number is for the far end
    seed = rng.randrange(1, 1 << 30)
    remote = ("127.0.0.1", far_port)
    with Engine() as engine, child([sys.executable, "-m", "mediacore.bench.far_end"]) as far:
        leg = engine.open_leg(LegConfig(seed=seed, fd=fd, remote=remote, speech_ms=20_000))
        leg.arm(policy)
        tell(far, asdict(FarOrder(port, far_port, wire.hex())))
        first_s = float(line(far))
        engine.start(realtime=True)
        leg.begin(1, 1)
        leg.say(_CODE.pcm)
        leg.end()
        onset_s = first_s + (pre_roll + rec.onset) / SRATE_HZ - _TICK_MS / 1000
        time.sleep(max(onset_s - _BEFORE_ONSET_S - time.monotonic(), 0))
        blocked_s = _hold_the_gil()
        report = FarReport(**json.loads(line(far)))
        pacer = engine.pacer_stats()
        engine.stop()
        events = engine.poll()
    late = max(_late(report), pacer.late_20ms + pacer.skipped)
    return _judge(report, events, onset_s, _Result(late, blocked_s))


def _judge(report: FarReport, events: list[MediaEvent], onset_s: float, result: _Result) -> _Result:
    packets = [Packet(0, 0, ts, bytes.fromhex(data)) for _, ts, data in report.packets]
    sent = audible(bytes(track(packets, 0, SILENT_CODE)))
    start = sent.find(1)
    if start != next(e.at for e in events if isinstance(e, PlayoutStarted)):
        raise RuntimeError("not a measurement: the capture does not begin with the leg")
    silence = sent.find(0, start)
    started = next((e for e in events if isinstance(e, SpeechStarted)), None)
    if silence < 0 or started is None:
        return result
    opened = next(e for e in events if isinstance(e, LegOpened))
    last_us, last_ts, _ = report.packets[0]
    for arrival_us, ts, _ in report.packets:
        if ts - report.packets[0][1] & 0xFFFFFFFF <= silence - 1:
            last_us, last_ts = arrival_us, ts
    in_packet = silence - (last_ts - report.packets[0][1] & 0xFFFFFFFF)
    silence_s = last_us / 1e6 + in_packet / SRATE_HZ
    return replace(
        result,
        decision_ms=silence * 1000 / SRATE_HZ - (started.tick - opened.tick) * _TICK_MS,
        onset_ms=(silence_s - onset_s) * 1000,
    )


def _caller(rec: Recording, pre_roll: int, rng: Random) -> bytes:
    samples = round((_PRE_ROLL_S + BLOCK_S + _TAIL_S) * SRATE_HZ) // FRAME * FRAME
    clean = (bytes(2 * pre_roll) + rec.pcm)[: 2 * samples].ljust(2 * samples, b"\0")
    pcm = add(clean, noise(rng, samples, NOISE_SHARE * speech_level(rec)))
    codec = Codec("PCMU")
    return b"".join(codec.encode(pcm[i : i + 8000]) for i in range(0, len(pcm), 8000))


def _hold_the_gil() -> float:
    """Block every Python thread of the process. Returns for how long, in seconds."""
    start = time.monotonic()
    ctypes.PyDLL(None).usleep(round(BLOCK_S * 1e6))
    return time.monotonic() - start


def _late(report: FarReport) -> int:
    """Packets that came more than 20 ms later than the stream's own pace, by kernel arrival."""
    if not report.packets:
        return 0
    first_ts = report.packets[0][1]
    delays = [
        arrival - (ts - first_ts & 0xFFFFFFFF) * 1_000_000 // SRATE_HZ
        for arrival, ts, _ in report.packets
    ]
    return sum(delay - min(delays) > _LATE_US for delay in delays)
