"""A dialogue file in the place of a language model."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Final

from mediacore.dialogue import Dialogue, Exchange, replay
from mediacore.slots.llm import LlmEvent, LlmHangup, LlmInfo, LlmRequest, LlmText, Message

_PIECE: Final = re.compile(r"(?:\S+\s*){1,3}")


class DialogueLlm:
    """Answers from a stage graph; serves any number of calls, since nothing is kept.

    Each reply is worked out from the whole conversation: an interrupted answer counts as far as
    it was heard, an unheard one not at all. piece_delay_ms: between pieces of three words.
    """

    def __init__(self, dialogue: Dialogue, *, piece_delay_ms: int = 0) -> None:
        self._dialogue = dialogue
        self._piece_delay_ms = piece_delay_ms

    @property
    def info(self) -> LlmInfo:
        """Constant facts about this dialogue."""
        return LlmInfo(self._dialogue.name, tools=False)

    async def run(self, request: LlmRequest) -> AsyncIterator[LlmEvent]:
        """Answer one turn. Cancel by closing the returned iterator."""
        _, reply = replay(self._dialogue, exchanges(request.messages))
        for piece in _PIECE.findall(reply.text):
            yield LlmText(piece)
            await asyncio.sleep(self._piece_delay_ms / 1000)
        if reply.hangup:
            yield LlmHangup(reply.hangup)

    async def aclose(self) -> None:
        """Nothing is held."""


def exchanges(messages: Iterable[Message]) -> Iterator[Exchange]:
    """The caller's turns with what was heard before each.

    Caller entries with nothing heard between them are one turn.
    """
    heard: list[str] = []
    said: list[str] | None = None
    for message in messages:
        if message.role == "user":
            said = [*(said or ()), message.text]
        elif message.role == "assistant" and message.text.strip():
            if said is not None:
                yield Exchange(" ".join(heard), " ".join(said))
                heard, said = [], None
            heard.append(message.text)
    if said is not None:
        yield Exchange(" ".join(heard), " ".join(said))
