"""The gate before calls that leave the machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediacore.errors import ConfigError
from mediacore.policy.dialing import HOUR_US, CampaignLimits, DialGate, DialPolicy, Refusal


def test_nothing_is_allowed_until_something_is() -> None:
    policy = DialPolicy()
    assert policy.refusal("+12125550100") is Refusal.NOT_ALLOWED
    assert policy.refusal("sip:a@10.0.0.1") is Refusal.HOST


POLICY = DialPolicy(
    allow=("+4930", "10"),
    countries=("US",),
    deny=("+1212976",),
    hosts=("pbx.example.org", "10.0.0.*", "[::1]"),
)


@pytest.mark.parametrize(
    ("to", "refusal"),
    [
        ("+49 30 1234", None),
        ("tel:+49-30-1234", None),
        ("+49401234", Refusal.NOT_ALLOWED),
        ("1001", None),
        ("2001", Refusal.NOT_ALLOWED),
        ("+12125550100", None),
        ("+18765550100", Refusal.NOT_ALLOWED),  # +1, another country
        ("+12129761234", Refusal.DENIED),
        ("+19005550100", Refusal.PREMIUM),
        ("0019005550100", Refusal.NOT_ALLOWED),
        ("", Refusal.MALFORMED),
        ("alice", Refusal.MALFORMED),
        ("+49 30 1234, +19005550100", Refusal.MALFORMED),
        ("sip:alice@pbx.example.org", None),
        ("SIPS:Alice@PBX.Example.ORG:5061;transport=tls", None),
        ("sip:10.0.0.77", None),
        ("sip:a@10.0.0.7:5070?Replaces=x", None),
        ("sip:a@[::1]:5060", None),
        ("sip:alice@evil.example.org", Refusal.HOST),
        ("sip:alice@10.0.0.7@evil.org", Refusal.MALFORMED),
        ("sip:alice@pbx.example.org.evil.org", Refusal.HOST),
        ("sip:", Refusal.MALFORMED),
        ("sip:1001@10.0.0.7", None),
        ("sip:+19005550100@10.0.0.7", Refusal.PREMIUM),
        ("sip:+1-900-555-0100;user=phone@10.0.0.7", Refusal.PREMIUM),
        ("sip:+1900555:pw@10.0.0.7", Refusal.PREMIUM),
        ("sip:0019005550100@10.0.0.7", Refusal.NOT_ALLOWED),
        ("sip:%2B19005550100@10.0.0.7", Refusal.MALFORMED),
        ("sip:+19005550100x@10.0.0.7", Refusal.MALFORMED),
        ("sip:0190x@10.0.0.7", Refusal.MALFORMED),
        ("sip:;+19005550100@10.0.0.7", Refusal.MALFORMED),
        ("sip:robot7@10.0.0.7", None),
    ],
)
def test_who_may_be_called(to: str, refusal: Refusal | None) -> None:
    assert POLICY.refusal(to) is refusal


def test_every_number_still_leaves_out_premium_ones() -> None:
    policy = DialPolicy(allow=("*",))
    assert policy.refusal("+49401234") is None
    assert policy.refusal("+19005550100") is Refusal.PREMIUM
    assert DialPolicy(allow=("*",), premium=True).refusal("+19005550100") is None


@pytest.mark.parametrize(
    "bad",
    [
        {"allow": ("bob",)},
        {"deny": ("",)},
        {"countries": ("Germany",)},
        {"hosts": ("",)},
        {"max_concurrent": 0},
        {"per_hour": 0},
    ],
)
def test_what_cannot_be_meant(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        DialPolicy(**bad)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        CampaignLimits(0)


def test_calls_at_a_time() -> None:
    gate = DialGate(DialPolicy(allow=("1",), max_concurrent=2))
    assert gate.admit("1", "", 0) is gate.admit("1", "", 0) is None
    assert gate.admit("1", "", 0) is Refusal.CONCURRENT
    gate.ended("")
    assert gate.admit("1", "", 0) is None
    stats = gate.snapshot()
    assert (stats.admitted, stats.running) == (3, 2)
    assert stats.refused == {Refusal.CONCURRENT: 1}


def test_calls_in_an_hour() -> None:
    gate = DialGate(DialPolicy(allow=("1",), per_hour=2))
    for now in (0, 10):
        assert gate.admit("1", "", now) is None
        gate.ended("")
    assert gate.admit("1", "", HOUR_US - 1) is Refusal.PER_HOUR
    assert gate.admit("1", "", HOUR_US) is None
    assert gate.admit("1", "", HOUR_US + 9) is Refusal.PER_HOUR


def test_a_campaign_has_limits_of_its_own() -> None:
    campaigns = {"a": CampaignLimits(1, 2)}
    gate = DialGate(DialPolicy(allow=("1",), campaigns=campaigns))
    assert gate.admit("1", "a", 0) is None
    assert gate.admit("1", "a", 0) is Refusal.CAMPAIGN_CONCURRENT
    assert gate.admit("1", "b", 0) is None
    gate.ended("a")
    assert gate.admit("1", "a", 1) is None
    gate.ended("a")
    assert gate.admit("1", "a", 2) is Refusal.CAMPAIGN_PER_HOUR
    assert gate.snapshot().running == 1


def test_a_refused_call_uses_nothing_up() -> None:
    gate = DialGate(DialPolicy(allow=("1",), per_hour=1))
    assert gate.admit("2", "", 0) is Refusal.NOT_ALLOWED
    assert gate.admit("1", "", 0) is None


@given(st.text(max_size=40))
def test_nothing_strange_gets_through(text: str) -> None:
    assert DialPolicy(countries=("DE",)).refusal(text) is not None or "+49" in text.replace(" ", "")
