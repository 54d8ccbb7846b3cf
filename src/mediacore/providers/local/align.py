"""Which spoken words belong to which token of the text, after a normaliser has rewritten it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(slots=True)
class Span:
    """Tokens first..last (inclusive) are spoken by words word_first..word_last (inclusive)."""

    first: int
    last: int
    word_first: int
    word_last: int


def align(owners: Sequence[int], before: Sequence[str], after: Sequence[str]) -> list[Span]:
    """Spans in order. before: words handed to the normaliser; owners: the token of each of them;
    after: the words it made of them. Tokens that left no word are in no span; tokens whose words
    cannot be told apart share one.
    """
    spans: list[Span] = []
    matcher = SequenceMatcher(None, [w.lower() for w in before], [w.lower() for w in after], False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal":
            for i, j in zip(range(i1, i2), range(j1, j2), strict=True):
                _add(spans, Span(owners[i], owners[i], j, j))
        elif kind == "replace":
            _add(spans, Span(owners[i1], owners[i2 - 1], j1, j2 - 1))
        elif kind == "insert":
            owner = owners[i1 - 1] if i1 else owners[0]
            _add(spans, Span(owner, owner, j1, j2 - 1))
    return spans


def _add(spans: list[Span], span: Span) -> None:
    if spans and span.first <= spans[-1].last:
        spans[-1].last = max(spans[-1].last, span.last)
        spans[-1].word_last = span.word_last
    else:
        spans.append(span)
