"""Agents written with the published SDKs, unmodified, served over HTTP and run by a service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mediacore.providers.scripted import Call, Voice
from support.handset import tone_wav
from support.sdk import SDK_110, SDK_375, sdk_python
from support.sdk_program import SdkProgram, free_port, sdk_program, wait_listening
from support.service_sim import CALLED, CALLER, Asked, Rule, Stage, decisions, spoken

# The first test also makes the SDK's environment when there is none.
pytestmark = [pytest.mark.realtime, pytest.mark.timeout(240)]

BED_HZ, PHONE_HZ = 1000, 1800


@dataclass(frozen=True)
class Served:
    """An agent of an SDK: its process and where its document is."""

    sdk: str
    program: SdkProgram
    url: str


def served(sdk: str, program: str) -> Iterator[Served]:
    port = free_port()
    with sdk_program(sdk_python(sdk), program, str(port)) as agent:
        wait_listening(port, lambda: agent.process.poll() is not None)
        yield Served(sdk, agent, f"http://user:pass@127.0.0.1:{port}/")


@pytest.fixture(scope="module", params=[SDK_375, SDK_110])
def sales(request: pytest.FixtureRequest) -> Iterator[Served]:
    yield from served(request.param, "sales_agent.py")


@pytest.fixture(scope="module", params=[SDK_375, SDK_110])
def steps(request: pytest.FixtureRequest) -> Iterator[Served]:
    yield from served(request.param, "steps_agent.py")


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def seen_tools(stage: Stage, number: int) -> set[str]:
    assert stage.llm is not None
    return {tool.name for tool in stage.llm.requests[number].tools}


def tool_results(stage: Stage) -> list[Any]:
    assert stage.llm is not None
    last = [r for r in stage.llm.requests if r.tools][-1]
    texts = [message.text for message in last.messages if message.role == "tool"]
    return [json.loads(text)["tool_result"] if text.startswith("{") else text for text in texts]


def test_tools_get_the_calls_data_and_their_actions_are_done(sales: Served, tmp_path: Path) -> None:
    """Document, tool with token, data that rides with the call, spoken action, post-prompt."""
    rules: list[Rule] = [
        ("two seats", [Call("book", {"seats": "2"})]),
        ("Booked", "You have two seats"),
        ("thanks", [Call("bye", {})]),
        ("Summarise", '{"seats": 2}'),
    ]
    sales.program.forget()

    async def main() -> None:
        stage = Stage(tmp_path, sales.url, rules, stt=["two seats please", "thanks"])
        async with stage:
            caller = await stage.call()
            await caller.heard_speech()
            await caller.say("two seats please")
            await caller.heard_speech(2)
            await caller.say("thanks")
            await caller.gone()
            record = await stage.record()
            asked = await sales.program.said("asked")
            call = asked["body"]["call"]
            assert (call["from_number"], call["to_number"]) == (CALLER, CALLED)
            assert (call["call_id"], call["direction"]) == (record.call_id, "inbound")
            assert {"vars", "envs", "params"} <= set(asked["body"])

            book = await sales.program.said("tool")
            assert book["args"] == {"seats": "2"}
            assert book["raw"]["call_id"] == record.call_id
            assert book["raw"]["caller_id_num"] == CALLER
            assert book["raw"]["global_data"] == {"tier": "gold", "secret_pin": "sesame-4711"}
            bye = await sales.program.said("tool")
            assert bye["raw"]["global_data"]["booked"] == "2"

            said = [turn for turn in spoken(record) if turn[1]]
            assert said == [
                ("agent", "Welcome to the box office"),
                ("caller", "two seats please"),
                ("agent", "One moment please You have two seats"),
                ("caller", "thanks"),
            ]
            assert record.end_reason == "hangup"

            summary = await sales.program.said("summary")
            raw = summary["raw"]
            assert raw["call_id"] == record.call_id
            assert raw["action"] == "post_conversation"
            assert raw["post_prompt_data"]["parsed"] == [{"seats": 2}]
            assert raw["global_data"]["booked"] == "2"
            assert [t["command_name"] for t in raw["swaig_log"]] == ["book", "bye"]
            assert all("__token=" in t["url"] for t in raw["swaig_log"])
            results = [e["content"] for e in raw["call_log"] if e["role"] == "tool"]
            assert ["Booked 2 seats" in results[0], "Goodbye" in results[1]] == [True, True]

            assert stage.llm is not None
            assert not stage.llm.saw("sesame-4711") and not stage.llm.saw("__token")
            assert "sesame" not in " ".join(request.text for request in stage.tts.requests)

    run(main())


def test_actions_that_the_caller_hears(sales: Served, tmp_path: Path) -> None:
    """A switched-off tool, music behind the voice, a hold that ends, a document run inline, and
    one that takes the call out of the conversation."""
    rules: list[Rule] = [
        ("one", [Call("lock", {})]),
        ("Locked", "Locked it"),
        ("two", [Call("music", {})]),
        ("Music on", "Music plays"),
        ("three", [Call("pause", {})]),
        ("four", [Call("inline", {})]),
        ("Read it", "I have read it"),
        ("five", [Call("leave", {})]),
        ("Summarise", "{}"),
    ]
    heard = ["one", "two", "three", "four", "five"]

    def reply(asked: Asked) -> object:
        return tone_wav(BED_HZ, 4000)

    async def main() -> None:
        stage = Stage(tmp_path, sales.url, rules, stt=heard, hosts=["media.example"], reply=reply)
        async with stage:
            assert stage.llm is not None
            caller = await stage.call()
            await caller.heard_speech()
            await caller.say("one")
            await caller.heard_speech(2)
            assert "extra" in seen_tools(stage, 0) and "extra" not in seen_tools(stage, 1)

            before = caller.heard_ms
            await caller.say("two")
            await caller.until(lambda: caller.tone_dbov(BED_HZ, before) > -40)
            assert [asked.path for asked in stage.asked] == ["/a.wav"]
            await caller.until(lambda: not caller.speaking)

            await caller.say("three")
            await stage.until(lambda: [e["state"] for e in stage.of("call.ai")][-1:] == ["unhold"])
            assert [e["state"] for e in stage.of("call.ai")] == ["hold", "unhold"]
            await caller.heard_speech(4)

            await caller.say("four")
            await stage.until(lambda: "this is the inline text" in said(stage))
            await stage.until(lambda: "I have read it" in said(stage))
            await caller.until(lambda: not caller.speaking)

            await caller.say("five")
            await caller.gone()
            record = await stage.record()
            assert "the last words" in said(stage)
            assert record.end_reason == "hangup"
            assert stage.of("call.state")[-1]["call_state"] == "ended"

    run(main())


def said(stage: Stage) -> list[str]:
    return [request.text for request in stage.tts.requests]


def test_a_tool_connects_the_caller_to_a_person(sales: Served, tmp_path: Path) -> None:
    rules: list[Rule] = [("person", [Call("human", {})]), ("Summarise", "{}")]

    async def main() -> None:
        async with Stage(tmp_path, sales.url, rules, stt=["a person please"]) as stage:

            async def person(phone: Any) -> None:
                await phone.whistle(PHONE_HZ, 800)
                await phone.until(lambda: phone.tone_dbov(BED_HZ) > -40)
                phone.hang_up()

            phones = stage.phone("+15557777", person)
            caller = await stage.call()
            await caller.heard_speech()
            await caller.say("a person please")
            await caller.until(lambda: caller.tone_dbov(PHONE_HZ) > -30)
            await caller.whistle(BED_HZ, 800)
            await caller.gone()
            assert phones[0].tone_dbov(BED_HZ) > -30

    run(main())


def test_a_data_map_tool_runs_inside_the_call(sales: Served, tmp_path: Path) -> None:
    rules: list[Rule] = [
        ("how much", [Call("price", {"kind": "adult"})]),
        ("costs", [Call("bye", {})]),
        ("Summarise", "{}"),
    ]

    async def main() -> None:
        stage = Stage(
            tmp_path,
            sales.url,
            rules,
            stt=["how much is it"],
            hosts=["prices.example"],
            reply=lambda asked: {"price": 12},
        )
        async with stage:
            caller = await stage.call()
            await caller.heard_speech()
            await caller.say("how much is it")
            await caller.gone()
            assert [(a.method, a.host, a.path) for a in stage.asked] == [
                ("GET", "prices.example", "/v1/adult")
            ]
            assert tool_results(stage) == ["A adult ticket costs 12 euros"]

    run(main())


def test_the_summary_says_what_an_interrupted_caller_heard(sales: Served, tmp_path: Path) -> None:
    long = "We have seats in the stalls and in the circle and also in the upper balcony tonight"
    rules: list[Rule] = [
        ("which", long),
        ("stop", [Call("bye", {})]),
        ("Summarise", "{}"),
    ]
    sales.program.forget()

    async def main() -> None:
        stage = Stage(
            tmp_path,
            sales.url,
            rules,
            stt=["which seats", "stop please stop"],
            voice=Voice(ms_per_char=60, first_delay_ms=30),
        )
        async with stage:
            caller = await stage.call()
            await caller.heard_speech()
            await caller.say("which seats")
            await caller.until(lambda: caller.starts == 2)
            began = caller.heard_ms
            await asyncio.sleep(1.5)
            await caller.say("stop please stop")
            await caller.gone()
            record = await stage.record()
            raw = (await sales.program.said("summary"))["raw"]
            turn = next(t for t in record.turns if t.heard_text and long.startswith(t.heard_text))
            entry = next(e for e in raw["call_log"] if e.get("barged"))
            assert entry["text_heard_approx"] == entry["content"] == turn.heard_text
            assert entry["text_spoken_total"] == long
            # What the phone's ear says of it: a letter takes 60 ms, a space is silent.
            letters_ms = 60 * len(turn.heard_text.replace(" ", ""))
            assert caller.sound_ms(began - 200) == pytest.approx(letters_ms, abs=200)
            assert 15 < len(turn.heard_text) < 50

    run(main())


def test_a_step_that_is_not_allowed_is_refused(steps: Served, tmp_path: Path) -> None:
    """Steps: tools of each, the model's way bound to the list, the application's way free."""
    rules: list[Rule] = [
        ("jump", [Call("next_step", {"step": "done"})]),
        ("not allowed|cannot|valid|refused", "That does not work"),
        ("my name", [Call("next_step", {"step": "room"})]),
        ("room please", [Call("assign", {})]),
        ("Ask for the room|room", "Which room?"),
        ("assign done", "Have a good stay"),
        ("bye", "Good bye"),
    ]

    async def main() -> None:
        heard = ["jump now", "my name is Ann", "a room please", "bye"]
        async with Stage(tmp_path, steps.url, rules, stt=heard) as stage:
            assert stage.llm is not None
            caller = await stage.call()
            await caller.heard_speech()
            tools: list[set[str]] = []
            for number, text in enumerate(heard[:3]):
                tools.append(set())
                before = len(stage.llm.requests)
                await caller.say(text)
                await caller.heard_speech(number + 2)
                tools[-1] = seen_tools(stage, before) - {"next_step", "change_context"}
            caller.hang_up()
            record = await stage.record()
            assert tools == [{"keep"}, {"keep"}, {"assign"}]
            verdicts = [note.verdict for note in decisions(record, "refused")]
            assert verdicts.count("transition_refused") == 1
            assert seen_tools(stage, -1) - {"next_step", "change_context"} == set()
            assert [said["name"] for said in steps.program.all("tool")[-1:]] == ["assign"]

    run(main())
