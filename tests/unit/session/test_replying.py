"""Models that fail, hang, stall or answer late, in whole calls."""

from __future__ import annotations

from typing import Any

import pytest

from mediacore.call import CallSettings
from mediacore.errors import ErrorClass
from mediacore.providers.scripted import (
    Call,
    End,
    Fail,
    Hang,
    Say,
    ScriptedLlm,
    ScriptedStt,
    ScriptedTts,
)
from mediacore.slots.policy import LlmPolicy
from support.session_sim import GREETING, Stage, agent_turns, assert_ledger, play, say

POLICY = LlmPolicy(first_ms=2000, gap_ms=1500)
BYE = (Say("Goodbye then."), End())
ANSWER = "Your order is on its way."


def call(*llm: ScriptedLlm) -> Stage:
    stage = Stage(
        stt=[ScriptedStt(["Where is my order?", "Once more, please.", "Thank you.", "Bye."])],
        llm=llm,
        tts=[ScriptedTts()],
        llm_policy=POLICY,
        settings=CallSettings(greeting=GREETING, reply_deadline_ms=5000),
        lines=[say("Where is my order please?"), say("Once more please."), say("Thank you.")],
    )
    return play(stage, 240)


def check(stage: Stage, error: ErrorClass) -> str:
    """What the agent said, as heard."""
    record = stage.record
    assert error.value in {note.error_class for note in record.errors}
    assert all(note.source.startswith("llm ") for note in record.errors)
    assert stage.silence_ms() <= stage.settings.reply_deadline_ms + 600
    assert_ledger(stage)
    return " ".join(t.heard_text for t in agent_turns(record))


@pytest.mark.parametrize("error", list(ErrorClass))
def test_a_failure_before_the_first_word_is_repaired(error: ErrorClass) -> None:
    stage = call(
        ScriptedLlm([(Fail(error),), ANSWER, BYE]), ScriptedLlm([ANSWER, BYE], name="spare")
    )
    said = check(stage, error)
    assert said.startswith(f"{GREETING} {ANSWER}")
    assert stage.record.errors[0].recovery in ("retry", "fallback")


@pytest.mark.parametrize("error", list(ErrorClass))
def test_a_failure_in_the_middle_repeats_nothing(error: ErrorClass) -> None:
    stage = call(
        ScriptedLlm([(Say("Your order left on Monday. "), Fail(error)), ANSWER, BYE]),
        ScriptedLlm([BYE], name="spare"),
    )
    said = check(stage, error)
    assert said.count("left on Monday") == 1
    assert stage.settings.lines.recoveries[0] in said


@pytest.mark.parametrize(
    "reply",
    [
        (Hang(),),
        (Say("Let me see. "), Hang()),
        (Say("Your order left on Monday.", delay_ms=60_000),),
        (Say("Let me see. "), Say("It left.", delay_ms=60_000)),
    ],
    ids=["never", "stops", "late", "stalls"],
)
def test_waiting_has_an_end(reply: tuple[Any, ...]) -> None:
    stage = call(ScriptedLlm([reply, reply, BYE]))
    check(stage, ErrorClass.TIMEOUT)
    assert stage.record.end_reason in ("completed", "failure")


@pytest.mark.parametrize("reply", [(Say(""),), (Say("  \n "),)], ids=["nothing", "space"])
def test_an_empty_reply_is_an_error(reply: tuple[Any, ...]) -> None:
    stage = call(ScriptedLlm([reply, BYE]), ScriptedLlm([ANSWER, BYE], name="spare"))
    assert ANSWER in check(stage, ErrorClass.BAD_OUTPUT)


def test_a_model_that_always_fails_ends_the_call_with_words() -> None:
    fatal = [(Fail(ErrorClass.UNAVAILABLE),)] * 30
    stage = call(ScriptedLlm(fatal), ScriptedLlm(fatal, name="spare"))
    check(stage, ErrorClass.UNAVAILABLE)
    assert stage.record.turns[-1].heard_text == stage.settings.lines.failure_goodbye


def test_tool_rounds_are_bounded() -> None:
    again = (Call("again", {}),)
    llm = ScriptedLlm([again] * 50)
    stage = call(llm)
    assert len(llm.requests) <= 3 * (stage.settings.max_tool_rounds + 2)
    assert stage.silence_ms() <= stage.settings.reply_deadline_ms + 600
    assert stage.record.end_reason


def test_a_burst_of_text_is_spoken_whole() -> None:
    sentence = "It left our warehouse on Monday and comes on Friday. "
    stage = call(ScriptedLlm([sentence * 4, BYE], word_delay_ms=0, first_delay_ms=0))
    assert stage.record.errors == ()
    assert agent_turns(stage.record)[1].heard_text == (sentence * 4).strip()
