"""Engine: lifetime, ticking by hand and by the pacer, events, statistics."""

import gc
import os
import select
import threading
import time

import pytest

from mediacore import _core
from mediacore.errors import MediaError, QueueFullError, StaleError
from mediacore.events import CloseReason, EventsLost, LegClosed, LegOpened
from mediacore.media import LegConfig

LEG = LegConfig(vad_threshold_q15=None)


def test_a_new_engine_has_done_nothing(engine: _core.Engine) -> None:
    stats = engine.stats()
    assert (stats.ticks, stats.events, stats.legs_open, stats.bridges_open) == (0, 0, 0, 0)
    assert engine.poll() == []
    assert not engine.running


def test_close_is_idempotent_and_everything_after_it_raises() -> None:
    engine = _core.Engine()
    leg = engine.open_leg(LEG)
    engine.close()
    engine.close()
    assert engine.closed
    for use in (
        lambda: engine.tick(0),
        lambda: engine.tick_many(0, 1),
        engine.poll,
        engine.stats,
        engine.start,
        engine.stop,
        engine.pacer_stats,
        engine.fileno,
        lambda: engine.event_fd,
        lambda: engine.open_leg(LEG),
        engine.open_bridge,
        leg.stats,
        leg.room,
        lambda: leg.read_tap(10),
    ):
        with pytest.raises(StaleError):
            use()
    leg.close()


def test_an_unclosed_engine_warns() -> None:
    engine = _core.Engine()
    with pytest.warns(ResourceWarning, match="unclosed mediacore Engine"):
        del engine
        gc.collect()


def test_a_running_pacer_is_stopped_when_the_engine_is_dropped() -> None:
    threads = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0
    engine = _core.Engine()
    engine.start()
    with pytest.warns(ResourceWarning):
        del engine
        gc.collect()
    if threads:
        assert len(os.listdir("/proc/self/task")) == threads


def test_events_make_the_descriptor_readable_until_they_are_polled(engine: _core.Engine) -> None:
    assert engine.fileno() == engine.event_fd
    with engine.open_leg(LEG) as leg:
        assert not select.select([engine], [], [], 0)[0]
        engine.tick(0)
        assert select.select([engine], [], [], 0)[0]
        assert engine.poll() == [LegOpened(leg.handle, engine.stats().ticks - 1, 0)]
        assert not select.select([engine], [], [], 0)[0]


def test_tick_many_runs_the_same_ticks_as_tick() -> None:
    seen = []
    for batched in (False, True):
        with _core.Engine() as engine:
            leg = engine.open_leg(LEG)
            if batched:
                assert engine.tick_many(0, 10) == 200_000
            else:
                for tick in range(10):
                    engine.tick(tick * 20_000)
            packets = []
            while (packet := leg.pull_packet()) is not None:
                packets.append(packet)
            seen.append((packets, leg.stats(), engine.stats().ticks))
            leg.close()
    assert seen[0] == seen[1]
    assert seen[0][2] == 10


def test_many_legs_tick_without_the_gil() -> None:
    with _core.Engine() as engine:
        legs = [engine.open_leg(LEG) for _ in range(20)]
        engine.tick(0)
        assert all(leg.stats().ticks == 1 for leg in legs)
        for leg in legs:
            leg.close()


def test_a_full_event_queue_reports_how_many_events_are_gone() -> None:
    with _core.Engine(event_slots=16) as engine:
        legs = [engine.open_leg(LEG) for _ in range(40)]
        engine.tick(0)
        assert len(engine.poll()) == 16
        for leg in legs[:2]:
            leg.close()
        engine.tick(20_000)
        lost = [event for event in engine.poll() if isinstance(event, EventsLost)]
        assert sum(event.count for event in lost) == engine.stats().events_dropped > 0
        for leg in legs:
            leg.close()


def test_a_full_command_queue_refuses() -> None:
    with _core.Engine(command_slots=16) as engine, engine.open_leg(LEG) as leg:
        with pytest.raises(QueueFullError) as caught:
            for _ in range(100):
                leg.pause()
        assert caught.value.code == -6
        engine.tick(0)
        leg.pause()


def test_max_legs_is_a_bound_and_closed_legs_make_room() -> None:
    with _core.Engine(max_legs=2) as engine:
        legs = [engine.open_leg(LEG) for _ in range(2)]
        with pytest.raises(QueueFullError):
            engine.open_leg(LEG)
        for leg in legs:
            leg.close()
        del leg, legs
        engine.tick(0)
        events = engine.poll()
        assert [type(event) for event in events].count(LegClosed) == 2
        engine.open_leg(LEG).close()


def test_out_of_range_sizes_are_refused() -> None:
    with pytest.raises(OverflowError):
        _core.Engine(max_legs=-1)
    with pytest.raises(MediaError):
        _core.Engine(max_legs=1 << 30)


def test_a_leg_closes_itself_when_its_budget_is_spent(engine: _core.Engine) -> None:
    leg = engine.open_leg(LegConfig(budget_ticks=3, vad_threshold_q15=None))
    engine.tick_many(0, 10)
    closed = [event for event in engine.poll() if isinstance(event, LegClosed)]
    assert [event.reason for event in closed] == [CloseReason.BUDGET]
    leg.close()
    leg.free()


@pytest.mark.realtime
def test_the_pacer_ticks_in_real_time(engine: _core.Engine) -> None:
    with pytest.raises(MediaError):
        engine.pacer_stats()
    engine.start()
    assert engine.running
    with pytest.raises(MediaError):
        engine.tick(0)
    with pytest.raises(MediaError):
        engine.tick_many(0, 1)
    with pytest.raises(MediaError):
        engine.start()
    time.sleep(0.3)
    stats = engine.pacer_stats()
    engine.stop()
    engine.stop()
    assert not engine.running
    assert 5 <= stats.ticks + stats.skipped <= 40
    assert stats.busy_us >= stats.busy_max_us
    ticks = engine.stats().ticks
    engine.tick(_core.now_us())
    assert engine.stats().ticks == ticks + 1


@pytest.mark.realtime
def test_the_pacer_goes_on_while_python_is_blocked(engine: _core.Engine) -> None:
    engine.start()
    end = time.monotonic() + 0.3
    while time.monotonic() < end:  # holds the GIL but for switches
        pass
    assert engine.pacer_stats().ticks >= 5
    engine.stop()


def test_close_from_another_thread_inside_tick_many_is_refused() -> None:
    with _core.Engine() as engine:
        thread = threading.Thread(target=engine.tick_many, args=(0, 1_000_000))
        thread.start()
        refused = False
        while thread.is_alive() and not refused:
            try:
                engine.tick(0)
            except MediaError:
                refused = True
                with pytest.raises(MediaError):
                    engine.close()
                break
        thread.join()
    assert refused


def test_a_socket_that_no_leg_can_have_is_closed() -> None:
    engine = _core.Engine(max_legs=1)
    engine.close()
    fd, _ = _core.udp_open("127.0.0.1", 0)
    with pytest.raises(MediaError):
        engine.open_leg(LegConfig(fd=fd))
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)
