"""A dialogue file in the place of a language model."""

from __future__ import annotations

from collections.abc import AsyncIterator

from mediacore.slots.llm import LlmEvent, LlmHangup, LlmInfo, LlmRequest, LlmText
from mediacore.stages import Script, reply_to


class DialogueLlm:
    """Answers from a script; keeps nothing between requests, so one serves all calls."""

    def __init__(self, script: Script) -> None:
        self._script = script

    @property
    def info(self) -> LlmInfo:
        """Constant facts about this dialogue."""
        return LlmInfo(f"dialogue: {self._script.name}", tools=False)

    async def run(self, request: LlmRequest) -> AsyncIterator[LlmEvent]:
        """The script's reply, word by word like any streamed reply."""
        said = [m.text for m in request.messages if m.role == "user"]
        reply = reply_to(self._script, said)
        for word in reply.text.split():
            yield LlmText(f"{word} ")
        if reply.hangup:
            yield LlmHangup("completed")

    async def aclose(self) -> None:
        """Nothing to release."""
