from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from mediacore.providers.local.hibari_model import by_spelling, collect, sounding, with_output
from mediacore.providers.local.say_as import Spoken

VOCAB = {" ": 16, ".": 4, "a": 43, "b": 44, "c": 45, "ˈ": 156}


@dataclass
class Token:
    phonemes: str | None
    whitespace: str = ""


def test_with_output_appends_a_nested_field() -> None:
    # graph(7) { output(12) { name(1) = "ab" } }
    assert with_output(b"M", "ab") == b"M" + bytes([0x3A, 6, 0x62, 4, 0x0A, 2]) + b"ab"
    with pytest.raises(ValueError, match="long"):
        with_output(b"", "x" * 126)


def test_collect_finds_the_sounding_ids_of_each_written_word() -> None:
    tokens = [Token("ˈab", " "), Token("c"), Token(".", " "), Token(None, " "), Token("a")]
    phonemes = collect(tokens, VOCAB)
    assert phonemes.ids == [0, 156, 43, 44, 16, 45, 4, 16, 16, 43, 0]
    assert phonemes.spans == [(1, 3), (5, 5), None, (9, 9)]


def test_sounding_finds_the_edges() -> None:
    audio = np.zeros(24000, np.float32)
    audio[6000:18000] = 0.1
    assert sounding(audio) == (6000, 18000)
    assert sounding(np.zeros(500, np.float32)) == (0, 500)
    assert sounding(np.zeros(0, np.float32)) == (0, 0)


def test_by_spelling_shares_time_out_in_order() -> None:
    tokens = [Spoken("one two", 0, 2), Spoken("—", 3, 4), Spoken("x.", 5, 6)]
    assert by_spelling(tokens, 700) == [(0, 2, 0, 600), (5, 6, 600, 700)]
