"""What a provider's output must look like before it is handed on."""

from __future__ import annotations

import json
import re
from typing import Final

from mediacore.errors import ErrorClass, ProviderError
from mediacore.slots.attempt import Verdict
from mediacore.slots.llm import LlmEvent, LlmHangup, LlmText, LlmUsage, ToolCall
from mediacore.slots.policy import LlmPolicy, TtsPolicy
from mediacore.slots.tts import TtsAudio, TtsEvent, TtsInfo, TtsRequest, TtsWord
from mediacore.units import pcm_ms

_MAX_ARGUMENTS: Final = 65_536
_MAX_CALLS: Final = 32
_HALF_PAIR: Final = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


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
        self._calls = 0
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
            return self._judge_call(event)
        if isinstance(event, LlmHangup):
            return Verdict.COMMIT
        if isinstance(event, LlmUsage):
            return Verdict.HOLD
        raise _unusable(f"{type(event).__name__} is not an LlmEvent")

    def _judge_call(self, call: ToolCall) -> Verdict:
        self._calls += 1
        if self._calls > _MAX_CALLS:
            raise _unusable(f"more than {_MAX_CALLS} tool calls in one reply")
        if len(call.arguments) > _MAX_ARGUMENTS or not _is_json_object(call.arguments):
            raise _unusable("arguments of a tool are not a JSON object of some length")
        if not _is_text(call.name + call.id):
            raise _unusable("the name of a tool is not text")
        return Verdict.COMMIT

    def _judge_text(self, text: str) -> Verdict:
        if not text:
            return Verdict.SKIP
        if not _is_text(text):
            raise _unusable("half of a surrogate pair is not text")
        self._chars += len(text)
        if self._chars > self._max_chars:
            raise _unusable(f"more than {self._max_chars} characters")
        return Verdict.COMMIT if text.strip() else Verdict.HOLD


def _is_json_object(text: str) -> bool:
    if not text.strip():
        return True
    try:
        value = json.loads(text)
        # Escapes may be halves of pairs; only then is it worth writing all of it out.
        whole = _HALF_PAIR.search(text) is None or _is_text(json.dumps(value, ensure_ascii=False))
        return isinstance(value, dict) and whole
    except (ValueError, RecursionError):
        return False


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
