"""One line of a call: its signalling and, once it is answered, everything that touches its leg.

FarLine.connect ─► Leg ─► player, bed, digits, recordings, forks, recognition
└─ media events ─► reflexes here, then the owner's queue
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mediacore._core import Leg
from mediacore.errors import MediacoreError, MediaError
from mediacore.events import (
    EventsLost,
    LegClosed,
    LegOpened,
    MediaEvent,
    PlayoutCut,
    PlayoutLow,
    SpeechEnded,
    SpeechStarted,
    TapReady,
)
from mediacore.media import BargeAction, BargeIn
from mediacore.runtime.actions import ReferLine
from mediacore.runtime.inputs import (
    Event,
    FarDelaySeen,
    Heard,
    LineAnswered,
    LineGone,
    LineReferred,
    LineRinging,
    Media,
    Resynced,
)
from mediacore.session.bed import Bed
from mediacore.session.digits import Digits
from mediacore.session.forks import Forks
from mediacore.session.hearing import Heard as Words
from mediacore.session.hearing import Hearing
from mediacore.session.player import Player
from mediacore.session.services import Services
from mediacore.session.speaking import Speaking
from mediacore.session.taping import Taping
from mediacore.session.tapping import RecordTap
from mediacore.slots.gateway import FarLine, LineEnd, LineFailedError, Referable, Referral
from mediacore.slots.report import OnReport
from mediacore.units import TICK_MS

log = logging.getLogger("mediacore.session")
_CLOSE_S = 2.0
_NOT_IMPLEMENTED = 501  # SIP status codes, RFC 3261 §21
_SERVER_ERROR = 500
_STOPS = BargeIn(action=BargeAction.CUT)
_MEDIA_EVERY = 10  # TapReady events between two that the call's clock is set by: about 1 s
_FAR_DELAY_EVERY = 50  # TapReady events between two looks at RTCP: about 5 s
_MIN_FAR_DELAY_MS = 20  # the far end plays whole frames
_FAR_DELAY_STEP_MS = 10  # changes below are not told


class LineSide:
    """Executes what the call decides for one line. Methods return at once.

    directory: where recordings of the line go, by default that of all records.
    """

    def __init__(
        self,
        line: str,
        far: FarLine,
        services: Services,
        group: asyncio.TaskGroup,
        post: Callable[[Event], None],
        on_report: OnReport,
        on_up: Callable[[LineSide], None],
        directory: Path | None = None,
    ) -> None:
        self.line = line
        self.far = far
        self.leg: Leg | None = None
        self.speaking: Speaking | None = None
        self.last_at = 0
        self._services = services
        self._group = group
        self._post = post
        self._on_report = on_report
        self._on_up = on_up
        self._directory = directory or services.records
        self._closed = asyncio.Event()
        self._ending = False
        self._task: asyncio.Task[None] | None = None
        self._end_task: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._referring: asyncio.Task[None] | None = None
        self._hearing: Hearing | None = None
        self._hearing_task: asyncio.Task[None] | None = None
        self._recognised_ms = 0
        self._taps = 0
        self._take_media: Callable[[], None] | None = None
        self.caller_speaks: Callable[[], bool | None] = lambda: None
        self.far_delay_ms = 0
        self._late: Leg | None = None

    # -- signalling

    def connect(self) -> None:
        """Answer or dial; LineAnswered or LineGone follows."""
        if self._task is None and not self._ending:
            self._task = self._group.create_task(self._connect())

    def watch(self) -> None:
        """Report when the far party goes, from now on."""
        if self._watch is None:
            self._watch = self._group.create_task(self._wait_gone())

    async def _connect(self) -> None:
        try:
            leg = await self.far.connect(lambda: self._post(LineRinging(self.line)))
        except LineFailedError as error:
            self._post(LineGone(self.line, error.reason.value))
            return
        except (MediacoreError, OSError) as error:
            log.error("line failed", extra={"line": self.line, "error": type(error).__name__})
            self._post(LineGone(self.line, LineEnd.ERROR.value))
            return
        if self._ending:
            self._too_late(leg)
            return
        self._up(leg)
        self._post(LineAnswered(self.line, leg.handle, leg.srate_hz))
        self._opened(leg)
        self.watch()

    def _opened(self, leg: Leg) -> None:
        """The leg may have opened before anybody listened: its clock comes from its counters."""
        ticks = leg.stats().ticks
        tick = self._services.hub.engine.stats().ticks
        at = ticks * leg.srate_hz * TICK_MS // 1000
        self._post(Media(self.line, LegOpened(leg.handle, tick, at)))

    async def _wait_gone(self) -> None:
        try:
            reason = await self.far.wait_gone()
        except (MediacoreError, OSError) as error:
            log.error("line failed", extra={"line": self.line, "error": type(error).__name__})
            reason = LineEnd.ERROR
        self._post(LineGone(self.line, reason.value))

    async def wait_ended(self) -> None:
        """Wait until `end` has been carried out."""
        if self._end_task is not None:
            await self._end_task

    def refer(self, action: ReferLine) -> None:
        """Send the party elsewhere; LineReferred follows."""
        if not self._ending:
            self._referring = self._group.create_task(self._refer(action))

    async def _refer(self, action: ReferLine) -> None:
        found = Referral(_NOT_IMPLEMENTED)
        try:
            if isinstance(self.far, Referable):
                found = await self.far.refer(action.to_uri)
        except (MediacoreError, OSError) as error:
            log.error("refer failed", extra={"line": self.line, "error": type(error).__name__})
            found = Referral(_SERVER_ERROR)
        self._post(LineReferred(action.op, found.response, found.notify))

    def end(self, reason: str) -> None:
        """Hang up, cancel or refuse; the leg is given back. Once."""
        if self._ending:
            return
        self._ending = True
        self._end_task = self._group.create_task(self._end(reason))

    async def _end(self, reason: str) -> None:
        for waiting in (self._watch, self._referring):
            if waiting is not None:
                waiting.cancel()
        if self._task is not None and not self._task.done():
            self._task.cancel()
        words = {e.value: e for e in LineEnd}
        await self.hang_up(words.get(reason, LineEnd.HANGUP))
        await self.close_media()

    async def hang_up(self, reason: LineEnd) -> None:
        """End the signalling; never raises and never takes long."""
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self.far.hangup(reason)
        except TimeoutError:
            log.warning("hang-up took too long", extra={"line": self.line})
        except (MediacoreError, OSError) as error:
            log.error("hang-up failed", extra={"line": self.line, "error": type(error).__name__})

    async def close_media(self) -> None:
        """Close the leg and what works on it, recordings complete; idempotent."""
        if self._late is not None:
            await self._close(self._late)
        leg = self.leg
        if leg is None or self._closed.is_set():
            return
        self.stop_hearing()
        self.player.close()
        self.digits.close()
        self.forks.close()
        self.bed.stop()
        await self.taping.close()
        await self._close(leg)

    async def _close(self, leg: Leg) -> None:
        if not leg.closed:
            leg.close()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._closed.wait()
        except TimeoutError:
            log.error("leg did not close", extra={"line": self.line})

    def _too_late(self, leg: Leg) -> None:
        """A leg for a line that has ended: closed here, freed with the others of the call."""
        self._late = leg
        self._services.hub.attach(leg, self._on_late)
        leg.close()

    def _on_late(self, event: MediaEvent) -> None:
        if isinstance(event, LegClosed):
            self._closed.set()

    # -- media

    def _up(self, leg: Leg) -> None:
        services = self._services
        self.leg = leg
        self.tap = RecordTap(leg)
        self.player = Player(leg, services.sounds, self._group, self._post)
        self.bed = Bed(leg, services.sounds, self._group)
        self.digits = Digits(leg, self._group)
        self.taping = Taping(
            leg,
            self.tap,
            self._group,
            self._post,
            directory=self._directory,
            stem=self.line,
            link=services.link,
        )
        self.forks = Forks(
            services.hub,
            leg,
            self.tap,
            self._group,
            self._post,
            call_id=self.line,
            seed=services.seed,
            local_host=services.media_host,
            resolve=services.resolve,
            connect=services.connect,
        )
        services.hub.attach(leg, self._on_media)
        self._on_up(self)

    def take_with(self, take: Callable[[], None], caller_speaks: Callable[[], bool | None]) -> None:
        """Let somebody else drain the record and note taps (who has `tap`). caller_speaks: what
        the notes say of the last frame, None = nothing."""
        self._take_media = take
        self.caller_speaks = caller_speaks

    def _on_media(self, event: MediaEvent) -> None:
        self.last_at = max(self.last_at, event.at)
        if isinstance(event, TapReady):
            self._taps += 1
            if self._take_media is not None:
                self._take_media()
            else:
                self.tap.take()
            if self._hearing is not None:
                self._hearing.take()
            self._follow_far_delay()
            if self._taps % _MEDIA_EVERY:
                return
        elif isinstance(event, EventsLost):
            self._post(Media(self.line, replace(event, at=self.last_at)))
            self._resync(event.tick)
            return
        elif isinstance(event, LegClosed):
            self._closed.set()
        elif isinstance(event, PlayoutCut):
            self.player.cut(event.next_generation)
            if self.speaking is not None:
                self.speaking.drop(event.next_generation)
        elif isinstance(event, PlayoutLow):
            self.player.room()
            if self.speaking is not None:
                self.speaking.room()
            return
        elif isinstance(event, SpeechStarted | SpeechEnded) and self._hearing is not None:
            self._hearing.speech(started=isinstance(event, SpeechStarted))
        self._post(Media(self.line, event))

    def resync(self) -> None:
        """Events of this line were dropped on the way to the call."""
        if self.leg is not None and not self._closed.is_set():
            self._resync(self._services.hub.engine.stats().ticks)

    def _resync(self, tick: int) -> None:
        """Events are gone: what the counters tell of them."""
        leg = self.leg
        assert leg is not None
        stats = leg.stats()
        at = stats.ticks * leg.srate_hz * TICK_MS // 1000
        self.player.cut(stats.generation)
        idle = self.player.idle
        if self.speaking is not None:
            self.speaking.drop(stats.generation)
            idle = idle and self.speaking.idle
        if self._take_media is not None:
            self._take_media()
        else:
            self.tap.take()
        speaks = self.caller_speaks()
        if self._hearing is not None:
            self._hearing.take()
            if speaks is not None and speaks != self._hearing.speaking:
                self._hearing.speech(started=speaks)
        drained = idle and stats.queued_samples == stats.played_samples + stats.flushed_samples
        self._post(Resynced(self.line, tick, at, stats.generation, speaks, drained))

    def _follow_far_delay(self) -> None:
        """The transport's own measure, or from time to time that of RTCP."""
        delay_ms = self.far.far_delay_ms()
        if delay_ms is None and self._taps % _FAR_DELAY_EVERY == 0:
            delay_ms = self._rtcp_delay_ms()
        if delay_ms is not None and abs(delay_ms - self.far_delay_ms) >= _FAR_DELAY_STEP_MS:
            self.far_delay_ms = delay_ms
            self._post(FarDelaySeen(self.line, delay_ms))

    def _rtcp_delay_ms(self) -> int | None:
        """Half the round trip and what the far end holds back (RFC 3550 §6.4.1)."""
        leg = self.leg
        assert leg is not None
        stats = leg.stats()
        if not stats.rtcp_packets:
            return None
        held_ms = max(_MIN_FAR_DELAY_MS, 2 * stats.far_jitter_us // 1000)
        return stats.rtt_us // 2000 + held_ms

    def arm(self, *, stops: bool) -> None:
        """What the caller's speech does to the voice, outside a conversation."""
        if self.leg is not None and not self.leg.closed:
            self.leg.arm(_STOPS if stops else BargeIn())

    # -- recognition

    def start_hearing(self) -> None:
        """Recognise from now on; begins anew when it runs."""
        leg = self.leg
        if leg is None or self._ending:
            return
        self.stop_hearing()
        hearing = Hearing(leg, self._services.stt, self._hear, self._on_report)
        self._hearing = hearing
        self._hearing_task = self._group.create_task(hearing.run())

    def stop_hearing(self) -> None:
        """No more recognition; idempotent."""
        if self._hearing_task is not None:
            self._hearing_task.cancel()
        if self._hearing is not None:
            self._recognised_ms += self._hearing.recognised_ms
        self._hearing = self._hearing_task = None

    async def _hear(self, words: Words) -> None:
        self._post(Heard(self.line, words))

    @property
    def recognised_ms(self) -> int:
        """The line's speech given to recognition so far."""
        running = self._hearing.recognised_ms if self._hearing is not None else 0
        return self._recognised_ms + running

    def free(self) -> None:
        """Give the leg's memory back, when the call is over and its counters were read."""
        for leg in (self.leg, self._late):
            if leg is not None:
                self._free(leg)

    def _free(self, leg: Leg) -> None:
        """Now, or when the core has closed it after all."""
        hub = self._services.hub
        hub.detach(leg)
        try:
            leg.free()
        except MediaError:
            hub.attach(leg, lambda event: self._free(leg) if _is_last(event) else None)


def _is_last(event: MediaEvent) -> bool:
    return isinstance(event, LegClosed)
