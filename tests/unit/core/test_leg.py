"""Leg: speech out, taps, packets, digits, policies; what is refused and how."""

import gc
import os
import struct

import pytest

from mediacore import _core
from mediacore.errors import MediaError, MissingDependencyError, QueueFullError, StaleError
from mediacore.events import (
    CutCause,
    DigitReceived,
    LegClosed,
    MarkReached,
    PlayoutCut,
    PlayoutDucked,
    PlayoutEvent,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    TapReady,
    UtteranceFinished,
    UtteranceRefused,
)
from mediacore.media import (
    NOTE_BYTES,
    BargeAction,
    BargeIn,
    LegConfig,
    NoteFlag,
    RtcpMode,
    Tap,
    unpack_notes,
)

TICK_US = 20_000
LEG = LegConfig(vad_threshold_q15=None)
QUIET = LegConfig(vad_threshold_q15=None, taps=Tap.RX | Tap.RECORD | Tap.NOTES)


def tone(samples: int, level: int = 8000) -> bytes:
    return struct.pack(f"={samples}h", *(level if n // 8 % 2 else -level for n in range(samples)))


def packets_of(leg: _core.Leg) -> list[bytes]:
    out = []
    while (packet := leg.pull_packet()) is not None:
        out.append(packet)
    return out


class Run:
    """Ticks an engine and keeps time and events."""

    def __init__(self, engine: _core.Engine) -> None:
        self.engine = engine
        self.now_us = 0

    def ticks(self, n: int) -> list[object]:
        self.now_us = self.engine.tick_many(self.now_us, n)
        return list(self.engine.poll())


@pytest.fixture
def run(engine: _core.Engine) -> Run:
    return Run(engine)


def test_a_leg_is_not_made_by_hand() -> None:
    with pytest.raises(TypeError):
        _core.Leg()
    with pytest.raises(StaleError):
        _core.Leg.__new__(_core.Leg).stats()
    with pytest.raises(StaleError):
        _core.Leg.__new__(_core.Leg).pause()


@pytest.mark.parametrize(
    ("config", "srate_hz"),
    [
        (LegConfig(), 8000),
        (LegConfig(codec="pcma", srate_hz=8000), 8000),
        (LegConfig(codec="G722"), 16000),
        (LegConfig(codec="L16", srate_hz=16000, payload_type=96), 16000),
    ],
)
def test_the_rate_is_the_codecs(engine: _core.Engine, config: LegConfig, srate_hz: int) -> None:
    with engine.open_leg(config) as leg:
        assert leg.srate_hz == srate_hz


@pytest.mark.parametrize(
    ("config", "code"),
    [
        (LegConfig(codec="nonsense"), -9),
        (LegConfig(codec="nönsense"), -9),
        (LegConfig(codec="PCMU", srate_hz=16000), -9),
        (LegConfig(ptime_ms=25), -1),
        (LegConfig(codecs=("G722",)), -9),
        (LegConfig(codecs=("PCMA",) * 5), -1),
        (LegConfig(tx_payload_type=128), -1),
        (LegConfig(relatch_ms=4_999), -1),
        (LegConfig(payload_type=200), -1),
        (LegConfig(payload_type=-1), -1),
        (LegConfig(ptime_ms=1 << 40), -1),
        (LegConfig(vad_threshold_q15=40_000), -1),
        (LegConfig(remote=("localhost", 5004)), -1),
        (LegConfig(remote=("127.0.0.1", 70_000)), -1),
    ],
)
def test_bad_configurations_are_refused(engine: _core.Engine, config: LegConfig, code: int) -> None:
    with pytest.raises(MediaError) as caught:
        engine.open_leg(config)
    assert caught.value.code == code
    assert engine.stats().legs_open == 0


@pytest.mark.parametrize("bad", [LegConfig(codec="nonsense"), LegConfig(payload_type=-1)])
def test_the_socket_is_closed_when_opening_fails(engine: _core.Engine, bad: LegConfig) -> None:
    fd, _port = _core.udp_open("127.0.0.1")
    config = LegConfig(codec=bad.codec, payload_type=bad.payload_type, fd=fd)
    with pytest.raises(MediaError):
        engine.open_leg(config)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_opus_without_libopus_names_the_fix(engine: _core.Engine) -> None:
    if _core.opus_version() is not None:
        pytest.skip("libopus is loaded already")
    with pytest.raises(MissingDependencyError, match="libopus"):
        engine.open_leg(LegConfig(codec="opus", payload_type=111))


def test_an_utterance_is_played_marked_and_finished(engine: _core.Engine, run: Run) -> None:
    with engine.open_leg(LEG) as leg:
        run.ticks(1)
        leg.begin(7, 0)
        assert leg.say(tone(1600)) == 1600
        leg.mark(1, 800)
        leg.end()
        events = run.ticks(12)
        kinds = [type(event) for event in events]
        assert kinds == [PlayoutStarted, MarkReached, UtteranceFinished]
        assert all(isinstance(e, PlayoutEvent) and e.utterance == 7 for e in events)
        started, mark, finished = events
        assert isinstance(started, PlayoutStarted)
        assert isinstance(mark, MarkReached)
        assert isinstance(finished, UtteranceFinished)
        assert (mark.mark, mark.position) == (1, 800)
        assert mark.at == started.at + 800
        assert (finished.position, finished.wire_samples) == (1600, 1600)
        stats = leg.stats()
        assert stats.queued_samples == stats.played_samples == stats.wire_samples == 1600
        assert len(packets_of(leg)) == stats.tx_packets


def test_say_takes_what_fits_and_goes_on_at_an_offset(engine: _core.Engine, run: Run) -> None:
    pcm = tone(40_000)
    with engine.open_leg(LEG) as leg:
        leg.begin(1, 0)
        room = leg.room()
        taken = leg.say(pcm)
        assert 0 < taken == room < 40_000
        assert leg.say(pcm, taken) == 0
        run.ticks(20)
        assert leg.say(pcm, taken) > 0
        assert leg.say(pcm, 40_000) == 0
        for offset in (-1, 40_001):
            with pytest.raises(ValueError, match="offset"):
                leg.say(pcm, offset)


def test_say_takes_any_buffer_of_whole_samples(engine: _core.Engine) -> None:
    with engine.open_leg(LEG) as leg:
        leg.begin(1, 0)
        assert leg.say(bytearray(320)) == 160
        assert leg.say(memoryview(bytes(321))[1:]) == 160  # not aligned: copied
        assert leg.say(b"") == 0
        with pytest.raises(ValueError, match="whole"):
            leg.say(b"abc")
        with pytest.raises(TypeError):
            leg.say("text")  # type: ignore[arg-type]
        with pytest.raises(BufferError):
            leg.say(memoryview(bytes(640))[::2])


def test_speech_outside_of_an_utterance_is_refused(engine: _core.Engine) -> None:
    with engine.open_leg(LEG) as leg:
        for use in (lambda: leg.say(bytes(320)), leg.end, lambda: leg.mark(1, 0)):
            with pytest.raises(MediaError) as caught:
                use()
            assert caught.value.code == -12
        leg.begin(1, 0)
        with pytest.raises(MediaError):
            leg.begin(2, 0)


def test_cut_flushes_and_makes_older_generations_stale(engine: _core.Engine, run: Run) -> None:
    with engine.open_leg(LEG) as leg:
        leg.begin(1, 5)
        leg.say(tone(8000))
        run.ticks(10)
        leg.cut(5)
        (cut,) = run.ticks(1)
        assert isinstance(cut, PlayoutCut)
        assert (cut.utterance, cut.generation, cut.cause) == (1, 5, CutCause.COMMAND)
        assert cut.next_generation == 1 << 32 == leg.stats().generation
        assert cut.position == leg.stats().played_samples
        leg.end()
        leg.begin(2, 6)
        leg.say(tone(1600))
        leg.end()
        assert [type(event) for event in run.ticks(8)] == [UtteranceRefused]
        assert leg.stats().played_samples == cut.position


def test_pause_resume_and_duck(engine: _core.Engine, run: Run) -> None:
    with engine.open_leg(LEG) as leg:
        leg.begin(1, 0)
        leg.say(tone(8000))
        leg.end()
        run.ticks(10)
        leg.pause()
        (paused,) = run.ticks(5)
        leg.resume()
        (resumed,) = run.ticks(2)
        leg.duck(12)
        (ducked,) = run.ticks(2)
        assert isinstance(paused, PlayoutPaused)
        assert isinstance(resumed, PlayoutResumed)
        assert isinstance(ducked, PlayoutDucked)
        assert paused.position == resumed.position
        assert ducked.ducked
        leg.duck(0)
        finished = [e for e in run.ticks(80) if isinstance(e, UtteranceFinished)]
        assert [event.position for event in finished] == [8000]


def test_policies_are_armed_and_checked(engine: _core.Engine, run: Run) -> None:
    with engine.open_leg(LegConfig()) as leg:
        leg.arm(BargeIn(BargeAction.PAUSE, onset_ms=80, commit_ms=400, resume_ms=600))
        run.ticks(1)
        for policy in (BargeIn(BargeAction.CUT, onset_ms=70_000), BargeIn(protect_mark=-1)):
            with pytest.raises(MediaError) as caught:
                leg.arm(policy)
            assert caught.value.code == -1


def test_digits_travel_from_leg_to_leg(engine: _core.Engine, run: Run) -> None:
    config = LegConfig(event_payload_type=101, vad_threshold_q15=None)
    with engine.open_leg(config) as a, engine.open_leg(config) as b:
        a.send_digits("4#", tone_ms=80, gap_ms=60)
        got = []
        for _ in range(30):
            got += [e for e in run.ticks(1) if isinstance(e, DigitReceived)]
            for packet in packets_of(a):
                b.push_packet(packet)
        assert [(event.leg, event.digit) for event in got] == [(b.handle, "4"), (b.handle, "#")]
        assert all(60 <= event.duration_ms <= 120 for event in got)
        for bad in ("x", "12 3", "1" * 33):
            with pytest.raises(MediaError):
                a.send_digits(bad)


def test_taps_give_audio_on_one_clock(engine: _core.Engine, run: Run) -> None:
    with engine.open_leg(LEG) as a, engine.open_leg(QUIET) as b:
        a.begin(1, 0)
        a.say(tone(8000))
        a.end()
        ready = []
        for _ in range(30):
            ready += [e for e in run.ticks(1) if isinstance(e, TapReady)]
            for packet in packets_of(a):
                b.push_packet(packet)
        assert {event.leg for event in ready} == {b.handle}
        at, heard = b.read_tap(100_000)
        record_at, record = b.read_record(100_000)
        packed = b.read_notes()
        assert at == record_at == 0
        assert len(heard) == 30 * 160 * 2
        assert record[0::4] == heard[0::2]
        assert record[1::4] == heard[1::2]
        assert max(struct.unpack(f"={len(heard) // 2}h", heard)) > 7000
        notes = unpack_notes(packed)
        assert len(packed) == 30 * NOTE_BYTES
        assert [note.tick for note in notes] == list(range(30))
        assert notes[0].flags & NoteFlag.WAITING
        assert notes[-1].rx_dbov > -20
        assert notes[-1].packets == 1
        assert b.read_tap(160) == (30 * 160, b"")
        for read in (b.read_tap, b.read_record, b.read_notes):
            with pytest.raises(ValueError, match="takes"):
                read(-1)
            with pytest.raises(ValueError, match="takes"):
                read(1 << 30)


def test_garbage_is_counted_and_too_long_packets_are_refused(
    engine: _core.Engine, run: Run
) -> None:
    with engine.open_leg(LEG) as leg:
        leg.push_packet(b"\x80")
        leg.push_packet(bytes(100))
        with pytest.raises(MediaError):
            leg.push_packet(bytes(2000))
        run.ticks(1)
        assert leg.stats().rx_malformed == 2


def test_a_full_memory_link_refuses(engine: _core.Engine) -> None:
    with engine.open_leg(LEG) as leg, pytest.raises(QueueFullError):
        for _ in range(1000):
            leg.push_packet(bytes(20))


def test_after_close_commands_raise_and_reading_goes_on(engine: _core.Engine, run: Run) -> None:
    leg = engine.open_leg(QUIET)
    run.ticks(5)
    with pytest.raises(MediaError) as caught:
        leg.free()
    assert caught.value.code == -12
    leg.close()
    leg.close()
    assert leg.closed
    for use in (
        leg.pause,
        leg.end,
        leg.room,
        leg.pull_packet,
        lambda: leg.say(bytes(320)),
        lambda: leg.begin(1, 0),
    ):
        with pytest.raises(StaleError):
            use()
    assert isinstance(run.ticks(1)[-1], LegClosed)
    assert leg.stats().ticks >= 5
    assert len(leg.read_record(10_000)[1]) >= 5 * 160 * 4
    leg.free()
    leg.free()
    for read in (leg.stats, leg.read_notes, lambda: leg.read_tap(1)):
        with pytest.raises(StaleError):
            read()
    assert engine.stats().legs_open == 0


def test_an_unclosed_leg_warns_and_is_closed_at_the_next_poll(
    engine: _core.Engine, run: Run
) -> None:
    leg = engine.open_leg(LEG)
    run.ticks(1)
    with pytest.warns(ResourceWarning, match="unclosed mediacore Leg"):
        del leg
        gc.collect()
    run.ticks(1)
    assert isinstance(run.ticks(1)[-1], LegClosed)
    assert engine.stats().legs_open == 0


def test_a_leg_owns_its_socket(engine: _core.Engine, run: Run) -> None:
    fd, port = _core.udp_open("127.0.0.1")
    assert port > 0
    leg = engine.open_leg(LegConfig(fd=fd, rtcp=RtcpMode.MUX, remote=("127.0.0.1", port)))
    run.ticks(2)
    assert leg.stats().tx_packets > 0
    leg.close()
    run.ticks(1)
    leg.free()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_udp_open_wants_a_numeric_address() -> None:
    for host in ("localhost", "", "300.0.0.1"):
        with pytest.raises(MediaError):
            _core.udp_open(host)
