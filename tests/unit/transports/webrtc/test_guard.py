"""Who may call."""

from __future__ import annotations

import pytest

from mediacore.transports.webrtc.config import WebRtcConfig
from mediacore.transports.webrtc.guard import Guard

HERE = "127.0.0.1:8080"


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ("Bearer sesame", True),
        ("bearer  sesame", True),
        ("Bearer sesamy", False),
        ("Basic sesame", False),
        ("", False),
        ("Bearer " + "x" * 600, False),
        ("Bearer \udce9", False),
    ],
)
def test_the_secret_is_asked_for(header: str, known: bool) -> None:
    assert Guard(WebRtcConfig(), "sesame").knows(header) is known


def test_without_a_secret_anybody_here_is_known() -> None:
    assert Guard(WebRtcConfig(), "").knows("")


@pytest.mark.parametrize(
    ("origin", "host", "token", "welcome"),
    [
        (None, HERE, "", True),
        (None, "localhost", "", True),
        (None, "[::1]:8080", "", True),
        (None, "evil.example:8080", "", False),  # DNS rebinding: what it reads has no Origin
        (None, "[", "", False),
        (None, "voice.example", "t", True),
        ("http://127.0.0.1:8080", HERE, "", True),
        ("http://localhost:8080", "localhost:8080", "", True),
        ("http://[::1]:8080", "[::1]:8080", "", True),
        ("http://127.0.0.1:9999", HERE, "", False),  # another program of this machine
        ("http://evil.example:8080", "evil.example:8080", "", False),  # DNS rebinding
        ("http://evil.example", HERE, "", False),
        ("null", HERE, "", False),
        ("http://127.0.0.1:x", HERE, "", False),
        ("file://127.0.0.1:8080", HERE, "", False),
        ("https://voice.example", "voice.example", "t", True),  # behind a proxy
        ("https://evil.example", "voice.example", "t", False),
        ("https://app.example", "voice.example", "t", True),  # configured
        ("https://APP.example/", "voice.example", "", True),
    ],
)
def test_pages_of_other_origins_may_not_call(
    origin: str | None, host: str, token: str, welcome: bool
) -> None:
    guard = Guard(WebRtcConfig(origins=("https://app.example",)), token)
    assert guard.welcomes(origin, host) is welcome


def test_one_address_may_not_ask_all_the_time() -> None:
    guard = Guard(WebRtcConfig(calls_per_s=2, call_burst=3), "")
    assert [guard.admits("a", 0) for _ in range(4)] == [True, True, True, False]
    assert guard.admits("b", 0)
    assert guard.admits("a", 600_000)
    for n in range(2000):  # more addresses than are remembered
        assert guard.admits(f"c{n}", 600_000)
