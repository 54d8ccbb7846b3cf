"""Ids that AudioSocket calls may come with."""

from __future__ import annotations

from uuid import UUID

import pytest

from mediacore.errors import ConfigError
from mediacore.transports.asterisk.uuids import MAX_EXPECTED, UuidBook, parse_uuids


def test_permanent_and_unknown() -> None:
    book = UuidBook(frozenset({UUID(int=1)}), clock_us=lambda: 0)
    assert book.admit(UUID(int=1)) == book.admit(UUID(int=1)) == {}
    assert book.admit(UUID(int=2)) is None
    assert UuidBook(open_to_all=True, clock_us=lambda: 0).admit(UUID(int=2)) == {}


def test_expected_once_and_in_time() -> None:
    now = [0]
    book = UuidBook(clock_us=lambda: now[0])
    book.expect(UUID(int=1), {"to": "x"}, lifetime_ms=10)
    book.expect(UUID(int=2), {}, lifetime_ms=10)
    assert book.admit(UUID(int=1)) == {"to": "x"}
    assert book.admit(UUID(int=1)) is None
    now[0] = 10_000
    assert book.admit(UUID(int=2)) is None


def test_it_does_not_grow_without_end() -> None:
    book = UuidBook(clock_us=lambda: 0)
    for number in range(MAX_EXPECTED + 1):
        book.expect(UUID(int=number), {})
    assert book.admit(UUID(int=0)) is None
    assert book.admit(UUID(int=1)) == {}


def test_texts() -> None:
    assert parse_uuids((str(UUID(int=5)),)) == {UUID(int=5)}
    with pytest.raises(ConfigError):
        parse_uuids(("x",))
