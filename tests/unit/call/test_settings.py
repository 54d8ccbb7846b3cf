"""Rules that come from documents: greeting, silence, interruption, what the model is shown."""

from dataclasses import replace

import pytest

from mediacore.call import (
    CallSettings,
    ConversationOver,
    CutPlayout,
    Lines,
    Phase,
    StartReply,
    TurnSettings,
    fixed_lines,
)
from mediacore.call.settings import BargeProfiles
from mediacore.events import DigitReceived, DigitSource
from support.call_sim import Sim

TURN = TurnSettings(speculative=False)
PLAIN = CallSettings(turn=TURN, dead_air_ms=0)
LONG = "A reply that is long enough to be interrupted in the middle of it."


def talk_over(said: str, at_ms: int = 3500, **turn) -> Sim:
    """The caller talks over the agent, whose reply begins at 2640 ms."""
    words_only = replace(PLAIN.barge.reply, commit_ms=0)
    settings = replace(
        PLAIN, turn=replace(TURN, **turn), barge=BargeProfiles(reply=words_only, closing=words_only)
    )
    sim = Sim(settings, replies=[[LONG], ["Yes."]]).caller_says("Where is it?", 1000, 1000)
    return sim.caller_says(said, at_ms, 2500).run(15_000)


def test_the_fixed_lines_are_all_that_can_be_said_without_a_model():
    lines = Lines()
    known = fixed_lines(CallSettings(greeting="Hello."))
    assert "Hello." in known
    for group in (lines.fillers, lines.reprompts, lines.silence, lines.recoveries):
        assert set(group) <= set(known)
    assert {lines.silence_goodbye, lines.failure_goodbye, lines.limit_goodbye} <= set(known)
    assert {lines.not_understood_goodbye, lines.hold_over} <= set(known)
    assert len(set(known)) == len(known)
    assert "" not in fixed_lines(CallSettings(lines=Lines(hold_over="")))


def test_who_speaks_first():
    waits = Sim(replace(PLAIN, greeting="Hello.", wait_for_user=True)).run(5000)
    assert waits.spoken() == []
    late = Sim(replace(PLAIN, greeting="Hello.", initial_sleep_ms=1500)).run(1400)
    assert late.spoken() == []
    assert late.run(1600).spoken() == ["Hello."]
    model = Sim(replace(PLAIN, greet_by_reply=True, initial_sleep_ms=500)).run(600)
    assert model.times(StartReply) == [500]


def test_a_caller_who_speaks_first_needs_no_greeting():
    sim = Sim(replace(PLAIN, greeting="Hello.", initial_sleep_ms=6000))
    sim.caller_says("Is anybody there?", 1000, 1000).run(12_000)
    assert sim.spoken() == ["Okay."]


def test_enough_words_interrupt_and_fewer_do_not():
    sim = talk_over("no but", min_words=3, final_min_words=3, sound_cuts=False)
    assert sim.of(CutPlayout)  # a word that asks for the floor is enough at any time
    few = talk_over("apples pears", min_words=3, final_min_words=3, sound_cuts=False)
    assert few.of(CutPlayout) == []
    assert ("agent", LONG) in few.heard()
    assert few.contexts[1][-1] == ("user", "apples pears")
    assert talk_over("apples pears and plums", min_words=3, final_min_words=3).of(CutPlayout)


def test_only_words_that_match_interrupt():
    assert talk_over("operator please", barge_pattern=r"\boperator\b").of(CutPlayout)
    other = talk_over("i want to say something", barge_pattern=r"\boperator\b", sound_cuts=False)
    assert other.of(CutPlayout) == []
    broken = talk_over("operator please", barge_pattern="(", sound_cuts=False)
    assert broken.of(CutPlayout) == []


def test_without_partials_only_the_final_interrupts():
    early, late = (
        talk_over("I want the other one"),
        talk_over("I want the other one", barge_partials=False),
    )
    assert early.times(CutPlayout)[0] < 5500
    assert late.times(CutPlayout)[0] > 6000


def test_sound_without_words_does_not_cut_when_only_words_do():
    for cuts, phase in ((True, 1), (False, 0)):
        words_only = replace(PLAIN.barge.reply, commit_ms=0)
        settings = replace(
            PLAIN,
            turn=replace(TURN, sound_cuts=cuts, pause_limit_ms=2000),
            barge=BargeProfiles(reply=words_only),
        )
        sim = Sim(settings, replies=[[LONG]]).caller_says("Where is it?", 1000, 1000)
        sim.caller_says("", 3500, 4000, no_final=True).run(9000)
        assert len(sim.of(CutPlayout)) == phase


@pytest.mark.parametrize(
    ("merge_ms", "at_ms", "merged"),
    [
        (3000, 3500, True),
        (3000, 6000, False),
        (0, 3500, False),
    ],
)
def test_an_answer_that_is_talked_over_early_joins_the_callers_turn(merge_ms, at_ms, merged):
    sim = talk_over("I mean the blue one", at_ms, merge_ms=merge_ms)
    last = sim.contexts[1]
    if merged:
        assert last == (("user", "Where is it? I mean the blue one"),)
    else:
        assert [who for who, _ in last] == ["user", "assistant", "user"]
    assert [who for who, _ in sim.heard()] == ["caller", "agent", "caller", "agent"]


def test_the_model_is_told_that_it_was_interrupted_once():
    sim = Sim(replace(PLAIN, interrupt_prompt="You were interrupted."), replies=[[LONG], ["Yes."]])
    sim.caller_says("Where is it?", 1000, 1000).caller_says("No, the blue one.", 3500, 1500)
    sim.caller_says("Thank you very much.", 9000, 1000).run(15_000)
    assert sim.contexts[1][-1] == ("system", "You were interrupted.")
    assert ("system", "You were interrupted.") not in sim.contexts[2]


@pytest.mark.parametrize(("ends", "at_ms"), [("*", 1200), ("#", 3100)])
def test_keys_that_end_the_digits(ends, at_ms):
    sim = Sim(replace(PLAIN, turn=replace(TURN, digit_terminators="*", digit_ms=2000)))
    for ms, digit in ((1000, "1"), (1100, "2"), (1200, ends)):
        sim.run(ms)
        if digit != "#" or ms == 1200:
            sim.media(DigitReceived, digit=digit, duration_ms=80, source=DigitSource.EVENT)
    sim.run(5000)
    assert sim.times(StartReply)[0] >= at_ms
    assert sim.contexts[0][0][1] == ("1 2" if ends == "*" else "1 2 #")


def test_silence_asks_by_prompt_and_inactivity_ends_the_call():
    settings = replace(
        PLAIN,
        dead_air_ms=5000,
        attention_prompt="Ask whether they are there.",
        inactivity_ms=60_000,
    )
    sim = Sim(settings, replies=[["Are you there?"], ["Hello?"]]).run(90_000)
    assert sim.contexts[0] == (("system", "Ask whether they are there."),)
    assert sim.spoken() == ["Are you there?", "Hello?", PLAIN.lines.silence_goodbye]
    assert [a.reason for a in sim.of(ConversationOver)] == ["inactivity"]
    assert 60_000 < sim.times(ConversationOver)[0] < 66_000


def test_a_caller_who_speaks_before_the_attention_prompt_is_answered_instead():
    settings = replace(PLAIN, dead_air_ms=5000, attention_prompt="Ask.")
    sim = Sim(settings, replies=[["Are you there?"], ["Good."]], llm_ms=1000)
    sim.caller_says("I am here.", 5300, 800).run(9000)
    assert sim.spoken() == ["Good."]
    assert sim.state.phase in (Phase.SPEAKING, Phase.LISTENING)


def test_the_model_is_shown_the_latest_turns_only():
    sim = Sim(replace(PLAIN, history_turns=1, max_response_tokens=99), replies=[["One."], ["Two."]])
    sim.caller_says("First question.", 1000, 1000).caller_says("Second question.", 6000, 1000)
    sim.run(12_000)
    assert sim.contexts == [(("user", "First question."),), (("user", "Second question."),)]
    assert len(sim.context()) == 4
    assert {a.max_tokens for a in sim.of(StartReply)} == {99}
