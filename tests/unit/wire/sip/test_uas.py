"""Every state of an INVITE that came in against everything that can happen to it."""

from __future__ import annotations

import pytest

from mediacore.wire.sip.message import Request, Response
from mediacore.wire.sip.signals import Cause, Incoming
from mediacore.wire.sip.uas import UAS_TABLE, ServerInvite, UasCue, UasState
from support.sip_world import ANSWER, Ua, World, overs


def at(state: UasState) -> tuple[World, Ua, Ua, ServerInvite, int]:
    """A call that is in this state on the called side, ACKs withheld."""
    world = World()
    a, b = world.add("a"), world.add("b")
    world.drop = lambda host, m: isinstance(m, Request) and m.method == "ACK"
    world.dial(a, b)
    world.run(20)
    call = b.of(Incoming)[0].call
    session = b.agent._sessions[call]
    steps = {
        UasState.TRYING: (),
        UasState.RINGING: (("ring",),),
        UasState.ANSWERED: (("answer", ANSWER),),
        UasState.LEAVING: (("answer", ANSWER), ("hangup",)),
        UasState.UP: (("answer", ANSWER),),
        UasState.OVER: (("refuse", 486),),
    }[state]
    if state is UasState.UP:
        world.drop = lambda host, m: False
    for name, *more in steps:
        world.call(b, name, call, *more)
    if state is UasState.UP:
        world.run(20)
    assert isinstance(session.invite, ServerInvite)
    assert session.invite.state is state
    return world, a, b, session.invite, call


def ack(invite: ServerInvite) -> Request:
    return Request(headers=invite.request.headers.copy(), method="ACK", uri="sip:b@x")


def give(invite: ServerInvite, cue: UasCue) -> None:
    {
        UasCue.RING: lambda: invite.ring(None),
        UasCue.ANSWER: lambda: invite.answer(ANSWER),
        UasCue.REFUSE: lambda: invite.refuse(486),
        UasCue.CANCEL: lambda: invite.cancelled(""),
        UasCue.ACK: lambda: invite.acked(ack(invite)),
        UasCue.NO_ACK: lambda: invite._unheard("2xx"),
        UasCue.HANGUP: invite.hangup,
        UasCue.BYE: invite.bye,
        UasCue.LOST: invite.lost,
    }[cue]()


@pytest.mark.parametrize("cue", UasCue)
@pytest.mark.parametrize("state", UasState)
def test_every_state_and_cue(state: UasState, cue: UasCue) -> None:
    world, _, b, invite, call = at(state)
    told = len(b.signals)
    give(invite, cue)
    world.do(b, b.agent.tick(world.now_ms))
    assert invite.state is UAS_TABLE.get((state, cue), state)
    if (state, cue) not in UAS_TABLE:
        # the INVITE's connection is no longer needed then: phones close theirs
        assert b.agent.snapshot().illegal == ((state, cue) != (UasState.UP, UasCue.LOST))
        assert len(b.signals) == told
    world.run(200_000)
    if invite.state is UasState.OVER and cue is not UasCue.BYE:
        assert call in overs(b)


def test_a_call_that_nobody_decided_ends_with_its_caller() -> None:
    world, a, b, invite, call = at(UasState.RINGING)
    world.call(a, "hangup", 1)
    world.run(50)
    assert invite.state is UasState.OVER
    assert overs(b)[call].cause is Cause.CANCEL
    assert any(isinstance(m, Response) and m.status == 487 for m in b.sent)
