"""What the agent's runs do outside the reducer: model, tools, hooks, summary, gain."""

from __future__ import annotations

import asyncio
import json
from array import array
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mediacore.call.context import ContextEntry, Role, ToolRequest
from mediacore.errors import ErrorClass, ProviderError
from mediacore.providers.scripted import Call, End, Say, ScriptedLlm, ScriptedStt
from mediacore.session.agentside import estimate, messages
from mediacore.slots.llm import LlmEvent, LlmInfo, LlmRequest, Message
from mediacore.web.client import HttpReply, HttpRequest
from support.host_sim import HostSim, Phone
from virtual import run_virtual

HELLO = "Hello, how can I help?"
TOOL = {"function": "look", "description": "Looks.", "web_hook_url": "http://app.example/look"}
HOOK = {"function": "hangup_hook", "web_hook_url": "http://app.example/bye"}


def statement(*functions: dict[str, Any], **params: object) -> dict[str, Any]:
    given = {"static_greeting": HELLO, **params}
    return {
        "ai": {"prompt": {"text": "Be brief."}, "params": given, "SWAIG": {"functions": functions}}
    }


def call(tmp_path: Path, ai: dict[str, Any], llm: Any, *said: str, **more: Any) -> HostSim:
    """A caller who says these things, five seconds apart, and then waits."""
    answers: dict[str, object] = more.pop("answers", {})

    def reply(request: HttpRequest) -> HttpReply:
        found = answers.get(request.url.rpartition("/")[2])
        return HttpReply(404) if found is None else HttpReply(200, body=json.dumps(found).encode())

    async def caller(phone: Phone) -> None:
        await phone.up()
        await asyncio.sleep(3)
        for text in said:
            await phone.say(text)
            await asyncio.sleep(4)
        async with asyncio.timeout(60):
            await phone.wait_gone()

    sim = HostSim(
        tmp_path,
        [{"answer": {}}, ai, {"hangup": {}}],
        stt=ScriptedStt(list(said)),
        llm=llm,
        **more,
    )

    async def main() -> None:
        async with sim:
            sim.client.script = reply
            sim.call(caller)
            await sim.idle()
        sim.assert_settled()

    run_virtual(main())
    return sim


class BrokenLlm:
    """Fails every time, in one way."""

    def __init__(self, error: ErrorClass) -> None:
        self._error = error
        self.asked = 0

    @property
    def info(self) -> LlmInfo:
        return LlmInfo("broken")

    async def run(self, request: LlmRequest) -> AsyncIterator[LlmEvent]:
        self.asked += 1
        if self.asked:
            raise ProviderError(self._error, "no")
        yield  # type: ignore[unreachable]

    async def aclose(self) -> None:
        pass


@pytest.mark.parametrize(
    ("error", "reason", "fatal"),
    [
        (ErrorClass.AUTH, "llm_fatal", True),
        (ErrorClass.RATE_LIMITED, "token_exhaustion", True),
        (ErrorClass.BAD_OUTPUT, "llm_retry", False),
    ],
)
def test_a_models_failure_has_its_public_reason(
    tmp_path: Path, error: ErrorClass, reason: str, fatal: bool
) -> None:
    sim = call(tmp_path, statement(), BrokenLlm(error), "Hi there.", "Are you there?")
    first = next(e.params for e in sim.events if e.event_type == "calling.ai.error")
    assert (first["error_reason"], first["fatal"]) == (reason, fatal)
    (record,) = sim.kept
    assert "Goodbye" in record.turns[-1].full_text


def test_a_tool_is_called_with_the_calls_data_and_its_answer_is_used(tmp_path: Path) -> None:
    llm = ScriptedLlm([(Call("look", {"n": 1}),), (Say("It is blue. Goodbye."), End())])
    sim = call(
        tmp_path, statement(TOOL), llm, "Look it up.", answers={"look": {"response": "blue"}}
    )
    (request,) = [r for r in sim.client.requests if r.url.endswith("/look")]
    body = json.loads(request.body or b"")
    assert body["argument"]["parsed"] == [{"n": 1}] and body["function"] == "look"
    (record,) = sim.kept
    assert record.turns[-1].full_text == "It is blue. Goodbye."


def test_the_hangup_hook_is_called_although_the_run_is_over(tmp_path: Path) -> None:
    llm = ScriptedLlm([(Say("Goodbye."), End())])
    sim = call(tmp_path, statement(HOOK), llm, "Bye.", answers={"bye": {"response": "ok"}})
    assert [r.url for r in sim.client.requests] == ["http://app.example/bye"]


def test_a_fatal_error_can_be_rescued_by_the_hangup_hook(tmp_path: Path) -> None:
    document = {"sections": {"main": [{"play": "say:Connecting you to a person."}]}}
    answers = {"bye": {"action": [{"SWML": document, "transfer": True}]}}
    llm = BrokenLlm(ErrorClass.AUTH)
    sim = call(tmp_path, statement(HOOK), llm, "Hi there.", answers=answers)
    reasons = [e.params["error_reason"] for e in sim.events if e.event_type == "calling.ai.error"]
    assert reasons[0] == "llm_fatal" and reasons[-1] == "fatal_error_transfer"
    plays = [e.params["state"] for e in sim.events if e.event_type == "calling.call.play"]
    assert plays == ["playing", "finished"]


def test_the_voice_has_the_gain_of_the_document(tmp_path: Path) -> None:
    def loudness(volume: int) -> float:
        llm = ScriptedLlm([(Say("Goodbye."), End())])
        sim = HostSim(tmp_path, [statement(ai_volume=volume)], llm=llm)
        heard: list[array[int]] = []

        async def caller(phone: Phone) -> None:
            await phone.up()
            await asyncio.sleep(3)
            heard.append(phone.sent())
            phone.end()

        async def main() -> None:
            async with sim:
                sim.call(caller)
                await sim.idle()

        run_virtual(main())
        return max(abs(x) for x in heard[0])

    assert loudness(-12) == pytest.approx(loudness(0) * 10 ** (-12 / 20), rel=0.1)


def test_the_model_gets_the_conversation_in_order() -> None:
    request = ToolRequest("c1", "look", "{}")
    context = (
        ContextEntry(Role.USER, "Hi."),
        ContextEntry(Role.ASSISTANT, "", (request,)),
        ContextEntry(Role.TOOL, "blue", tool_call_id="c1"),
        ContextEntry(Role.SYSTEM, "note"),
    )
    found = messages("Be brief.", context)
    assert [m.role for m in found] == ["system", "user", "assistant", "tool", "system"]
    assert found[2].tool_calls[0].name == "look" and found[3].tool_call_id == "c1"
    assert messages("", context)[0].role == "user"


def test_uncounted_tokens_are_estimated() -> None:
    assert estimate(LlmRequest((Message("user", "a" * 400),)), said=41) == (100, 11)


def test_what_was_heard_is_exact_when_the_caller_hangs_up_in_the_middle(tmp_path: Path) -> None:
    long = "This greeting is so long that nobody would ever listen to it up to its very end."
    sim = HostSim(tmp_path, [statement(static_greeting=long)], llm=ScriptedLlm([]))

    async def caller(phone: Phone) -> None:
        await phone.up()
        await asyncio.sleep(2)
        phone.end()

    async def main() -> None:
        async with sim:
            sim.call(caller)
            await sim.idle()

    run_virtual(main())
    (record,) = sim.kept
    (turn,) = record.turns
    (utterance,) = turn.utterances
    assert 0 < utterance.heard_chars < len(long)
    assert utterance.cut_at is not None
    played_ms = utterance.played_samples * 1000 // record.srate_hz
    assert abs(utterance.heard_chars - played_ms // 60) <= 8
