"""One reader, several sinks, each from the moment it was added."""

from __future__ import annotations

import asyncio
from array import array

from support.line_sim import LineSim
from virtual import run_virtual


class Sink:
    def __init__(self) -> None:
        self.pairs: list[tuple[int, int]] = []

    def put(self, at: int, pcm: bytes) -> None:
        self.pairs.append((at, len(pcm) // 4))


def test_sinks_get_what_is_read_while_they_are_there() -> None:
    async def main() -> None:
        async with LineSim() as line:
            first, second = Sink(), Sink()
            line.tap.add(first)
            await asyncio.sleep(1.01)
            line.tap.take()
            line.tap.add(second)
            await asyncio.sleep(1)
            line.tap.take()
            line.tap.remove(first)
            line.tap.remove(first)
            line.tap.remove(Sink())
            await asyncio.sleep(1)
            line.tap.take()
            total = line.near.stats().ticks * 160
            for sink, begin, end in ((first, 0, None), (second, first.pairs[9][0], total)):
                at = sink.pairs[0][0]
                assert at >= begin
                for start, n in sink.pairs:
                    assert start == at
                    at += n
                assert end is None or at == end
            assert second.pairs[0][0] > 0
            assert sum(n for _, n in first.pairs) < total
            assert line.tap.srate_hz == 8000

    run_virtual(main())


def test_while_it_is_muted_everybody_gets_silence() -> None:
    class Loud:
        def __init__(self) -> None:
            self.heard: list[bool] = []

        def put(self, at: int, pcm: bytes) -> None:
            self.heard.append(any(pcm))

    async def main() -> None:
        async with LineSim() as line:
            sink = Loud()
            line.tap.add(sink)
            line.near.begin(1, 1)
            line.near.say(array("h", [6000, 6000, -6000, -6000] * 3000).tobytes())
            line.near.end()
            await asyncio.sleep(0.4)
            line.tap.mute(on=True)
            before, sink.heard = sink.heard, []
            await asyncio.sleep(0.4)
            line.tap.mute(on=False)
            muted, sink.heard = sink.heard, []
            await asyncio.sleep(0.5)
            line.tap.take()
            assert any(before) and any(sink.heard)
            assert muted and not any(muted)

    run_virtual(main())
