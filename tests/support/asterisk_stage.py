"""A service behind Asterisk, configured by the file that docs/asterisk.md shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mediacore.providers.scripted import Heard, ScriptedStt
from mediacore.runtime.ports import Answer, Command
from mediacore.service import LINE_LEG, ServiceConfig
from mediacore.serving.config import read_config
from mediacore.serving.gateways import Media, open_house, switchboard
from mediacore.slots.audio import PcmBlock
from mediacore.slots.gateway import Gateway
from mediacore.slots.stt import SttEvent
from support.peers.asterisk import Asterisk, guide
from support.peers.baresip import Baresip
from support.peers.speech import Samples, write_wav
from support.phone_calls import WELCOME, document, welcome
from support.service_sim import PROJECT, Stage
from support.sip_stage import blocking

CONFIG = "mediacore.toml"


class EachStt:
    """A recogniser that hears the same in every call."""

    def __init__(self, heard: Sequence[Heard | str]) -> None:
        self._heard = heard
        self.info = ScriptedStt(()).info

    def run(self, audio: AsyncIterator[PcmBlock]) -> AsyncIterator[SttEvent]:
        return ScriptedStt(self._heard).run(audio)

    async def aclose(self) -> None:
        """Nothing is held."""


@dataclass
class AsteriskStage(Stage):
    """A Stage whose calls come through Asterisk, and go out through it."""

    asterisk: Asterisk | None = None

    def _config(self) -> ServiceConfig:
        return replace(super()._config(), stt=(EachStt(self.stt),))

    def gateway(self) -> Gateway:
        """Every listener of the guide's configuration; whom it dials, too."""
        assert self.asterisk is not None
        file = self.path / CONFIG
        file.write_text(self.asterisk.ports.into(guide()[CONFIG]))
        config = read_config(file, {}).gateways
        media = Media(self.hub.engine, LINE_LEG, lambda far: self.service.host.incoming(far))
        self.house = open_house(config, media)
        return switchboard(self.exchange, lambda to: False, self.house.dialer, config, "test")

    async def open(self, stack: AsyncExitStack) -> None:
        await stack.enter_async_context(self.house)

    def told(self) -> list[dict[str, Any]]:
        """What documents said by `user_event`."""
        return [dict(params["event"]) for params in self.of("user_event")]

    def snapshot(self, section: str) -> Any:
        """Counters of a listener."""
        return self.house.snapshot()[section]


@asynccontextmanager
async def behind(
    asterisk: Asterisk, path: Path, *statements: object, sound: Samples | None = None, **more: Any
) -> AsyncIterator[AsteriskStage]:
    """A service that does this with every call. In the end nothing of the calls may be left, here
    or there."""
    write_wav(path / WELCOME, welcome() if sound is None else sound)
    options = {"sounds": path, **more.pop("options", {})}
    built = AsteriskStage(
        path, document=document(*statements), options=options, asterisk=asterisk, **more
    )
    async with built:
        yield built
        await built.until(lambda: not built.service.host.calls)
        async with asyncio.timeout(10):
            while left := await blocking(asterisk.channels):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert not left


async def command(stage: Stage, method: str, params: Mapping[str, object], line: str = "") -> None:
    """What a controller would ask for."""
    answers: asyncio.Queue[Answer] = asyncio.Queue()
    rights = frozenset({"read", "control", "dial"})
    asked = Command("session", PROJECT, rights, method, line, params)
    stage.service.host.submit(asked, answers.put_nowait)
    answer = await asyncio.wait_for(answers.get(), 5)
    assert answer.code == "200", answer


async def each_of(phones: Mapping[str, Baresip], work: Callable[[Baresip], object]) -> None:
    """Let phones do something at the same time."""
    await asyncio.gather(*(blocking(partial(work, phone)) for phone in phones.values()))


async def call(asterisk: Asterisk, extension: str, *phones: Baresip) -> None:
    """Phones dial an extension of Asterisk and wait until they are through."""

    def work(phone: Baresip) -> None:
        phone.dial(asterisk.uri(extension))
        phone.expect("CALL_ESTABLISHED")

    await asyncio.gather(*(blocking(partial(work, phone)) for phone in phones))
