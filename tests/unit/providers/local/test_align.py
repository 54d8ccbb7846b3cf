from __future__ import annotations

import pytest

from mediacore.providers.local.align import align


@pytest.mark.parametrize(
    ("tokens", "after", "expected"),
    [
        (["hello", "there"], "Hello there", [(0, 0, 0, 0), (1, 1, 1, 1)]),
        (["on", "March", "3rd"], "on March third", [(0, 0, 0, 0), (1, 1, 1, 1), (2, 2, 2, 2)]),
        (["at", "7:30", "pm"], "at seven thirty P.M.", [(0, 0, 0, 0), (1, 2, 1, 3)]),
        (["one two", "x"], "one two x", [(0, 0, 0, 1), (1, 1, 2, 2)]),
        (["$5", "million"], "5 million dollars", [(0, 0, 0, 0), (1, 1, 1, 2)]),
        (["5pm", "ok"], "five P.M. ok", [(0, 0, 0, 1), (1, 1, 2, 2)]),
        (["a", "—", "b"], "a b", [(0, 0, 0, 0), (2, 2, 1, 1)]),
        (["x"], "the x", [(0, 0, 0, 1)]),
    ],
)
def test_words_go_to_their_tokens(
    tokens: list[str], after: str, expected: list[tuple[int, int, int, int]]
) -> None:
    before = [word for token in tokens for word in token.split()]
    owners = [i for i, token in enumerate(tokens) for _ in token.split()]
    spans = align(owners, before, after.split())
    assert [(s.first, s.last, s.word_first, s.word_last) for s in spans] == expected
