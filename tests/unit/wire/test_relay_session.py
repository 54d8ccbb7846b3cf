from __future__ import annotations

from mediacore.wire.limits import RelayLimits
from mediacore.wire.methods import PERMISSIONS
from mediacore.wire.outbox import Entry
from mediacore.wire.relay_session import Grant, RelaySession


def session(
    permissions: frozenset[str] = PERMISSIONS,
    contexts: tuple[str, ...] = ("*",),
    *,
    acks: bool = True,
) -> RelaySession:
    grant = Grant("p", permissions, contexts, "c")
    limits = RelayLimits(contexts=3, unacked_events=2)
    return RelaySession("s", "proto", "secret", grant, limits, acks=acks)


def test_subscribe_all_or_none() -> None:
    one = session(contexts=("sales*", "help"))
    assert one.subscribe(["sales", "sales-eu"]) == ""
    assert "billing" in one.subscribe(["help", "billing"])
    assert one.contexts == {"sales", "sales-eu"}


def test_patterns_are_exact_about_case() -> None:
    assert session(contexts=("Sales",)).refusal(["sales"])


def test_without_read_nothing_can_be_subscribed() -> None:
    blind = session(permissions=frozenset({"control"}))
    assert "read" in blind.subscribe(["a"])
    assert blind.subscribe([]) == ""


def test_number_of_contexts() -> None:
    one = session()
    assert one.subscribe(["a", "b", "c"]) == ""
    assert one.subscribe(["a"]) == ""
    assert "more than 3" in one.subscribe(["d"])
    one.unsubscribe(["a", "unknown"])
    assert one.subscribe(["d"]) == ""


def test_events_wait_until_acknowledged() -> None:
    one = session()
    for _ in range(2):
        assert one.queue(Entry(one.outbox.next_id(), b"x"))
    assert not one.queue(Entry(one.outbox.next_id(), b"x"))
    assert list(one.unacked()) == [b"x", b"x"]


def test_a_client_without_acknowledgements_keeps_nothing() -> None:
    one = session(acks=False)
    for _ in range(5):
        assert one.queue(Entry(one.outbox.next_id(), b"x"))
    assert list(one.unacked()) == []
