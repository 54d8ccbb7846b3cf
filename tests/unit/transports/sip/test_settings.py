from __future__ import annotations

from pathlib import Path

import pytest

from mediacore.errors import ConfigError
from mediacore.transports.sip.config import SipBind
from mediacore.transports.sip.settings import SipConfig, SipRegistration, SipTrunk

PUBLIC = (SipBind("UDP", "192.0.2.1"),)


def test_loopback_needs_nothing() -> None:
    assert not SipConfig().authenticated


@pytest.mark.parametrize(
    "settings", [{"sources": ("198.51.100.0/24",)}, {"users": {"a": "b"}}, {"open": True}]
)
def test_a_public_listener_says_who_may_call(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="sources"):
        SipConfig(binds=PUBLIC)
    config = SipConfig(binds=PUBLIC, **settings)  # type: ignore[arg-type]
    assert config.authenticated is ("open" not in settings)


def test_everybody_is_no_source() -> None:
    with pytest.raises(ConfigError):
        SipConfig(binds=PUBLIC, sources=("0.0.0.0/0",), users={"a": "b"})


@pytest.mark.parametrize(
    "settings",
    [
        {"binds": ()},
        {"binds": (SipBind("TLS"),)},
        {"user": "a b"},
        {"sources": ("nowhere",)},
        {"media_host": "localhost"},
        {"rtp_ports": (20_001, 20_000)},
        {"rtp_ports": (80, 90)},
        {"max_calls": 0},
        {"codecs": ()},
        {"digests": ()},
        {"digests": ("SHA-512",)},
        {"redirects": -1},
        {"session_expires_s": 60},
        {"min_se_s": 10},
    ],
)
def test_what_cannot_work_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        SipConfig(**settings)  # type: ignore[arg-type]


def test_trunks_and_registrations_are_checked_and_hide_their_passwords() -> None:
    for broken in (
        lambda: SipTrunk("a b"),
        lambda: SipTrunk("x", name="a b"),
        lambda: SipTrunk("x", transport="QUIC"),
        lambda: SipRegistration("a", "http://x"),
        lambda: SipRegistration("a", "sip:x", expires_s=1),
    ):
        with pytest.raises(ConfigError):
            broken()
    shown = repr(
        SipConfig(
            users={"alice": "secret"},
            trunk=SipTrunk("x", password="secret"),
            registrations=(SipRegistration("a", "sip:x", "secret"),),
            certificate=Path("x"),
        )
    )
    assert "secret" not in shown
