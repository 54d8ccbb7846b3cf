"""Which parameters are expanded when a method starts."""

from __future__ import annotations

import pytest

from mediacore.flow.methods import METHODS, State
from mediacore.flow.params import expand_params
from mediacore.flow.scope import Scope
from mediacore.flow.script import QuickJs

UNSUPPORTED = sorted(name for name, each in METHODS.items() if each.state is State.UNSUPPORTED)


@pytest.mark.parametrize("method", UNSUPPORTED)
def test_an_unsupported_method_fails_by_itself_not_by_its_parameters(method: str) -> None:
    params = {"SWAIG": {"functions": [{"data_map": "${args.missing.field}"}]}}
    assert expand_params(method, params, Scope(), QuickJs()) == params
