from __future__ import annotations

import hashlib

import pytest

from mediacore.control.config import ControlConfig, ControlLimits, Project, TlsFiles, Token
from mediacore.errors import ConfigError

PROJECT = Project("p", (Token.plain("t"),))


def test_a_token_is_kept_as_its_hash_and_not_shown() -> None:
    token = Token.plain("geheim")
    assert token.sha256 == hashlib.sha256(b"geheim").hexdigest()
    assert "geheim" not in repr(token) and token.sha256 not in repr(token)
    assert "s" * 32 not in repr(ControlConfig((PROJECT,), jwt_secret="s" * 32))


@pytest.mark.parametrize("digest", ["", "abc", "A" * 64, "g" * 64])
def test_a_hash_that_is_none(digest: str) -> None:
    with pytest.raises(ConfigError, match="hex"):
        Token(digest)


def test_unusable_tokens_and_projects() -> None:
    with pytest.raises(ConfigError, match="'fly'"):
        Token.plain("t", frozenset({"fly"}))
    with pytest.raises(ConfigError, match="empty"):
        Token.plain("")
    with pytest.raises(ConfigError, match="id"):
        Project("", ())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_loopback_needs_no_tls(host: str) -> None:
    assert ControlConfig((PROJECT,), host=host).tls is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", ""])
def test_the_network_needs_tls(host: str, tmp_path: object) -> None:
    with pytest.raises(ConfigError, match="in the clear"):
        ControlConfig((PROJECT,), host=host)
    ControlConfig((PROJECT,), host=host, plain_network=True)
    ControlConfig((PROJECT,), host=host, tls=TlsFiles(tmp_path, tmp_path))  # type: ignore[arg-type]


def test_somebody_must_be_able_to_connect() -> None:
    with pytest.raises(ConfigError, match="no project"):
        ControlConfig(())
    with pytest.raises(ConfigError, match="jwt_secret"):
        ControlConfig((Project("p", ()),))
    with pytest.raises(ConfigError, match="same id"):
        ControlConfig((PROJECT, PROJECT))
    with pytest.raises(ConfigError, match="32 bytes"):
        ControlConfig((PROJECT,), jwt_secret="short")
    ControlConfig((Project("p", ()),), jwt_secret="s" * 32)


def test_limits_are_above_zero() -> None:
    with pytest.raises(ConfigError, match="sessions"):
        ControlLimits(sessions=0)
