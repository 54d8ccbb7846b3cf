"""Is a recognised text believable? Whisper loops or invents when its window is short or noisy.

Thresholds were set on recorded 8 kHz prompts after a µ-law round trip.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

_TOKENS_FREE: Final = 6
_TOKENS_PER_S: Final = 4.2
_ZLIB_SUSPECT: Final = 1.9
_ZLIB_LOOP: Final = 2.4
_REPEAT_WORDS: Final = 12
_SCORE_MIN: Final = -0.9
_FEW_TOKENS: Final = 6  # a right one-word answer often scores about -1.1
_FEW_SCORE_MIN: Final = -1.35
_NO_SPEECH: Final = 0.6
_NO_SPEECH_SCORE: Final = -0.6
_HOPELESS_SCORE: Final = -1.6
_ANNOTATION: Final = re.compile(r"\[[^\]]*\]|\([^)]*\)|[♪*]+")
_WORD: Final = re.compile(r"[\w']+")


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One decoding. tokens: without special ones. score: mean log-probability of a token."""

    text: str
    tokens: int
    score: float
    no_speech: float
    audio_s: float


class Verdict(Enum):
    """What to do with a hypothesis."""

    ACCEPT = "accept"
    DOUBTFUL = "doubtful"  # decode again with the whole window
    NOTHING = "nothing"  # no speech in it


def clean(text: str) -> str:
    """Without annotations like "[BLANK_AUDIO]", and empty if no word is left."""
    kept = " ".join(_ANNOTATION.sub(" ", text).split())
    return kept if _WORD.search(kept) else ""


def repeats(words: Sequence[str]) -> bool:
    """Whether three words in a row come again within twelve words."""
    last: dict[tuple[str, ...], int] = {}
    for i in range(len(words) - 2):
        gram = tuple(words[i : i + 3])
        if i - last.get(gram, -_REPEAT_WORDS - 1) <= _REPEAT_WORDS:
            return True
        last[gram] = i
    return False


def _packed(text: str) -> float:
    """How much smaller zlib makes the text: loops pack well."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw))


def runs_on(hypothesis: Hypothesis, packed_max: float = _ZLIB_LOOP) -> bool:
    """Whether there is more text than anybody can say in the time, or little but repetition."""
    limit = _TOKENS_FREE + _TOKENS_PER_S * hypothesis.audio_s
    return hypothesis.tokens > limit or _packed(hypothesis.text) > packed_max


def suspect(hypothesis: Hypothesis) -> bool:
    """Whether it may be a loop; a menu ("press two to … press three to …") looks like one too."""
    words = _WORD.findall(hypothesis.text.lower())
    return runs_on(hypothesis, _ZLIB_SUSPECT) or repeats(words)


def judge(hypothesis: Hypothesis) -> Verdict:
    """Verdict on the decoding with the short window."""
    if hypothesis.no_speech > _NO_SPEECH and hypothesis.score < _NO_SPEECH_SCORE:
        return Verdict.NOTHING
    score_min = _SCORE_MIN if hypothesis.tokens > _FEW_TOKENS else _FEW_SCORE_MIN
    if not clean(hypothesis.text) or hypothesis.score < score_min or suspect(hypothesis):
        return Verdict.DOUBTFUL
    return Verdict.ACCEPT


def settle(short: Hypothesis, whole: Hypothesis) -> Hypothesis | None:
    """Which decoding to believe after a retry with the whole window; None for neither."""
    sound = [h for h, bad in ((whole, runs_on(whole)), (short, suspect(short))) if not bad]
    sound = [h for h in sound if clean(h.text)]
    if not sound:
        return None
    best = max(sound, key=lambda h: h.score)
    unsure = best.score < _NO_SPEECH_SCORE and whole.no_speech > _NO_SPEECH
    return None if unsure or best.score < _HOPELESS_SCORE else best
