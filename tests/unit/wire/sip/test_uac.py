"""Every state of an INVITE of ours against everything that can happen to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mediacore.wire.sip.message import Request, make_response
from mediacore.wire.sip.uac import UAC_TABLE, ClientInvite, UacCue, UacState
from support.sip_world import ANSWER, OFFER, Ua, World, overs


class Peer:
    """Answers of a callee that is not there."""

    def __init__(self, sdp: bytes | None = OFFER) -> None:
        self.world = World()
        self.a: Ua = self.world.add("a")
        self.call = self.world.dial(self.a, "10.0.0.99", sdp=sdp)
        session = self.a.agent._sessions[self.call]
        assert isinstance(session.invite, ClientInvite)
        self.invite = session.invite
        sent = self.a.sent[0]
        assert isinstance(sent, Request)
        self.request = sent

    def answer(self, status: int, body: bytes = b"", tag: str = "t") -> None:
        response = make_response(
            self.request,
            status,
            to_tag=tag,
            headers=[("Contact", "<sip:b@10.0.0.99>")],
            body=body,
            content_type="application/sdp" if body else "",
        )
        a = self.a
        self.world.do(a, a.agent.receive(self.world.now_ms, response, a.flow_to("10.0.0.99")))

    def give(self, cue: UacCue) -> None:
        acts: dict[UacCue, Callable[[], None]] = {
            UacCue.PROVISIONAL: lambda: self.answer(180),
            UacCue.SUCCESS: lambda: self.answer(200, ANSWER),
            UacCue.OFFER: lambda: self.answer(200, OFFER),
            UacCue.FAILURE: lambda: self.answer(486),
            UacCue.CONFIRM: lambda: self.world.call(self.a, "confirm", self.call, ANSWER),
            UacCue.HANGUP: lambda: self.world.call(self.a, "hangup", self.call),
        }
        acts[cue]()


WAY = {
    UacState.CALLING: (),
    UacState.PROCEEDING: (UacCue.PROVISIONAL,),
    UacState.ACCEPTED: (UacCue.OFFER,),
    UacState.LEAVING: (UacCue.PROVISIONAL, UacCue.HANGUP),
    UacState.UP: (UacCue.SUCCESS,),
    UacState.OVER: (UacCue.FAILURE,),
}


@pytest.mark.parametrize("cue", UacCue)
@pytest.mark.parametrize("state", UacState)
def test_every_state_and_cue(state: UacState, cue: UacCue) -> None:
    offered = state is not UacState.ACCEPTED and cue is not UacCue.OFFER
    if state is UacState.UP and cue is UacCue.OFFER:
        offered = True
    peer = Peer(OFFER if offered else None)
    for step in WAY[state]:
        peer.give(step)
    if state is UacState.ACCEPTED and cue is UacCue.SUCCESS:
        return  # the same 2xx; whether it carries an offer was decided by our INVITE
    assert peer.invite.state is state
    peer.give(cue)
    assert peer.invite.state is UAC_TABLE.get((state, cue), state)
    peer.world.run(200_000)
    left = peer.invite.state in (UacState.OVER, UacState.LEAVING) or cue is UacCue.HANGUP
    assert (peer.call in overs(peer.a)) is left
    if peer.invite.state is UacState.OVER:
        assert peer.a.agent.sessions == 0


def test_reliable_answers_are_acknowledged_once_each() -> None:
    peer = Peer()
    response = make_response(
        peer.request,
        183,
        to_tag="t",
        headers=[("Contact", "<sip:b@10.0.0.99>"), ("Require", "100rel"), ("RSeq", "7")],
        body=ANSWER,
        content_type="application/sdp",
    )
    flow = peer.a.flow_to("10.0.0.99")
    for _ in range(3):
        peer.world.do(peer.a, peer.a.agent.receive(0, response, flow))
    pracks = [m for m in peer.a.sent if isinstance(m, Request) and m.method == "PRACK"]
    assert [m.headers.get("RAck") for m in pracks] == ["7 1 INVITE"]
    peer.answer(200)  # its SDP was in the reliable answer
    assert peer.invite.state is UacState.UP


def test_a_success_without_a_usable_contact_route_is_over() -> None:
    peer = Peer()
    response = make_response(
        peer.request, 200, to_tag="t", headers=[("Contact", "<mailto:x@y>")], body=ANSWER
    )
    peer.world.do(peer.a, peer.a.agent.receive(0, response, peer.a.flow_to("10.0.0.99")))
    assert overs(peer.a)[peer.call].status == 500
