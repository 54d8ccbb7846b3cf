from __future__ import annotations

from array import array
from random import Random

import pytest

from mediacore.bench.rtp import Packet, build, parse, track
from mediacore.bench.sound import (
    SRATE_HZ,
    Code,
    add,
    audible,
    end_over,
    noise,
    recording,
    shipped_callers,
    without_gaps,
)
from mediacore.transports.files import write_wav


def test_code_survives_g711_and_is_never_silent() -> None:
    code = Code(2000)
    assert audible(code.wire) == b"\1" * 2000
    assert min(abs(x) for x in array("h", code.pcm)) >= 16000
    assert Code(2000) == code and Code(2000).wire == code.wire


def test_silence_is_both_zeros() -> None:
    assert audible(bytes([0xFF, 0x7F, 0xFE, 0x00])) == bytes([0, 0, 1, 1])


def test_speech_is_found_by_energy(tmp_path) -> None:
    tone = array("h", [8000, -8000] * 400)
    pcm = bytes(2 * 400) + tone.tobytes() + bytes(2 * 1000)
    path = tmp_path / "caller.wav"
    write_wav(path, pcm, SRATE_HZ)
    rec = recording(path)
    assert (rec.onset, rec.end) == (400, 1200)
    assert end_over(rec, 100) == 1200


def test_shipped_callers_speak() -> None:
    recs = shipped_callers()
    assert recs and all(r.end - r.onset > SRATE_HZ // 4 for r in recs)
    assert len(without_gaps(recs)) <= sum(len(r.pcm) for r in recs)


def test_noise_has_its_level() -> None:
    samples = noise(Random(1), 4000, 100)
    assert sum(x * x for x in samples) / 4000 == pytest.approx(10_000, rel=0.1)
    assert array("h", add(array("h", [32767]).tobytes(), array("h", [5])))[0] == 32767


def test_packets_round_trip_and_lie_where_their_timestamps_say() -> None:
    packet = parse(build(0, 65536 + 3, 2**32 + 160, b"abc"))
    assert packet == Packet(0, 3, 160, b"abc")
    assert parse(b"\x80\xc8" + bytes(10)) is None  # RTCP
    assert parse(b"short") is None
    start = 2**32 - 2
    packets = [Packet(0, 1, start, b"ab"), Packet(0, 3, 2, b"ef"), Packet(101, 4, 4, b"zz")]
    assert track(packets, 0, 0xFF) == b"ab\xff\xffef"
