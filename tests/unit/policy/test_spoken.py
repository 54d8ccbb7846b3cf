from decimal import Decimal

import pytest

from mediacore.policy.spoken import all_digits, digit_runs, figures, quantities


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("four one one one", "4111"),
        ("forty one eleven", "4111"),
        ("double four triple oh", "44000"),
        ("4 1-1, 1", "4111"),
        ("four uh one um dash one", "411"),
        ("four hundred", "400"),
        ("twenty", "20"),
        ("٤١", "41"),
        ("²³", "23"),
        ("double trouble", ""),
        ("double", ""),
        ("hundred", ""),
        ("", ""),
    ],
)
def test_digits(text: str, digits: str) -> None:
    assert all_digits(text) == digits


def test_runs_have_places_and_groups() -> None:
    text = "card 4111 one and then please 22"
    first, second = digit_runs(text)
    assert (first.digits, first.groups, text[first.start : first.end]) == (
        "41111",
        (4, 1),
        "4111 one",
    )
    assert second.digits == "22"


def test_too_many_fillers_end_a_run() -> None:
    assert [r.digits for r in digit_runs("one uh um er uh two", max_fillers=3)] == ["1", "2"]
    assert [r.digits for r in digit_runs("one uh um er two", max_fillers=3)] == ["12"]


def test_figures() -> None:
    assert figures("١2") == "12" and figures("a") is None and figures("") is None


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("two hundred and five", ["205"]),
        ("twenty five", ["25"]),
        ("$1,250.50", ["1250.50"]),
        ("three thousand two hundred", ["3200"]),
        ("one million", ["1000000"]),
        ("twelve point five", ["12.5"]),
        ("twelve point taken", ["12"]),
        ("room four one five", ["415"]),
        ("two and a half", ["2"]),
        ("nothing", []),
        ("a1b", []),
    ],
)
def test_quantities(text: str, values: list[str]) -> None:
    assert quantities(text) == tuple(map(Decimal, values))
