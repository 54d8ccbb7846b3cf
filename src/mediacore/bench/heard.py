"""Does the ledger know what was heard? Samples against the wire, words against the synthesiser.

Samples: hundreds of utterances with every fault, the core's counts against the capture. Words: the
embedded voice's own word times as truth; what `call.ledger` makes of the core's events with those
times and, from the text alone, without them.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from mediacore._core import Codec, Resampler
from mediacore.app_options import BenchOptions
from mediacore.bench.figures import share
from mediacore.bench.playing import CODE, Piece, Plan, Played, Stage, Step
from mediacore.bench.sound import SRATE_HZ, shipped_callers, without_gaps
from mediacore.call import ledger
from mediacore.call.estimate import SpeechRate
from mediacore.call.ledger import Utterance
from mediacore.call.record import UtteranceKind, WordTime
from mediacore.call.settings import INTERRUPTIBLE
from mediacore.events import (
    MarkReached,
    PlayoutCut,
    PlayoutEvent,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    PlayoutUnderrun,
    UtteranceFinished,
)
from mediacore.media import BargeAction, BargeIn
from mediacore.providers.hibari import HibariTts
from mediacore.slots.tts import TtsAudio, TtsRequest, TtsWord
from mediacore.units import TICKS_PER_S

SENTENCES: Final = (
    "Your order left our warehouse on Monday and should arrive on Thursday morning.",
    "The total comes to $249.90, including shipping.",
    "I have you down for 3:30 PM on the 14th of March.",
    "Thank you, Mr. Fitzgerald, I can see your account now.",
    "Your order number is 4 7 2 9, is that right?",
    "We can offer you a refund of 15% or a voucher worth $40.",
    "Please call us back on 555 0142 before six o'clock.",
    "Dr. Nakamura is available on Tuesday, Wednesday and Friday.",
    "It weighs 12.5 kilograms, so two people should carry it.",
    "Of course. Let me check that for you.",
    "The technician from Birmingham will be there between nine and twelve, and you do not need "
    "to be at home.",
    "Your balance is $1,204.65, and the next payment is due on the 1st of October.",
    "I'm sorry, flight BA 2490 was cancelled; the next one leaves at 18:45.",
    "Would you like me to send the confirmation to your email address, or by text message?",
)
FAULTS: Final = ("none", "stall", "underrun", "pause")
PIECE: Final = SRATE_HZ * 160 // 1000
_STALL_TICKS: Final = 125  # 2.5 s
_SILENCE: Final = 100  # below this a sample is silent, as in the call's own speaking
_TICK: Final = SRATE_HZ // TICKS_PER_S
_SILENT: Final = (PlayoutPaused, PlayoutUnderrun, PlayoutCut, UtteranceFinished)


def run(options: BenchOptions) -> dict[str, float]:
    """Measure. See benchmarks/README.md. Raises MissingDependencyError without extra `local`."""
    trials, cuts = (60, 2) if options.quick else (800, 12)
    options.progress("synthesising with the embedded voice")
    spoken = asyncio.run(synthesise(SENTENCES[:4] if options.quick else SENTENCES))
    options.progress(f"{trials} utterances against the wire")
    figures = measure_samples(trials)
    options.progress(f"{len(spoken)} sentences, {len(FAULTS)} faults, {cuts} cuts each")
    return figures | measure_words(spoken, cuts)


# --------------------------------------------------------------------------------- samples


def measure_samples(trials: int) -> dict[str, float]:
    """The core's counts against the capture."""
    rng = Random(3)
    stage = Stage(rng, _caller())
    try:
        played = [stage.play(random_plan(rng)) for _ in range(trials)]
    finally:
        stage.close()
    errors = [sample_error(p) for p in played]
    ends = [end_error(p) for p in played if p.truth.wire]
    return {
        "ledger_sample_error_max": max(errors),
        "ledger_end_error_max": max(ends),
        "ledger_holes_max": max(max(p.truth.holes - p.truth.unknown, 0) for p in played),
        "ledger_unplaced_samples": sum(p.truth.unknown for p in played),
        "ledger_utterances": len(played),
        "ledger_cuts": _count(played, PlayoutCut),
        "ledger_pauses": _count(played, PlayoutPaused),
        "ledger_resumes": _count(played, PlayoutResumed),
        "ledger_underruns": _count(played, PlayoutUnderrun),
        "ledger_finished": _count(played, UtteranceFinished),
    }


def sample_error(played: Played) -> int:
    """The larger error of samples on the wire and of position. Stretches that could not be placed
    may lie behind the furthest one that could."""
    end, truth = played.end, played.truth
    if end is None:
        return truth.wire
    short = truth.position - end.position
    beyond = end.position - truth.position - truth.unknown
    return max(abs(end.wire_samples - truth.wire), short, beyond)


def end_error(played: Played) -> int:
    """How far the last audible sample is from the nearest place where the core says it fell
    silent."""
    return min(abs(e.at - played.truth.last_at) for e in played.events if isinstance(e, _SILENT))


def _count(played: Sequence[Played], kind: type[PlayoutEvent]) -> int:
    return sum(isinstance(event, kind) for p in played for event in p.events)


def random_plan(rng: Random) -> Plan:
    """An utterance with a random set of faults."""
    samples = rng.randrange(SRATE_HZ // 2, 5 * SRATE_HZ)
    pieces = deliver(rng, samples, rng.choice((0.7, 1.5, 4.0, 50.0)), stalls=rng.random() < 0.2)
    length = samples // _TICK + (pieces[-1].tick - pieces[0].tick) // 2
    steps: list[Step] = []
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        at = rng.randrange(length)
        resume = rng.choice(("resume", "resume_mark"))
        steps += [Step(at, "pause"), Step(at + rng.randrange(0, 60), resume)]
    if rng.random() < 0.6:
        steps.append(Step(rng.randrange(length), "cut"))
    policy, speech = BargeIn(), (0, 0)
    if rng.random() < 0.4:
        mark = replace(INTERRUPTIBLE, resume_from_mark=rng.random() < 0.5, resume_ms=400)
        policy = rng.choice((mark, BargeIn(action=BargeAction.CUT)))
        begin = rng.randrange(length)
        speech = (begin, begin + rng.randrange(10, 60))
    steps.append(Step(2 * length + 400, "resume"))  # nothing stays paused for ever
    steps.sort(key=lambda step: step.tick)
    marks = sorted(rng.randrange(1, samples) for _ in range(rng.randrange(8)))
    code_at = rng.randrange(CODE.samples - samples)
    return Plan(samples, code_at, pieces, tuple(marks), tuple(steps), policy, speech)


def deliver(
    rng: Random, samples: int, speed: float, *, stalls: bool = False, after: int = 0
) -> tuple[Piece, ...]:
    """How a synthesiser's audio comes: `speed` times as fast as it plays, from tick `after` on.

    stalls: 2.5 s of nothing at a random place.
    """
    pieces: list[Piece] = []
    stall_at = rng.randrange(samples) if stalls else samples
    tick = float(after)
    for end in range(PIECE, samples + PIECE, PIECE):
        if end - PIECE <= stall_at < end and stalls:
            tick += _STALL_TICKS
        pieces.append(Piece(int(tick), min(end, samples)))
        tick += PIECE / _TICK / speed
    return tuple(pieces)


def _caller() -> bytes:
    pcm = without_gaps(shipped_callers())
    codec = Codec("PCMU")
    return b"".join(codec.encode(pcm[i : i + 8000]) for i in range(0, len(pcm), 8000))


# ----------------------------------------------------------------------------------- words


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sentence as synthesised, in samples at 8000 Hz. lead, tail: silent ends."""

    text: str
    samples: int
    words: tuple[WordTime, ...]
    lead: int
    tail: int


async def synthesise(texts: Sequence[str]) -> list[Spoken]:
    """Speak the sentences with the embedded voice."""
    tts = HibariTts()
    try:
        await tts.prewarm()
        return [await _speak(tts, text) for text in texts]
    finally:
        await tts.aclose()


async def _speak(tts: HibariTts, text: str) -> Spoken:
    words: list[WordTime] = []
    resampler = Resampler(tts.info.srate_hz, SRATE_HZ)
    pcm = bytearray()
    async with aclosing(tts.run(TtsRequest(text))) as stream:
        async for event in stream:
            if isinstance(event, TtsAudio):
                pcm += resampler.run(event.pcm)
            else:
                words.append(_word(event))
    pcm += resampler.flush()
    samples = array("h", bytes(pcm))
    loud = [i for i, x in enumerate(samples) if abs(x) > _SILENCE]
    return Spoken(text, len(samples), tuple(words), loud[0], len(samples) - 1 - loud[-1])


def _word(word: TtsWord) -> WordTime:
    at, until = word.start_ms * SRATE_HZ // 1000, word.end_ms * SRATE_HZ // 1000
    return WordTime(word.text_start, word.text_end, at, until)


@dataclass(slots=True)
class _Score:
    """How many words off, one entry per cut."""

    off: list[int] = field(default_factory=list)

    def figures(self, name: str) -> dict[str, float]:
        exact = sum(x == 0 for x in self.off)
        within = sum(x <= 1 for x in self.off)
        return {
            f"words_off_max_{name}": max(self.off),
            f"words_exact_share_{name}": share(exact, len(self.off)),
            f"words_within_one_share_{name}": share(within, len(self.off)),
            f"words_off_mean_{name}": sum(self.off) / len(self.off),
        }


def measure_words(spoken: Sequence[Spoken], cuts: int) -> dict[str, float]:
    """Heard words against the truth, over calls in which every sentence comes with every fault."""
    rng = Random(9)
    stage = Stage(rng, _caller())
    with_times, without_times = _Score(), _Score()
    worst: dict[str, int] = dict.fromkeys(FAULTS, 0)
    try:
        for _ in range(cuts):
            rate = SpeechRate()  # a new call
            jobs = [(sentence, fault) for sentence in spoken for fault in FAULTS]
            rng.shuffle(jobs)
            for sentence, fault in jobs:
                timed, untimed, truth = _utter(stage, sentence, fault, rng)
                with_times.off.append(abs(_words(timed, rate) - truth))
                off = abs(_words(untimed, rate) - truth)
                without_times.off.append(off)
                worst[fault] = max(worst[fault], off)
                rate = ledger.learn_rate(untimed, rate, SRATE_HZ)
    finally:
        stage.close()
    return {
        **with_times.figures("with_times"),
        **without_times.figures("without_times"),
        **{f"words_off_max_without_times_{fault}": off for fault, off in worst.items()},
        "words_cuts": len(with_times.off),
    }


def _utter(
    stage: Stage, sentence: Spoken, fault: str, rng: Random
) -> tuple[Utterance, Utterance, int]:
    """One interrupted sentence: the ledger with and without word times, and the words heard."""
    kind = UtteranceKind.REPLY
    base = Utterance(1, 1, kind, sentence.text)
    timed = untimed = base
    done = 0

    def take(piece: Piece) -> None:
        nonlocal timed, untimed, done
        fresh = tuple(w for w in sentence.words if done <= w.at < piece.end)
        timed = ledger.with_words(timed, fresh)
        first, done = done == 0, piece.end
        for_both = [timed, untimed]
        if first:
            for_both = [ledger.with_queued(u, piece.end) for u in for_both]
        if piece.end == sentence.samples:
            rest = tuple(w for w in sentence.words if w.at >= piece.end)
            for_both[0] = ledger.with_words(for_both[0], rest)
            for_both = [
                ledger.with_total(u, sentence.samples, sentence.lead, sentence.tail)
                for u in for_both
            ]
        timed, untimed = for_both

    played = stage.play(_plan(sentence, fault, rng), take)
    for event in played.events:
        timed, untimed = follow(timed, event), follow(untimed, event)
    heard = 0
    for word in sentence.words:
        if 2 * played.truth.position < word.at + word.until:
            break
        heard = word.end
    return timed, untimed, len(sentence.text[:heard].split())


def _plan(sentence: Spoken, fault: str, rng: Random) -> Plan:
    """The sentence with one fault, cut at a random place of it."""
    speed = rng.uniform(0.5, 0.9) if fault == "underrun" else rng.uniform(1.5, 8)
    pieces = deliver(rng, sentence.samples, speed, stalls=fault == "stall", after=rng.randrange(8))
    # Uniform over the time in which the sentence plays, gaps included.
    length = max(pieces[-1].tick, sentence.samples // _TICK) + 5
    steps: list[Step] = []
    cut = rng.randrange(5, length)
    if fault == "pause":
        at = rng.randrange(5, cut + 1)
        silence = rng.randrange(10, 60)
        steps = [Step(at, "pause"), Step(at + silence, rng.choice(("resume", "resume_mark")))]
        cut += silence
    steps.append(Step(cut, "cut"))
    marks = tuple(w.at for w in sentence.words if w.at > 0)
    code_at = rng.randrange(CODE.samples - sentence.samples)
    return Plan(sentence.samples, code_at, pieces, marks, tuple(steps))


def follow(utt: Utterance, event: PlayoutEvent) -> Utterance:
    """The ledger after one event of the core."""
    at, position = event.at, event.position
    match event:
        case PlayoutStarted():
            return ledger.start(utt, at)
        case PlayoutPaused():
            return ledger.pause(utt, at, position)
        case PlayoutResumed():
            return ledger.release(utt, at, position)
        case PlayoutUnderrun():
            return ledger.run_dry(utt, at, position)
        case MarkReached():
            return ledger.play_to(ledger.sounding(utt, at, position), at, position)
        case UtteranceFinished():
            return ledger.finish(utt, at, position, event.wire_samples)
        case PlayoutCut():
            return ledger.cut(utt, at, position, event.wire_samples, event.cause.name)
    return utt


def _words(utt: Utterance, rate: SpeechRate) -> int:
    return len(ledger.heard_text(utt, rate, SRATE_HZ).split())
