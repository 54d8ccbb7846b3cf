"""The facts of the post-call payload, gathered from the state that a run of the agent left.

Monotonic times become wallclock by the call's own offset, sample positions by the media clock of
the line. What the state does not hold is left out; nothing is estimated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from mediacore.call import turns_so_far
from mediacore.call.actions import ErrorRaised
from mediacore.call.context import Context, Role, ToolRequest
from mediacore.call.record import DecisionNote, Speaker, Turn, UtteranceKind
from mediacore.policy.prices import ANY_MODEL, Unpriced, UsageDelta
from mediacore.postcall.facts import (
    Accounting,
    CallDates,
    CallIds,
    Generation,
    PostCallInput,
    PublicError,
    ToolUse,
    TrailEntry,
)
from mediacore.runtime.lines import call_facts
from mediacore.runtime.private import masked
from mediacore.runtime.settings import Money
from mediacore.runtime.state import AiRun, Line, RunState, ToolNote

_OF_TOOLS: Final = frozenset({"function_call", "function_refused"})
_LIMIT: Final = "limit_"


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What the session knows and the state does not.

    media: the leg's counters. recognised_ms: audio given to the recogniser. decisions: of the
    record, at samples of the run's line.
    """

    media: Mapping[str, int] = field(default_factory=dict)
    recognised_ms: int | None = None
    decisions: tuple[DecisionNote, ...] = ()


def post_call_input(
    run: AiRun, line: Line, state: RunState, facts: SessionFacts | None = None
) -> PostCallInput:
    """Everything that is known of a run that is over. line: the one it was on, as it is now."""
    facts = facts or SessionFacts()
    talk, wall_us = run.talk, state.wall_us
    clock = talk.clock if talk.clock.origin_us is not None else line.clock
    origin_us = clock.origin_us if clock.origin_us is not None else run.started_us
    turns = tuple(masked(t) if t.index in run.private_turns else t for t in turns_so_far(talk))
    media = _Media(turns, wall_us + origin_us, talk.srate_hz)
    asked = run.session.config.post_prompt is not None
    return PostCallInput(
        ids=_ids(run, line, state),
        dates=_dates(run, line, wall_us),
        srate_hz=talk.srate_hz,
        media_start_us=media.start_us,
        ended_by=_ended_by(run, line),
        hard_timeout=bool(talk.limit) or run.end_reason.startswith(_LIMIT),
        turns=turns,
        tools=tuple(_tools(run, wall_us)),
        trail=tuple(_trail(run, wall_us)),
        generations=tuple(_generations(turns)),
        global_data=run.session.global_data,
        swml_vars=state.vars or None,
        swml_call=call_facts(state, line),
        post_prompt_text=run.summary if asked else None,
        accounting=_accounting(run, state.settings.money, facts.recognised_ms),
        decisions=facts.decisions,
        errors=tuple(_error(e, media) for e in run.errors),
        media=facts.media,
    )


def caller_utterances(run: AiRun) -> tuple[str, ...]:
    """What the caller said, turn by turn."""
    turns = (t for t in turns_so_far(run.talk) if t.index not in run.private_turns)
    return tuple(t.text for t in turns if t.speaker is Speaker.CALLER and t.text.strip())


@dataclass(frozen=True, slots=True)
class _Media:
    """Turns, and the wallclock of the line's sample 0."""

    turns: tuple[Turn, ...]
    start_us: int
    srate_hz: int

    def said_at_us(self, utterance: int | None) -> int | None:
        """When an utterance began to sound; None when it never did."""
        for turn in self.turns:
            for item in turn.utterances:
                if item.id == utterance and item.playout:
                    return self.start_us + item.playout[0].start * 1_000_000 // self.srate_hz
        return None


def _ids(run: AiRun, line: Line, state: RunState) -> CallIds:
    settings, session = state.settings, run.session
    caller = line.from_number if line.direction == "inbound" else line.to_number
    conversation = session.config.params.get("conversation_id")
    return CallIds(
        call_id=line.id,
        ai_session_id=f"{state.id}:{run.id}",
        project_id=settings.project,
        space_id=settings.space,
        app_name=str(session.config.params.get("app_name") or settings.app_name),
        conversation_id=str(conversation) if conversation else None,
        caller_id_name=caller or None,
        caller_id_number=caller or None,
    )


def _dates(run: AiRun, line: Line, wall_us: int) -> CallDates:
    def wall(at_us: int | None) -> int | None:
        return None if at_us is None else wall_us + at_us

    return CallDates(
        call_start_us=wall(line.created_us),
        call_answer_us=wall(line.answered_us),
        call_end_us=wall(line.closing_us),
        ai_start_us=wall(run.started_us if run.opened_us is None else run.opened_us),
        ai_end_us=wall(run.closing_us),
    )


def _ended_by(run: AiRun, line: Line) -> str:
    """Who ended the call; empty when it went on without the agent. A controller that hangs up
    counts as the user: for the agent both are the line that is gone."""
    if run.hangup:
        return "assistant"
    gone = line.closing_us is not None and line.closing_us == run.closing_us
    return "user" if gone else ""


# ------------------------------------------------------------------------------------- tools


def _tools(run: AiRun, wall_us: int) -> Iterator[ToolUse]:
    """Tool calls in order of their beginning, with the ids and results that the model saw."""
    asked = list(_requests(run.talk.context))
    for index, note in enumerate(sorted(run.tools, key=lambda n: n.at_us)):
        same = (a for a in asked if (a[0].name, a[0].arguments) == (note.name, note.arguments))
        found = next(same, None)
        if found is not None:
            asked.remove(found)
        yield _tool(note, found, index, wall_us)


def _tool(
    note: ToolNote, seen: tuple[ToolRequest, str | None] | None, index: int, wall_us: int
) -> ToolUse:
    start_us = wall_us + note.at_us
    told = seen[1] if seen is not None else None
    return ToolUse(
        id=seen[0].id if seen is not None else f"tool-{index}",
        name=note.name,
        argument=note.arguments,
        start_us=start_us,
        end_us=start_us + note.took_ms * 1000,
        result=told if told is not None else note.response or None,
        native=note.native,
        url=note.url or None,
        post_response={"response": note.response} if note.url and note.ok else None,
        error="" if note.ok else note.error or "failed",
    )


def _requests(context: Context) -> Iterator[tuple[ToolRequest, str | None]]:
    """Tool calls of the conversation with their results."""
    for at, entry in enumerate(context):
        for request in entry.tool_calls:
            # Ids are unique within a reply; models reuse them later in the conversation.
            later = (e for e in context[at + 1 :] if e.role is Role.TOOL)
            found = next((e.text for e in later if e.tool_call_id == request.id), None)
            yield request, found


def _trail(run: AiRun, wall_us: int) -> Iterator[TrailEntry]:
    """The session's trail. Its entries carry no time: each gets that of the tool result that it
    follows, the first ones the start of the run. Tool calls are told elsewhere, with their times.
    """
    notes = list(run.tools)
    at_us = run.started_us
    for entry in run.session.trail:
        if entry.kind in _OF_TOOLS:
            found = next((n for n in notes if n.name == entry.facts.get("function")), None)
            if found is not None:
                notes.remove(found)
                at_us = max(at_us, found.at_us + found.took_ms * 1000)
            continue
        yield TrailEntry(entry.kind, wall_us + at_us, entry.facts)


# ---------------------------------------------------------------------------- errors and cost


def _generations(turns: tuple[Turn, ...]) -> Iterator[Generation]:
    for turn in turns:
        if any(u.kind is UtteranceKind.REPLY for u in turn.utterances):
            yield Generation(turn.full_text)


def _error(error: ErrorRaised, media: _Media) -> PublicError:
    reason = error.reason.value if error.reason is not None else error.kind.value
    at_us = media.said_at_us(error.utterance)
    return PublicError(at_us, reason, error.fatal, error.kind.value)


def _accounting(run: AiRun, money: Money, recognised_ms: int | None) -> Accounting:
    cost = None
    if money.prices is not None:
        cost = _cost(run, money, recognised_ms or 0)
    return Accounting(
        input_tokens=run.input_tokens,
        output_tokens=run.output_tokens,
        tts_chars=run.spoken_chars,
        asr_ms=recognised_ms,
        cost_micros=cost,
        currency=money.prices.currency if cost is not None and money.prices is not None else "",
    )


def _cost(run: AiRun, money: Money, recognised_ms: int) -> int | None:
    """What the providers cost, in micros; None when one of them has no price."""
    assert money.prices is not None
    total = 0
    for slot, used in (
        ("llm", {"input_tokens": run.input_tokens, "output_tokens": run.output_tokens}),
        ("tts", {"characters": run.spoken_chars}),
        ("stt", {"audio_ms": recognised_ms}),
    ):
        provider, _, model = money.providers.get(slot, "").partition(":")
        priced = money.prices.cost(UsageDelta(provider, model or ANY_MODEL, **used))
        if isinstance(priced, Unpriced):
            return None
        total += priced.micros
    return total
