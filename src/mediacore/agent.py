"""An agent: providers, instructions and rules, shared by all calls that it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from mediacore.call import CallSettings
from mediacore.dialogue import load_dialogue
from mediacore.providers.dialogue import DialogueLlm
from mediacore.providers.hibari import HibariTts
from mediacore.providers.whisper import WhisperStt
from mediacore.session.parts import CallParts, Tool
from mediacore.slots.driver import Closable, LlmDriver, SttDriver, TtsDriver, TurnDriver
from mediacore.slots.llm import Llm
from mediacore.slots.policy import LlmPolicy, SttPolicy, TtsPolicy
from mediacore.slots.report import Clock
from mediacore.slots.stt import Stt
from mediacore.slots.tts import Tts
from mediacore.slots.turn import TurnDetector


@runtime_checkable
class Prewarmed(Protocol):
    """A provider that can load ahead of its first use."""

    async def prewarm(self) -> None:
        """Be ready."""
        ...


@dataclass(frozen=True, slots=True)
class Agent:
    """What answers a call.

    stt, llm, tts: providers in order of preference; the later ones are fallbacks. greeting: the
    first words, empty for none. instructions: the model's system prompt. settings: turn-taking,
    interruption, deadlines and limits; its greeting is replaced by `greeting` when that is set.
    """

    stt: tuple[Stt, ...]
    llm: tuple[Llm, ...]
    tts: tuple[Tts, ...]
    name: str = "agent"
    greeting: str = ""
    instructions: str = ""
    turn_detector: TurnDetector | None = None
    tools: Mapping[str, Tool] = field(default_factory=dict)
    settings: CallSettings = field(default_factory=CallSettings)
    stt_policy: SttPolicy = field(default_factory=SttPolicy)
    llm_policy: LlmPolicy = field(default_factory=LlmPolicy)
    tts_policy: TtsPolicy = field(default_factory=TtsPolicy)
    language: str = "en-US"
    voice: str = ""

    def parts(self, clock_us: Clock) -> CallParts:
        """The providers behind drivers; once per process, so that calls share circuit breakers."""
        return CallParts(
            stt=SttDriver(self.stt, clock_us, self.stt_policy),
            llm=LlmDriver(self.llm, clock_us, self.llm_policy),
            tts=TtsDriver(self.tts, clock_us, self.tts_policy),
            turn=TurnDriver(self.turn_detector, clock_us) if self.turn_detector else None,
            settings=replace(self.settings, greeting=self.greeting or self.settings.greeting),
            system=self.instructions,
            tools=self.tools,
            language=self.language,
            voice=self.voice,
            name=self.name,
        )

    async def prewarm(self) -> None:
        """Load embedded models now instead of in the first call."""
        async with asyncio.TaskGroup() as group:
            for provider in (*self.stt, *self.llm, *self.tts):
                if isinstance(provider, Prewarmed):
                    group.create_task(provider.prewarm())

    async def aclose(self) -> None:
        """Close all providers; idempotent."""
        providers: tuple[Closable, ...] = (*self.stt, *self.llm, *self.tts)
        for provider in providers:
            await provider.aclose()
        if self.turn_detector is not None:
            await self.turn_detector.aclose()

    @classmethod
    def default(cls, dialogue: Path | None = None) -> Agent:
        """The embedded agent: offline recognition and voice, a dialogue file for a model.

        dialogue: a stage graph in YAML, None = the order line that comes with the package. Needs
        the extra `local`; raises MissingDependencyError with the command that adds it.
        """
        script = load_dialogue(dialogue)
        return cls(
            name=script.name,
            greeting=script.greeting,
            stt=(WhisperStt(),),
            llm=(DialogueLlm(script),),
            tts=(HibariTts(),),
        )
