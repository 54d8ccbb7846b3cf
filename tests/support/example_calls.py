"""Calls that try out any document: a model, a caller and an outside world that fit all of them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mediacore.call.record import CallRecord
from mediacore.runtime.ports import Published
from mediacore.slots.llm import (
    LlmEvent,
    LlmHangup,
    LlmInfo,
    LlmRequest,
    LlmText,
    ToolCall,
)
from support.handset import Handset
from support.service_sim import Asked, Stage

SHELF = "shelf.example"
_HOST = re.compile(r"https?://(?:[^/@\s\"]*@)?([A-Za-z0-9.-]+(?::\d+)?)")
_NATIVE = frozenset(
    ("next_step", "change_context", "gather_submit", "check_time", "wait_seconds", "wait_for_user")
)
_CALLS = 24  # at a time
_PATIENCE_S = 24.0  # of the caller
_LIMIT_S = 40.0


class TryingLlm:
    """Calls one tool of the application, follows the steps, and hangs up in the third turn."""

    def __init__(self) -> None:
        self.requests: list[LlmRequest] = []

    @property
    def info(self) -> LlmInfo:
        return LlmInfo("trying")

    async def run(self, request: LlmRequest) -> AsyncIterator[LlmEvent]:
        self.requests.append(request)
        newest = request.messages[-1].role if request.messages else "system"
        called = [call.name for message in request.messages for call in message.tool_calls]
        turns = sum(message.role == "user" for message in request.messages)
        wanted = [tool for tool in request.tools if tool.name not in _NATIVE]
        if newest == "user" and not called and wanted:
            yield self._call(wanted[0].name, wanted[0].parameters)
        elif newest == "user" and turns == 2 and any(t.name == "next_step" for t in request.tools):
            yield self._call("next_step", {})
        elif newest == "user" and turns >= 3:
            yield LlmText("Good bye.")
            yield LlmHangup("completed")
        else:
            yield LlmText("All right, go on.")

    def _call(self, name: str, schema: Mapping[str, Any]) -> ToolCall:
        arguments = json.dumps(_example(schema))
        return ToolCall(f"call-{len(self.requests)}", name, arguments)

    async def aclose(self) -> None:
        """Nothing is held."""


def _example(schema: Mapping[str, Any]) -> Any:
    """Something that fits a JSON schema as tools use it."""
    if schema.get("enum"):
        return schema["enum"][0]
    match schema.get("type"):
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "array":
            return []
        case "string":
            return "example"
    fields: Mapping[str, Any] = schema.get("properties", {})
    return {name: _example(each) for name, each in fields.items()}


@dataclass
class Outcome:
    """How a call by a document went. end: "document", "caller" when the caller had enough, or
    "stuck"."""

    end: str = ""
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    record: CallRecord | None = None


async def try_all(path: Path, documents: Mapping[str, Any]) -> dict[str, Outcome]:
    """Run one call by each document; all of the web is a recorder that answers everything."""
    names = {f"+1800{number:07}": name for number, name in enumerate(documents)}

    def reply(asked: Asked) -> object:
        if asked.host == SHELF:
            return documents[names[asked.body["call"]["to_number"]]]
        return {"response": "That went well."}

    text = json.dumps(list(documents.values()))
    hosts = {SHELF, *_HOST.findall(text), *(h.partition(":")[0] for h in _HOST.findall(text))}
    stage = Stage(
        path,
        f"http://{SHELF}/document",
        stt=["yes please"] * 1000,
        hosts=sorted(hosts),
        reply=reply,
        model=TryingLlm(),
    )
    async with stage:
        gate = asyncio.Semaphore(_CALLS)

        async def call(number: str) -> tuple[str, Outcome]:
            async with gate:
                return names[number], await _try(stage, number)

        return dict(await asyncio.gather(*map(call, names)))


async def _try(stage: Stage, number: str) -> Outcome:
    outcome = Outcome("document")
    ring = stage.ring(to_number=number)
    try:
        async with asyncio.timeout(_LIMIT_S):
            caller = stage.pick_up(ring, await ring.answered())
            if await _behave(caller):
                outcome.end = "caller"
                caller.hang_up()
            await ring.wait_gone()
    except TimeoutError:
        outcome.end = "stuck"
        ring.hangup()
    call_id = next(e.call_id for e in stage.events if _is_of(e, number))
    with suppress(TimeoutError):
        await stage.until(lambda: any(r.call_id == call_id for r in stage.records), 5)
    outcome.record = next((r for r in stage.records if r.call_id == call_id), None)
    for event in stage.events:
        if event.call_id != call_id:
            continue
        if event.event_type == "calling.script.warning":
            outcome.warnings.append(f"{event.params.get('code')}: {event.params.get('message')}")
    if outcome.record is not None:
        outcome.errors = [repr(note) for note in outcome.record.errors]
    return outcome


def _is_of(event: Published, number: str) -> bool:
    device: Any = event.params.get("device", {})
    return bool(device.get("params", {}).get("to_number") == number)


async def _behave(caller: Handset) -> bool:
    """Speak in the first pauses, press a key, then listen. Whether patience ran out."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            for turn in range(1, 6):
                with suppress(TimeoutError):
                    await caller.until(lambda: caller.speaking or caller.over, 1.5)
                    await caller.until(lambda: not caller.speaking or caller.over, 15)
                if caller.over:
                    return False
                if turn == 4:
                    caller.press("1")
                else:
                    await caller.say("yes please", 40)
            await caller.until(lambda: caller.over)
            return False
    except TimeoutError:
        return True
