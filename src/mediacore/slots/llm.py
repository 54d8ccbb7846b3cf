"""Language model slot, and anything else that answers a caller in text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class LlmInfo:
    """What a model offers."""

    name: str
    tools: bool = True


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A request by the model to run a tool. arguments: a JSON object, as text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the conversation as the model sees it.

    For role `assistant`, text is what the caller *heard*. For `tool`, tool_call_id names the call
    it answers.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool the model may call. parameters: JSON Schema of its arguments object."""

    name: str
    description: str
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LlmRequest:
    """One turn to answer."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    max_tokens: int = 400
    temperature: float = 0.3


@dataclass(frozen=True, slots=True)
class LlmText:
    """The next piece of the reply's text."""

    text: str


@dataclass(frozen=True, slots=True)
class LlmUsage:
    """Tokens spent by this request."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class LlmHangup:
    """The dialogue is over: hang up after the reply has been spoken."""

    reason: str = "completed"


LlmEvent = LlmText | ToolCall | LlmUsage | LlmHangup


class Llm(Protocol):
    """A model or a dialogue. `run` streams one reply."""

    @property
    def info(self) -> LlmInfo:
        """Constant facts about this model."""
        ...

    def run(self, request: LlmRequest) -> AsyncIterator[LlmEvent]:
        """Answer one turn. Cancel by closing the returned iterator."""
        ...

    async def aclose(self) -> None:
        """Release everything; idempotent."""
        ...
