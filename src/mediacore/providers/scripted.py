"""Scripted providers: for tests, for trying out agents offline, for reproducing failures.

They wait with `asyncio.sleep` only, so they run on real and on virtual time. What they give is
deterministic. One instance plays one script, from its first line to its last, over all its runs.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from array import array
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from mediacore.errors import ConfigError, ErrorClass, ProviderError
from mediacore.slots.audio import PcmBlock
from mediacore.slots.llm import (
    LlmEvent,
    LlmHangup,
    LlmInfo,
    LlmRequest,
    LlmText,
    ToolCall,
)
from mediacore.slots.stt import SttEvent, SttFinal, SttInfo, SttPartial
from mediacore.slots.tts import TtsAudio, TtsEvent, TtsInfo, TtsRequest, TtsWord
from mediacore.units import ms_to_samples

FOREVER_S: Final = 10**7


@dataclass(frozen=True, slots=True)
class Heard:
    """What the recogniser makes of one stretch of speech.

    final: its text. partials: (ms of audio after the onset, text). final_delay_ms: from the end
    of speech to the final. error: fail instead of giving the final. hang: give nothing any more.
    """

    final: str
    partials: tuple[tuple[int, str], ...] = ()
    final_delay_ms: int = 80
    error: ErrorClass | None = None
    hang: bool = False


class ScriptedStt:
    """Gives the n-th stretch of speech the n-th `Heard`; an empty final after the last one.

    A run that starts anew after a failure goes on with the next entry.
    """

    def __init__(
        self, heard: Sequence[Heard | str], *, srate_hz: int = 16000, name: str = "scripted-stt"
    ) -> None:
        self._heard = [Heard(h) if isinstance(h, str) else h for h in heard]
        self._info = SttInfo(name, srate_hz)
        self._next = 0
        self.closed = False

    @property
    def info(self) -> SttInfo:
        """Constant facts about this recogniser."""
        return self._info

    @property
    def used(self) -> int:
        """Stretches of speech met so far."""
        return self._next

    async def run(self, audio: AsyncIterator[PcmBlock]) -> AsyncIterator[SttEvent]:
        """Recognise a stream of blocks."""
        heard = Heard("")
        onset: int | None = None
        given = 0
        async for block in audio:
            if onset is None and (block.speech or block.ends_speech):
                onset, given, heard = block.at, 0, self._take()
            if onset is None:
                continue
            end = block.at + block.samples
            while given < len(heard.partials):
                after_ms, text = heard.partials[given]
                if end - onset < ms_to_samples(after_ms, block.srate_hz):
                    break
                given += 1
                yield SttPartial(text, end)
            if block.ends_speech:
                onset = None
                yield await self._final(heard, end)

    async def aclose(self) -> None:
        """Release everything; idempotent."""
        self.closed = True

    def _take(self) -> Heard:
        index = self._next
        self._next += 1
        return self._heard[index] if index < len(self._heard) else Heard("")

    async def _final(self, heard: Heard, end: int) -> SttFinal:
        if heard.hang:
            await asyncio.sleep(FOREVER_S)
        await asyncio.sleep(heard.final_delay_ms / 1000)
        if heard.error is not None:
            raise ProviderError(heard.error, "scripted failure", self._info.name)
        return SttFinal(heard.final, end, confidence=1.0)


@dataclass(frozen=True, slots=True)
class Voice:
    """How one request is spoken, and what goes wrong with it.

    ms_per_char: length of the audio. first_delay_ms: before the first piece. chunk_ms: length of
    a piece, chunk_delay_ms: time between pieces. burst: all audio in one piece. stall_at_ms,
    stall_ms: a wait once so much audio was given. error, error_at_ms: fail once so much was
    given. actual_srate_hz: rate that the audio says it has, where it is not the declared one.
    endless: never stop. empty: no audio. odd: an odd number of bytes. hang: no answer at all.
    """

    ms_per_char: int = 60
    first_delay_ms: int = 80
    chunk_ms: int = 100
    chunk_delay_ms: int = 5
    burst: bool = False
    stall_at_ms: int = 0
    stall_ms: int = 0
    error: ErrorClass | None = None
    error_at_ms: int = 0
    actual_srate_hz: int = 0
    endless: bool = False
    empty: bool = False
    odd: bool = False
    hang: bool = False


class ScriptedTts:
    """Speaks the n-th request with the n-th `Voice`, the last one from then on.

    The audio is voiced: each word is a tone with harmonics, spaces and punctuation are silence.
    """

    def __init__(
        self,
        voices: Sequence[Voice] = (Voice(),),
        *,
        srate_hz: int = 24000,
        word_times: bool = False,
        name: str = "scripted-tts",
    ) -> None:
        if not voices:
            raise ConfigError("a scripted voice needs at least one entry")
        self._voices = tuple(voices)
        self._info = TtsInfo(name, srate_hz, word_times)
        self.requests: list[TtsRequest] = []
        self.closed = False

    @property
    def info(self) -> TtsInfo:
        """Constant facts about this synthesiser."""
        return self._info

    async def run(self, request: TtsRequest) -> AsyncIterator[TtsEvent]:
        """Synthesise one request."""
        voice = self._voices[min(len(self.requests), len(self._voices) - 1)]
        self.requests.append(request)
        if voice.hang:
            await asyncio.sleep(FOREVER_S)
        await asyncio.sleep(voice.first_delay_ms / 1000)
        self._fail(voice, 0)
        if voice.empty:
            return
        if self._info.word_times:
            for word in spoken_words(request.text, voice.ms_per_char):
                yield word
        given_ms = 0
        stalled = False
        srate_hz = voice.actual_srate_hz or self._info.srate_hz
        for pcm, piece_ms in self._pieces(request.text, voice):
            if voice.stall_ms and given_ms >= voice.stall_at_ms and not stalled:
                stalled = True
                await asyncio.sleep(voice.stall_ms / 1000)
            yield TtsAudio(pcm + b"\0" if voice.odd else pcm, srate_hz)
            given_ms += piece_ms
            self._fail(voice, given_ms)
            await asyncio.sleep(voice.chunk_delay_ms / 1000)

    async def aclose(self) -> None:
        """Release everything; idempotent."""
        self.closed = True

    def _fail(self, voice: Voice, given_ms: int) -> None:
        if voice.error is not None and given_ms >= voice.error_at_ms:
            raise ProviderError(voice.error, "scripted failure", self._info.name)

    def _pieces(self, text: str, voice: Voice) -> Iterator[tuple[bytes, int]]:
        srate_hz = self._info.srate_hz
        pcm = voiced_audio(text, srate_hz, voice.ms_per_char)
        step = 2 * ms_to_samples(voice.chunk_ms, srate_hz)
        if voice.burst:
            step = max(step, len(pcm))
        while True:
            for start in range(0, len(pcm), step):
                piece = pcm[start : start + step]
                yield piece, len(piece) // 2 * 1000 // srate_hz
            if not voice.endless or not pcm:
                return


def spoken_words(text: str, ms_per_char: int) -> Iterator[TtsWord]:
    """Where each word of `text` sounds in `voiced_audio`."""
    for match in re.finditer(r"\S+", text):
        start, end = match.span()
        yield TtsWord(start, end, start * ms_per_char, end * ms_per_char)


def voiced_audio(text: str, srate_hz: int, ms_per_char: int) -> bytes:
    """Deterministic stand-in for speech: `ms_per_char` per character, a tone for each word."""
    out = array("h", bytes(2 * ms_to_samples(len(text) * ms_per_char, srate_hz)))
    fade = ms_to_samples(5, srate_hz)
    for word in re.finditer(r"[^\W_]+(?:['’][^\W_]+)*", text):
        first = ms_to_samples(word.start() * ms_per_char, srate_hz)
        count = ms_to_samples(word.end() * ms_per_char, srate_hz) - first
        pitch_hz = 110 + sum(word.group().encode()) % 60
        period = _period(srate_hz // pitch_hz)
        tone = (period * (count // len(period) + 1))[:count]
        for i in range(min(fade, count // 2)):
            tone[i] = tone[i] * i // fade
            tone[-1 - i] = tone[-1 - i] * i // fade
        out[first : first + count] = tone
    return out.tobytes()


def _period(samples: int) -> array[int]:
    """One pitch period: eight harmonics falling by 6 dB per octave, peak about -12 dBFS."""
    shape = [
        sum(math.sin(2 * math.pi * h * i / samples) / h for h in range(1, 9))
        for i in range(samples)
    ]
    peak = max(abs(v) for v in shape)
    return array("h", [round(8000 * v / peak) for v in shape])


@dataclass(frozen=True, slots=True)
class Say:
    """Text, in pieces of one word each, `delay_ms` before the first."""

    text: str
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call."""

    name: str
    arguments: Mapping[str, object]
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class Fail:
    """An error."""

    error: ErrorClass
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing any more."""


@dataclass(frozen=True, slots=True)
class End:
    """Hang up after this reply."""

    reason: str = "completed"


Part = Say | Call | Fail | Hang | End


class ScriptedLlm:
    """Answers the n-th request with the n-th reply; hangs up when there is none left.

    A reply is a text or a sequence of parts. word_delay_ms: between two words of a text.
    """

    def __init__(
        self,
        replies: Sequence[str | Sequence[Part]],
        *,
        first_delay_ms: int = 50,
        word_delay_ms: int = 5,
        name: str = "scripted-llm",
    ) -> None:
        self._replies = [(Say(r),) if isinstance(r, str) else tuple(r) for r in replies]
        self._first_delay_ms = first_delay_ms
        self._word_delay_ms = word_delay_ms
        self._info = LlmInfo(name)
        self._calls = 0
        self.requests: list[LlmRequest] = []
        self.closed = False

    @classmethod
    def from_file(cls, path: Path) -> ScriptedLlm:
        """Read a script: YAML or JSON, a list of replies.

        A reply is a text, or a list of parts: a text, `{say, delay_ms}`,
        `{call, arguments, delay_ms}`, `{fail: error class, delay_ms}`, `{hang: true}` or
        `{hangup: reason}`.
        """
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeError, yaml.YAMLError) as error:
            raise ConfigError(f"script {path}: {error}") from None
        if not isinstance(document, list):
            raise ConfigError(f"script {path}: expected a list of replies")
        where = f"script {path}, reply"
        return cls([_reply(entry, f"{where} {n}") for n, entry in enumerate(document, start=1)])

    @property
    def info(self) -> LlmInfo:
        """Constant facts about this model."""
        return self._info

    async def run(self, request: LlmRequest) -> AsyncIterator[LlmEvent]:
        """Answer one turn."""
        index = len(self.requests)
        self.requests.append(request)
        end = (End("script_ended"),)
        await asyncio.sleep(self._first_delay_ms / 1000)
        for part in self._replies[index] if index < len(self._replies) else end:
            match part:
                case Say(text, delay_ms):
                    await asyncio.sleep(delay_ms / 1000)
                    for word in re.findall(r"\s*\S+\s*$|\s*\S+", text):
                        yield LlmText(word)
                        await asyncio.sleep(self._word_delay_ms / 1000)
                case Call(name, arguments, delay_ms):
                    await asyncio.sleep(delay_ms / 1000)
                    self._calls += 1
                    yield ToolCall(f"call_{self._calls}", name, json.dumps(dict(arguments)))
                case Fail(error, delay_ms):
                    await asyncio.sleep(delay_ms / 1000)
                    raise ProviderError(error, "scripted failure", self._info.name)
                case Hang():
                    await asyncio.sleep(FOREVER_S)
                case End(reason):
                    yield LlmHangup(reason)

    async def aclose(self) -> None:
        """Release everything; idempotent."""
        self.closed = True


def _reply(entry: object, where: str) -> str | list[Part]:
    if isinstance(entry, str):
        return entry
    parts = entry if isinstance(entry, list) else [entry]
    return [_part(part, where) for part in parts]


def _part(part: object, where: str) -> Part:
    if isinstance(part, str):
        return Say(part)
    found = _part_of(part, where) if isinstance(part, dict) else None
    if found is None:
        raise ConfigError(f"{where}: {part!r} is not a part of a reply")
    return found


def _part_of(part: Mapping[str, object], where: str) -> Part | None:
    delay_ms = part.get("delay_ms", 0)
    if not isinstance(delay_ms, int) or delay_ms < 0:
        raise ConfigError(f"{where}: delay_ms must be whole milliseconds, not {delay_ms!r}")
    match part:
        case {"say": text}:
            return Say(str(text), delay_ms)
        case {"call": name, "arguments": dict(arguments)}:
            return Call(str(name), arguments, delay_ms)
        case {"fail": str(name)} if name in list(ErrorClass):
            return Fail(ErrorClass(name), delay_ms)
        case {"fail": name}:
            raise ConfigError(f"{where}: {name!r} is none of {', '.join(ErrorClass)}")
        case {"hang": True}:
            return Hang()
        case {"hangup": reason}:
            return End(str(reason))
    return None
