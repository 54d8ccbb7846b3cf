import re

from hypothesis import given
from hypothesis import strategies as st

from mediacore.policy.budget import (
    Amounts,
    Budget,
    SpendKind,
    check_before,
    enter_stage,
    hold,
    open_meter,
    settle,
)
from mediacore.policy.ending import RequiredField, can_end_call, is_missing
from mediacore.policy.prices import Price, PriceUnit
from mediacore.policy.readback import AnswerKind, ReadBack, matches, read_back
from mediacore.policy.redact import RedactRules, find, leaks, redact, scrub
from mediacore.policy.spoken import all_digits

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FILLERS = [" ", ", ", "-", " uh ", " um, uh ", " dash ", " - ", ". "]


@st.composite
def spoken_number(draw: st.DrawFn, least: int = 6) -> tuple[str, str]:
    """Digits, and one way to say them."""
    digits = draw(st.lists(st.integers(0, 9), min_size=least, max_size=20))
    parts = []
    at = 0
    while at < len(digits):
        digit = digits[at]
        run = 1
        while at + run < len(digits) and digits[at + run] == digit and run < 3:
            run += 1
        if run > 1 and draw(st.booleans()):
            parts.append(f"{('double', 'triple')[run - 2]} {NAMES[digit]}")
            at += run
        else:
            parts.append(draw(st.sampled_from([str(digit), NAMES[digit], NAMES[digit].upper()])))
            at += 1
    text = parts[0]
    for part in parts[1:]:
        text += draw(st.sampled_from(FILLERS)) + part
    return "".join(map(str, digits)), text


@given(number=spoken_number(), before=st.sampled_from(["", "my card is ", "call "]))
def test_no_spoken_number_survives(number: tuple[str, str], before: str) -> None:
    digits, said = number
    assert all_digits(said) == digits
    assert redact(f"{before}{said} thanks") == f"{before}[redacted] thanks"


WORDS = st.sampled_from([*NAMES, "double", "uh", "hundred", "forty", "x", "4", "1111", "٣", "-"])


@given(text=st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=30).map(" ".join)))
def test_redacted_text_holds_no_run(text: str) -> None:
    rules = RedactRules(min_digits=6)
    masked = redact(text, rules)
    assert find(masked, rules) == ()
    # An oracle without number words: figures with at most punctuation between them.
    for run in re.findall(r"\d(?:[^\w]*\d)*", masked):
        assert sum(c.isdigit() for c in run) < 6


@given(number=spoken_number(least=4), rest=st.lists(WORDS, max_size=8))
def test_scrubbed_text_does_not_leak(number: tuple[str, str], rest: list[str]) -> None:
    digits, said = number
    text = " ".join(["hello", said, *rest])
    assert leaks(text, [digits])
    assert not leaks(scrub(text, [digits]), [digits])


AMOUNTS = st.integers(0, 60)


@given(
    limit=st.integers(0, 200),
    stage_limit=st.integers(0, 100),
    plans=st.lists(st.tuples(AMOUNTS, AMOUNTS, st.booleans(), st.sampled_from("ab")), max_size=40),
)
def test_money_never_passes_a_cap(
    limit: int, stage_limit: int, plans: list[tuple[int, int, bool, str]]
) -> None:
    """A spender who asks before and never spends more than planned cannot pass any limit."""
    meter = open_meter(Budget(money_micros=limit), 0)
    spent = {"a": 0, "b": 0}
    open_plans: list[tuple[Amounts, int, str]] = []
    for planned, actual, settle_now, stage in plans:
        meter = enter_stage(meter, stage, Budget(money_micros=stage_limit), 0)
        plan = Amounts(money_micros=planned)
        if check_before(meter, plan, 0) is None:
            meter = hold(meter, plan)
            open_plans.append((plan, min(actual, planned), stage))
        if settle_now and open_plans:
            plan, real, where = open_plans.pop(0)
            meter, _ = settle(meter, plan, Amounts(money_micros=real), 0, stage=where)
            spent[where] += real
    assert sum(spent.values()) == meter.call.used.money_micros <= limit
    assert max(spent.values()) <= stage_limit
    assert meter.call.held.money_micros == sum(p.money_micros for p, _, _ in open_plans)
    trip = check_before(meter, Amounts(money_micros=limit + 1), 0)
    assert trip is not None and trip.kind is SpendKind.MONEY


@given(parts=st.lists(st.integers(0, 10**7), max_size=8), micros=st.integers(0, 10**8))
def test_parts_never_cost_less_than_the_whole(parts: list[int], micros: int) -> None:
    for unit in PriceUnit:
        price = Price("p", unit, micros)
        whole = price.cost(sum(parts))
        pieces = [price.cost(p) for p in parts]
        assert whole <= sum(pieces) <= whole + len(parts)


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just([]))


@given(data=st.dictionaries(st.sampled_from("abcd"), VALUES))
def test_gate_allows_only_complete_data(data: dict[str, object]) -> None:
    required = tuple(RequiredField(key) for key in "abc")
    verdict = can_end_call(required, data, {})
    assert set(verdict.missing) == {k for k in "abc" if is_missing(data.get(k))}
    assert verdict.allowed == (not verdict.missing and not verdict.invalid)


@given(digits=st.text("0123456789", min_size=3, max_size=16))
def test_read_back_is_understood(digits: str) -> None:
    assert all_digits(read_back(digits, ReadBack.ACCOUNT)) == digits
    assert matches(digits, read_back(digits, ReadBack.PHONE)).kind is AnswerKind.YES


@given(number=st.text("0123456789", max_size=12), answer=st.text(max_size=40))
def test_only_a_plain_yes_counts(number: str, answer: str) -> None:
    if matches(number, answer).kind is AnswerKind.YES:
        said = all_digits(answer)
        words = set(re.findall(r"[^\W\d_]+", answer.casefold()))
        assert said == number or words & {
            "yes", "yeah", "yep", "yup", "yea", "correct", "right", "exactly", "affirmative",
            "sure", "perfect", "absolutely", "indeed",
        }  # fmt: skip
