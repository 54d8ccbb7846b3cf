import pytest

from mediacore.call import Phase, Wake, initial_state
from mediacore.call.actions import PausePlayout
from mediacore.call.draft import Draft


def test_a_draft_collects_and_leaves_the_state_alone():
    state = initial_state()
    d = Draft(state, 5)
    d.set(phase=Phase.LISTENING)
    d.set_caller(partial="x")
    d.emit(PausePlayout())
    d.count("stale")
    assert state == initial_state()
    assert (d.state.phase, d.caller.partial, d.state.counts.stale) == (Phase.LISTENING, "x", 1)
    assert d.actions == [PausePlayout()]
    assert d.find(1) is None
    assert not d.committed


def test_without_an_open_turn_there_is_no_agent():
    with pytest.raises(AssertionError, match="no agent turn"):
        _ = Draft(initial_state(), 0).agent
    assert Wake() == Wake()
