"""One reader, several sinks, each from the moment it was added."""

from __future__ import annotations

import asyncio

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
