from __future__ import annotations

from collections.abc import Callable

from mediacore.wire.sip.message import Request, Response, make_response
from mediacore.wire.sip.registration import RegistrationPlan
from mediacore.wire.sip.signals import Registered, RegistrationFailed, Unregistered
from support.sip_world import Ua, World

Reply = Callable[[Request], Response]
HOST = "10.0.0.50"


class Registrar:
    """Answers REGISTER of `ua` as `reply` says; None = silence."""

    def __init__(self, reply: Reply | None, keepalive_ms: int = 0) -> None:
        self.world = World()
        self.ua: Ua = self.world.add("a")
        self.got: list[Request] = []
        self.reply = reply
        self.plan = RegistrationPlan(
            "office", "sip:a@pbx.example", f"sip:{HOST}", "a", "secret", 120, keepalive_ms
        )
        self._seen = 0

    def start(self) -> None:
        flow = self.ua.flow_to(HOST)
        self.world.do(self.ua, self.ua.agent.register(0, self.plan, flow)[1])
        self.run(0)

    def run(self, ms: int, step_ms: int = 100) -> None:
        for _ in range(max(1, ms // step_ms)):
            for message in self.ua.sent[self._seen :]:
                assert isinstance(message, Request)
                self.got.append(message)
                if self.reply is not None:
                    answer = self.reply(message)
                    flow = self.ua.flow_to(HOST)
                    out = self.ua.agent.receive(self.world.now_ms, answer, flow)
                    self._seen += 1
                    self.world.do(self.ua, out)
                    continue
                self._seen += 1
            self.world.run(min(ms, step_ms))


def taken(expires: str = "60") -> Reply:
    def reply(request: Request) -> Response:
        contact = (request.headers.get("Contact") or "").partition(";expires")[0]
        headers = [("Contact", f"<sip:other@x>;expires=3600, {contact};expires={expires}")]
        return make_response(request, 200, to_tag="r", headers=headers)

    return reply


def test_it_is_refreshed_at_half_the_time_granted() -> None:
    registrar = Registrar(taken())
    registrar.start()
    registrar.run(100_000)
    assert registrar.ua.of(Registered)[0] == Registered("office", 60)
    assert len(registrar.got) == 4
    first, second = registrar.got[:2]
    assert first.call_id == second.call_id
    assert (first.cseq.number, second.cseq.number) == (1, 2)
    assert first.headers.get("To") == "<sip:a@pbx.example>"
    assert "expires=120" in (first.headers.get("Contact") or "")


def test_leaving_takes_the_address_away() -> None:
    registrar = Registrar(taken())
    registrar.start()
    registrar.run(1000)
    registrar.world.do(registrar.ua, registrar.ua.agent.unregister(registrar.world.now_ms))
    registrar.run(1000)
    assert registrar.got[-1].headers.get("Expires") == "0"
    assert registrar.ua.of(Unregistered) == [Unregistered("office")]
    registrar.run(200_000)
    assert len(registrar.got) == 2


def test_credentials_and_a_longer_interval() -> None:
    def reply(request: Request) -> Response:
        if "Authorization" not in request.headers:
            challenge = 'Digest realm="pbx", nonce="n", qop="auth"'
            return make_response(request, 401, headers=[("WWW-Authenticate", challenge)])
        if request.headers.get("Expires") == "120":
            return make_response(request, 423, headers=[("Min-Expires", "600")])
        return taken("600")(request)

    registrar = Registrar(reply)
    registrar.start()
    registrar.run(1000)
    assert registrar.ua.of(Registered) == [Registered("office", 600)]
    assert registrar.got[-1].headers.get("Expires") == "600"


def test_refusals_are_tried_again_ever_later() -> None:
    registrar = Registrar(lambda request: make_response(request, 503))
    registrar.start()
    registrar.run(120_000)
    failed = registrar.ua.of(RegistrationFailed)
    delays = [f.retry_ms for f in failed]
    assert {f.status for f in failed} == {503}
    assert 3 <= len(failed) <= 6
    assert all(5_000 * 2**n <= delay <= 7_500 * 2**n for n, delay in enumerate(delays))
    registrar.world.do(registrar.ua, registrar.ua.agent.unregister(registrar.world.now_ms))
    assert registrar.ua.of(Unregistered)


def test_a_silent_registrar_is_a_refusal() -> None:
    registrar = Registrar(None)
    registrar.start()
    registrar.run(40_000)
    assert registrar.ua.of(RegistrationFailed)[0].status == 408


def test_a_lost_connection_registers_again_soon() -> None:
    registrar = Registrar(taken("3600"))
    registrar.start()
    registrar.run(1000)
    flow = registrar.ua.flow_to(HOST)
    registrar.world.do(registrar.ua, registrar.ua.agent.failed(registrar.world.now_ms, flow))
    registrar.run(7_000)
    assert len(registrar.got) == 2


def test_the_way_is_kept_open() -> None:
    registrar = Registrar(taken("3600"), keepalive_ms=10_000)
    sent: list[bytes] = []
    world = registrar.world
    real = world._send

    def spy(ua: Ua, send: object) -> None:
        sent.append(send.data)  # type: ignore[attr-defined]
        real(ua, send)  # type: ignore[arg-type]

    world._send = spy  # type: ignore[method-assign]
    registrar.start()
    registrar.run(35_000)
    assert sent.count(b"\r\n\r\n") == 3
