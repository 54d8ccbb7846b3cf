"""Who may be transferred where, by the dial policy."""

from __future__ import annotations

import pytest

from mediacore.policy.dialing import DialPolicy
from mediacore.serving.doors import refer_judge
from mediacore.transports.sip.settings import SipTrunk

POLICY = DialPolicy(countries=("DE",), hosts=("pbx.example",))


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        ("sip:desk@pbx.example", True),
        ("sip:desk@elsewhere.example", False),
        ("sip:+4930123456@trunk.example", True),  # a number, through the trunk
        ("sip:+4930123456@TRUNK.example:5070;transport=tcp", True),
        ("sip:+12025550100@trunk.example", False),
        ("sip:+49900123456@trunk.example", False),  # costs extra
        ("sip:desk@trunk.example", False),
        ("sip:+4930123456;x=y@trunk.example", False),
        ("http://trunk.example", False),
    ],
)
def test_a_transfer_is_a_call_on_our_account(uri: str, allowed: bool) -> None:
    assert refer_judge(POLICY, SipTrunk("trunk.example"))(uri) is allowed


def test_without_a_trunk_its_name_is_a_host_like_any_other() -> None:
    assert not refer_judge(POLICY, None)("sip:+4930123456@trunk.example")
