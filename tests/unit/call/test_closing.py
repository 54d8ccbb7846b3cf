"""The one goodbye, however the end comes."""

from dataclasses import replace

from mediacore.call import (
    CallSettings,
    ConversationOver,
    Phase,
    Speak,
    TurnSettings,
    closing,
    initial_state,
)
from mediacore.call.draft import Draft
from mediacore.call.record import UtteranceKind
from support.call_sim import Delay, Fail, Hang, Sim, Tool

PLAIN = CallSettings(turn=TurnSettings(speculative=False), dead_air_ms=0)
PROMPT = "The time is up."
HARD = replace(PLAIN, hard_stop_ms=5000, hard_stop_prompt=PROMPT)


def test_a_second_goodbye_is_refused():
    d = Draft(replace(initial_state(), phase=Phase.LISTENING), now=1_000_000)
    assert closing.say_last(d, "one", "Bye.") is not None
    assert closing.say_last(d, "two", "Bye again.", interruptible=False) is None
    assert [a.text for a in d.actions if isinstance(a, Speak)] == ["Bye."]
    assert d.state.ending is not None
    assert (d.state.ending.reason, d.state.ending.interruptible) == ("one", False)


def test_time_that_is_up_during_a_goodbye_adds_none():
    sim = Sim(replace(PLAIN, max_call_ms=3500), replies=[["Goodbye, dear caller.", Hang()]])
    sim.caller_says("That is all.", 1000, 800).run(20_000)
    assert sim.spoken() == ["Goodbye, dear caller."]
    assert sim.heard()[-1] == ("agent", "Goodbye, dear caller.")
    assert [a.reason for a in sim.of(ConversationOver)] == ["completed"]


def test_the_hard_stop_lets_the_model_say_goodbye():
    sim = Sim(HARD, replies=[["Our time is up, goodbye."]]).run(12_000)
    assert sim.contexts == [(("system", PROMPT),)]
    assert " ".join(sim.spoken()) == "Our time is up, goodbye."
    assert sim.state.end_reason == "hard_stop"
    assert PROMPT not in [text for _, text in sim.context()]


def test_the_hard_stop_has_a_fixed_line_for_a_model_that_fails():
    for reply in ([Fail()], [], [Tool("t")], [Delay(60_000), "Too late."]):
        sim = Sim(HARD, replies=[reply]).run(40_000)
        assert sim.spoken() == [PLAIN.lines.limit_goodbye], reply
        assert len(sim.of(ConversationOver)) == 1
        assert sim.of(Speak)[0].kind is UtteranceKind.CLOSING


def test_without_a_prompt_the_hard_stop_is_the_fixed_line():
    sim = Sim(replace(HARD, hard_stop_prompt="")).run(12_000)
    assert sim.contexts == []
    assert sim.spoken() == [PLAIN.lines.limit_goodbye]
    assert sim.state.end_reason == "hard_stop"
