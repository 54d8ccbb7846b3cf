import pytest

from mediacore.errors import ConfigError
from mediacore.policy.budget import (
    Amounts,
    Budget,
    Meter,
    Scope,
    SpendKind,
    Trip,
    charge,
    check_before,
    enter_stage,
    frame_budget,
    frames_left,
    grant,
    hold,
    leave_stage,
    next_deadline_us,
    open_meter,
    parse_budget,
    settle,
)

S = 1_000_000


def meter(**limits: int) -> Meter:
    return open_meter(Budget(**limits), 0)


def test_no_limit_never_trips() -> None:
    m, trip = charge(meter(), SpendKind.TOKENS, 10**12, 10**15)
    assert trip is None and next_deadline_us(m) is None and frames_left(m, 0) is None


def test_limits_are_inclusive() -> None:
    m = meter(turns=2)
    for _ in range(2):
        assert check_before(m, Amounts(turns=1), 0) is None
        m, trip = charge(m, SpendKind.TURNS, 1, 0)
        assert trip is None
    trip = check_before(m, Amounts(turns=1), 0)
    assert trip == Trip(Scope.CALL, "", SpendKind.TURNS, 2, 3)
    assert trip.reason == "call_turns"


def test_zero_means_nothing() -> None:
    assert check_before(meter(tokens=0), Amounts(tokens=1), 0) is not None
    assert check_before(meter(tokens=0), Amounts(), 0) is None


def test_charge_over_the_limit_trips() -> None:
    _, trip = charge(meter(money_micros=100), SpendKind.MONEY, 101, 0)
    assert trip == Trip(Scope.CALL, "", SpendKind.MONEY, 100, 101)


def test_time_trips_at_its_end() -> None:
    m = meter(seconds=10)
    assert next_deadline_us(m) == 10 * S
    assert charge(m, SpendKind.SECONDS, 0, 10 * S - 1)[1] is None
    trip = charge(m, SpendKind.SECONDS, 0, 10 * S)[1]
    assert trip == Trip(Scope.CALL, "", SpendKind.SECONDS, 10, 10)
    assert frames_left(m, 10 * S - 1) == 1
    assert frames_left(m, 10 * S - 20_000) == 1
    assert frames_left(m, 11 * S) == 0


def test_held_amounts_count_until_settled() -> None:
    m = meter(tokens=100)
    plan = Amounts(tokens=60)
    m = hold(m, plan)
    assert check_before(m, plan, 0) is not None
    m, trip = settle(m, plan, Amounts(tokens=20), 0)
    assert trip is None and m.call.held == Amounts() and m.call.used == Amounts(tokens=20)
    assert check_before(m, plan, 0) is None


def test_overrun_trips_at_settling() -> None:
    m = hold(meter(tokens=100), Amounts(tokens=60))
    _, trip = settle(m, Amounts(tokens=60), Amounts(tokens=150), 0)
    assert trip is not None and trip.used == 150


def test_stage_and_call_are_both_charged() -> None:
    m = enter_stage(meter(turns=10), "ask", Budget(turns=1), 0)
    m, _ = charge(m, SpendKind.TURNS, 1, 0)
    trip = check_before(m, Amounts(turns=1), 0)
    assert trip == Trip(Scope.STAGE, "ask", SpendKind.TURNS, 1, 2)
    m = enter_stage(m, "next", Budget(), 0)
    assert check_before(m, Amounts(turns=1), 0) is None
    assert m.call.used.turns == 1


def test_coming_back_does_not_refill_a_stage() -> None:
    m = enter_stage(meter(), "a", Budget(seconds=10, tokens=5), 0)
    m, _ = charge(m, SpendKind.TOKENS, 4, 0)
    m = enter_stage(m, "b", Budget(seconds=3), 4 * S)
    assert next_deadline_us(m) == 7 * S
    m = enter_stage(m, "a", Budget(seconds=10, tokens=5), 5 * S)
    assert next_deadline_us(m) == 11 * S
    assert check_before(m, Amounts(tokens=2), 5 * S) is not None
    m = leave_stage(m, 6 * S)
    assert m.stage == "" and next_deadline_us(m) is None
    account = m.account("a")
    assert account is not None and account.elapsed_us(99 * S) == 5 * S
    assert m.account("none") is None


def test_plan_of_a_left_stage_is_settled_there() -> None:
    plan = Amounts(tokens=5)
    m = hold(enter_stage(meter(), "a", Budget(tokens=5), 0), plan)
    m = enter_stage(m, "b", Budget(tokens=5), 1)
    m, trip = settle(m, plan, Amounts(tokens=3), 2, stage="a")
    a, b = m.account("a"), m.account("b")
    assert trip is None and a is not None and b is not None
    assert (a.used.tokens, a.held.tokens, b.used.tokens) == (3, 0, 0)


def test_day_grant_limits_money() -> None:
    m = open_meter(Budget(), 0, campaign="spring", granted=100)
    trip = check_before(m, Amounts(money_micros=101), 0)
    assert trip == Trip(Scope.DAY, "spring", SpendKind.MONEY, 100, 101)
    assert check_before(grant(m, 1), Amounts(money_micros=101), 0) is None
    assert grant(meter(), 5) == meter()


def test_frame_budget() -> None:
    assert frame_budget(None) is None
    assert frame_budget(60) == 3000
    assert frame_budget(60, grace_seconds=10) == 3500


def test_parse() -> None:
    assert parse_budget(None) == Budget()
    assert parse_budget({}) == Budget()
    value = {"seconds": "1h2m3s", "turns": 4, "tokens": 5.0, "money": "0.25"}
    assert parse_budget(value) == Budget(3723, 4, 5, 250_000)
    assert parse_budget({"seconds": 90, "money": 0.1}) == Budget(90, money_micros=100_000)
    assert parse_budget({"seconds": "45s", "money": 2}) == Budget(45, money_micros=2_000_000)
    assert parse_budget({"seconds": None, "turns": 0}) == Budget(turns=0)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, "expected keys seconds, turns, tokens, money, got a number"),
        ("x", "got text"),
        ([], "got a list"),
        ({"second": 5}, "unknown key 'second'"),
        ({"seconds": "soon"}, "budget.seconds"),
        ({"seconds": ""}, "budget.seconds"),
        ({"seconds": 0}, "1 to"),
        ({"seconds": 1.5}, "whole number"),
        ({"turns": True}, "true or false"),
        ({"turns": -1}, "not negative"),
        ({"tokens": "5"}, "budget.tokens"),
        ({"money": "much"}, "budget.money"),
        ({"money": -1}, "budget.money"),
        ({"money": "NaN"}, "budget.money"),
        ({"money": "0.0000001"}, "six decimals"),
        ({"money": 10**12}, "too large"),
        ({"money": []}, "a list"),
    ],
)
def test_parse_names_the_fault(value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_budget(value)
