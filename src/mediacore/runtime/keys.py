"""How digits are sent: what the session does, and how long the call waits for it."""

from __future__ import annotations

import re
from typing import Final

PAUSE_MS: Final = {"w": 500, "W": 1000, ",": 500}
TONE_MS: Final = 100
GAP_MS: Final = 100
KEY: Final = "[0-9*#A-Da-d]"
_SENT: Final = re.compile(rf"{KEY}|[wW,]")


def sending_ms(digits: str) -> int:
    """How long sending takes. Characters that are no keys or pauses are left out."""
    return sum(PAUSE_MS.get(key, TONE_MS + GAP_MS) for key in _SENT.findall(digits))
