from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediacore.providers.local.phrases import PIECE_MAX, phrases


def cut(text: str) -> list[str]:
    return [text[first:last].strip() for first, last in phrases(text)]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello there.", ["Hello there."]),
        ("Hello. How are you?", ["Hello.", "How are you?"]),
        ("Dr. Smith is in. J. Doe is not.", ["Dr. Smith is in.", "J. Doe is not."]),
        ("It costs 4.50 today! Yes", ["It costs 4.50 today!", "Yes"]),
        ("At 9 a.m. or later.", ["At 9 a.m. or later."]),
        ('He said "go." Then he left.', ['He said "go."', "Then he left."]),
        ("One\ntwo", ["One", "two"]),
        ("   ", []),
        ("", []),
    ],
)
def test_sentences(text: str, pieces: list[str]) -> None:
    assert cut(text) == pieces


def test_a_long_first_sentence_is_cut_at_a_clause_end() -> None:
    head = "Thank you for calling about the order that you placed with us,"
    tail = "which has left our warehouse this morning and should be with you on Tuesday."
    assert cut(f"{head} {tail}") == [head, tail]
    assert cut(f"Hello. {head} {tail}") == ["Hello.", f"{head} {tail}"]


def test_endless_text_is_cut_at_blanks() -> None:
    text = "word " * 200
    assert all(len(piece) <= PIECE_MAX for piece in cut(text))
    assert " ".join(cut(text)).split() == text.split()


@given(st.text(alphabet="aB1 .,!?\n\"'—…", max_size=400))
def test_pieces_are_in_order_and_lose_no_word(text: str) -> None:
    spans = list(phrases(text))
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert " ".join(text[a:b] for a, b in spans).split() == text.split()
