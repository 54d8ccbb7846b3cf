"""The published SDKs, unmodified, against the control server: a TLS wire and a scripted host."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mediacore.control import ControlConfig, ControlLimits, ControlServer, Project, TlsFiles, Token
from mediacore.control.selfsigned import make_self_signed
from mediacore.runtime.ports import Answer, Command
from mediacore.wire.limits import RelayLimits
from support.fake_host import OK, FakeHost
from support.sdk import SDK_110, SDK_375, sdk_python
from support.tcp_relay import TcpRelay, tcp_relay

# The first test also makes the SDK's environment when there is none.
pytestmark = [pytest.mark.realtime, pytest.mark.timeout(240)]

PROGRAM = Path(__file__).resolve().parents[1] / "support" / "relay_program.py"
SCENE_S = 40
REPEAT_S = 0.2


@pytest.fixture(params=[SDK_375, SDK_110])
def python(request: pytest.FixtureRequest) -> tuple[str, Path]:
    return request.param, sdk_python(request.param)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return make_self_signed(tmp_path_factory.mktemp("tls"))


@dataclass
class Scene:
    """A server, its host, the wire, and a controller's program."""

    server: ControlServer
    host: FakeHost
    wire: TcpRelay
    program: asyncio.subprocess.Process
    killed: bool = False

    async def heard(self, event: str) -> dict[str, Any]:
        """What the program says next; it must be `event`. Lines of the SDK's log are skipped."""
        assert self.program.stdout is not None
        line = b"log"
        while line and not line.startswith(b"{"):
            line = await asyncio.wait_for(self.program.stdout.readline(), SCENE_S)
        said = json.loads(line or b'{"event": "nothing: the program is over"}')
        assert said["event"] == event
        return dict(said)

    def kill(self) -> None:
        """The program is not expected to end by itself."""
        self.killed = True
        self.program.kill()

    async def until(self, what: Any) -> None:
        async with asyncio.timeout(SCENE_S):
            while not what():  # noqa: ASYNC110 -- nothing tells of it
                await asyncio.sleep(0.02)


@asynccontextmanager
async def scene(
    python: tuple[str, Path], tls: TlsFiles, name: str, token: str = "t1", **limits: int
) -> AsyncIterator[Scene]:
    loop = asyncio.get_running_loop()
    host = FakeHost(soon=lambda later: loop.call_later(REPEAT_S, later))
    numbers = itertools.count(1)
    config = ControlConfig(
        (Project("p1", (Token.plain("t1"),)),),
        tls=tls,
        limits=RelayLimits(**limits),
        server=ControlLimits(drain_us=500_000, linger_us=500_000),
    )
    clock_us = lambda: time.monotonic_ns() // 1000  # noqa: E731
    server = ControlServer(config, host, clock_us, lambda: f"id{next(numbers)}")
    await server.start()
    trust = {"SIGNALWIRE_RELAY_CA_FILE": str(tls.cert), "SSL_CERT_FILE": str(tls.cert)}
    async with tcp_relay(server.address) as wire:
        program = await asyncio.create_subprocess_exec(
            *(str(python[1]), str(PROGRAM), name, f"localhost:{wire.port}", token),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, **trust},
        )
        try:
            stage = Scene(server, host, wire, program)
            yield stage
            assert await asyncio.wait_for(program.wait(), SCENE_S) == 0 or stage.killed
        finally:
            if program.returncode is None:
                program.kill()
                await program.wait()
            await server.aclose()
            program._transport.close()  # type: ignore[attr-defined]


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def test_bad_credentials_raise_at_once(python: tuple[str, Path], tls: TlsFiles) -> None:
    async def main() -> None:
        async with scene(python, tls, "bad_auth", token="wrong") as stage:
            said = await stage.heard("refused")
            assert "unknown project or token" in said["message"]
            assert said["seconds"] < 5

    run(main())


def test_an_incoming_call_from_answer_to_hang_up(python: tuple[str, Path], tls: TlsFiles) -> None:
    async def main() -> None:
        async with scene(python, tls, "inbound") as stage:
            await stage.heard("connected")
            stage.host.ring("c1", "office", "p1")
            offer = await stage.heard("offered")
            assert offer["call_id"] == "c1" and offer["node_id"] == stage.server.node_id
            assert (await stage.heard("play"))["state"] == "finished"
            digits = {"type": "digit", "params": {"digits": "42", "terminator": "#"}}
            assert (await stage.heard("asked"))["result"] == digits
            assert (await stage.heard("collect"))["result"] == digits
            record = await stage.heard("record")
            assert (record["state"], record["url"]) == ("finished", "file:///a.wav")
            assert (await stage.heard("ended"))["state"] == "ended"
            script = ["answer", "play", "play_and_collect", "collect", "record", "end"]
            assert stage.host.methods() == script
            await stage.until(lambda: stage.server.snapshot().unacked == 0)

    run(main())


def test_an_outgoing_call(python: tuple[str, Path], tls: TlsFiles) -> None:
    async def main() -> None:
        async with scene(python, tls, "dial") as stage:
            call = await stage.heard("dialled")
            assert call["call_id"] == "leg-t1" and call["node_id"] == stage.server.node_id
            assert call["state"] == "answered"
            assert (await stage.heard("play"))["state"] == "finished"
            assert stage.host.methods() == ["dial", "play"]

    run(main())


def test_what_is_not_supported_and_a_call_that_is_gone(
    python: tuple[str, Path], tls: TlsFiles
) -> None:
    async def main() -> None:
        async with scene(python, tls, "unsupported") as stage:
            stage.host.on("play", lambda _host, _command: Answer("404", "no such call"))
            await stage.heard("connected")
            stage.host.ring("c1", "office")
            fax = await stage.heard("fax")
            if python[0] == SDK_375:
                assert fax["code"] == 501 and "sending fax" in fax["message"]
            else:
                assert fax["done"] is True
            assert (await stage.heard("gone"))["done"] is True
            assert stage.host.methods() == ["play"]
            assert stage.server.snapshot().unsupported == 1

    run(main())


def _starts_only(host: FakeHost, command: Command) -> Answer:
    host.event("play", command, "playing")
    return OK


def test_a_cut_wire_is_resumed_and_nothing_is_lost(python: tuple[str, Path], tls: TlsFiles) -> None:
    async def main() -> None:
        async with scene(python, tls, "stay") as stage:
            stage.host.on("play", _starts_only)
            await stage.heard("session")
            stage.host.ring("c1", "office")
            await stage.heard("offered")
            await stage.heard("playing")
            await stage.until(lambda: stage.server.snapshot().unacked == 0)
            stage.wire.cut()
            await stage.until(lambda: stage.server.snapshot().kept == 1)
            stage.host.event("play", stage.host.commands[-1], "finished")
            assert stage.server.snapshot().unacked == 1
            # The next thing it says is not a new session.
            assert (await stage.heard("play"))["state"] == "finished"
            await stage.heard("ended")
            counts = stage.server.snapshot()
            assert (counts.resumed, counts.dropped) == (1, 0)
            assert stage.host.gone_issuers == []

    run(main())


def test_a_slow_subscriber_is_dropped_and_the_call_unharmed(
    python: tuple[str, Path], tls: TlsFiles
) -> None:
    async def main() -> None:
        async with scene(python, tls, "stay", unacked_events=50) as stage:
            stage.host.on("play", _starts_only)
            await stage.heard("session")
            stage.host.ring("c1", "office")
            await stage.heard("offered")
            await stage.heard("playing")
            await stage.until(lambda: stage.server.snapshot().unacked == 0)
            stage.program.send_signal(signal.SIGSTOP)
            for number in range(60):
                stage.host.publish("calling.call.tap", "c1", {"n": number, "x": "x" * 1000})
            assert stage.server.snapshot().dropped == 1
            await stage.until(lambda: len(stage.host.gone_issuers) == 1)
            before = stage.host.methods()
            stage.program.send_signal(signal.SIGCONT)
            # It comes back as a new session: what it missed is not made up.
            await stage.heard("session")
            assert stage.host.methods() == before == ["answer", "play"]
            assert stage.server.snapshot().resumed == 0
            stage.kill()

    run(main())
