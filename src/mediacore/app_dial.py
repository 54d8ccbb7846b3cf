"""Placing one SIP call from the command line: where to call from, and telling what happens."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from mediacore._core import Engine, Leg
from mediacore.call.record import TransportFacts
from mediacore.control.selfsigned import make_self_signed
from mediacore.errors import ConfigError
from mediacore.media import LegConfig
from mediacore.policy.numbering import is_number, plain_number
from mediacore.serving.config import read_config
from mediacore.slots.gateway import (
    DialOut,
    FarLine,
    LineEnd,
    LineFailedError,
    Party,
    Referable,
    Referral,
)
from mediacore.transports.sip.agent import SipAgent
from mediacore.transports.sip.config import SipBind
from mediacore.transports.sip.settings import SipConfig
from mediacore.web.hosts import is_loopback
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.uri import SipUri

Tell = Callable[[str], None]
"""Takes one line about what happens."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Whom to call, and how.

    target: a SIP address, or a number for the trunk of `config`. host: numeric address to call
    from, "" = the one that leads there. username, password: asked for by the far side.
    """

    target: str
    config: Path | None = None
    host: str = ""
    from_number: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    codecs: tuple[str, ...] = ()
    ring_s: float = 60.0

    def dial_out(self) -> DialOut:
        """As gateways take it."""
        number = plain_number(self.target)
        sip = self.target.lower().startswith(("sip:", "sips:"))
        if not sip and not is_number(number):
            raise ConfigError(f"{self.target!r} is neither a SIP address nor a number")
        return DialOut(
            "sip" if sip else "phone",
            self.target if sip else number,
            self.from_number,
            codecs=self.codecs,
            timeout_ms=round(self.ring_s * 1000),
            username=self.username,
            password=self.password,
        )


class ToldLine:
    """A line that tells what becomes of it. end: why it is over, once it is."""

    def __init__(self, line: FarLine, tell: Tell) -> None:
        self._line = line
        self._tell = tell
        self.answered = False
        self.end: LineEnd | None = None
        self.over = asyncio.Event()

    @property
    def party(self) -> Party:
        """See FarLine."""
        return self._line.party

    @property
    def transport(self) -> TransportFacts:
        """See FarLine."""
        return self._line.transport

    async def connect(self, on_ringing: Callable[[], None]) -> Leg:
        """See FarLine."""

        def ringing() -> None:
            self._tell("ringing")
            on_ringing()

        self._tell(f"calling {self.party.to_number}")
        try:
            leg = await self._line.connect(ringing)
        except LineFailedError as error:
            self._over(error.reason, str(error))
            raise
        self.answered = True
        facts = self.transport
        self._tell(f"answered: {facts.codec}, {facts.local} to {facts.remote}")
        return leg

    async def hangup(self, reason: LineEnd) -> None:
        """See FarLine."""
        self._over(reason)
        await self._line.hangup(reason)

    async def wait_gone(self) -> LineEnd:
        """See FarLine."""
        reason = await self._line.wait_gone()
        self._over(reason)
        return reason

    def far_delay_ms(self) -> int | None:
        """See FarLine."""
        return self._line.far_delay_ms()

    async def refer(self, to_uri: str) -> Referral:
        """See Referable."""
        if isinstance(self._line, Referable):
            return await self._line.refer(to_uri)
        return Referral(501)  # Not Implemented

    def _over(self, reason: LineEnd, detail: str = "") -> None:
        if self.end is None:
            self.end = reason
            self.over.set()
            more = f": {detail}" if detail and detail != reason.value else ""
            self._tell(f"over: {reason.value}{more}")


@asynccontextmanager
async def open_line(
    to: Destination, engine: Engine, leg: LegConfig, tell: Tell
) -> AsyncIterator[ToldLine]:
    """A line to the destination, not dialled yet. Nobody can call us on it."""
    destination = to.dial_out()
    refused: set[asyncio.Task[None]] = set()

    def refuse(far: FarLine) -> None:
        task = asyncio.ensure_future(far.hangup(LineEnd.DECLINE))
        refused.add(task)
        task.add_done_callback(refused.discard)

    with TemporaryDirectory() as folder:
        agent = SipAgent(
            await asyncio.to_thread(_config, to, destination, Path(folder)),
            engine,
            leg,
            on_incoming=refuse,
            seed=lambda: secrets.randbits(62),
        )
        await agent.start()
        try:
            yield ToldLine(agent.dial(destination), tell)
        finally:
            await agent.aclose()


def _config(to: Destination, destination: DialOut, folder: Path) -> SipConfig:
    """Settings for one call: the file's, on ports of our own, or made for the target."""
    if to.config is not None:
        given = read_config(to.config).gateways.sip
        if given is None:
            raise ConfigError(f"{to.config}: there is no [sip] to call with")
        binds = tuple(replace(bind, port=0) for bind in given.binds)
        return replace(given, binds=binds, registrations=())
    if destination.kind != "sip":
        raise ConfigError("a number needs --config with a [sip.trunk]")
    try:
        uri = SipUri.parse(destination.to_number)
    except SipError as error:
        raise ConfigError(f"{to.target}: {error}") from None
    there = _resolve(*uri.address)
    here = to.host or _local_address(there)
    certificate = key = None
    if uri.transport == "TLS":
        files = make_self_signed(folder)
        certificate, key = files.cert, files.key
    sources = () if is_loopback(here) else (there[0],)
    return SipConfig(
        binds=(SipBind(uri.transport, here, 0),),
        certificate=certificate,
        key=key,
        media_host=here,
        sources=sources,
    )


def _resolve(host: str, port: int) -> tuple[str, int]:
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise ConfigError(f"cannot find {host}: {error.strerror or error}") from None
    return str(found[0][4][0]), port


def _local_address(there: tuple[str, int]) -> str:
    """Our address on the way to a numeric one; nothing is sent."""
    family = socket.AF_INET6 if ":" in there[0] else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(there)
            return str(probe.getsockname()[0])
    except OSError as error:
        raise ConfigError(f"no way to {there[0]}: {error.strerror}") from None
