import pytest

from mediacore.call import CallSettings, ErrorRaised, ReplyFailed, ToolFinished, TurnSettings
from mediacore.call.recovery import (
    RULES,
    ErrorReason,
    Failure,
    FailureClass,
    Source,
    classify,
    worsened,
)
from mediacore.call.settings import Lines
from mediacore.errors import ErrorClass
from support.call_sim import Fail, Sim, Tool

PLAIN = CallSettings(turn=TurnSettings(speculative=False), dead_air_ms=0)


def test_there_are_ten_reasons_and_ten_classes_with_a_rule_each():
    assert len(ErrorReason) == 10
    assert set(RULES) == set(FailureClass)
    assert len(FailureClass) == 10


def test_every_reason_has_a_class_and_three_end_the_call_by_themselves():
    kinds = {reason: classify(Source.LLM, reason=reason) for reason in ErrorReason}
    assert all(kinds[r].reason is r for r in ErrorReason)
    assert {r.value for r in ErrorReason if kinds[r].fatal} == {
        "token_exhaustion",
        "llm_fatal",
        "llm_max_retries",
    }


@pytest.mark.parametrize(
    ("source", "error_class", "kind", "reason"),
    [
        (Source.STT, ErrorClass.TIMEOUT, "stt_unavailable", None),
        (Source.STT, ErrorClass.BAD_OUTPUT, "stt_garbage", None),
        (Source.LLM, ErrorClass.UNAVAILABLE, "llm_transient", "llm_retry"),
        (Source.TTS, ErrorClass.AUTH, "tts_failed", "voice_config_error"),
        (Source.TTS, ErrorClass.CRASHED, "tts_failed", "voice_runtime_error"),
        (Source.TOOL, ErrorClass.BAD_INPUT, "tool_invalid", "invalid_function"),
        (Source.TOOL, ErrorClass.TIMEOUT, "tool_failed", "webhook_http_failure"),
        (Source.MEDIA, None, "media_lost", None),
        (Source.SIGNALLING, None, "signalling_lost", None),
        (Source.LIMIT, None, "limit_reached", None),
    ],
)
def test_reports_are_classified(source, error_class, kind, reason):
    failure = classify(source, error_class)
    assert (failure.kind, failure.reason) == (kind, reason)


def test_what_happens_too_often_in_a_row_becomes_fatal():
    once = classify(Source.LLM)
    assert worsened(once, 1, 2) is once
    assert worsened(once, 9, 0) is once
    twice = worsened(once, 2, 2)
    assert twice == Failure(FailureClass.LLM_FATAL, ErrorReason.LLM_MAX_RETRIES, fatal=True)
    assert worsened(classify(Source.TTS), 3, 2).fatal
    invalid = classify(Source.TOOL, reason=ErrorReason.INVALID_PARAMS)
    assert worsened(invalid, 99, 2) is invalid


def test_phrases_are_lines():
    for rule in RULES.values():
        assert not rule.phrases or hasattr(Lines(), rule.phrases)


def test_a_failed_reply_is_raised_with_its_phrase_and_then_as_fatal():
    sim = Sim(PLAIN, replies=[[Fail()], [Fail()]]).caller_says("Where is it?", 1000, 1000)
    sim.caller_says("Hello again there.", 10_000, 1000).run(25_000)
    first, second = sim.of(ErrorRaised)
    assert (first.reason, first.fatal, first.retries, first.phrase) == (
        "llm_retry",
        False,
        0,
        "recoveries.0",
    )
    assert (second.reason, second.fatal, second.retries, second.phrase) == (
        "llm_max_retries",
        True,
        1,
        "failure_goodbye",
    )
    said = {u.id: u.text for t in sim.state.turns for u in t.utterances}
    assert said[first.utterance] == PLAIN.lines.recoveries[0]
    assert second.utterance is not None


def test_a_fatal_reason_ends_the_call_with_one_apology():
    sim = Sim(PLAIN, replies=[[]], llm_ms=5000).caller_says("Where is it?", 1000, 1000).run(2500)
    sim.send(ReplyFailed(sim.state.generation, ErrorClass.BAD_INPUT, ErrorReason.TOKEN_EXHAUSTION))
    sim.run(20_000)
    assert sim.spoken()[-1] == PLAIN.lines.failure_goodbye
    assert sim.state.end_reason == "failure"
    assert sim.of(ErrorRaised)[0].reason is ErrorReason.TOKEN_EXHAUSTION


def test_a_failed_tool_is_raised_and_the_model_tells_the_caller():
    sim = Sim(PLAIN, replies=[[Tool("t")], ["That did not work."]], tools={"t": (9000, "")})
    sim.caller_says("Where is it?", 1000, 1000).run(2600)
    sim.send(
        ToolFinished(sim.state.generation, "t", "no", ok=False, reason=ErrorReason.INVALID_PARAMS)
    )
    sim.run(8000)
    assert [(e.reason, e.fatal) for e in sim.of(ErrorRaised)] == [("invalid_params", False)]
    assert sim.spoken() == ["That did not work."]


def test_speech_that_is_never_understood_is_raised_each_time_and_fatal_at_last():
    sim = Sim(PLAIN)
    for n in range(4):
        sim.caller_says("x", 1000 + n * 8000, 1500, final="", partials=False)
    sim.run(45_000)
    raised = sim.of(ErrorRaised)
    assert [e.phrase for e in raised] == [
        "reprompts.0",
        "reprompts.1",
        "reprompts.2",
        "not_understood_goodbye",
    ]
    assert [e.fatal for e in raised] == [False, False, False, True]
    assert {e.kind for e in raised} == {FailureClass.STT_GARBAGE}
