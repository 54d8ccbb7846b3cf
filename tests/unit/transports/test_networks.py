"""Who is expected to connect."""

from __future__ import annotations

import pytest

from mediacore.errors import ConfigError
from mediacore.transports.networks import (
    LOOPBACK,
    everybody,
    is_expected,
    parse_networks,
)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.9", True),
        ("fe80::1%eth0", False),
        ("10.0.0.1", False),
        ("", False),
        ("localhost", False),
    ],
)
def test_addresses(host: str, expected: bool) -> None:
    assert is_expected(host, parse_networks(LOOPBACK)) is expected


def test_networks() -> None:
    assert everybody(parse_networks(("10.0.0.0/8", "::/0")))
    assert not everybody(parse_networks(LOOPBACK))
    with pytest.raises(ConfigError):
        parse_networks(("10.0.0.1/8",))
