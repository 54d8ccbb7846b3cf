from dataclasses import replace

import pytest

from mediacore.call import (
    BargeProfiles,
    CallSettings,
    ConversationOver,
    Phase,
    Speak,
    TurnSettings,
    closing,
    floor,
    initial_state,
    opening,
)
from mediacore.call.draft import Draft
from mediacore.call.record import UtteranceKind
from mediacore.call.settings import INTERRUPTIBLE
from mediacore.call.state import AfterCut, CallerTurn, Interruption
from mediacore.media import BargeAction
from support.call_sim import Hang, Sim

KIND = UtteranceKind.REPLY


def draft() -> Draft:
    return Draft(replace(initial_state(), phase=Phase.LISTENING), now=1_000_000)


def test_each_turn_has_a_generation_of_its_own():
    d = draft()
    opening.say_alone(d, "One.", KIND)
    first = d.agent.generation
    floor.close_turn(d, reopen=False)
    opening.say_alone(d, "Two.", KIND)
    assert d.agent.generation == first + 1
    spoken = [(a.utterance, a.generation) for a in d.actions if isinstance(a, Speak)]
    assert spoken == [(1, 1), (2, 2)]


def test_the_policy_is_armed_only_when_it_changes():
    d = draft()
    opening.say_alone(d, "One.", KIND)
    opening.say(d, "Two.", KIND)
    assert [type(a).__name__ for a in d.actions] == ["ArmBargeIn", "Speak", "Speak"]


def test_the_stronger_reason_for_a_cut_wins():
    d = draft()
    opening.say_alone(d, "One.", KIND)
    floor.cut(d, AfterCut.LISTEN)
    floor.cut(d, AfterCut.LIMIT)
    floor.cut(d, AfterCut.RECOVER)
    running = d.state.interruption
    assert isinstance(running, Interruption)
    assert running.then is AfterCut.LIMIT
    floor.cut_confirmed(d, 1 << 32)
    assert d.state.phase is Phase.CLOSING
    assert d.agent.generation == (1 << 32) + 1


def test_cutting_nothing_goes_straight_on():
    d = draft()
    floor.cut(d, AfterCut.LISTEN)
    assert d.state.phase is Phase.LISTENING
    floor.cut(d, AfterCut.RECOVER)
    assert d.agent.kind is UtteranceKind.SCRIPT


def test_the_floor_goes_to_whoever_speaks_or_has_spoken():
    d = draft()
    d.set(caller=CallerTurn(speaking=True))
    floor.give_floor(d)
    assert d.state.phase is Phase.CALLER_SPEAKING
    d.set(caller=CallerTurn(finals=("hello",)))
    floor.give_floor(d)
    assert d.state.phase is Phase.ENDPOINTING
    d.set(caller=CallerTurn(started_at=5))
    floor.give_floor(d)
    assert d.state.phase is Phase.LISTENING
    assert d.caller == CallerTurn()


def test_a_reopened_turn_keeps_its_place_in_the_record():
    d = draft()
    d.set(caller=CallerTurn(started_at=80, ended_at=800, finals=("a table",), finals_at=800))
    floor.commit_caller(d)
    opening.start_reply(d, KIND)
    floor.close_turn(d, reopen=True)
    assert d.state.turns == ()
    assert d.state.context == ()
    assert (d.caller.earlier, d.caller.started_at, d.caller.recorded) == ("a table", 80, False)
    floor.commit_caller(d)
    assert [t.text for t in d.state.turns] == ["a table"]


def test_nothing_is_done_after_the_hangup():
    d = draft()
    closing.end_call(d, "one")
    count = len(d.actions)
    closing.end_call(d, "two")
    d.log("x", "y")
    assert len(d.actions) == count
    assert [a.reason for a in d.actions if isinstance(a, ConversationOver)] == ["one"]
    assert d.state.end_reason == "one"


def test_a_cut_of_a_goodbye_that_may_not_be_interrupted_ends_the_call():
    d = draft()
    closing.say_last(d, "done", "Bye.", interruptible=False)
    floor.cut(d, AfterCut.LISTEN)
    floor.cut_confirmed(d, 1 << 32)
    assert d.state.end_reason == "done"


def test_a_turn_that_nobody_could_hear_counts_as_a_failure():
    sim = Sim(CallSettings(greeting="Hello there."), tts_fails=lambda text: True).run(500)
    assert sim.state.failures >= 1


def goodbye(action: BargeAction = BargeAction.PAUSE) -> Sim:
    """The agent's last words go from 2370 to 4090 ms."""
    barge = BargeProfiles(reply=replace(INTERRUPTIBLE, action=action))
    settings = CallSettings(turn=TurnSettings(speculative=False), barge=barge)
    sim = Sim(settings, replies=[["Goodbye to you, dear caller.", Hang()], ["So, what is it?"]])
    return sim.caller_says("That is all.", 1000, 800)


@pytest.mark.parametrize("at_ms", [3000, 3800])
def test_a_farewell_does_not_keep_the_line_open(at_ms):
    sim = goodbye().caller_says("Bye bye.", at_ms, 400).run(9000)
    assert sim.state.end_reason == "completed"
    assert len(sim.contexts) == 1
    assert sim.heard()[1] == ("agent", "Goodbye to you, dear caller.")


@pytest.mark.parametrize("at_ms", [3000, 3850])
def test_a_wish_does(at_ms):
    sim = goodbye().caller_says("Wait, one more thing.", at_ms, 1500).run(9000)
    assert sim.state.phase is not Phase.ENDED
    assert sim.contexts[1][-1] == ("user", "Wait, one more thing.")
    assert "kept_open" in sim.verdicts("end_call")


def test_a_sound_without_text_at_the_end_delays_it_only():
    sim = goodbye(BargeAction.DUCK).caller_says("x", 3850, 300, partials=False, no_final=True)
    sim.run(9000)
    assert sim.state.end_reason == "completed"
    over_ms = sim.times(ConversationOver)[0]
    assert 4150 + 1500 <= over_ms <= 4150 + 1520  # tick rounding of the clock


def test_speech_that_goes_on_after_the_goodbye_keeps_the_line_open():
    sim = goodbye(BargeAction.DUCK).caller_says("Wait, one more thing.", 3900, 2000).run(9000)
    assert sim.state.phase is not Phase.ENDED
    assert sim.contexts[1][-1] == ("user", "Wait, one more thing.")


def test_without_a_way_to_interrupt_the_call_ends_with_the_goodbye():
    sim = goodbye(BargeAction.OFF).caller_says("Wait, one more thing.", 3900, 2000).run(9000)
    assert sim.times(ConversationOver) == [4090]
