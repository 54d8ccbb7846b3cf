from dataclasses import replace

import pytest

from mediacore.assistant.settings import (
    ACKNOWLEDGE_PROMPT,
    NOISE_COMMIT_MS,
    call_settings,
    safe_pattern,
    tuned,
)
from mediacore.call.settings import INTERRUPTIBLE, NOT_INTERRUPTIBLE, CallSettings, TurnSettings

BASE = CallSettings()


def read(direction: str = "inbound", **params) -> CallSettings:
    return call_settings(params, BASE, direction=direction)


def test_without_parameters_only_the_opening_is_the_models():
    assert read() == replace(BASE, greet_by_reply=True)
    assert read(enable_barge="complete,partial") == read()


def test_who_speaks_first():
    assert read(static_greeting=" Hello. ").greeting == "Hello."
    assert not read(static_greeting="Hello.").greet_by_reply
    assert read(wait_for_user=True).wait_for_user
    assert not read(wait_for_user=True).greet_by_reply
    given = call_settings({"static_greeting": "A"}, BASE, greeting="B", fillers=("Hm.",))
    assert given.greeting == "B"
    assert given.lines.fillers == ("Hm.",)
    assert read(initial_sleep_ms=300).initial_sleep_ms == 300


@pytest.mark.parametrize("value", [False, "false", ""])
def test_no_interruption_at_all(value):
    barge = read(enable_barge=value).barge
    assert {barge.reply, barge.greeting, barge.closing, barge.say} == {NOT_INTERRUPTIBLE}


@pytest.mark.parametrize("value", [True, "true", "partial, complete", ["complete", "partial"], 7])
def test_the_usual_ways_to_interrupt_are_ours(value):
    assert read(enable_barge=value).barge == BASE.barge
    assert read(enable_barge=value).turn.sound_cuts


def test_only_finals_or_only_words():
    finals = read(enable_barge="complete")
    assert not finals.turn.barge_partials
    assert not finals.turn.sound_cuts
    assert finals.barge.reply == replace(INTERRUPTIBLE, commit_ms=0)
    assert read(enable_barge="partial").turn.barge_partials
    words = read(barge_min_words=4)
    assert (words.turn.min_words, words.turn.final_min_words) == (4, 4)
    assert words.barge.reply.commit_ms == 0
    assert read(enable_barge="all").turn.sound_cuts
    assert read(enable_barge="all").barge.reply.commit_ms == INTERRUPTIBLE.commit_ms


def test_noise_and_the_greeting():
    noise = read(interrupt_on_noise=True)
    assert noise.turn.sound_cuts
    assert noise.barge.reply.commit_ms == NOISE_COMMIT_MS
    assert read(static_greeting_no_barge=True).barge.greeting == NOT_INTERRUPTIBLE
    assert read(static_greeting_no_barge=True).barge.reply == INTERRUPTIBLE


def test_talk_over_and_what_the_model_is_told_of_it():
    assert read().turn.merge_ms == 0
    assert read(transparent_barge=True).turn.merge_ms == 3000
    assert read(transparent_barge=True, transparent_barge_max_time=900).turn.merge_ms == 900
    assert read(transparent_barge=False).turn.merge_ms == 0
    assert read(acknowledge_interruptions=True).interrupt_prompt == ACKNOWLEDGE_PROMPT
    assert read(interrupt_prompt="Be brief.").interrupt_prompt == "Be brief."


def test_turn_taking():
    turn = read(end_of_speech_timeout=900, turn_detection_timeout=250, speech_timeout=5000).turn
    assert (turn.complete_ms, turn.unsure_ms, turn.incomplete_ms) == (250, 900, 1200)
    assert (turn.detector_ms, turn.caller_limit_ms) == (250, 5000)
    plain = read(end_of_speech_timeout=2000, enable_turn_detection=False).turn
    assert (plain.complete_ms, plain.unsure_ms, plain.incomplete_ms) == (2000, 2000, 2000)
    assert read(speech_timeout=0).turn.caller_limit_ms == TurnSettings().caller_limit_ms
    keys = read(digit_timeout=1000, digit_terminators="*").turn
    assert (keys.digit_ms, keys.digit_terminators) == (1000, "*")
    waits = read(speech_event_timeout=900, first_word_timeout=800).turn
    assert (waits.stt_deadline_ms, waits.noise_ms) == (900, 800)


def test_silence_and_lifetime():
    silent = read(
        attention_timeout=12_000, attention_timeout_prompt="Ask.", inactivity_timeout=60_000
    )
    assert (silent.dead_air_ms, silent.attention_prompt) == (12_000, "Ask.")
    assert silent.inactivity_ms == 60_000
    assert read(attention_timeout=0).dead_air_ms == 0
    both = {"attention_timeout": 12_000, "outbound_attention_timeout": 90_000}
    assert read("outbound", **both).dead_air_ms == 90_000
    assert read("inbound", **both).dead_air_ms == 12_000
    named = call_settings({"direction": "outbound", **both}, BASE, direction="inbound")
    assert named.dead_air_ms == 90_000
    assert read("outbound", attention_timeout=12_000).dead_air_ms == 12_000


@pytest.mark.parametrize(
    ("value", "ms"),
    [("1h45m30s", 6_330_000), ("90s", 90_000), (30, 30_000), ("", 0), ("soon", 0), (True, 0)],
)
def test_the_hard_stop(value, ms):
    assert read(hard_stop_time=value).hard_stop_ms == ms


def test_tools_and_the_model():
    read_in = read(
        function_wait_for_talking=True, max_response_tokens=64, conversation_sliding_window=6
    )
    assert read_in.tools_wait
    assert (read_in.max_response_tokens, read_in.history_turns) == (64, 6)


def test_a_tool_may_tune_a_running_conversation():
    running = read(static_greeting="Hello.", barge_min_words=4, attention_timeout=12_000)
    after = tuned(running, {"end_of_speech_timeout": 2000, "inactivity_timeout": 90_000})
    assert after.turn.unsure_ms == 2000
    assert after.turn.min_words == 4
    assert not after.turn.sound_cuts
    assert (after.barge, after.greeting) == (running.barge, "Hello.")
    assert (after.dead_air_ms, after.inactivity_ms) == (12_000, 90_000)
    assert tuned(running, {"enable_barge": False}).barge.reply == NOT_INTERRUPTIBLE


@pytest.mark.parametrize("pattern", ["(", "(a+)+$", r"(x|x)*y", r"(?:ab){2,}"])
def test_a_pattern_that_is_broken_or_could_run_for_ever_is_taken_literally(pattern):
    assert safe_pattern(pattern) != pattern


@pytest.mark.parametrize("pattern", [r"\b(stop|wait)\b", "hold( on)?", "[a-z]+ please"])
def test_a_plain_pattern_is_kept(pattern):
    assert safe_pattern(pattern) == pattern
    assert read(barge_match_string=pattern).turn.barge_pattern == pattern
