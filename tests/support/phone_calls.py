"""What calls with other people's phones have in common: the service, the start, the clean end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from scipy.signal import resample_poly

from mediacore.call.record import CallRecord
from mediacore.transports.sip.agent import SipStats
from mediacore.transports.sip.config import SipBind
from mediacore.transports.sip.settings import SipConfig
from mediacore.wire.sip.controls import Out
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.message import Request, Response
from support.peers.baresip import Baresip, Settings
from support.peers.speech import Samples, padded, prompt, read_wav, similarity, write_wav
from support.sip_stage import SipStage, blocking

Phone = TypeVar("Phone", bound=AbstractContextManager[Any])

UDP = SipBind("UDP", port=0)
WELCOME = "welcome.wav"
SLIPS = 2
"""Pieces of some seconds of speech that may differ: jitter buffers, ours and the phones', put in
or take out a little when the machine is busy."""
SRATE_HZ = 8000
FOREVER: dict[str, object] = {"sleep": -1}
ANSWER: dict[str, object] = {"answer": {}}
PLAY: dict[str, object] = {"play": {"url": WELCOME}}
_PIECE = SRATE_HZ // 5


def document(*statements: object, **sections: list[object]) -> dict[str, object]:
    """One that does this, and has these other sections."""
    return {"version": "1.0.0", "sections": {"main": list(statements), **sections}}


def welcome(seconds: float = 3.0) -> Samples:
    """What the service plays."""
    return prompt("vm-intro")[: int(seconds * SRATE_HZ)]


def question(seconds: float = 2.5) -> Samples:
    """What phones say."""
    return prompt("vm-msginstruct")[: int(seconds * SRATE_HZ)]


@asynccontextmanager
async def service(
    path: Path,
    *statements: object,
    sip: SipConfig | None = None,
    sound: Samples | None = None,
    lost: int = 0,
    **stage: Any,
) -> AsyncIterator[SipStage]:
    """A service that does this with every call. In the end nothing of the calls may be left.

    lost: as many transactions may linger when phones close their connections.
    """
    write_wav(path / WELCOME, welcome() if sound is None else sound)
    built = SipStage(
        path,
        document=document(*statements),
        options={"sounds": path, **stage.pop("options", {})},
        sip=sip or SipConfig(binds=(UDP,)),
        **stage,
    )
    async with built:
        yield built
        await built.until(lambda: not built.service.host.calls)
        await built.until(lambda: not built.agent.ua.unsettled)
        check_clean(built.agent.snapshot(), lost)


def check_clean(stats: SipStats, lost: int = 0) -> None:
    """Nothing came that should not have come, and nothing failed."""
    agent, counts = stats.agent, stats.transactions.counters
    assert stats.calls == 0, stats
    assert (agent.illegal, agent.strangers) == (0, 0), stats
    assert (stats.malformed, counts.malformed, counts.merged, counts.full) == (0, 0, 0, 0), stats
    assert (counts.timed_out, counts.abandoned) == (0, 0) and counts.failed <= lost, stats
    assert (counts.stray_responses, counts.stray_cancels, counts.dropped) == (0, 0, 0), stats
    assert stats.sockets.counters.send_failed == stats.sockets.counters.unframeable == 0, stats


@asynccontextmanager
async def running(*phones: Phone) -> AsyncIterator[None]:
    """Phones that start at once, in threads."""
    async with AsyncExitStack() as stack:

        async def start(phone: Phone) -> None:
            await blocking(phone.__enter__)
            stack.push_async_callback(blocking, lambda: phone.__exit__(None, None, None))

        async with asyncio.TaskGroup() as group:
            for phone in phones:
                group.create_task(start(phone))
        yield


def at_8k(file: Path) -> Samples:
    """A recording, at the rate of the service's sounds."""
    samples, srate_hz = read_wav(file)
    if srate_hz == SRATE_HZ:
        return samples
    return np.asarray(resample_poly(samples, SRATE_HZ, srate_hz))


def heard_by_service(path: Path, record: CallRecord) -> Samples:
    """The caller's side of a call."""
    return at_8k(path / "calls" / record.call_id / "call.wav")


def missing(said: Samples, heard: Samples, alike: float = 0.95) -> int:
    """How many of the voiced fifths of a second of `said` are nowhere in `heard`."""
    pieces: Iterable[Samples] = np.split(said, range(_PIECE, len(said), _PIECE))
    voiced = [p for p in pieces if len(p) == _PIECE and np.sqrt(np.mean(p**2)) > 0.02]
    assert len(voiced) > 5
    return sum(similarity(piece, heard) < alike for piece in voiced)


def told(stage: SipStage) -> Sequence[object]:
    """What documents said by `user_event`."""
    return [params["event"] for params in stage.of("user_event")]


def pcm_file(path: Path, samples: Samples, codec: str = "PCMU/8000/1") -> Path:
    """A microphone for a codec written name/Hz/channels."""
    _, hz, channels = codec.split("/")
    if int(hz) != SRATE_HZ:
        samples = np.asarray(resample_poly(samples, int(hz), SRATE_HZ))
    return write_wav(path, np.repeat(samples, int(channels)), int(hz), int(channels))


def baresip(
    path: Path,
    user: str,
    said: Samples | None = None,
    codec: str = "PCMU/8000/1",
    **settings: Any,
) -> Baresip:
    """A phone that says `said`, by default the question once and then nothing."""
    samples = padded(0.5, question(), 60.0) if said is None else said
    folder = path / user
    folder.mkdir()
    file = pcm_file(folder / "said.wav", samples, codec)
    return Baresip(Settings(file, user=user, codecs=codec, **settings), folder)


def hears(phone: Baresip) -> Samples:
    """What it recorded."""
    return at_8k(phone.heard())


def traced(stage: SipStage) -> list[str]:
    """Everything that the service gets from now on: the method, or "status method"."""
    seen: list[str] = []
    receive = stage.agent.ua.receive

    def note(now_ms: int, message: Request | Response, flow: Flow) -> Out:
        if isinstance(message, Request):
            seen.append(message.method)
        else:
            seen.append(f"{message.status} {message.cseq.method}")
        return receive(now_ms, message, flow)

    stage.agent.ua.receive = note  # type: ignore[method-assign]
    return seen


class Ahead:
    """The loop of a user agent whose clock can be put forward."""

    def __init__(self, stage: SipStage) -> None:
        self._agent = stage.agent
        self._loop = asyncio.get_running_loop()
        self._ahead_s = 0.0
        self._agent._loop = self  # type: ignore[assignment]

    def time(self) -> float:
        return self._loop.time() + self._ahead_s

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_at(when - self._ahead_s, callback)

    def jump(self, seconds: float) -> None:
        """So much later."""
        self._ahead_s += seconds
        self._agent._wake()
