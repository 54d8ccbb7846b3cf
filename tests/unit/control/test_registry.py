from __future__ import annotations

from mediacore.control.registry import Registry
from mediacore.wire.limits import RelayLimits
from mediacore.wire.methods import PERMISSIONS
from mediacore.wire.relay_session import Grant, RelaySession


def add(
    registry: Registry,
    name: str,
    project: str = "p",
    permissions: frozenset[str] = PERMISSIONS,
    contexts: tuple[str, ...] = ("office",),
) -> RelaySession:
    grant = Grant(project, permissions, ("*",), f"token-{project}")
    session = RelaySession(name, f"proto-{name}", f"secret-{name}", grant, RelayLimits())
    session.subscribe(contexts)
    registry.add(session)
    return session


def test_resumed_only_with_proof() -> None:
    registry = Registry(10, 60)
    one = add(registry, "a")
    grant = one.grant
    assert registry.resumable("proto-a", "secret-a", grant) is one
    assert registry.resumable("proto-a", "secret-b", grant) is None
    assert registry.resumable("proto-a", "", grant) is None
    assert registry.resumable("", "secret-a", grant) is None
    assert registry.resumable("proto-b", "secret-a", grant) is None
    other_token = Grant("p", PERMISSIONS, ("*",), "token-2")
    other_project = Grant("q", PERMISSIONS, ("*",), "token-p")
    assert registry.resumable("proto-a", "secret-a", other_token) is None
    assert registry.resumable("proto-a", "secret-a", other_project) is None


def test_kept_for_a_while() -> None:
    registry = Registry(10, 60)
    one, two = add(registry, "a"), add(registry, "b")
    registry.detach(one, 100)
    registry.detach(two, 110)
    assert registry.kept == 2 and registry.oldest_detached() is one
    assert registry.expired(159) == ()
    assert registry.expired(160) == (one,)
    registry.attach(one)
    assert registry.expired(170) == (two,)
    registry.remove(two)
    registry.remove(two)
    registry.detach(two, 200)
    assert registry.kept == 0 and len(registry) == 1


def test_offered_by_project_context_and_permission() -> None:
    registry = Registry(10, 60)
    one = add(registry, "a")
    other_project = add(registry, "b", project="q")
    add(registry, "c", contexts=("home",))
    assert registry.subscribed("office", "p", "c1") == (one,)
    assert registry.subscribed("office", "", "c1") == (one, other_project)
    one.grant = Grant("p", frozenset({"control"}), ("*",), "t")
    assert registry.subscribed("office", "p", "c1") == ()


def test_a_passed_call_is_not_offered_again_until_it_is_over() -> None:
    registry = Registry(10, 60)
    one, two = add(registry, "a"), add(registry, "b")
    registry.tell(one, "c1")
    registry.passed_on(one, "c1")
    assert registry.told("c1") == ()
    assert registry.subscribed("office", "p", "c1") == (two,)
    assert registry.subscribed("office", "p", "c2") == (one, two)
    registry.call_over("c1")
    assert registry.subscribed("office", "p", "c1") == (one, two)


def test_a_session_that_is_removed_hears_of_nothing() -> None:
    registry = Registry(10, 60)
    one, two = add(registry, "a"), add(registry, "b")
    for session in (one, two):
        registry.tell(session, "c1")
    registry.remove(one)
    assert registry.told("c1") == (two,)
    registry.untell(two, "c1")
    registry.untell(two, "c1")
    assert registry.told("c1") == () and two.told == set()


def test_full() -> None:
    registry = Registry(1, 60)
    assert not registry.full()
    add(registry, "a")
    assert registry.full()
    assert registry.oldest_detached() is None
