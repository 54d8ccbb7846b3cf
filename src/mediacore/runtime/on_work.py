"""Reports of work: of the agent's providers and tools, of recordings, forks and requests."""

from __future__ import annotations

import json

from mediacore.call.inputs import ReplyHangup
from mediacore.flow.findings import Code
from mediacore.runtime import afterward, agent, ending, flows, gate, hooks, spending, talking, tools
from mediacore.runtime.draft import Draft
from mediacore.runtime.inputs import (
    AgentResult,
    DocumentFetched,
    ForkChanged,
    HookReplied,
    HttpReplied,
    LineReferred,
    RecordingStored,
    SpendChecked,
    SummaryReady,
    TokensUsed,
    ToolReplied,
)
from mediacore.runtime.state import ForkData, OpKind, RecordData, Stage

_DECODED_CHARS = 64_000


def agent_result(d: Draft, event: AgentResult) -> None:
    """Something for the conversation; of an earlier run it is refused."""
    run = d.state.run
    if run is None or run.id != event.run:
        d.refuse("stale_run", run=event.run)
        return
    if isinstance(event.result, ReplyHangup):
        if d.run.last or gate.may_end(d, event.result.reason, silence=True):
            talking.feed(d, event.result)
        return
    talking.feed(d, event.result)


def tool_replied(d: Draft, event: ToolReplied) -> None:
    """A tool answered."""
    tools.replied(d, event)


def hook_replied(d: Draft, event: HookReplied) -> None:
    """A hook or an include answered."""
    if event.id == "hangup_hook":
        afterward.hook_replied(d, event)
        return
    run = d.state.run
    if run is not None and hooks.hook_replied(d, event) and run.stage is Stage.OPENING:
        agent.open_talk(d)


def tokens_used(d: Draft, event: TokensUsed) -> None:
    """A request was counted."""
    spending.tokens_used(d, event)


def summary_ready(d: Draft, event: SummaryReady) -> None:
    """The post-prompt was answered."""
    afterward.summary_ready(d, event.run, event.text)


def recording_stored(d: Draft, event: RecordingStored) -> None:
    """A recording's file is complete."""
    op = d.state.ops.get(event.op)
    if op is None or not isinstance(op.data, RecordData):
        d.refuse("stale_recording")
        return
    outcome: dict[str, object] = {
        "url": event.url,
        "duration": event.duration_ms / 1000,
        "size": event.size,
    }
    state = "no_input" if op.data.no_input else "finished" if event.ok else "error"
    ending.finish(d, op, state, outcome)


def fork_changed(d: Draft, event: ForkChanged) -> None:
    """A tap or stream began or ended."""
    op = d.state.ops.get(event.op)
    if op is None or not isinstance(op.data, ForkData):
        d.refuse("stale_fork")
        return
    if event.running:
        d.set_op(op.id, running=True, device=event.device)
        body: dict[str, object] = {"control_id": op.id}
        if op.kind is OpKind.TAP:
            body |= {"state": "tapping", "tap": op.data.spec, "device": event.device}
            d.publish("tap", op.line, body)
        else:
            d.publish("stream", op.line, {**body, "state": "streaming", **op.data.spec})
        return
    if event.error:
        d.log("fork", "ended", line=op.line, error=event.error[:64])
    ending.finish(d, op, "finished", {"error": event.error[:200]} if event.error else None)


def line_referred(d: Draft, event: LineReferred) -> None:
    """The party was sent elsewhere, or would not go."""
    op = d.state.ops.get(event.op)
    if op is None or op.kind is not OpKind.REFER:
        d.refuse("stale_refer")
        return
    codes = {"response": event.response_code, "notify": event.notify_code}
    gone = event.response_code // 100 == 2 and event.notify_code // 100 == 2
    ending.finish(d, op, "finished" if gone else "error", codes)


def http_replied(d: Draft, event: HttpReplied) -> None:
    """A request of the document came back."""
    op = d.state.ops.get(event.op)
    if op is None or op.kind is not OpKind.REQUEST:
        d.refuse("stale_reply")
        return
    outcome: dict[str, object] = {
        "status": event.status,
        "headers": dict(event.headers),
        "body": event.body,
        "error": event.error,
        "decoded": _decoded(event.body),
    }
    if event.error:
        d.log("request", "failed", line=op.line, error=event.error[:64])
        flows.warn(d, op.line, Code.EXECUTE_FAILED, f"'request': {event.error[:64]}")
    ending.finish(d, op, "error" if event.error else "finished", outcome)


def _decoded(body: str) -> object:
    if len(body) > _DECODED_CHARS:
        return None
    try:
        value = json.loads(body)
        json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair is not text
    except (ValueError, RecursionError):
        return None
    return value


def document_fetched(d: Draft, event: DocumentFetched) -> None:
    """A document came, or did not."""
    op = d.state.ops.get(event.op)
    if op is None or op.kind is not OpKind.FETCH:
        d.refuse("stale_document")
        return
    outcome = {"document": event.document, "code": event.code, "text": event.text}
    ending.finish(d, op, "finished" if event.document is not None else "error", outcome)


def spend_checked(d: Draft, event: SpendChecked) -> None:
    """The day's store answered."""
    spending.day_checked(d, event)
