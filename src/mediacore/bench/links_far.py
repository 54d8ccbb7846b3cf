"""The far end of a link, in a process of its own: N callers who talk all the time.

Reads one line of JSON from stdin, `FarOrder`, connects, talks, and writes `FarReport` as one line
after its time; it goes on talking for a while until it is ended. Its CPU is not counted.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Final

Tell = Callable[["FarReport"], None]
SPARE_S: Final = 5.0
"""For how long it talks on."""
_MODULES: Final = MappingProxyType(
    {
        "rtp": "links_phones",
        "sip": "links_phones",
        "srtp": "links_phones",
        "websocket": "links_tcp",
        "audiosocket": "links_tcp",
        "webrtc": "links_browsers",
        "tracks": "links_browsers",
    }
)


@dataclass(frozen=True, slots=True)
class FarOrder:
    """ports: on loopback; one for each call, or one for all. seconds: in which it counts, once
    connected. codec: of WebRTC."""

    kind: str
    ports: list[int]
    calls: int
    seconds: float
    codec: str = "PCMU"


@dataclass(frozen=True, slots=True)
class FarReport:
    """heard_share: of the 20 ms frames that all callers must get."""

    heard_share: float


def main() -> None:
    """Serve one order."""
    order = FarOrder(**json.loads(sys.stdin.readline()))
    callers = importlib.import_module(f"mediacore.bench.{_MODULES[order.kind]}")
    asyncio.run(callers.run(order, lambda report: print(json.dumps(asdict(report)), flush=True)))


if __name__ == "__main__":
    main()
