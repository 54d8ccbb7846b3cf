"""The phone baresip calls the service: audio, hold, keys, transports, passwords, interruptions."""

from __future__ import annotations

import asyncio
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mediacore._core.libopus import opus_load
from mediacore._core.libsrtp import srtp_load
from mediacore.call.record import CallRecord, MarkKind
from mediacore.providers.scripted import End, Say, Voice
from mediacore.transports.sip.config import SipBind
from mediacore.transports.sip.settings import SipConfig
from mediacore.wire.sdp import SrtpPolicy
from support.peers.baresip import Baresip
from support.peers.process import LOOPBACK, need_program
from support.peers.speech import Samples, padded, prompt, read_wav, similarity
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
from support.sip_stage import SipStage, blocking

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]

CODECS = {
    "PCMU": "PCMU/8000/1",
    "PCMA": "PCMA/8000/1",
    "G722": "G722/16000/1",
    "L16": "L16/16000/1",
    "opus": "opus/48000/2",
}


async def dial(stage: SipStage, phone: Baresip, transport: str = "UDP") -> None:
    """Call the service and wait until it has answered."""

    def work() -> None:
        phone.dial(_uri(stage, transport))
        phone.expect("CALL_ESTABLISHED")

    await blocking(work)


def _uri(stage: SipStage, transport: str) -> str:
    suffix = "" if transport == "UDP" else f";transport={transport.lower()}"
    return f"sip:agent@{LOOPBACK}:{stage.port(transport)}{suffix}"


def both_heard(path: Path, phone: Baresip, record: CallRecord, alike: float = 0.95) -> None:
    """The service's sound and the phone's question arrived."""
    assert record.end_reason == "hangup"
    assert missing(welcome(), hears(phone), alike) <= SLIPS
    assert missing(question(), heard_by_service(path, record), alike) <= SLIPS
    assert record.media["rx_malformed"] == record.media["rx_wrong_pt"] == 0


def test_audio_goes_both_ways_in_every_codec(tmp_path: Path) -> None:
    if opus_load() is None:
        pytest.skip("there is no libopus")
    phones = {
        name: baresip(tmp_path, f"phone{number}", codec=codec)
        for number, (name, codec) in enumerate(CODECS.items())
    }
    sip = SipConfig(binds=(UDP,), codecs=("PCMU", "PCMA", "G722", "L16/16000", "opus"))

    async def main() -> None:
        async with (
            service(tmp_path, ANSWER, PLAY, FOREVER, sip=sip) as stage,
            running(*phones.values()),
        ):
            await asyncio.gather(*(dial(stage, phone) for phone in phones.values()))
            await asyncio.sleep(4)
            await asyncio.gather(*(blocking(phone.hangup) for phone in phones.values()))
            await stage.record(len(phones) - 1)
        records = {record.transport.codec: record for record in stage.records}
        assert set(records) == set(CODECS)
        for codec, phone in phones.items():
            both_heard(tmp_path, phone, records[codec], 0.8 if codec == "opus" else 0.95)

    asyncio.run(main())


def test_hold_neither_ends_nor_deafens_the_call(tmp_path: Path) -> None:
    """The voice waits while the phone holds, and goes on where it was."""
    sound = prompt("vm-intro")[: 5 * SRATE_HZ]
    phone = baresip(tmp_path, "alice", padded(0.3, question(2), 0.7, question(2), 60.0))
    collect = {"prompt": {"play": "silence:1", "max_digits": 2, "initial_timeout": 10}}
    say = {"user_event": {"event": {"pressed": "%{prompt_value}"}}}

    statements: list[object] = [ANSWER, PLAY, collect, say, {"hangup": {}}]

    async def main() -> None:
        async with service(tmp_path, *statements, sound=sound) as stage, running(phone):
            await dial(stage, phone)
            await asyncio.sleep(1.5)
            await blocking(phone.hold)
            await asyncio.sleep(1.2)
            await blocking(phone.resume)
            resumed = asyncio.get_running_loop().time()
            await stage.until(lambda: "finished" in [e["state"] for e in stage.of("call.play")])
            await blocking(lambda: phone.press("42"))
            await blocking(lambda: phone.expect("CALL_CLOSED"))
            took_s = asyncio.get_running_loop().time() - resumed
            record = await stage.record()
        assert told(stage) == [{"pressed": "42"}]
        kinds = [mark.kind for mark in record.marks]
        assert kinds[:3] == [MarkKind.PAUSE, MarkKind.RESUME, MarkKind.DIGIT]
        # It plays and records nothing after a hold, but counts what it receives.
        assert similarity(sound[:SRATE_HZ], hears(phone)) > 0.9
        received = int(re.findall(r"packets:\s+\d+\s+(\d+)", phone.program.output())[-1])
        assert received > 0.95 * 50 * (1.5 + took_s)
        after = heard_by_service(tmp_path, record)[-int(took_s * SRATE_HZ) :]
        assert missing(question(2), after) <= SLIPS
        assert 3.0 < took_s < 6.5

    asyncio.run(main())


def test_keys_go_both_ways(tmp_path: Path) -> None:
    phone = baresip(tmp_path, "alice", padded(60.0))
    collect = {
        "prompt": {"play": "silence:0.1", "max_digits": 8, "terminators": "#"},
    }
    say = {"user_event": {"event": {"pressed": "%{prompt_value}"}}}

    async def main() -> None:
        async with (
            service(tmp_path, ANSWER, collect, say, {"send_digits": "159*0#D"}, FOREVER) as stage,
            running(phone),
        ):
            await dial(stage, phone)
            await blocking(lambda: phone.press("1840#"))
            heard = [await _key(phone) for _ in range(7)]
            await blocking(phone.hangup)
            await stage.record()
        assert told(stage) == [{"pressed": "1840"}]
        assert "".join(heard) == "159*0#D"

    asyncio.run(main())


async def _key(phone: Baresip) -> str:
    event = await blocking(lambda: phone.expect("CALL_DTMF_START"))
    return str(event["param"])


def certificates(path: Path) -> tuple[Path, Path, Path]:
    """(of the authority, of this host, its key)."""
    openssl = need_program("openssl")
    new = (
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-days", "2", "-batch"),
    )

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], check=True, cwd=path, capture_output=True)

    run(*new, "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem")
    run(
        *(*new, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-addext", "basicConstraints=critical,CA:FALSE", "-CA", "ca.pem", "-CAkey", "ca.key"),
        *("-keyout", "host.key", "-out", "host.pem"),
    )
    return path / "ca.pem", path / "host.pem", path / "host.key"


def test_tcp_and_tls(tmp_path: Path) -> None:
    authority, certificate, key = certificates(tmp_path)
    both = tmp_path / "phone.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    phones = {
        "TCP": baresip(tmp_path, "tina"),
        "TLS": baresip(tmp_path, "theo", tls=(both, authority)),
    }
    binds = (UDP, SipBind("TCP", port=0), SipBind("TLS", port=0))
    sip = SipConfig(binds=binds, certificate=certificate, key=key, ca_file=authority)

    async def main() -> None:
        async with (
            service(tmp_path, ANSWER, PLAY, FOREVER, sip=sip, lost=2) as stage,
            running(*phones.values()),
        ):
            await asyncio.gather(*(dial(stage, p, way) for way, p in phones.items()))
            assert stage.agent.snapshot().sockets.connections == 2
            await asyncio.sleep(4)
            await asyncio.gather(*(blocking(phone.hangup) for phone in phones.values()))
            await stage.record(1)
        for phone, record in zip(phones.values(), stage.records, strict=True):
            both_heard(tmp_path, phone, record)  # they said and heard the same

    asyncio.run(main())


@pytest.mark.parametrize("way", ["UDP", "TLS"])
def test_encrypted_media(tmp_path: Path, way: str) -> None:
    """Keys in SDP (RFC 4568): a phone that insists, and a service that insists."""
    if srtp_load() is None:
        pytest.skip("there is no libsrtp2")
    authority, certificate, key = certificates(tmp_path)
    both = tmp_path / "phone.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    phone = baresip(tmp_path, "sara", account=("mediaenc=srtp-mand",), tls=(both, authority))
    plain = baresip(tmp_path, "paul", tls=(both, authority))
    sip = SipConfig(
        binds=(SipBind(way, port=0),),
        certificate=certificate,
        key=key,
        ca_file=authority,
        srtp=SrtpPolicy.REQUIRED,
    )
    lost = 1 if way == "TLS" else 0

    async def main() -> None:
        async with service(tmp_path, ANSWER, PLAY, FOREVER, sip=sip, lost=lost) as stage:
            async with running(phone, plain):
                await dial(stage, phone, way)
                await blocking(lambda: plain.dial(_uri(stage, way)))
                closed = await blocking(lambda: plain.expect("CALL_CLOSED"))
                assert "488" in str(closed["param"])
                await asyncio.sleep(4)
                await blocking(phone.hangup)
                record = await stage.record()
            assert stage.agent.snapshot().no_media == 1
        both_heard(tmp_path, phone, record)
        assert len(stage.records) == 1

    asyncio.run(main())


def test_users_must_know_their_password(tmp_path: Path) -> None:
    good = baresip(tmp_path, "alice", account=("auth_user=alice", "auth_pass=secret"))
    bad = baresip(tmp_path, "mallory", account=("auth_user=alice", "auth_pass=guess"))
    sip = SipConfig(binds=(UDP,), users={"alice": "secret"}, digests=("MD5",))

    async def main() -> None:
        async with (
            service(tmp_path, ANSWER, PLAY, FOREVER, sip=sip) as stage,
            running(good, bad),
        ):
            await blocking(lambda: bad.dial(stage.uri()))
            closed = await blocking(lambda: bad.expect("CALL_CLOSED"))
            assert "401" in str(closed["param"]) or "403" in str(closed["param"])
            await dial(stage, good)
            await asyncio.sleep(4)
            await blocking(good.hangup)
            record = await stage.record()
            counts = stage.agent.snapshot().gate
        assert len(stage.records) == 1
        assert counts.challenged >= 2 and counts.bad_credentials == 1
        both_heard(tmp_path, good, record)

    asyncio.run(main())


def test_the_voice_stops_when_the_phone_speaks(tmp_path: Path) -> None:
    first, second = question(1.2), prompt("vm-msgsaved")[: int(1.2 * SRATE_HZ)]
    phone = baresip(tmp_path, "alice", padded(1.0, first, 3.8, second, 60.0))
    answer = "We have seats in the stalls and in the circle and also in the upper balcony tonight"
    ai = {"ai": {"prompt": {"text": "Be kind."}, "params": {"wait_for_user": True}}}

    async def main() -> None:
        async with (
            service(
                tmp_path,
                *(ANSWER, ai),
                rules=[("which", answer), ("stop", [Say("Bye."), End()])],
                stt=["which seats", "stop please"],
                voice=Voice(ms_per_char=60, first_delay_ms=30),
            ) as stage,
            running(phone),
        ):
            await dial(stage, phone)
            await blocking(lambda: phone.expect("CALL_CLOSED", 20))
            record = await stage.record()
        (cut,) = [turn for turn in record.turns if turn.was_cut]
        assert answer.startswith(cut.heard_text) and 10 < len(cut.heard_text) < len(answer) - 10
        paused, committed = record.marks[:2]
        assert (paused.kind, committed.kind) == (MarkKind.PAUSE, MarkKind.CUT)
        assert paused.took_ms is not None and paused.took_ms < 200
        assert -100 < _silent_after_ms(phone) < 250

    asyncio.run(main())


def _silent_after_ms(phone: Baresip) -> int:
    """By the phone's own recordings: from its second sentence to the silence of the service."""
    heard, said = (read_wav(file)[0] for file in (phone.heard(), phone.said()))
    onset = _voiced(said, 1500 + 1000)[0]
    spoken = _voiced(heard)
    ends = [at for at, after in pairwise([*spoken, spoken[-1] + 9999]) if after - at > 400]
    return min(at + 20 for at in ends if at > onset - 100) - onset


def _voiced(samples: Samples, from_ms: int = 0) -> list[int]:
    """Where 20 ms of sound begin, in ms."""
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    loud = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > 0.01) * 20
    return [int(at) for at in loud if at >= from_ms]
