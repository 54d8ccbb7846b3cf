"""Placing a call: where to call from, and what is told of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mediacore import _core
from mediacore.app_call import PlacedCall
from mediacore.app_dial import Destination, ToldLine, open_line
from mediacore.call.record import TransportFacts
from mediacore.errors import ConfigError
from mediacore.media import LegConfig
from mediacore.slots.gateway import LineEnd, LineFailedError, Party


class FakeLine:
    party = Party("sip", "outbound", "", "sip:a@b")
    transport = TransportFacts("sip", "PCMU", local="here", remote="there")

    def __init__(self, fails: LineEnd | None = None) -> None:
        self.fails = fails

    async def connect(self, on_ringing: Any) -> Any:
        on_ringing()
        if self.fails is not None:
            raise LineFailedError(self.fails, "486 Busy Here")
        return "leg"

    async def hangup(self, reason: LineEnd) -> None:
        pass

    async def wait_gone(self) -> LineEnd:
        return LineEnd.HANGUP

    def far_delay_ms(self) -> int | None:
        return 3


def test_what_is_told() -> None:
    told: list[str] = []
    line = ToldLine(FakeLine(), told.append)
    assert asyncio.run(line.connect(lambda: None)) == "leg"
    assert asyncio.run(line.wait_gone()) is LineEnd.HANGUP
    asyncio.run(line.hangup(LineEnd.CANCEL))
    assert told == [
        *("calling sip:a@b", "ringing", "answered: PCMU, here to there", "over: hangup")
    ]
    assert (line.answered, line.end, line.far_delay_ms()) == (True, LineEnd.HANGUP, 3)


def test_a_failure_is_told_with_its_reason() -> None:
    told: list[str] = []
    line = ToldLine(FakeLine(LineEnd.BUSY), told.append)
    with pytest.raises(LineFailedError):
        asyncio.run(line.connect(lambda: None))
    assert told[-1] == "over: busy: 486 Busy Here"
    assert (line.answered, line.end) == (False, LineEnd.BUSY)
    assert line.over.is_set()


@pytest.mark.parametrize(
    ("target", "kind", "number"),
    [
        ("sip:bob@127.0.0.1:5060", "sip", "sip:bob@127.0.0.1:5060"),
        ("SIPS:bob@example.org", "sip", "SIPS:bob@example.org"),
        ("+1 (555) 0100", "phone", "+15550100"),
        ("tel:+1-555-0100", "phone", "+15550100"),
    ],
)
def test_addresses_and_numbers(target: str, kind: str, number: str) -> None:
    destination = Destination(target, codecs=("PCMA",), ring_s=2).dial_out()
    assert (destination.kind, destination.to_number) == (kind, number)
    assert (destination.codecs, destination.timeout_ms) == (("PCMA",), 2000)


def test_neither() -> None:
    with pytest.raises(ConfigError, match="neither"):
        Destination("bob").dial_out()


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("+15550100", "sip.trunk"),
        ("sip:", "sip:"),
        ("sip:a@no-such-host.invalid", "cannot find"),
    ],
)
def test_what_cannot_be_called(target: str, told: str) -> None:
    async def scene() -> None:
        with _core.Engine(max_legs=1) as engine:
            async with open_line(Destination(target), engine, LegConfig(), lambda line: None):
                pass

    with pytest.raises(ConfigError, match=told):
        asyncio.run(scene())


def test_a_file_without_sip(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text("[service]\n")

    async def scene() -> None:
        to = Destination("+15550100", tmp_path / "m.toml")
        with _core.Engine(max_legs=1) as engine:
            async with open_line(to, engine, LegConfig(), lambda line: None):
                pass

    with pytest.raises(ConfigError, match=r"no \[sip\]"):
        asyncio.run(scene())


def test_one_thing_talks() -> None:
    to = Destination("sip:a@b")
    with pytest.raises(ConfigError, match="exclude"):
        PlacedCall(to, Path("x"), wavs=(Path("a.wav"),), document="d")
