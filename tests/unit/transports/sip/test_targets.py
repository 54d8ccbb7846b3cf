from __future__ import annotations

import asyncio

import pytest

from mediacore.slots.gateway import DialOut, LineEnd, LineFailedError
from mediacore.transports.sip.config import SipBind, flow_to
from mediacore.transports.sip.settings import SipConfig, SipTrunk, Transfers
from mediacore.transports.sip.sockets import SipSockets
from mediacore.transports.sip.targets import Targets
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.ids import SipIds

BINDS = (SipBind("UDP", port=5060), SipBind("TCP", port=5060))
NEAR = flow_to(BINDS[1], ("127.0.0.1", 5060), ("127.0.0.9", 40_000))


class Sockets(SipSockets):
    """Two listeners that are not there, and one name."""

    def __init__(self) -> None:
        super().__init__(BINDS, on_message=lambda d, f: None, on_lost=lambda f: None)
        self._bound = [(bind, ("127.0.0.1", 5060)) for bind in BINDS]
        self.looked_up = 0
        self.down = False

    async def resolve(self, host: str, port: int, transport: str) -> tuple[str, int]:
        if self.down:
            raise SipError("no name server")
        self.looked_up += 1
        assert host == "pbx.example"
        return "127.0.0.7", port


def targets(**changes: object) -> tuple[Targets, Sockets]:
    sockets = Sockets()
    config = SipConfig(**changes)  # type: ignore[arg-type]
    return Targets(config, sockets, SipIds(lambda n: "0" * 2 * n)), sockets


def test_names_are_looked_up_for_each_call_and_then_known_to_routes() -> None:
    found, sockets = targets()

    async def main() -> None:
        assert found.route("sip:a@pbx.example", NEAR) is NEAR
        for _ in range(2):
            target = await found.find("sip:a@pbx.example:5070?X-A=1", "<sip:me>")
            assert (target.uri, target.flow.remote) == (
                "sip:a@pbx.example:5070",
                ("127.0.0.7", 5070),
            )
        assert sockets.looked_up == 2
        sockets.down = True  # what was found last serves
        target = await found.find("sip:a@pbx.example", "<sip:me>")
        assert target.flow.remote == ("127.0.0.7", 5060)
        with pytest.raises(LineFailedError):
            await found.find("sip:a@other.example", "<sip:me>")
        routed = found.route("sip:a@pbx.example", NEAR)
        assert routed is not None and routed.remote == ("127.0.0.7", 5060)

    asyncio.run(main())


def test_an_open_connection_of_the_peer_is_used_while_it_lives() -> None:
    from dataclasses import replace

    found, _ = targets()
    near = replace(NEAR, connection=4)
    uri = "sip:a@127.0.0.9:5060;transport=tcp"
    assert found.route(uri, near) == near
    found.lost(near)
    routed = found.route(uri, near)
    assert routed is not None and routed.connection == 0
    assert found.route("sips:a@127.0.0.9", near) is near  # TLS is not bound
    assert found.route("rubbish", near) is near


def test_phones_behind_nat_are_answered_where_they_are() -> None:
    found, _ = targets(symmetric=True)
    assert found.route("sip:a@192.168.1.4", NEAR) is NEAR


@pytest.mark.parametrize(
    ("wanted", "uri", "local"),
    [
        (DialOut("sip", "sip:x@127.0.0.2"), "sip:x@127.0.0.2", "<sip:mediacore@127.0.0.1:5060>"),
        (DialOut("sip", "sip:x@127.0.0.2", "me"), "sip:x@127.0.0.2", "<sip:me@127.0.0.1:5060>"),
        (DialOut("sip", "sip:x@127.0.0.2", "sip:m@o"), "sip:x@127.0.0.2", "<sip:m@o>"),
        (DialOut("phone", "+1", "+2"), "sip:+1@127.0.0.3:5080;transport=tcp", "<sip:+2@d.example>"),
    ],
)
def test_destinations(wanted: DialOut, uri: str, local: str) -> None:
    trunk = SipTrunk("127.0.0.3", port=5080, transport="TCP", password="p", from_domain="d.example")
    found, _ = targets(trunk=trunk)
    target = asyncio.run(found.destination(wanted))
    assert (target.uri, target.local) == (uri, local)
    assert (target.digest is not None) is (wanted.kind == "phone")


@pytest.mark.parametrize(
    ("wanted", "end"),
    [
        (DialOut("phone", "+1"), LineEnd.NOT_FOUND),
        (DialOut("sip", "tel:+1"), LineEnd.NOT_FOUND),
        (DialOut("sip", "mailto:x"), LineEnd.NOT_FOUND),
        (DialOut("sip", "sips:x@127.0.0.2"), LineEnd.ERROR),
        (DialOut("sip", "sip:x@127.0.0.2", "sip:a b@x"), LineEnd.ERROR),
    ],
)
def test_destinations_that_cannot_be_called(wanted: DialOut, end: LineEnd) -> None:
    found, _ = targets()
    with pytest.raises(LineFailedError) as failed:
        asyncio.run(found.destination(wanted))
    assert failed.value.reason is end


def test_transfers_stay_on_the_host_and_the_trunk() -> None:
    found, _ = targets(trunk=SipTrunk("pbx.example"))
    assert found.transfer_allowed("sip:x@127.0.0.2", "127.0.0.2", "127.0.0.2")
    assert found.transfer_allowed("sip:x@PBX.example", "127.0.0.7", "127.0.0.2")
    assert not found.transfer_allowed("sip:x@127.0.0.4", "127.0.0.4", "127.0.0.2")
    anywhere, _ = targets(transfers=Transfers.ANY)
    assert anywhere.transfer_allowed("sip:x@127.0.0.4", "127.0.0.4", "127.0.0.2")
    nowhere, _ = targets(transfers=Transfers.REFUSE)
    assert not nowhere.transfer_allowed("sip:x@127.0.0.2", "127.0.0.2", "127.0.0.2")
