"""Has the caller finished? Does the caller want the floor? Answers as pure functions.

Both rest on the text; the times are the caller's to add up. The word lists are English; other
languages fall back to punctuation and word counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mediacore.call.settings import TurnSettings


class Completeness(StrEnum):
    """How finished a caller's text looks."""

    COMPLETE = "complete"
    UNSURE = "unsure"
    INCOMPLETE = "incomplete"


class Intent(StrEnum):
    """What speech during the agent's speech is."""

    NOTHING = "nothing"  # no words
    BACKCHANNEL = "backchannel"  # "uh-huh": go on
    UNCLEAR = "unclear"  # words, but too few to tell yet
    FLOOR = "floor"  # the caller wants to speak


@dataclass(frozen=True, slots=True)
class Wait:
    """Silence that ends the turn, and why."""

    wait_ms: int
    looks: Completeness
    shortened: bool = False


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_PATTERN_CHARS: Final = 200  # bounds the time of a search
_HESITATION: Final = _word_set("uh um uhm er erm ah hmm hm mm eh")
_OPEN_ENDS: Final = _word_set("and but or because cause if when the a an my your of with")
_OPEN_UNLESS_STOPPED: Final = _word_set(
    "so to for from at in on is are was am i i'm it's that's by about then than into like "
    "which who where also well maybe their his her our this it's we you they can could would "
    "will want need"
)
_NUMBER_INTRO: Final = re.compile(
    r"\b(?:number|code|pin|zip|postcode|account|reference|id|digits|extension|phone|card|order)\b"
    r"(?:\s+(?:is|are|was|it's|its|would be|number|code|id))*\s*$"
)
_NAME_INTRO: Final = re.compile(
    r"\b(?:number|code|name|address|email|e-mail|birthday|date of birth|question|problem|zip|pin)"
    r"\s+(?:is|are|was)$"
)
_DIGIT_WORDS: Final = _word_set("zero oh one two three four five six seven eight nine")
_SHORT_ANSWERS: Final = _word_set(
    "yes no yeah yep nope sure okay ok correct right exactly thanks bye goodbye hello hi please "
    "none nothing"
)
_BACKCHANNELS: Final = _word_set(
    "uh-huh uhhuh mm-hmm mmhmm mhm mm hmm hm uh huh um ah oh okay ok yeah yep yes ya right sure "
    "good great fine alright cool nice wow really gotcha thanks"
)
_BACKCHANNEL_PHRASES: Final = re.compile(
    r"\b(?:i see|got it|i know|all right|of course|makes sense|that's right|thank you)\b"
)
_FAREWELL: Final = re.compile(
    r"\b(?:good ?bye|bye|bye-bye|you too|take care|see you|cheers"
    r"|have an? (?:good|nice|great|lovely) (?:day|one|evening|weekend))\b"
)
_FLOOR_WORDS: Final = _word_set(
    "stop wait no hello sorry pardon hey hold excuse actually but what cancel operator"
)


def words(text: str) -> list[str]:
    """Lower-case words of a text, hyphens and apostrophes inside kept."""
    return [w.replace("’", "'") for w in _WORD.findall(text.lower())]


def judge_completeness(text: str, expected_digits: int = 0) -> Completeness:
    """Whether the caller's text looks like a finished turn."""
    stripped = text.strip()
    tokens = words(stripped)
    if not tokens:
        return Completeness.INCOMPLETE
    plain = " ".join(tokens)
    stopped = stripped[-1] in ".?!"
    open_mark = stripped.endswith(("...", "…", ",", "-", "–", "—", ":"))
    if open_mark or tokens[-1] in _HESITATION or _NAME_INTRO.search(plain):
        return Completeness.INCOMPLETE
    digits = judge_digits(plain, expected_digits)
    if digits is not None:
        return digits
    if stripped[-1] != "?" and tokens[-1] in _OPEN_ENDS:
        return Completeness.INCOMPLETE
    if not stopped and tokens[-1] in _OPEN_UNLESS_STOPPED:
        return Completeness.INCOMPLETE
    if stopped or (len(tokens) <= 2 and tokens[-1] in _SHORT_ANSWERS):
        return Completeness.COMPLETE
    return Completeness.UNSURE


def judge_digits(plain: str, expected_digits: int) -> Completeness | None:
    """Completeness of a text that ends in a spelled-out number. None when it does not.

    plain: lower-case words. A number counts as spelled out when it was introduced as one, or when
    it comes in three groups or more, or when a number of digits is expected.
    """
    tokens = plain.replace("-", " ").split()
    count, groups = 0, 0
    while tokens and (size := _digits_in(tokens[-1])):
        count += size
        groups += 1
        tokens.pop()
    if not count:
        return None
    if expected_digits:
        return Completeness.COMPLETE if count >= expected_digits else Completeness.INCOMPLETE
    if groups < 3 and not _NUMBER_INTRO.search(" ".join(tokens)):
        return None
    if count < 4:
        return Completeness.INCOMPLETE
    return Completeness.COMPLETE if count >= 7 and count not in (8, 9) else Completeness.UNSURE


def endpoint_wait(text: str, probability: float | None, settings: TurnSettings) -> Wait:
    """How long the caller must be silent. The turn detector's vote can only shorten it."""
    looks = judge_completeness(text, settings.expected_digits)
    wait_ms = {
        Completeness.COMPLETE: settings.complete_ms,
        Completeness.UNSURE: settings.unsure_ms,
        Completeness.INCOMPLETE: settings.incomplete_ms,
    }[looks]
    sure = probability is not None and probability >= settings.detector_threshold
    if sure and settings.detector_ms < wait_ms:
        return Wait(settings.detector_ms, looks, shortened=True)
    return Wait(wait_ms, looks)


def judge_intent(text: str, final: bool, settings: TurnSettings, closing: bool = False) -> Intent:
    """What the caller's words over the agent's speech mean. closing: over the last words."""
    plain = _BACKCHANNEL_PHRASES.sub(" okay ", text.lower().replace("’", "'"))
    tokens = words(_FAREWELL.sub(" okay ", plain) if closing else plain)
    if not tokens:
        return Intent.NOTHING
    real = [t for t in tokens if t not in _BACKCHANNELS and t not in _HESITATION]
    if settings.barge_pattern:
        return _judge_pattern(text, final, settings)
    if not real:
        return Intent.BACKCHANNEL
    if not final and not settings.barge_partials:
        return Intent.UNCLEAR
    least = settings.final_min_words if final else settings.min_words
    if len(real) >= least or any(t in _FLOOR_WORDS for t in real):
        return Intent.FLOOR
    return Intent.UNCLEAR


def _judge_pattern(text: str, final: bool, settings: TurnSettings) -> Intent:
    """Only words that match interrupt. A pattern that is none matches nothing."""
    if not final and not settings.barge_partials:
        return Intent.UNCLEAR
    try:
        found = re.search(settings.barge_pattern, text[-_PATTERN_CHARS:], re.IGNORECASE)
    except re.error:
        found = None
    return Intent.FLOOR if found else Intent.UNCLEAR


def _digits_in(token: str) -> int:
    if token.isdigit():
        return len(token)
    return 1 if token in _DIGIT_WORDS else 0
