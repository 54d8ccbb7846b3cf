"""The gateways of a process: opened together, drained, closed, and where it dials."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from pathlib import Path
from typing import Any

import pytest

from mediacore import _core
from mediacore.errors import ConfigError
from mediacore.media import LegConfig
from mediacore.serving.config import read_config
from mediacore.serving.gateways import GatewayHouse, Media, number_tag, open_house, switchboard
from mediacore.serving.notify import notify
from mediacore.serving.ways import Gateways
from mediacore.slots.gateway import DialOut, FarLine, LineEnd, LineFailedError

CONFIG = """
[[sip.binds]]
transport = "UDP"
port = 0
[streams]
port = 0
[[streams.endpoint]]
dialect = "chan_websocket"
[audiosocket]
port = 0
[rtp]
ports = [0, 0]
"""


def gateways(tmp_path: Path, text: str) -> Gateways:
    path = tmp_path / "m.toml"
    path.write_text(text)
    return read_config(path, {}).gateways


def house(config: Gateways, engine: _core.Engine, lines: list[FarLine]) -> GatewayHouse:
    return open_house(config, Media(engine, LegConfig(), lines.append))


def test_everything_opens_and_closes(tmp_path: Path) -> None:
    config = gateways(tmp_path, CONFIG)

    async def scene() -> None:
        with _core.Engine(max_legs=4) as engine:
            async with house(config, engine, []) as opened:
                told = opened.announcement()
                assert [line.partition(":")[0] for line in told] == [
                    *("sip", "streams", "audiosocket", "rtp", "rtp")
                ]
                assert all("127.0.0.1:" in line for line in told)
                assert set(opened.snapshot()) == {"sip", "streams", "audiosocket", "rtp"}
                assert opened.dialer is not None
                opened.drain()

    asyncio.run(scene())


def test_one_that_cannot_be_opened_closes_the_others(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = gateways(tmp_path, f"[rtp]\nports = [0]\n[audiosocket]\nport = {port}\n")

        async def scene() -> None:
            with (
                _core.Engine(max_legs=4) as engine,
                pytest.raises(ConfigError, match=str(port)),
            ):
                await house(config, engine, []).__aenter__()

        asyncio.run(scene())


def test_without_gateways_nothing_is_opened() -> None:
    async def scene() -> None:
        with _core.Engine(max_legs=1) as engine:
            async with house(Gateways(), engine, []) as opened:
                assert opened.announcement() == []
                assert opened.dialer is None
                opened.drain()

    asyncio.run(scene())


class Dialled:
    """A gateway that only notes what it is asked."""

    def __init__(self) -> None:
        self.numbers: list[str] = []

    def dial(self, destination: DialOut) -> Any:
        self.numbers.append(destination.to_number)
        return self

    async def connect(self, on_ringing: Any) -> str:
        return "leg"


def test_own_phones_are_inside_and_nobody_outside_may_be_called() -> None:
    async def scene() -> None:
        inside, outside = Dialled(), Dialled()
        board = switchboard(
            inside, lambda to: to.to_number == "100", outside, Gateways(), "campaign"
        )
        assert await board.dial(DialOut("phone", "100")).connect(lambda: None) == "leg"
        with pytest.raises(LineFailedError) as failed:
            await board.dial(DialOut("phone", "+15550100")).connect(lambda: None)
        assert failed.value.reason is LineEnd.DECLINE
        assert inside.numbers == ["100"]

    asyncio.run(scene())


def test_numbers_are_not_told() -> None:
    tag = number_tag("+15550100", b"k")
    assert tag == number_tag("+15550100", b"k") != number_tag("+15550100", b"l")
    assert tag not in hashlib.blake2s(b"+15550100").hexdigest()


def test_the_service_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "n"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
        assert notify("READY=1")
        assert manager.recv(100) == b"READY=1"
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify("READY=1")
