from __future__ import annotations

from typing import get_args

from mediacore.wire.sip import signals


def test_every_signal_of_a_call_names_it() -> None:
    kinds = get_args(signals.Signal)
    of_calls = [k for k in kinds if "egister" not in k.__name__ and "egistration" not in k.__name__]
    assert all("call" in k.__dataclass_fields__ for k in of_calls)
    assert len(kinds) - len(of_calls) == 3
