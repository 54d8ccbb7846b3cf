"""What a provider's output must look like before it is handed on."""

from __future__ import annotations

import json

from mediacore.errors import ErrorClass, ProviderError
from mediacore.slots.attempt import Verdict
from mediacore.slots.llm import LlmEvent, LlmHangup, LlmText, LlmUsage, ToolCall
from mediacore.slots.policy import LlmPolicy, TtsPolicy
from mediacore.slots.tts import TtsAudio, TtsEvent, TtsInfo, TtsRequest, TtsWord
from mediacore.units import pcm_ms


def _unusable(why: str) -> ProviderError:
    return ProviderError(ErrorClass.BAD_OUTPUT, why)


class TtsScreen:
    """Audio at the declared rate, whole samples, of a length that the text explains."""

    def __init__(self, info: TtsInfo, request: TtsRequest, policy: TtsPolicy) -> None:
        self._srate_hz = info.srate_hz
        self._text_len = len(request.text)
        self._speakable = any(c.isalnum() for c in request.text)
        self._max_ms = policy.max_audio_ms + policy.max_audio_ms_per_char * len(request.text)
        self._ms = 0

    def admit(self, event: TtsEvent) -> Verdict:
        """Words that cannot be right are dropped; audio that cannot be right is an error."""
        if isinstance(event, TtsWord):
            return Verdict.HOLD if self._is_word(event) else Verdict.SKIP
        if not isinstance(event, TtsAudio):
            raise _unusable(f"{type(event).__name__} is not a TtsEvent")
        if event.srate_hz != self._srate_hz:
            raise _unusable(f"audio at {event.srate_hz} Hz, declared {self._srate_hz} Hz")
        if len(event.pcm) % 2:
            raise _unusable("odd number of bytes in 16-bit audio")
        if not event.pcm:
            return Verdict.SKIP
        self._ms += pcm_ms(event.pcm, event.srate_hz)
        if self._ms > self._max_ms:
            raise _unusable(f"more than {self._max_ms} ms for {self._text_len} characters")
        return Verdict.COMMIT

    def finish(self) -> None:
        """Something that can be spoken gave audio."""
        if self._speakable and not self._ms:
            raise _unusable("no audio")

    def _is_word(self, word: TtsWord) -> bool:
        in_text = 0 <= word.text_start < word.text_end <= self._text_len
        return in_text and 0 <= word.start_ms <= word.end_ms


class LlmScreen:
    """Some text, a tool call with readable arguments, or a hang-up."""

    def __init__(self, policy: LlmPolicy) -> None:
        self._max_chars = policy.max_chars
        self._chars = 0
        self._useful = False

    def admit(self, event: LlmEvent) -> Verdict:
        """White space and token counts are not yet a reply."""
        verdict = self._judge(event)
        self._useful = self._useful or verdict is Verdict.COMMIT
        return verdict

    def finish(self) -> None:
        """There was a reply."""
        if not self._useful:
            raise _unusable("empty reply")

    def _judge(self, event: LlmEvent) -> Verdict:
        if isinstance(event, LlmText):
            return self._judge_text(event.text)
        if isinstance(event, ToolCall):
            if not _is_json_object(event.arguments):
                raise _unusable(f"arguments of tool {event.name!r} are not a JSON object")
            return Verdict.COMMIT
        if isinstance(event, LlmHangup):
            return Verdict.COMMIT
        if isinstance(event, LlmUsage):
            return Verdict.HOLD
        raise _unusable(f"{type(event).__name__} is not an LlmEvent")

    def _judge_text(self, text: str) -> Verdict:
        if not text:
            return Verdict.SKIP
        self._chars += len(text)
        if self._chars > self._max_chars:
            raise _unusable(f"more than {self._max_chars} characters")
        return Verdict.COMMIT if text.strip() else Verdict.HOLD


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict) if text.strip() else True
    except ValueError:
        return False
