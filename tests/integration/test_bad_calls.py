"""A service whose every door is attacked while phones of other people talk to it undisturbed."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from impair import Conditions, Relay

from mediacore.wire import audiosocket
from support.attackers import SOURCE, Footprint, flood, loris, pour, rubbish, shower
from support.peers.sipp import Sipp, call_with_audio
from support.peers.speech import padded, prompt, similarity
from support.phone_calls import baresip, heard_by_service
from support.raw_phone import Manners, RawPhone, garbage, media_lookalikes
from support.siege import Siege, besieged, check_punctual, long_speech
from support.sip_stage import HOST, blocking
from support.sip_torture import INVALID, STRANGE_BUT_VALID

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]

TORTURE = [*STRANGE_BUT_VALID.values(), *(data for _, data in INVALID.values())]
ID = UUID("40325ec2-5efd-4bd3-805f-53576e581d13")


def run(path: Path, work: Callable[[Siege], Awaitable[None]], **sip: Any) -> None:
    async def main() -> None:
        async with besieged(path, **sip) as siege:
            await work(siege)

    asyncio.run(main())


def recognised(said: np.ndarray, heard: np.ndarray, like: float) -> float:
    """Share of the voiced 300 ms pieces of `said` that are in `heard` so much alike."""
    size = 2400
    pieces = [said[at : at + size] for at in range(0, len(said) - size, size)]
    voiced = [piece for piece in pieces if np.sqrt(np.mean(piece**2)) > 0.02]
    assert len(voiced) > 5
    return sum(similarity(piece, heard) > like for piece in voiced) / len(voiced)


# -- what is no SIP, and what is hardly SIP


def test_torture_and_rubbish_on_every_port(tmp_path: Path) -> None:
    async def work(siege: Siege) -> None:
        rng = random.Random(4475)
        bad = rubbish(rng, TORTURE)
        tls = ssl.create_default_context(cafile=str(siege.path / "cert.pem"))
        stage = siege.stage
        async with siege.good_calls():
            udp = siege.address()
            await blocking(lambda: shower([udp], bad, 0.002))
            for transport, context in (("TCP", None), ("TLS", tls), ("TLS", None)):
                address = siege.address(transport)
                for at in range(0, len(bad), 72):
                    some = bad[at : at + 72 : 3]
                    await asyncio.gather(*(pour(address, each, context, 0.5) for each in some))
            await _rubbish_on_other_doors(siege, rng)
        stats = siege.stats
        assert stats.malformed > 60
        assert stats.transactions.counters.refused > 30
        assert stats.transactions.counters.malformed > 5
        assert stats.sockets.counters.unframeable > 10
        assert stats.sockets.counters.refused_connections > 20  # no TLS
        assert stage.asterisk.snapshot().broken > 3
        streams = stage.streams.snapshot()
        assert streams.bad_start >= 3, streams
        assert streams.protocol_errors > 0, streams

    run(tmp_path, work)


async def _rubbish_on_other_doors(siege: Siege, rng: random.Random) -> None:
    """AudioSocket and media streams."""
    door = siege.stage.asterisk.address
    begin = audiosocket.identify(ID)
    for _ in range(20):
        await pour(door, rng.randbytes(400))
    for _ in range(3):
        kinds = b"".join(bytes([rng.randrange(256), 0, 9]) + rng.randbytes(9) for _ in range(50))
        await pour(door, begin + kinds + audiosocket.hangup())
    where = siege.stage.streams.address
    upgrade = (
        b"GET /twilio HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    text = json.dumps({"event": "start"}).encode()
    frames = (text, b'{"event": "media", "media": {"payload": "!!"}}', b"{" * 300, b"\xff" * 50)
    for frame in frames:
        await pour(where, upgrade + _masked(1, frame) * 40)
    await pour(where, upgrade + _masked(2, rng.randbytes(160)) * 40)
    await pour(where, upgrade + rng.randbytes(500))
    for _ in range(5):
        await pour(where, rng.randbytes(300) + b"\r\n\r\n")


def _masked(opcode: int, data: bytes) -> bytes:
    length = (
        bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    )
    return bytes([0x80 | opcode]) + length + bytes(4) + data


def test_connections_that_say_nothing_or_hardly_anything(tmp_path: Path) -> None:
    async def work(siege: Siege) -> None:
        message = next(iter(STRANGE_BUT_VALID.values()))
        async with siege.good_calls():
            doors = [siege.address("TCP"), siege.address("TLS")]
            silent = [
                asyncio.open_connection(*doors[n % 2], local_addr=(SOURCE, 0)) for n in range(80)
            ]
            opened = await asyncio.gather(*silent, return_exceptions=True)
            slow = [
                asyncio.ensure_future(loris(doors[0], message, 0.2, "127.0.0.67")) for _ in range(8)
            ]
            await asyncio.sleep(0.5)
            assert siege.stats.sockets.connections <= 32 + 8 + 2
            await asyncio.sleep(2.0)
            assert siege.stats.sockets.connections <= 2  # those of good phones
            assert all(0.5 < lasted < 3 for lasted in await asyncio.gather(*slow))
            for each in opened:
                if not isinstance(each, BaseException):
                    each[1].transport.abort()
        counters = siege.stats.sockets.counters
        assert counters.refused_connections >= 40
        assert counters.timed_out >= 10

    run(tmp_path, work)


# -- a thousand calls a second


def test_a_flood_of_invites_from_one_source(tmp_path: Path) -> None:
    async def work(siege: Siege) -> None:
        before = siege.stats
        async with siege.good_calls():
            flooding = asyncio.create_task(
                blocking(lambda: flood(siege.address(), 1000, 4.0, listen_s=4.0))
            )
            most, worst = 0, Footprint.now()
            while not flooding.done():
                await asyncio.sleep(0.1)
                most = max(most, len(siege.stage.service.host.calls))
                now = Footprint.now()
                worst = now if now.resident_mb > worst.resident_mb else worst
            flooded = await flooding
        assert flooded.sent == 4000
        assert most <= 16 + 2
        assert worst.resident_mb - siege.before.resident_mb < 64, (siege.before, worst)
        after = siege.stats
        counts = after.transactions.counters
        assert counts.dropped > 3000, counts
        assert after.gate.full_source > 50, after.gate
        assert after.agent.incoming - before.agent.incoming <= 40 + 2
        assert flooded.bytes_in < flooded.bytes_out // 2, flooded
        assert flooded.answers < flooded.sent // 2, flooded
        await siege.until_quiet()
        await siege.stage.until(lambda: siege.stats.transactions.servers == 0, 10)

    run(tmp_path, work, max_calls_per_source=16)


# -- who is no part of a call, and who is and does not behave


def test_strangers_and_a_mad_peer_in_running_calls(tmp_path: Path) -> None:
    async def work(siege: Siege) -> None:
        rng = random.Random(99)
        packets = [next(source) for source in [media_lookalikes(rng)] for _ in range(3000)]
        said = padded(0.2, prompt("vm-intro"))
        async with siege.good_calls():
            with RawPhone(siege.address(), said) as mad:
                assert await blocking(mad.call) == 200
                ports = siege.stage.rtp_ports()
                assert len(ports) == 3
                targets = [(HOST, port + odd) for port in ports for odd in (0, 1)]
                sent = await blocking(lambda: shower(targets, packets, 0.004))
                assert sent == 6 * len(packets)

                def rave() -> None:
                    bad = garbage(rng, media_lookalikes(rng))
                    for number, data in zip(range(3000), bad, strict=False):
                        host, port = mad.rtp_to
                        sock, odd = (mad.rtcp, 1) if number % 3 == 0 else (mad.rtp, 0)
                        sock.sendto(data, (host, port + odd))
                        if number % 16 == 0:
                            asyncio.run(asyncio.sleep(0.01))

                mad.sending.clear()
                await blocking(rave)
                mad.sending.set()
                await asyncio.sleep(len(said) / 8000 + 1.5)
                assert await blocking(mad.bye) == 200
            await siege.stage.until(lambda: siege.others)
            (record,) = siege.others
            assert record.end_reason == "hangup"
            assert record.media["rx_malformed"] > 100, record.media
            heard = heard_by_service(siege.path, record)
            assert recognised(prompt("vm-intro"), heard[-8000 * 8 :], 0.9) > 0.8

    run(tmp_path, work)


def test_peers_that_do_not_acknowledge_do_not_answer_or_die(tmp_path: Path) -> None:
    """Every one of their calls is over in seconds; the others go on."""

    async def work(siege: Siege) -> None:
        service = siege.address()
        deaf = RawPhone(service, manners=Manners(acks=False), user="deaf", seed=2)
        gone = RawPhone(service, manners=Manners(acks=False, answers=False), user="gone", seed=3)
        lossy = RawPhone(service, manners=Manners(acks=False, dropped={"BYE": 3}), user="lossy")
        folder = siege.path / "dies"
        folder.mkdir()
        dies = baresip(folder, "dies", long_speech())
        async with siege.good_calls():
            with deaf, gone, lossy, dies:
                for phone in (deaf, gone, lossy):
                    assert await blocking(phone.call) == 200
                uri = siege.stage.uri()
                await blocking(lambda: (dies.dial(uri), dies.expect("CALL_ESTABLISHED")))
                await asyncio.sleep(1)
                dies.program.kill()
                await siege.until_quiet(2, 15)
                for phone in (deaf, lossy):
                    await blocking(lambda p=phone: p.expect("BYE"))
                engine = siege.stage.hub.engine
                await siege.stage.until(lambda: engine.stats().legs_open == 2)
        states = siege.stage.of("call.state")
        ends = {s["call_id"]: s.get("end_reason") for s in states if s["call_state"] == "ended"}
        assert [why for call, why in ends.items() if call not in siege.good] == ["error"] * 4
        await siege.stage.until(lambda: siege.stats.transactions.clients == 0, 10)
        assert siege.stats.transactions.counters.timed_out >= 2, siege.stats  # gone, and the dead

    run(tmp_path, work)


# -- bad networks


@dataclass(frozen=True)
class Network:
    """conditions: of SIP and RTP, both ways. like, share: how alike, and how much of what is said
    must arrive. seed: of the relays."""

    conditions: Conditions
    like: float
    share: float
    seed: int


NETWORKS = (
    Network(Conditions(delay_ms=200, reorder=20), like=0.8, share=0.8, seed=5),
    Network(Conditions(delay_ms=20, loss=20), like=0.75, share=0.7, seed=15),
)


def test_calls_over_bad_networks(tmp_path: Path) -> None:
    """200 ms of reordering, 20 % loss: set up, understood, hung up, and no call twice."""

    async def work(siege: Siege) -> None:
        await asyncio.gather(*(_call_over(siege, network) for network in NETWORKS))
        assert len(siege.stage.records) == len(NETWORKS)
        assert {record.end_reason for record in siege.stage.records} == {"hangup"}

    run(tmp_path, work)


async def _call_over(siege: Siege, network: Network) -> None:
    said = prompt("vm-msginstruct")[: 8000 * 8]
    loop, bad = asyncio.get_running_loop(), network.conditions
    relays = [Relay((HOST, 0), siege.address(), bad, bad, network.seed)]
    signalling = await relays[0].start()
    user = f"net{network.seed}"

    def media(address: tuple[str, int]) -> tuple[str, int]:
        relays.append(Relay((HOST, 0), address, bad, bad, network.seed + 2))
        return asyncio.run_coroutine_threadsafe(relays[-1].start(), loop).result(5)

    try:
        with RawPhone(
            signalling, padded(0.3, said, 60.0), media=media, user=user, seed=network.seed
        ) as phone:
            assert await blocking(phone.call) == 200
            await asyncio.sleep(10)
            (call_id,) = [
                params["call_id"]
                for params in siege.stage.of("call.receive")
                if user in str(params["device"])
            ]
            assert await blocking(phone.bye) == 200
        await siege.stage.until(lambda: call_id in {r.call_id for r in siege.stage.records})
        found = [r for r in siege.stage.records if r.call_id == call_id]
    finally:
        for relay in relays:
            relay.close()
    there = recognised(said, heard_by_service(siege.path, found[0]), network.like)
    back = recognised(long_speech()[: 8000 * 8], phone.heard(), network.like)
    assert min(there, back) > network.share, (there, back, found[0].media)
    counters = [relay.there.counters for relay in relays]
    assert sum(each.lost + each.reordered for each in counters) > 50, counters


# -- many calls


def test_three_hundred_calls_leave_nothing_behind(tmp_path: Path) -> None:
    async def work(siege: Siege) -> None:
        stage = siege.stage

        async def calls(number: int) -> Footprint:
            def work() -> None:
                target = f"{HOST}:{stage.port()}"
                arguments = ("-l", "20", "-r", "30")
                scenario = call_with_audio(None, 300)
                with Sipp(target, scenario, siege.path / "s", *arguments, calls=number) as sipp:
                    result = sipp.wait(60)
                    assert result.exit_code == 0, sipp.errors()
                    assert result.successful == number

            await blocking(work, 70)
            await siege.until_quiet()
            await stage.until(lambda: siege.stats.agent.sessions == 0)
            await stage.until(
                lambda: asyncio.all_tasks() and stage.hub.engine.stats().legs_open == 0
            )
            return Footprint.now()

        warm = await calls(100)
        pacer = stage.hub.engine.pacer_stats()
        after = await calls(300)
        check_punctual(pacer, stage.hub.engine.pacer_stats())
        print("FIG", warm, after)
        assert after.resident_mb - warm.resident_mb < 16, (warm, after)
        assert after.descriptors <= warm.descriptors, (warm, after)
        assert after.tasks <= warm.tasks, (warm, after)
        assert {r.end_reason for r in stage.records} == {"hangup"}

    run(tmp_path, work)
