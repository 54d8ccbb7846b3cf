"""Documents from inside the call."""

from __future__ import annotations

import pytest

from mediacore.flow.source import DocumentError
from mediacore.runtime.documents import go_on_with, inline_document


@pytest.mark.parametrize(
    "value",
    [
        [{"play": "say:x"}],
        ({"play": "say:x"},),
        {"sections": {"main": [{"play": "say:x"}]}},
    ],
)
def test_statements_and_objects(value: object) -> None:
    document = inline_document(value, "n")
    assert [s.method for s in document.sections["main"]] == ["play"] and document.name == "n"


@pytest.mark.parametrize("value", ["https://x/y", '{"sections": {"main": []}}'])
def test_a_text_is_where_to_go(value: str) -> None:
    (statement,) = inline_document(value, "n").sections["main"]
    assert statement.method == "transfer"


@pytest.mark.parametrize("value", [5, None, {}, [5], [{"nonsense": {}}], {"sections": 1}])
def test_what_is_no_document(value: object) -> None:
    with pytest.raises(DocumentError):
        inline_document(value, "n")


def test_going_on_with_an_address_has_words_for_when_it_cannot_be_had() -> None:
    document = go_on_with("https://a.test/next", "Sorry. Goodbye.", "next")
    methods = [statement.method for statement in document.sections["main"]]
    assert methods == ["transfer", "play", "hangup"]
    assert document.sections["main"][1].params == {"url": "say:Sorry. Goodbye."}
