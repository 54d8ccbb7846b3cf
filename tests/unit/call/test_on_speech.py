"""Whole conversations: synthesis that fails."""

from mediacore.call import CallSettings, ConversationOver, Phase, SpeechFailed, TurnSettings
from mediacore.errors import ErrorClass
from support.call_sim import Sim

PLAIN = CallSettings(turn=TurnSettings(speculative=False))
LINES = PLAIN.lines


def test_a_phrase_that_cannot_be_spoken_is_told_once_and_not_heard():
    reply = "First sentence for the caller. Second sentence for the caller."
    sim = Sim(PLAIN, replies=[[reply]], tts_fails=lambda text: "sentence" in text)
    sim.caller_says("Tell me.", 1000, 800).run(12000)
    assert sim.spoken().count(LINES.recoveries[0]) == 1
    assert sim.heard()[1] == ("agent", LINES.recoveries[0])
    assert sim.state.phase is Phase.LISTENING


def test_a_dead_synthesiser_does_not_loop_and_ends_the_call():
    sim = Sim(PLAIN, tts_fails=lambda text: True)
    sim.caller_says("Tell me.", 1000, 800).caller_says("Hello?", 5000, 800).run(60_000)
    assert len(sim.of(ConversationOver)) == 1
    assert len(sim.spoken()) < 8


def test_a_silent_synthesiser_is_given_up():
    sim = Sim(PLAIN, tts_never=lambda text: "Okay" in text)
    sim.caller_says("Tell me.", 1000, 800).run(20_000)
    assert "deadline" in sim.verdicts("recovery")
    assert ("agent", LINES.recoveries[0]) in sim.heard()


def test_a_break_in_the_middle_counts_what_was_played():
    sim = Sim(PLAIN, replies=[["This sentence breaks off in the middle of it."]])
    sim.caller_says("Tell me.", 1000, 800).run(3000)
    sim.send(SpeechFailed(1, ErrorClass.CRASHED, 8000))
    assert "failed" in sim.verdicts("speech")
    assert LINES.recoveries[0] not in sim.spoken()
    sim.send(SpeechFailed(99, ErrorClass.CRASHED))
    assert sim.state.counts.stale == 1
