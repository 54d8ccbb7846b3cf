"""From any exception to an ErrorClass, without importing anybody's library."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import BrokenExecutor
from typing import Final

from mediacore.errors import ErrorClass, MediacoreError, ProviderError

_BY_STATUS: Final = {
    401: ErrorClass.AUTH,
    402: ErrorClass.RATE_LIMITED,
    403: ErrorClass.AUTH,
    408: ErrorClass.TIMEOUT,
    425: ErrorClass.UNAVAILABLE,
    429: ErrorClass.RATE_LIMITED,
    504: ErrorClass.TIMEOUT,
}

# Part of a class name, in the order of search: SDKs name their errors alike.
_BY_NAME: Final = (
    ("RateLimit", ErrorClass.RATE_LIMITED),
    ("Quota", ErrorClass.RATE_LIMITED),
    ("Authentication", ErrorClass.AUTH),
    ("PermissionDenied", ErrorClass.AUTH),
    ("Timeout", ErrorClass.TIMEOUT),
    ("Decode", ErrorClass.BAD_OUTPUT),
    ("Connection", ErrorClass.UNAVAILABLE),
)

_BY_TYPE: Final[tuple[tuple[type[BaseException], ErrorClass], ...]] = (
    (asyncio.CancelledError, ErrorClass.CRASHED),  # by the provider itself
    (TimeoutError, ErrorClass.TIMEOUT),
    (BrokenExecutor, ErrorClass.CRASHED),
    (EOFError, ErrorClass.CRASHED),
    (BrokenPipeError, ErrorClass.CRASHED),
    (json.JSONDecodeError, ErrorClass.BAD_OUTPUT),
    (UnicodeError, ErrorClass.BAD_OUTPUT),
    (OSError, ErrorClass.UNAVAILABLE),
)


def http_status(error: BaseException) -> int | None:
    """The HTTP status that an SDK's exception carries, where it does."""
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "status"):
            value = getattr(holder, name, None)
            if isinstance(value, int) and 100 <= value <= 599:
                return value
    return None


def classify(error: BaseException) -> ErrorClass:
    """What kind of failure this is. Anything not known is INTERNAL."""
    if isinstance(error, ProviderError):
        return error.error_class
    if isinstance(error, BaseExceptionGroup):
        return _classify_group(error)
    status = http_status(error)
    if status is not None and status >= 400:
        default = ErrorClass.UNAVAILABLE if status >= 500 else ErrorClass.BAD_INPUT
        return _BY_STATUS.get(status, default)
    for kind, error_class in _BY_TYPE:
        if isinstance(error, kind):
            return error_class
    for cls in type(error).__mro__:
        for part, error_class in _BY_NAME:
            if part in cls.__name__:
                return error_class
    return ErrorClass.INTERNAL


def _classify_group(group: BaseExceptionGroup[BaseException]) -> ErrorClass:
    classes = [classify(error) for error in group.exceptions]
    known = [c for c in classes if c is not ErrorClass.INTERNAL]
    return known[0] if known else ErrorClass.INTERNAL


def as_provider_error(error: BaseException, provider: str) -> ProviderError:
    """Our own error in place of `error`.

    Foreign messages may quote what a caller said, so only the type and the status are kept.
    """
    if isinstance(error, ProviderError):
        return ProviderError(error.error_class, str(error), error.provider or provider)
    if isinstance(error, MediacoreError):
        return ProviderError(classify(error), str(error), provider)
    status = http_status(error)
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    detail = kind if status is None else f"{kind} (HTTP {status})"
    return ProviderError(classify(error), detail, provider)
