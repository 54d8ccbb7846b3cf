"""What a call needs from its agent, ready to run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from mediacore.call import CallSettings
from mediacore.slots.driver import LlmDriver, SttDriver, TtsDriver, TurnDriver
from mediacore.slots.llm import ToolSpec

ToolFunction = Callable[[Mapping[str, object]], Awaitable[str]]
"""Takes the arguments object, gives the text that the model is told."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool and the code behind it."""

    spec: ToolSpec
    function: ToolFunction


@dataclass(frozen=True, slots=True)
class CallParts:
    """The providers behind drivers, and the rules of the call.

    system: the model's instructions. language, voice: as the synthesiser wants them. name: of
    the agent, for records.
    """

    stt: SttDriver
    llm: LlmDriver
    tts: TtsDriver
    turn: TurnDriver | None = None
    settings: CallSettings = field(default_factory=CallSettings)
    system: str = ""
    tools: Mapping[str, Tool] = field(default_factory=dict)
    language: str = "en-US"
    voice: str = ""
    name: str = "agent"
