"""The table of events is complete, and the page that is made from it is up to date."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

from mediacore.runtime import actions, inputs
from mediacore.runtime.table import EVENT_TYPES, TRANSITIONS

ROOT = Path(__file__).resolve().parents[3]


def test_every_event_has_a_handler() -> None:
    assert set(TRANSITIONS) == set(EVENT_TYPES)
    declared = {x for _, x in inspect.getmembers(inputs, inspect.isclass)}
    ours = {x for x in declared if x.__module__ == inputs.__name__}
    assert ours == set(EVENT_TYPES)


def test_every_handler_says_what_it_does() -> None:
    for handler in TRANSITIONS.values():
        assert inspect.getdoc(handler)


def test_every_action_is_in_the_union() -> None:
    declared = {x for _, x in inspect.getmembers(actions, inspect.isclass)}
    ours = {x for x in declared if x.__module__ == actions.__name__}
    assert ours - set(actions.Action.__args__) == {actions.PlayItem, actions.ToolView}


def test_the_page_is_up_to_date() -> None:
    tool = ROOT / "tools" / "render_runtime.py"
    done = subprocess.run([sys.executable, str(tool), "--check"], check=False, capture_output=True)
    assert done.returncode == 0, "run tools/render_runtime.py"
