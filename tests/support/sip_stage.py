"""A whole service that SIP phones call, and that calls them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from mediacore.service import LINE_LEG
from mediacore.slots.gateway import Gateway
from mediacore.transports.sip.agent import SipAgent
from mediacore.transports.sip.config import SipBind
from mediacore.transports.sip.settings import SipConfig
from support.service_sim import Stage

T = TypeVar("T")
HOST = "127.0.0.1"


@dataclass
class SipStage(Stage):
    """A Stage behind a SIP user agent. sip: its settings; a UDP listener on any port by default."""

    sip: SipConfig = field(default_factory=lambda: SipConfig(binds=(SipBind("UDP", port=0),)))

    def gateway(self) -> Gateway:
        """The user agent, in place of the exchange."""
        rng = Random(7)
        self.agent = SipAgent(
            self.sip,
            self.hub.engine,
            LINE_LEG,
            on_incoming=lambda far: self.service.host.incoming(far),
            seed=lambda: rng.getrandbits(62),
        )
        return self.agent

    async def open(self, stack: AsyncExitStack) -> None:
        await self.agent.start()
        stack.push_async_callback(self.agent.aclose)

    def port(self, transport: str = "UDP") -> int:
        """Where it listens."""
        return next(port for name, _, port in self.agent.addresses if name == transport)

    def uri(self, user: str = "agent") -> str:
        return f"sip:{user}@{HOST}:{self.port()}"


async def blocking(work: Callable[[], T], seconds: float = 60) -> T:
    """Let a phone that blocks do something, in a thread."""
    async with asyncio.timeout(seconds):
        return await asyncio.to_thread(work)
