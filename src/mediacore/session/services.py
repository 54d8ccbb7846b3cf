"""What the calls of a process share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from mediacore.call.actions import Evidence
from mediacore.policy.spend import SpendStore
from mediacore.runtime.settings import RunSettings
from mediacore.session.forks import Resolve, resolve_any
from mediacore.session.hub import MediaHub
from mediacore.session.sounds import Sounds
from mediacore.session.wsfork import WsFork, connect_ws
from mediacore.slots.driver import LlmDriver, SttDriver, TtsDriver
from mediacore.slots.gateway import Gateway
from mediacore.slots.report import Clock
from mediacore.web.client import SafeClient


class LogBook(Protocol):
    """Where one call's decisions go, and what was said, if somebody has switched that on."""

    def decided(self, name: str, verdict: str, evidence: Evidence) -> None:
        """One decision, content-free."""
        ...

    def said(self, speaker: str, text: str) -> None:
        """One turn, as it was heard."""
        ...


class NoLogBook:
    """Nobody reads."""

    def decided(self, name: str, verdict: str, evidence: Evidence) -> None:
        """See LogBook."""

    def said(self, speaker: str, text: str) -> None:
        """See LogBook."""


@dataclass(frozen=True, slots=True)
class Services:
    """Providers behind drivers, and the ways in and out.

    records: directory of call records and recordings. llm: None = documents with `ai` are refused.
    gateway: None = nothing can be dialled. spend: with `campaign`, the day's money.
    document_secret: signs document requests, "" = unsigned. ids: new unique call ids. link: URL of
    a recording's file. resolve, connect: of taps and streams; where targets are refused.
    """

    hub: MediaHub
    settings: RunSettings
    stt: SttDriver
    tts: TtsDriver
    llm: LlmDriver | None
    sounds: Sounds
    client: SafeClient
    clock_us: Clock
    wallclock: Callable[[], datetime]
    ids: Callable[[], str]
    seed: Callable[[], int]
    records: Path
    gateway: Gateway | None = None
    spend: SpendStore | None = None
    campaign: str = ""
    document_secret: str = field(default="", repr=False)
    media_host: str = "127.0.0.1"
    link: Callable[[Path], str] = lambda path: path.resolve().as_uri()
    resolve: Resolve = resolve_any
    connect: Callable[..., WsFork] = connect_ws
