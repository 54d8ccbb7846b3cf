"""What an agent decides by itself, without sockets."""

from __future__ import annotations

import pytest

from mediacore import _core
from mediacore.media import LegConfig
from mediacore.transports.sip.agent import SipAgent
from mediacore.transports.sip.settings import SipConfig, SipTrunk, Transfers
from mediacore.transports.sip.sockets import SipSockets
from mediacore.transports.sip.targets import Targets
from mediacore.wire.sip.ids import SipIds

HOME, TRUNK, FAR = "sip:b@10.0.0.1", "sip:+1900@trunk.example", "sip:c@10.0.0.9"


@pytest.mark.parametrize(
    ("policy", "judge", "home", "trunk", "far"),
    [
        (Transfers.REFUSE, True, False, False, False),
        (Transfers.SAME_HOST, None, True, True, False),
        (Transfers.SAME_HOST, True, True, True, False),
        (Transfers.SAME_HOST, False, True, False, False),
        (Transfers.ANY, None, True, True, True),
        (Transfers.ANY, False, False, False, False),
    ],
)
def test_where_a_party_may_be_sent(
    policy: Transfers, judge: bool | None, home: bool, trunk: bool, far: bool
) -> None:
    config = SipConfig(transfers=policy, trunk=SipTrunk("trunk.example"))
    with _core.Engine(max_legs=1) as engine:
        agent = SipAgent(
            config,
            engine,
            LegConfig(),
            on_incoming=lambda line: None,
            seed=lambda: 1,
            allow_refer=None if judge is None else lambda uri: judge,
        )
    sockets = SipSockets(config.binds, on_message=lambda d, f: None, on_lost=lambda f: None)
    agent._targets = Targets(config, sockets, SipIds(lambda n: "0" * 2 * n))
    found = [
        agent.may_refer(uri, host, "10.0.0.1")
        for uri, host in ((HOME, "10.0.0.1"), (TRUNK, "10.0.0.5"), (FAR, "10.0.0.9"))
    ]
    assert found == [home, trunk, far]
    assert agent.snapshot().referrals_refused == found.count(False)


@pytest.mark.parametrize(("judge", "sent"), [(None, True), (True, True), (False, False)])
def test_where_we_may_send_a_party(judge: bool | None, sent: bool) -> None:
    with _core.Engine(max_legs=1) as engine:
        agent = SipAgent(
            SipConfig(),
            engine,
            LegConfig(),
            on_incoming=lambda line: None,
            seed=lambda: 1,
            allow_refer=None if judge is None else lambda uri: judge,
        )
    assert agent.may_send(FAR) is sent
    assert agent.snapshot().referrals_refused == (not sent)
