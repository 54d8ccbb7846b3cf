from collections.abc import Iterator

import pytest

from mediacore import _core


@pytest.fixture
def engine() -> Iterator[_core.Engine]:
    with _core.Engine(max_legs=32, event_slots=4096) as engine:
        yield engine


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """In a debug build every test closes what it opened."""
    before = _core.live_objects()
    yield
    assert _core.live_objects() == before
