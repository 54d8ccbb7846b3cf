"""The public face: an engine that takes calls, and the calls.

async with Engine() as engine:
    call = await engine.call(RtpTransport(remote=("127.0.0.1", 4000)), agent)
    record = await call.wait_ended()
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from mediacore import _core
from mediacore.agent import Agent
from mediacore.call import CallState
from mediacore.call.live import LiveModel
from mediacore.call.record import AUDIO_FILE, CallRecord, TransportFacts
from mediacore.errors import ConfigError, MediacoreError
from mediacore.media import Tap
from mediacore.recording import WavSink
from mediacore.session.hub import MediaHub
from mediacore.session.owner import CallOptions, CallOwner
from mediacore.session.parts import CallParts
from mediacore.store.records import StoreError, write_record
from mediacore.transports.rtp import RtpTransport, open_rtp
from mediacore.units import TICK_MS

log = logging.getLogger("mediacore.engine")
_TAP_MS = 1500  # a loop that is a second late loses no audio
_BUDGET_SLACK_MS = 60_000  # the leg's own limit, beyond what the call's rules allow


class Call:
    """One running call."""

    def __init__(self, call_id: str, local: tuple[str, int], owner: CallOwner) -> None:
        self.call_id = call_id
        self.local = local
        self._owner = owner
        self._record: asyncio.Future[CallRecord] = asyncio.get_running_loop().create_future()

    @property
    def state(self) -> CallState:
        """The call's state as of its last event."""
        return self._owner.state

    def hangup(self, reason: str = "requested") -> None:
        """End the call; the record follows."""
        self._owner.hangup(reason)

    async def wait_ended(self) -> CallRecord:
        """Wait for the end. Cancelling stops the waiting, not the call."""
        return await asyncio.shield(self._record)


class Engine:
    """One media thread and one event loop, with many calls. An async context manager.

    max_calls: calls at once; one more is refused. realtime: ask for a real-time priority of the
    media thread (needs the right to it; without it the engine runs all the same). Leaving the
    context hangs up every call and waits for its record.
    """

    def __init__(self, *, max_calls: int = 256, realtime: bool = False) -> None:
        self._max_calls = max_calls
        self._realtime = realtime
        self._hub: MediaHub | None = None
        self._group: asyncio.TaskGroup | None = None
        self._parts: dict[int, tuple[Agent, CallParts]] = {}
        self._calls: dict[str, Call] = {}

    @property
    def hub(self) -> MediaHub:
        """The engine's events, for legs that are not calls. ConfigError outside the context."""
        if self._hub is None:
            raise ConfigError("the engine is not running: use `async with Engine()`")
        return self._hub

    @property
    def calls(self) -> tuple[Call, ...]:
        """Calls that run now."""
        return tuple(self._calls.values())

    async def __aenter__(self) -> Self:
        self._hub = MediaHub(_core.Engine(max_legs=2 * self._max_calls))
        self._hub.start(realtime=self._realtime)
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for call in self.calls:
            call.hangup("shutdown")
        hub, group = self._hub, self._group
        assert hub is not None and group is not None
        try:
            # Without the body's exception: it goes to the caller as it is, not in a group.
            await group.__aexit__(None, None, None)
        finally:
            hub.stop()
            hub.engine.close()
            self._hub = self._group = None

    async def call(
        self,
        transport: RtpTransport,
        agent: Agent,
        *,
        call_id: str = "",
        directory: Path | None = None,
        on_live: Callable[[LiveModel], None] | None = None,
    ) -> Call:
        """Open the leg and let the agent take the call.

        call_id: for logs and records, made up when empty. directory: call.json and call.wav go
        there; a disk that fails is told in the record, the call goes on. Raises ConfigError when
        the address cannot be bound or max_calls run already.
        """
        hub, group = self.hub, self._group
        assert group is not None
        if len(self._calls) >= self._max_calls:
            raise ConfigError(f"{self._max_calls} calls run already; raise Engine(max_calls=…)")
        if transport.codec.lower() == "opus":
            _core.opus_load()
        call_id = call_id or secrets.token_hex(8)
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
        limit_ms = agent.settings.max_call_ms
        config = replace(
            transport.leg,
            taps=transport.leg.taps | Tap.RX | Tap.RECORD | Tap.NOTES,
            tap_ms=max(transport.leg.tap_ms, _TAP_MS),
            budget_ticks=(limit_ms + _BUDGET_SLACK_MS) // TICK_MS if limit_ms else 0,
        )
        leg, local = open_rtp(hub.engine, replace(transport, leg=config), seed=secrets.randbits(63))
        facts = TransportFacts(
            kind="rtp",
            codec=transport.codec,
            payload_type=transport.payload_type,
            ptime_ms=transport.ptime_ms,
            local=_address(local),
            remote=_address(transport.remote),
        )
        audio = WavSink(directory / AUDIO_FILE, leg.srate_hz) if directory is not None else None
        options = CallOptions(call_id, datetime.now(UTC), facts, audio, agent.name)
        owner = CallOwner(hub, leg, self._parts_of(agent), options, _core.now_us, on_live)
        call = Call(call_id, local, owner)
        self._calls[call_id] = call
        group.create_task(self._run(call, owner, directory))
        return call

    def _parts_of(self, agent: Agent) -> CallParts:
        known = self._parts.get(id(agent))
        if known is None:
            known = self._parts[id(agent)] = (agent, agent.parts(_core.now_us))
        return known[1]

    async def _run(self, call: Call, owner: CallOwner, directory: Path | None) -> None:
        """One call to its end. What fails in it must not touch the others."""
        try:
            record = await owner.run()
            if directory is not None:
                record = await asyncio.to_thread(_store, record, directory)
            call._record.set_result(record)
        except Exception as error:
            log.exception("call failed", extra={"call": call.call_id})
            failure = MediacoreError(f"call {call.call_id} failed: {type(error).__name__}")
            call._record.set_exception(failure)
            call._record.exception()  # nobody has to ask for it
        finally:
            self._calls.pop(call.call_id, None)
            if not call._record.done():
                call._record.cancel()


def _store(record: CallRecord, directory: Path) -> CallRecord:
    try:
        write_record(record, directory)
    except StoreError as error:
        log.error("record not stored", extra={"call": record.call_id})
        return replace(record, lost=(*record.lost, str(error)))
    return record


def _address(address: tuple[str, int] | None) -> str:
    return "" if address is None else f"{address[0]}:{address[1]}"
