"""What a call may cost: checked before anything that spends, settled when the amount is known.

A limit that is reached ends the call: the agent says the scripted goodbye and hangs up; without an
agent the line is told and ended. Time is also a frame budget of the audio core.
"""

from __future__ import annotations

from decimal import Decimal

from mediacore.assistant.limits import StageBudget
from mediacore.call.actions import StartReply
from mediacore.call.inputs import LimitReached
from mediacore.policy import budget as policy
from mediacore.policy.budget import Amounts, Budget, SpendKind, Trip
from mediacore.policy.prices import ANY_MODEL, Priced, UsageDelta
from mediacore.runtime import talking
from mediacore.runtime.actions import Publish, ReserveSpend
from mediacore.runtime.draft import Draft
from mediacore.runtime.inputs import SpendChecked, TokensUsed

_CHARS_PER_TOKEN = 4


def _budget(found: StageBudget) -> Budget:
    money = None if found.money is None else int(Decimal(found.money) * 1_000_000)
    seconds = None if found.seconds is None else max(int(found.seconds), 1)
    return Budget(seconds, found.turns, found.tokens, money)


def enter_stage(d: Draft, name: str) -> None:
    """The budget of the step, within that of its context and the run."""
    meter = d.state.meter
    if meter is None:
        return
    session = d.run.session
    step, context = session.current_step(), session.current_context()
    limits = [session.config.budget]
    limits += [s.budget for s in (context, step) if s is not None]
    found = [_budget(limit) for limit in limits]
    d.set(meter=policy.enter_stage(meter, name or "ai", _tightest(found), d.now))


def _tightest(found: list[Budget]) -> Budget:
    def least(name: str) -> int | None:
        values = [getattr(b, name) for b in found if getattr(b, name) is not None]
        return min(values) if values else None

    return Budget(least("seconds"), least("turns"), least("tokens"), least("money_micros"))


def leave_stage(d: Draft) -> None:
    """No stage's time runs."""
    if d.state.meter is not None:
        d.set(meter=policy.leave_stage(d.state.meter, d.now))


def may_ask(d: Draft, action: StartReply) -> bool:
    """Whether one more request to the model fits; holds what it can cost at most."""
    run, meter = d.run, d.state.meter
    if meter is None:
        return True
    chars = sum(len(e.text) for e in action.context)
    most = chars // _CHARS_PER_TOKEN + (action.max_tokens or 256)
    planned = Amounts(turns=1, tokens=most, money_micros=_most(d, most))
    if run.planned != Amounts():
        meter, _ = policy.settle(meter, run.planned, run.planned, d.now)
    tripped = policy.check_before(meter, planned, d.now)
    if tripped is not None:
        d.set(meter=meter)
        d.set_run(planned=Amounts())
        trip(d, tripped)
        return False
    d.set(meter=policy.hold(meter, planned))
    d.set_run(planned=planned)
    top_up(d)
    return True


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
        planned=Amounts(),
    )
    if meter is None:
        return
    total = event.input_tokens + event.output_tokens
    cost = _cost(d, "llm", input_tokens=event.input_tokens, output_tokens=event.output_tokens)
    actual = Amounts(run.planned.turns, total, cost)
    new, tripped = policy.settle(meter, run.planned, actual, d.now)
    d.set(meter=new)
    if tripped is not None:
        trip(d, tripped)


def spoke(d: Draft, chars: int) -> None:
    """Text was given to the synthesiser."""
    _charge(d, _cost(d, "tts", characters=chars))


def _charge(d: Draft, micros: int) -> None:
    if d.state.meter is None or not micros:
        return
    meter, tripped = policy.charge(d.state.meter, SpendKind.MONEY, micros, d.now)
    d.set(meter=meter)
    if tripped is not None and d.state.run is not None:
        trip(d, tripped)


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
    """The day's store answered a request for more."""
    meter = d.state.meter
    d.set(reserving="")
    if meter is None or meter.day is None:
        d.refuse("stale_spend")
        return
    if event.granted:
        d.set(meter=policy.grant(meter, d.state.settings.money.unit_micros))
    d.log("day_money", "granted" if event.granted else "refused", reason=event.reason[:64])


def top_up(d: Draft) -> None:
    """Ask for more of the day's money before what is granted is used up."""
    meter = d.state.meter
    if meter is None or meter.day is None or d.state.reserving or d.state.run is None:
        return
    day = meter.day
    left = (day.budget.money_micros or 0) - day.used.money_micros - day.held.money_micros
    unit = d.state.settings.money.unit_micros
    if left < unit:
        name = f"{d.state.id}:{d.serial()}"
        d.set(reserving=name)
        d.emit(ReserveSpend(name, unit))
