"""Asterisk 22, set up as docs/asterisk.md tells: AudioSocket, chan_websocket, externalMedia, SIP.

Runs where MEDIACORE_ASTERISK names a folder with one, as root. tools/nightly.sh does both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mediacore.call.record import CallRecord, MarkKind
from mediacore.providers.scripted import End, Say, Voice
from mediacore.slots.gateway import LineEnd
from mediacore.transports.streams.auth import Basic
from mediacore.transports.streams.config import StreamEndpoint
from support.asterisk_stage import AsteriskStage, behind, call, command, each_of
from support.peers import asterisk as peer
from support.peers.asterisk import Asterisk, Ports
from support.peers.asterisk_ari import AriBridge
from support.peers.baresip import Baresip
from support.peers.speech import Samples, padded, prompt, read_wav, similarity, write_wav
from support.phone_calls import (
    ANSWER,
    FOREVER,
    PLAY,
    SRATE_HZ,
    baresip,
    heard_by_service,
    hears,
    missing,
    question,
    running,
    welcome,
)
from support.sip_stage import blocking
from support.stream_world import StreamWorld, noise, speak

ROOT = peer.chroot()
if ROOT is None:
    pytest.skip(peer.MISSING, allow_module_level=True)

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]

WAYS = {"audiosocket": "7001", "slin16": "7002", "ulaw": "7012", "sip": "7004"}
"""Extension by way in; slin16 has JSON messages, ulaw plain ones."""
CODECS = {"audiosocket": "L16", "slin16": "L16LE", "ulaw": "PCMU", "sip": "PCMU"}
KINDS = {"audiosocket": "audiosocket", "slin16": "chan_websocket", "ulaw": "chan_websocket"}
MUSIC_S = 3.0
AUDIBLE = 0.99


def music() -> Samples:
    """What Asterisk plays to who is on hold."""
    return prompt("vm-instructions")[: int(MUSIC_S * SRATE_HZ)]


@pytest.fixture
def asterisk(tmp_path: Path) -> Iterator[Asterisk]:
    assert ROOT is not None
    built = Asterisk(ROOT, tmp_path / "asterisk", Ports.free())
    write_wav(built.folder / "music" / "music.wav", music())
    with built:
        yield built
        print(built.log())  # shown with a failure


def phones(path: Path, said: Samples | None = None) -> Mapping[str, Baresip]:
    """One for each way."""
    return {way: baresip(path, way, said) for way in WAYS}


def arrived(said: Samples, heard: Samples) -> bool:
    """Whole, or in pieces between which a jitter buffer gave way on a busy machine."""
    return similarity(said, heard) > AUDIBLE or missing(said, heard) <= 1


async def call_all(asterisk: Asterisk, callers: Mapping[str, Baresip]) -> None:
    await asyncio.gather(*(call(asterisk, WAYS[way], each) for way, each in callers.items()))


def by_way(stage: AsteriskStage) -> dict[str, CallRecord]:
    """Records of one call each way."""
    found = {
        next(
            way
            for way in WAYS
            if record.transport.kind == KINDS.get(way, "sip")
            and record.transport.codec == CODECS[way]
        ): record
        for record in stage.records
    }
    assert set(found) == set(WAYS)
    return found


def test_audio_and_keys_both_ways_and_the_service_hangs_up(
    tmp_path: Path, asterisk: Asterisk
) -> None:
    callers = phones(tmp_path)
    collect = {"prompt": {"play": "silence:0.1", "max_digits": 8, "terminators": "#"}}
    say = {"user_event": {"event": {"pressed": "%{prompt_value}", "from": "%{call.from}"}}}

    async def main() -> None:
        async with behind(
            asterisk, tmp_path, ANSWER, {"sleep": 300}, PLAY, collect, say, {"hangup": {}}
        ) as stage:
            async with running(*callers.values()):
                await call_all(asterisk, callers)
                assert len(await blocking(asterisk.channels)) == 7  # AudioSocket() has none
                await asyncio.sleep(3.6)
                await each_of(callers, lambda phone: phone.press("1840#"))
                await each_of(callers, lambda phone: phone.expect("CALL_CLOSED", 20))
                await stage.until(lambda: len(stage.records) == len(WAYS))
            records = by_way(stage)
            assert [each["pressed"] for each in stage.told()] == ["1840"] * len(WAYS)
            assert {"slin16", "ulaw", "sip:sip"} <= {e["from"].split("@")[0] for e in stage.told()}
            sockets, streams = stage.snapshot("audiosocket"), stage.snapshot("streams")
            assert (sockets.broken, sockets.malformed, sockets.unknown, sockets.idle) == (0,) * 4
            assert (streams.bad_messages, streams.peer_errors, streams.unknown_marks) == (0,) * 3
        for way, caller in callers.items():
            record = records[way]
            assert arrived(welcome(), hears(caller)), way
            assert arrived(question(), heard_by_service(tmp_path, record)), way
            assert record.end_reason == "hangup"

    asyncio.run(main())


def test_the_phone_hangs_up(tmp_path: Path, asterisk: Asterisk) -> None:
    callers = phones(tmp_path)

    async def main() -> None:
        async with behind(asterisk, tmp_path, ANSWER, PLAY, FOREVER) as stage:
            async with running(*callers.values()):
                await call_all(asterisk, callers)
                await asyncio.sleep(1)
                await each_of(callers, lambda phone: phone.hangup())
                await stage.until(lambda: len(stage.records) == len(WAYS), 3)
            assert {record.end_reason for record in by_way(stage).values()} == {"hangup"}
            sockets, streams = stage.snapshot("audiosocket"), stage.snapshot("streams")
            assert (sockets.broken, sockets.idle, streams.cut_off) == (0, 0, 0)

    asyncio.run(main())


MS_PER_CHAR = 20
STORY = " ".join("abcdefghijklmnopqrstuvwxyz" * 3)
"""Short words: a heard text tells the time to a frame."""
AI = {"ai": {"prompt": {"text": "Be kind."}, "params": {"wait_for_user": True}}}


def told_story(caller: Baresip) -> int:
    """How much of the voice a phone's recording has, in ms."""
    samples, _ = read_wav(caller.heard())
    frames = samples[: len(samples) // 40 * 40].reshape(-1, 40)
    loud = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > 0.005) * 5
    gap = np.flatnonzero(np.diff(loud) > 45)
    return int(loud[gap[0] if len(gap) else -1] + 5 - loud[0])


def test_the_ledger_has_what_the_phone_heard_when_the_caller_interrupts(
    tmp_path: Path, asterisk: Asterisk
) -> None:
    first, second = question(1.2), prompt("vm-msgsaved")[: int(1.2 * SRATE_HZ)]
    callers = phones(tmp_path, padded(1.0, first, 2.3, second, 60.0))
    everyone = len(callers)

    async def main() -> None:
        async with behind(
            asterisk,
            tmp_path,
            *(ANSWER, AI),
            rules=[("which", STORY), ("stop", [Say("Bye."), End()])],
            stt=["which seats", "stop please"],
            voice=Voice(ms_per_char=MS_PER_CHAR, first_delay_ms=30),
        ) as stage:
            async with running(*callers.values()):
                await call_all(asterisk, callers)
                await each_of(callers, lambda phone: phone.expect("CALL_CLOSED", 20))
                await stage.until(lambda: len(stage.records) == everyone)
            records = by_way(stage)
        for way, record in records.items():
            (cut,) = [turn for turn in record.turns if turn.was_cut]
            paused = record.marks[0]
            assert paused.kind is MarkKind.PAUSE
            assert paused.took_ms is not None and paused.took_ms < 200
            heard_ms = len(cut.heard_text) * MS_PER_CHAR
            assert 800 < heard_ms < len(STORY) * MS_PER_CHAR - 400
            assert abs(heard_ms - told_story(callers[way])) <= 40, way

    asyncio.run(main())


@pytest.mark.parametrize("way", ["slin16", "ulaw"])
def test_what_was_flushed_is_known_to_the_frame(tmp_path: Path, way: str) -> None:
    """A cut in mid-speech: Asterisk is asked what it still has, then told to drop it."""
    proof = Basic("asterisk", "change-me")
    endpoint = StreamEndpoint("chan_websocket", "/asterisk", (proof,), ahead_ms=200)
    caller = baresip(tmp_path, "anna", padded(60.0))

    async def main() -> None:
        async with StreamWorld(endpoint, real=True) as world, AsyncExitStack() as stack:
            assert ROOT is not None
            ports = replace(Ports.free(), streams=world.server.address[1])
            built = Asterisk(ROOT, tmp_path / "asterisk", ports)
            await stack.enter_async_context(running(built, caller))
            dialling = asyncio.ensure_future(call(built, WAYS[way], caller))
            line, leg = await world.answered()
            await dialling
            speaking = asyncio.ensure_future(speak(leg, noise(4000, leg.srate_hz)))
            await asyncio.sleep(1.73)
            leg.cut(1)
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
            leg.end()
            await asyncio.sleep(0.3)
            played_ms = leg.stats().played_samples * 1000 // leg.srate_hz
            left_ms = line.far_delay_ms()
            # RTP has stopped: what comes next makes the phone play what its jitter buffer holds.
            await speak(leg, noise(400, leg.srate_hz), 2, leg.stats().generation)
            await asyncio.sleep(0.8)
            await line.hangup(LineEnd.HANGUP)
            await blocking(lambda: caller.expect("CALL_CLOSED"))
        assert left_ms is not None and 100 <= left_ms <= 260
        assert abs(played_ms - left_ms - told_story(caller)) <= 40

    asyncio.run(main())


def test_external_media(tmp_path: Path, asterisk: Asterisk) -> None:
    caller = baresip(tmp_path, "anna", padded(1.5, question(), 60.0))

    async def main() -> None:
        async with (
            AriBridge(asterisk) as ari,
            behind(asterisk, tmp_path, ANSWER, {"sleep": 500}, PLAY, FOREVER) as stage,
            running(caller),
        ):
            await call(asterisk, "7003", caller)
            await asyncio.sleep(4.5)
            await blocking(lambda: caller.press("7"))
            await asyncio.sleep(0.3)
            await blocking(caller.hangup)
            record = await stage.record()  # RTP stopped
            counts = stage.snapshot("rtp")
            assert ari.digits == "7"
        assert record.transport.kind == "rtp" and record.end_reason == "hangup"
        assert (counts.calls, counts.strangers, counts.not_rtp) == (1, 0, 0)
        assert arrived(welcome(), hears(caller))
        assert arrived(question(), heard_by_service(tmp_path, record))

    asyncio.run(main())


def test_a_wrong_password_of_the_web_socket_gets_no_call(
    tmp_path: Path, asterisk: Asterisk
) -> None:
    caller = baresip(tmp_path, "anna")

    async def main() -> None:
        async with behind(asterisk, tmp_path, ANSWER, FOREVER) as stage, running(caller):
            await blocking(lambda: caller.dial(asterisk.uri("8002")))
            await blocking(lambda: caller.expect("CALL_CLOSED"))
            assert stage.snapshot("streams").refused_auth >= 1
            assert not stage.records and not stage.service.host.calls

    asyncio.run(main())


def test_who_is_on_hold_hears_music_or_is_told(tmp_path: Path, asterisk: Asterisk) -> None:
    """7004: Asterisk plays its music to the service. 8004 (moh_passthrough): it tells of the hold,
    and the voice waits."""
    callers = {
        extension: baresip(tmp_path, f"p{extension}", padded(5.0, question(), 60.0))
        for extension in ("7004", "8004")
    }

    async def main() -> None:
        async with behind(asterisk, tmp_path, ANSWER, PLAY, FOREVER) as stage:
            async with running(*callers.values()):
                for extension, caller in callers.items():
                    await call(asterisk, extension, caller)
                await asyncio.sleep(1.2)
                await each_of(callers, lambda phone: phone.hold())
                await asyncio.sleep(3.2)
                await each_of(callers, lambda phone: phone.resume())
                await asyncio.sleep(4.2)
                await each_of(callers, lambda phone: phone.hangup())
                await stage.until(lambda: len(stage.records) == 2)
            plain, told_so = sorted(
                stage.records, key=lambda r: any(m.kind is MarkKind.PAUSE for m in r.marks)
            )
        assert missing(music()[: 2 * SRATE_HZ], heard_by_service(tmp_path, plain)) <= 1
        kinds = [mark.kind for mark in told_so.marks]
        assert kinds[:2] == [MarkKind.PAUSE, MarkKind.RESUME]
        assert told_so.media["played_samples"] == told_so.media["queued_samples"]
        for record in (plain, told_so):
            assert missing(question(), heard_by_service(tmp_path, record)) <= 1

    asyncio.run(main())


def test_calls_go_out_through_asterisk(tmp_path: Path, asterisk: Asterisk) -> None:
    """By the trunk, with its password, to a number that the dial policy allows."""
    bob = baresip(tmp_path, "bob")
    asterisk.set("BOB", bob.port)

    async def main() -> None:
        async with behind(asterisk, tmp_path) as stage, running(bob):
            to = {"to_number": "+15551234", "from_number": "+15550001", "timeout": 10}
            device = {"type": "phone", "params": to}
            await command(stage, "dial", {"tag": "t", "devices": [[device]]})
            await blocking(lambda: bob.expect("CALL_ESTABLISHED"))
            await stage.until(lambda: stage.of("call.dial"))
            line = stage.of("call.dial")[-1]["call"]["call_id"]
            item = {"type": "audio", "params": {"url": "welcome.wav"}}
            await command(stage, "play", {"control_id": "p", "play": [item]}, line)
            await stage.until(lambda: "finished" in [e["state"] for e in stage.of("call.play")])
            assert any("mediacore" in each for each in await blocking(asterisk.channels))
            await command(stage, "end", {"reason": "hangup"}, line)
            await blocking(lambda: bob.expect("CALL_CLOSED"))
            record = await stage.record()
        assert arrived(welcome(), hears(bob))
        assert arrived(question(), heard_by_service(tmp_path, record))

    asyncio.run(main())


def test_asterisk_takes_the_caller_away(tmp_path: Path, asterisk: Asterisk) -> None:
    """channel redirect: the call is over for the service, and goes on for the phone."""
    caller = baresip(tmp_path, "anna", padded(3.0, question(), 60.0))

    async def main() -> None:
        async with behind(asterisk, tmp_path, ANSWER, PLAY, FOREVER) as stage, running(caller):
            await call(asterisk, "7004", caller)
            await asyncio.sleep(1)
            (phone,) = [c for c in await blocking(asterisk.channels) if "anonymous" in c]
            await blocking(lambda: asterisk.console(f"channel redirect {phone} from-phones,echo,1"))
            record = await stage.record()
            assert record.end_reason == "hangup"
            await asyncio.sleep(5.5)
            await blocking(caller.hangup)
        assert arrived(question(), hears(caller))

    asyncio.run(main())


@pytest.mark.parametrize("by", ["phone", "service"])
def test_blind_transfer(tmp_path: Path, asterisk: Asterisk, by: str) -> None:
    """REFER: of the phone, which leaves the service to another; of the service, which leaves."""
    anna = baresip(tmp_path, "anna", padded(4.0, question(), 60.0))
    bob = baresip(tmp_path, "bob", padded(1.0, question(), 60.0))
    asterisk.set("BOB", bob.port)
    target = asterisk.uri("+15551234")
    refer = {"sip_refer": {"to_uri": target}}
    say = {"user_event": {"event": {"result": "%{sip_refer_result}"}}}
    stays: list[object] = [{"sleep": 2500}, PLAY, FOREVER]
    leaves: list[object] = [{"sleep": 500}, refer, say, {"hangup": {}}]

    async def main() -> None:
        does = stays if by == "phone" else leaves
        async with behind(asterisk, tmp_path, ANSWER, *does) as stage, running(anna, bob):
            await call(asterisk, "7004", anna)
            if by == "phone":
                await asyncio.sleep(0.5)
                await blocking(lambda: anna.transfer(asterisk.uri("bob")))
            await blocking(lambda: bob.expect("CALL_ESTABLISHED"))
            if by == "service":
                await stage.record()
            await asyncio.sleep(6)
            await blocking(bob.hangup)
            await blocking(lambda: anna.expect("CALL_CLOSED"))
            record = await stage.record()
        if by == "phone":
            assert arrived(welcome(), hears(bob))
            assert arrived(question(), heard_by_service(tmp_path, record))
        else:
            assert stage.told() == [{"result": "success"}]
            assert arrived(question(), hears(anna))

    asyncio.run(main())
