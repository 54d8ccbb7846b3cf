import pytest

from mediacore.policy.redact import (
    AudioMask,
    RedactRules,
    SpanKind,
    TimedWord,
    find,
    find_in_words,
    leaks,
    luhn,
    redact,
    scrub,
    secret_texts,
)

CARDS = [
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "four one one one one one one one one one one one one one one one",
    "4 1 1 1, 1 1 1 1, 1 1 1 1, 1 1 1 1",
    "forty one eleven eleven eleven eleven eleven eleven eleven",
    "four triple one, uh, double one double one, then um triple one triple one double one",
    "four one one one dash 1111 dash 1111 dash one one one one",
]


@pytest.mark.parametrize("card", CARDS)
def test_card_phrasings(card: str) -> None:
    text = f"My card is {card} and it expires soon"
    (mask,) = find(text)
    assert mask.kind is SpanKind.CARD
    assert redact(text) == "My card is [redacted] and it expires soon"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("123-45-6789", SpanKind.SSN),
        ("one two three four five six seven eight nine", SpanKind.SSN),
        ("555-010-1234", SpanKind.PHONE),
        ("+1 555 010 1234", SpanKind.PHONE),
        ("5551234", SpanKind.PHONE),
        ("123456", SpanKind.NUMBER),
        ("4111111111111112", SpanKind.NUMBER),
    ],
)
def test_kinds(text: str, kind: SpanKind) -> None:
    assert [m.kind for m in find(text)] == [kind]


def test_short_numbers_stay() -> None:
    text = "Two tickets at 5:30, gate 12"
    assert redact(text) == text
    assert redact("code 1234", RedactRules(min_digits=4)) == "code [redacted]"


def test_audio_spans() -> None:
    said = "card four one one uh one one one please"
    words = [TimedWord(w, at * 100, at * 100 + 80) for at, w in enumerate(said.split())]
    rules = RedactRules(margin_samples=10)
    assert find_in_words(words, rules) == (AudioMask(90, 790, SpanKind.NUMBER),)
    assert find_in_words([], rules) == ()


def test_audio_spans_join_and_stay_on_the_clock() -> None:
    words = [
        TimedWord("123456", 0, 90),
        TimedWord("please", 90, 95),
        TimedWord("654321", 100, 150),
    ]
    assert find_in_words(words, RedactRules(margin_samples=10)) == (
        AudioMask(0, 160, SpanKind.NUMBER),
    )


def test_luhn() -> None:
    assert luhn("4111111111111111") and luhn("378282246310005") and not luhn("4111111111111112")


@pytest.mark.parametrize(
    "text",
    ["code 90210", "code nine oh two one oh", "9-0-2-1-0", "it is double nine 0 2 1 oh", "x90210y"],
)
def test_scrub_numbers(text: str) -> None:
    assert leaks(text, ["90210"])
    assert not leaks(scrub(text, ["90210"]), ["90210"])


def test_scrub_words() -> None:
    secrets = ["Blue Falcon", "ok", "Straße"]
    assert scrub("say BLUE, falcon! ok?", secrets) == "say [redacted]! ok?"
    assert scrub("in der STRASSE hier", secrets) == "in der [redacted] hier"
    assert scrub("nothing", secrets) == "nothing" and not leaks("blue", secrets)


def test_secret_texts_flattens() -> None:
    data = {"a": "secret", "b": [12345, {"c": "x"}], "d": True, "e": None, "f": ("secret", 1.25)}
    assert sorted(secret_texts(data)) == ["1.25", "12345", "secret"]
