"""Calls by media streams in virtual time: every dialect against its simulator."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from mediacore import _core
from mediacore.call.record import Accuracy
from mediacore.events import DigitReceived, PlayoutCut, UtteranceFinished
from mediacore.slots.gateway import LineEnd, LineFailedError
from mediacore.transports.streams.auth import Bearer
from mediacore.transports.streams.config import StreamEndpoint, StreamLimits
from mediacore.transports.streams.line import StreamLine
from support.stream_peers import SHAPES, GenesysShape, TwilioShape
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
from virtual import run_virtual

TWILIO = StreamEndpoint("twilio")
MARKED = [
    name
    for name in SHAPES
    if name not in ("genesys", "audio_fork", "audio_stream") and "16" not in name
]


def run(
    scene: Callable[[StreamWorld], Awaitable[None]],
    *endpoints: StreamEndpoint,
    limits: StreamLimits | None = None,
) -> None:
    live = _core.live_objects()

    async def main() -> None:
        async with StreamWorld(*(endpoints or (TWILIO,)), limits=limits) as world:
            await scene(world)
            counts = world.server.snapshot()
            assert counts.internal == 0, counts

    run_virtual(main())
    assert _core.live_objects() == live


def test_parameters_of_the_url_tell_who_calls_where_the_provider_does_not() -> None:
    endpoint = StreamEndpoint("chan_websocket", "/asterisk")
    start = "MEDIA_START connection_id:c channel:x channel_id:1 format:ulaw ptime:20"

    async def scene(world: StreamWorld) -> None:
        url = world.url("/asterisk?from=%2B1555&to=7002&channel_id=2&token=secret")
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
            await socket.send_str(start)
            line, _ = await world.answered()
            assert (line.party.from_number, line.party.to_number) == ("+1555", "7002")
            assert line.party.headers["channel_id"] == "1"
            assert "secret" not in line.party.headers.values()
            await line.hangup(LineEnd.HANGUP)

    run(scene, endpoint)


@pytest.mark.parametrize("name", SHAPES)
def test_both_hear_each_other(name: str) -> None:
    shape = SHAPES[name]()
    caller, agent = noise(1500, shape.rate, 1), noise(1500, shape.rate, 2)

    async def scene(world: StreamWorld) -> None:
        async with world.peer(shape, mic=encoded(caller, shape.codec)) as peer:
            line, leg = await world.answered()
            heard = array("h")
            ear = asyncio.create_task(listen(leg, heard))
            assert line.party.direction == "inbound"
            assert (line.party.from_number, line.party.to_number) == ("+15550100", "+15550199")
            assert line.party.headers["tier"] == "gold"
            assert line.party.headers["call_id"] == "CA1"
            assert line.transport.kind == shape.kind
            assert line.transport.codec == shape.codec
            assert leg.srate_hz == shape.rate
            await speak(leg, agent)
            await asyncio.sleep(2.5)
            ear.cancel()
            await asyncio.gather(ear, return_exceptions=True)
            assert correlation(caller, heard) > 0.95
            assert correlation(agent, decoded(peer.phone.heard, shape.codec)) > 0.98
            assert peer.violations == []
            assert peer.phone.gaps == 0
            assert peer.protocol == (shape.subprotocols[0] if shape.subprotocols else None)
            leg.close()

    run(scene, endpoint_of(shape))


@pytest.mark.parametrize("name", SHAPES)
def test_a_cut_leaves_little_behind(name: str) -> None:
    shape = SHAPES[name]()
    said = noise(4000, shape.rate)

    async def scene(world: StreamWorld) -> None:
        async with world.peer(shape) as peer:
            line, leg = await world.answered()
            talk = asyncio.create_task(speak(leg, said, words_ms=300))
            await asyncio.sleep(2.0)
            delay_ms = line.far_delay_ms()
            assert delay_ms is not None
            leg.cut(1)
            await asyncio.sleep(0.5)
            talk.cancel()
            await asyncio.gather(talk, return_exceptions=True)
            (cut,) = world.seen(PlayoutCut)
            assert isinstance(cut, PlayoutCut)
            heard = decoded(peer.phone.heard, shape.codec)
            truth = sounding(heard, 300)
            if shape.kind != "audio_stream":
                assert peer.clears == 1
                assert peer.cleared_at is not None
                after = decoded(peer.phone.heard[peer.cleared_at :], shape.codec)
                assert sounding(after, 300) == 0
                told = max(cut.position - delay_ms * shape.rate // 1000, 0)
                assert abs(told - truth) <= 0.3 * shape.rate
            left_ms = peer.phone.cleared_bytes * 20 // shape.frame_bytes
            assert left_ms <= (60 if shape.kind not in ("exotel", "genesys") else 260)
            assert peer.violations == []
            leg.close()

    run(scene, endpoint_of(shape))


@pytest.mark.parametrize("name", MARKED)
def test_mark_echoes_tell_how_far_the_ear_is_behind(name: str) -> None:
    shape = SHAPES[name]()

    async def scene(world: StreamWorld) -> None:
        async with world.peer(shape, delay_ms=80) as peer:
            line, leg = await world.answered()
            assert isinstance(line, StreamLine)
            assert line.transport.accuracy is Accuracy.MARK_BOUNDED
            await asyncio.sleep(6)  # a ping goes round
            await speak(leg, noise(3000, shape.rate), words_ms=300)
            await asyncio.sleep(0.3)
            bounds = line.bounds
            assert bounds.heard is not None
            assert bounds.next is not None
            assert 0 < bounds.heard.mark <= bounds.next.mark or bounds.next.mark == 0
            await asyncio.sleep(2.5)
            assert line.bounds.next is None
            assert line.bounds.heard is not None
            assert (line.bounds.heard.utterance, line.bounds.heard.mark) == (1, 0)
            block_ms = 180 if shape.kind == "exotel" else 0
            delay_ms = line.far_delay_ms()
            assert delay_ms is not None
            assert abs(delay_ms - (60 + 80 + block_ms)) <= 40 + block_ms // 2
            assert len(peer.marks) <= 3000 // 240 + 3
            leg.close()

    run(scene, endpoint_of(shape))


def test_marks_that_a_clear_gives_back_are_not_heard() -> None:
    shape = TwilioShape("twilio")

    async def scene(world: StreamWorld) -> None:
        async with world.peer(shape, delay_ms=200) as peer:
            line, leg = await world.answered()
            assert isinstance(line, StreamLine)
            talk = asyncio.create_task(speak(leg, noise(4000, 8000), words_ms=250))
            await asyncio.sleep(2)
            leg.cut(1)
            before = line.bounds.heard
            await asyncio.sleep(1.5)
            talk.cancel()
            await asyncio.gather(talk, return_exceptions=True)
            assert peer.clears == 1
            assert before is not None
            assert line.bounds.heard == before
            assert line.bounds.next is None
            truth_ms = sounding(decoded(peer.phone.heard, "PCMU"), 300) // 8
            assert before.mark * 250 <= truth_ms
            leg.close()
        await asyncio.sleep(0.1)
        assert world.server.snapshot().unknown_marks > 0

    run(scene)


def test_before_a_mark_came_back_the_delay_is_what_was_sent_ahead() -> None:
    async def scene(world: StreamWorld) -> None:
        async with world.peer(GenesysShape("genesys", ready=False), delay_ms=50):
            line, leg = await world.answered()
            assert line.transport.accuracy is Accuracy.UNKNOWN
            assert line.far_delay_ms() == 60 + 180
            await asyncio.sleep(6)
            assert line.far_delay_ms() == 60 + 180 + 50
            leg.close()

    run(scene, StreamEndpoint("genesys"))


@pytest.mark.parametrize("name", ["twilio", "telnyx", "plivo", "vonage", "genesys", "jambonz"])
def test_digits(name: str) -> None:
    shape = SHAPES[name]()

    async def scene(world: StreamWorld) -> None:
        async with world.peer(shape) as peer:
            _, leg = await world.answered()
            await asyncio.sleep(0.2)
            for digit in "15#":
                await peer.digit(digit)
                await asyncio.sleep(0.4)
            seen = [event for event in world.events if isinstance(event, DigitReceived)]
            digits = [event.digit for event in seen]
            assert "".join(digits) == "15#"
            leg.close()

    run(scene, endpoint_of(shape))


@pytest.mark.parametrize("name", SHAPES)
def test_the_far_side_hangs_up(name: str) -> None:
    shape = SHAPES[name]()

    async def scene(world: StreamWorld) -> None:
        async with world.peer(shape) as peer:
            line, leg = await world.answered()
            await asyncio.sleep(0.5)
            await peer.hang_up()
            async with asyncio.timeout(2):
                assert await line.wait_gone() is LineEnd.HANGUP
            await line.hangup(LineEnd.HANGUP)
            leg.close()
            await asyncio.sleep(1.5)
            counts = world.server.snapshot()
            assert (counts.calls, counts.connections, counts.cut_off) == (0, 0, 0)
            assert peer.violations == []

    run(scene, endpoint_of(shape))


@pytest.mark.parametrize("name", SHAPES)
def test_we_hang_up(name: str) -> None:
    shape = SHAPES[name]()

    async def scene(world: StreamWorld) -> None:
        async with world.peer(shape) as peer:
            line, leg = await world.answered()
            await asyncio.sleep(0.5)
            await line.hangup(LineEnd.HANGUP)
            leg.close()
            async with asyncio.timeout(3):
                await peer.closed.wait()
            assert peer.close_code == 1000
            assert await line.wait_gone() is LineEnd.HANGUP
            await asyncio.sleep(1.5)
            assert world.server.snapshot().connections == 0
            assert peer.violations == []

    run(scene, endpoint_of(shape))


def test_the_last_word_arrives_before_we_hang_up() -> None:
    shape = TwilioShape("twilio")
    said = noise(600, 8000)

    async def scene(world: StreamWorld) -> None:
        async with world.peer(shape, delay_ms=60) as peer:
            line, leg = await world.answered()
            await speak(leg, said)
            await world.wait_seen(UtteranceFinished)
            await line.hangup(LineEnd.HANGUP)
            leg.close()
            await peer.closed.wait()
            assert sounding(decoded(peer.phone.heard, "PCMU"), 300) >= len(said) - 480

    run(scene)


def test_a_call_that_is_refused() -> None:
    async def scene(world: StreamWorld) -> None:
        async with world.peer(TwilioShape("twilio")) as peer:
            line = await world.lines.get()
            await line.hangup(LineEnd.DECLINE)
            await peer.closed.wait()
            assert await line.wait_gone() is LineEnd.DECLINE
            with pytest.raises(LineFailedError) as error:
                await line.connect(lambda: None)
            assert error.value.reason is LineEnd.CANCEL

    run(scene)


def test_the_caller_gives_up_before_the_answer() -> None:
    async def scene(world: StreamWorld) -> None:
        async with world.peer(TwilioShape("twilio")) as peer:
            line = await world.lines.get()
            await asyncio.sleep(0.3)
            await peer.hang_up()
            assert await line.wait_gone() is LineEnd.CANCEL
        await asyncio.sleep(0.1)
        assert world.server.snapshot().early_media > 5

    run(scene)


def test_a_connection_that_breaks_is_a_hangup_and_counted() -> None:
    async def scene(world: StreamWorld) -> None:
        async with world.peer(TwilioShape("twilio")) as peer:
            line, leg = await world.answered()
            await peer.drop()
            assert await line.wait_gone() is LineEnd.HANGUP
            leg.close()
        assert world.server.snapshot().cut_off == 1

    run(scene)


def test_a_codec_that_cannot_be_opened_fails_the_call_and_no_other() -> None:
    class Odd(TwilioShape):
        def hello(self) -> list[str]:
            start = self.start()
            start["mediaFormat"] = {"encoding": "L16", "sampleRate": 11025, "channels": 1}
            return [self.event("start", start=start)]

    async def scene(world: StreamWorld) -> None:
        async with world.peer(TwilioShape("twilio")) as good:
            _, leg = await world.answered()
            async with world.peer(Odd("twilio")) as peer:
                line = await world.lines.get()
                with pytest.raises(LineFailedError) as error:
                    await line.connect(lambda: None)
                assert error.value.reason is LineEnd.ERROR
                await peer.closed.wait()
            await asyncio.sleep(0.5)
            assert not good.closed.is_set()
            leg.close()

    run(scene)


def test_a_probe_of_genesys_is_no_call() -> None:
    class Probe(GenesysShape):
        def hello(self) -> list[str]:
            zero = "00000000-0000-0000-0000-000000000000"
            return [each.replace("CA1", zero) for each in super().hello()]

    async def scene(world: StreamWorld) -> None:
        shape = Probe("genesys", ready=False)
        async with world.peer(shape) as peer:
            await asyncio.sleep(0.2)
            assert shape.ready
            await peer.hang_up()
            await peer.closed.wait()
            assert peer.violations == []
        assert world.lines.empty()
        assert world.server.snapshot().opened == 0

    run(scene, StreamEndpoint("genesys"))


def test_a_hold_of_genesys_makes_the_leg_wait() -> None:
    async def scene(world: StreamWorld) -> None:
        shape = GenesysShape("genesys", ready=False)
        async with world.peer(shape) as peer:
            _, leg = await world.answered()
            await asyncio.sleep(0.2)
            await peer.send(shape.message("paused"))
            await asyncio.sleep(0.1)
            before = sounding(decoded(peer.phone.heard, "PCMU"), 300)
            await speak(leg, noise(800, 8000))
            await asyncio.sleep(1)
            assert sounding(decoded(peer.phone.heard, "PCMU"), 300) == before
            await peer.send(shape.message("resumed"))
            await asyncio.sleep(2)
            assert sounding(decoded(peer.phone.heard, "PCMU"), 300) > 0.7 * 6400
            leg.close()

    run(scene, StreamEndpoint("genesys"))


# -- bad input


async def closing(ws: aiohttp.ClientWebSocketResponse) -> int | None:
    """The code with which the server closes."""
    async with asyncio.timeout(30):
        while True:
            message = await ws.receive()
            closes = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING)
            if message.type in closes:
                return ws.close_code


@pytest.mark.parametrize(
    ("messages", "code", "counter"),
    [
        (["{"], 1003, "bad_start"),
        (["[]"], 1003, "bad_start"),
        (['{"event":"nonsense"}'], 1003, "bad_start"),
        (['{"event":"start","start":{}}'], 1003, "bad_start"),
        ([b"\x00\x01"], 1003, "bad_start"),
        ([], 1008, "no_start"),
        (['{"event":"connected"}'], 1008, "no_start"),
    ],
)
def test_a_start_that_is_not_usable(messages: list[str | bytes], code: int, counter: str) -> None:
    async def scene(world: StreamWorld) -> None:
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(world.url("/twilio")) as ws,
        ):
            for message in messages:
                if isinstance(message, str):
                    await ws.send_str(message)
                else:
                    await ws.send_bytes(message)
            assert await closing(ws) == code
        counts = world.server.snapshot()
        assert getattr(counts, counter) == 1
        assert counts.opened == 0

    run(scene)


def test_a_few_bad_messages_are_borne_and_many_end_the_call_alone() -> None:
    async def scene(world: StreamWorld) -> None:
        async with (
            world.peer(TwilioShape("twilio")) as good,
            world.peer(TwilioShape("twilio")) as bad,
        ):
            first, leg = await world.answered()
            second, other = await world.answered()
            assert first is not second
            await bad.send("{")
            await bad.send(b"binary")
            await bad.send('{"event":"media","media":{"payload":"!!"}}')
            await asyncio.sleep(0.2)
            assert not bad.closed.is_set()
            for _ in range(20):
                await bad.send('{"event":"what"}')
            await bad.closed.wait()
            assert bad.close_code == 1003
            assert not good.closed.is_set()
            leg.close()
            other.close()
        counts = world.server.snapshot()
        assert counts.bad_stream == 1
        assert counts.bad_messages >= 15

    run(scene)


def test_chunks_out_of_order_are_put_in_order() -> None:
    caller = noise(1500, 8000)
    held: list[str | bytes] = []

    def swap(chunk: int, message: str | bytes) -> list[str | bytes]:
        if chunk % 10 == 5:
            held.append(message)
            return []
        return [message, held.pop()] if held else [message]

    async def scene(world: StreamWorld) -> None:
        shape = TwilioShape("twilio")
        async with world.peer(shape, mic=encoded(caller, "PCMU")) as peer:
            peer.reorder = swap
            _, leg = await world.answered()
            heard = array("h")
            ear = asyncio.create_task(listen(leg, heard))
            await asyncio.sleep(2.5)
            ear.cancel()
            await asyncio.gather(ear, return_exceptions=True)
            assert correlation(caller[800:], heard) > 0.95
            assert leg.stats().rx_lost == 0
            leg.close()

    run(scene)


def test_a_message_of_thirty_seconds_is_taken_as_far_as_there_is_room() -> None:
    async def scene(world: StreamWorld) -> None:
        shape = TwilioShape("twilio")
        async with world.peer(shape) as peer:
            _, leg = await world.answered()
            await peer.send(shape.media(99, encoded(noise(30_000, 8000), "PCMU")))
            await asyncio.sleep(1)
            assert not peer.closed.is_set()
            assert leg.stats().stream_dropped_samples > 20 * 8000
            leg.close()

    run(scene)


def test_a_message_beyond_the_limit_is_refused() -> None:
    async def scene(world: StreamWorld) -> None:
        shape = TwilioShape("twilio")
        async with world.peer(shape) as peer:
            line, leg = await world.answered()
            await peer.send(shape.media(99, b"\xff" * 40_000))
            await peer.closed.wait()
            assert peer.close_code == 1009
            assert await line.wait_gone() is LineEnd.ERROR
            leg.close()
        assert world.server.snapshot().protocol_errors == 1

    run(scene, limits=StreamLimits(message_bytes=20_000))


def test_a_far_side_without_a_sign_of_life_is_given_up() -> None:
    async def scene(world: StreamWorld) -> None:
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(world.url("/twilio"), autoping=False) as ws,
        ):
            for text in TwilioShape("twilio").hello():
                await ws.send_str(text)
            line, leg = await world.answered()
            began = asyncio.get_running_loop().time()
            assert await line.wait_gone() is LineEnd.ERROR
            assert 15 <= asyncio.get_running_loop().time() - began <= 25
            leg.close()
        assert world.server.snapshot().silent == 1

    run(scene)


# -- the door


async def status(world: StreamWorld, path: str = "/twilio", **headers: str) -> int:
    """Of an attempt to connect; 101 when it succeeds."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession() as client:
        try:
            async with client.ws_connect(world.url(path), headers=named):
                return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status


def test_who_is_let_in() -> None:
    async def scene(world: StreamWorld) -> None:
        assert await status(world) == 401
        assert await status(world, Authorization="Bearer no") == 401
        assert await status(world, Authorization="Bearer yes") == 101
        assert await status(world, "/nothing") == 404
        assert await status(world, Authorization="Bearer yes", Origin="https://evil") == 403
        assert await status(world, "/open", Origin="https://mine") == 101
        assert await status(world, "/open") == 101
        world.server.drain()
        assert await status(world, Authorization="Bearer yes") == 503
        counts = world.server.snapshot()
        assert (counts.refused_auth, counts.refused_origin, counts.refused_draining) == (2, 1, 1)

    run(
        scene,
        StreamEndpoint("twilio", auth=(Bearer("yes"),)),
        StreamEndpoint("telnyx", path="/open", origins=frozenset({"https://mine"})),
    )


def test_draining_leaves_running_calls_alone() -> None:
    async def scene(world: StreamWorld) -> None:
        async with world.peer(TwilioShape("twilio")) as peer:
            _, leg = await world.answered()
            world.server.drain()
            assert await status(world) == 503
            await speak(leg, noise(500, 8000))
            await asyncio.sleep(1)
            assert not peer.closed.is_set()
            assert sounding(decoded(peer.phone.heard, "PCMU"), 300) > 3000
            leg.close()

    run(scene)


def test_only_so_many_connections() -> None:
    async def scene(world: StreamWorld) -> None:
        async with world.peer(TwilioShape("twilio")):
            assert await status(world) == 503
        await asyncio.sleep(0.1)
        assert await status(world) == 101
        assert world.server.snapshot().refused_full == 1

    run(scene, limits=StreamLimits(connections=1))


def test_what_is_no_upgrade() -> None:
    async def scene(world: StreamWorld) -> None:
        base = world.url("/twilio").replace("ws", "http", 1)
        async with aiohttp.ClientSession() as client:
            async with client.get(base) as plain:
                assert plain.status == 426
            upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
            async with client.get(base, headers=upgrade) as old:
                assert old.status == 426
                assert old.headers["Sec-WebSocket-Version"] == "13"
            keyless = {**upgrade, "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "no"}
            async with client.get(base, headers=keyless) as bad:
                assert bad.status == 400
        assert world.server.snapshot().refused_handshake == 3

    run(scene)


def test_closing_the_server_ends_all_calls() -> None:
    async def scene(world: StreamWorld) -> None:
        async with world.peer(TwilioShape("twilio")) as peer:
            line, leg = await world.answered()
            await asyncio.sleep(0.2)
            await world.server.aclose()
            assert await line.wait_gone() is LineEnd.HANGUP
            await peer.closed.wait()
            assert peer.close_code == 1001
            leg.close()

    run(scene)


def test_a_host_that_fails_hurts_its_call_only() -> None:
    async def scene(world: StreamWorld) -> None:
        def broken(line: object) -> None:
            raise RuntimeError("host")

        world.server._on_incoming = broken
        async with world.peer(TwilioShape("twilio")) as peer:
            await peer.closed.wait()
            assert peer.close_code == 1011
        assert world.server.snapshot().internal == 1
        world.server._counters._counts["internal"] = 0

    run(scene)
