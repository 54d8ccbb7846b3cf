"""Copies of a line's media sent elsewhere: RTP, or a WebSocket."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from mediacore import _core
from mediacore._core import Leg
from mediacore.errors import MediacoreError
from mediacore.events import LegClosed, MediaEvent
from mediacore.media import LegConfig
from mediacore.runtime.actions import StartFork
from mediacore.runtime.inputs import ForkChanged
from mediacore.session.hub import MediaHub
from mediacore.session.tapping import RecordTap
from mediacore.session.wsfork import StreamFormat, TapFormat, WsFork, connect_ws

Resolve = Callable[[str, int], Awaitable[tuple[str, int]]]
"""Host and port of a target to its numeric address. Raises MediacoreError when it is not allowed
or not found."""


async def resolve_any(host: str, port: int) -> tuple[str, int]:
    """The first address of the host, whatever it is."""
    try:
        return str(ipaddress.ip_address(host)), port
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port)
    except OSError as error:
        raise MediacoreError(f"cannot find {host}: {error}") from None
    return str(found[0][4][0]), port


class _RtpFork:
    """A leg of the core that sends the copy."""

    def __init__(self, hub: MediaHub, leg: Leg) -> None:
        self._hub = hub
        self._leg = leg
        hub.attach(leg, self._on_event)

    def close(self) -> None:
        """End it; its memory goes back with its last event. Idempotent."""
        if not self._leg.closed:
            self._leg.close()

    def _on_event(self, event: MediaEvent) -> None:
        if isinstance(event, LegClosed):
            self._hub.detach(self._leg)
            self._leg.free()


class Forks:
    """Executes StartFork and StopFork for one line.

    The line's leg has `Tap.RECORD` for WebSocket targets; RTP needs no tap. `post` gets
    ForkChanged(running=True) once, and ForkChanged(running=False) once for each fork started.
    local_host: numeric address that RTP is sent from. seed: a new unpredictable number per call.
    resolve: also the place to refuse targets. connect: opens a WebSocket.
    """

    def __init__(
        self,
        hub: MediaHub,
        leg: Leg,
        tap: RecordTap,
        group: asyncio.TaskGroup,
        post: Callable[[ForkChanged], None],
        *,
        call_id: str,
        seed: Callable[[], int],
        local_host: str = "127.0.0.1",
        resolve: Resolve = resolve_any,
        connect: Callable[..., WsFork] = connect_ws,
    ) -> None:
        self._hub = hub
        self._leg = leg
        self._tap = tap
        self._group = group
        self._post = post
        self._call_id = call_id
        self._seed = seed
        self._local_host = local_host
        self._resolve = resolve
        self._connect = connect
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, action: StartFork) -> None:
        """Begin; ForkChanged follows."""
        if action.op not in self._tasks:
            self._tasks[action.op] = self._group.create_task(self._run(action))

    def stop(self, op: str) -> None:
        """End; ForkChanged follows. Idempotent."""
        task = self._tasks.get(op)
        if task is not None:
            task.cancel()

    def close(self) -> None:
        """End all; idempotent. Legs are closed at once, their memory follows with their events."""
        for task in self._tasks.values():
            task.cancel()

    async def _run(self, action: StartFork) -> None:
        error = ""
        try:
            if urlsplit(action.uri).scheme == "rtp":
                await self._run_rtp(action)
            else:
                await self._run_ws(action)
        except (MediacoreError, OSError, ValueError) as failed:
            error = str(failed) or type(failed).__name__
        finally:
            self._tasks.pop(action.op, None)
            self._post(ForkChanged(action.op, running=False, error=error))

    async def _run_rtp(self, action: StartFork) -> None:
        target = urlsplit(action.uri)
        if not target.hostname or not target.port:
            raise MediacoreError("an RTP target needs host and port")
        remote = await self._resolve(target.hostname, target.port)
        fd, port = _core.udp_open(self._local_host, 0)
        leg = self._hub.engine.open_leg(
            LegConfig(
                codec=action.codec or "PCMU",
                fd=fd,
                remote=remote,
                ptime_ms=action.ptime_ms,
                seed=self._seed(),
                vad_threshold_q15=None,
            )
        )
        fork = _RtpFork(self._hub, leg)
        try:
            inbound, outbound = _directions(action.track)
            leg.fork(self._leg, rx=inbound, tx=outbound)
            params = {
                "addr": self._local_host,
                "port": port,
                "codec": action.codec or "PCMU",
                "ptime": action.ptime_ms,
            }
            self._post(
                ForkChanged(action.op, running=True, device={"type": "rtp", "params": params})
            )
            await asyncio.Event().wait()  # until it is stopped
        finally:
            fork.close()

    async def _run_ws(self, action: StartFork) -> None:
        tracks = _directions(action.track)
        kind = StreamFormat if action.kind == "stream" else TapFormat
        ws = self._connect(
            action.uri, kind(action, self._call_id, self._leg.srate_hz, tracks), action.bearer_token
        )

        def running() -> None:
            params = {"uri": action.uri, "codec": action.codec or "PCMU"}
            self._post(
                ForkChanged(action.op, running=True, device={"type": "ws", "params": params})
            )
            self._tap.take()
            self._tap.add(ws)

        try:
            await ws.run(running)
        finally:
            self._tap.remove(ws)


def _directions(track: str) -> tuple[bool, bool]:
    """Whether what the line receives, and what it sends, is wanted."""
    name = track.removesuffix("_track").removesuffix("_tracks")
    return name != "outbound", name != "inbound"
