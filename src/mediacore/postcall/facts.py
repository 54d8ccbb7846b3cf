"""What is known of a call when it ended: plain input of the post-call payload.

Wallclock times are microseconds since 1970 UTC (`_us`). Positions in turns are samples at
`srate_hz` after `media_start_us`. None = not known; the payload then leaves the field out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mediacore.call.record import DecisionNote, Turn


@dataclass(frozen=True, slots=True)
class CallIds:
    """Who and where."""

    call_id: str
    ai_session_id: str
    project_id: str = ""
    space_id: str = ""
    app_name: str = ""
    conversation_id: str | None = None
    caller_id_name: str | None = None
    caller_id_number: str | None = None


@dataclass(frozen=True, slots=True)
class CallDates:
    """When the call and its AI session began and ended."""

    call_start_us: int | None = None
    call_answer_us: int | None = None
    call_end_us: int | None = None
    ai_start_us: int | None = None
    ai_end_us: int | None = None


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One tool call. argument: the model's JSON text. result: what the model was told.

    active_count: uses left, None = endless. error: why it failed, one word; "" = it did not.
    """

    id: str
    name: str
    argument: str
    start_us: int
    end_us: int | None = None
    result: str | None = None
    native: bool = False
    url: str | None = None
    post_data: Mapping[str, object] | None = None
    post_response: Mapping[str, object] | None = None
    delayed_post_response: Mapping[str, object] | None = None
    active_count: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """Something that happened, for the time line: `step_change`, `gather_answer`, `filler` …"""

    type: str
    at_us: int
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SystemText:
    """A system message given to the model. action: what put it there."""

    at_us: int
    text: str
    action: str = ""
    context: str | None = None
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """One answer of the model. us: from the request. tokens: as the provider counted."""

    response: str
    tokens: int | None = None
    first_token_us: int | None = None
    total_us: int | None = None


@dataclass(frozen=True, slots=True)
class Accounting:
    """What was consumed, as far as it was counted. cost: micros of `currency`."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    tts_chars: int | None = None
    asr_ms: int | None = None
    cost_micros: int | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class PublicError:
    """reason: one of the published error reasons, or ours. class_name: our error class."""

    at_us: int | None
    reason: str
    fatal: bool
    class_name: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class PostCallInput:
    """All of it. global_data and swml_vars are copied as they are."""

    ids: CallIds
    dates: CallDates
    srate_hz: int
    media_start_us: int
    ended_by: str = ""
    hard_timeout: bool = False
    turns: tuple[Turn, ...] = ()
    tools: tuple[ToolUse, ...] = ()
    trail: tuple[TrailEntry, ...] = ()
    system: tuple[SystemText, ...] = ()
    generations: tuple[Generation, ...] = ()
    previous_contexts: tuple[tuple[Mapping[str, object], ...], ...] = ()
    global_data: Mapping[str, object] = field(default_factory=dict)
    swml_vars: Mapping[str, object] | None = None
    swml_call: Mapping[str, object] | None = None
    post_prompt_text: str | None = None
    summary: str | None = None
    accounting: Accounting | None = None
    decisions: tuple[DecisionNote, ...] = ()
    errors: tuple[PublicError, ...] = ()
    media: Mapping[str, int] = field(default_factory=dict)
