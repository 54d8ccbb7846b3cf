"""Terms are checked; packet sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mediacore.errors import ConfigError
from mediacore.wire.sdp import CODECS, SrtpPolicy, Terms, make_keys

TERMS = Terms("192.0.2.1", 4000)


@pytest.mark.parametrize(
    "change",
    [
        {"host": "example.com"},
        {"host": "0.0.0.0"},
        {"host": "::"},
        {"host": "224.0.0.1"},
        {"port": 0},
        {"port": 65_536},
        {"codecs": ()},
        {"codecs": ("speex",)},
        {"ptime_ms": 25},
        {"maxptime_ms": 10},
        {"maxptime_ms": 120},
        {"packets_ms": ()},
        {"packets_ms": (5, 20)},
        {"srtp": SrtpPolicy.REQUIRED},
        {"keys": make_keys(["AEAD_AES_128_GCM"], bytes)},
    ],
)
def test_nonsense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        replace(TERMS, **change)


@pytest.mark.parametrize(
    ("codec", "wish", "most", "ms"),
    [
        ("PCMU", None, None, 20),
        ("PCMU", 30, None, 30),
        ("PCMU", 25, None, 20),
        ("PCMU", 50, None, 40),
        ("PCMU", 200, None, 60),
        ("PCMU", 10, None, 10),
        ("PCMU", 5, None, 10),
        ("PCMU", 60, 30, 30),
        ("PCMU", None, 10, 10),
        ("PCMU", None, 150, 20),
        ("opus", 60, None, 20),
        ("opus", 10, 10, 20),
    ],
)
def test_packets_are_the_peers_wish_within_bounds(
    codec: str, wish: int | None, most: int | None, ms: int
) -> None:
    assert TERMS.packet_ms(CODECS[codec], wish, most) == ms


def test_a_leg_with_fewer_sizes_gets_one_of_them() -> None:
    terms = replace(TERMS, packets_ms=(20, 40, 60))
    assert terms.packet_ms(CODECS["PCMU"], 30, None) == 20
    assert terms.packet_ms(CODECS["PCMU"], 10, 10) == 20
    narrow = replace(TERMS, packets_ms=(40,), ptime_ms=40)
    assert narrow.packet_ms(CODECS["opus"], None, None) == 20
