from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from mediacore.bench.heard import deliver, end_error, sample_error
from mediacore.bench.playing import CODE, Piece, Plan, Stage, Step, judge
from mediacore.events import PlayoutCut, PlayoutPaused, UtteranceFinished

SILENT = b"\xff"


@pytest.fixture
def stage():
    stage = Stage(Random(1), bytes(range(160)) * 4)
    yield stage
    stage.close()


def test_a_whole_utterance_is_seen(stage) -> None:
    played = stage.play(Plan(8000, 100, (Piece(0, 8000),)))
    assert isinstance(played.end, UtteranceFinished)
    assert (played.truth.wire, played.truth.position, played.truth.holes) == (8000, 8000, 0)
    assert sample_error(played) == end_error(played) == 0


def test_pause_and_cut_are_seen(stage) -> None:
    steps = (Step(20, "pause"), Step(40, "resume"), Step(60, "cut"))
    played = stage.play(Plan(16000, 7, (Piece(0, 16000),), steps=steps))
    assert isinstance(played.end, PlayoutCut)
    assert any(isinstance(e, PlayoutPaused) for e in played.events)
    assert played.truth.wire > played.truth.position  # the fade is played again
    assert sample_error(played) == end_error(played) == 0


def test_a_wrong_count_would_be_found(stage) -> None:
    plan = Plan(3200, 0, (Piece(0, 3200),))
    sent = SILENT * 160 + CODE.wire[:1600] + SILENT * 320 + CODE.wire[2000:3200]
    truth = judge(sent, CODE.wire, plan, 8000)
    assert (truth.wire, truth.position, truth.holes) == (2800, 3200, 400)
    assert truth.last_at == 8000 + len(sent)
    assert stage.play(plan).truth != truth


def test_faded_ends_do_not_hide_a_stretch() -> None:
    plan = Plan(1600, 0, (Piece(0, 1600),))
    run = bytearray(CODE.wire[:400])
    for i in range(40):  # quieter, same signs
        run[i] |= 0x60
        run[-1 - i] |= 0x60
    truth = judge(bytes(run) + SILENT * 10, CODE.wire, plan, 0)
    assert (truth.wire, truth.position, truth.unknown) == (400, 400, 0)
    faded = bytes(code | 0x60 for code in CODE.wire[200:240])
    truth = judge(faded + SILENT, CODE.wire, plan, 0)
    assert (truth.position, truth.holes) == (240, 200)
    assert judge(faded[:10] + SILENT, CODE.wire, plan, 0).unknown == 10


def test_delivery_is_complete_and_in_order() -> None:
    pieces = deliver(Random(2), 20_000, 2.0, stalls=True, after=3)
    assert pieces[0].tick == 3 and pieces[-1].end == 20_000
    ticks = [p.tick for p in pieces]
    assert ticks == sorted(ticks)
    assert max(b - a for a, b in pairwise(ticks)) >= 125
