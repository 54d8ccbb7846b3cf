"""All calls of a process: incoming ones from gateways, outgoing ones from controllers.

It owns no state of a call; it only knows which call a line belongs to, and who wants to be told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mediacore.call.record import AUDIO_FILE, CallRecord
from mediacore.errors import MediacoreError
from mediacore.flow.document import Document
from mediacore.policy.budget import Account, Budget, Scope
from mediacore.runtime.inputs import CommandReceived, ControllerGone
from mediacore.runtime.ports import Answer, Command, Published
from mediacore.runtime.state import Line, RunState
from mediacore.runtime.step import incoming, outgoing
from mediacore.session.aftercall import AfterCall
from mediacore.session.purse import Purse
from mediacore.session.recorder import StereoSink
from mediacore.session.runner import CallRunner
from mediacore.session.services import LogBook, NoLogBook, Services
from mediacore.session.uncancelled import to_the_end
from mediacore.slots.gateway import FarLine, LineEnd

log = logging.getLogger("mediacore.session")
OpenAudio = Callable[[Path, int], StereoSink]
Stored = Callable[[CallRecord, Path], None]
Journal = Callable[[str, str, Mapping[str, object]], None]


_STATE = "calling.call.state"


def _no_journal(call_id: str, event: str, facts: Mapping[str, object]) -> None:
    """Nothing is kept."""


@dataclass(frozen=True, slots=True)
class HostStats:
    """calls: running now. refused: since the start, for want of room or while draining."""

    calls: int
    refused: int


class _Unkept:
    """In place of the audio of a call that has no directory: the record tells of it."""

    def put(self, at: int, pcm: bytes) -> None:
        """See StereoSink."""

    def close(self) -> str:
        """See StereoSink."""
        return "recording: there is no directory for the call"


class Host:
    """Runs calls; a `runtime.ports.CallHost`. Use inside `async with`.

    document: what incoming calls get; None = they wait for a controller of their context.
    stored: called in a thread with each record and its directory; open_audio: gives the sink for
    a call's audio of some rate. on_record: called on the loop. journal: told of a call's "start",
    "answer" and "end"; a call that has started and not ended, and left no record, was lost with
    its process. runner: what owns a call, for measurements.
    """

    def __init__(
        self,
        services: Services,
        *,
        document: Callable[[FarLine], Document | None] = lambda far: None,
        max_calls: int = 256,
        decisions: Callable[[str], LogBook] = lambda call_id: NoLogBook(),
        after: AfterCall | None = None,
        stored: Stored | None = None,
        open_audio: OpenAudio | None = None,
        on_record: Callable[[CallRecord], None] = lambda record: None,
        journal: Journal = _no_journal,
        runner: type[CallRunner] = CallRunner,
    ) -> None:
        self._services = services
        self._document = document
        self._max_calls = max_calls
        self._decisions = decisions
        self._after = after
        self._stored = stored
        self._open_audio = open_audio
        self._on_record = on_record
        self._journal = journal
        self._runner = runner
        self._idle = asyncio.Event()
        self._idle.set()
        self._refused = 0
        self._group: asyncio.TaskGroup | None = None
        self._calls: dict[str, CallRunner] = {}
        self._lines: dict[str, CallRunner] = {}
        self._listeners: list[Callable[[Published], None]] = []
        self._draining = False

    async def __aenter__(self) -> Host:
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._draining = True
        for runner in self.calls:
            runner.hangup("shutdown")
        group, self._group = self._group, None
        assert group is not None
        await group.__aexit__(None, None, None)

    @property
    def calls(self) -> tuple[CallRunner, ...]:
        """Calls that run now."""
        return tuple(self._calls.values())

    def snapshot(self) -> HostStats:
        """Counters."""
        return HostStats(len(self._calls), self._refused)

    async def drain(self, limit_s: float) -> int:
        """Take no more calls and wait for those that run; after `limit_s` the rest is hung up with
        the reason "shutdown". Returns how many that were. Commands to running calls go on."""
        self._draining = True
        try:
            async with asyncio.timeout(limit_s):
                await self._idle.wait()
        except TimeoutError:
            left = self.calls
            log.warning("draining took too long", extra={"calls": len(left)})
            for runner in left:
                runner.hangup("shutdown")
            await self._idle.wait()
            return len(left)
        return 0

    # -- calls come

    def incoming(self, far: FarLine) -> None:
        """An incoming line rings: the handler for gateways."""
        group = self._group
        if group is None or self._draining or len(self._calls) >= self._max_calls:
            self._refused += 1
            log.warning("call refused", extra={"calls": len(self._calls)})
            if group is not None:
                group.create_task(_refuse(far))
            return
        services, party = self._services, far.party
        call_id = services.ids()
        line = Line(
            call_id,
            party.kind,
            "inbound",
            party.from_number,
            party.to_number,
            party.headers,
        )
        state = incoming(services.settings, line, now=services.clock_us(), wall_us=self._wall_us())
        self._start(state, self._document(far), far)

    def _outgoing(self, command: Command, reply: Callable[[Answer], None]) -> None:
        services = self._services
        if self._group is None or self._draining or len(self._calls) >= self._max_calls:
            self._refused += 1
            reply(Answer("503", "no more calls at present"))
            return
        if services.gateway is None:
            reply(Answer("501", "no gateway for outbound calls is configured"))
            return
        state = outgoing(
            services.settings, services.ids(), now=services.clock_us(), wall_us=self._wall_us()
        )
        runner = self._start(state, None, None)
        runner.command(lambda request: CommandReceived(request, command), reply)

    def _wall_us(self) -> int:
        return int(self._services.wallclock().timestamp() * 1_000_000)

    def _start(self, state: RunState, document: Document | None, far: FarLine | None) -> CallRunner:
        directory = self._directory(state.id)
        purse = self._purse(state.id)
        if purse is not None and state.meter is not None:
            # Nothing is granted yet: what the agent may spend is reserved before it begins.
            day = Account(Scope.DAY, self._services.campaign, Budget(money_micros=0))
            state = replace(state, meter=replace(state.meter, day=day))
        runner = self._runner(
            self._services,
            state,
            self._tell,
            self._decisions(state.id),
            document=document,
            after=self._after,
            purse=purse,
            far=far,
            audio=self._audio(directory),
            on_line=self._add_line,
        )
        self._calls[state.id] = runner
        self._idle.clear()
        if far is not None:
            self._lines[state.id] = runner
        assert self._group is not None
        self._group.create_task(self._run(runner, directory))
        return runner

    def _purse(self, call_id: str) -> Purse | None:
        """The campaign's money of today (UTC), when there is a cap on it."""
        services = self._services
        cap = services.settings.money.day_cap_micros
        if services.spend is None or not services.campaign or not cap:
            return None
        day = services.wallclock().date().isoformat()
        return Purse(services.spend, services.campaign, day, call_id, cap)

    def _directory(self, call_id: str) -> Path | None:
        """None when there is no room for it: the call goes on without its files."""
        directory = self._services.records / call_id
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            log.error("no directory for the call", extra={"error": type(error).__name__})
            return None
        return directory

    def _audio(self, directory: Path | None) -> Callable[[int], StereoSink] | None:
        open_audio = self._open_audio
        if open_audio is None:
            return None
        if directory is None:
            return lambda srate_hz: _Unkept()
        return lambda srate_hz: open_audio(directory / AUDIO_FILE, srate_hz)

    def _add_line(self, line: str, runner: CallRunner) -> None:
        self._lines[line] = runner

    async def _run(self, runner: CallRunner, directory: Path | None) -> None:
        """One call to its end. What fails in it must not touch the others."""
        self._journal(runner.call_id, "start", {})
        try:
            await runner.run()
        except Exception:
            log.exception("call failed", extra={"call": runner.call_id})
        finally:
            await to_the_end(self._over(runner, directory))

    async def _over(self, runner: CallRunner, directory: Path | None) -> None:
        """Keep the record, also of a call that was cancelled or failed."""
        record = runner.record
        try:
            if record is not None and directory is not None and self._stored is not None:
                await asyncio.to_thread(self._stored, record, directory)
            self._journal(runner.call_id, "end", {"reason": runner.state.end_reason})
            if record is not None:
                self._on_record(record)
        except Exception:
            log.exception("record not kept", extra={"call": runner.call_id})
        finally:
            self._calls.pop(runner.call_id, None)
            self._lines = {k: r for k, r in self._lines.items() if r is not runner}
            if not self._calls:
                self._idle.set()

    # -- controllers

    def submit(self, command: Command, reply: Callable[[Answer], None]) -> None:
        """See CallHost."""
        if command.method == "dial":
            self._outgoing(command, reply)
            return
        runner = self._lines.get(command.call_id)
        if runner is None:
            reply(Answer("404", "no such call"))
            return
        runner.command(lambda request: CommandReceived(request, command), reply)

    def subscribe(self, deliver: Callable[[Published], None]) -> Callable[[], None]:
        """See CallHost."""
        self._listeners.append(deliver)
        return lambda: self._listeners.remove(deliver)

    def gone(self, issuer: str) -> None:
        """See CallHost."""
        for runner in self.calls:
            runner.post(ControllerGone(issuer))

    def _tell(self, event: Published) -> None:
        if event.event_type == _STATE and event.params.get("call_state") == "answered":
            runner = self._lines.get(event.call_id)
            if runner is not None:
                self._journal(runner.call_id, "answer", {"line": event.call_id})
        for deliver in tuple(self._listeners):
            deliver(event)


async def _refuse(far: FarLine) -> None:
    try:
        await far.hangup(LineEnd.BUSY)
    except (MediacoreError, OSError) as error:
        log.error("refusal failed", extra={"error": type(error).__name__})
