from __future__ import annotations

import pytest

from mediacore.errors import ConfigError
from mediacore.wire.limits import RelayLimits


@pytest.mark.parametrize(
    "wrong",
    [
        {"message_bytes": 0},
        {"message_bytes": (10 << 20) + 1},
        {"keep_us": -1},
        {"unacked_bytes": 9 << 20},
    ],
)
def test_unusable_limits(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        RelayLimits(**wrong)


def test_the_largest_message() -> None:
    assert RelayLimits(message_bytes=10 << 20).message_bytes == 10 << 20
