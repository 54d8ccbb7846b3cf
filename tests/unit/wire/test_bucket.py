from __future__ import annotations

from mediacore.wire.bucket import TokenBucket


def test_burst_then_rate() -> None:
    bucket = TokenBucket(10, 3, 0)
    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(99_999)
    assert bucket.take(100_000)
    assert not bucket.take(100_000)


def test_never_above_the_burst() -> None:
    bucket = TokenBucket(10, 2, 0)
    assert [bucket.take(10_000_000) for _ in range(3)] == [True, True, False]


def test_full_again() -> None:
    bucket = TokenBucket(10, 2, 0)
    bucket.take(0)
    assert not bucket.full(99_999)
    assert bucket.full(100_000)


def test_an_earlier_time_gives_nothing() -> None:
    bucket = TokenBucket(10, 1, 500_000)
    assert bucket.take(500_000)
    assert not bucket.take(100_000)
    assert not bucket.take(599_999)
    assert bucket.take(600_000)
