"""What a page is told of its call: the difference between what it shows and how the call stands.

Messages are JSON objects with a type `t`:
  {"t": "state", "state": "listening"}         see `call.state.Phase`, and "connecting"
  {"t": "turn", "n": 3, "who": "agent", "open": true, "parts": [["text", "heard"], …]}
  {"t": "turns", "count": 4}                   turns from 4 on are no more
  {"t": "partial", "text": "…"}                what the caller is saying now
  {"t": "ended", "reason": "hangup"}
A part is "heard", "ahead" (still to come) or "missed" (will never be heard).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from mediacore.call.live import LiveModel
from mediacore.call.record import Speaker, Turn

_MAX_CHARS: Final = 4000
_encode = msgspec.json.Encoder().encode


class Transcript:
    """Brings one page up to date. What could not be told is told the next time."""

    def __init__(self) -> None:
        self._told: dict[object, str] = {}
        self._count = 0

    def update(self, model: LiveModel, tell: Callable[[str], bool]) -> bool:
        """Tell what has changed, in order. False when `tell` refused something."""
        for index, turn in enumerate(model.turns):
            if not self._tell(index, turn_message(index, turn), tell):
                return False
        if len(model.turns) < self._count:
            if not tell(encode({"t": "turns", "count": len(model.turns)})):
                return False
            for index in range(len(model.turns), self._count):
                self._told.pop(index, None)
        self._count = len(model.turns)
        partial = {"t": "partial", "text": model.partial[-_MAX_CHARS:]}
        state = {"t": "state", "state": model.state}
        return self._tell("partial", partial, tell) and self._tell("state", state, tell)

    def _tell(self, key: object, message: dict[str, Any], tell: Callable[[str], bool]) -> bool:
        text = encode(message)
        if self._told.get(key) == text:
            return True
        if not tell(text):
            return False
        self._told[key] = text
        if isinstance(key, int):
            self._count = max(self._count, key + 1)
        return True


def turn_message(index: int, turn: Turn) -> dict[str, Any]:
    """One turn with what became of its words."""
    if turn.speaker is Speaker.CALLER:
        parts = [[turn.text[:_MAX_CHARS], "heard"]] if turn.text else []
        running = turn.end is None
    else:
        parts = _agent_parts(turn)
        running = not all(u.state.final for u in turn.utterances)
    return {"t": "turn", "n": index, "who": turn.speaker.value, "open": running, "parts": parts}


def _agent_parts(turn: Turn) -> list[list[str]]:
    parts: list[list[str]] = []
    left = _MAX_CHARS
    for utterance in turn.utterances:
        lost = "missed" if utterance.state.final else "ahead"
        pieces = [
            (utterance.text[s.start : s.end], "heard" if s.heard else lost)
            for s in utterance.all_spans()
        ]
        if parts and pieces:
            parts[-1][0] += " "
        for text, fate in pieces:
            if parts and parts[-1][1] == fate:
                parts[-1][0] += text[:left]
            elif text[:left]:
                parts.append([text[:left], fate])
            left = max(0, left - len(text))
    return parts


def encode(message: dict[str, Any]) -> str:
    """As it goes out."""
    return _encode(message).decode()
