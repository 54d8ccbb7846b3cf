from __future__ import annotations

from mediacore.wire.outbox import Entry, Outbox


def fill(outbox: Outbox, size: int = 10, ends: str = "") -> Entry:
    entry = Entry(outbox.next_id(), b"x" * size, ends)
    assert outbox.add(entry)
    return entry


def test_numbers_go_on_and_order_stays() -> None:
    outbox = Outbox(10, 1000)
    made = [fill(outbox) for _ in range(4)]
    assert [entry.id for entry in made] == ["e1", "e2", "e3", "e4"]
    assert outbox.ack("e2") is made[1]
    assert list(outbox) == [made[0], made[2], made[3]]
    assert outbox.next_id() == "e5"
    assert outbox.waiting_bytes == 30


def test_acks_count_once_and_strange_ids_not_at_all() -> None:
    outbox = Outbox(10, 1000)
    entry = fill(outbox, ends="call")
    assert outbox.ack(1) is None
    assert outbox.ack("e9") is None
    assert outbox.ack("e1") is entry
    assert outbox.ack("e1") is None
    assert outbox.waiting_bytes == 0 and len(outbox) == 0


def test_bounded_by_number_and_by_bytes() -> None:
    few = Outbox(2, 1000)
    fill(few)
    fill(few)
    assert not few.add(Entry(few.next_id(), b"x"))
    small = Outbox(10, 20)
    fill(small)
    fill(small)
    assert not small.add(Entry(small.next_id(), b"x"))
    small.ack("e1")
    fill(small)
