"""Whole conversations: beginning, end, and what happens to the media."""

import pytest

from mediacore.call import (
    CallerGone,
    CallSettings,
    CallStarted,
    CancelReply,
    ConversationOver,
    FarDelayMeasured,
    HangupRequested,
    Phase,
    Wake,
    initial_state,
    next_deadline,
    step,
)
from mediacore.events import (
    CloseReason,
    EventsLost,
    LegClosed,
    MediaLost,
    MediaResumed,
    TapReady,
    ToneDetected,
)
from support.call_sim import LEG, SRATE, Hang, Sim

GREETING = "Hello, this is the order line."


def test_a_call_greets_or_listens_or_lets_the_model_open():
    assert Sim(CallSettings(greeting=GREETING)).spoken() == [GREETING]
    assert Sim().state.phase is Phase.LISTENING
    sim = Sim(CallSettings(greet_by_reply=True), replies=[["Hello, who is calling please?"]])
    sim.run(6000)
    assert sim.contexts == [()]
    assert sim.heard() == [("agent", "Hello, who is calling please?")]


@pytest.mark.parametrize("at_ms", [0, 300, 1500, 2300, 2500, 2900, 4200, 5500, 6000])
@pytest.mark.parametrize("event", [CallerGone("bye"), HangupRequested("bye", "api")])
def test_hanging_up_at_any_time_ends_everything_once(at_ms, event):
    sim = Sim(
        CallSettings(greeting="Hi."),
        replies=[["A reply that is long enough to be interrupted in it."], ["Bye.", Hang()]],
    )
    sim.caller_says("Where is it?", 1200, 800).caller_says("No, the other one.", 3800, 1500)
    sim.run(at_ms)
    sim.send(event)
    assert sim.state.phase is Phase.ENDED
    assert [a.reason for a in sim.of(ConversationOver)] == ["bye"]
    assert next_deadline(sim.state) is None
    sim.run(at_ms + 10_000)
    assert len(sim.of(ConversationOver)) == 1


def test_hanging_up_cancels_the_reply_and_the_ledger_is_completed_after_it():
    sim = Sim(replies=[["A reply that is long enough to be interrupted. " + "More of it. " * 200]])
    sim.caller_says("Where is it?", 1000, 1000).run(4000)
    sim.send(CallerGone("hangup"))
    assert [a.generation for a in sim.of(CancelReply)] == [1]
    sim.run(4100)
    who, text = sim.heard()[1]
    assert who == "agent"
    assert text.startswith("A reply that is long")
    assert not text.endswith("it.")


def test_before_the_start_a_call_can_only_be_ended():
    state, actions = step(initial_state(), HangupRequested("no", "api"), 1)
    assert state.phase is Phase.ENDED
    assert any(isinstance(a, ConversationOver) for a in actions)
    state, actions = step(initial_state(), Wake(), 1)
    assert state.phase is Phase.NEW
    assert actions == []
    assert next_deadline(state) is None


def test_a_closed_leg_ends_the_call():
    sim = Sim()
    sim.media(LegClosed, reason=CloseReason.BUDGET)
    assert [a.reason for a in sim.of(ConversationOver)] == ["leg_closed"]


def test_lost_media_ends_the_call_unless_it_comes_back():
    sim = Sim(CallSettings(dead_air_ms=0))
    sim.media(MediaLost, silent_ms=2000)
    sim.run(20_000)
    sim.media(MediaResumed)
    sim.run(60_000)
    assert sim.of(ConversationOver) == []
    sim.media(MediaLost, silent_ms=2000)
    sim.media(MediaLost, silent_ms=4000)
    sim.run(88_100)
    assert [a.reason for a in sim.of(ConversationOver)] == ["media_lost"]


def test_what_needs_no_decision_is_noted():
    sim = Sim()
    before = sim.state.phase
    sim.media(TapReady, taps=1)
    sim.media(ToneDetected, kind=3, duration_ms=500)
    sim.media(EventsLost, count=4)
    assert sim.state.phase is before
    assert sim.state.counts.events_lost == 1
    assert sim.verdicts("tone") == ["detected"]


def test_the_far_end_delay_counts_from_now_on():
    sim = Sim()
    sim.send(FarDelayMeasured(120))
    assert sim.state.far_delay_samples == 960
    sim.send(FarDelayMeasured(-5))
    assert sim.state.far_delay_ms == 0


def test_the_rate_of_the_leg_is_taken_over():
    state, _ = step(initial_state(), CallStarted(LEG, 16000), 5)
    assert (state.srate_hz, state.clock.srate_hz) == (16000, 16000)
    again, actions = step(state, CallStarted(LEG, SRATE), 6)
    assert again.counts.illegal == 1
    assert [a.verdict for a in actions] == ["ignored"]
