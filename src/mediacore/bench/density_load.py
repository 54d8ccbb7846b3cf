"""The far end of the density measurement, in a process of its own: N callers that talk.

Reads one line of JSON from stdin, `LoadOrder`, runs for its time, and writes one line: what came
in. Its CPU is not counted.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass

from mediacore._core import Engine, Leg
from mediacore.bench.sound import SRATE_HZ, shipped_callers, without_gaps
from mediacore.events import MediaEvent, PlayoutLow
from mediacore.media import LegConfig
from mediacore.session.hub import MediaHub
from mediacore.transports.rtp import RtpTransport, open_rtp

CYCLE_MS = 10_000
TALK_MS = 3_900  # of each cycle
_PIECE = SRATE_HZ // 5
_START_S = 0.5
_MIN_TALK_MS = 500


@dataclass(frozen=True, slots=True)
class LoadOrder:
    """ports: one caller for each, on loopback. seconds: how long."""

    ports: list[int]
    seconds: float


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Sums over all callers. late_ticks: of this process, so that its own faults are seen."""

    rx_packets: int
    rx_lost: int
    tx_packets: int
    talked_samples: int
    late_ticks: int


class _Caller:
    """Talks TALK_MS of each CYCLE_MS; the cycles of the callers are spread evenly."""

    def __init__(self, leg: Leg, speech: bytes, phase: int) -> None:
        self._leg = leg
        self._speech = speech
        self._at = phase * 2 * _PIECE % len(speech)
        self._left = 0
        self._utterance = 0
        self.done = False

    def talk(self, ms: int) -> None:
        if self.done:
            return
        self._utterance += 1
        self._left = ms * SRATE_HZ // 1000
        self._leg.begin(self._utterance, self._utterance)
        self.feed()

    def feed(self) -> None:
        while self._left:
            piece = self._speech[self._at : self._at + 2 * min(_PIECE, self._left)]
            taken = self._leg.say(piece)
            self._left -= taken
            self._at = (self._at + 2 * taken) % len(self._speech)
            if not self._left:
                self._leg.end()
            elif 2 * taken < len(piece):
                return

    def on_event(self, event: MediaEvent) -> None:
        if isinstance(event, PlayoutLow):
            self.feed()


async def load(order: LoadOrder) -> LoadReport:
    """Run the callers."""
    loop = asyncio.get_running_loop()
    speech = without_gaps(shipped_callers())
    n = len(order.ports)
    callers: list[_Caller] = []
    with MediaHub(Engine(max_legs=n + 1, event_slots=32768, command_slots=16384)) as hub:
        legs: list[Leg] = []
        for i, port in enumerate(order.ports):
            config = LegConfig(vad_threshold_q15=None)
            transport = RtpTransport(remote=("127.0.0.1", port), leg=config)
            leg, _ = open_rtp(hub.engine, transport, seed=10_000 + i)
            legs.append(leg)
            caller = _Caller(leg, speech, i)
            callers.append(caller)
            hub.attach(leg, caller.on_event)
            _schedule(loop, caller, i * CYCLE_MS // n)
        hub.start(realtime=True)
        await asyncio.sleep(order.seconds)
        for caller in callers:
            caller.done = True
        pacer = hub.engine.pacer_stats()
        hub.stop()
        stats = [leg.stats() for leg in legs]
    return LoadReport(
        rx_packets=sum(s.rx_packets for s in stats),
        rx_lost=sum(s.rx_lost for s in stats),
        tx_packets=sum(s.tx_packets for s in stats),
        talked_samples=sum(s.wire_samples for s in stats),
        late_ticks=pacer.late_20ms + pacer.skipped,
    )


def _schedule(loop: asyncio.AbstractEventLoop, caller: _Caller, done_ms: int) -> None:
    """Begin in the middle of a cycle of which `done_ms` are over, then go on for ever."""

    def again() -> None:
        caller.talk(TALK_MS)
        loop.call_later(CYCLE_MS / 1000, again)

    if done_ms < TALK_MS - _MIN_TALK_MS:
        loop.call_later(_START_S, caller.talk, TALK_MS - done_ms)
    loop.call_later(_START_S + (CYCLE_MS - done_ms) / 1000, again)


def main() -> None:
    """Serve one order."""
    order = LoadOrder(**json.loads(sys.stdin.readline()))
    print(json.dumps(asdict(asyncio.run(load(order)))), flush=True)


if __name__ == "__main__":
    main()
