from __future__ import annotations

import pytest

from mediacore.providers.local.guard import Hypothesis, Verdict, clean, judge, repeats, settle

MENU = "Press one to list users. Press two to mute users. Press three to eject the last user."


def heard(
    text: str, score: float = -0.4, no_speech: float = 0.05, audio_s: float = 3.0, tokens: int = 0
) -> Hypothesis:
    return Hypothesis(text, tokens or len(text.split()) + 1, score, no_speech, audio_s)


@pytest.mark.parametrize(
    ("hypothesis", "verdict"),
    [
        (heard("I'd like to check on an order, please."), Verdict.ACCEPT),
        (heard("Yes.", score=-1.1, audio_s=0.6), Verdict.ACCEPT),
        (heard("Yes.", score=-1.5, audio_s=0.6), Verdict.DOUBTFUL),
        (heard("I'd like to order a mail of it.", score=-1.1), Verdict.DOUBTFUL),
        (heard("", score=-0.5), Verdict.DOUBTFUL),
        (heard("[BLANK_AUDIO]"), Verdict.DOUBTFUL),
        (heard("one two three one two three"), Verdict.DOUBTFUL),
        (heard("yes yes yes yes yes yes yes yes", audio_s=10), Verdict.DOUBTFUL),
        (heard("a b c", tokens=40, audio_s=1.0), Verdict.DOUBTFUL),
        (heard("you", score=-1.0, no_speech=0.95), Verdict.NOTHING),
        (heard("Hello there.", score=-0.3, no_speech=0.7), Verdict.ACCEPT),
    ],
)
def test_judge(hypothesis: Hypothesis, verdict: Verdict) -> None:
    assert judge(hypothesis) is verdict


def test_clean_removes_annotations_and_empty_remains() -> None:
    assert clean(" (music) Hello  [noise] there ♪") == "Hello there"
    assert clean("... ♪ .") == ""


def test_repeats_looks_back_twelve_words() -> None:
    filler = [str(i) for i in range(20)]
    assert repeats(["a", "b", "c", *filler[:5], "a", "b", "c"])
    assert not repeats(["a", "b", "c", *filler, "a", "b", "c"])
    assert not repeats(["a", "b"])


def test_settle_keeps_a_menu_that_the_whole_window_confirms() -> None:
    short, whole = heard(MENU, audio_s=9), heard(MENU, score=-0.3, audio_s=9)
    assert settle(short, whole) is whole


def test_settle_drops_loops_and_noise() -> None:
    loop = heard("be " * 60, score=-0.1, audio_s=1)
    noise = heard("Beep!", score=-1.45, no_speech=0.75)
    assert settle(loop, noise) is None
    assert settle(loop, loop) is None
    assert settle(loop, heard("Nine.", score=-0.9)) is not None
    assert settle(heard("you", score=-1.8), heard("you", score=-1.9)) is None


def test_settle_prefers_the_better_score() -> None:
    short, whole = heard("Four.", score=-0.7), heard("For.", score=-0.9)
    assert settle(short, whole) is short
