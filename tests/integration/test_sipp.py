"""SIPp calls the service: audio, many calls at once, lost messages, callers without manners."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mediacore.transports.sip.config import SipBind
from mediacore.transports.sip.settings import SipConfig
from support.peers.process import need_program
from support.peers.sipp import (
    Result,
    Sipp,
    call_cancelled,
    call_with_audio,
    call_without_ack,
)
from support.peers.speech import Samples, padded, prompt, read_wav, write_wav
from support.phone_calls import missing
from support.sip_stage import HOST, SipStage, blocking

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]

TALK: dict[str, Any] = {
    "version": "1.0.0",
    "sections": {
        "main": [
            {"answer": {}},
            {"record_call": {"control_id": "all", "stereo": True}},
            {"play": {"url": "welcome.wav"}},
            {"sleep": 60_000},
        ]
    },
}
RINGS: dict[str, Any] = {"version": "1.0.0", "sections": {"main": [{"sleep": 60_000}]}}


def mu_law(folder: Path, samples: Samples) -> Path:
    """A raw file as SIPp streams it."""
    wav = write_wav(folder / "said.wav", samples)
    raw = folder / "said.ulaw"
    subprocess.run([need_program("sox"), str(wav), "-t", "ul", str(raw)], check=True)
    return raw


def stage(path: Path, document: dict[str, Any], **sip: Any) -> SipStage:
    write_wav(path / "welcome.wav", prompt("vm-intro")[:24_000])
    config = SipConfig(binds=(SipBind("UDP", port=0), SipBind("TCP", port=0)), **sip)
    return SipStage(path, document=document, options={"sounds": path}, sip=config)


async def run(stage: SipStage, scenario: str, path: Path, *arguments: str, **more: Any) -> Result:
    def work() -> Result:
        with Sipp(f"{HOST}:{stage.port()}", scenario, path / "sipp", *arguments, **more) as sipp:
            result = sipp.wait(60)
            assert result.exit_code == 0, sipp.errors()
            return result

    return await blocking(work, 70)


def test_audio_reaches_the_service(tmp_path: Path) -> None:
    async def main() -> None:
        said = prompt("vm-msginstruct")[:24_000]
        raw = mu_law(tmp_path, padded(0.5, said, 0.5))
        async with stage(tmp_path, TALK) as service:
            result = await run(service, call_with_audio(raw, 4500), tmp_path)
            assert (result.successful, result.retransmitted) == (1, 0)
            record = await service.record()
            assert record.end_reason == "hangup"
        heard, _ = read_wav(next((tmp_path / "calls").glob("*/call.wav")))
        assert missing(said, heard) <= 1

    asyncio.run(main())


def test_fifty_calls_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        raw = mu_law(tmp_path, padded(prompt("vm-msginstruct")[:24_000]))
        async with stage(tmp_path, TALK) as service:
            scenario = call_with_audio(raw, 4000)
            work = asyncio.create_task(
                run(service, scenario, tmp_path, "-l", "50", "-r", "25", calls=50)
            )
            most = 0
            while not work.done():
                most = max(most, len(service.service.host.calls))
                await asyncio.sleep(0.05)
            assert (await work).successful == 50
            assert most >= 40
            await service.until(lambda: len(service.records) == 50)
            assert {r.end_reason for r in service.records} == {"hangup"}
            assert min(r.media["rx_packets"] for r in service.records) > 100
            assert all(r.media["rx_malformed"] == 0 for r in service.records)

    asyncio.run(main())


def test_lost_messages_are_repeated_and_no_call_is_doubled(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path, TALK) as service:
            result = await run(
                service,
                call_with_audio(None, 500),
                tmp_path,
                *("-lost", "20", "-l", "10", "-r", "10", "-recv_timeout", "25000"),
                calls=20,
            )
            assert result.successful == 20 and result.retransmitted > 0
            await service.until(lambda: len(service.records) == 20, 40)
            await service.until(lambda: not service.service.host.calls)
            assert len(service.records) == 20

    asyncio.run(main())


def test_a_caller_who_never_acknowledges_is_hung_up(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path, TALK, t1_ms=50) as service:
            result = await run(service, call_without_ack(20_000), tmp_path)
            assert result.successful == 1  # it got our BYE
            await service.until(lambda: not service.service.host.calls)
            assert service.of("call.state")[-1]["call_state"] == "ended"

    asyncio.run(main())


def test_a_caller_who_gives_up(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path, RINGS) as service:
            result = await run(
                service, call_cancelled(300), tmp_path, "-l", "10", "-r", "20", calls=10
            )
            assert result.successful == 10
            await service.until(lambda: not service.service.host.calls)

    asyncio.run(main())


def test_over_tcp(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path, TALK) as service:

            def work() -> Result:
                target = f"{HOST}:{service.port('TCP')}"
                scenario = call_with_audio(None, 500)
                with Sipp(target, scenario, tmp_path / "sipp", "-t", "t1", calls=10) as sipp:
                    result = sipp.wait(40)
                    assert result.exit_code == 0, sipp.errors()
                    return result

            assert (await blocking(work)).successful == 10
            await service.until(lambda: len(service.records) == 10)

    asyncio.run(main())
