"""A service behind Asterisk, configured by the file that docs/asterisk.md shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mediacore.call.record import CallRecord
from mediacore.service import LINE_LEG
from mediacore.serving.config import read_config
from mediacore.serving.gateways import Media, open_house, switchboard
from mediacore.slots.gateway import Gateway
from support.peers.asterisk import Asterisk, guide
from support.peers.baresip import Baresip
from support.peers.speech import Samples, write_wav
from support.phone_calls import WELCOME, document, welcome
from support.service_sim import Stage
from support.sip_stage import blocking

CONFIG = "mediacore.toml"


@dataclass
class AsteriskStage(Stage):
    """A Stage whose calls come through Asterisk, and go out through it."""

    asterisk: Asterisk | None = None

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

    def snapshot(self, section: str) -> Any:
        """Counters of a listener."""
        return self.house.snapshot()[section]

    async def record_of(self, kind: str) -> CallRecord:
        """The first record of a call that came this way."""
        await self.until(lambda: kind in self._records())
        return self._records()[kind]

    def _records(self) -> dict[str, CallRecord]:
        return {record.transport.kind: record for record in reversed(self.records)}


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
            while left := await blocking(asterisk.channels):
                await asyncio.sleep(0.1)
        assert not left


async def call(asterisk: Asterisk, extension: str, *phones: Baresip) -> None:
    """Phones dial an extension of Asterisk and wait until they are through."""

    def work(phone: Baresip) -> None:
        phone.dial(asterisk.uri(extension))
        phone.expect("CALL_ESTABLISHED")

    await asyncio.gather(*(blocking(lambda p=phone: work(p)) for phone in phones))
