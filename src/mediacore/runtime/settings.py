"""Limits and facts that a call's decisions depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mediacore.call.settings import CallSettings
from mediacore.flow.script import Evaluator
from mediacore.policy.budget import Budget
from mediacore.policy.prices import PriceBook
from mediacore.runtime.actions import PlayItem


@dataclass(frozen=True, slots=True)
class Money:
    """Prices and caps of a call. prices: None = nothing is priced. day_cap_micros: 0 = none;
    unit_micros: reserved of the day's money at a time."""

    prices: PriceBook | None = None
    providers: Mapping[str, str] = field(default_factory=dict)
    day_cap_micros: int = 0
    unit_micros: int = 10_000


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Rules of one call.

    evaluator: runs the document's JavaScript. talk: what conversations start from. has_model:
    whether `ai` can run. project, context: for controllers. envs: the document's `envs`.
    max_call_ms: the whole call, whatever a document asks for. answer_ms: until an incoming call
    that nobody answers is refused. closing_ms: how long recordings may take to close before the
    end is told. lease_ms: a lease that is not renewed. idle_ms: until a call is given up in which
    nothing goes on and whose controller is gone. hold_music: for calls on hold. limit_goodbye:
    said when a cap trips outside a conversation.
    """

    evaluator: Evaluator
    talk: CallSettings = field(default_factory=CallSettings)
    has_model: bool = True
    project: str = ""
    space: str = ""
    node: str = "local"
    context: str = ""
    envs: Mapping[str, object] = field(default_factory=dict)
    app_name: str = "swml app"
    language: str = "en-US"
    voice: str = ""
    budget: Budget = field(default_factory=Budget)
    money: Money = field(default_factory=Money)
    max_call_ms: int = 14_400_000
    answer_ms: int = 60_000
    closing_ms: int = 3_000
    play_stall_ms: int = 15_000
    work_ms: int = 120_000
    lease_ms: int = 30_000
    media_lost_ms: int = 30_000
    idle_ms: int = 600_000
    max_operations: int = 64
    max_lines: int = 32
    hold_music: tuple[PlayItem, ...] = ()
    limit_goodbye: str = "I'm sorry, our time is up. Goodbye."
