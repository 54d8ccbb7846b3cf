"""Variable scopes: look-up, and that nothing is changed in place."""

from __future__ import annotations

import pytest

from mediacore.flow.scope import MISSING, Scope, parse_path

SCOPE = Scope(
    call={"from": "+15551234567", "headers": [{"name": "X-A", "value": "1"}]},
    params={"a": 1},
    vars={"x": 1, "who": {"first": "Ada"}, "list": [1, [2, 3]], "h": {"content-type": "t"}},
    envs={"x": 9, "key": "k"},
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("x", 1),
        ("key", "k"),
        ("vars.x", 1),
        ("envs.x", 9),
        ("params.a", 1),
        ("a", ""),
        ("call.from", "+15551234567"),
        ("from", ""),
        ("call.headers[0].value", "1"),
        ("who.first", "Ada"),
        ('who["first"]', "Ada"),
        ("who['first']", "Ada"),
        ("list[1][0]", 2),
        ("list.1", [2, 3]),
        ("list[7]", ""),
        ("h.content-type", "t"),
        ("who.first.length", ""),
        ("nothing.at.all", ""),
        ("", ""),
        ("a + b", ""),
    ],
)
def test_lookup(path: str, value: object) -> None:
    assert SCOPE.lookup(path) == value


def test_missing_can_be_told_from_empty() -> None:
    assert SCOPE.lookup("nothing", MISSING) is MISSING
    assert Scope(vars={"e": ""}).lookup("e", MISSING) == ""


@pytest.mark.parametrize("text", ["a + b", "a()", "a.b(", "1a", "a[b]", "a[-1]", "'x'", "", "a..b"])
def test_not_a_path(text: str) -> None:
    assert parse_path(text) is None


def test_scopes_are_replaced_not_changed() -> None:
    changed = SCOPE.with_vars({"x": 2}).without(["who", "absent"]).with_params({"b": 2})
    assert (changed.lookup("x"), changed.lookup("who"), changed.params) == (2, "", {"b": 2})
    assert (SCOPE.lookup("x"), SCOPE.lookup("who.first"), SCOPE.params) == (1, "Ada", {"a": 1})


def test_scope_names_win_over_variables_of_the_same_name() -> None:
    scope = Scope(call={"type": "sip"}, vars={"call": "shadow", "type": "v"}, envs={"only": 1})
    names = scope.names()
    assert names["call"] == {"type": "sip"}
    assert (names["type"], names["only"]) == ("v", 1)
    assert scope.lookup("call.type") == "sip"
