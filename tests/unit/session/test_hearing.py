"""Recognisers that fail, hang, start late or fall behind, in whole calls."""

from __future__ import annotations

import pytest

from mediacore.call import CallSettings
from mediacore.errors import ErrorClass
from mediacore.providers.scripted import End, Heard, Say, ScriptedLlm, ScriptedStt, ScriptedTts
from mediacore.slots.policy import SttPolicy
from support.session_sim import GREETING, Stage, agent_turns, assert_ledger, play, say

POLICY = SttPolicy(final_ms=1500, restart_wait_ms=50)
REPLIES = ["Of course. What is your number?", (Say("Goodbye then."), End())]


def call(*stt: ScriptedStt, **changes: object) -> Stage:
    stage = Stage(
        stt=stt,
        llm=[ScriptedLlm(REPLIES)],
        tts=[ScriptedTts()],
        stt_policy=POLICY,
        settings=CallSettings(greeting=GREETING),
        lines=[say("I want to check my order."), say("It is four two seven."), say("Goodbye.")],
    )
    for name, value in changes.items():
        setattr(stage, name, value)
    return play(stage, 240)


def check(stage: Stage, error: ErrorClass) -> None:
    record = stage.record
    assert error.value in {note.error_class for note in record.errors}
    assert all(note.source.startswith("stt ") for note in record.errors)
    assert stage.silence_ms() <= stage.settings.dead_air_ms + 1000
    assert record.end_reason
    assert_ledger(stage)


@pytest.mark.parametrize("error", list(ErrorClass))
def test_a_failure_is_classified_and_the_call_goes_on(error: ErrorClass) -> None:
    """The next attempt, on the same recogniser or its substitute, hears the next utterance."""
    stage = call(
        ScriptedStt([Heard("", error=error), "It is 427.", "Goodbye."]),
        ScriptedStt(["It is 427.", "Goodbye."], name="spare"),
    )
    check(stage, error)
    assert "Of course." in " ".join(t.heard_text for t in agent_turns(stage.record))
    assert stage.record.errors[0].recovery in ("retry", "fallback")


def test_one_that_never_answers_is_given_up() -> None:
    stage = call(ScriptedStt([Heard("", hang=True), "It is 427.", "Goodbye."]))
    check(stage, ErrorClass.TIMEOUT)
    spoken = [t.full_text for t in agent_turns(stage.record)]
    assert spoken[1] in stage.settings.lines.reprompts + stage.settings.lines.recoveries
    assert stage.record.end_reason == "completed"


def test_partials_stand_in_for_a_final_that_never_comes() -> None:
    partials = ((300, "I want"), (900, "I want to check my order"))
    stage = call(ScriptedStt([Heard("", partials, hang=True), "Goodbye."]))
    check(stage, ErrorClass.TIMEOUT)
    assert stage.record.turns[1].text == "I want to check my order"


def test_a_late_final_is_waited_for() -> None:
    stage = call(ScriptedStt([Heard("I want to check my order.", final_delay_ms=1200), "Bye."]))
    assert stage.record.errors == ()
    assert stage.record.turns[1].text == "I want to check my order."


def test_without_any_recogniser_the_caller_is_told() -> None:
    fatal = Heard("", error=ErrorClass.AUTH)
    stage = call(ScriptedStt([fatal] * 9), ScriptedStt([fatal] * 9, name="spare"))
    check(stage, ErrorClass.AUTH)
    record = stage.record
    assert record.errors[-1].recovery == "raise"
    assert record.end_reason != "completed"
    assert stage.silence_ms() <= stage.settings.dead_air_ms + 1000
    assert record.turns[-1].full_text in (
        stage.settings.lines.not_understood_goodbye,
        stage.settings.lines.silence_goodbye,
        stage.settings.lines.failure_goodbye,
    )


@pytest.mark.parametrize("srate_hz", [8000, 16000, 24000])
def test_the_recogniser_gets_its_rate(srate_hz: int) -> None:
    stage = call(ScriptedStt(["Hello.", "Goodbye."], srate_hz=srate_hz))
    assert stage.record.errors == ()
    assert stage.record.end_reason == "completed"
