"""Lines that hear each other: one bridge of the core per pair."""

from __future__ import annotations

from mediacore._core import Bridge, Engine, Leg
from mediacore.errors import MediaError


class Bridges:
    """The bridges of one call."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: dict[frozenset[int], Bridge] = {}

    def join(self, one: Leg | None, other: Leg | None) -> None:
        """Let two legs hear each other; legs that are gone are left alone. Raises MediaError and
        leaves nothing open."""
        if one is None or other is None or one.closed or other.closed:
            return
        pair = frozenset((one.handle, other.handle))
        if pair in self._open:
            return
        bridge = self._engine.open_bridge(max(one.srate_hz, other.srate_hz))
        try:
            bridge.join(one)
            bridge.join(other)
        except MediaError:
            bridge.close()
            raise
        self._open[pair] = bridge

    def part(self, one: Leg | None, other: Leg | None) -> None:
        """They do not hear each other any more; idempotent."""
        if one is None or other is None:
            return
        bridge = self._open.pop(frozenset((one.handle, other.handle)), None)
        if bridge is not None:
            bridge.close()

    def close(self) -> None:
        """No bridge is left."""
        for bridge in self._open.values():
            bridge.close()
        self._open.clear()
