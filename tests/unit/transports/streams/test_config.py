"""Settings that are refused, and why."""

from pathlib import Path
from typing import Any

import pytest

from mediacore.errors import ConfigError
from mediacore.transports.streams.auth import Bearer, PlivoSignature, TwilioSignature
from mediacore.transports.streams.config import StreamConfig, StreamEndpoint, StreamLimits

OPEN = StreamEndpoint("twilio", open=True)
SAFE = StreamEndpoint("twilio", auth=(Bearer("t"),))
PEM = Path("x.pem")


def test_paths_are_named_after_the_dialect() -> None:
    assert StreamEndpoint("twilio").route == "/twilio"
    assert StreamEndpoint("twilio", path="/a/b/").route == "/a/b"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dialect": "bell"}, "unknown stream dialect"),
        ({"path": "a"}, "begin with /"),
        ({"path": "/{a}"}, "begin with /"),
        ({"codec": "GSM"}, "unknown codec"),
        ({"ahead_ms": 50}, "ahead_ms"),
        ({"ahead_ms": 2000}, "ahead_ms"),
        ({"auth": (TwilioSignature("t"),)}, "public_url"),
        ({"auth": (PlivoSignature("t"),)}, "public_url"),
    ],
)
def test_endpoints_that_do_not_work(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        StreamEndpoint(**{"dialect": "twilio", **given})


@pytest.mark.parametrize(
    ("endpoints", "given", "words"),
    [
        ((), {}, "no stream endpoint"),
        ((SAFE, OPEN), {}, "same path"),
        ((SAFE,), {"tls_cert": PEM}, "belong together"),
        ((StreamEndpoint("twilio"),), {"host": "0.0.0.0", "plain_network": True}, "anybody"),
        ((StreamEndpoint("twilio"),), {"host": "example.com", "plain_network": True}, "anybody"),
        ((SAFE,), {"host": "0.0.0.0"}, "in the clear"),
        ((OPEN,), {"host": "::"}, "in the clear"),
    ],
)
def test_servers_that_would_let_anybody_in(
    endpoints: tuple[StreamEndpoint, ...], given: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        StreamConfig(endpoints, **given)


@pytest.mark.parametrize(
    ("endpoints", "given"),
    [
        ((StreamEndpoint("twilio"),), {}),
        ((StreamEndpoint("twilio"),), {"host": "localhost"}),
        ((OPEN,), {"host": "0.0.0.0", "plain_network": True}),
        ((SAFE,), {"host": "0.0.0.0", "tls_cert": PEM, "tls_key": PEM}),
    ],
)
def test_servers_that_are_meant(
    endpoints: tuple[StreamEndpoint, ...], given: dict[str, Any]
) -> None:
    assert StreamConfig(endpoints, **given).endpoints == endpoints


def test_limits_are_above_nothing() -> None:
    with pytest.raises(ConfigError, match="start_ms"):
        StreamLimits(start_ms=0)
