from dataclasses import replace

import pytest

from mediacore.call import CallSettings, Phase, can_end, initial_state
from mediacore.call.ledger import Utterance, start, with_total
from mediacore.call.record import UtteranceKind
from mediacore.call.settings import INTERRUPTIBLE, NOT_INTERRUPTIBLE, BargeProfiles
from mediacore.call.state import (
    AgentTurn,
    CallerTurn,
    Ending,
    agent_phase,
    interruptible,
    next_generation_after_cut,
    policy_for,
)


def test_a_cut_moves_the_upper_half():
    assert next_generation_after_cut(0) == 1 << 32
    assert next_generation_after_cut(41) == 1 << 32
    assert next_generation_after_cut((7 << 32) + 3) == 8 << 32


@pytest.mark.parametrize("kind", UtteranceKind)
def test_every_kind_has_a_profile(kind):
    assert BargeProfiles().of(kind) in (INTERRUPTIBLE, NOT_INTERRUPTIBLE)


def test_text_of_the_caller():
    caller = CallerTurn(earlier="a", finals=("b ", ""), partial="c", digits="12")
    assert caller.said == "b c 1 2"
    assert caller.text == "a b c 1 2"
    assert CallerTurn(digits="#").said == "#"


def test_a_final_is_awaited_until_the_speech_is_covered():
    caller = CallerTurn(ended_at=8000)
    assert caller.awaits_final(2400)
    assert replace(caller, finals_at=5599).awaits_final(2400)
    assert not replace(caller, finals_at=5600).awaits_final(2400)
    assert not replace(caller, stt_failed=True).awaits_final(2400)
    assert not CallerTurn().awaits_final(2400)


def playing_state(policy=INTERRUPTIBLE, ending=None):
    utt = start(with_total(Utterance(1, 1, UtteranceKind.REPLY, "One two."), 80_000), 0)
    agent = AgentTurn(1, UtteranceKind.REPLY, 0, utterances=(utt,))
    settings = CallSettings(barge=BargeProfiles(reply=policy))
    state = initial_state(settings)
    clock = state.clock.opened(0, 0, 0)
    return replace(state, agent=agent, clock=clock, ending=ending, phase=Phase.SPEAKING)


def test_who_may_be_interrupted():
    assert not interruptible(initial_state(), 0)
    assert interruptible(playing_state(), 0)
    assert not interruptible(playing_state(NOT_INTERRUPTIBLE), 0)
    protected = playing_state(replace(INTERRUPTIBLE, protect_ms=1000))
    assert not interruptible(protected, 999_000)
    assert interruptible(protected, 1_000_000)
    assert not interruptible(playing_state(ending=Ending("x", interruptible=False)), 0)
    assert policy_for(playing_state(ending=Ending("x", True)), UtteranceKind.REPLY).commit_ms


def test_phase_of_the_agents_turn():
    assert agent_phase(playing_state()) is Phase.SPEAKING
    assert agent_phase(playing_state(ending=Ending("x", True))) is Phase.CLOSING
    assert agent_phase(initial_state()) is Phase.THINKING


def test_the_gate_of_teardown():
    state = playing_state()
    assert can_end(state, urgent=True)
    assert not can_end(state, urgent=False)
    closing = playing_state(ending=Ending("x", True))
    assert not can_end(closing, urgent=False)
    assert can_end(replace(closing, agent=None), urgent=False)
    assert not can_end(replace(closing, phase=Phase.ENDED), urgent=True)
