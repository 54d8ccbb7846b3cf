"""SRTP of a leg against another implementation of the protocol's keys and packets."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from mediacore import _core
from mediacore._core._core import load_libsrtp
from mediacore.errors import MediaError
from mediacore.media import LegConfig, LegStats, RtcpMode, Srtp

pylibsrtp = pytest.importorskip("pylibsrtp")
if _core.srtp_load() is None:
    pytest.skip("no libsrtp2 here", allow_module_level=True)

TICK_US = 20_000
KEY_BYTES = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
}
PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}
CM80 = "AES_CM_128_HMAC_SHA1_80"
LEG = LegConfig(vad_threshold_q15=None, rtcp=RtcpMode.MUX)


def key(fill: int, suite: str = CM80) -> bytes:
    return bytes((fill + n) % 256 for n in range(KEY_BYTES[suite]))


def srtp(suite: str = CM80, tx: int = 1, rx: int = 101) -> Srtp:
    return Srtp(suite, key(tx, suite), key(rx, suite))


class Peer:
    """The other side of a leg, with the other implementation."""

    def __init__(self, keys: Srtp) -> None:
        policy = pylibsrtp.Policy
        profile = PROFILES[keys.suite]
        self.out = pylibsrtp.Session(
            policy(key=keys.rx_key, ssrc_type=policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)
        )
        self.into = pylibsrtp.Session(
            policy(key=keys.tx_key, ssrc_type=policy.SSRC_ANY_INBOUND, srtp_profile=profile)
        )


def rtp(seq: int, ssrc: int = 7, pt: int = 0) -> bytes:
    return struct.pack(">BBHII", 0x80, pt, seq & 0xFFFF, seq * 160 % 2**32, ssrc) + b"\x55" * 160


def report(ssrc: int = 7) -> bytes:
    return struct.pack(">BBHI", 0x80, 201, 1, ssrc)


class Call:
    """One leg, ticked; what it sends is kept."""

    def __init__(self, engine: _core.Engine, config: LegConfig) -> None:
        self.engine, self.leg, self.now_us = engine, engine.open_leg(config), 0

    def tick(self, *packets: bytes) -> list[bytes]:
        for packet in packets:
            self.leg.push_packet(packet)
        self.now_us = self.engine.tick_many(self.now_us, 1)
        self.engine.poll()
        sent = []
        while (packet := self.leg.pull_packet()) is not None:
            sent.append(packet)
        return sent

    @property
    def stats(self) -> LegStats:
        return self.leg.stats()


Start = Callable[[LegConfig], Call]


@pytest.fixture
def start(engine: _core.Engine) -> Iterator[Start]:
    calls: list[Call] = []

    def begin(config: LegConfig) -> Call:
        calls.append(Call(engine, config))
        return calls[-1]

    yield begin
    for call in calls:
        call.leg.close()


@pytest.mark.parametrize("suite", KEY_BYTES)
def test_both_ways_with_another_implementation(start: Start, suite: str) -> None:
    keys = srtp(suite)
    call, peer = start(replace(LEG, srtp=keys)), Peer(keys)
    sent: list[bytes] = []
    for n in range(600):
        packets = [peer.out.protect(rtp(65_300 + n))]  # over the wrap of the sequence number
        if n % 100 == 50:
            packets.append(peer.out.protect_rtcp(report()))
        sent += call.tick(*packets)
    stats = call.stats
    assert (stats.rx_packets, stats.rtcp_packets, stats.rx_unauthentic) == (600, 6, 0)
    assert stats.rx_restarts == 0 and stats.tx_errors == 0
    reports = [p for p in sent if 192 <= p[1] <= 223]
    audio = [p for p in sent if p not in reports]
    assert len(audio) == 600 and reports
    for packet in audio:
        clear = peer.into.unprotect(packet)
        assert clear[:12] == packet[:12] and len(clear) == 172 and clear[12:] != packet[12:172]
    for packet in reports:
        assert peer.into.unprotect_rtcp(packet)[1] in (200, 201)


def test_plain_altered_and_repeated_packets_are_refused(start: Start) -> None:
    keys = srtp()
    call, peer = start(replace(LEG, srtp=keys)), Peer(keys)
    good = [peer.out.protect(rtp(n)) for n in range(40)]
    call.tick(*good[:10])
    altered = bytes([*good[10][:-1], good[10][-1] ^ 1])
    call.tick(rtp(11), report(), altered, good[3], good[9], b"", b"\x80", b"\x16\xfe\xfd" * 9)
    stats = call.stats
    assert (stats.rx_packets, stats.rx_unauthentic) == (10, 8)
    assert stats.rtcp_packets == stats.rtcp_malformed == stats.rx_malformed == 0
    # Reordered within the window is no replay.
    call.tick(*good[20:10:-1])
    assert call.stats.rx_packets == 20


def test_another_source_with_the_same_key_is_heard(start: Start) -> None:
    keys = srtp()
    call, peer = start(replace(LEG, srtp=keys)), Peer(keys)
    for n in range(5):
        call.tick(peer.out.protect(rtp(n, ssrc=1)))
    for n in range(5):
        call.tick(peer.out.protect(rtp(900 + n, ssrc=2)))
    assert call.stats.rx_restarts == 1 and call.stats.rx_unauthentic == 0


def test_new_keys_and_plain(start: Start) -> None:
    keys, other = srtp(), srtp(tx=33, rx=66)
    call, peer, later = start(replace(LEG, srtp=keys)), Peer(keys), Peer(other)
    call.tick(peer.out.protect(rtp(0)))
    call.leg.rekey(other)
    (sent,) = call.tick(later.out.protect(rtp(1)))
    assert call.stats.rx_packets == 2 and len(later.into.unprotect(sent)) == 172
    call.tick(peer.out.protect(rtp(2)))
    assert call.stats.rx_unauthentic == 1
    call.leg.retarget(None, srtp=keys)
    call.tick(peer.out.protect(rtp(3)))
    assert call.stats.rx_packets == 3
    call.leg.rekey(None)
    (sent,) = call.tick(rtp(4))
    assert call.stats.rx_packets == 4 and len(sent) == 172


def test_the_same_keys_again_go_on_where_they_were(start: Start) -> None:
    keys = srtp()
    call, peer = start(replace(LEG, srtp=keys)), Peer(keys)
    first = peer.out.protect(rtp(0))
    (sent,) = call.tick(first)
    peer.into.unprotect(sent)
    call.leg.rekey(srtp())
    call.tick(first)
    assert call.stats.rx_unauthentic == 1, "the replay window was kept"
    call.leg.rekey(srtp(rx=77))
    for packet in call.tick():
        peer.into.unprotect(packet)  # our own direction did not begin anew


@pytest.mark.parametrize(
    "wrong",
    [
        Srtp("AES_CM_128_HMAC_SHA1_80", b"short", b"short"),
        Srtp("AES_CM_128_HMAC_SHA1_80", bytes(30), bytes(28)),
        Srtp("AEAD_AES_128_GCM", bytes(30), bytes(30)),
        Srtp("F8_128_HMAC_SHA1_80", bytes(30), bytes(30)),
    ],
)
def test_wrong_keys_are_refused(engine: _core.Engine, start: Start, wrong: Srtp) -> None:
    with pytest.raises(MediaError, match="SRTP"):
        engine.open_leg(replace(LEG, srtp=wrong))
    call = start(LEG)
    with pytest.raises(MediaError, match="SRTP"):
        call.leg.rekey(wrong)
    assert len(call.tick(rtp(0))) == 1 and call.stats.rx_packets == 1


def test_keys_are_not_shown() -> None:
    secret = Srtp(CM80, b"K" * 30, b"L" * 30)
    assert "KKKK" not in repr(replace(LEG, srtp=secret)) and "LLLL" not in repr(secret)


def test_the_library_is_loaded_once() -> None:
    version = _core.srtp_version()
    assert version is not None and version.startswith("libsrtp2 2.")
    assert load_libsrtp("/nonexistent") == _core.srtp_load("/nonexistent") == version


def test_without_the_library_the_fix_is_named() -> None:
    """In a process of its own: a loaded library stays."""
    program = (
        "from mediacore import _core\n"
        "from mediacore.media import LegConfig, Srtp\n"
        "from mediacore.errors import MissingDependencyError\n"
        "assert _core.srtp_load('/nonexistent') is None and _core.srtp_version() is None\n"
        "keys = Srtp('AES_CM_128_HMAC_SHA1_80', bytes(30), bytes(30))\n"
        "with _core.Engine() as engine:\n"
        "    leg = engine.open_leg(LegConfig())\n"
        "    for act in (lambda: engine.open_leg(LegConfig(srtp=keys)), lambda: leg.rekey(keys)):\n"
        "        try:\n"
        "            act()\n"
        "        except MissingDependencyError as error:\n"
        "            assert error.what == 'libsrtp2' and 'libsrtp2-1' in error.fix\n"
        "        else:\n"
        "            raise SystemExit('not refused')\n"
        "    leg.close()\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
