import pytest

from mediacore.call import ledger
from mediacore.call.estimate import SpeechRate
from mediacore.call.ledger import Utterance
from mediacore.call.record import UtteranceKind, UtteranceState, WordTime

RATE = SpeechRate()
HZ = 8000
TEXT = "one two three four"
WORDS = tuple(
    WordTime(TEXT.index(w), TEXT.index(w) + len(w), i * 4000, i * 4000 + 4000)
    for i, w in enumerate(TEXT.split())
)


def utterance(**fields) -> Utterance:
    return Utterance(1, 1, UtteranceKind.REPLY, TEXT, **fields)


def heard(utt: Utterance, far_delay: int = 0) -> str:
    return ledger.heard_text(utt, RATE, HZ, far_delay)


def playing(words: bool = True) -> Utterance:
    utt = utterance()
    if words:
        utt = ledger.with_words(utt, WORDS)
    return ledger.start(ledger.with_total(utt, 16000), at=100)


@pytest.mark.parametrize(
    ("position", "text"),
    [
        (0, ""),
        (1999, ""),
        (2000, "one"),
        (4000, "one"),
        (6000, "one two"),
        (13999, "one two three"),
        (14000, TEXT),
    ],
)
def test_a_word_is_heard_when_half_of_it_was_played(position, text):
    utt = ledger.cut(playing(), at=9000, position=position, wire=position, cause="barge_in")
    assert utt.state is UtteranceState.CUT
    assert heard(utt) == text


def test_the_far_end_delay_is_taken_off_a_cut_but_not_off_the_end():
    cut = ledger.cut(playing(), at=9000, position=6000, wire=6000, cause="command")
    assert heard(cut, far_delay=100) == "one"
    finished = ledger.finish(playing(), at=16100, position=16000, wire=16000)
    assert heard(finished, far_delay=8000) == TEXT


def test_what_went_out_before_a_pause_arrives_while_the_cut_is_decided():
    paused = ledger.pause(playing(), at=6100, position=6000)
    for at, text in ((6100, "one"), (6150, "one"), (6200, "one two"), (9000, "one two")):
        cut = ledger.cut(paused, at=at, position=6000, wire=6000, cause="barge_in")
        assert heard(cut, far_delay=100) == text


def test_nothing_is_heard_of_what_never_started():
    assert heard(utterance()) == ""
    assert heard(ledger.refuse(utterance())) == ""
    empty = ledger.finish(ledger.start(utterance(), 0), 0, 0, 0)
    assert heard(empty) == ""
    queued = ledger.cut(utterance(), at=5, position=0, wire=0, cause="barge_in")
    assert queued.state is UtteranceState.REFUSED


def test_a_final_state_is_not_undone():
    finished = ledger.finish(playing(), at=16100, position=16000, wire=16000)
    assert ledger.refuse(finished) is finished
    half = ledger.play_to(playing(), 4100, 4000)
    assert ledger.refuse(half).state is UtteranceState.CUT


def test_positions_only_grow_and_queued_covers_them():
    utt = ledger.play_to(ledger.play_to(playing(), 5100, 5000), 6000, 3000)
    assert utt.played == 5000
    late = ledger.play_to(utterance(), 800, 700)
    assert late.queued == 700
    assert ledger.with_queued(late, 100).queued == 700
    assert ledger.with_total(late, 500).total == 700


def test_a_replay_after_a_resume_does_not_unhear():
    utt = ledger.pause(playing(), at=6100, position=6000)
    utt = ledger.release(utt, at=8000, position=4000)
    utt = ledger.cut(utt, at=9000, position=5000, wire=7000, cause="barge_in")
    assert utt.played == 6000
    assert heard(utt) == "one two"


def test_without_a_report_it_went_on_as_far_as_there_was_audio():
    assert ledger.assume_to(playing(), 4100).played == 4000
    assert ledger.assume_to(playing(), 99999).played == 16000
    assert ledger.assume_to(utterance(), 4100).played == 0
    paused = ledger.pause(playing(), 1100, 1000)
    assert ledger.assume_to(paused, 5000).played == 1000
    streaming = ledger.with_queued(ledger.start(utterance(), 0), 3000)
    assert ledger.assume_to(streaming, 5000).played == 3000


def test_bands_show_pauses_and_underruns():
    utt = ledger.pause(playing(), at=1100, position=1000)
    utt = ledger.release(utt, at=3000, position=1000)
    utt = ledger.run_dry(utt, at=4000, position=2000)
    utt = ledger.play_to(ledger.sounding(utt, 7000, 2500), 7000, 2500)
    utt = ledger.finish(utt, at=8000, position=3500, wire=3500)
    assert [(b.start, b.end) for b in utt.bands] == [(100, 1100), (3000, 4000), (6500, 8000)]
    rest = ledger.cut(ledger.pause(playing(), 1100, 1000), 5000, 1000, 1000, "command")
    assert [(b.start, b.end) for b in rest.bands] == [(100, 1100)]


def test_words_that_make_no_sense_are_left_out():
    bad = (
        WordTime(0, 99, 0, 10),
        WordTime(5, 3, 0, 10),
        WordTime(0, 3, 0, 4000),
        WordTime(1, 2, 100, 200),
        WordTime(4, 7, 4000, 3000),
    )
    assert ledger.with_words(utterance(), bad).words == (bad[2],)


def test_without_word_times_the_estimate_uses_the_length():
    utt = ledger.cut(playing(words=False), 9000, 6500, 6500, "barge_in")
    assert heard(utt) == "one two"


def test_broken_synthesis():
    none = ledger.with_failure(utterance(), 0)
    assert none.state is UtteranceState.REFUSED
    part = ledger.start(ledger.with_failure(ledger.with_words(utterance(), WORDS), 6000), 0)
    part = ledger.finish(part, at=6000, position=6000, wire=6000)
    assert part.state is UtteranceState.FINISHED
    assert heard(part) == "one two"
    assert ledger.learn_rate(part, RATE, HZ) == RATE


def test_the_record_holds_spans_words_and_bands():
    utt = ledger.cut(playing(), at=6100, position=6000, wire=6000, cause="barge_in")
    rec = ledger.record(utt, RATE, HZ)
    assert rec.heard_text == "one two"
    assert [(s.start, s.end, s.heard) for s in rec.spans] == [(0, 7, True), (7, 18, False)]
    assert (rec.queued_samples, rec.played_samples, rec.wire_samples) == (16000, 6000, 6000)
    assert (rec.cut_at, rec.cut_cause) == (6100, "barge_in")
    assert rec.words == WORDS
    assert ledger.learn_rate(utt, RATE, HZ).observed == 1
