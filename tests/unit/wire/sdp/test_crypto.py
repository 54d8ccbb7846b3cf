"""Key lines."""

from __future__ import annotations

import pytest

from mediacore.errors import ConfigError
from mediacore.wire.sdp import SUITES, SrtpKey, make_keys
from mediacore.wire.sdp.crypto import KEY_BYTES, Crypto, crypto_lines, our_lines, read_crypto
from mediacore.wire.sdp.model import Attribute, Media
from support.sdp_offers import KEY_A

SUITE = "AES_CM_128_HMAC_SHA1_80"
A = b"A" * 30


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"1 {SUITE} inline:{KEY_A}", Crypto(1, SUITE, A)),
        (f"7 {SUITE} inline:{KEY_A}|2^20", Crypto(7, SUITE, A, 2**20)),
        (f"7 {SUITE} inline:{KEY_A}|1048576", Crypto(7, SUITE, A, 2**20)),
        (f"1 {SUITE} inline:{KEY_A}|2^20|1:4", Crypto(1, SUITE, A, 2**20, (1, 4), False)),
        (f"1 {SUITE} inline:{KEY_A}|1:4", Crypto(1, SUITE, A, 0, (1, 4), False)),
        (f"1 {SUITE} inline:{KEY_A}|x:y", Crypto(1, SUITE, A, 0, (0, 128), False)),
        (f"1 {SUITE} inline:{KEY_A}|2^99", Crypto(1, SUITE, A)),
        (f"1 {SUITE} inline:{KEY_A};inline:{KEY_A}", Crypto(1, SUITE, A, usable=False)),
        (f"1 {SUITE} INLINE:{KEY_A} WSH=64 -NEW", Crypto(1, SUITE, A)),
        (f"1 {SUITE} inline:{KEY_A} UNENCRYPTED_SRTP", Crypto(1, SUITE, A, usable=False)),
        (f"1 {SUITE} inline:{KEY_A} KDR=4", Crypto(1, SUITE, A, usable=False)),
        (f"1 {SUITE}", None),
        (f"x {SUITE} inline:{KEY_A}", None),
        (f"1234567890 {SUITE} inline:{KEY_A}", None),
        (f"1 F8_128_HMAC_SHA1_80 inline:{KEY_A}", None),
        (f"1 {SUITE} uri:{KEY_A}", None),
        (f"1 {SUITE} inline:{KEY_A[:-4]}", None),
        (f"1 {SUITE} inline:é{KEY_A[1:]}", None),
        (f"1 {SUITE} inline:{KEY_A[:-1]}", None),
        ("", None),
    ],
)
def test_lines(value: str, expected: Crypto | None) -> None:
    assert read_crypto(value) == expected


@pytest.mark.parametrize("suite", SUITES)
def test_what_we_write_we_read(suite: str) -> None:
    (key,) = make_keys([suite], lambda n: bytes(range(n)))
    (line,) = our_lines([key])
    written = line.attribute().value
    assert written is not None and read_crypto(written) == line
    assert read_crypto(written.rstrip("=")) == line  # padding left out
    assert len(line.key) == KEY_BYTES[suite]


def test_broken_lines_are_left_out_and_many_are_not_read() -> None:
    lines = ["rubbish", *(f"{n} {SUITE} inline:{KEY_A}" for n in range(40))]
    media = Media("audio", 1, "x", ("0",), attributes=tuple(Attribute("crypto", v) for v in lines))
    assert [line.tag for line in crypto_lines(media)] == list(range(15))


def test_keys_are_checked_and_hidden() -> None:
    assert "AAAA" not in repr(SrtpKey(SUITE, A)) + repr(Crypto(1, SUITE, A))
    with pytest.raises(ConfigError, match="30 bytes"):
        SrtpKey(SUITE, b"short")
    with pytest.raises(ConfigError, match="unknown SRTP suite"):
        SrtpKey("ROT13", A)
    with pytest.raises(ConfigError, match="unknown SRTP suite"):
        make_keys(["ROT13"], bytes)
