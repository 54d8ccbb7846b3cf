"""What holds for any network and any order of commands, on the real core in virtual time."""

from __future__ import annotations

import itertools
import struct
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediacore._core import Codec, Engine, Leg
from mediacore.errors import QueueFullError
from mediacore.events import (
    MarkReached,
    MediaEvent,
    PlayoutCut,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    UtteranceFinished,
    UtteranceRefused,
)
from mediacore.media import BargeAction, BargeIn, LegConfig, Tap

FRAME = 160
TICK_US = 20_000
FADE = 40  # samples of 5 ms at 8 kHz
TONE = array("h", [20_000]) * 16_000  # never 0 in µ-law, faded or ducked or both
SETTINGS = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def rtp(seq: int, ts: int, payload: bytes, pt: int = 0, marker: bool = False) -> bytes:
    first = pt | (0x80 if marker else 0)
    return struct.pack("!BBHII", 0x80, first, seq & 0xFFFF, ts & 0xFFFFFFFF, 7) + payload


@dataclass
class Bench:
    """A leg on a memory link. Ticks it, keeps events and what it sent."""

    engine: Engine
    leg: Leg
    now_us: int = 0
    events: list[MediaEvent] = field(default_factory=list)
    sent: array[int] = field(default_factory=lambda: array("h"))
    stamps: list[tuple[int, int]] = field(default_factory=list)

    def tick(self, n: int = 1) -> None:
        codec = Codec("PCMU")
        for _ in range(n):
            self.engine.tick(self.now_us)
            self.now_us += TICK_US
            self.events += self.engine.poll()
            while (packet := self.leg.pull_packet()) is not None:
                _, _, seq, ts, _ = struct.unpack("!BBHII", packet[:12])
                self.stamps.append((seq, ts))
                self.sent.frombytes(codec.decode(packet[12:]))


@contextmanager
def bench(**config: object) -> Iterator[Bench]:
    leg = LegConfig(**({"vad_threshold_q15": None, "taps": Tap.RX} | config))  # type: ignore[arg-type]
    with Engine(max_legs=2, event_slots=4096) as engine:
        yield Bench(engine, engine.open_leg(leg))


# ------------------------------------------------------------------------------ receiving


@SETTINGS
@given(
    first=st.one_of(st.integers(0, 0xFFFF), st.integers(65_500, 65_535)),
    ts=st.one_of(st.integers(0, 2**32 - 1), st.integers(2**32 - 4000, 2**32 - 1)),
)
def test_wrapping_numbers_are_not_noticed(first: int, ts: int) -> None:
    with bench() as far:
        silence = bytes([0xFF]) * FRAME
        for n in range(120):
            far.leg.push_packet(rtp(first + n, ts + n * FRAME, silence))
            far.tick()
        stats = far.leg.stats()
    assert stats.rx_packets == 120
    assert (stats.rx_lost, stats.rx_late, stats.rx_restarts, stats.rx_concealed_samples) == (
        0,
        0,
        0,
        0,
    )


@SETTINGS
@given(seed=st.integers(0, 10**9), first=st.integers(0, 0xFFFF))
def test_numbers_sent_go_up_by_one(seed: int, first: int) -> None:
    with bench(seed=seed) as near:
        near.leg.begin(1, 1)
        near.leg.say(TONE)
        near.leg.end()
        near.tick(60)
        stamps = near.stamps
    for (seq, ts), (next_seq, next_ts) in itertools.pairwise(stamps):
        assert next_seq == (seq + 1) & 0xFFFF
        assert next_ts == (ts + FRAME) & 0xFFFFFFFF


@dataclass(frozen=True)
class Network:
    loss: float
    duplicate: float
    jitter_ticks: int
    burst: int
    seed: int


networks = st.builds(
    Network,
    loss=st.sampled_from([0.0, 0.02, 0.2, 0.5, 0.95]),
    duplicate=st.sampled_from([0.0, 0.1, 0.9]),
    jitter_ticks=st.integers(0, 12),
    burst=st.integers(1, 12),
    seed=st.integers(0, 2**31),
)


@SETTINGS
@given(network=networks, first=st.integers(0, 0xFFFF), ts=st.integers(0, 2**32 - 1))
def test_any_network_gives_every_frame_once(network: Network, first: int, ts: int) -> None:
    """Loss, duplicates, reordering, bursts: each tick still plays exactly one frame."""
    rng = Random(network.seed)
    ticks = 150
    queue: list[tuple[int, bytes]] = []
    for n in range(ticks):
        for _ in range(1 + (rng.random() < network.duplicate)):
            if rng.random() >= network.loss:
                due = n + rng.randint(0, network.jitter_ticks)
                due += -due % network.burst
                queue.append((due, rtp(first + n, ts + n * FRAME, bytes([0x80 | n % 100]) * FRAME)))
    queue.sort(key=lambda item: item[0])
    with bench(tap_ms=10_000) as far:
        refused = 0
        positions = []
        for n in range(ticks + 20):
            while queue and queue[0][0] <= n:
                try:
                    far.leg.push_packet(queue.pop(0)[1])
                except QueueFullError:
                    refused += 1
            far.tick()
            at, pcm = far.leg.read_tap(FRAME * 50)
            positions.append((at, len(pcm) // 2))
        stats = far.leg.stats()
    assert stats.ticks == ticks + 20
    for n, (at, count) in enumerate(positions):
        assert (at, count) == (n * FRAME, FRAME)
    assert stats.rx_concealed_samples <= stats.ticks * FRAME
    assert stats.rx_malformed == 0
    assert stats.rx_late + stats.rx_duplicate + stats.rx_overflow <= stats.rx_packets


@SETTINGS
@given(packets=st.lists(st.binary(max_size=200), max_size=60), seed=st.integers(0, 999))
def test_garbage_is_counted_and_dropped(packets: list[bytes], seed: int) -> None:
    with bench(event_payload_type=101, tap_ms=10_000) as far:
        for packet in packets:
            far.leg.push_packet(packet)
            far.tick()
        far.tick(10)
        stats = far.leg.stats()
        at, pcm = far.leg.read_tap(80_000)
    assert (at, len(pcm)) == (0, 2 * stats.ticks * FRAME)
    assert stats.rx_malformed + stats.rx_wrong_pt <= stats.rx_packets + len(packets)


# -------------------------------------------------------------------------------- speaking

Step = tuple[str, int]
_WHOLE: list[st.SearchStrategy[Step]] = [
    st.tuples(st.just("tick"), st.integers(1, 6)),
    st.tuples(st.just("tick"), st.integers(1, 6)),
    st.tuples(st.just("say"), st.integers(1, 4000)),
    st.tuples(st.just("say"), st.integers(2000, 4000)),
    st.tuples(st.just("pause"), st.just(0)),
    st.tuples(st.just("resume"), st.integers(0, 1)),
    st.tuples(st.just("cut"), st.just(0)),
    st.tuples(st.just("duck"), st.sampled_from([0, 6, 12])),
    st.tuples(st.just("refused"), st.integers(1, 2000)),
    st.tuples(st.just("mark"), st.integers(0, 4000)),
]
_PIECES: list[st.SearchStrategy[Step]] = [
    st.tuples(st.just("open"), st.integers(1, 2000)),
    st.tuples(st.just("more"), st.integers(1, 2000)),
    st.tuples(st.just("end"), st.just(0)),
]
whole_scripts = st.lists(st.one_of(_WHOLE), min_size=10, max_size=80)
any_scripts = st.lists(st.one_of(_WHOLE + _PIECES), min_size=10, max_size=80)


class Speaker:
    """Carries out steps as a controller does, which learns of a cut after the tick."""

    def __init__(self, at: Bench) -> None:
        self.bench = at
        self.generation = 1
        self.utterance = 0
        self.given: dict[int, int] = {}
        self.stale: set[int] = set()
        self.saying = False
        self.marks = 0

    def run(self, script: list[Step]) -> Speaker:
        for name, value in script:
            getattr(self, name)(value)
        self.end(0)
        self.tick(1)
        self.resume(0)
        self.tick(150)
        return self

    def tick(self, n: int) -> None:
        seen = len(self.bench.events)
        self.bench.tick(n)
        for event in self.bench.events[seen:]:
            if isinstance(event, PlayoutCut):
                self.generation = max(self.generation, event.next_generation)

    def begin(self, generation: int) -> bool:
        self.end(0)
        try:
            self.bench.leg.begin(self.utterance + 1, generation)
        except QueueFullError:
            return False
        self.utterance += 1
        self.given[self.utterance] = 0
        self.saying = True
        self.marks = 0
        return True

    def open(self, samples: int) -> None:
        if self.begin(self.generation):
            self.more(samples)

    def say(self, samples: int) -> None:
        self.open(samples)
        self.end(0)

    def refused(self, samples: int) -> None:
        """Speech for the generation before, which the leg has left."""
        self.say(1)
        self.tick(1)
        if self.begin(self.generation - 1):
            self.stale.add(self.utterance)
            self.more(samples)
            self.end(0)

    def more(self, samples: int) -> None:
        if self.saying:
            self.given[self.utterance] += self.bench.leg.say(TONE[:samples])

    def end(self, _: int) -> None:
        if self.saying:
            self.bench.leg.end()
            self.saying = False

    def pause(self, _: int) -> None:
        self.bench.leg.pause()

    def resume(self, from_mark: int) -> None:
        self.bench.leg.resume(bool(from_mark))

    def cut(self, _: int) -> None:
        self.bench.leg.cut(self.generation)

    def duck(self, db: int) -> None:
        self.bench.leg.duck(db)

    def mark(self, position: int) -> None:
        if self.saying:
            self.marks += 1
            self.bench.leg.mark(self.marks, position)


def allowed(events: list[MediaEvent], end: int) -> list[tuple[int, int]]:
    """Stretches of the transmit clock in which the agent may be audible."""
    stretches, opened = [], None
    for event in events:
        if isinstance(event, PlayoutStarted | PlayoutResumed):
            opened = event.at if opened is None else opened
        elif isinstance(event, UtteranceFinished | PlayoutCut | PlayoutPaused):
            if opened is not None:
                stretches.append((opened, event.at))
            opened = None
    if opened is not None:
        stretches.append((opened, end))
    return stretches


def check(at: Bench, speaker: Speaker) -> None:
    stats = at.leg.stats()
    started: dict[int, int] = {}
    ended: dict[int, UtteranceFinished | PlayoutCut] = {}
    refused = set()
    for event in at.events:
        if isinstance(event, PlayoutStarted):
            assert event.utterance not in started
            started[event.utterance] = event.at
        elif isinstance(event, UtteranceRefused):
            refused.add(event.utterance)
        elif isinstance(event, UtteranceFinished | PlayoutCut) and event.utterance:
            assert event.utterance not in ended
            ended[event.utterance] = event
        elif isinstance(event, MarkReached):
            assert event.utterance not in ended or isinstance(ended[event.utterance], PlayoutCut)
    # Utterances begin in order, and each has one end: played, cut or refused.
    assert list(started) == sorted(started)
    assert set(ended) | refused == set(speaker.given)
    assert speaker.stale <= refused
    assert not set(ended) & speaker.stale
    # heard <= played <= queued, one by one and in all.
    for utterance, event in ended.items():
        assert event.position <= speaker.given[utterance]
        assert event.wire_samples >= event.position
        if isinstance(event, UtteranceFinished):
            assert event.position == speaker.given[utterance]
    assert stats.queued_samples == sum(speaker.given.values())
    assert stats.played_samples == sum(e.position for e in ended.values())
    assert stats.wire_samples == sum(e.wire_samples for e in ended.values())
    assert stats.played_samples + stats.flushed_samples == stats.queued_samples
    # Nothing agent-made outside of where something plays.
    rest = 0
    for start, end in allowed(at.events, len(at.sent)):
        assert not any(at.sent[rest:start])
        rest = end
    assert not any(at.sent[rest:])


@SETTINGS
@given(script=whole_scripts)
def test_the_ledger_is_the_wire(script: list[Step]) -> None:
    """Every sample that the ledger counts is in an RTP packet, and no other one is."""
    with bench() as at:
        check(at, Speaker(at).run(script))
        audible = sum(1 for sample in at.sent if sample)
        assert audible == at.leg.stats().wire_samples


@SETTINGS
@given(script=any_scripts)
def test_speech_in_pieces(script: list[Step]) -> None:
    """Also when it runs dry: the same, but for the ends that two fades at once make silent."""
    with bench() as at:
        check(at, Speaker(at).run(script))
        stats = at.leg.stats()
        audible = sum(1 for sample in at.sent if sample)
        fades = stats.underruns + stats.pauses + stats.resumes + stats.cuts
        assert stats.wire_samples - FADE * fades <= audible <= stats.wire_samples


@SETTINGS
@given(at_tick=st.integers(0, 40), samples=st.integers(1, 8000), extra=st.integers(0, 4000))
def test_a_cut_is_silent_after_five_milliseconds(at_tick: int, samples: int, extra: int) -> None:
    with bench() as near:
        speaker = Speaker(near)
        speaker.say(samples)
        near.tick(at_tick)
        before = len(near.sent)
        near.leg.cut(1)
        speaker.say(extra + 1)  # made before the cut was known: stale
        near.tick(60)
        assert not any(near.sent[before + FADE :])
        assert sum(1 for s in near.sent if s) == near.leg.stats().wire_samples


@SETTINGS
@given(pauses=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6))
def test_a_resumed_pause_loses_no_sample(pauses: list[tuple[int, int]]) -> None:
    with bench() as near:
        speaker = Speaker(near)
        speaker.say(8000)
        near.tick(2)
        for play, rest in pauses:
            near.leg.pause()
            near.tick(rest)
            near.leg.resume()
            near.tick(play)
        near.tick(60)
        stats = near.leg.stats()
        (finished,) = (e for e in near.events if isinstance(e, UtteranceFinished))
    assert finished.position == stats.played_samples == 8000
    assert stats.wire_samples <= 8000 + FADE * stats.pauses
    assert stats.pauses == stats.resumes


@SETTINGS
@given(
    onset=st.integers(0, 60),
    action=st.sampled_from([BargeAction.PAUSE, BargeAction.CUT]),
    protect_ms=st.sampled_from([0, 200, 500]),
    hz=st.integers(90, 250),
)
def test_an_armed_policy_acts_without_the_controller(
    onset: int, action: BargeAction, protect_ms: int, hz: int
) -> None:
    """The agent falls silent in the tick in which speech is certain, and says where it was."""
    codec = Codec("PCMU")
    with bench(vad_threshold_q15=0) as near:
        near.leg.arm(BargeIn(action=action, protect_ms=protect_ms))
        Speaker(near).say(11_000)
        for n in range(onset + 40):
            level = 6000 if n >= onset else 0
            period = 8000 // hz
            voice = array(
                "h",
                (level * (period - 2 * ((n * FRAME + i) % period)) // period for i in range(FRAME)),
            )
            near.leg.push_packet(rtp(n, n * FRAME, codec.encode(voice)))
            near.tick()
        stops = [e for e in near.events if isinstance(e, PlayoutPaused | PlayoutCut)]
        for stop in stops:
            assert stop.position * 1000 >= protect_ms * 8000
            silence = near.sent[stop.at : stop.at + 20 * FRAME]
            if onset + 10 < 60 and not any(isinstance(e, PlayoutResumed) for e in near.events):
                assert not any(silence)
