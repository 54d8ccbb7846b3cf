"""RtpTransport: sockets bound, configuration complete, two legs over real UDP."""

import os
import socket
import time

import pytest

from mediacore import _core
from mediacore.errors import ConfigError, MediaError
from mediacore.events import UtteranceFinished
from mediacore.media import LegConfig, RtcpMode, Tap
from mediacore.transports.rtp import RtpTransport, bind_rtp, open_rtp


def test_binding_gives_the_real_port_and_a_complete_configuration() -> None:
    base = LegConfig(taps=Tap.RX, seed=5, codec="PCMU")
    transport = RtpTransport(codec="PCMA", remote=("127.0.0.1", 4000), ptime_ms=40, leg=base)
    bound = bind_rtp(transport, seed=9)
    try:
        assert bound.local[0] == "127.0.0.1"
        assert bound.local[1] > 0
        config = bound.config
        assert config.fd >= 0
        assert config.rtcp_fd == -1
        assert (config.codec, config.ptime_ms, config.seed) == ("PCMA", 40, 9)
        assert (config.event_payload_type, config.rtcp) == (101, RtcpMode.MUX)
        assert (config.taps, config.remote) == (Tap.RX, ("127.0.0.1", 4000))
    finally:
        bound.close()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(bound.config.fd)


def test_a_pair_takes_an_even_port_and_the_next() -> None:
    bound = bind_rtp(RtpTransport(rtcp=RtcpMode.PAIR), seed=1)
    try:
        assert bound.local[1] % 2 == 0
        with socket.socket(fileno=os.dup(bound.config.rtcp_fd)) as rtcp:
            assert rtcp.getsockname()[1] == bound.local[1] + 1
    finally:
        bound.close()


def test_addresses_that_cannot_be_bound_are_configuration_errors() -> None:
    bound = bind_rtp(RtpTransport(), seed=1)
    try:
        for transport in (
            RtpTransport(local=bound.local),
            RtpTransport(local=("192.0.2.1", 0)),
            RtpTransport(local=("localhost", 0)),
            RtpTransport(local=("127.0.0.1", 70_000)),
            RtpTransport(local=("127.0.0.1", 5001), rtcp=RtcpMode.PAIR),
        ):
            with pytest.raises(ConfigError):
                bind_rtp(transport, seed=1)
    finally:
        bound.close()


def test_the_second_port_of_a_pair_may_be_taken() -> None:
    first = bind_rtp(RtpTransport(rtcp=RtcpMode.PAIR), seed=1)
    host, port = first.local
    os.close(first.config.fd)
    try:
        with pytest.raises(ConfigError):
            bind_rtp(RtpTransport(local=(host, port), rtcp=RtcpMode.PAIR), seed=1)
    finally:
        os.close(first.config.rtcp_fd)


def test_a_codec_without_static_payload_type_needs_one() -> None:
    with _core.Engine() as engine:
        with pytest.raises(MediaError):
            open_rtp(engine, RtpTransport(codec="L16", srate_hz=16000), seed=1)
        leg, _ = open_rtp(
            engine, RtpTransport(codec="L16", srate_hz=16000, payload_type=96), seed=1
        )
        leg.close()


@pytest.mark.parametrize("rtcp", list(RtcpMode))
def test_speech_travels_over_udp_and_the_answering_side_learns_the_address(
    rtcp: RtcpMode,
) -> None:
    base = LegConfig(vad_threshold_q15=None, taps=Tap.RX)
    with _core.Engine() as engine:
        b, b_local = open_rtp(engine, RtpTransport(rtcp=rtcp, leg=base), seed=2)
        a, _ = open_rtp(engine, RtpTransport(remote=b_local, rtcp=rtcp, leg=base), seed=1)
        a.begin(1, 0)
        a.say(b"\x00\x20" * 4000)
        a.end()
        finished = []
        for tick in range(60):
            engine.tick(tick * 20_000)
            finished += [e for e in engine.poll() if isinstance(e, UtteranceFinished)]
            time.sleep(0.0005)  # loopback delivers within the tick, but not before it returns
        assert [event.position for event in finished] == [4000]
        assert b.stats().rx_packets >= 58
        assert b.stats().rx_lost == 0
        assert a.stats().rx_packets >= 55
        a.close()
        b.close()
