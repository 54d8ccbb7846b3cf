import asyncio
import json
from concurrent.futures.process import BrokenProcessPool

import pytest

from mediacore.errors import ErrorClass, MissingDependencyError, ProviderError
from mediacore.slots.classify import as_provider_error, classify, http_status


class APIConnectionError(Exception):
    pass


class APITimeoutError(APIConnectionError):
    pass


class RateLimitError(Exception):
    pass


class DecodeError(Exception):
    pass


class HttpError(Exception):
    def __init__(self, **fields):
        super().__init__("the caller said: my card is 4111")
        self.__dict__.update(fields)


class Response:
    status_code = 503


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ProviderError(ErrorClass.AUTH, "x"), ErrorClass.AUTH),
        (TimeoutError(), ErrorClass.TIMEOUT),
        (ConnectionRefusedError(), ErrorClass.UNAVAILABLE),
        (OSError("name resolution"), ErrorClass.UNAVAILABLE),
        (BrokenProcessPool(), ErrorClass.CRASHED),
        (BrokenPipeError(), ErrorClass.CRASHED),
        (asyncio.IncompleteReadError(b"", 4), ErrorClass.CRASHED),
        (asyncio.CancelledError(), ErrorClass.CRASHED),
        (json.JSONDecodeError("x", "y", 0), ErrorClass.BAD_OUTPUT),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), ErrorClass.BAD_OUTPUT),
        (DecodeError(), ErrorClass.BAD_OUTPUT),
        (APIConnectionError(), ErrorClass.UNAVAILABLE),
        (APITimeoutError(), ErrorClass.TIMEOUT),
        (RateLimitError(), ErrorClass.RATE_LIMITED),
        (HttpError(status=401), ErrorClass.AUTH),
        (HttpError(status_code=403), ErrorClass.AUTH),
        (HttpError(status_code=402), ErrorClass.RATE_LIMITED),
        (HttpError(status_code=429), ErrorClass.RATE_LIMITED),
        (HttpError(status_code=404), ErrorClass.BAD_INPUT),
        (HttpError(status_code=408), ErrorClass.TIMEOUT),
        (HttpError(status_code=500), ErrorClass.UNAVAILABLE),
        (HttpError(response=Response()), ErrorClass.UNAVAILABLE),
        (HttpError(status_code=200), ErrorClass.INTERNAL),
        (HttpError(status="bad"), ErrorClass.INTERNAL),
        (KeyError("x"), ErrorClass.INTERNAL),
        (ExceptionGroup("g", [KeyError(), TimeoutError()]), ErrorClass.TIMEOUT),
        (ExceptionGroup("g", [KeyError()]), ErrorClass.INTERNAL),
    ],
)
def test_classes(error, expected):
    assert classify(error) is expected


def test_foreign_messages_are_not_kept():
    error = as_provider_error(HttpError(status_code=500), "cloud")
    assert "4111" not in str(error)
    assert "HTTP 500" in str(error)
    assert error.provider == "cloud"
    assert "KeyError" in str(as_provider_error(KeyError("4111"), "x"))


def test_our_messages_are_kept():
    error = as_provider_error(MissingDependencyError("the model", "pip install x"), "local")
    assert "pip install x" in str(error)
    inner = ProviderError(ErrorClass.AUTH, "no key", "inner")
    assert as_provider_error(inner, "outer").provider == "inner"
    assert as_provider_error(ProviderError(ErrorClass.AUTH, "no key"), "outer").provider == "outer"


def test_http_status():
    assert http_status(KeyError()) is None
