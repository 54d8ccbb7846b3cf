"""Calls between baresip phones and the service: transfers, referrals, bridges, calls to phones."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from mediacore.runtime.ports import Answer, Command
from mediacore.transports.sip.settings import SipConfig, Transfers
from support.peers.baresip import Baresip
from support.peers.speech import padded, prompt
from support.phone_calls import (
    ANSWER,
    FOREVER,
    PLAY,
    SLIPS,
    SRATE_HZ,
    UDP,
    baresip,
    heard_by_service,
    hears,
    missing,
    question,
    running,
    service,
    told,
    welcome,
)
from support.service_sim import PROJECT
from support.sip_stage import SipStage, blocking

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]

REPLY = prompt("vm-msginstruct")[3 * SRATE_HZ : 5 * SRATE_HZ]
G722 = "G722/16000/1"


def event(**facts: str) -> dict[str, object]:
    return {"user_event": {"event": facts}}


async def dial(stage: SipStage, phone: Baresip) -> None:
    """Call the service and wait until it has answered."""

    def work() -> None:
        phone.dial(stage.uri())
        phone.expect("CALL_ESTABLISHED")

    await blocking(work)


async def expect(phone: Baresip, kind: str, seconds: float = 10) -> None:
    await blocking(lambda: phone.expect(kind, seconds))


def test_a_phone_transfers_the_service_to_another(tmp_path: Path) -> None:
    a = baresip(tmp_path, "anna", padded(60.0))
    c = baresip(tmp_path, "carl", padded(1.0, question(), 60.0))
    sip = SipConfig(binds=(UDP,), transfers=Transfers.SAME_HOST)

    async def main() -> None:
        async with service(tmp_path, ANSWER, {"sleep": 2500}, PLAY, FOREVER, sip=sip) as stage:
            async with running(a, c):
                await dial(stage, a)
                await asyncio.sleep(0.5)
                await blocking(lambda: a.transfer(c.uri))
                await expect(c, "CALL_ESTABLISHED")
                await expect(a, "CALL_CLOSED")
                await asyncio.sleep(5.2)
                assert len(stage.service.host.calls) == 1
                await blocking(c.hangup)
                record = await stage.record()
            stats = stage.agent.snapshot()
        assert (stats.agent.incoming, stats.agent.outgoing, stats.referrals_refused) == (1, 1, 0)
        assert missing(welcome(), hears(c)) <= SLIPS
        assert missing(question(), heard_by_service(tmp_path, record)) <= SLIPS

    asyncio.run(main())


def test_a_document_refers_the_caller_to_another_phone(tmp_path: Path) -> None:
    a = baresip(tmp_path, "anna", padded(0.2, question(), 60.0))
    c = baresip(tmp_path, "carl", padded(60.0))
    refer = {"sip_refer": {"to_uri": c.uri}}
    say = event(
        result="%{sip_refer_result}",
        response="%{sip_refer_response_code}",
        notify="%{sip_refer_to_response_code}",
    )

    async def main() -> None:
        async with (
            service(tmp_path, ANSWER, refer, say, {"hangup": {}}) as stage,
            running(a, c),
        ):
            await dial(stage, a)
            await expect(c, "CALL_ESTABLISHED")
            await stage.record()
            await asyncio.sleep(3)
            await blocking(c.hangup)
            await expect(a, "CALL_CLOSED")
        assert told(stage) == [{"result": "success", "response": "202", "notify": "200"}]
        assert missing(question(), hears(c)) <= SLIPS

    asyncio.run(main())


def test_two_phones_with_different_codecs_hear_each_other(tmp_path: Path) -> None:
    """A document connects the caller to a phone; the bridge transcodes."""
    a = baresip(tmp_path, "anna", padded(1.0, question(), 60.0))
    c = baresip(tmp_path, "carl", padded(1.0, 2.5, REPLY, 60.0), codec=G722)
    say = event(result="%{connect_result}")

    async def main() -> None:
        async with (
            service(tmp_path, {"connect": {"to": c.uri}}, say, {"hangup": {}}) as stage,
            running(a, c),
        ):
            await dial(stage, a)
            await expect(c, "CALL_ESTABLISHED")
            await asyncio.sleep(5.5)
            await blocking(c.hangup)
            await expect(a, "CALL_CLOSED")
            await stage.record()
        assert told(stage) == [{"result": "connected"}]
        assert missing(question(), hears(c)) <= SLIPS
        assert missing(REPLY, hears(a)) <= SLIPS

    asyncio.run(main())


def test_phones_that_do_not_take_the_call(tmp_path: Path) -> None:
    a = baresip(tmp_path, "anna", padded(60.0))
    busy = baresip(tmp_path, "berta", padded(60.0), answer=False)
    silent = baresip(tmp_path, "silvia", padded(60.0), answer=False)
    statements: list[object] = [ANSWER]
    for phone in (busy, silent):
        statements += [
            {"connect": {"to": phone.uri, "timeout": 1}},
            event(result="%{connect_result}", reason="%{connect_failed_reason}"),
        ]

    async def main() -> None:
        async with (
            service(tmp_path, *statements, {"hangup": {}}) as stage,
            running(a, busy, silent),
        ):
            await dial(stage, a)
            await expect(busy, "CALL_INCOMING")
            await blocking(busy.hangup)
            await expect(silent, "CALL_INCOMING")
            await expect(silent, "CALL_CLOSED")  # cancelled
            await expect(a, "CALL_CLOSED")
            await stage.record()
        assert told(stage) == [
            {"result": "failed", "reason": "busy"},
            {"result": "failed", "reason": "noAnswer"},
        ]

    asyncio.run(main())


def test_a_caller_who_gives_up_while_it_rings(tmp_path: Path) -> None:
    a = baresip(tmp_path, "anna", padded(60.0))

    async def main() -> None:
        async with service(tmp_path, FOREVER) as stage, running(a):

            def work() -> None:
                a.dial(stage.uri())
                a.expect("CALL_RINGING")
                a.hangup()

            await blocking(work)
            await stage.until(lambda: stage.of("call.state"))
            await stage.until(lambda: stage.of("call.state")[-1]["call_state"] == "ended")
        assert stage.of("call.state")[-1]["end_reason"] == "abandoned"

    asyncio.run(main())


def test_the_service_calls_a_phone(tmp_path: Path) -> None:
    """A controller dials, plays a sound, and hangs up."""
    a = baresip(tmp_path, "anna", padded(0.3, question(), 60.0), codec=G722)

    async def main() -> None:
        async with service(tmp_path) as stage, running(a):
            to = {"type": "sip", "params": {"to_number": a.uri, "timeout": 10}}
            await command(stage, "dial", {"tag": "t", "devices": [[to]]})
            await expect(a, "CALL_ESTABLISHED")
            await stage.until(lambda: stage.of("call.dial"))
            dialled = stage.of("call.dial")[-1]
            assert dialled["dial_state"] == "answered"
            line = dialled["call"]["call_id"]
            item = {"type": "audio", "params": {"url": "welcome.wav"}}
            await command(stage, "play", {"control_id": "p", "play": [item]}, line)
            await stage.until(lambda: "finished" in [e["state"] for e in stage.of("call.play")])
            await asyncio.sleep(0.3)  # the phone's jitter buffer
            await command(stage, "end", {"reason": "hangup"}, line)
            await expect(a, "CALL_CLOSED")
            record = await stage.record()
        assert record.transport.codec == "G722"
        assert missing(welcome(), hears(a)) <= SLIPS
        assert missing(question(), heard_by_service(tmp_path, record)) <= SLIPS

    asyncio.run(main())


async def command(
    stage: SipStage, method: str, params: Mapping[str, object], line: str = ""
) -> None:
    """What a controller would ask for."""
    answers: asyncio.Queue[Answer] = asyncio.Queue()
    rights = frozenset({"read", "control", "dial"})
    asked = Command("session", PROJECT, rights, method, line, params)
    stage.service.host.submit(asked, answers.put_nowait)
    answer = await asyncio.wait_for(answers.get(), 5)
    assert answer.code == "200", answer
