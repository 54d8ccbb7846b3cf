"""Our own SIP user agents against each other over real sockets, with audio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mediacore.slots.gateway import LineEnd, LineFailedError
from mediacore.transports.sip.config import SipBind
from mediacore.transports.sip.settings import SipConfig, SipTrunk, Transfers
from mediacore.wire.sdp import Direction
from support.sip_phones import TRANSPORTS, Ear, Phones, end, phones

pytestmark = [pytest.mark.phone, pytest.mark.realtime]


def run(tmp_path: Path, work: Callable[[Phones], Awaitable[None]], **changes: object) -> None:
    async def main() -> None:
        async with phones(tmp_path, "a", "b", **changes) as world:
            await asyncio.wait_for(work(world), 15)

    asyncio.run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_both_hear_each_other(tmp_path: Path, transport: str) -> None:
    async def work(world: Phones) -> None:
        a, ear_a, b, ear_b = await world.connect("a", "b", transport)
        await world.hear_each_other(ear_a, ear_b)
        assert a.transport.kind == "sip"
        assert a.transport.codec == b.transport.codec == "PCMU"
        await a.hangup(LineEnd.HANGUP)
        assert await asyncio.wait_for(b.wait_gone(), 2) is LineEnd.HANGUP
        await end((a, ear_a), (b, ear_b))

    run(tmp_path, work)


def test_hold_and_resume_keep_the_call_and_the_audio(tmp_path: Path) -> None:
    async def work(world: Phones) -> None:
        a, ear_a, b, ear_b = await world.connect("a", "b")
        await world.hear_each_other(ear_a, ear_b)
        for direction in (Direction.SENDONLY, Direction.INACTIVE):
            _reoffer(a, direction)
            await asyncio.sleep(0.2)
            assert b.media.facts is not None and not b.media._applied.send
            _reoffer(a, Direction.SENDRECV)
            await asyncio.sleep(0.2)
            await world.hear_each_other(ear_a, ear_b)
        await end((a, ear_a), (b, ear_b))

    def _reoffer(line: object, direction: Direction) -> None:
        sdp = line.media.negotiation().offer(direction).encode().encode()
        line.desk.do(line.desk.ua.reoffer(line.desk.now_ms(), line.call, sdp))

    run(tmp_path, work)


def test_a_digit_by_info_comes_out_as_a_digit(tmp_path: Path) -> None:
    async def work(world: Phones) -> None:
        a, ear_a, b, ear_b = await world.connect("a", "b")
        agent = world.agents["a"]
        agent.do(agent.ua.send_digit(agent.now_ms(), a.call, "5"))
        await asyncio.wait_for(ear_b.pressed.wait(), 3)
        assert ear_b.digits == "5"
        await end((a, ear_a), (b, ear_b))

    run(tmp_path, work)


@pytest.mark.parametrize(
    "reason", [LineEnd.BUSY, LineEnd.DECLINE, LineEnd.NOT_FOUND, LineEnd.NO_ANSWER]
)
def test_a_refusal_keeps_its_meaning(tmp_path: Path, reason: LineEnd) -> None:
    async def work(world: Phones) -> None:
        dialling = asyncio.ensure_future(world.dial("a", world.uri("b")).connect(lambda: None))
        line = await world.incoming["b"].get()
        await line.hangup(reason)
        with pytest.raises(LineFailedError) as failed:
            await dialling
        assert failed.value.reason is reason

    run(tmp_path, work)


def test_a_cancelled_connect_leaves_nothing_behind(tmp_path: Path) -> None:
    async def work(world: Phones) -> None:
        for delay in (0.0, 0.005, 0.02, 0.1):
            rang = asyncio.Event()
            task = asyncio.ensure_future(world.dial("a", world.uri("b")).connect(rang.set))
            await asyncio.sleep(delay)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        line = world.dial("a", world.uri("b"), timeout_ms=200)
        with pytest.raises(LineFailedError) as failed:
            await line.connect(lambda: None)
        assert failed.value.reason is LineEnd.NO_ANSWER
        await asyncio.sleep(0.3)
        while not world.incoming["b"].empty():
            assert await world.incoming["b"].get_nowait().wait_gone() is LineEnd.CANCEL
        assert world.agents["b"].snapshot().gate.full == 0

    run(tmp_path, work)


def test_an_answer_cancelled_half_way_hangs_up(tmp_path: Path) -> None:
    async def work(world: Phones) -> None:
        dialling = asyncio.ensure_future(world.dial("a", world.uri("b")).connect(lambda: None))
        line = await world.incoming["b"].get()
        answering = asyncio.ensure_future(line.connect(lambda: None))
        await asyncio.sleep(0)
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering
        try:
            leg = await asyncio.wait_for(dialling, 2)
            leg.close()
        except LineFailedError:
            pass

    run(tmp_path, work)


@pytest.mark.parametrize("attended", [False, True])
def test_a_transfer_moves_the_leg_to_the_target(tmp_path: Path, attended: bool) -> None:
    async def work(world: Phones) -> None:
        await world.add("c")
        # b serves a; b is asked by a to go on with c
        a, ear_a, b, ear_b = await world.connect("a", "b")
        held: list[tuple[object, Ear]] = []
        target = world.uri("c")
        if attended:
            consult, ear_consult, there, ear_there = await world.connect("a", "c")
            held = [(consult, ear_consult)]
            asking = asyncio.ensure_future(a.refer(target, consult))
            referral = await asyncio.wait_for(asking, 5)
            c, ear_c = there, ear_there
        else:
            asking = asyncio.ensure_future(a.refer(target))
            c = await asyncio.wait_for(world.incoming["c"].get(), 5)
            assert "service" in c.party.headers["Referred-By"] or c.party.headers["Referred-By"]
            ear_c = Ear(world.hub, await c.connect(lambda: None))
            referral = await asyncio.wait_for(asking, 5)
        assert (referral.response, referral.notify) == (202, 200)
        assert await asyncio.wait_for(a.wait_gone(), 3) is LineEnd.HANGUP
        await world.hear_each_other(ear_b, ear_c)
        if attended:
            assert await asyncio.wait_for(held[0][0].wait_gone(), 3) is LineEnd.HANGUP
        await c.hangup(LineEnd.HANGUP)
        assert await asyncio.wait_for(b.wait_gone(), 3) is LineEnd.HANGUP
        await end((a, ear_a), (b, ear_b), (c, ear_c), *held)

    run(tmp_path, work)


def test_a_failed_or_forbidden_transfer_changes_nothing(tmp_path: Path) -> None:
    async def work(world: Phones) -> None:
        await world.add("c")
        await world.add("d", transfers=Transfers.REFUSE)
        a, ear_a, b, ear_b = await world.connect("a", "b")
        asking = asyncio.ensure_future(a.refer(world.uri("c")))
        c = await asyncio.wait_for(world.incoming["c"].get(), 5)
        await c.hangup(LineEnd.BUSY)
        referral = await asyncio.wait_for(asking, 5)
        assert (referral.response, referral.notify) == (202, 486)
        await world.hear_each_other(ear_a, ear_b)
        away = await asyncio.wait_for(a.refer("sip:x@192.0.2.1"), 5)
        assert (away.response, away.notify) == (603, 0)
        assert world.agents["b"].snapshot().referrals_refused == 1
        await end((a, ear_a), (b, ear_b))

    run(tmp_path, work)


def test_users_need_their_password(tmp_path: Path) -> None:
    async def work(world: Phones) -> None:
        await world.add("closed", users={"alice": "secret"})
        uri = world.uri("closed")
        with pytest.raises(LineFailedError):
            await world.dial("a", uri).connect(lambda: None)
        with pytest.raises(LineFailedError):
            await world.dial("a", uri, username="alice", password="wrong").connect(lambda: None)
        line = world.dial("a", uri, username="alice", password="secret")
        dialling = asyncio.ensure_future(line.connect(lambda: None))
        other = await asyncio.wait_for(world.incoming["closed"].get(), 5)
        ear_b = Ear(world.hub, await other.connect(lambda: None))
        ear_a = Ear(world.hub, await dialling)
        counts = world.agents["closed"].snapshot().gate
        assert counts.challenged >= 2 and counts.bad_credentials >= 1
        await end((line, ear_a), (other, ear_b))

    run(tmp_path, work)


def test_too_many_calls_strangers_and_draining_are_refused(tmp_path: Path) -> None:
    async def work(world: Phones) -> None:
        await world.add("small", max_calls=1)
        await world.add("shy", sources=("192.0.2.0/24",))
        first = asyncio.ensure_future(world.dial("a", world.uri("small")).connect(lambda: None))
        line = await world.incoming["small"].get()
        for name in ("small", "shy"):
            with pytest.raises(LineFailedError):
                await world.dial("a", world.uri(name)).connect(lambda: None)
        assert world.agents["small"].snapshot().gate.full == 1
        assert world.agents["shy"].snapshot().gate.strangers == 1
        await line.hangup(LineEnd.BUSY)
        with pytest.raises(LineFailedError):
            await first
        world.agents["b"].drain()
        with pytest.raises(LineFailedError) as failed:
            await world.dial("a", world.uri("b")).connect(lambda: None)
        assert failed.value.reason is LineEnd.ERROR

    run(tmp_path, work)


def test_numbers_go_to_the_trunk(tmp_path: Path) -> None:
    from mediacore.slots.gateway import DialOut

    async def work(world: Phones) -> None:
        port = world.agents["b"].addresses[0][2]
        await world.add("office", trunk=SipTrunk("127.0.0.1", port=port, user="office"))
        destination = DialOut("phone", "+15550100", "+15550199", headers={"X-Campaign": "spring"})
        line = world.agents["office"].dial(destination)
        dialling = asyncio.ensure_future(line.connect(lambda: None))
        other = await asyncio.wait_for(world.incoming["b"].get(), 5)
        assert other.party.kind == "phone"
        assert (other.party.from_number, other.party.to_number) == ("+15550199", "+15550100")
        assert other.party.headers["X-Campaign"] == "spring"
        await other.hangup(LineEnd.BUSY)
        with pytest.raises(LineFailedError):
            await dialling
        unroutable = world.agents["a"].dial(destination)
        with pytest.raises(LineFailedError) as failed:
            await unroutable.connect(lambda: None)
        assert failed.value.reason is LineEnd.NOT_FOUND

    run(tmp_path, work)


def test_the_default_configuration_is_a_local_listener() -> None:
    assert SipConfig().binds == (SipBind("UDP"),)


class Mover(asyncio.DatagramProtocol):
    """Says of every call that it is to go to `target`."""

    def __init__(self, target: str) -> None:
        self._target = target

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        lines = data.decode().split("\r\n")
        if lines[0].startswith("INVITE"):
            kept = [x for x in lines if x.startswith(("Via", "From", "To", "Call-ID", "CSeq"))]
            kept = [x + ";tag=moved" if x.startswith("To") else x for x in kept]
            answer = ["SIP/2.0 302 Moved", *kept, f"Contact: <{self._target}>"]
            text = "\r\n".join([*answer, "Content-Length: 0", "", ""])
            self._transport.sendto(text.encode(), addr)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("redirects", "allowed", "reason"),
    [(1, True, None), (0, True, LineEnd.ERROR), (1, False, LineEnd.DECLINE)],
)
def test_a_redirection_is_followed_if_it_may(
    tmp_path: Path, redirects: int, allowed: bool, reason: LineEnd | None
) -> None:
    async def work(world: Phones) -> None:
        loop = asyncio.get_running_loop()
        world.agents["a"]._allow_refer = lambda uri: allowed
        mover, _ = await loop.create_datagram_endpoint(
            lambda: Mover(world.uri("b")), local_addr=("127.0.0.1", 0)
        )
        port = mover.get_extra_info("sockname")[1]
        dialled = world.dial("a", f"sip:x@127.0.0.1:{port}")
        dialling = asyncio.ensure_future(dialled.connect(lambda: None))
        if reason is None:
            line = await asyncio.wait_for(world.incoming["b"].get(), 3)
            legs = await asyncio.gather(line.connect(lambda: None), dialling)
            await dialled.hangup(LineEnd.HANGUP)
            for leg in legs:
                leg.close()
        else:
            with pytest.raises(LineFailedError) as failed:
                await dialling
            assert failed.value.reason is reason
        mover.close()

    run(tmp_path, work, redirects=redirects)
