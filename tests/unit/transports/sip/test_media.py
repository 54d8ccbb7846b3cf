from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest

from mediacore import _core
from mediacore.errors import ConfigError, MediaError
from mediacore.media import LegConfig, RtcpMode
from mediacore.transports.sip.media import LineMedia, MediaKit, RtpPool
from mediacore.transports.sip.settings import SipConfig
from mediacore.wire.sdp import (
    Direction,
    Negotiation,
    NothingInCommonError,
    SdpError,
    SrtpPolicy,
    parse,
)

LEG = LegConfig(vad_threshold_q15=None)


@pytest.fixture
def engine() -> Iterator[_core.Engine]:
    with _core.Engine(max_legs=8) as engine:
        yield engine


def kit(engine: _core.Engine, config: SipConfig | None = None) -> MediaKit:
    config = config or SipConfig()
    numbers = count(1000)

    def seed() -> int:
        return next(numbers)

    return MediaKit(config, engine, LEG, RtpPool(config, seed), seed, os.urandom)


def agree(engine: _core.Engine) -> tuple[LineMedia, LineMedia]:
    a, b = LineMedia(kit(engine)), LineMedia(kit(engine))
    a.accept(b.answer(a.offer()))
    a.open()
    b.open()
    return a, b


def test_an_offer_an_answer_and_two_legs(engine: _core.Engine) -> None:
    a, b = agree(engine)
    assert a.facts is not None and b.facts is not None
    assert (a.facts.kind, a.facts.codec, a.facts.payload_type) == ("sip", "PCMU", 0)
    assert a.facts.remote == b.facts.local
    for media in (a, b):
        media.close()
        media.close()


def test_a_hold_turns_the_direction_and_moves_nothing(engine: _core.Engine) -> None:
    a, b = agree(engine)
    moved = b.facts.remote if b.facts is not None else ""
    hold = a.negotiation().offer(Direction.SENDONLY).encode().encode()
    answer = b.answer(hold)
    b.follow()
    assert b"a=recvonly" in answer
    a.accept(answer)
    b.answer(a.negotiation().offer(Direction.SENDRECV).encode().encode())
    b.follow()
    assert b.facts is not None and b.facts.remote == moved
    for media in (a, b):
        media.close()


def test_a_codec_that_the_leg_cannot_change_to_is_refused(engine: _core.Engine) -> None:
    a, b = agree(engine)
    wide = LineMedia(kit(engine), ("G722",))
    with pytest.raises(NothingInCommonError):
        b.answer(wide.offer())
    other = LineMedia(kit(engine), ("PCMA",))
    b.answer(other.offer())
    b.follow()
    assert b.facts is not None and b.facts.codec == "PCMA"
    for media in (a, b, wide, other):
        media.close()


def test_another_dialog_takes_the_media_over(engine: _core.Engine) -> None:
    a, b = agree(engine)
    target = LineMedia(kit(engine))
    negotiation = a.another()
    offer = negotiation.offer().encode().encode()
    assert offer.count(b"m=audio") == 1
    negotiation.accept(parse(target.answer(offer)))
    target.open()
    a.adopt(negotiation)
    assert a.facts is not None and target.facts is not None
    assert a.facts.remote == target.facts.local
    for media in (a, b, target):
        media.close()


def test_rubbish_is_an_error_and_sockets_go_back(engine: _core.Engine) -> None:
    media = LineMedia(kit(engine))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(SdpError):
        media.answer(b"v=0\r\nrubbish")
    media.close()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_leg_that_cannot_open_gives_its_sockets_back() -> None:
    with _core.Engine(max_legs=1) as engine:
        used = engine.open_leg(LEG)
        media = LineMedia(kit(engine))
        peer = LineMedia(kit(engine))
        before = len(os.listdir("/proc/self/fd"))
        media.answer(peer.offer())
        with pytest.raises(MediaError):
            media.open()
        media.close()
        peer.close()
        assert len(os.listdir("/proc/self/fd")) == before
        used.close()


def test_ports_come_from_the_range_and_run_out(engine: _core.Engine) -> None:
    config = SipConfig(rtp_ports=(23_101, 23_107), rtcp=RtcpMode.PAIR)
    pool = RtpPool(config, lambda: 7)
    bound = [pool.bind(LEG) for _ in range(3)]
    assert sorted(b.local[1] for b in bound) == [23_102, 23_104, 23_106]
    with pytest.raises(ConfigError):
        pool.bind(LEG)
    bound.pop().close()
    bound.append(pool.bind(LEG))
    for one in bound:
        one.close()


def test_early_media_that_waited_is_forgotten(engine: _core.Engine) -> None:
    import socket

    a, b = LineMedia(kit(engine)), LineMedia(kit(engine))
    a.accept(b.answer(a.offer()))
    bound = b._bound
    assert bound is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(20):
            sender.sendto(bytes([0x80, 0]) + bytes(170), bound.local)
    leg = b.open()
    engine.tick_many(0, 3)
    assert leg.stats().rx_packets == 0
    for media in (a, b):
        media.close()


def test_the_rtcp_socket_is_closed_when_reports_share_one(engine: _core.Engine) -> None:
    media = kit(engine, SipConfig(rtcp=RtcpMode.PAIR))
    peer = LineMedia(replace(kit(engine), config=SipConfig(rtcp=RtcpMode.MUX)))
    line = LineMedia(media)
    peer.accept(line.answer(peer.offer()))
    line.open()
    assert line._bound is not None
    shared = line._bound.config.rtcp_fd == -1
    agreed = line.negotiation().agreed
    assert agreed is not None and shared is (agreed.rtcp is not RtcpMode.PAIR)
    peer.open()
    for one in (line, peer):
        one.close()


def test_a_transfer_to_plain_rtp_ends_the_encryption(engine: _core.Engine) -> None:
    if _core.srtp_load() is None:
        pytest.skip("libsrtp2 is not here")
    kits = kit(engine, SipConfig(srtp=SrtpPolicy.OPTIONAL))
    a, b = LineMedia(kits), LineMedia(kits)
    a.accept(b.answer(a.offer()))
    leg = a.open()
    b.open()
    target = LineMedia(kit(engine))
    negotiation = a.another()
    negotiation.accept(parse(target.answer(negotiation.offer().encode().encode())))
    assert negotiation.agreed is not None and negotiation.agreed.srtp is None
    heard = target.open()
    a.adopt(negotiation)
    for tick in range(10):
        engine.tick(tick * 20_000)
        time.sleep(0.001)
    assert leg.stats().tx_packets
    assert heard.stats().rx_packets > 5
    for media in (a, b, target):
        media.close()


def test_a_transfer_that_the_leg_cannot_follow_changes_nothing(engine: _core.Engine) -> None:
    a, b = agree(engine)
    before, facts = a.negotiation(), a.facts
    wide = LineMedia(kit(engine), ("G722",))
    negotiation = Negotiation(replace(before.terms, codecs=("G722",)), 7)
    negotiation.accept(parse(wide.answer(negotiation.offer().encode().encode())))
    with pytest.raises(MediaError):
        a.adopt(negotiation)
    assert a.negotiation() is before
    assert a.facts == facts
    for media in (a, b, wide):
        media.close()
