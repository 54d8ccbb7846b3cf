import pytest

from mediacore.call import (
    CallSettings,
    CallStarted,
    LogDecision,
    Phase,
    ReplyText,
    SpeechReady,
    TurnProbability,
    Wake,
    initial_state,
    step,
)
from mediacore.call.step import is_stale
from mediacore.events import CutCause, PlayoutCut, PlayoutStarted, SpeechEnded, SpeechStarted
from support.call_sim import LEG, Sim


def test_an_illegal_pair_is_counted_and_logged_with_both_names():
    state, _ = step(initial_state(), CallStarted(LEG, 8000), 1)
    after, actions = step(state, SpeechEnded(LEG, 1, 160), 2)
    assert after.phase is state.phase
    assert after.counts.illegal == 1
    assert actions == [
        LogDecision("illegal", "ignored", {"phase": "listening", "event": "SpeechEnded"})
    ]


@pytest.mark.parametrize(
    "event",
    [
        ReplyText(7, "hello. "),
        SpeechReady(99, 10),
        TurnProbability(3, 0.9),
        PlayoutStarted(LEG, 1, 1, 99, 7, 0),
        SpeechStarted(LEG + 1, 1, 1),
    ],
)
def test_results_of_what_is_over_are_refused_in_one_place(event):
    state = Sim(CallSettings(greeting="Hello there.")).state
    assert is_stale(state, event)
    after, actions = step(state, event, 2_000_000)
    assert after.counts.stale == 1
    assert {type(a) for a in actions} <= {LogDecision}
    assert after.phase is state.phase


def test_a_cut_always_counts_because_it_moves_the_generation():
    state = Sim().state
    cut = PlayoutCut(LEG, 1, 1, 0, 0, 0, 3 << 32, 0, CutCause.COMMAND, 0)
    assert not is_stale(state, cut)
    after, _ = step(state, cut, 2_000_000)
    assert after.generation == 3 << 32


def test_the_state_given_is_not_changed():
    state = Sim(CallSettings(greeting="Hello there.")).state
    before = repr(state)
    step(state, Wake(), 90_000_000)
    assert repr(state) == before


def test_the_same_events_give_the_same_actions():
    settings = CallSettings(greeting="Hello there.")
    first = Sim(settings).caller_says("Where is it?", 1500, 900).run(9000)
    second = Sim(settings).caller_says("Where is it?", 1500, 900).run(9000)
    assert first.actions == second.actions
    assert first.state == second.state


def test_decisions_hold_nothing_that_was_said():
    secret = "Tango seven"
    sim = Sim(replies=[[f"You said {secret}, is that right, dear caller?"]])
    sim.caller_says(f"My code word is {secret}.", 1000, 1500)
    sim.caller_says(f"{secret} again please.", 4200, 1500).run(9000)
    logs = sim.of(LogDecision)
    assert len(logs) > 3
    assert all("ango" not in repr(a) for a in logs)


def test_phase_names_are_what_the_screen_shows():
    assert Phase.LISTENING.value == "listening"
