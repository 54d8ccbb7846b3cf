"""Every error that mediacore raises. Each says what to do next where something can be done."""

from __future__ import annotations

from enum import StrEnum


class MediacoreError(Exception):
    """Base of all errors raised on purpose."""


class ConfigError(MediacoreError):
    """A setting, file or argument is not usable; the message names it."""


class MissingDependencyError(MediacoreError):
    """An optional package, library, model file or device is not there.

    `fix` is the command or setting that adds it.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what} is missing. To add it: {fix}")
        self.what = what
        self.fix = fix


class MediaError(MediacoreError):
    """The audio core refused a call. `code` is the negative MC_E* value."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class StaleError(MediaError):
    """The command was made for a generation or a handle that is no longer current."""


class QueueFullError(MediaError):
    """A bounded queue is full; nothing was queued."""


class ErrorClass(StrEnum):
    """What kind of failure a provider had; decides retry, fallback or script."""

    TIMEOUT = "timeout"  # no first byte, or a gap, beyond the deadline
    UNAVAILABLE = "unavailable"  # refused, reset, 5xx: worth another try
    RATE_LIMITED = "rate_limited"  # quota or 429: use the fallback
    AUTH = "auth"  # bad key: no retry
    BAD_INPUT = "bad_input"  # the provider refused what we sent
    BAD_OUTPUT = "bad_output"  # what came back is unusable: wrong rate, garbage, empty
    CRASHED = "crashed"  # a local worker died
    INTERNAL = "internal"  # a bug in an adapter

    @property
    def retryable(self) -> bool:
        """Whether the same provider is worth one more try."""
        return self in (ErrorClass.TIMEOUT, ErrorClass.UNAVAILABLE, ErrorClass.CRASHED)


class ProviderError(MediacoreError):
    """A provider failed. The message never holds what a caller said."""

    def __init__(self, error_class: ErrorClass, message: str, provider: str = "") -> None:
        super().__init__(message)
        self.error_class = error_class
        self.provider = provider
