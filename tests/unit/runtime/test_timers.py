"""Deadlines: the earliest is known, and what is due is done once."""

from __future__ import annotations

from mediacore.policy.budget import Budget
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.timers import next_deadline
from support.runtime_call import Phone, settings


def test_the_earliest_counts() -> None:
    phone = Phone()
    phone.ok("answer")
    phone.answered()
    assert next_deadline(phone.state) == phone.now + 14_400_000_000
    phone.ok("collect", {"digits": {"max": 1}, "initial_timeout": 9})
    assert next_deadline(phone.state) == phone.now + 9_000_000
    phone.ok("lease", {"ttl": 4})
    assert next_deadline(phone.state) == phone.now + 4_000_000


def test_a_tick_too_early_does_nothing() -> None:
    phone = Phone([{"answer": {}}, {"sleep": 1000}, {"play": "say:x"}])
    phone.answered()
    before = phone.state
    phone.do(i.Tick(), 999)
    assert phone.state == before and not phone.last
    phone.do(i.Tick(), 1)
    assert phone.said == ["x"]


def test_a_late_tick_does_everything_that_is_due() -> None:
    phone = Phone()
    phone.ok("answer")
    phone.answered()
    phone.ok("collect", {"control_id": "c", "digits": {"max": 1}, "initial_timeout": 2})
    phone.ok("lease", {"ttl": 3})
    phone.ok("send_digits", {"control_id": "d", "digits": "1"})
    phone.do(i.Tick(), 60_000)
    assert phone.states("collect", "c") == ["no_input"]
    assert phone.states("send_digits", "d") == ["finished"] and phone.state.lease is None


def test_what_is_due_is_done_with_any_event() -> None:
    phone = Phone([{"answer": {}}, {"sleep": 1000}, {"play": "say:x"}])
    phone.answered()
    phone.now += 2_000_000
    phone.speaks()
    assert phone.said == ["x"]


def test_very_many_things_at_once_are_done() -> None:
    phone = Phone(rules=settings(max_operations=200))
    phone.ok("answer")
    phone.answered()
    for n in range(60):
        phone.ok("send_digits", {"control_id": str(n), "digits": "1"})
    phone.do(i.Tick(), 1000)
    assert not phone.state.ops and not phone.state.over


def test_time_always_goes_on() -> None:
    main = [{"answer": {}}, {"label": "a"}, {"sleep": 0}, {"goto": {"label": "a", "max": 100}}]
    phone = Phone(main)
    phone.answered()
    phone.wait(1000)
    assert phone.state.over


def test_a_call_that_is_over_has_no_deadline() -> None:
    phone = Phone()
    phone.do(i.LineGone("L1", "hangup"))
    assert next_deadline(phone.state) is None


def test_a_limit_of_the_call_ends_it_with_a_goodbye() -> None:
    phone = Phone([{"answer": {}}, {"sleep": -1}], rules=settings(budget=Budget(seconds=5)))
    phone.answered()
    phone.wait(5000)
    assert phone.said == [phone.state.settings.limit_goodbye]
    assert phone.told("limit")[-1]["reason"] == "call_seconds"
    phone.played()
    assert phone.state.over and phone.state.end_reason == "limit_call_seconds"
    assert len(phone.of(a.EndLine)) == 1
