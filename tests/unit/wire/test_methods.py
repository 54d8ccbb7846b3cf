from __future__ import annotations

from mediacore.wire.methods import COMMANDS, UNSUPPORTED, permission_of


def test_no_method_is_both_supported_and_not() -> None:
    assert not COMMANDS & UNSUPPORTED.keys()


def test_permissions() -> None:
    assert permission_of("dial") == "dial"
    assert {permission_of(each) for each in COMMANDS - {"dial"}} == {"control"}
