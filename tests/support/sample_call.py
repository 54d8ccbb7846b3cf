"""A made-up but consistent call of about 36 s: record and recording on one clock.

Two cuts, a pause that was resumed, a burst of loss, a late provider. Voices are pulsed noise.
"""

from __future__ import annotations

import random
import wave
from array import array
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from mediacore.call.record import (
    AUDIO_FILE,
    CallRecord,
    DecisionNote,
    ErrorNote,
    FrameArrays,
    FrameFlag,
    FrameLog,
    LatencyStamps,
    Mark,
    MarkKind,
    PlayoutBand,
    Speaker,
    SpeechBand,
    TextSpan,
    TransportFacts,
    Turn,
    Usage,
    UtteranceKind,
    UtteranceRecord,
    UtteranceState,
    WordTime,
)
from mediacore.media import Note
from mediacore.observe.audio import StereoAudio

RATE = 8000
SECONDS = 36


def at(seconds: float) -> int:
    return round(seconds * RATE)


def words_of(text: str, samples: int) -> tuple[WordTime, ...]:
    """Word times in proportion to length."""
    out: list[WordTime] = []
    start = 0
    for word in text.split():
        first = text.index(word, start)
        start = first + len(word)
        out.append(
            WordTime(first, start, samples * first // len(text), samples * start // len(text))
        )
    return tuple(out)


def spoken(
    number: int,
    text: str,
    start: float,
    seconds: float,
    *,
    cut_after: float | None = None,
    pause: tuple[float, float] | None = None,
    kind: UtteranceKind = UtteranceKind.REPLY,
) -> UtteranceRecord:
    whole = at(seconds)
    words = words_of(text, whole)
    played = whole if cut_after is None else at(cut_after)
    heard = max((w.end for w in words if w.until <= played), default=0)
    bands = (PlayoutBand(at(start), at(start) + played),)
    if pause is not None:
        first = at(pause[0]) - at(start)
        bands = (
            PlayoutBand(at(start), at(pause[0])),
            PlayoutBand(at(pause[1]), at(pause[1]) + played - first),
        )
    return UtteranceRecord(
        id=number,
        generation=number,
        kind=kind,
        text=text,
        state=UtteranceState.FINISHED if cut_after is None else UtteranceState.CUT,
        heard_chars=len(text) if cut_after is None else heard,
        words=words,
        playout=bands,
        queued_samples=whole,
        played_samples=played,
        wire_samples=played,
        cut_at=None if cut_after is None else bands[-1].end,
        cut_cause="" if cut_after is None else "barge_in",
    )


def caller(index: int, start: float, end: float, text: str, stage: str) -> Turn:
    return Turn(index, Speaker.CALLER, at(start), at(end), text, 0.93, stage)


def agent(
    index: int, *utterances: UtteranceRecord, stage: str, stamps: LatencyStamps | None
) -> Turn:
    bands = [b for u in utterances for b in u.playout]
    return Turn(
        index,
        Speaker.AGENT,
        bands[0].start,
        bands[-1].end,
        stage=stage,
        generation=index,
        utterances=utterances,
        latency=stamps,
    )


def stamps(caller_end: float, *ms: int | None) -> LatencyStamps:
    return LatencyStamps(at(caller_end), *(None if m is None else m * 1000 for m in ms))


@cache
def sample_record() -> CallRecord:
    turns = (
        agent(
            0,
            spoken(
                1,
                "Good morning, this is the Hartwell order line. How can I help you today?",
                0.4,
                4.1,
                kind=UtteranceKind.GREETING,
            ),
            stage="greeting",
            stamps=None,
        ),
        caller(1, 5.1, 7.4, "hi i would like to know where my order is", "greeting"),
        agent(
            2,
            spoken(2, "I can look that up for you.", 7.98, 1.6),
            spoken(
                3,
                "Please tell me the six digits of your order number, you will find them at the "
                "top right of the letter that we sent to you.",
                9.62,
                6.6,
                cut_after=2.9,
            ),
            stage="order number",
            stamps=stamps(7.4, 302, 341, 349, 352, 561, 580),
        ),
        caller(3, 12.38, 15.0, "yes it is four seven one one zero eight", "order number"),
        agent(
            4,
            spoken(4, "One moment.", 15.92, 0.8, kind=UtteranceKind.FILLER),
            spoken(
                5,
                "That is four, seven, one, one, zero, eight. Is that right?",
                16.8,
                4.6,
                pause=(18.6, 18.98),
            ),
            stage="read back",
            stamps=stamps(15.0, 301, 290, 690, 702, 898, 920),
        ),
        caller(5, 22.6, 23.1, "yes", "read back"),
        agent(
            6,
            spoken(
                6,
                "Thank you. Your parcel left our house on Tuesday and will be with you tomorrow "
                "between nine and eleven. Shall I send you a message with the details?",
                23.72,
                8.2,
                cut_after=5.2,
            ),
            UtteranceRecord(
                id=7,
                generation=6,
                kind=UtteranceKind.REPLY,
                text="It can also go to a neighbour.",
                state=UtteranceState.REFUSED,
            ),
            stage="answer",
            stamps=stamps(23.1, 301, 322, 330, 331, 598, 620),
        ),
        caller(7, 28.78, 30.3, "no thanks that is all i wanted", "answer"),
        agent(
            8,
            spoken(
                8,
                "You are welcome. Goodbye, and have a good day.",
                30.92,
                3.1,
                kind=UtteranceKind.CLOSING,
            ),
            stage="closing",
            stamps=stamps(30.3, 302, 331, 340, 342, 600, 620),
        ),
    )
    speech = tuple(
        SpeechBand(at(a), at(b))
        for a, b in (
            (5.1, 6.2),
            (6.4, 7.4),
            (12.38, 13.3),
            (13.5, 15.0),
            (18.5, 18.72),
            (22.6, 23.1),
            (28.78, 30.3),
        )
    )
    marks = (
        Mark(MarkKind.PAUSE, at(12.46), "utterance 3", 80),
        Mark(MarkKind.CUT, at(12.52), "caller spoke for 140 ms", 140),
        Mark(MarkKind.PAUSE, at(18.6), "utterance 5", 100),
        Mark(MarkKind.RESUME, at(18.98), "cough: no words"),
        Mark(MarkKind.DIGIT, at(22.2), "1"),
        Mark(MarkKind.CUT, at(28.92), "caller spoke for 140 ms", 140),
        Mark(MarkKind.HANGUP, at(34.4), "dialogue completed"),
    )
    decisions = (
        DecisionNote(at(7.7), "end_of_turn", "taken", "300 ms silence, sentence complete"),
        DecisionNote(at(12.46), "barge_in", "pause", "onset 60 ms, level -23 dBov"),
        DecisionNote(at(12.52), "barge_in", "cut", "140 ms of speech, “yes”"),
        DecisionNote(at(15.9), "filler", "spoken", "model silent for 600 ms"),
        DecisionNote(at(18.98), "barge_in", "resume", "220 ms of sound, no words recognised"),
        DecisionNote(at(34.0), "hangup", "granted", "stage closing, reply heard to its end"),
    )
    return CallRecord(
        call_id="c-20261121-0007",
        started_at="2026-11-21T09:14:03.120Z",
        duration_ms=SECONDS * 1000,
        srate_hz=RATE,
        transport=TransportFacts("rtp", "PCMU", 0, 20, "127.0.0.1:40000", "127.0.0.1:40002"),
        end_reason="completed",
        agent="order line",
        providers={"stt": "whisper-tiny.en", "llm": "stage graph", "tts": "hibari"},
        turns=turns,
        speech=speech,
        marks=marks,
        decisions=decisions,
        errors=(
            ErrorNote(
                at(15.9), "llm", "timeout", "no first token within 600 ms", "filler, then answered"
            ),
        ),
        media={
            "ticks": 1800,
            "rx_packets": 1771,
            "rx_lost": 24,
            "rx_late": 3,
            "rx_concealed_samples": 4160,
            "tx_packets": 1800,
            "played_samples": 251_000,
            "cuts": 2,
            "pauses": 3,
            "resumes": 1,
            "jitter_us": 6100,
            "rtt_us": 900,
            "mos_x100": 412,
        },
        pacer={"ticks": 1801, "skipped": 0, "late_1ms": 4, "late_max_us": 1730, "cpu_us": 41_200},
        frames=frames_of(turns, speech),
        usage=Usage(spoken_chars=510, recognised_ms=9800),
    )


def hostile_record() -> CallRecord:
    """The same call with markup and script in every text."""
    bad = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \" ' {{data}}"
    record = sample_record()
    said = UtteranceRecord(
        id=99,
        generation=9,
        kind=UtteranceKind.REPLY,
        text=bad,
        state=UtteranceState.CUT,
        spans=(TextSpan(0, 9, heard=True), TextSpan(9, len(bad), heard=False)),
        words=(WordTime(0, 9, 0, 400),),
        playout=(PlayoutBand(at(33), at(34)),),
        cut_cause=bad,
    )
    return replace(
        record,
        call_id=bad,
        started_at=bad,
        agent=bad,
        end_reason=bad,
        providers={bad: bad},
        transport=replace(record.transport, codec=bad, kind=bad),
        turns=(
            *record.turns,
            Turn(9, Speaker.CALLER, at(32), at(33), bad, stage=bad),
            Turn(
                10,
                Speaker.AGENT,
                at(33),
                None,
                stage=bad,
                utterances=(said,),
                latency=stamps(33, 1, 2),
            ),
        ),
        marks=(Mark(MarkKind.DIGIT, at(1), bad), Mark(MarkKind.TONE, at(2), bad)),
        decisions=(DecisionNote(0, bad, bad, bad),),
        errors=(ErrorNote(0, bad, bad, bad, bad),),
        media={bad: 1},
        lost=(bad,),
    )


@dataclass(frozen=True)
class _Network:
    """Delay, target, packets and late ones of a tick."""

    delay: int
    target: int
    packets: int
    late: int
    concealed: int


def _network(tick: int, rng: random.Random) -> _Network:
    seconds = tick / 50
    burst = 13.4 <= seconds < 14.1
    calm = seconds < 13.4
    target = 40 if calm else max(40, 110 - int((seconds - 14) * 5))
    delay = max(20, target + rng.choice((-20, 0, 0, 0, 20)) + (20 if burst else 0))
    lost = burst and rng.random() < 0.6
    late = 1 if burst and rng.random() < 0.08 else 0
    return _Network(
        delay, target, 0 if lost else rng.choice((1, 1, 1, 0, 2)), late, 20 if lost else 0
    )


def frames_of(turns: tuple[Turn, ...], speech: tuple[SpeechBand, ...]) -> FrameArrays:
    rng = random.Random(5)
    log = FrameLog()
    bands = [b for t in turns for u in t.utterances for b in u.playout]
    for tick in range(SECONDS * 50):
        sample = tick * RATE // 50
        rx = any(b.start <= sample < b.end for b in speech)
        tx = any(b.start <= sample < b.end for b in bands)
        net = _network(tick, rng)
        flags = FrameFlag(0)
        flags |= FrameFlag.RX_SPEECH if rx else FrameFlag(0)
        flags |= FrameFlag.TX_SPEECH if tx else FrameFlag(0)
        flags |= FrameFlag.CONCEALED if net.concealed else FrameFlag(0)
        flags |= FrameFlag.PAUSED if at(18.6) <= sample < at(18.98) else FrameFlag(0)
        flags |= FrameFlag.WAITING if tick < 8 else FrameFlag(0)
        log.add(
            [
                Note(
                    tick,
                    rng.randint(-30, -20) if rx else rng.randint(-66, -60),
                    rng.randint(-27, -18) if tx else -127,
                    int(flags),
                    net.concealed,
                    net.delay,
                    net.target,
                    net.packets,
                    net.late,
                )
            ]
        )
    return log.freeze()


@cache
def sample_audio() -> StereoAudio:
    record = sample_record()
    rng = random.Random(3)
    pcm = array("h", bytes(4 * SECONDS * RATE))
    voices = (
        (0, [(b.start, b.end) for b in record.speech], 5200),
        (
            1,
            [(b.start, b.end) for t in record.turns for u in t.utterances for b in u.playout],
            7600,
        ),
    )
    for side, bands, level in voices:
        for start, end in bands:
            peak = 0.0
            for n in range(start, min(end, SECONDS * RATE)):
                if (n - start) % 1100 == 0:
                    peak = level * rng.uniform(0.35, 1.0)
                swing = abs(((n - start) % 1100) / 550 - 1)
                pcm[2 * n + side] = int(peak * (1 - swing) * rng.uniform(-1, 1))
    for n in range(0, len(pcm), 2):
        pcm[n] += rng.randint(-14, 14)
    return StereoAudio(RATE, pcm)


def write_audio(audio: StereoAudio, directory: Path) -> Path:
    path = directory / AUDIO_FILE
    with wave.open(str(path), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(audio.srate_hz)
        out.writeframes(audio.pcm.tobytes())
    return path
