from itertools import pairwise

from mediacore.call.record import (
    LatencyStamps,
    PlayoutBand,
    UtteranceKind,
    UtteranceRecord,
    UtteranceState,
)
from mediacore.observe.summary import (
    answers,
    clock,
    cut_times_ms,
    length,
    on_wire,
    percentile,
    response_times_us,
    stage_bars,
)
from support.sample_call import sample_record


def test_stages_lie_end_to_end() -> None:
    bars = stage_bars(LatencyStamps(0, 300, 250, None, 400, 700, 720))
    assert [b.length_us for b in bars] == [300, 0, 0, 100, 300, 20]
    assert [b.known for b in bars] == [True, True, False, True, True, True]
    assert all(a.end_us == b.start_us for a, b in pairwise(bars))


def test_stages_done_before_the_end_add_nothing() -> None:
    bars = stage_bars(LatencyStamps(0, -50, -20, 10, 20, 30, 40))
    assert [b.length_us for b in bars] == [0, 0, 10, 10, 10, 10]


def test_answers_carry_the_gap_on_the_wire() -> None:
    found = answers(sample_record())
    assert [a.turn.index for a in found] == [2, 4, 6, 8]
    assert [a.gap_ms for a in found] == [580, 920, 620, 620]
    assert response_times_us(sample_record()) == (580_000, 920_000, 620_000, 620_000)
    assert cut_times_ms(sample_record()) == (80, 140, 100, 140)


def test_percentile_is_nearest_rank() -> None:
    assert percentile((), 50) is None
    assert percentile((7,), 95) == 7
    assert percentile((4, 1, 3, 2), 50) == 2
    assert percentile(tuple(range(1, 101)), 95) == 95


def test_position_on_the_wire_skips_pauses() -> None:
    bands = (PlayoutBand(100, 150), PlayoutBand(400, 450))
    said = UtteranceRecord(1, 1, UtteranceKind.REPLY, "a", UtteranceState.FINISHED, playout=bands)
    assert [on_wire(said, p) for p in (0, 49, 50, 99, 100)] == [100, 149, 400, 449, None]


def test_clock_and_length() -> None:
    assert clock(8000 * 61 + 4, 8000) == "1:01.001"
    assert clock(-5, 8000) == "0:00.000"
    assert [length(ms) for ms in (999, 1000, 61_000)] == ["999 ms", "1.0 s", "1 min 01 s"]
