from __future__ import annotations

from random import Random

from mediacore.transports.sip.gate import Gate
from mediacore.transports.sip.settings import SipConfig
from mediacore.wire.sip.digest import Credentials, DigestClient
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.ids import SipIds
from mediacore.wire.sip.message import Request, make_request, make_response
from mediacore.wire.sip.validate import Refusal

RNG = Random(1)


def hexdigits(n: int) -> str:
    return RNG.randbytes(n).hex()


def flow(host: str) -> Flow:
    return Flow("UDP", ("10.0.0.1", 5060), (host, 5060), "10.0.0.1:5060")


def invite(method: str = "INVITE") -> Request:
    return make_request(method, "sip:b@y", [("CSeq", f"1 {method}"), ("From", "<sip:a@x>;tag=1")])


def status(refusal: Refusal | None) -> int:
    return refusal.status if refusal is not None else 0


def test_without_rules_anybody_comes_in_until_it_is_full() -> None:
    gate = Gate(SipConfig(max_calls=2, max_calls_per_source=1), hexdigits)
    assert gate.admit(0, invite(), flow("10.0.0.2")) is None
    gate.entered("10.0.0.2")
    assert status(gate.admit(0, invite(), flow("10.0.0.2"))) == 503
    assert gate.admit(0, invite(), flow("10.0.0.3")) is None
    gate.entered("10.0.0.3")
    full = gate.admit(0, invite("OPTIONS"), flow("10.0.0.4"))
    assert full is not None and full.status == 503 and dict(full.headers)["Retry-After"]
    assert (gate.calls, gate.counts.full, gate.counts.full_source) == (2, 1, 1)
    gate.left("10.0.0.2")
    gate.left("10.0.0.3")
    assert gate.calls == 0
    assert gate.admit(0, invite(), flow("10.0.0.2")) is None


def test_strangers_are_refused() -> None:
    gate = Gate(SipConfig(sources=("10.0.0.0/24", "2001:db8::/32")), hexdigits)
    assert gate.admit(0, invite(), flow("10.0.0.2")) is None
    assert gate.admit(0, invite(), flow("2001:db8::1")) is None
    assert status(gate.admit(0, invite(), flow("10.0.1.2"))) == 403
    gate.trust("10.0.1.2")
    assert gate.admit(0, invite(), flow("10.0.1.2")) is None
    assert gate.counts.strangers == 1


def test_users_are_asked_for_the_algorithms_that_are_set() -> None:
    gate = Gate(SipConfig(users={"alice": "secret"}, digests=("MD5",)), hexdigits)
    refusal = gate.admit(0, invite(), flow("10.0.0.2"))
    assert refusal is not None
    (challenge,) = (value for name, value in refusal.headers if name == "WWW-Authenticate")
    assert "algorithm=MD5" in challenge


def test_users_are_asked_for_their_password_unless_they_are_known() -> None:
    gate = Gate(SipConfig(users={"alice": "secret"}, sources=("10.0.0.9/32",)), hexdigits)
    assert gate.admit(0, invite(), flow("10.0.0.9")) is None
    challenge = gate.admit(0, invite(), flow("10.0.0.2"))
    assert challenge is not None and challenge.status == 401
    for password, expected in (("secret", 0), ("wrong", 401)):
        request = invite()
        client = DigestClient(Credentials("alice", password), SipIds(hexdigits))
        answer = client.answer(make_response(request, 401, headers=challenge.headers), request)
        assert answer is not None
        request.headers.set(*answer)
        assert status(gate.admit(1000, request, flow("10.0.0.2"))) == expected
    assert (gate.counts.challenged, gate.counts.bad_credentials) == (1, 1)


def test_a_source_is_known_also_where_its_address_comes_mapped_into_ipv6() -> None:
    gate = Gate(SipConfig(sources=("10.0.0.0/8",)), hexdigits)
    assert gate.admit(0, invite(), flow("::ffff:10.0.0.9")) is None
    assert gate.admit(0, invite(), flow("::ffff:192.0.2.9")) is not None
