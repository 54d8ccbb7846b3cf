"""What only this machine can reach."""

from __future__ import annotations

import pytest

from mediacore.web.hosts import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "192.0.2.1", "example.org", "127.1"])
def test_of_a_network(host: str) -> None:
    assert not is_loopback(host)
