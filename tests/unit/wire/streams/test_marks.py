"""Which marks go out, and what echoes tell."""

from mediacore.wire.streams.marks import MAX_LAG_US, MAX_PENDING, HeardMark, MarkBook, MarkBounds

MS = 1000


def test_an_echo_tells_the_lag_and_what_was_heard() -> None:
    book = MarkBook()
    assert book.lag_us is None
    name = book.mark(7, 1, 0)
    assert name is not None
    assert book.bounds == MarkBounds(None, HeardMark(7, 1))
    book.echo(name, 120 * MS)
    assert book.lag_us == 120 * MS
    assert book.bounds == MarkBounds(HeardMark(7, 1), None)


def test_the_lag_is_smoothed_and_bounded() -> None:
    book = MarkBook(gap_us=0)
    for lag_us in (100 * MS, 140 * MS):
        name = book.mark(1, 1, 0)
        assert name is not None
        book.echo(name, lag_us)
    assert book.lag_us == 110 * MS
    other = MarkBook()
    book.echo(other.mark(1, 1, 0) or "", 50)
    name = other.mark(1, 0, 0) or ""
    other.echo(name, 10**12)
    assert other.lag_us == MAX_LAG_US


def test_marks_that_follow_too_closely_are_left_out_but_never_the_end() -> None:
    book = MarkBook(gap_us=200 * MS)
    assert book.mark(1, 1, 0)
    assert book.mark(1, 2, 100 * MS) is None
    assert book.mark(1, 3, 200 * MS)
    assert book.mark(1, 0, 210 * MS)
    assert book.mark(2, 1, 300 * MS) is None


def test_marks_are_made_up_where_none_is_due() -> None:
    book = MarkBook(pace_us=800 * MS)
    names = [book.audio(t * 20 * MS) for t in range(100)]
    sent = [n for n, name in enumerate(names) if name]
    assert sent == [40, 80]
    book.echo(names[40] or "", 900 * MS)
    assert book.lag_us == 100 * MS
    assert book.bounds == MarkBounds(None, None)


def test_a_pause_does_not_count_for_the_pace() -> None:
    book = MarkBook(pace_us=800 * MS)
    assert book.audio(0) is None
    book.idle()
    assert book.audio(5000 * MS) is None
    assert book.audio(5800 * MS)


def test_marks_that_come_back_after_our_own_clear_were_not_heard() -> None:
    book = MarkBook(gap_us=0)
    heard, cut = book.mark(1, 1, 0), book.mark(1, 2, 10)
    assert heard and cut
    book.echo(heard, 100 * MS)
    book.flush()
    book.echo(cut, 110 * MS)
    assert book.bounds == MarkBounds(HeardMark(1, 1), None)
    assert book.lag_us == 100 * MS
    assert book.unknown == 1


def test_the_far_side_may_say_itself_that_a_mark_was_dropped() -> None:
    book = MarkBook()
    name = book.mark(1, 1, 0)
    assert name
    book.echo(name, 50, cleared=True)
    assert book.bounds == MarkBounds(None, None)
    assert book.lag_us is None


def test_a_lost_echo_is_settled_by_the_next() -> None:
    book = MarkBook(gap_us=0)
    book.mark(1, 1, 0)
    second = book.mark(1, 2, 10)
    third = book.mark(1, 3, 20)
    assert second and third
    book.echo(second, 100)
    assert book.bounds == MarkBounds(HeardMark(1, 2), HeardMark(1, 3))


def test_what_is_pending_is_bounded_and_strangers_are_counted() -> None:
    book = MarkBook(gap_us=0)
    names = [book.mark(1, n + 1, n) for n in range(MAX_PENDING + 5)]
    assert names[MAX_PENDING - 1] is not None
    assert names[MAX_PENDING:] == [None] * 5
    book.echo("stranger", 0)
    book.echo(names[3] or "", 10**6)
    book.echo(names[3] or "", 10**6)
    assert book.unknown == 2
    assert book.mark(1, 99, 10**6)


def test_a_mark_at_the_very_end_does_not_reopen_the_utterance() -> None:
    book = MarkBook(gap_us=0)
    for mark in (0, 10):
        book.echo(book.mark(1, mark, 0) or "", 50)
    assert book.bounds.heard == HeardMark(1, 0)
    book.echo(book.mark(2, 1, 100) or "", 150)
    assert book.bounds.heard == HeardMark(2, 1)


def test_names_are_short_and_unique() -> None:
    book = MarkBook(gap_us=0)
    names = [book.mark(4_000_000_000, 60_000, 0) or "" for _ in range(20)]
    assert len(set(names)) == 20
    assert max(map(len, names)) < 40
