"""How long sending digits takes."""

from mediacore.runtime.keys import sending_ms


def test_duration() -> None:
    assert sending_ms("1w2W-") == 2 * 200 + 500 + 1000
    assert sending_ms("1,2") == 2 * 200 + 500
