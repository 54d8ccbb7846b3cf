from pathlib import Path

from mediacore.call import TRANSITIONS, Phase, render_table
from mediacore.call.table import EVENT_TYPES

DOC = Path(__file__).resolve().parents[3] / "docs" / "call-states.md"


def test_the_document_is_current():
    assert DOC.read_text(encoding="utf-8") == render_table(), "run tools/render_states.py"


def test_every_phase_has_a_row_and_every_handler_says_what_it_does():
    assert set(TRANSITIONS) == set(Phase)
    for row in TRANSITIONS.values():
        assert set(row) <= set(EVENT_TYPES)
        assert all(handler.__doc__ for handler in row.values())


def test_every_event_is_known_somewhere():
    for kind in EVENT_TYPES:
        assert any(kind in TRANSITIONS[p] for p in Phase if p is not Phase.ENDED)


def test_nothing_is_illegal_at_the_end():
    assert set(TRANSITIONS[Phase.ENDED]) == set(EVENT_TYPES)
