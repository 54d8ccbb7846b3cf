"""What a call may cost, and what happens when a limit is reached."""

import pytest

from mediacore.policy.budget import Budget
from mediacore.policy.prices import Price, PriceBook, PriceUnit
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.settings import Money
from support.run_sim import RunSim, agent
from support.runtime_call import Phone, settings

GOODBYE = "I'm sorry, our time is up. Goodbye."
BOOK = PriceBook(
    "EUR",
    "2026-01-31",
    "a test",
    (
        Price("m", PriceUnit.INPUT_TOKENS_1M, 1_000_000),
        Price("m", PriceUnit.OUTPUT_TOKENS_1M, 1_000_000),
        Price("v", PriceUnit.CHARACTERS_1M, 1_000_000),
    ),
)
PRICED = {"prices": BOOK, "providers": {"llm": "m", "tts": "v"}}


def limited(**budget) -> RunSim:
    return RunSim(agent(params={"mediacore_budget": budget})).run(2000)


def ends(sim: RunSim, reason: str) -> None:
    """The scripted goodbye, once; then the end, with its reason in every record."""
    sim.run(6000)
    assert sim.state.over and sim.state.end_reason == reason
    assert sim.spoken[-1] == GOODBYE and sim.spoken.count(GOODBYE) == 1
    assert sim.payload.end_reason == reason
    assert sim.told("limit")[0]["reason"] == reason.removeprefix("limit_")
    assert len(sim.told("limit")) == 1


def test_turns():
    sim = limited(turns=2)
    sim.says("One.").run(2000)
    sim.says("Two.").run(2000)
    assert len(sim.asked) == 2
    sim.says("Three.")
    assert len(sim.asked) == 2  # the third was never asked for
    ends(sim, "limit_stage_turns")


def test_seconds():
    sim = limited(seconds=10)
    sim.says("One.").run(5000)
    assert not sim.state.ending
    ends(sim, "limit_stage_seconds")


def test_tokens():
    sim = limited(tokens=600)
    sim.used = (400, 100)
    sim.says("One.").run(2000)
    assert not sim.state.ending
    sim.says("Two.")
    ends(sim, "limit_stage_tokens")


def test_money_of_the_call():
    rules = settings(budget=Budget(money_micros=600), money=Money(**PRICED))
    sim = RunSim(agent(), rules=rules).run(2000)
    sim.used = (400, 100)
    sim.says("One.").run(2000)
    assert not sim.state.ending
    sim.says("Two.")
    ends(sim, "limit_call_money")


def steps(*items, **context) -> dict:
    document = agent()
    document["prompt"] = {"text": "x", "contexts": {"default": {"steps": list(items), **context}}}
    return document


def test_a_step_has_its_own_budget():
    one = {"name": "a", "text": "A.", "mediacore_budget": {"turns": 1}}
    sim = RunSim(steps(one)).run(2000)
    sim.says("One.").run(2000)
    assert sim.state.meter.stage == "default.a"
    sim.says("Two.")
    ends(sim, "limit_stage_turns")
    assert sim.told("limit")[0]["stage"] == "default.a"


def test_a_contexts_budget_holds_over_all_its_steps():
    items = [{"name": n, "text": n, "skip_to_next_step": True} for n in ("a", "b", "c", "d")]
    sim = RunSim(steps(*items, mediacore_budget={"turns": 3})).run(2000)
    for word in ("One.", "Two.", "Three."):
        if not sim.state.ending:
            sim.says(word).run(2500)
    assert len(sim.asked) == 3
    ends(sim, "limit_stage_turns")


def test_a_runs_budget_holds_over_all_its_steps():
    items = [{"name": n, "text": n, "skip_to_next_step": True} for n in ("a", "b", "c", "d")]
    document = steps(*items)
    document["params"]["mediacore_budget"] = {"turns": 2}
    sim = RunSim(document).run(2000)
    for word in ("One.", "Two.", "Three."):
        if not sim.state.ending:
            sim.says(word).run(2500)
    assert len(sim.asked) == 2
    ends(sim, "limit_call_turns")


def test_requests_that_were_cancelled_do_not_use_the_budget_twice():
    sim = RunSim(agent(), rules=settings(budget=Budget(tokens=100_000))).run(2000)
    sim.used = (10, 5)
    for _ in range(8):
        sim.says("Well.").run(1500)
    meter = sim.state.meter
    assert meter.call.used.tokens == 15 * len(sim.asked)
    assert meter.call.held.tokens == 0 and sim.ai.plans == ()


def test_a_request_that_is_never_counted_stays_held_and_is_settled_in_full():
    sim = RunSim(agent(), rules=settings(budget=Budget(tokens=100_000)), replies=[["x.", None]])
    sim.run(2000)
    for _ in range(8):
        sim.says("Well.")
    assert len(sim.asked) >= 8 and 0 < len(sim.ai.plans) <= 4
    assert sim.state.meter.call.used.tokens > 0


# ---------------------------------------------------------------------------- the day's money


def day(cap: int = 10_000, unit: int = 1000, **more) -> RunSim:
    rules = settings(money=Money(**PRICED, day_cap_micros=cap, unit_micros=unit))
    return RunSim(agent(), rules=rules, **more)


def test_money_of_the_day_is_reserved_before_it_is_needed():
    sim = day().run(10)
    assert sim.state.meter.day is not None
    assert [x.amount_micros for x in sim.of(a.ReserveSpend)] == [1000]
    sim.run(2000)
    sim.says("One.").run(2000)
    assert len(sim.asked) == 1 and not sim.state.ending


def test_a_refused_reservation_ends_the_call_before_anything_is_spent():
    sim = day(grants=False).run(2000)
    assert sim.state.day_closed and not sim.state.ending
    sim.says("One.")
    assert sim.asked == []
    ends(sim, "limit_day_money")


def test_a_request_waits_for_its_money():
    sim = day(unit=100, grants=None).run(2000)
    (first,) = sim.of(a.ReserveSpend)
    sim.says("One.")
    assert sim.asked == [] and sim.ai.waiting is not None
    sim.do(i.SpendChecked(first.reservation, True))
    second = sim.of(a.ReserveSpend)[-1]
    assert second is not first and second.amount_micros >= 200  # what the request still lacks
    sim.do(i.SpendChecked(second.reservation, True))
    assert len(sim.asked) == 1
    sim.run(2000)
    assert sim.spoken[-1] == "All right."


def test_an_answer_about_another_reservation_is_refused():
    sim = day(grants=None).run(100)
    sim.do(i.SpendChecked("other", True))
    assert sim.state.refused["stale_spend"] == 1
    assert sim.state.reserving


def test_without_a_cap_there_is_no_day():
    sim = RunSim(agent()).run(1000)
    assert sim.state.meter.day is None and sim.of(a.ReserveSpend) == []


# ----------------------------------------------------------------------------- without an agent


def test_the_calls_seconds_are_a_frame_budget_of_the_line():
    phone = Phone([{"sleep": 100}], rules=settings(budget=Budget(seconds=20)))
    phone.document([{"answer": {}}, {"sleep": 100}])
    phone.answered()
    grace_ms = phone.state.settings.talk.limit_grace_ms
    assert phone.of(a.LimitLine)[-1].limit_ms == 20_000 + grace_ms + 1000


def test_a_trip_without_an_agent_says_a_fixed_line_and_ends_the_call():
    rules = settings(budget=Budget(seconds=20))
    phone = Phone([{"answer": {}}, {"play": "silence:90"}], answered=True, rules=rules)
    phone.playing()
    phone.wait(20_000)
    assert phone.said[-1] == rules.limit_goodbye
    phone.played()
    phone.wait(4000)
    assert phone.state.over and phone.state.end_reason == "limit_call_seconds"


@pytest.mark.parametrize("kind", ["turns", "tokens"])
def test_a_trip_is_told_once_even_when_more_limits_fall(kind):
    rules = settings(budget=Budget(seconds=30, **{kind: 1 if kind == "turns" else 300}))
    sim = RunSim(agent(), rules=rules).run(2000)
    sim.used = (200, 200)
    sim.says("One.").run(2000)
    if not sim.state.ending:
        sim.says("Two.")
    sim.run(40_000)
    assert len(sim.told("limit")) == 1
    assert sim.spoken.count(GOODBYE) == 1


def test_what_has_no_price_costs_nothing_and_is_told():
    money = Money(prices=BOOK, providers={"llm": "unknown", "tts": "v"})
    sim = RunSim(agent(), rules=settings(money=money)).run(2000)
    sim.says("One.").run(2000)
    assert "unknown" in sim.logs("price")
    assert sim.state.meter.call.used.money_micros == len("Hello." + "All right.")


def test_what_was_counted_for_a_run_that_is_over_is_refused():
    sim = RunSim(agent()).run(2000)
    sim.do(i.TokensUsed(99, 5, 5))
    assert sim.state.refused["stale_usage"] == 1


def test_usage_without_a_plan_still_counts():
    sim = RunSim(agent()).run(2000)
    sim.do(i.TokensUsed(sim.ai.id, 7, 3, 4))
    assert sim.state.meter.call.used.tokens == 10
    assert (sim.ai.input_tokens, sim.ai.output_tokens) == (7, 3)
