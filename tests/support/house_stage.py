"""A whole service behind every listener of a configuration file, opened as serve does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.signal import firwin, lfilter

from mediacore.providers.scripted import ScriptedStt, spoken_words
from mediacore.service import LINE_LEG, ServiceConfig
from mediacore.serving.config import read_config
from mediacore.serving.gateways import Media, open_house, switchboard
from mediacore.slots.audio import PcmBlock
from mediacore.slots.gateway import Gateway
from mediacore.slots.stt import Stt, SttEvent, SttInfo
from mediacore.slots.tts import Tts, TtsAudio, TtsEvent, TtsInfo, TtsRequest
from support.peers.speech import Samples
from support.service_sim import Stage

SRATE_HZ = 8000
MS_PER_CHAR = 45
_PIECE = SRATE_HZ // 5 * 2


def carpet(text: str) -> Samples:
    """How a text is spoken: its own noise, `MS_PER_CHAR` for each character, never silent, -1..1.

    Whatever stretch of it somebody recorded can be found, and where it broke off.
    """
    rng = np.random.default_rng(sum(text.encode()))
    count = len(text) * MS_PER_CHAR * SRATE_HZ // 1000
    band = lfilter(firwin(63, [300, 3000], pass_zero=False, fs=SRATE_HZ), 1, rng.normal(size=count))
    return np.asarray(np.clip(band * 0.25, -0.9, 0.9))


class CarpetTts:
    """A voice without gaps that knows its words' times."""

    info = TtsInfo("carpet", SRATE_HZ, word_times=True)

    async def run(self, request: TtsRequest) -> AsyncIterator[TtsEvent]:
        """Speak at once."""
        for word in spoken_words(request.text, MS_PER_CHAR):
            yield word
        pcm = (carpet(request.text) * 32767).astype("<i2").tobytes()
        for at in range(0, len(pcm), _PIECE):
            yield TtsAudio(pcm[at : at + _PIECE], SRATE_HZ)

    async def aclose(self) -> None:
        """Nothing is held."""


class EachStt:
    """Every call's stretches of speech are heard as `script`, from its beginning."""

    info = SttInfo("each", 16000)

    def __init__(self, script: Sequence[str]) -> None:
        self.script = tuple(script)

    async def run(self, audio: AsyncIterator[PcmBlock]) -> AsyncIterator[SttEvent]:
        """Recognise one call."""
        async for event in ScriptedStt(self.script).run(audio):
            yield event

    async def aclose(self) -> None:
        """Nothing is held."""


@dataclass
class HouseStage(Stage):
    """A Stage behind the listeners of a configuration. toml: without [service].

    ears, mouth: instead of the scripted recogniser and voice.
    """

    toml: str = ""
    ears: Stt | None = None
    mouth: Tts | None = None
    where: dict[str, str] = field(default_factory=dict)
    """Addresses by what the announcement calls them: "sip", "streams /twilio" …"""

    def _config(self) -> ServiceConfig:
        config = super()._config()
        if self.ears is not None:
            config = replace(config, stt=(self.ears,))
        if self.mouth is not None:
            config = replace(config, tts=(self.mouth,))
        return config

    def gateway(self) -> Gateway:
        """Every listener; whom it dials, too."""
        file = self.path / "mediacore.toml"
        file.write_text(self.toml)
        config = read_config(file, {}).gateways
        media = Media(self.hub.engine, LINE_LEG, lambda far: self.service.host.incoming(far))
        self.house = open_house(config, media)
        return switchboard(self.exchange, lambda to: False, self.house.dialer, config, "test")

    async def open(self, stack: AsyncExitStack) -> None:
        await stack.enter_async_context(self.house)
        for line in self.house.announcement():
            name, _, told = line.partition(": ")
            found = re.search(r"\S*127\.0\.0\.1:\d+(\S*)", told)
            assert found is not None, line
            path = found[1] if name == "streams" else ""
            self.where[f"{name} {path}".strip()] = found[0]

    def snapshot(self, section: str) -> Any:
        """Counters of a listener."""
        return self.house.snapshot()[section]
