"""Providers that fail or never stop, controllers that attack, disks that are full, secrets that
differ: whole calls over RTP on loopback, all at once, each kind in a service of its own."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import resource
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from mediacore.control import ControlConfig, ControlLimits, Project, Token
from mediacore.service import ServiceConfig
from mediacore.slots.llm import LlmEvent, LlmRequest, LlmText
from mediacore.wire.limits import RelayLimits
from support.bad_world import BROKEN, CASE, Case, Outcome, World, document, note

pytestmark = [pytest.mark.realtime, pytest.mark.phone, pytest.mark.timeout(90)]

TOKEN = "a-token-of-the-test"
SECRET = "a-secret-of-the-test"
FULL_BYTES = 30_000
QUIET: list[object] = [
    {"answer": {}},
    {"play": "say:" + "one two three four " * 12},
    {"hangup": {}},
]


async def talks_for_ever(_request: LlmRequest) -> AsyncIterator[LlmEvent]:
    while True:
        yield LlmText("and on and on ")
        await asyncio.sleep(0.001)


def agent(name: str, voice: str = "", greeting: str = "", seconds: int = 0) -> list[object]:
    ai: dict[str, object] = {
        "prompt": {"text": f"{CASE}{name} You are nice."},
        "languages": [{"name": "English", "code": "en-US", "voice": voice}],
    }
    params: dict[str, object] = {"static_greeting": greeting} if greeting else {}
    if seconds:
        params["mediacore_budget"] = {"seconds": seconds}
    ai["params"] = params
    after = [note(result="%{vars.ai_result}"), {"hangup": {}}]
    return [{"answer": {}}, {"ai": ai}, *after]


class Worlds:
    """The services of this module, side by side."""

    def __init__(self, records: Path) -> None:
        self.deaf = World({}, records / "deaf", words=("",))
        self.mute = World({}, records / "mute")
        self.mad = World({}, records / "mad")
        self.unrecorded = World({}, records / "unrecorded")
        self.signed = World({}, records / "signed", config=_with_secret)
        self.steered = World({}, records / "steered", config=_with_control)
        self.full = World({}, records / "full")
        self.attack: dict[str, object] = {}

    def cases(self) -> dict[World, dict[str, Case]]:
        loud = "I would like to order a pizza"
        return {
            self.deaf: {"deaf": Case(agent("deaf", greeting="Hello."), say=loud)},
            self.mute: {
                "mute_agent": Case(agent("mute_agent", BROKEN, "Hello.")),
                "mute_play": Case(
                    [
                        {"answer": {}},
                        {"play": {"url": "say:hello", "say_voice": BROKEN}},
                        note(result="%{vars.play_result}"),
                        {"hangup": {}},
                    ]
                ),
            },
            self.mad: {"mad": Case(agent("mad", seconds=4), answer=talks_for_ever)},
            self.unrecorded: {
                "unrecorded": Case(
                    [
                        {"answer": {}},
                        {"record_call": {"control_id": "r"}},
                        {"play": "say:hello there"},
                        {"stop_record_call": {"control_id": "r"}},
                        {"play": "say:goodbye"},
                        note(result="%{vars.record_call_result}"),
                        {"hangup": {}},
                    ]
                )
            },
            self.signed: {
                "signed_right": Case(page=_checks(SECRET)),
                "signed_wrong": Case(page=_checks("another secret")),
            },
            self.steered: {f"steered{n}": Case(QUIET) for n in range(2)},
        }


def _with_secret(config: ServiceConfig) -> ServiceConfig:
    return replace(config, document_secret=SECRET)


def _with_control(config: ServiceConfig) -> ServiceConfig:
    control = ControlConfig(
        (Project("p1", (Token.plain(TOKEN),)),),
        limits=RelayLimits(auth_within_us=1_500_000, requests_per_s=50, request_burst=50),
        server=ControlLimits(connections=8, linger_us=300_000, sweep_us=100_000),
    )
    return replace(config, control=control)


def _checks(secret: str) -> Callable[[web.Request], web.Response]:
    """An application that takes documents requests signed with `secret` only: hex HMAC-SHA256 over
    its own URL and the raw body."""

    def page(request: web.Request) -> web.Response:
        body = request._read_bytes or b""
        signed = str(request.url).encode() + body
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        given = request.headers.get("X-SignalWire-Sha256-Signature", "")
        if not hmac.compare_digest(expected, given):
            return web.Response(status=403, text="signature")
        return web.Response(text=document([{"answer": {}}, note(a="signed"), {"hangup": {}}]))

    return page


async def run_all(records: Path) -> Worlds:
    worlds = Worlds(records)
    async with AsyncExitStack() as stack:
        for world, cases in worlds.cases().items():
            base = await stack.enter_async_context(world.application())
            world.add(cases)
            await stack.enter_async_context(world.running(base))
        records = worlds.unrecorded.records
        records.rename(records.with_name("gone"))
        records.write_text("no directory any more")
        calls = [world.call_all(tuple(world.cases)) for world in worlds.cases()]
        await asyncio.gather(*calls, attacked(worlds))
    await fill_the_disk(worlds.full)
    return worlds


async def fill_the_disk(world: World) -> None:
    """A call while no file may grow beyond FULL_BYTES."""
    limit, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    main = [{"answer": {}}, {"record_call": {"control_id": "r"}}, *QUIET[1:2]]
    main += [{"stop_record_call": {"control_id": "r"}}, {"play": "say:goodbye"}]
    main += [note(result="%{vars.record_call_result}"), {"hangup": {}}]
    async with world.application() as base:
        world.add({"full": Case(main)})
        async with world.running(base):
            resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_BYTES, hard))
            try:
                await world.call_all(("full",))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))


async def attacked(worlds: Worlds) -> None:
    """Every kind of bad controller against the service whose calls go on meanwhile."""
    await asyncio.sleep(0.3)
    control = worlds.steered.service.control
    assert control is not None
    host, port = control.address
    results = worlds.attack
    async with aiohttp.ClientSession() as session:
        url = f"ws://{host}:{port}/"
        results["flood"] = await _flood(session, url)
        results["huge"] = await _send_raw(session, url, "x" * 10_000_000)
        results["deep"] = await _send_raw(session, url, "[" * 60_000)
        results["binary"] = await _send_bytes(session, url, b"\xff\xfe" * 500)
        results["utf8"] = await _bad_utf8(host, port)
        results["half_open"] = await _half_open(host, port)
        results["origin"] = await _status(session, url, {"Origin": "https://evil.example"})
        results["guess"] = await _guess(session, url)
        results["crowd"] = await _crowd(session, url)
    results["counts"] = control.snapshot()


async def _connected(session: aiohttp.ClientSession, url: str) -> aiohttp.ClientWebSocketResponse:
    socket = await session.ws_connect(url)
    params = {"authentication": {"project": "p1", "token": TOKEN}, "contexts": ["office"]}
    await socket.send_json({"id": "c", "method": "signalwire.connect", "params": params})
    answer = await socket.receive_json(timeout=5)
    assert "result" in answer, answer
    await socket.receive_json(timeout=5)  # what to resume with
    return socket


async def _closed(socket: aiohttp.ClientWebSocketResponse, wait_s: float = 5) -> int | None:
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(wait_s):
            while not socket.closed:
                await socket.receive()
    return socket.close_code


async def _flood(session: aiohttp.ClientSession, url: str) -> int | None:
    socket = await _connected(session, url)
    with suppress(ConnectionError, aiohttp.ClientError):
        for n in range(3_000):
            params = {"call_id": "no-such-call", "control_id": "p", "play": []}
            await socket.send_json({"id": str(n), "method": "calling.play", "params": params})
    return await _closed(socket)


async def _send_raw(session: aiohttp.ClientSession, url: str, text: str) -> int | None:
    socket = await _connected(session, url)
    with suppress(ConnectionError, aiohttp.ClientError):
        await socket.send_str(text)
        message = await socket.receive(timeout=5)
        if message.type is aiohttp.WSMsgType.TEXT:
            return int(json.loads(message.data).get("error", {}).get("code", 0))
    return await _closed(socket)


async def _send_bytes(session: aiohttp.ClientSession, url: str, data: bytes) -> int | None:
    socket = await _connected(session, url)
    await socket.send_bytes(data)
    return await _closed(socket)


async def _upgraded(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def _bad_utf8(host: str, port: int) -> bool:
    """A text frame that is no UTF-8: whether the server hung up."""
    reader, writer = await _upgraded(host, port)
    writer.write(b"\x81\x84\0\0\0\0\xff\xfe\xfd\xfc")
    try:
        async with asyncio.timeout(5):
            rest = await reader.read()
    finally:
        writer.close()
    return rest[:1] in (b"\x88", b"")


async def _half_open(host: str, port: int) -> float:
    """A socket that says nothing at all: after how many seconds it was closed."""
    reader, writer = await _upgraded(host, port)
    began = time.monotonic()
    async with asyncio.timeout(10):
        await reader.read()
    writer.close()
    return time.monotonic() - began


async def _status(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> int:
    try:
        socket = await session.ws_connect(url, headers=headers)
    except aiohttp.WSServerHandshakeError as error:
        return error.status
    await socket.close()
    return 101


async def _guess(session: aiohttp.ClientSession, url: str) -> set[str]:
    """What is said to wrong projects and wrong tokens: it must not differ."""
    said = set()
    for project, token in (("p1", "wrong"), ("p2", TOKEN), ("p1", TOKEN + "x"), ("p1", TOKEN[:-1])):
        socket = await session.ws_connect(url)
        params = {"authentication": {"project": project, "token": token}}
        await socket.send_json({"id": "c", "method": "signalwire.connect", "params": params})
        answer = await socket.receive_json(timeout=5)
        said.add(json.dumps(answer["error"]))
        await _closed(socket)
    return said


async def _crowd(session: aiohttp.ClientSession, url: str) -> list[int]:
    """More connections than there is room for."""
    sockets = []
    found = []
    for _ in range(20):
        try:
            sockets.append(await session.ws_connect(url))
            found.append(101)
        except aiohttp.WSServerHandshakeError as error:
            found.append(error.status)
    for socket in sockets:
        await socket.close()
    return found


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    return asyncio.run(run_all(tmp_path_factory.mktemp("calls")))


def ended_well(outcome: Outcome) -> None:
    assert outcome.ended, f"{outcome.name} was still up after {outcome.seconds:.0f} s"
    assert outcome.states()[-1] == "ended"


def agent_lines(outcome: Outcome) -> Sequence[str]:
    return [line for line in outcome.spoken().split(" / ") if line]


# ---------------------------------------------------------------------------------- providers


def test_recognition_that_never_understands_gets_an_honest_script_and_a_goodbye(
    worlds: Worlds,
) -> None:
    outcome = worlds.deaf.outcomes["deaf"]
    ended_well(outcome)
    lines = agent_lines(outcome)
    assert lines[0] == "Hello."
    asked = [line for line in lines[1:] if "Goodbye" not in line]
    assert 2 <= len(asked) <= 4 and len(set(asked)) == len(asked)
    assert lines[-1].endswith("Goodbye.")
    assert outcome.record is not None
    heard = [turn.heard_text for turn in outcome.record.turns if turn.speaker.value == "agent"]
    assert sum("Goodbye" in text for text in heard) == 1
    assert worlds.deaf.minds.requests == {}


def test_a_voice_that_fails_ends_the_agent_by_name(worlds: Worlds) -> None:
    outcome = worlds.mute.outcomes["mute_agent"]
    ended_well(outcome)
    assert any("ai over" in e and "reason=speech_failed" in e for e in outcome.decisions())
    assert outcome.record is not None
    assert {note.source for note in outcome.record.errors} == {"tts scripted-tts"}
    outcome = worlds.mute.outcomes["mute_play"]
    ended_well(outcome)
    assert outcome.noted() == [{"result": "failed"}]


def test_a_model_that_never_stops_is_cut_off(worlds: Worlds) -> None:
    outcome = worlds.mad.outcomes["mad"]
    ended_well(outcome)
    assert outcome.record is not None
    assert outcome.seconds < 20
    assert len(worlds.mad.minds.requests["mad"]) < 10
    assert agent_lines(outcome)[-1].endswith("Goodbye.")


# --------------------------------------------------------------------------------- signatures


def test_an_application_with_the_same_secret_takes_our_requests(worlds: Worlds) -> None:
    outcome = worlds.signed.outcomes["signed_right"]
    ended_well(outcome)
    assert outcome.noted() == [{"a": "signed"}]


def test_an_application_with_another_secret_is_named(worlds: Worlds) -> None:
    outcome = worlds.signed.outcomes["signed_wrong"]
    ended_well(outcome)
    assert "http_403" in outcome.told()
    assert SECRET not in outcome.told()


# -------------------------------------------------------------------------------------- disks


def test_a_call_without_a_place_for_its_files_goes_on(worlds: Worlds) -> None:
    outcome = worlds.unrecorded.outcomes["unrecorded"]
    ended_well(outcome)
    assert outcome.noted() == [{"result": "failed"}]
    assert outcome.record is not None and outcome.record.lost


def test_a_full_disk_costs_the_recording_and_not_the_call(worlds: Worlds) -> None:
    outcome = worlds.full.outcomes["full"]
    ended_well(outcome)
    assert outcome.noted() == [{"result": "failed"}]
    assert outcome.record is not None
    assert "File too large" in outcome.record.lost[0]
    assert outcome.record.media["underruns"] == 0


# -------------------------------------------------------------------------------- controllers


def test_controllers_that_attack_lose_their_socket(worlds: Worlds) -> None:
    attack = worlds.attack
    assert attack["flood"] == 4006
    assert attack["huge"] in (1006, 1009)  # it may be cut before it has read why
    assert attack["deep"] == -32700
    assert attack["binary"] == 1003
    assert attack["utf8"] is True
    half_open = attack["half_open"]
    assert isinstance(half_open, float) and 1 < half_open < 5
    assert attack["origin"] == 403
    guesses, crowd = attack["guess"], attack["crowd"]
    assert isinstance(guesses, set) and len(guesses) == 1
    assert isinstance(crowd, list) and 503 in crowd and crowd.count(101) <= 8


@pytest.mark.parametrize("number", range(2))
def test_calls_beside_attacking_controllers_are_not_harmed(worlds: Worlds, number: int) -> None:
    outcome = worlds.steered.outcomes[f"steered{number}"]
    ended_well(outcome)
    assert outcome.codes() == set()
    assert outcome.record is not None and not outcome.record.errors
    assert outcome.record.media["underruns"] == 0


def test_nothing_is_left_behind(worlds: Worlds) -> None:
    for world in (*worlds.cases(), worlds.full):
        assert world.legs_left == 0
    assert worlds.full.tasks_left == set()
