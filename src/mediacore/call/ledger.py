"""The ledger of one agent turn: what was queued, what was played, what was heard.

All positions count samples of the utterance itself, as the core reports them, so a stalled
stream, an underrun or a pause changes nothing. heard <= played <= queued holds always.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mediacore.call.estimate import Extent, SpeechRate, estimate_words, observe_rate
from mediacore.call.record import (
    PlayoutBand,
    TextSpan,
    UtteranceKind,
    UtteranceRecord,
    UtteranceState,
    WordTime,
)

_CLOSING_MARKS: Final = '.,;:!?…)”’"'


@dataclass(frozen=True, slots=True)
class Utterance:
    """One phrase given to synthesis. round: the reply stream within the turn that it came from.

    queued, played, wire: samples given to playout, distinct ones played, sent with replays.
    total: length, None while it is still being made. truncated: synthesis broke off, so that
    `total` samples do not hold the whole text. open_at: transmit clock where the present stretch
    on the wire began, None when nothing goes out. played_at: transmit clock at which `played` was
    reported.
    """

    id: int
    generation: int
    kind: UtteranceKind
    text: str
    round: int = 0
    state: UtteranceState = UtteranceState.QUEUED
    words: tuple[WordTime, ...] = ()
    queued: int = 0
    total: int | None = None
    lead: int = 0
    tail: int = 0
    truncated: bool = False
    failed: bool = False
    played: int = 0
    played_at: int = 0
    wire: int = 0
    started: bool = False
    open_at: int | None = None
    paused: bool = False
    bands: tuple[PlayoutBand, ...] = ()
    cut_at: int | None = None
    cut_cause: str = ""


def with_words(utt: Utterance, words: tuple[WordTime, ...]) -> Utterance:
    """Add word times; those out of order or outside the text are left out."""
    known = list(utt.words)
    for word in words:
        last = known[-1] if known else None
        inside = 0 <= word.start < word.end <= len(utt.text) and 0 <= word.at <= word.until
        if inside and (last is None or (word.start >= last.end and word.at >= last.at)):
            known.append(word)
    return replace(utt, words=tuple(known))


def with_queued(utt: Utterance, samples: int) -> Utterance:
    """So many samples were given to playout."""
    return replace(utt, queued=max(utt.queued, samples))


def with_total(utt: Utterance, total: int, lead: int = 0, tail: int = 0) -> Utterance:
    """All audio was made."""
    total = max(total, utt.played)
    lead = min(max(lead, 0), total)
    tail = min(max(tail, 0), total - lead)
    return replace(utt, total=total, queued=max(utt.queued, total), lead=lead, tail=tail)


def with_failure(utt: Utterance, queued_samples: int) -> Utterance:
    """Synthesis broke off. What was queued is still played."""
    queued = max(queued_samples, utt.queued, utt.played)
    state = utt.state if queued or utt.state.final else UtteranceState.REFUSED
    return replace(utt, queued=queued, total=queued, truncated=True, failed=True, state=state)


def start(utt: Utterance, at: int) -> Utterance:
    """The first sample goes out at `at` of the transmit clock."""
    return replace(utt, state=UtteranceState.PLAYING, started=True, open_at=at, played_at=at)


def play_to(utt: Utterance, at: int, position: int) -> Utterance:
    """Played up to `position` at least, as reported for `at` of the transmit clock."""
    played = max(utt.played, position)
    return replace(utt, played=played, played_at=at, queued=max(utt.queued, played))


def assume_to(utt: Utterance, at: int) -> Utterance:
    """Without a report: it went on as far as its audio allows, up to `at`."""
    if utt.open_at is None or utt.state is not UtteranceState.PLAYING:
        return utt
    limit = max(utt.played, utt.queued if utt.total is None else utt.total)
    reached = min(utt.played + max(at - utt.played_at, 0), limit)
    return _close_band(play_to(utt, at, reached), at)


def run_dry(utt: Utterance, at: int, position: int) -> Utterance:
    """Silent from `at` on because the audio did not come in time."""
    return _close_band(play_to(sounding(utt, at, position), at, position), at)


def pause(utt: Utterance, at: int, position: int) -> Utterance:
    """Silent from `at` on until released."""
    return replace(run_dry(utt, at, position), paused=True)


def release(utt: Utterance, at: int, position: int) -> Utterance:
    """Goes on from `position` at `at`."""
    open_at = at if utt.started else None
    return replace(play_to(utt, at, position), open_at=open_at, paused=False)


def sounding(utt: Utterance, at: int, position: int) -> Utterance:
    """A sign of playing. The core gives no event of its own when an underrun is over."""
    over = position - utt.played
    if utt.open_at is not None or utt.paused or not utt.started or over <= 0:
        return utt
    return replace(utt, open_at=max(at - over, 0))


def finish(utt: Utterance, at: int, position: int, wire: int) -> Utterance:
    """All of it was played."""
    utt = _close_band(play_to(sounding(utt, at, position), at, position), at)
    if utt.total is None or (utt.total != utt.played and not utt.truncated):
        utt = replace(utt, total=utt.played)
    return replace(utt, state=UtteranceState.FINISHED, started=True, wire=wire)


def overtaken(utt: Utterance, at: int) -> Utterance:
    """A later one is at its turn, so this one was played to its end; the report was lost."""
    if utt.state.final:
        return utt
    position = max(utt.played, utt.queued if utt.total is None else utt.total)
    return finish(utt, at, position, position)


def cut(utt: Utterance, at: int, position: int, wire: int, cause: str) -> Utterance:
    """Stopped for good; the last sample went out before `at`."""
    if not utt.started and not position:
        return replace(refuse(utt), cut_cause=cause)
    utt = run_dry(utt, at, position)
    return replace(
        utt, state=UtteranceState.CUT, started=True, wire=wire, cut_at=at, cut_cause=cause
    )


def refuse(utt: Utterance) -> Utterance:
    """Will not be played (any more)."""
    if utt.state.final:
        return utt
    if utt.played:
        return replace(utt, state=UtteranceState.CUT, open_at=None)
    return replace(utt, state=UtteranceState.REFUSED)


def heard_samples(utt: Utterance, far_delay_samples: int) -> int:
    """Samples that reached the caller's ear. What was played to its end arrives in any case, and so
    does what went out long enough before a cut: the voice pauses while it is decided."""
    if utt.state is UtteranceState.FINISHED:
        return utt.played
    silent = utt.cut_at - utt.bands[-1].end if utt.cut_at is not None and utt.bands else 0
    return max(0, utt.played - max(far_delay_samples - silent, 0))


def words_of(utt: Utterance, rate: SpeechRate, srate_hz: int) -> tuple[WordTime, ...]:
    """Word times, measured where the synthesiser gave them, else estimated."""
    if utt.words:
        return utt.words
    total = None if utt.truncated else utt.total
    return estimate_words(utt.text, rate, Extent(srate_hz, total, utt.queued, utt.lead, utt.tail))


def heard_chars(utt: Utterance, rate: SpeechRate, srate_hz: int, far_delay_samples: int = 0) -> int:
    """Length of the text's heard beginning. A word is heard when at least half of it was."""
    if utt.state is UtteranceState.REFUSED or not utt.started:
        return 0
    if utt.state is UtteranceState.FINISHED and utt.played and not utt.truncated:
        return len(utt.text)
    heard = heard_samples(utt, far_delay_samples)
    chars = 0
    for word in words_of(utt, rate, srate_hz):
        if 2 * heard < word.at + word.until or heard == 0:
            break
        chars = word.end
    while chars and chars < len(utt.text) and utt.text[chars] in _CLOSING_MARKS:
        chars += 1  # a heard word takes its full stop along
    return chars


def heard_text(utt: Utterance, rate: SpeechRate, srate_hz: int, far_delay_samples: int = 0) -> str:
    """What the caller heard of it."""
    return utt.text[: heard_chars(utt, rate, srate_hz, far_delay_samples)]


def learn_rate(utt: Utterance, rate: SpeechRate, srate_hz: int) -> SpeechRate:
    """The speech rate after this utterance, when all of it was made."""
    if utt.truncated:
        return rate
    extent = Extent(srate_hz, utt.total, utt.queued, utt.lead, utt.tail)
    return observe_rate(rate, utt.text, extent)


def record(
    utt: Utterance, rate: SpeechRate, srate_hz: int, far_delay_samples: int = 0
) -> UtteranceRecord:
    """The utterance for the call's record."""
    chars = heard_chars(utt, rate, srate_hz, far_delay_samples)
    size = len(utt.text)
    spans = (TextSpan(0, chars, heard=True), TextSpan(chars, size, heard=False))
    return UtteranceRecord(
        id=utt.id,
        generation=utt.generation,
        kind=utt.kind,
        text=utt.text,
        state=utt.state,
        heard_chars=chars,
        spans=tuple(s for s in spans if s.start < s.end),
        words=words_of(utt, rate, srate_hz),
        playout=utt.bands,
        queued_samples=utt.queued,
        played_samples=utt.played,
        wire_samples=max(utt.wire, utt.played),
        cut_at=utt.cut_at,
        cut_cause=utt.cut_cause,
    )


def _close_band(utt: Utterance, at: int) -> Utterance:
    if utt.open_at is None:
        return utt
    band = (PlayoutBand(utt.open_at, at),) if at > utt.open_at else ()
    return replace(utt, open_at=None, bands=utt.bands + band)
