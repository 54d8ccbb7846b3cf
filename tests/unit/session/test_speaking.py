"""Synthesisers that stall, burst, fail, hang or give garbage, in whole calls."""

from __future__ import annotations

import pytest

from mediacore.call import CallSettings
from mediacore.call.record import UtteranceState
from mediacore.errors import ErrorClass
from mediacore.providers.scripted import End, Say, ScriptedLlm, ScriptedStt, ScriptedTts, Voice
from mediacore.slots.policy import TtsPolicy
from support.session_sim import GREETING, Stage, agent_turns, assert_ledger, play, say

POLICY = TtsPolicy(first_ms=1500, gap_ms=1500)
ANSWER = "Your order has four items and it left our warehouse on Monday in the morning."
BYE = (Say("Goodbye then."), End())
FINE = Voice()


def call(*tts: ScriptedTts, command_slots: int = 0, greeting: str = GREETING) -> Stage:
    stage = Stage(
        stt=[ScriptedStt(["Where is my order?", "Once more, please.", "Thank you.", "Bye."])],
        llm=[ScriptedLlm([ANSWER, f"Again: {ANSWER}", BYE])],
        tts=tts,
        tts_policy=POLICY,
        command_slots=command_slots,
        settings=CallSettings(greeting=greeting, stall_ms=3000),
        lines=[say("Where is my order please?"), say("Once more please."), say("Thank you.")],
    )
    return play(stage, 240)


def check(stage: Stage, error: ErrorClass) -> str:
    record = stage.record
    assert error.value in {note.error_class for note in record.errors}
    assert all(note.source.startswith("tts ") for note in record.errors)
    assert stage.silence_ms() <= stage.settings.dead_air_ms + 1000
    assert_ledger(stage)
    return " ".join(t.heard_text for t in agent_turns(record))


@pytest.mark.parametrize("error", list(ErrorClass))
def test_a_failure_before_the_first_sound_is_repaired(error: ErrorClass) -> None:
    stage = call(ScriptedTts((FINE, Voice(error=error), FINE)), ScriptedTts(name="spare"))
    assert ANSWER in check(stage, error)


@pytest.mark.parametrize("error", list(ErrorClass))
def test_a_failure_in_the_middle_says_nothing_twice(error: ErrorClass) -> None:
    broken = Voice(error=error, error_at_ms=600)
    stage = call(ScriptedTts((FINE, broken, FINE)), ScriptedTts(name="spare"))
    said = check(stage, error)
    assert said.replace(f"Again: {ANSWER}", "").count("Your order") <= 1
    parts = [u for t in agent_turns(stage.record) for u in t.utterances]
    half = next(u for u in parts if 0 < u.played_samples < len(u.text) * 60 * 8 * 0.9)
    assert half.heard_chars < len(half.text)
    assert abs(half.heard_chars - half.played_samples / 480) <= 14


@pytest.mark.parametrize(
    ("voice", "error"),
    [
        (Voice(hang=True), ErrorClass.TIMEOUT),
        (Voice(first_delay_ms=30_000), ErrorClass.TIMEOUT),
        (Voice(stall_at_ms=400, stall_ms=60_000), ErrorClass.TIMEOUT),
        (Voice(actual_srate_hz=8000), ErrorClass.BAD_OUTPUT),
        (Voice(odd=True), ErrorClass.BAD_OUTPUT),
        (Voice(empty=True), ErrorClass.BAD_OUTPUT),
        (Voice(endless=True, burst=True), ErrorClass.BAD_OUTPUT),
    ],
    ids=["never", "late", "stops", "wrong rate", "odd", "empty", "endless"],
)
@pytest.mark.parametrize("spare", [True, False])
def test_what_cannot_be_used_is_not_played(voice: Voice, error: ErrorClass, *, spare: bool) -> None:
    tts = [ScriptedTts((FINE, voice, voice, FINE))]
    stage = call(*tts, *([ScriptedTts(name="spare")] if spare else []))
    check(stage, error)
    assert stage.record.end_reason in ("completed", "speech_failed")
    # Whatever was played is no longer than its text explains: no garbage at a wrong rate.
    for turn in agent_turns(stage.record):
        for utterance in turn.utterances:
            limit_ms = POLICY.max_audio_ms + POLICY.max_audio_ms_per_char * len(utterance.text)
            assert utterance.played_samples <= limit_ms * 8


def test_a_voice_that_always_fails_ends_the_call() -> None:
    broken = (Voice(error=ErrorClass.UNAVAILABLE),)
    stage = call(ScriptedTts(broken), ScriptedTts(broken, name="spare"))
    check(stage, ErrorClass.UNAVAILABLE)
    assert stage.record.media["wire_samples"] == 0
    assert stage.record.end_reason == "speech_failed"


def test_a_stall_inside_an_utterance_keeps_the_ledger_exact() -> None:
    """A second without audio in the middle: the core underruns, the heard text stays right."""
    stalls = Voice(stall_at_ms=500, stall_ms=1000)
    stage = call(ScriptedTts((FINE, stalls, FINE), word_times=True))
    record = stage.record
    assert record.errors == ()
    assert record.media["underruns"] >= 1
    turn = agent_turns(record)[1]
    assert turn.heard_text == ANSWER
    assert all(u.state is UtteranceState.FINISHED for u in turn.utterances)
    assert_ledger(stage)


@pytest.mark.parametrize("srate_hz", [8000, 16000, 22050, 24000, 48000])
def test_rates(srate_hz: int) -> None:
    stage = call(ScriptedTts(srate_hz=srate_hz))
    assert stage.record.errors == ()
    played_ms = sum(u.played_samples for u in agent_turns(stage.record)[0].utterances) / 8
    assert abs(played_ms - 60 * len(GREETING)) <= 60


def test_a_burst_waits_its_turn() -> None:
    """All audio at once, far more than the core holds: everything is played, in order."""
    stage = call(ScriptedTts((Voice(burst=True, first_delay_ms=0, chunk_delay_ms=0),)))
    assert stage.record.errors == ()
    assert stage.record.media["underruns"] == 0
    assert stage.record.media["flushed_samples"] == 0
    assert agent_turns(stage.record)[1].heard_text == ANSWER
    assert_ledger(stage)


def test_slow_chunks_do_not_lose_words() -> None:
    """Pieces of 20 ms a little slower than real time."""
    stage = call(ScriptedTts((Voice(chunk_ms=20, chunk_delay_ms=24),)))
    assert stage.record.errors == ()
    assert agent_turns(stage.record)[1].heard_text == ANSWER
    assert_ledger(stage)


def test_more_marks_than_commands_fit() -> None:
    """A voice of 30 short words between two ticks, and room for 16 commands."""
    greeting = "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d"
    stage = call(
        ScriptedTts((Voice(ms_per_char=15, burst=True),), word_times=True),
        command_slots=16,
        greeting=greeting,
    )
    assert stage.record.errors == ()
    assert stage.record.end_reason == "completed"
    assert agent_turns(stage.record)[0].heard_text == greeting
    assert_ledger(stage)
