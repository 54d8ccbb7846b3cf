"""Whole conversations: silence, slowness, limits."""

from mediacore.call import CallSettings, ConversationOver, Phase, TurnSettings, Wake, next_deadline
from support.call_sim import Delay, Hang, Sim, Tool

PLAIN = CallSettings(turn=TurnSettings(speculative=False))
LINES = PLAIN.lines


def test_dead_air_asks_twice_then_says_goodbye():
    sim = Sim(PLAIN).run(40_000)
    assert sim.spoken() == [*LINES.silence, LINES.silence_goodbye]
    assert [a.reason for a in sim.of(ConversationOver)] == ["no_input"]
    assert sim.verdicts("dead_air") == ["ask", "ask", "give_up"]


def test_an_answer_starts_the_silence_count_again():
    sim = Sim(PLAIN).caller_says("I am here.", 10_500, 800).run(23_000)
    assert sim.spoken() == [LINES.silence[0], "Okay.", LINES.silence[0]]


def test_the_silence_goodbye_can_be_interrupted_once():
    sim = Sim(PLAIN).run(20_000)
    assert sim.state.phase is Phase.LISTENING
    sim.run(27_500)
    assert sim.state.phase is Phase.CLOSING
    sim.caller_says("No, I am still here.", 27_600, 1200).run(31_000)
    assert sim.of(ConversationOver) == []
    assert "kept_open" in sim.verdicts("end_call")
    sim.run(120_000)
    assert len(sim.of(ConversationOver)) == 1


def test_the_second_goodbye_cannot_be_interrupted():
    replies = [["Goodbye to you, dear caller.", Hang()], ["So goodbye to you again.", Hang()]]
    sim = Sim(PLAIN, replies=replies).caller_says("Bye.", 1000, 800)
    sim.caller_says("Wait, one more thing.", 3200, 1200).run(6000)
    assert sim.state.phase in (Phase.CLOSING, Phase.SPEAKING)
    sim.caller_says("And another thing please.", 6100, 1000).run(12_000)
    assert ("agent", "So goodbye to you again.") in sim.heard()
    assert [a.reason for a in sim.of(ConversationOver)] == ["completed"]


def test_a_filler_bridges_a_slow_reply_once_and_is_not_in_the_context():
    sim = Sim(PLAIN, llm_ms=4000, replies=[["Here is your answer."]])
    sim.caller_says("Where is it?", 1000, 1000).run(9000)
    assert sim.spoken() == [LINES.fillers[0], "Here is your answer."]
    assert [t for _, t in sim.context()] == ["Where is it?", "Here is your answer."]
    assert sim.heard()[1] == ("agent", f"{LINES.fillers[0]} Here is your answer.")
    assert sim.verdicts("filler") == ["say"]


def test_speech_after_a_filler_still_joins_the_turn():
    sim = Sim(PLAIN, llm_ms=6000, replies=[["Wrong."], ["Right now."]])
    sim.caller_says("Where is it?", 1000, 1000).caller_says("The blue one.", 5500, 900)
    sim.run(14_000)
    assert sim.contexts[-1] == (("user", "Where is it? The blue one."),)


def test_a_quick_reply_needs_no_filler():
    sim = Sim(PLAIN).caller_says("Where is it?", 1000, 1000).run(6000)
    assert sim.spoken() == ["Okay."]


def test_a_reply_that_never_comes_is_given_up_and_its_late_text_is_stale():
    sim = Sim(PLAIN, replies=[[Delay(12_000), "Too late for it."]], ignores_cancel=True)
    sim.caller_says("Where is it?", 1000, 1000).run(20_000)
    assert LINES.recoveries[0] in sim.spoken()
    assert "Too late for it." not in sim.spoken()


def test_twice_in_a_row_ends_the_call():
    sim = Sim(PLAIN, replies=[[Delay(30_000)], [Delay(30_000)]])
    sim.caller_says("Where is it?", 1000, 1000).caller_says("Hello?", 20_000, 800).run(50_000)
    assert LINES.failure_goodbye in sim.spoken()
    assert [a.reason for a in sim.of(ConversationOver)] == ["failure"]


def test_a_tool_may_take_longer_than_a_reply():
    sim = Sim(PLAIN, replies=[["Wait a bit.", Tool("t")], ["Here it is."]])
    sim.tools["t"] = (10_000, "done")
    sim.caller_says("Where is it?", 1000, 1000).run(16_000)
    assert sim.spoken() == ["Wait a bit.", LINES.fillers[0], "Here it is."]


def test_a_call_has_a_longest_duration():
    settings = CallSettings(turn=PLAIN.turn, max_call_ms=5000, dead_air_ms=0)
    sim = Sim(settings, replies=[["A very long story begins. " * 20]])
    sim.caller_says("Tell me a story.", 1000, 1000).run(30_000)
    assert LINES.limit_goodbye in sim.spoken()
    assert [a.reason for a in sim.of(ConversationOver)] == ["max_duration"]
    assert sim.heard()[-1] == ("agent", LINES.limit_goodbye)


def test_the_limit_while_the_caller_speaks_keeps_the_words():
    settings = CallSettings(turn=PLAIN.turn, max_call_ms=3000)
    sim = Sim(settings).caller_says("I have a long question about it all", 1000, 4000).run(9000)
    assert sim.heard()[0][0] == "caller"
    assert ("agent", LINES.limit_goodbye) in sim.heard()


def test_a_goodbye_that_cannot_be_spoken_does_not_keep_the_line():
    settings = CallSettings(turn=PLAIN.turn, max_call_ms=3000)
    sim = Sim(settings, tts_never=lambda text: True).run(20_000)
    assert [a.reason for a in sim.of(ConversationOver)] == ["max_duration"]


def test_waking_early_or_late_does_no_harm():
    sim = Sim(PLAIN).caller_says("Where is it?", 1000, 1000).run(2360)
    for _ in range(3):
        sim.send(Wake())
    assert sim.contexts == []
    deadline = next_deadline(sim.state)
    assert deadline == sim.now_us + 40_000
    sim.now_us = deadline + 500_000
    sim.send(Wake())
    assert len(sim.contexts) == 1
