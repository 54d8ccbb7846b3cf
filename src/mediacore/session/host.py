"""All calls of a process: incoming ones from gateways, outgoing ones from controllers.

It owns no state of a call; it only knows which call a line belongs to, and who wants to be told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from mediacore.call.actions import Evidence
from mediacore.call.record import AUDIO_FILE, CallRecord
from mediacore.flow.document import Document
from mediacore.runtime.inputs import CommandReceived, ControllerGone
from mediacore.runtime.ports import Answer, Command, Published
from mediacore.runtime.state import Line, RunState
from mediacore.runtime.step import incoming, outgoing
from mediacore.session.aftercall import AfterCall
from mediacore.session.recorder import StereoSink
from mediacore.session.runner import CallRunner, Decide
from mediacore.session.services import Services
from mediacore.slots.gateway import FarLine, LineEnd

log = logging.getLogger("mediacore.session")
OpenAudio = Callable[[Path, int], StereoSink]
Stored = Callable[[CallRecord, Path], None]


def _no_decision(name: str, verdict: str, evidence: Evidence) -> None:
    """Nobody reads the decisions."""


class Host:
    """Runs calls; a `runtime.ports.CallHost`. Use inside `async with`.

    document: what incoming calls get; None = they wait for a controller of their context.
    stored: called in a thread with each record and its directory; open_audio: gives the sink for
    a call's audio of some rate. on_record: called on the loop.
    """

    def __init__(
        self,
        services: Services,
        *,
        document: Callable[[FarLine], Document | None] = lambda far: None,
        max_calls: int = 256,
        decisions: Callable[[str], Decide] = lambda call_id: _no_decision,
        after: AfterCall | None = None,
        stored: Stored | None = None,
        open_audio: OpenAudio | None = None,
        on_record: Callable[[CallRecord], None] = lambda record: None,
    ) -> None:
        self._services = services
        self._document = document
        self._max_calls = max_calls
        self._decisions = decisions
        self._after = after
        self._stored = stored
        self._open_audio = open_audio
        self._on_record = on_record
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

    # -- calls come

    def incoming(self, far: FarLine) -> None:
        """An incoming line rings: the handler for gateways."""
        group = self._group
        if group is None or self._draining or len(self._calls) >= self._max_calls:
            log.warning("call refused", extra={"calls": len(self._calls)})
            if group is not None:
                group.create_task(far.hangup(LineEnd.BUSY))
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
        runner = CallRunner(
            self._services,
            state,
            self._tell,
            self._decisions(state.id),
            document=document,
            after=self._after,
            far=far,
            audio=self._audio(directory),
            on_line=self._add_line,
        )
        self._calls[state.id] = runner
        if far is not None:
            self._lines[state.id] = runner
        assert self._group is not None
        self._group.create_task(self._run(runner, directory))
        return runner

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
        if directory is None or open_audio is None:
            return None
        return lambda srate_hz: open_audio(directory / AUDIO_FILE, srate_hz)

    def _add_line(self, line: str, runner: CallRunner) -> None:
        self._lines[line] = runner

    async def _run(self, runner: CallRunner, directory: Path | None) -> None:
        """One call to its end. What fails in it must not touch the others."""
        try:
            record = await runner.run()
            if record is not None and directory is not None and self._stored is not None:
                await asyncio.to_thread(self._stored, record, directory)
            if record is not None:
                self._on_record(record)
        except Exception:
            log.exception("call failed", extra={"call": runner.call_id})
        finally:
            self._calls.pop(runner.call_id, None)
            self._lines = {k: r for k, r in self._lines.items() if r is not runner}

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
        for deliver in tuple(self._listeners):
            deliver(event)
