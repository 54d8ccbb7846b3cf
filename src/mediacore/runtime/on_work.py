"""Reports of work: of the agent's providers and tools, of recordings, forks and requests."""

from __future__ import annotations

import json

from mediacore.call.inputs import ReplyHangup
from mediacore.runtime import agent, ending, gate, hooks, spending, talking, tools
from mediacore.runtime.draft import Draft
from mediacore.runtime.inputs import (
    AgentResult,
    DocumentFetched,
    ForkChanged,
    HookReplied,
    HttpReplied,
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
        if gate.may_end(d):
            talking.feed(d, event.result)
        return
    talking.feed(d, event.result)


def tool_replied(d: Draft, event: ToolReplied) -> None:
    """A tool answered."""
    tools.replied(d, event)


def hook_replied(d: Draft, event: HookReplied) -> None:
    """A hook or an include answered."""
    run = d.state.run
    if run is not None and hooks.hook_replied(d, event) and run.stage is Stage.OPENING:
        agent.open_talk(d)


def tokens_used(d: Draft, event: TokensUsed) -> None:
    """A request was counted."""
    spending.tokens_used(d, event)


def summary_ready(d: Draft, event: SummaryReady) -> None:
    """The post-prompt was answered."""
    agent.summary_ready(d, event.run, event.text)


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
        name = "tap" if op.kind is OpKind.TAP else "stream"
        body: dict[str, object] = {"control_id": op.id, "state": name + "ping"}
        if op.kind is OpKind.TAP:
            body = {"control_id": op.id, "state": "tapping", "tap": op.data.spec}
            body["device"] = event.device
        else:
            body = {"control_id": op.id, "state": "streaming", **op.data.spec}
        d.publish(name, op.line, body)
        return
    if event.error:
        d.log("fork", "ended", line=op.line, error=event.error[:64])
    ending.finish(d, op, "finished")


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
    ending.finish(d, op, "error" if event.error else "finished", outcome)


def _decoded(body: str) -> object:
    if len(body) > _DECODED_CHARS:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


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
