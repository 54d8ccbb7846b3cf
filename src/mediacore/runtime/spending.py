"""What a call may cost: checked before anything that spends, settled when the amount is known.

A limit that is reached ends the call: the agent says the scripted goodbye and hangs up; without an
agent the line is told and ended. Time is also a frame budget of the audio core.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from mediacore.assistant.limits import StageBudget
from mediacore.call.actions import StartReply
from mediacore.call.inputs import LimitReached
from mediacore.policy import budget as policy
from mediacore.policy.budget import Account, Amounts, Budget, Scope, SpendKind, Trip
from mediacore.policy.prices import ANY_MODEL, Priced, UsageDelta
from mediacore.runtime import lines, talking
from mediacore.runtime.actions import Publish, ReserveSpend
from mediacore.runtime.draft import Draft
from mediacore.runtime.inputs import SpendChecked, TokensUsed
from mediacore.runtime.state import Plan, RunState

_CHARS_PER_TOKEN: Final = 4
_MAX_PLANS: Final = 4
_RESERVE_MS: Final = 5_000
_US: Final = 1_000_000


def _budget(found: StageBudget) -> Budget:
    money = None if found.money is None else int(Decimal(found.money) * 1_000_000)
    seconds = None if found.seconds is None else max(int(found.seconds), 1)
    return Budget(seconds, found.turns, found.tokens, money)


def begin_run(d: Draft) -> None:
    """A run's own budget, beside those of its steps; and money of the day before it is needed."""
    meter, session = d.state.meter, d.run.session
    if meter is None:
        return
    if session.config.contexts is not None:
        account, limit = meter.call, _budget(session.config.budget)
        more = _tightest([d.state.settings.budget, _from_here(account, limit, d.now)])
        d.set(meter=replace(meter, call=replace(account, budget=more)))
    top_up(d)


def _from_here(account: Account, limit: Budget, now: int) -> Budget:
    """A limit that begins now, counted as the account counts."""

    def after(used: int, most: int | None) -> int | None:
        return None if most is None else used + most

    used = account.used
    return Budget(
        after(account.elapsed_us(now) // _US, limit.seconds),
        after(used.turns, limit.turns),
        after(used.tokens, limit.tokens),
        after(used.money_micros, limit.money_micros),
    )


def enter_stage(d: Draft) -> None:
    """The budget of the step or, when it has none, that of its context over all its steps.

    A step's own limits are within those of its context. Without steps there is one stage, "ai".
    """
    meter = d.state.meter
    if meter is None:
        return
    session = d.run.session
    step, context = session.current_step(), session.current_context()
    if step is None or context is None:
        limits, name = [session.config.budget], "ai"
    elif step.budget == StageBudget():
        limits, name = [context.budget], context.name
    else:
        limits, name = [context.budget, step.budget], f"{context.name}.{step.name}"
    found = [_budget(limit) for limit in limits]
    d.set(meter=policy.enter_stage(meter, name, _tightest(found), d.now))


def _tightest(found: list[Budget]) -> Budget:
    def least(name: str) -> int | None:
        values = [getattr(b, name) for b in found if getattr(b, name) is not None]
        return min(values) if values else None

    return Budget(least("seconds"), least("turns"), least("tokens"), least("money_micros"))


def leave_stage(d: Draft) -> None:
    """No stage's time runs, and what the run limited is not limited any more."""
    meter = d.state.meter
    if meter is None:
        return
    meter = policy.leave_stage(meter, d.now)
    call = replace(meter.call, budget=d.state.settings.budget)
    d.set(meter=replace(meter, call=call))


def may_ask(d: Draft, action: StartReply) -> bool:
    """Whether one more request to the model fits; holds what it can cost at most.

    A request for which the day's money is only being reserved waits for it.
    """
    meter = d.state.meter
    if meter is None:
        return True
    while len(d.run.plans) >= _MAX_PLANS:  # requests that nobody counted
        _settle_plan(d, d.run.plans[0], d.run.plans[0].amounts)
    meter = d.state.meter
    assert meter is not None
    chars = sum(len(e.text) for e in action.context)
    most = chars // _CHARS_PER_TOKEN + (action.max_tokens or 256)
    planned = Amounts(turns=1, tokens=most, money_micros=_most(d, most))
    tripped = policy.check_before(meter, planned, d.now)
    if tripped is not None and _grows(d, tripped):
        d.set_run(waiting=action)
        top_up(d, planned.money_micros)
        return False
    if tripped is not None:
        trip(d, tripped)
        return False
    d.set(meter=policy.hold(meter, planned))
    d.set_run(plans=(*d.run.plans, Plan(action.generation, meter.stage, planned)))
    top_up(d)
    return True


def _grows(d: Draft, tripped: Trip) -> bool:
    """The limit is only what was reserved of the day's money so far."""
    return tripped.scope is Scope.DAY and not d.state.day_closed


def _settle_plan(d: Draft, plan: Plan, actual: Amounts) -> Trip | None:
    d.set_run(plans=tuple(p for p in d.run.plans if p is not plan))
    assert d.state.meter is not None
    meter, tripped = policy.settle(d.state.meter, plan.amounts, actual, d.now, stage=plan.stage)
    d.set(meter=meter)
    return tripped


def _most(d: Draft, tokens: int) -> int:
    """The most that so many tokens can cost."""
    return max(_cost(d, "llm", input_tokens=tokens), _cost(d, "llm", output_tokens=tokens))


def tokens_used(d: Draft, event: TokensUsed) -> None:
    """A request was counted."""
    run, meter = d.state.run, d.state.meter
    if run is None or run.id != event.run:
        d.refuse("stale_usage", run=event.run)
        return
    d.set_run(
        input_tokens=run.input_tokens + event.input_tokens,
        output_tokens=run.output_tokens + event.output_tokens,
    )
    if meter is None:
        return
    total = event.input_tokens + event.output_tokens
    cost = _cost(d, "llm", input_tokens=event.input_tokens, output_tokens=event.output_tokens)
    plans = run.plans
    plan = next((p for p in plans if p.generation == event.generation), plans[0] if plans else None)
    if plan is None:
        plan = Plan(event.generation, meter.stage, Amounts())
    _stop_at(d, _settle_plan(d, plan, Amounts(plan.amounts.turns, total, cost)))
    if d.state.run is not None:
        top_up(d)


def _stop_at(d: Draft, tripped: Trip | None) -> None:
    if tripped is not None and d.state.run is not None and not _grows(d, tripped):
        trip(d, tripped)


def spoke(d: Draft, chars: int) -> None:
    """Text was given to the synthesiser."""
    _charge(d, _cost(d, "tts", characters=chars))


def _charge(d: Draft, micros: int) -> None:
    if d.state.meter is None or not micros:
        return
    meter, tripped = policy.charge(d.state.meter, SpendKind.MONEY, micros, d.now)
    d.set(meter=meter)
    _stop_at(d, tripped)
    top_up(d)


def _cost(d: Draft, slot: str, **used: int) -> int:
    """Micros of what a provider used. Nothing without prices; what has no price is told.

    Assembly refuses money limits whose providers have no price, so this is for what it could not
    know.
    """
    money = d.state.settings.money
    if money.prices is None:
        return 0
    provider, _, model = money.providers.get(slot, "").partition(":")
    priced = money.prices.cost(UsageDelta(provider, model or ANY_MODEL, **used))
    if isinstance(priced, Priced):
        return priced.micros
    d.log("price", "unknown", slot=slot, kinds=len(priced.kinds))
    return 0


def check_time(d: Draft) -> None:
    """A time limit may have been reached."""
    meter = d.state.meter
    if meter is None or d.state.run is None or d.state.run.hangup:
        return
    tripped = policy.check_before(meter, Amounts(), d.now)
    if tripped is not None:
        trip(d, tripped)


def deadline_us(d_meter: policy.Meter | None) -> int | None:
    """When the next time limit is reached."""
    return policy.next_deadline_us(d_meter) if d_meter is not None else None


def trip(d: Draft, tripped: Trip) -> None:
    """A limit was reached: say goodbye and end the call, once."""
    run = d.state.run
    if run is None or run.hangup:
        return
    d.set_run(hangup=True, end_reason=f"limit_{tripped.reason}")
    d.set(end_reason=d.state.end_reason or f"limit_{tripped.reason}")
    d.log(
        "limit",
        tripped.reason,
        stage=tripped.name[:64],
        limit=tripped.limit,
        used=tripped.used,
    )
    body = {"call_id": run.line, "reason": tripped.reason, "stage": tripped.name}
    d.emit(Publish("calling.limit", run.line, body))
    talking.feed(d, LimitReached(f"limit_{tripped.reason}"))


def day_checked(d: Draft, event: SpendChecked) -> None:
    """The day's store answered a request for more: what waited for it goes on, or ends the call."""
    meter = d.state.meter
    if meter is None or meter.day is None or event.reservation != d.state.reserving:
        d.refuse("stale_spend")
        return
    amount = d.state.reserving_micros
    d.set(reserving="", reserving_micros=0)
    if event.granted:
        d.set(meter=policy.grant(meter, amount))
    else:
        d.set(day_closed=True)
    d.log("day_money", "granted" if event.granted else "refused", reason=event.reason[:64])
    run = d.state.run
    if run is not None and run.waiting is not None:
        d.set_run(waiting=None)
        d.decisions.append((run.id, run.waiting))


def reserve_due_us(state: RunState) -> int | None:
    """When a reservation is not waited for any longer."""
    return state.reserving_us + _RESERVE_MS * 1000 if state.reserving else None


def reserve_missing(d: Draft) -> None:
    """The store does not answer: nothing more is granted."""
    day_checked(d, SpendChecked(d.state.reserving, granted=False, reason="no_answer"))


def top_up(d: Draft, needed: int = 0) -> None:
    """Ask for more of the day's money before what is granted is used up.

    needed: for one request; reserved in whole units.
    """
    meter = d.state.meter
    if meter is None or meter.day is None or d.state.reserving or d.state.day_closed:
        return
    if d.state.run is None:
        return
    day = meter.day
    left = (day.budget.money_micros or 0) - day.used.money_micros - day.held.money_micros
    unit = d.state.settings.money.unit_micros
    if left >= max(unit, needed):
        return
    amount = -(-max(needed - left, unit) // unit) * unit
    name = f"{d.state.id}:{d.serial()}"
    d.set(reserving=name, reserving_micros=amount, reserving_us=d.now)
    d.emit(ReserveSpend(name, amount))


def limit_line(d: Draft, line: str) -> None:
    """The call's seconds are a frame budget of its line too, with time for the goodbye."""
    settings = d.state.settings
    if settings.budget.seconds is None or line != d.state.main:
        return
    lines.limit(d, line, settings.budget.seconds * 1000 + settings.talk.limit_grace_ms)
