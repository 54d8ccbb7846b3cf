"""Media streams on the real clock: our simulators of every family, and streamdouble as Twilio."""

from __future__ import annotations

import asyncio
import importlib.util
import ssl
import subprocess
import sys
import wave
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mediacore.events import DigitReceived, PlayoutCut
from mediacore.slots.gateway import LineEnd
from mediacore.transports.streams.auth import Bearer
from mediacore.transports.streams.config import StreamEndpoint
from mediacore.transports.streams.line import StreamLine
from support.stream_peers import SHAPES
from support.stream_world import (
    StreamWorld,
    correlation,
    decoded,
    encoded,
    endpoint_of,
    listen,
    noise,
    sounding,
    speak,
)

pytestmark = pytest.mark.realtime

FAMILIES = ["twilio", "telnyx-l16", "plivo", "vonage", "exotel-16k", "genesys", "jambonz"]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_call(name: str) -> None:
    """Both hear each other, the caller interrupts, presses a key and hangs up."""
    shape = SHAPES[name]()
    caller, agent = noise(1000, shape.rate, 1), noise(4000, shape.rate, 2)

    async def scene() -> None:
        async with (
            StreamWorld(endpoint_of(shape), real=True) as world,
            world.peer(shape, mic=encoded(caller, shape.codec), delay_ms=20) as peer,
        ):
            line, leg = await world.answered()
            heard = array("h")
            ear = asyncio.create_task(listen(leg, heard))
            talk = asyncio.create_task(speak(leg, agent, words_ms=300))
            await asyncio.sleep(1.6)
            delay_ms = line.far_delay_ms()
            leg.cut(1)
            await asyncio.sleep(0.5)
            for task in (talk, ear):
                task.cancel()
            await asyncio.gather(talk, ear, return_exceptions=True)

            assert correlation(caller, heard) > 0.9
            spoken = decoded(peer.phone.heard, shape.codec)
            assert correlation(agent[: shape.rate], spoken) > 0.9
            assert peer.clears == 1
            assert peer.cleared_at is not None
            assert sounding(decoded(peer.phone.heard[peer.cleared_at :], shape.codec), 300) == 0

            (cut,) = (event for event in world.events if isinstance(event, PlayoutCut))
            assert delay_ms is not None
            told = cut.position - delay_ms * shape.rate // 1000
            assert abs(told - sounding(spoken, 300)) < 0.3 * shape.rate  # one mark

            await peer.digit("7")
            await asyncio.sleep(0.3)
            digits = [e.digit for e in world.events if isinstance(e, DigitReceived)]
            assert digits == ["7"]
            await peer.hang_up()
            async with asyncio.timeout(2):
                assert await line.wait_gone() is LineEnd.HANGUP
            leg.close()
            assert peer.violations == []

    asyncio.run(scene())


def test_calls_over_tls(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    shape = SHAPES["twilio"]()
    said = noise(800, 8000)

    async def scene() -> None:
        context = ssl.create_default_context(cafile=str(cert))
        endpoint = StreamEndpoint("twilio", auth=(Bearer("t"),))
        async with StreamWorld(endpoint, real=True, tls=(cert, key)) as world:
            url = world.url("/twilio").replace("ws:", "wss:")
            peer = world.peer(shape, url=url, headers={"Authorization": "Bearer t"}, tls=context)
            async with peer:
                _, leg = await world.answered()
                await speak(leg, said)
                await asyncio.sleep(1)
                assert correlation(said, decoded(peer.phone.heard, "PCMU")) > 0.95
                leg.close()

    asyncio.run(scene())


def wav(path: Path, pcm: array[int]) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(pcm.tobytes())
    return path


def unwav(path: Path) -> array[int]:
    with wave.open(str(path), "rb") as given:
        return array("h", given.readframes(given.getnframes()))


@asynccontextmanager
async def double(*arguments: object) -> AsyncIterator[asyncio.subprocess.Process]:
    program = "from streamdouble.cli import main; raise SystemExit(main())"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.skipif(
    importlib.util.find_spec("streamdouble") is None, reason="pip install streamdouble"
)
def test_streamdouble_finds_nothing_wrong(tmp_path: Path) -> None:
    """Somebody else's Twilio: strict about what goes out, echoes marks, obeys clear."""
    caller, agent = noise(2500, 8000, 1), noise(1500, 8000, 2)
    audio, out = wav(tmp_path / "caller.wav", caller), tmp_path / "reply.wav"

    async def scene() -> None:
        async with StreamWorld(StreamEndpoint("twilio"), real=True) as world:
            url = world.url("/twilio")
            limit = ("--response-timeout", 8, "--quiet-period", 0.5, "--json")
            async with double("call", url, "--audio", audio, "--out", out, *limit) as process:
                line, leg = await world.answered()
                assert isinstance(line, StreamLine)
                heard = array("h")
                ear = asyncio.create_task(listen(leg, heard))
                await speak(leg, agent, words_ms=280)
                await asyncio.sleep(0.5)
                assert line.bounds.heard is not None
                assert line.bounds.heard.utterance == 1
                delay_ms = line.far_delay_ms()
                assert delay_ms is not None
                assert 40 <= delay_ms <= 300
                assert process.stdout is not None
                report = await process.stdout.read()
                assert await process.wait() == 0, report
                assert await line.wait_gone() is LineEnd.HANGUP
                ear.cancel()
                await asyncio.gather(ear, return_exceptions=True)
                leg.close()
                assert correlation(caller[:16_000], heard) > 0.95
                assert correlation(agent, unwav(out)) > 0.98
                counts = world.server.snapshot()
                assert (counts.bad_messages, counts.cut_off, counts.unknown_marks) == (0, 0, 0)

    asyncio.run(scene())
