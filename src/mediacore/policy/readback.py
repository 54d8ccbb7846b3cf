"""Numbers read back digit by digit, and what the caller's answer to that means.

The texts are language tables (`ENGLISH_TEXT`). Understanding an answer is conservative: only a
plain yes counts as one; whatever is mixed, hedged or a question is `UNCLEAR`, and the number is
read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from mediacore.policy.spoken import ENGLISH, DigitRun, NumberWords, runs_of, tokenise


class ReadBack(StrEnum):
    """How a value is read."""

    PHONE = "phone"  # 3-3-4 groups
    ACCOUNT = "account"  # groups of three or four
    AMOUNT = "amount"  # digit by digit, with "point"
    CODE = "code"  # letters by the spelling alphabet


@dataclass(frozen=True, slots=True)
class ReadBackText:
    """The words of a language. letters: how each letter is said. yes, no: words of an answer.

    doubts: words that make an answer unclear. pronouns: words before "one" that make it no digit.
    """

    digits: tuple[str, ...]
    letters: Mapping[str, str]
    signs: Mapping[str, str]
    yes: frozenset[str]
    no: frozenset[str]
    doubts: frozenset[str]
    pronouns: frozenset[str]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SPELLING: Final = (
    "Alpha Bravo Charlie Delta Echo Foxtrot Golf Hotel India Juliett Kilo Lima Mike November Oscar "
    "Papa Quebec Romeo Sierra Tango Uniform Victor Whiskey X-ray Yankee Zulu"
)
ENGLISH_TEXT: Final = ReadBackText(
    digits=_DIGITS,
    letters=MappingProxyType(
        {name[0].lower(): f"{name[0]} as in {name}" for name in _SPELLING.split()}
    ),
    signs=MappingProxyType(
        {"+": "plus", ".": "point", "-": "dash", "/": "slash", "#": "hash", "_": "underscore"}
    ),
    yes=_words(
        "yes yeah yep yup yea correct right exactly affirmative sure perfect absolutely indeed"
    ),
    no=_words(
        "no nope nah not wrong incorrect isn aren doesn don wasn never negative false mistake "
        "isnt dont wasnt"
    ),
    doubts=_words(
        "maybe perhaps think guess almost except but what sorry pardon repeat again wait hold "
        "actually instead unsure probably possibly which who why how mean change if"
    ),
    pronouns=_words("the that this which another no wrong right every each"),
)


class AnswerKind(StrEnum):
    """What the caller meant."""

    YES = "yes"
    NO = "no"
    CORRECTION = "correction"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Answer:
    """value: the digits of a correction that gives the whole number; "" = ask for it."""

    kind: AnswerKind
    value: str = ""


def canonical(value: str, kind: ReadBack) -> str:
    """What counts of a value: digits; for codes letters too, for amounts the number itself."""
    if kind is ReadBack.CODE:
        return "".join(c for c in value.casefold() if c.isalnum())
    if kind is ReadBack.AMOUNT:
        whole, _, cents = "".join(c for c in value if c.isdigit() or c == ".").partition(".")
        return f"{whole.lstrip('0') or '0'}.{cents.replace('.', '').rstrip('0')}"
    return "".join(c for c in value if c.isdigit())


def read_back(value: str, kind: ReadBack, text: ReadBackText = ENGLISH_TEXT) -> str:
    """The words to speak, groups set apart by commas. Empty when there is nothing to read."""
    if kind is ReadBack.AMOUNT:
        kept = "".join(c for c in value if c.isdigit() or c == ".").rstrip(".")
        return " ".join(_say(c, text) for c in kept)
    if kind is ReadBack.CODE:
        said = (_say(c, text) for c in value.lower())
        return ", ".join(s for s in said if s)
    digits = "".join(c for c in value if c.isdigit())
    groups = _phone_groups(digits) if kind is ReadBack.PHONE else _groups(digits)
    said_groups = [" ".join(_say(c, text) for c in group) for group in groups]
    if kind is ReadBack.PHONE and value.strip().startswith("+") and said_groups:
        said_groups[0] = f"{text.signs['+']} {said_groups[0]}"
    return ", ".join(said_groups)


def _say(char: str, text: ReadBackText) -> str:
    if char.isdecimal():
        return text.digits[int(char)]
    return text.letters.get(char) or text.signs.get(char, "")


def _phone_groups(digits: str) -> list[str]:
    """Country code, then 3-3-4; numbers of another length in threes."""
    if len(digits) == 7:
        return [digits[:3], digits[3:]]
    if len(digits) < 10:
        return _groups(digits)
    head, tail = digits[:-10], digits[-10:]
    return [*([head] if head else []), tail[:3], tail[3:6], tail[6:]]


def _groups(digits: str) -> list[str]:
    """Fours when that comes out even, else threes, and no single digit at the end."""
    size = 4 if len(digits) % 4 == 0 else 3
    out = [digits[at : at + size] for at in range(0, len(digits), size)]
    if len(out) > 1 and len(out[-1]) == 1:
        out[-2:] = [out[-2] + out[-1]]
    return out


def matches(
    number: str,
    answer: str,
    text: ReadBackText = ENGLISH_TEXT,
    words: NumberWords = ENGLISH,
) -> Answer:
    """What `answer` says about `number`, of which the digits were just read back."""
    tokens = [t.text for t in tokenise(answer)]
    wanted = "".join(c for c in number if c.isdigit())
    said = _said_digits(answer, text, words)
    negated = any(t in text.no for t in tokens)
    affirmed = any(t in text.yes for t in tokens)
    doubted = any(t in text.doubts for t in tokens) or answer.rstrip().endswith("?")
    if said and said != wanted:
        if affirmed and not negated:
            return Answer(AnswerKind.UNCLEAR)
        return Answer(AnswerKind.CORRECTION, said if len(said) >= len(wanted) else "")
    if said:
        return Answer(AnswerKind.UNCLEAR if negated or doubted else AnswerKind.YES)
    if doubted or (negated and affirmed):
        return Answer(AnswerKind.UNCLEAR)
    if negated:
        return Answer(AnswerKind.NO)
    return Answer(AnswerKind.YES if affirmed else AnswerKind.UNCLEAR)


def polarity(answer: str, text: ReadBackText = ENGLISH_TEXT) -> bool | None:
    """True for a plain yes, False for a plain no, None for anything else."""
    kind = matches("", answer, text).kind
    return {AnswerKind.YES: True, AnswerKind.NO: False}.get(kind)


def _said_digits(answer: str, text: ReadBackText, words: NumberWords) -> str:
    tokens = tokenise(answer)

    def counts(run: DigitRun) -> bool:
        before = tokens[run.first - 1].text if run.first else ""
        single_word = len(run.digits) == 1 and not tokens[run.first].text.isdigit()
        pronoun = before in text.pronouns or tokens[run.first].text in ("oh", "o")
        return not (single_word and pronoun)

    return "".join(run.digits for run in runs_of(tokens, words) if counts(run))
