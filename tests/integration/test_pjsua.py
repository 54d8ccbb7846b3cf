"""The phone pjsua2 and the service: DTX, attended transfer, PRACK, session timers, refusals."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mediacore.call.record import MarkKind
from mediacore.transports.sip.settings import SipConfig, Transfers
from support.peers.pjsua import Pjsua
from support.peers.speech import Samples, padded, prompt, write_wav
from support.phone_calls import (
    ANSWER,
    FOREVER,
    PLAY,
    SLIPS,
    SRATE_HZ,
    UDP,
    Ahead,
    at_8k,
    heard_by_service,
    missing,
    question,
    running,
    service,
    told,
    traced,
    welcome,
)
from support.sip_stage import SipStage, blocking

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]

TIMERS = SipConfig(binds=(UDP,), session_expires_s=90, min_se_s=90)


def pjsua(path: Path, name: str, said: Samples | None = None, *options: str) -> Pjsua:
    """A phone that says `said`, by default the question once and then nothing."""
    folder = path / name
    folder.mkdir()
    samples = padded(0.5, question(), 60.0) if said is None else said
    return Pjsua(write_wav(folder / "said.wav", samples), folder, *options)


async def expect(phone: Pjsua, kind: str, seconds: float = 10, **facts: Any) -> dict[str, Any]:
    return await blocking(lambda: phone.expect(kind, seconds, **facts))


async def dial(stage: SipStage, phone: Pjsua) -> None:
    """Call the service and wait until it has answered."""
    phone.do(f"call {stage.uri()}")
    await expect(phone, "state", state="CONFIRMED")


async def hang_up(phone: Pjsua) -> None:
    phone.do("hangup")
    await expect(phone, "closed")


def event(**facts: str) -> dict[str, object]:
    return {"user_event": {"event": facts}}


def test_silence_that_is_not_sent_is_no_loss(tmp_path: Path) -> None:
    said = padded(0.8, question(1.5), 1.5, question(1.5), 60.0)
    phone = pjsua(tmp_path, "dora", said, "--dtx")

    async def main() -> None:
        async with service(tmp_path, ANSWER, PLAY, FOREVER) as stage, running(phone):
            await dial(stage, phone)
            await asyncio.sleep(6)
            await hang_up(phone)
            record = await stage.record()
        media = record.media
        assert media["rx_packets"] < 0.85 * media["ticks"]  # it did save
        assert media["rx_lost"] == 0 and media["mos_x100"] > 400
        # What the jitter buffer fills in until it is clear that nothing comes: 200 ms a pause.
        assert media["rx_concealed_samples"] <= 3 * SRATE_HZ // 5
        assert media["rx_comfort_samples"] > SRATE_HZ
        assert MarkKind.MEDIA_LOST not in [mark.kind for mark in record.marks]
        assert missing(question(1.5), heard_by_service(tmp_path, record)) <= SLIPS
        assert missing(welcome(), at_8k(phone.recording)) <= SLIPS

    asyncio.run(main())


def test_an_attended_transfer(tmp_path: Path) -> None:
    """A talks to the service, then to C, and then leaves the two to each other."""
    a = pjsua(tmp_path, "anna", padded(60.0))
    c = pjsua(tmp_path, "carl", padded(1.8, question(), 60.0))

    async def main() -> None:
        async with (
            service(tmp_path, ANSWER, {"sleep": 2200}, PLAY, FOREVER) as stage,
            running(a, c),
        ):
            await dial(stage, a)
            a.do("hold")
            a.do(f"call {c.uri}")
            await expect(a, "state", state="CONFIRMED", call=1)
            await asyncio.sleep(0.5)
            a.do("attended")
            assert (await expect(a, "transfer", final=True))["code"] == 200
            await expect(a, "closed", call=0)
            await expect(a, "closed", call=1)
            new = (await expect(c, "replaced"))["call"]
            await expect(c, "closed")
            await asyncio.sleep(5.5)
            (call,) = stage.service.host.calls
            c.do("hangup")
            await expect(c, "closed", call=new)
            record = await stage.record()
        assert record.end_reason == "hangup" and record.call_id == call.call_id
        assert missing(welcome(), at_8k(c.recording)) <= SLIPS
        assert missing(question(), heard_by_service(tmp_path, record)) <= SLIPS

    asyncio.run(main())


def test_a_transfer_that_is_not_allowed_leaves_the_call_as_it_was(tmp_path: Path) -> None:
    phone = pjsua(tmp_path, "anna")
    sip = SipConfig(binds=(UDP,), transfers=Transfers.REFUSE)

    async def main() -> None:
        async with service(tmp_path, ANSWER, PLAY, FOREVER, sip=sip) as stage:
            async with running(phone):
                await dial(stage, phone)
                await asyncio.sleep(0.5)
                phone.do("transfer sip:nobody@127.0.0.1:9")
                assert (await expect(phone, "transfer", final=True))["code"] == 603
                await asyncio.sleep(3)
                await hang_up(phone)
                record = await stage.record()
            assert stage.agent.snapshot().referrals_refused == 1
        assert missing(welcome(), at_8k(phone.recording)) <= SLIPS
        assert missing(question(), heard_by_service(tmp_path, record)) <= SLIPS

    asyncio.run(main())


def test_hold_keys_and_another_codec_within_one_call(tmp_path: Path) -> None:
    phone = pjsua(tmp_path, "hugo", padded(2.7, question(2), 60.0))
    sound = prompt("vm-intro")[: 4 * SRATE_HZ]
    collect = {"prompt": {"play": "silence:0.1", "max_digits": 3, "initial_timeout": 10}}
    say = event(pressed="%{prompt_value}")
    statements = (ANSWER, PLAY, collect, say, {"send_digits": "7*8#"}, FOREVER)

    async def main() -> None:
        async with service(tmp_path, *statements, sound=sound) as stage, running(phone):
            await dial(stage, phone)
            await asyncio.sleep(0.8)
            phone.do("hold")
            await asyncio.sleep(1)
            phone.do("resume")
            await asyncio.sleep(0.8)
            phone.do("codec PCMA")
            await stage.until(lambda: "finished" in [e["state"] for e in stage.of("call.play")])
            await asyncio.sleep(0.8)  # it has said everything
            phone.do("dtmf 135")
            heard = [(await expect(phone, "digit"))["digit"] for _ in range(4)]
            await expect(phone, "media", codec="PCMA")
            await hang_up(phone)
            record = await stage.record()
        assert told(stage) == [{"pressed": "135"}]
        assert "".join(heard) == "7*8#"
        kinds = [mark.kind for mark in record.marks]
        assert kinds[:3] == [MarkKind.PAUSE, MarkKind.RESUME, MarkKind.DIGIT]
        # The pieces within which it was held, and within which the codec changed.
        assert missing(sound, at_8k(phone.recording)) <= 2
        assert missing(question(2), heard_by_service(tmp_path, record)) <= SLIPS
        assert record.media["rx_wrong_pt"] <= 3  # of the old codec, on the way when it changed

    asyncio.run(main())


def test_phones_that_refuse(tmp_path: Path) -> None:
    caller = pjsua(tmp_path, "anna", padded(60.0))
    codes = {603: "decline", 404: "not_found", 486: "busy", 500: "error"}
    phones = [pjsua(tmp_path, f"p{code}", padded(60.0), "--answer", str(code)) for code in codes]
    statements: list[object] = [ANSWER]
    for phone in phones:
        statements += [
            {"connect": {"to": phone.uri, "timeout": 5}},
            event(reason="%{connect_failed_reason}"),
        ]

    async def main() -> None:
        async with (
            service(tmp_path, *statements, {"hangup": {}}) as stage,
            running(caller, *phones),
        ):
            await dial(stage, caller)
            await expect(caller, "closed")
            await stage.record()
        assert told(stage) == [{"reason": reason} for reason in codes.values()]

    asyncio.run(main())


def test_reliable_provisional_answers(tmp_path: Path) -> None:
    """Phones that insist on PRACK, as the caller and as the called; also with early media."""

    async def main(path: Path, early: bool) -> None:
        path.mkdir()
        caller = pjsua(path, "anna", padded(0.5, question(1.5), 60.0), "--prack")
        called = pjsua(path, "carl", None, "--prack", "--answer", "180")
        sip = SipConfig(binds=(UDP,), early_media=early)
        async with service(path, {"connect": {"to": called.uri}}, sip=sip) as stage:
            seen = traced(stage)
            async with running(caller, called):
                await dial(stage, caller)
                await expect(called, "incoming")
                await stage.until(lambda: "200 PRACK" in seen)
                called.do("answer 200")
                await expect(called, "state", state="CONFIRMED")
                await asyncio.sleep(2.5)
                await hang_up(caller)
                await expect(called, "closed")
                await stage.record()
        assert seen.count("PRACK") == 1 and seen.count("200 PRACK") == 1
        assert missing(question(1.5), at_8k(called.recording)) <= SLIPS

    for early in (False, True):
        asyncio.run(main(tmp_path / str(early), early))


def test_session_timers(tmp_path: Path) -> None:
    """We refresh a call of ours; a caller that stops refreshing is given up."""
    caller = pjsua(tmp_path, "anna", None, "--timer")
    called = pjsua(tmp_path, "carl", None, "--timer")

    async def main() -> None:
        async with service(tmp_path, {"connect": {"to": called.uri}}, sip=TIMERS) as stage:
            seen = traced(stage)
            clock = Ahead(stage)
            async with running(caller, called):
                await dial(stage, caller)
                await expect(called, "state", state="CONFIRMED")
                await asyncio.sleep(3)
                for number in (1, 2):
                    caller.do("update")
                    await until_count(stage, seen, "UPDATE", number)
                    clock.jump(46)  # half of the interval: the call to the other phone
                    await until_count(stage, seen, "200 UPDATE", number)
                assert len(stage.service.host.calls) == 1
                clock.jump(62)
                await expect(caller, "closed")
                await expect(called, "closed")
                record = await stage.record()
        assert record.end_reason == "error"
        assert missing(question(), at_8k(called.recording)) <= SLIPS

    asyncio.run(main())


async def until_count(stage: SipStage, seen: list[str], what: str, count: int) -> None:
    try:
        await stage.until(lambda: seen.count(what) == count, 5)
    except TimeoutError:
        raise AssertionError(f"no {count} {what} in {seen}") from None
