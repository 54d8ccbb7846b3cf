"""The quick copy is the slow one's equal, for every state that it is used for."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import pytest

from mediacore.assistant.session import AiSession
from mediacore.call import state as talk
from mediacore.call.changed import changed
from mediacore.runtime import state as run

STATES = [
    kind
    for module in (talk, run)
    for kind in vars(module).values()
    if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == module.__name__
]


@pytest.mark.parametrize("kind", [*STATES, AiSession])
def test_the_class_can_be_copied(kind: type) -> None:
    assert set(kind.__slots__) == {f.name for f in fields(kind)}  # type: ignore[attr-defined]
    assert not hasattr(kind, "__post_init__")


def test_a_copy_is_equal_to_the_slow_one() -> None:
    state = talk.CallState()
    assert changed(state) == state
    assert changed(state, generation=3) == replace(state, generation=3)
    assert state.generation == 0


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(AttributeError):
        changed(talk.CallState(), nothing=1)
    with pytest.raises(AttributeError):
        talk.CallState().generation = 1  # type: ignore[misc]
