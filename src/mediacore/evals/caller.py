"""A caller that speaks recordings over a leg of its own and listens like a person would.

It knows nothing of the agent but what comes over the wire: its own leg's speech detector tells
when the agent begins and ends to speak.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mediacore._core import Leg, Resampler
from mediacore.errors import MediaError
from mediacore.events import (
    LegClosed,
    MediaEvent,
    MediaLost,
    PlayoutStarted,
    SpeechEnded,
    SpeechStarted,
    UtteranceFinished,
)
from mediacore.media import LegConfig
from mediacore.session.hub import MediaHub
from mediacore.transports.files import AudioFile

AGENT_DONE_MS = 700  # silence after which the caller takes the agent to have finished
CALLER_LEG = LegConfig(vad_hangover_ms=AGENT_DONE_MS, media_lost_ms=2000, speech_ms=60_000)
"""What a caller's leg needs: a patient ear, and room for a whole recording."""


@dataclass(frozen=True, slots=True)
class Line:
    """One turn of the caller.

    barge_in_after_s: spoken so long after the agent began to speak; None: once it has finished.
    wait_s: if the agent stays silent so long, the caller speaks anyway.
    """

    audio: AudioFile
    barge_in_after_s: float | None = None
    wait_s: float = 15.0


def caller_leg(config: LegConfig) -> LegConfig:
    """`config` with what a caller's leg needs."""
    return replace(
        config,
        vad_hangover_ms=CALLER_LEG.vad_hangover_ms,
        media_lost_ms=CALLER_LEG.media_lost_ms,
        speech_ms=CALLER_LEG.speech_ms,
    )


class ScriptedCaller:
    """Speaks its lines in order, then stays on the line until the far end hangs up."""

    def __init__(self, hub: MediaHub, leg: Leg, lines: Sequence[Line]) -> None:
        self._hub = hub
        self._leg = leg
        self._lines = lines
        self._changed = asyncio.Event()
        self._agent_started = 0  # how often the agent began to speak
        self._agent_speaking = False
        self._my_voice = False
        self._gone = False
        self._utterance = 0
        self.spoken: list[int] = []  # samples of the leg's clock at which the lines began

    async def run(self) -> None:
        """Hold the conversation. Ends when the far end is gone; cancelling hangs up."""
        self._hub.attach(self._leg, self._on_event)
        try:
            heard = 0  # agent turns that were answered
            for line in self._lines:
                heard = await self._wait_turn(line, heard)
                if self._gone:
                    return
                await self._speak(line.audio)
            while not self._gone:
                await self._wait_change()
        finally:
            if not self._leg.closed:
                self._leg.close()
            self._hub.detach(self._leg)

    async def _wait_turn(self, line: Line, heard: int) -> int:
        """Wait for the moment to speak. Returns the number of agent turns begun by then."""
        try:
            async with asyncio.timeout(line.wait_s):
                while not self._gone and self._agent_started <= heard:
                    await self._wait_change()
                if line.barge_in_after_s is not None:
                    await asyncio.sleep(line.barge_in_after_s)
                    return self._agent_started
                while not self._gone and self._agent_speaking:
                    await self._wait_change()
        except TimeoutError:
            pass  # a person would speak up as well
        return self._agent_started

    async def _speak(self, audio: AudioFile) -> None:
        pcm = Resampler(audio.srate_hz, self._leg.srate_hz).run(audio.pcm)
        self._utterance += 1
        self._my_voice = True
        try:
            self._leg.begin(self._utterance, self._utterance)
            offset = 0
            while offset < len(pcm) // 2 and not self._gone:
                offset += self._leg.say(pcm, offset)
                if offset < len(pcm) // 2:
                    await asyncio.sleep(0.5)
            self._leg.end()
        except MediaError:
            if not self._gone:
                raise
        while self._my_voice and not self._gone:
            await self._wait_change()

    async def _wait_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _on_event(self, event: MediaEvent) -> None:
        match event:
            case SpeechStarted():
                self._agent_started += 1
                self._agent_speaking = True
            case SpeechEnded():
                self._agent_speaking = False
            case PlayoutStarted():
                self.spoken.append(event.at)
            case UtteranceFinished():
                self._my_voice = False
            case MediaLost() | LegClosed():
                self._gone = True
            case _:
                return
        self._changed.set()
