import json
from pathlib import Path

import pytest

from mediacore.errors import ConfigError
from mediacore.policy.prices import (
    Price,
    PriceBook,
    Priced,
    PriceUnit,
    Unpriced,
    UsageDelta,
    UsageKind,
    local_prices,
    parse_prices,
)

GOOD = {
    "version": 1,
    "currency": "USD",
    "as_of": "2026-01-31",
    "source": "contract",
    "prices": [
        {"provider": "acme", "model": "big", "unit": "input_tokens_1m", "micros": 150000},
        {"provider": "acme", "unit": "output_tokens_1m", "micros": 600000},
        {"provider": "trunk", "unit": "carrier_minute", "micros": 8500, "step": 60000},
    ],
}


def book(**changes: object) -> PriceBook:
    return parse_prices(json.dumps(GOOD | changes).encode())


def test_cost_is_exact_and_rounded_up() -> None:
    prices = book()
    assert prices.cost(UsageDelta("acme", "big", input_tokens=1_000_000)) == Priced(150000)
    assert prices.cost(UsageDelta("acme", "big", input_tokens=1)) == Priced(1)
    assert prices.cost(UsageDelta("acme", "big", input_tokens=7, output_tokens=5)) == Priced(2 + 3)
    assert prices.cost(UsageDelta("acme", "big")) == Priced(0)


def test_begun_minutes_are_billed_whole() -> None:
    prices = book()
    assert prices.cost(UsageDelta("trunk", carrier_ms=1)) == Priced(8500)
    assert prices.cost(UsageDelta("trunk", carrier_ms=60_000)) == Priced(8500)
    assert prices.cost(UsageDelta("trunk", carrier_ms=60_001)) == Priced(17000)


def test_audio_by_second_and_minute() -> None:
    assert Price("x", PriceUnit.AUDIO_SECOND, 100).cost(1500) == 150
    assert Price("x", PriceUnit.AUDIO_MINUTE, 4300).cost(90_000) == 6450


def test_unknown_price_is_refused() -> None:
    usage = UsageDelta("other", "m", input_tokens=5, audio_ms=3)
    kinds = (UsageKind.INPUT_TOKENS, UsageKind.AUDIO_MS)
    assert book().cost(usage) == Unpriced("other", "m", kinds)


def test_stated_worst_case_is_taken_and_told() -> None:
    prices = book(worst_case={"input_tokens_1m": 15_000_000})
    cost = prices.cost(UsageDelta("other", "m", input_tokens=10))
    assert cost == Priced(150, (UsageKind.INPUT_TOKENS,))
    assert isinstance(prices.cost(UsageDelta("other", "m", characters=1)), Unpriced)


def test_local_providers_are_free_and_do_not_hide_stated_prices() -> None:
    usage = UsageDelta("whisper", "small", audio_ms=5000)
    assert local_prices().cost(usage) == Priced(0)
    row = {"provider": "whisper", "unit": "audio_second", "micros": 7}
    both = book(prices=[row]).with_defaults(local_prices())
    assert both.cost(usage) == Priced(35)
    assert both.cost(UsageDelta("hibari", characters=9)) == Priced(0)


def test_example_file_is_a_price_book() -> None:
    path = Path(__file__).parents[3] / "examples" / "prices.json"
    prices = parse_prices(path.read_bytes(), str(path))
    assert prices.cost(UsageDelta("example-voice", characters=1000)) == Priced(30000)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "version 2; this program reads version 1"),
        ({"currency": "usd"}, r"\$\.currency"),
        ({"as_of": "soon"}, r"\$\.as_of"),
        ({"source": " "}, r"\$\.source"),
        ({"prices": [{"provider": "a", "unit": "mile", "micros": 1}]}, r"\$\.prices\[0\]\.unit"),
        ({"prices": [{"provider": "a", "unit": "audio_second", "micros": -1}]}, "not negative"),
        (
            {"prices": [{"provider": "a", "unit": "audio_second", "micros": 1, "step": 0}]},
            "at least 1",
        ),
        ({"prices": [{"provider": "", "unit": "audio_second", "micros": 1}]}, "a name"),
        ({"prices": [GOOD["prices"][0]] * 2}, "second price"),
        ({"prices": [{"provider": "a", "unit": "audio_second", "micros": 0.5}]}, "Expected `int`"),
        ({"worst_case": {"audio_second": -1}}, r"\$\.worst_case"),
        ({"extra": 1}, "unknown field"),
    ],
)
def test_faults_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        book(**changes)


def test_garbage_is_refused() -> None:
    for data in (b"", b"[" * 100_000, b"\xff\xfe", b"[]"):
        with pytest.raises(ConfigError, match="not a price book"):
            parse_prices(data)
