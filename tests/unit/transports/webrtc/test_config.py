"""Settings that cannot work are refused before anything listens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mediacore.errors import ConfigError
from mediacore.transports.webrtc import IceServer, WebRtcConfig


def test_loopback_needs_nothing() -> None:
    config = WebRtcConfig()
    assert not config.needs_token
    assert config.addresses == ("127.0.0.1",)
    assert WebRtcConfig(host="localhost").addresses == ("127.0.0.1",)


def test_other_machines_need_a_token() -> None:
    config = WebRtcConfig("192.0.2.7", tls_cert=Path("c"), tls_key=Path("k"))
    assert config.needs_token
    assert config.addresses == ("192.0.2.7",)
    assert WebRtcConfig(token="x").needs_token


def test_secrets_do_not_show() -> None:
    config = WebRtcConfig(token="sesame", ice_servers=(IceServer("turn:t.example", "u", "secret"),))
    assert "sesame" not in repr(config) and "secret" not in repr(config)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"host": "0.0.0.0", "media_hosts": ("192.0.2.1",)}, "https only"),
        ({"host": "0.0.0.0", "plain_network": True}, "media_hosts"),
        ({"media_hosts": ("voice.example",)}, "media_hosts"),
        ({"tls_cert": Path("c")}, "belong together"),
        ({"codecs": ("speex",)}, "codecs"),
        ({"codecs": ()}, "codecs"),
        ({"srate_hz": 44100}, "srate_hz"),
        ({"port": 70000}, "port"),
        ({"max_calls": 0}, "max_calls"),
        ({"lost_ms": -1}, "lost_ms"),
    ],
)
def test_what_cannot_work_is_told(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        WebRtcConfig(**changes)


def test_an_ice_server_has_a_scheme() -> None:
    with pytest.raises(ConfigError, match=r"stun:"):
        IceServer("https://example.com")
