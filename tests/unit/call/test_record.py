import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediacore.call.record import (
    FrameFlag,
    FrameLog,
    Speaker,
    TextSpan,
    Turn,
    UtteranceKind,
    UtteranceRecord,
    UtteranceState,
)
from mediacore.media import Note


def said(text: str, heard: int = 0, spans: tuple[TextSpan, ...] = ()) -> UtteranceRecord:
    return UtteranceRecord(
        1, 1, UtteranceKind.REPLY, text, UtteranceState.CUT, heard_chars=heard, spans=spans
    )


@pytest.mark.parametrize(
    ("heard", "spans", "expected"),
    [
        (0, (), [(0, 6, False)]),
        (6, (), [(0, 6, True)]),
        (99, (), [(0, 6, True)]),
        (-1, (), [(0, 6, False)]),
        (2, (), [(0, 2, True), (2, 6, False)]),
        (0, (TextSpan(2, 4, True),), [(0, 2, False), (2, 4, True), (4, 6, False)]),
        (0, (TextSpan(0, 4, True), TextSpan(2, 9, False)), [(0, 4, True), (4, 6, False)]),
    ],
)
def test_spans_cover_the_text(heard, spans, expected) -> None:
    found = said("abcdef", heard, spans).all_spans()
    assert [(s.start, s.end, s.heard) for s in found] == expected


def test_empty_text_has_no_spans() -> None:
    assert said("", 3).all_spans() == ()
    assert said("", 3).heard_text == ""


@given(
    st.text(max_size=30),
    st.integers(-5, 40),
    st.lists(st.builds(TextSpan, st.integers(-3, 35), st.integers(-3, 35), st.booleans())),
)
def test_spans_never_gap_or_overlap(text: str, heard: int, spans: list[TextSpan]) -> None:
    at = 0
    for span in said(text, heard, tuple(spans)).all_spans():
        assert span.start == at < span.end
        at = span.end
    assert at == len(text)


def test_heard_text_of_a_turn() -> None:
    turn = Turn(
        0, Speaker.AGENT, 0, utterances=(said("One. ", 5), said("Two three.", 3), said("x"))
    )
    assert turn.heard_text == "One. Two"
    assert turn.full_text == "One. Two three. x"
    assert turn.was_cut
    assert Turn(1, Speaker.CALLER, 0, text="hi").heard_text == "hi"


def test_only_three_states_are_final() -> None:
    assert [s for s in UtteranceState if not s.final] == ["queued", "playing"]


def note(tick: int) -> Note:
    return Note(tick, -20, -127, 1, 0, 40, 40, 1, 0)


def test_missing_ticks_are_filled_and_old_ones_ignored() -> None:
    log = FrameLog()
    log.add([note(0), note(3)])
    log.add([note(2), note(4), note(10**9)])
    frames = log.freeze()
    assert len(frames) == len(log) == 5
    assert [bool(f & FrameFlag.GAP) for f in frames.flags] == [False, True, True, False, False]
    assert frames.rx_dbov == (-20, -127, -127, -20, -20)
