"""The dialects by name."""

import pytest

from mediacore.wire.streams.catalog import DIALECTS
from mediacore.wire.streams.model import StreamOptions


@pytest.mark.parametrize("name", DIALECTS)
def test_each_dialect_bears_its_name(name: str) -> None:
    assert DIALECTS[name](StreamOptions()).traits.kind == name


@pytest.mark.parametrize("name", DIALECTS)
def test_connections_share_nothing(name: str) -> None:
    assert DIALECTS[name](StreamOptions()) is not DIALECTS[name](StreamOptions())
