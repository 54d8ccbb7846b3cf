"""What can fail in a call: ten classes, the reasons named on the wire, and what is done about it.

Providers report an `ErrorClass`; `classify` makes a `Failure` of it, `worsened` the fatal form
once the same thing failed too often in a row. The public list of reasons has none for
recognition, media, signalling and limits: those have a class of their own and no reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from mediacore.errors import ErrorClass


class ErrorReason(StrEnum):
    """Reasons as public payloads name them."""

    TOKEN_EXHAUSTION = "token_exhaustion"
    LLM_FATAL = "llm_fatal"
    LLM_MAX_RETRIES = "llm_max_retries"
    LLM_RETRY = "llm_retry"
    INVALID_FUNCTION = "invalid_function"
    INVALID_PARAMS = "invalid_params"
    WEBHOOK_HTTP_FAILURE = "webhook_http_failure"
    VOICE_CONFIG_ERROR = "voice_config_error"
    VOICE_RUNTIME_ERROR = "voice_runtime_error"
    FATAL_ERROR_TRANSFER = "fatal_error_transfer"


class FailureClass(StrEnum):
    """What failed, as the call sees it."""

    STT_UNAVAILABLE = "stt_unavailable"
    STT_GARBAGE = "stt_garbage"
    LLM_TRANSIENT = "llm_transient"
    LLM_FATAL = "llm_fatal"
    TOOL_INVALID = "tool_invalid"
    TOOL_FAILED = "tool_failed"
    TTS_FAILED = "tts_failed"
    MEDIA_LOST = "media_lost"
    SIGNALLING_LOST = "signalling_lost"
    LIMIT_REACHED = "limit_reached"


class Source(StrEnum):
    """Which part of the call reports a failure."""

    STT = "stt"
    LLM = "llm"
    TTS = "tts"
    TOOL = "tool"
    MEDIA = "media"
    SIGNALLING = "signalling"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure. reason: None where the public list has no name for it."""

    kind: FailureClass
    reason: ErrorReason | None = None
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """How a class is dealt with.

    reason: the usual one on the wire. phrases: field of `Lines` that holds what is said; empty
    when the model tells the caller, or nobody can be told. repeats: becomes fatal when it happens
    too often in a row. fatal: ends the call by itself.
    """

    reason: ErrorReason | None
    phrases: str
    repeats: bool = False
    fatal: bool = False


RULES: Final[Mapping[FailureClass, Rule]] = MappingProxyType(
    {
        FailureClass.STT_UNAVAILABLE: Rule(None, "reprompts", repeats=True),
        FailureClass.STT_GARBAGE: Rule(None, "reprompts", repeats=True),
        FailureClass.LLM_TRANSIENT: Rule(ErrorReason.LLM_RETRY, "recoveries", repeats=True),
        FailureClass.LLM_FATAL: Rule(ErrorReason.LLM_FATAL, "failure_goodbye", fatal=True),
        FailureClass.TOOL_INVALID: Rule(ErrorReason.INVALID_FUNCTION, ""),
        FailureClass.TOOL_FAILED: Rule(ErrorReason.WEBHOOK_HTTP_FAILURE, "", repeats=True),
        FailureClass.TTS_FAILED: Rule(ErrorReason.VOICE_RUNTIME_ERROR, "recoveries", repeats=True),
        FailureClass.MEDIA_LOST: Rule(None, "", repeats=True),
        FailureClass.SIGNALLING_LOST: Rule(None, "", repeats=True),
        FailureClass.LIMIT_REACHED: Rule(None, "limit_goodbye", fatal=True),
    }
)

_CLASS_OF_REASON: Final[Mapping[ErrorReason, FailureClass]] = MappingProxyType(
    {
        ErrorReason.TOKEN_EXHAUSTION: FailureClass.LLM_FATAL,
        ErrorReason.LLM_FATAL: FailureClass.LLM_FATAL,
        ErrorReason.LLM_MAX_RETRIES: FailureClass.LLM_FATAL,
        ErrorReason.LLM_RETRY: FailureClass.LLM_TRANSIENT,
        ErrorReason.INVALID_FUNCTION: FailureClass.TOOL_INVALID,
        ErrorReason.INVALID_PARAMS: FailureClass.TOOL_INVALID,
        ErrorReason.WEBHOOK_HTTP_FAILURE: FailureClass.TOOL_FAILED,
        ErrorReason.VOICE_CONFIG_ERROR: FailureClass.TTS_FAILED,
        ErrorReason.VOICE_RUNTIME_ERROR: FailureClass.TTS_FAILED,
        ErrorReason.FATAL_ERROR_TRANSFER: FailureClass.SIGNALLING_LOST,
    }
)

_CLASS_OF_SOURCE: Final[Mapping[Source, FailureClass]] = MappingProxyType(
    {
        Source.STT: FailureClass.STT_UNAVAILABLE,
        Source.LLM: FailureClass.LLM_TRANSIENT,
        Source.TTS: FailureClass.TTS_FAILED,
        Source.TOOL: FailureClass.TOOL_FAILED,
        Source.MEDIA: FailureClass.MEDIA_LOST,
        Source.SIGNALLING: FailureClass.SIGNALLING_LOST,
        Source.LIMIT: FailureClass.LIMIT_REACHED,
    }
)

_NO_USE_TRYING: Final = (ErrorClass.AUTH, ErrorClass.BAD_INPUT)


def classify(
    source: Source, error_class: ErrorClass | None = None, reason: ErrorReason | None = None
) -> Failure:
    """The failure that a report means. reason: where the reporter knows better than the class.

    A model's failure without a reason is never fatal by itself: it may have failed in the middle
    of a reply, and a later turn may go well.
    """
    if reason is not None:
        kind = _CLASS_OF_REASON[reason]
    else:
        kind = _refined(source, error_class)
        reason = RULES[kind].reason
        if source is Source.TTS and error_class in _NO_USE_TRYING:
            reason = ErrorReason.VOICE_CONFIG_ERROR
    return Failure(kind, reason, RULES[kind].fatal)


def worsened(failure: Failure, in_row: int, most: int) -> Failure:
    """The failure once it has happened `in_row` times: fatal from `most` on (0 = never)."""
    if failure.fatal or not RULES[failure.kind].repeats or not most or in_row < most:
        return failure
    if failure.kind is FailureClass.LLM_TRANSIENT:
        return Failure(FailureClass.LLM_FATAL, ErrorReason.LLM_MAX_RETRIES, fatal=True)
    return Failure(failure.kind, failure.reason, fatal=True)


def _refined(source: Source, error_class: ErrorClass | None) -> FailureClass:
    if source is Source.STT and error_class is ErrorClass.BAD_OUTPUT:
        return FailureClass.STT_GARBAGE
    if source is Source.TOOL and error_class is ErrorClass.BAD_INPUT:
        return FailureClass.TOOL_INVALID
    return _CLASS_OF_SOURCE[source]
