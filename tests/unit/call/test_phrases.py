import pytest

from mediacore.call.phrases import PhraseBuffer, PhraseRules, clean, flush, push


def stream(text: str, size: int, rules: PhraseRules | None = None) -> list[str]:
    buffer = PhraseBuffer(rules or PhraseRules())
    out: list[str] = []
    for i in range(0, len(text), size):
        buffer, ready = push(buffer, text[i : i + size])
        out += ready
    buffer, ready = flush(buffer)
    assert buffer.pending == ""
    return [*out, *ready]


CASES = [
    ("ok", ["ok"]),
    ("", []),
    ("Yes. Your order is on its way.", ["Yes. Your order is on its way."]),
    (
        "Sure, I can help with that. Your order shipped on March 3rd. It costs $42.15, Mr. Smith.",
        [
            "Sure, I can help with that.",
            "Your order shipped on March 3rd.",
            "It costs $42.15, Mr. Smith.",
        ],
    ),
    ("The first answer, as you know, is long.", ["The first answer,", "as you know, is long."]),
    (
        "Dr. Jones is in at 10 a.m. on Tuesday. Or on Fridays from 3 p.m. Please choose one.",
        [
            "Dr. Jones is in at 10 a.m. on Tuesday.",
            "Or on Fridays from 3 p.m.",
            "Please choose one.",
        ],
    ),
    (
        "Please write to jane.doe@example.com. We answer within 2.5 days.",
        ["Please write to jane.doe@example.com.", "We answer within 2.5 days."],
    ),
    ("I met J. Smith in the U.S. today.", ["I met J. Smith in the U.S. today."]),
    (
        "**Great news!** Your order is *ready*.\n\n- One: pickup\n- Two: delivery\n",
        ["Great news! Your order is ready.", "One: pickup, Two: delivery"],
    ),
    (
        "See [our page. Really](https://x.org/a_b), please.",
        ["See our page. Really,", "please."],
    ),
    (
        "# Opening hours\nWe open at nine every day.",
        ["Opening hours", "We open at nine every day."],
    ),
    ("🙂\n---\n", []),
    ("Really?! Are you sure about it?", ["Really?! Are you sure about it?"]),
    ("Wait... I have it here now. Done.", ["Wait... I have it here now.", "Done."]),
]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(("text", "phrases"), CASES)
def test_phrases_do_not_depend_on_how_the_stream_is_cut(text, phrases, size):
    assert stream(text, size) == phrases


def test_the_first_phrase_does_not_wait_for_the_sentence():
    buffer, ready = push(PhraseBuffer(), "Let me have a look, ")
    assert ready == ("Let me have a look,",)
    _, later = push(buffer, "it will take a moment or two, ")
    assert later == ()


def test_a_text_without_end_is_broken_at_the_limit():
    parts = stream("word " * 200, 7, PhraseRules(limit_chars=60))
    assert all(len(p) <= 61 for p in parts)
    assert " ".join(parts) == ("word " * 200).strip()
    assert "".join(stream("x" * 500, 50, PhraseRules(limit_chars=60))) == "x" * 500


def test_a_long_text_is_broken_at_a_clause():
    text = "Well now. " + "some words here and there, " * 12
    parts = stream(text, 9, PhraseRules(limit_chars=80))
    assert all(p.endswith(",") for p in parts[1:])


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("`code` and my_name@example.com", "code and my_name@example.com"),
        ("_one_ **two** __three__", "one two three"),
        ("| a | b |", "a b"),
        ("1. First\n2. Second", "1: First, 2: Second"),
        ("> quoted", "quoted"),
        ("***", ""),
        ("2 * 3", "2 3"),
    ],
)
def test_markdown_is_not_spoken(text, spoken):
    assert clean(text) == spoken
