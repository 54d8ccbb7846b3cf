"""Conditions."""

from __future__ import annotations

import pytest

from mediacore.flow.condition import holds, without_placeholders
from mediacore.flow.scope import Scope
from mediacore.flow.script import QuickJs, ScriptFault

SCOPE = Scope(call={"type": "SIP"}, vars={"n": 1, "s": "1", "quote": "' || true || '", "e": []})
JS = QuickJs()


@pytest.mark.parametrize(
    ("when", "truth"),
    [
        ("call.type.toLowerCase() == 'sip'", True),
        ("n === 1 && s === '1'", True),
        ("n > 1", False),
        ("e", True),
        ("''", False),
        ("type == 'SIP'", True),
        ("'%{s}' == '1'", True),
        ("${n} == 1", True),
        ("${n + 1} == 2", True),
        ("'${quote}' == 'x'", False),
        (True, True),
        (0, False),
        (None, False),
    ],
)
def test_holds(when: object, truth: bool) -> None:
    assert holds(when, SCOPE, JS) is truth


@pytest.mark.parametrize("when", ["", "nothing == 1", "n ==", ["n"]])
def test_faults(when: object) -> None:
    with pytest.raises(ScriptFault):
        holds(when, SCOPE, JS)


def test_values_are_never_spliced_into_the_code() -> None:
    assert without_placeholders("'%{a}' == ${b} // x") == "String(a) == (b) // x"
