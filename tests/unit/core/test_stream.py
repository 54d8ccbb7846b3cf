"""Stream link of a leg: messages in, ordered items out."""

import select
from dataclasses import replace
from typing import Any

import pytest

from mediacore import _core
from mediacore.errors import MediaError, StaleError
from mediacore.events import DigitReceived, MediaLoss, MediaLost
from mediacore.media import LegConfig, MediaOut, Tap

TICK_US = 20_000
LEG = LegConfig(
    codec="L16LE",
    srate_hz=8000,
    vad_threshold_q15=None,
    stream=True,
    taps=Tap.RX,
)
FRAME = 320
AUDIO, MARK, FLUSH, IDLE = MediaOut.AUDIO, MediaOut.MARK, MediaOut.FLUSH, MediaOut.IDLE
LOUD = b"\x00\x20" * 160


def kinds(items: list[tuple[Any, ...]]) -> str:
    letters = {MARK: "M", FLUSH: "F", IDLE: "I"}
    return "".join(letters.get(item[0]) or "sA"[any(item[1])] for item in items)


def say(leg: _core.Leg, frames: int, *, utterance: int = 1, marks: tuple[int, ...] = ()) -> None:
    leg.begin(utterance, 0)
    assert leg.say(LOUD * frames) == 160 * frames
    for number, position in enumerate(marks, 1):
        leg.mark(number, position)
    leg.end()


def readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def test_items_in_order_with_marks_and_silence_ahead(engine: _core.Engine) -> None:
    leg = engine.open_leg(replace(LEG, ahead_ms=40))
    engine.tick(0)
    assert leg.pull_media() == []
    say(leg, 3, marks=(100, 160))
    engine.tick_many(TICK_US, 6)
    items = leg.pull_media()
    assert kinds(items) == "ssAMMAAMI"
    assert [item for item in items if item[0] is MARK] == [
        (MARK, 1, 1), (MARK, 1, 2), (MARK, 1, 0)
    ]  # fmt: skip
    assert items[2] == (AUDIO, LOUD)
    assert leg.pull_media() == []
    leg.close()


def test_a_cut_flushes_a_pause_does_not(engine: _core.Engine) -> None:
    leg = engine.open_leg(LEG)
    say(leg, 20)
    now = engine.tick_many(0, 3)
    leg.pause()
    now = engine.tick_many(now, 3)
    assert kinds(leg.pull_media()) == "AAAI"  # two, and the fade
    leg.resume()
    now = engine.tick_many(now, 1)
    leg.cut(0)
    engine.tick_many(now, 3)
    assert kinds(leg.pull_media()) == "AFI"
    leg.close()


def test_always_puts_out_a_frame_each_tick(engine: _core.Engine) -> None:
    leg = engine.open_leg(replace(LEG, stream_always=True))
    engine.tick_many(0, 5)
    assert kinds(leg.pull_media()) == "sssss"
    leg.close()


def test_digits_are_sent_as_sound_and_heard(engine: _core.Engine) -> None:
    leg = engine.open_leg(LEG)
    far = engine.open_leg(replace(LEG, detect_dtmf=True))
    leg.send_digits("15#", 80, 80)
    now, digits = 0, ""
    for _ in range(50):
        now = engine.tick_many(now, 1)
        for item in leg.pull_media():
            far.push_media(item[1] if item[0] is AUDIO else b"")
        digits += "".join(e.digit for e in engine.poll() if isinstance(e, DigitReceived))
    assert digits == "15#"
    leg.close()
    far.close()


def test_bed_and_bridge_are_heard(engine: _core.Engine) -> None:
    leg, other = engine.open_leg(replace(LEG, bed=True)), engine.open_leg(LEG)
    leg.bed(LOUD * 5)
    now = engine.tick_many(0, 8)
    heard = kinds(leg.pull_media())
    assert heard.startswith("AAA") and heard.endswith("I")
    bridge = engine.open_bridge()
    bridge.join(leg)
    bridge.join(other)
    now = engine.tick_many(now, 3)
    bridge.leave(leg)
    engine.tick_many(now, 2)
    assert kinds(leg.pull_media()) == "sssI"
    bridge.close()
    leg.close()
    other.close()


def test_the_descriptor_tells_of_output_only(engine: _core.Engine) -> None:
    leg = engine.open_leg(LEG)
    engine.tick(0)
    assert not readable(engine.stream_fd)
    say(leg, 1)
    engine.tick(TICK_US)
    assert readable(engine.stream_fd)
    engine.stream_clear()
    assert not readable(engine.stream_fd)
    engine.tick(2 * TICK_US)  # IDLE
    assert readable(engine.stream_fd)
    leg.close()


@pytest.mark.parametrize("size", [1, 7, 320, 333, 6400, 32000])
def test_messages_of_any_length(engine: _core.Engine, size: int) -> None:
    leg = engine.open_leg(replace(LEG, stream_queue_ms=4000))
    second = LOUD * 50
    now = 0
    for at in range(0, len(second), size):
        if at % FRAME < size:
            now = engine.tick_many(now, max(1, size // FRAME))
        assert leg.push_media(second[at : at + size]) == 0
    engine.tick_many(now, 60)
    stats = leg.stats()
    assert stats.stream_dropped_samples == 0
    assert 0 <= len(second) - stats.rx_bytes < FRAME
    leg.close()


def test_thirty_seconds_at_once_are_bounded_and_counted(engine: _core.Engine) -> None:
    leg, patient = engine.open_leg(LEG), engine.open_leg(replace(LEG, stream_queue_ms=30_000))
    half_a_minute = LOUD * 1500
    assert leg.push_media(half_a_minute) == 1400 * FRAME
    assert patient.push_media(half_a_minute) == 0
    engine.tick_many(0, 1490)
    _, pcm = patient.read_tap(8000)
    assert pcm.count(b"\x20") > 7000
    engine.tick_many(1490 * TICK_US, 20)
    assert leg.stats().stream_dropped_samples == 1400 * 160
    assert patient.stats().rx_bytes == len(half_a_minute)
    assert patient.stats().rx_overflow == 0
    leg.close()
    patient.close()


def test_messages_out_of_order_are_heard_in_order(engine: _core.Engine) -> None:
    """A ramp that comes in pairs swapped is still a ramp."""
    leg = engine.open_leg(replace(LEG, jitter_min_ms=60))
    now = 0
    for n in range(60):
        seq = n ^ 1
        leg.push_media(bytes((0, seq + 1)) * 160, seq)
        now = engine.tick_many(now, 1)
    _, pcm = leg.read_tap(60 * 160)
    levels = [pcm[2 * k + 1] for k in range(0, len(pcm) // 2, 160)]
    heard = [level for level in levels if level]
    assert len(heard) > 40
    assert heard == sorted(heard)
    assert leg.stats().rx_late <= 2
    leg.close()


def test_nobody_drains(engine: _core.Engine) -> None:
    leg = engine.open_leg(replace(LEG, stream_always=True))
    engine.tick_many(0, 200)
    assert leg.stats().tx_link_dropped == 200 - 100
    assert kinds(leg.pull_media()) == "s" * 100
    engine.tick_many(200 * TICK_US, 1)
    assert kinds(leg.pull_media()) == "s"
    leg.close()


@pytest.mark.parametrize(
    ("codec", "srate_hz", "size"),
    [
        ("PCMU", 8000, 160),
        ("PCMA", 8000, 160),
        ("G722", 16000, 160),
        ("L16", 8000, 320),
        ("L16LE", 16000, 640),
        ("L16LE", 24000, 960),
        ("L16LE", 48000, 1920),
    ],
)
def test_every_codec_both_ways(engine: _core.Engine, codec: str, srate_hz: int, size: int) -> None:
    leg = engine.open_leg(replace(LEG, codec=codec, srate_hz=srate_hz))
    far = engine.open_leg(replace(LEG, codec=codec, srate_hz=srate_hz))
    samples = srate_hz // 50
    leg.begin(1, 0)
    assert leg.say(b"\x00\x10" * samples * 20) == samples * 20
    leg.end()
    now = 0
    for _ in range(30):
        now = engine.tick_many(now, 1)
        for item in leg.pull_media():
            if item[0] is AUDIO:
                assert len(item[1]) == size
                far.push_media(item[1])
    assert far.stats().rx_bytes == 20 * size
    _, pcm = far.read_tap(samples * 30)
    assert max(abs(int.from_bytes(pcm[n : n + 2], "little", signed=True)) for n in range(
        0, len(pcm), 2)) > 3000  # fmt: skip
    leg.close()
    far.close()


def test_low_byte_first() -> None:
    codec = _core.Codec("L16LE", 16000)
    assert codec.encode((0x1234).to_bytes(2, "little")) == b"\x34\x12"
    assert codec.decode(b"\x34\x12") == (0x1234).to_bytes(2, "little")


def test_what_is_refused(engine: _core.Engine) -> None:
    for wrong in (
        replace(LEG, ahead_ms=30),
        replace(LEG, ahead_ms=2020),
        replace(LEG, stream_queue_ms=100),
        replace(LEG, stream_queue_ms=60_020),
        replace(LEG, ptime_ms=40),
    ):
        with pytest.raises(MediaError):
            engine.open_leg(wrong)
    rtp = engine.open_leg(replace(LEG, codec="PCMU", stream=False))
    with pytest.raises(MediaError):
        rtp.push_media(b"x")
    with pytest.raises(MediaError):
        rtp.pull_media()
    leg = engine.open_leg(LEG)
    with pytest.raises(TypeError):
        leg.push_media("text")
    with pytest.raises(TypeError):
        leg.push_media(b"x", "1")
    assert leg.push_media(b"") == 0
    assert leg.push_media(memoryview(LOUD), 2**40 + 5, -1) == 0
    leg.close()
    engine.tick(0)
    assert leg.pull_media() == []
    leg.free()
    with pytest.raises(StaleError):
        leg.pull_media()
    with pytest.raises(StaleError):
        leg.push_media(LOUD)
    rtp.close()


def test_audio_that_comes_keeps_the_call_and_a_silence_is_told(engine: _core.Engine) -> None:
    leg = engine.open_leg(replace(LEG, media_first_ms=1000, media_lost_ms=500))
    for tick in range(200):
        leg.push_media(LOUD)
        engine.tick(tick * TICK_US)
    assert not [event for event in engine.poll() if isinstance(event, MediaLost)]
    for tick in range(200, 240):
        engine.tick(tick * TICK_US)
    (lost,) = [event for event in engine.poll() if isinstance(event, MediaLost)]
    assert lost.kind is MediaLoss.STOPPED
    leg.close()


def test_a_direction_holds_for_streams_too(engine: _core.Engine) -> None:
    leg = engine.open_leg(replace(LEG, bed=True))
    engine.tick(0)
    leg.bed(LOUD * 100)
    leg.direction(False, False)
    say(leg, 3)
    for tick in range(1, 20):
        leg.push_media(LOUD)
        engine.tick(tick * TICK_US)
    assert AUDIO not in [item[0] for item in leg.pull_media()]
    assert not any(leg.read_tap(160 * 60)[1])
    assert leg.stats().rx_unwanted > 10
    leg.direction(True, True)
    for tick in range(20, 40):
        leg.push_media(LOUD)
        engine.tick(tick * TICK_US)
    items = leg.pull_media()
    assert "A" in kinds(items)
    assert (MARK, 1, 0) in items  # what was to be said is said now
    assert any(leg.read_tap(160 * 60)[1])
    leg.close()
