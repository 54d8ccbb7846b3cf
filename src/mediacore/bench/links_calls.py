"""The measured process of call set-up: SIP calls that begin and end as soon as they can.

Reads one line of JSON from stdin, `CallsOrder`; writes its port as one line, takes or makes the
calls, and writes `CallsReport` as another. With `service` every call is run by a document
(inbound: answers and hangs up) or a controller (outbound: hangs up when answered), and recorded.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

from mediacore._core import Engine, Leg
from mediacore.bench.links_agent import Stopwatch
from mediacore.bench.links_sip import HOST, link_config
from mediacore.call.record import CallRecord
from mediacore.errors import MediacoreError
from mediacore.events import LegClosed, MediaEvent
from mediacore.providers.scripted import ScriptedStt, ScriptedTts
from mediacore.runtime.ports import Answer, Command, Published
from mediacore.service import LINE_LEG, Service, ServiceConfig
from mediacore.session.hub import MediaHub
from mediacore.slots.gateway import DialOut, FarLine, LineEnd, LineFailedError
from mediacore.transports.sip.agent import SipAgent

_MAX_CALLS: Final = 200
_DEADLINE_S: Final = 120
_DOCUMENT: Final = {"version": "1.0.0", "sections": {"main": [{"answer": {}}, {"hangup": {}}]}}
_PERMISSIONS: Final = frozenset({"read", "control", "dial"})


@dataclass(frozen=True, slots=True)
class CallsOrder:
    """service: the whole service instead of the user agent alone. port: whom to call, 0 = wait for
    calls. warm: calls before those that are measured. calls: measured. per_s: begun each second
    (outbound), 0 = as fast as they end. at_once: at most so many (outbound). pinned: on one core.
    """

    service: bool
    port: int
    warm: int
    calls: int
    per_s: float = 0.0
    at_once: int = 1
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class CallsReport:
    """Over the measured calls."""

    cpu_s: float
    wall_s: float
    failed: int


class _Tally:
    """Counts calls and measures the time of those that count."""

    def __init__(self, order: CallsOrder) -> None:
        self._order = order
        self._watch: Stopwatch | None = None
        self.done = 0
        self.failed = 0
        self.spent = (0.0, 0.0)
        self.all = asyncio.Event()

    def over(self) -> None:
        """A call is over."""
        order = self._order
        self.done += 1
        if self.done == order.warm:
            self._watch = Stopwatch()
        elif self.done == order.warm + order.calls:
            assert self._watch is not None
            self.spent = self._watch.read()
            self.all.set()


class _Caller(Protocol):
    """Whoever is called, and calls."""

    port: int

    async def call(self, port: int) -> None:
        """One call to a far end, from dialling to its end."""
        ...


class _Alone:
    """The user agent with the least around it that a host must do."""

    def __init__(self, tally: _Tally, group: asyncio.TaskGroup) -> None:
        self._tally = tally
        self._group = group
        self._hub: MediaHub
        self._agent: SipAgent
        self.port = 0

    async def open(self, stack: AsyncExitStack) -> None:
        """Listen."""
        self._hub = hub = MediaHub(Engine(max_legs=_MAX_CALLS, event_slots=32768))
        stack.callback(hub.engine.close)
        hub.start(realtime=True)
        stack.callback(hub.stop)
        seeds = count(1, 7919)
        self._agent = SipAgent(
            link_config("sip"),
            hub.engine,
            LINE_LEG,
            on_incoming=self._ring,
            seed=lambda: next(seeds),
        )
        await self._agent.start()
        stack.push_async_callback(self._agent.aclose)
        self.port = self._agent.addresses[0][2]

    def _ring(self, far: FarLine) -> None:
        self._group.create_task(self._answer(far))

    async def _answer(self, far: FarLine) -> None:
        try:
            leg = await far.connect(lambda: None)
            await far.wait_gone()
            self._release(leg)
        except LineFailedError:
            self._tally.failed += 1
        self._tally.over()

    async def call(self, port: int) -> None:
        """See _Caller."""
        far = self._agent.dial(DialOut("sip", f"sip:far@{HOST}:{port}"))
        try:
            leg = await far.connect(lambda: None)
            await far.hangup(LineEnd.HANGUP)
            self._release(leg)
        except LineFailedError:
            self._tally.failed += 1
        self._tally.over()

    def _release(self, leg: Leg) -> None:
        def on_event(event: MediaEvent) -> None:
            if isinstance(event, LegClosed):
                self._hub.detach(leg)
                leg.free()

        self._hub.attach(leg, on_event)
        try:
            leg.close()
        except MediacoreError:
            self._tally.failed += 1


class _Served:
    """The whole service behind a user agent."""

    def __init__(self, tally: _Tally) -> None:
        self._tally = tally
        self._service: Service
        self._ends: dict[str, asyncio.Future[None]] = {}
        self._tags = count(1)
        self.port = 0

    async def open(self, stack: AsyncExitStack) -> None:
        """Listen."""
        folder = Path(stack.enter_context(TemporaryDirectory()))
        document = folder / "document.json"
        document.write_text(json.dumps(_DOCUMENT), encoding="utf-8")
        self._service = service = Service(
            ServiceConfig(
                (ScriptedStt([]),),
                (ScriptedTts(),),
                document=str(document),
                records=folder / "calls",
                max_calls=_MAX_CALLS,
            )
        )
        seeds = count(1, 7919)
        agent = SipAgent(
            link_config("sip"),
            service.open_hub().engine,
            LINE_LEG,
            on_incoming=self._ring,
            seed=lambda: next(seeds),
        )
        service.use_gateway(agent)
        service.on_record(self._recorded)
        await stack.enter_async_context(service)
        await agent.start()
        stack.push_async_callback(agent.aclose)
        service.host.subscribe(self._published)
        self.port = agent.addresses[0][2]

    def _ring(self, far: FarLine) -> None:
        self._service.host.incoming(far)

    async def call(self, port: int) -> None:
        """See _Caller."""
        tag = f"t{next(self._tags)}"
        over = self._ends[tag] = asyncio.get_running_loop().create_future()
        device = {"type": "sip", "params": {"from": "sip:us@bench", "to": f"sip:far@{HOST}:{port}"}}
        self._command("dial", "", {"tag": tag, "devices": [[device]]})
        await over

    def _command(self, method: str, call_id: str, params: dict[str, object]) -> None:
        command = Command("bench", "", _PERMISSIONS, method, call_id, params)
        self._service.host.submit(command, self._answered)

    def _answered(self, answer: Answer) -> None:
        if answer.code != "200":
            raise RuntimeError(f"a command was refused: {answer.code} {answer.message}")

    def _published(self, event: Published) -> None:
        if event.event_type != "calling.call.dial":
            return
        if event.params["dial_state"] == "answered":
            self._command("end", event.call_id, {})
        elif event.params["dial_state"] == "failed":
            self._tally.failed += 1

    def _recorded(self, record: CallRecord) -> None:
        self._tally.over()
        if self._ends:
            self._ends.pop(next(iter(self._ends))).set_result(None)


async def serve(order: CallsOrder, tell: Callable[[int], None]) -> CallsReport:
    """Take or make the calls and measure. tell: gets the port."""
    tally = _Tally(order)
    async with asyncio.timeout(_DEADLINE_S), AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        caller: _Alone | _Served = _Served(tally) if order.service else _Alone(tally, group)
        await caller.open(stack)
        tell(caller.port)
        if order.port:
            await _call(order, caller, group)
        await tally.all.wait()
    return CallsReport(*tally.spent, tally.failed)


async def _call(order: CallsOrder, caller: _Caller, group: asyncio.TaskGroup) -> None:
    """Begin all calls."""
    room = asyncio.Semaphore(order.at_once)
    loop = asyncio.get_running_loop()
    due = loop.time()

    async def one() -> None:
        try:
            await caller.call(order.port)
        finally:
            room.release()

    for _ in range(order.warm + order.calls):
        await room.acquire()
        group.create_task(one())
        if order.per_s:
            due += 1 / order.per_s
            await asyncio.sleep(max(due - loop.time(), 0))


def main() -> None:
    """Serve one order."""
    order = CallsOrder(**json.loads(sys.stdin.readline()))
    if order.pinned and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    report = asyncio.run(serve(order, lambda port: print(port, flush=True)))
    print(json.dumps(asdict(report)), flush=True)


if __name__ == "__main__":
    main()
