"""Digits with pauses arrive in order, with their pauses."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from mediacore.events import DigitReceived
from mediacore.runtime.keys import sending_ms
from mediacore.session.digits import Digits
from support.line_sim import LineSim
from virtual import run_virtual


def received(line: LineSim) -> list[tuple[str, int]]:
    return [(e.digit, e.tick) for e in line.events if isinstance(e, DigitReceived)]


def test_digits_and_pauses() -> None:
    async def main() -> None:
        async with LineSim() as line:
            digits = Digits(line.near, line.group)
            digits.send("1w2x W#")
            digits.send("a5")
            await asyncio.sleep(5)
            got = received(line)
            assert "".join(digit for digit, _ in got) == "12#A5"
            gaps = [b[1] - a[1] for a, b in pairwise(got)]
            assert 33 <= gaps[0] <= 38  # half a second and the digit itself
            assert 58 <= gaps[1] <= 63
            assert gaps[2] < 15

    run_virtual(main())


def test_more_than_the_core_takes_at_once() -> None:
    text = "0123456789" * 8

    async def main() -> None:
        async with LineSim(command_slots=16) as line:
            digits = Digits(line.near, line.group)
            digits.send(text)
            await asyncio.sleep(sending_ms(text) / 1000 + 1)
            assert "".join(digit for digit, _ in received(line)) == text

    run_virtual(main())


def test_closing_sends_no_more() -> None:
    async def main() -> None:
        async with LineSim() as line:
            digits = Digits(line.near, line.group)
            digits.send("1WWWW2")
            digits.send("3")
            await asyncio.sleep(1)
            digits.close()
            digits.close()
            await asyncio.sleep(6)
            assert [digit for digit, _ in received(line)] == ["1"]
            digits.send("4W5")
            await asyncio.sleep(0.5)
            line.near.close()
            await asyncio.sleep(3)

    run_virtual(main())
