"""Whole conversations: interruptions, and what was heard."""

from dataclasses import replace

import pytest

from mediacore.call import (
    ArmBargeIn,
    CallSettings,
    CutPlayout,
    GenerationSeen,
    PausePlayout,
    Phase,
    ResumePlayout,
    Speak,
    StartReply,
    TurnSettings,
)
from mediacore.call.settings import INTERRUPTIBLE, BargeProfiles
from mediacore.events import MarkReached, PlayoutDucked, PlayoutPaused, PlayoutUnderrun
from mediacore.media import BargeAction
from support.call_sim import LEG, Delay, Sim

LONG = "Your order was shipped on Monday morning and it will arrive on Friday."
PLAIN = CallSettings(turn=TurnSettings(speculative=False))


def speaking(reply: str = LONG, **fields) -> Sim:
    """The agent begins its reply at 2660 ms."""
    sim = Sim(PLAIN, replies=[[reply], ["Of course, here it is."]], **fields)
    return sim.caller_says("Where is my order?", 1000, 1000)


def test_real_speech_cuts_and_only_what_was_heard_stays():
    sim = speaking().caller_says("No, I mean the other order.", 4000, 2000).run(9000)
    heard = "Your order was shipped"
    assert sim.heard()[1] == ("agent", heard)
    assert sim.contexts[1] == (
        ("user", "Where is my order?"),
        ("assistant", heard),
        ("user", "No, I mean the other order."),
    )
    assert sim.heard()[3] == ("agent", "Of course, here it is.")
    assert sim.state.counts.cuts == 1


def test_words_commit_before_the_core_does():
    sim = speaking().caller_says("No wait please", 4000, 350, partials=False, stt_ms=0).run(4700)
    assert sim.times(CutPlayout) == [4550]
    assert sim.verdicts("barge_in")[:2] == ["pause", "cut"]


def test_duration_commits_in_the_core():
    sim = speaking().caller_says("uh huh uh huh yeah", 4000, 1500).run(8000)
    assert sim.of(CutPlayout) == []
    assert sim.verdicts("barge_in")[:2] == ["pause", "cut_done"]


@pytest.mark.parametrize("text", ["Uh-huh.", "okay", "", "I see."])
def test_a_backchannel_resumes(text):
    sim = speaking().caller_says(text, 4000, 400).run(9500)
    assert sim.heard()[1] == ("agent", LONG)
    assert len(sim.of(ResumePlayout)) == 1
    assert len(sim.contexts) == 1
    assert sim.state.phase is Phase.LISTENING
    assert "resume" in sim.verdicts("barge_in")


def test_without_text_the_core_resumes_and_a_late_final_still_cuts():
    sim = speaking().caller_says("I cancel it now.", 4000, 400, no_final=True, partials=False)
    sim.run(6500)
    assert sim.verdicts("resume") == ["core"]
    assert sim.state.phase is Phase.SPEAKING
    sim = speaking().caller_says("I cancel it now.", 4000, 400, partials=False, stt_ms=2000)
    sim.run(6800)
    assert sim.verdicts("resume") == ["core"]
    assert len(sim.of(CutPlayout)) == 1


def test_two_short_words_then_speech_again():
    sim = speaking().caller_says("Okay", 4000, 300, stt_ms=500).caller_says("but wait", 4600, 400)
    sim.run(9000)
    assert sim.contexts[1][-1] == ("user", "Okay but wait")


def test_nothing_heard_leaves_no_assistant_entry():
    sim = speaking().caller_says("And the other one.", 2650, 1500).run(7000)
    assert sim.contexts[1] == (("user", "Where is my order? And the other one."),)
    agent = next(t for t in sim.state.turns if t.utterances)
    assert agent.heard_text == ""
    assert agent.full_text == LONG


def test_the_heard_text_is_joined_over_phrases_and_the_queued_ones_are_dropped():
    reply = "This is the first sentence of it. Here comes the second sentence. And a third one now."
    sim = speaking(reply).caller_says("Stop, that is enough now.", 5500, 1500).run(9000)
    assert sim.heard()[1] == ("agent", "This is the first sentence of it. Here comes the")
    states = [u.state.value for u in sim.state.turns[1].utterances]
    assert states == ["finished", "cut", "refused"]


def test_an_answer_in_a_gap_of_the_reply_is_an_interruption():
    sim = Sim(
        PLAIN,
        replies=[["Let me look it up.", Delay(3000), " It was shipped on Monday."], ["Fine."]],
    )
    sim.caller_says("Where is it?", 1000, 1000).caller_says("Never mind all that.", 4500, 1200)
    sim.run(9000)
    assert sim.contexts[1] == (
        ("user", "Where is it?"),
        ("assistant", "Let me look it up."),
        ("user", "Never mind all that."),
    )


def test_a_cough_in_a_gap_is_none():
    settings = replace(PLAIN, filler_ms=0)
    sim = Sim(settings, replies=[["Let me look it up.", Delay(3000), " It was shipped on Monday."]])
    sim.caller_says("Where is it?", 1000, 1000).caller_says("", 4500, 300).run(12000)
    assert sim.heard()[1] == ("agent", "Let me look it up. It was shipped on Monday.")


def test_a_phrase_that_comes_while_the_caller_speaks_in_a_gap_waits():
    settings = replace(PLAIN, barge=BargeProfiles(reply=replace(INTERRUPTIBLE, commit_ms=0)))
    sim = Sim(settings, replies=[["Let me look it up.", Delay(1500), " It was shipped."]])
    sim.caller_says("Where is it?", 1000, 1000).caller_says("mm", 3800, 1000).run(12000)
    assert len(sim.of(PausePlayout)) == 1
    assert sim.heard()[1] == ("agent", "Let me look it up. It was shipped.")


def test_a_missing_report_of_the_cut_does_not_stop_the_call():
    sim = speaking(confirms_cuts=False)
    sim.caller_says("No wait please", 4000, 350, partials=False, stt_ms=0).run(5010)
    assert "unconfirmed" in sim.verdicts("barge_in")
    generation = sim.state.generation
    assert generation >= 1 << 32
    sim.run(6500)
    assert sim.contexts[1][-1] == ("user", "No wait please")


def test_generations_after_a_cut_are_above_the_cores():
    sim = speaking().caller_says("No, the other order please.", 4000, 1500).run(9000)
    assert [a.generation for a in sim.of(StartReply)] == [1, (1 << 32) + 1]
    assert sim.state.counts.refused == 0


def test_a_cut_unseen_is_learnt_from_the_snapshot():
    sim = speaking().run(4000)
    sim.send(GenerationSeen(5 << 32))
    assert sim.state.phase is Phase.LISTENING
    assert sim.state.generation == 5 << 32
    sim.send(GenerationSeen(1))
    assert sim.state.generation == 5 << 32


def test_a_phrase_refused_by_the_core_is_not_heard():
    sim = Sim(PLAIN, replies=[["One moment.", Delay(300), " It was shipped on Monday."]])
    sim.caller_says("Where is it?", 1000, 1000).run(2700)
    sim._generation = 1 << 32
    sim.run(6000)
    assert sim.state.counts.refused > 0
    assert sim.state.phase is Phase.LISTENING


def test_ducking_is_an_interruption_too():
    duck = replace(INTERRUPTIBLE, action=BargeAction.DUCK)
    sim = speaking()
    sim.state = replace(
        sim.state, settings=replace(PLAIN, barge=replace(BargeProfiles(), reply=duck))
    )
    sim.run(4000)
    assert sim.of(ArmBargeIn)[-1].policy.action is BargeAction.DUCK
    sim.media(PlayoutDucked, utterance=1, generation=1, position=8000, ducked=True)
    assert sim.state.phase is Phase.PAUSED
    sim.media(PlayoutDucked, utterance=1, generation=1, position=9000, ducked=False)
    assert sim.state.phase is Phase.SPEAKING


def test_an_undecided_pause_ends_by_itself():
    sim = speaking().run(4000)
    sim.media(PlayoutPaused, utterance=1, generation=1, position=8000)
    sim.run(6100)
    assert sim.verdicts("resume") == ["silence"]
    assert len(sim.of(ResumePlayout)) == 1


def test_stalls_and_underruns_do_not_change_what_was_heard():
    plain = speaking().caller_says("No, stop it there.", 5000, 1500).run(6000)
    sim = speaking()
    sim.later(3000, lambda: sim.media(MarkReached, utterance=1, generation=1, position=900, mark=1))
    sim.later(3500, lambda: sim.media(PlayoutUnderrun, utterance=1, generation=1, position=999))
    sim.caller_says("No, stop it there.", 5000, 1500).run(6000)
    assert sim.heard()[1] == plain.heard()[1]


def test_a_stream_that_stalls_for_good_is_given_up():
    sim = speaking(tts_never=lambda text: False)
    sim.run(3000)
    state = sim.state
    agent = state.agent
    open_ended = tuple(replace(u, total=None) for u in agent.utterances)
    sim.state = replace(state, agent=replace(agent, utterances=open_ended))
    sim.media(PlayoutUnderrun, utterance=1, generation=1, position=2400)
    sim._playing_token += 1  # the core has nothing more to play
    sim.run(7100)
    assert "playout_stuck" in sim.verdicts("recovery")
    sim.run(12000)
    assert PLAIN.lines.recoveries[0] in [a.text for a in sim.of(Speak)]


def test_heard_text_without_word_times_is_close():
    exact = speaking().caller_says("No, stop it there.", 4500, 1500).run(7000).heard()[1][1]
    guess = (
        speaking(words=False).caller_says("No, stop it there.", 4500, 1500).run(7000).heard()[1][1]
    )
    assert abs(len(exact.split()) - len(guess.split())) <= 1


def test_other_legs_do_not_matter():
    sim = speaking().run(4000)
    sim.send(PlayoutPaused(LEG + 1, 1, 1, 1, 1, 1))
    assert sim.state.phase is Phase.SPEAKING
    assert sim.state.counts.stale == 1


def test_a_generation_seen_ahead_voids_a_speculation():
    sim = Sim(replies=[["Wrong."], ["The right one for you."]])
    sim.caller_says("I want a table", 1000, 1000).run(2400)
    sim.send(GenerationSeen(1 << 32))
    sim.run(4000)
    assert sim.spoken() == ["The right one for you."]
    assert sim.of(StartReply)[-1].generation > 1 << 32
