from __future__ import annotations

import pytest

from mediacore.wire.sip.info import PLAIN, RELAY, digit_body, read_digit
from mediacore.wire.sip.message import make_request


@pytest.mark.parametrize(
    ("kind", "body", "pressed"),
    [
        (RELAY, b"Signal=5\r\nDuration=160\r\n", ("5", 160)),
        (RELAY, b"Signal= 10\nDuration= 250", ("*", 250)),
        (RELAY, b"signal=#", ("#", 100)),
        (RELAY, b"Signal=a\r\nDuration=99999\r\n", ("A", 10_000)),
        (RELAY, digit_body("9", 120), ("9", 120)),
        (PLAIN, b"7", ("7", 100)),
        (PLAIN, b" d\r\n", ("D", 100)),
        (RELAY, b"Signal=55", None),
        (RELAY, b"", None),
        (RELAY, b"Signal=5\n" * 100, None),
        (PLAIN, b"\xff", None),
        ("text/plain", b"5", None),
    ],
)
def test_digits(kind: str, body: bytes, pressed: tuple[str, int] | None) -> None:
    assert read_digit(make_request("INFO", "sip:x", (), body, kind)) == pressed
