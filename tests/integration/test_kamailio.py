"""Behind Kamailio: registered, dispatched to, drained, failed over; rtpengine relays the media."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mediacore.transports.sip.config import SipBind
from mediacore.transports.sip.settings import SipConfig, SipRegistration
from support.peers.baresip import Baresip, Settings
from support.peers.kamailio import Kamailio, Rtpengine
from support.peers.speech import Samples, padded, prompt, read_wav, write_wav
from support.phone_calls import missing
from support.sip_stage import HOST, SipStage, blocking

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]

DOCUMENT: dict[str, Any] = {
    "version": "1.0.0",
    "sections": {
        "main": [
            {"answer": {}},
            {"sleep": 300},
            {"play": {"url": "welcome.wav"}},
            {"sleep": 60_000},
        ]
    },
}


def welcome() -> Samples:
    return prompt("vm-msginstruct")[:20_000]


def caller() -> Samples:
    return prompt("vm-intro")[:20_000]


def engine(path: Path, **sip: Any) -> SipStage:
    path.mkdir()
    write_wav(path / "welcome.wav", welcome())
    config = SipConfig(binds=(SipBind("UDP", port=0),), t1_ms=200, **sip)
    return SipStage(path, document=DOCUMENT, options={"sounds": path}, sip=config)


@contextmanager
def phone(path: Path, name: str = "phone") -> Iterator[Baresip]:
    said = write_wav(path / f"{name}.wav", padded(0.5, caller(), 30.0))
    with Baresip(Settings(said, user=name), path / name) as found:
        yield found


async def talk(phone: Baresip, uri: str, stage: SipStage) -> None:
    """A short call, whose both sides hear one another."""
    before = len(stage.records)
    await blocking(lambda: (phone.dial(uri), phone.expect("CALL_ESTABLISHED")))
    await asyncio.sleep(4)
    await blocking(phone.hangup)
    record = await stage.record(before)
    await asyncio.sleep(0.3)
    assert missing(welcome(), read_wav(phone.heard())[0]) <= 1
    heard, _ = read_wav(stage.path / "calls" / record.call_id / "call.wav")
    assert missing(caller(), heard) <= 1


def test_registered_and_called_by_name(tmp_path: Path) -> None:
    async def main() -> None:
        with ExitStack() as peers:
            proxy = await blocking(lambda: peers.enter_context(Kamailio(tmp_path / "kamailio")))
            address = f"{HOST}:{proxy.port}"
            registration = SipRegistration("robot", f"sip:{address}", domain=address, expires_s=60)
            async with engine(tmp_path / "a", registrations=(registration,)) as stage:
                await stage.until(lambda: stage.agent.snapshot().registered == 1, 10)
                assert "robot" in await blocking(proxy.registered)
                caller = await blocking(lambda: peers.enter_context(phone(tmp_path)))
                await talk(caller, f"sip:robot@{address}", stage)
            await asyncio.sleep(0.3)
            assert "robot" not in await blocking(proxy.registered)  # taken back at the end

    asyncio.run(main())


def test_dispatched_drained_and_failed_over(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stages:
            a = await stages.enter_async_context(engine(tmp_path / "a"))
            b = await stages.enter_async_context(engine(tmp_path / "b"))
            uris = [f"sip:{HOST}:{stage.port()}" for stage in (a, b)]
            with ExitStack() as peers:
                proxy = await blocking(
                    lambda: peers.enter_context(Kamailio(tmp_path / "kamailio", uris))
                )
                caller = await blocking(lambda: peers.enter_context(phone(tmp_path)))

                async def flags(wanted: list[str]) -> None:
                    async with asyncio.timeout(15):
                        while True:
                            found = await blocking(proxy.flags)
                            if [found.get(uri) for uri in uris] == wanted:
                                return
                            await asyncio.sleep(0.2)

                await flags(["AP", "AP"])
                target = f"sip:anybody@{HOST}:{proxy.port}"
                for _ in range(2):  # in turn
                    await blocking(lambda: (caller.dial(target), caller.expect("CALL_ESTABLISHED")))
                    await asyncio.sleep(1)
                    await blocking(caller.hangup)
                    await asyncio.sleep(0.5)
                assert (len(a.records), len(b.records)) == (1, 1)

                a.agent.drain()
                await flags(["IP", "AP"])
                await talk(caller, target, b)

                await b.agent.aclose()  # gone without a word to the proxy
                a.agent.ua.draining = a.agent.ua.transactions.draining = False
                await flags(["AP", "IP"])
                await talk(caller, target, a)

    asyncio.run(main())


def test_an_engine_that_died_is_passed_over_by_a_call(tmp_path: Path) -> None:
    """Before the probing notices: the INVITE itself fails over."""

    async def main() -> None:
        async with engine(tmp_path / "a") as a:
            nobody = f"sip:{HOST}:9"
            uris = [nobody, f"sip:{HOST}:{a.port()}"]
            with ExitStack() as peers:
                proxy = await blocking(
                    lambda: peers.enter_context(Kamailio(tmp_path / "kamailio", uris))
                )
                caller = await blocking(lambda: peers.enter_context(phone(tmp_path)))
                await talk(caller, f"sip:anybody@{HOST}:{proxy.port}", a)

    asyncio.run(main())


def test_rtpengine_between(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path / "a") as a:
            with ExitStack() as peers:
                relay = await blocking(lambda: peers.enter_context(Rtpengine(tmp_path / "relay")))
                uris = [f"sip:{HOST}:{a.port()}"]
                proxy = await blocking(
                    lambda: peers.enter_context(
                        Kamailio(tmp_path / "kamailio", uris, relay.control)
                    )
                )
                caller = await blocking(lambda: peers.enter_context(phone(tmp_path)))
                await talk(caller, f"sip:anybody@{HOST}:{proxy.port}", a)
                remote = a.records[0].transport.remote
                assert 40_000 <= int(remote.rpartition(":")[2]) < 40_100  # the relay's port

    asyncio.run(main())
