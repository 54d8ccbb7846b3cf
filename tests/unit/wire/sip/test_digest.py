from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from mediacore.errors import ConfigError
from mediacore.wire.sip.digest import (
    Checked,
    Credentials,
    DigestClient,
    DigestServer,
    Verdict,
    parse_digest,
)
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.ids import SipIds
from mediacore.wire.sip.message import Request, Response, make_request, make_response

SECRET = b"s" * 16


def ids() -> SipIds:
    numbers = itertools.count(1)
    return SipIds(lambda size: f"{next(numbers):0{2 * size}x}")


def request(method: str = "REGISTER", uri: str = "sip:example.org") -> Request:
    return make_request(method, uri, [("CSeq", f"1 {method}")])


def challenged(*values: str, status: int = 401) -> Response:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return make_response(request(), status, headers=[(name, value) for value in values])


def test_rfc_7616_vectors() -> None:
    """§3.9.1: the same request answered with MD5 and SHA-256."""
    nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    due = {
        "MD5": "8ca523f5e9506fed4657c9700eebdbec",
        "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    }
    for algorithm, answer in due.items():
        client = DigestClient(Credentials("Mufasa", "Circle of Life"), SipIds(lambda _: cnonce))
        asked = (
            f'Digest realm="http-auth@example.org", qop="auth, auth-int", '
            f'algorithm={algorithm}, nonce="{nonce}", '
            f'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
        )
        got = client.answer(challenged(asked), request("GET", "/dir/index.html"))
        assert got is not None and got[0] == "Authorization"
        params = parse_digest(got[1])
        assert params["response"] == answer and params["nc"] == "00000001"
        assert params["opaque"].startswith("FQhe")


def test_without_qop_the_old_form() -> None:
    client = DigestClient(Credentials("bob", "zanzibar"), ids())
    asked = 'Digest realm="biloxi.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'
    got = client.answer(challenged(asked, status=407), request("INVITE", "sip:bob@biloxi.com"))
    assert got is not None and got[0] == "Proxy-Authorization"
    params = parse_digest(got[1])
    assert "qop" not in params and "nc" not in params
    assert params["response"] == "bf57e4e0d0bffc0fbaedce64d59add5e"


def test_the_first_challenge_that_is_understood() -> None:
    client = DigestClient(Credentials("u", "p"), ids())
    got = client.answer(
        challenged(
            'Digest realm="r", nonce="n1", algorithm=SHA-512-256, qop="auth"',
            "Basic realm=x",
            'Digest realm="r"',
            'Digest realm="r", nonce="n2", algorithm=SHA-256, qop="auth"',
            'Digest realm="r", nonce="n3", algorithm=MD5, qop="auth"',
        ),
        request(),
    )
    assert got is not None and parse_digest(got[1])["nonce"] == "n2"
    only_int = 'Digest realm="r", nonce="n", qop="auth-int"'
    assert client.answer(challenged(only_int), request()) is None
    assert client.answer(make_response(request(), 403), request()) is None


def test_no_answer_for_a_foreign_realm() -> None:
    client = DigestClient(Credentials("u", "p", realms=("trunk",)), ids())
    assert client.answer(challenged('Digest realm="evil", nonce="n"'), request()) is None
    assert client.answer(challenged('Digest realm="trunk", nonce="n"'), request()) is not None
    assert "p" not in repr(Credentials("u", "p", ())).replace("password", "").split("realms")[0]


def test_refused_credentials_are_not_sent_again_unless_stale() -> None:
    client = DigestClient(Credentials("u", "p"), ids())
    first = 'Digest realm="r", nonce="n1", qop="auth"'
    got = client.answer(challenged(first), request())
    assert got is not None
    tried = request()
    tried.headers.add(*got)
    second = 'Digest realm="r", nonce="n2", qop="auth"'
    assert client.answer(challenged(second), tried) is None
    got = client.answer(challenged(second + ", stale=TRUE"), tried)
    assert got is not None and parse_digest(got[1])["nonce"] == "n2"


def test_the_nonce_is_used_on() -> None:
    client = DigestClient(Credentials("u", "p"), ids())
    assert client.next_for(request()) == ()
    client.answer(challenged('Digest realm="r", nonce="n1", qop="auth"'), request())
    counts = [parse_digest(client.next_for(request())[0][1])["nc"] for _ in range(2)]
    assert counts == ["00000002", "00000003"]


def login(
    server: DigestServer, now_ms: int = 0, password: str = "pw", which: int = 0, user: str = "ann"
) -> tuple[DigestClient, Request]:
    challenge = server.challenge(now_ms, "5a17")[which]
    client = DigestClient(Credentials(user, password), ids())
    tried = request()
    got = client.answer(challenged(challenge[1]), tried)
    assert got is not None
    tried.headers.add(*got)
    return client, tried


@pytest.mark.parametrize("which", [0, 1])
def test_server_and_client(which: int) -> None:
    server = DigestServer("r", {"ann": "pw"}, SECRET)
    _, tried = login(server, which=which)
    assert server.check(10, tried) == Checked(Verdict.GOOD, "ann")
    assert server.check(11, tried).verdict is Verdict.STALE


def test_session_variant() -> None:
    client = DigestClient(Credentials("u", "p"), ids())
    asked = 'Digest realm="r", nonce="n", algorithm=MD5-sess, qop="auth"'
    got = client.answer(challenged(asked), request())
    assert got is not None and parse_digest(got[1])["algorithm"] == "MD5-sess"


def test_what_a_server_refuses() -> None:
    server = DigestServer("r", {"ann": "pw"}, SECRET, algorithms=("SHA-256",))
    assert server.check(0, request()).verdict is Verdict.ABSENT
    assert server.check(0, login(server, password="no")[1]).verdict is Verdict.BAD
    assert server.check(0, login(server, user="eve")[1]).verdict is Verdict.BAD
    assert server.check(400_000, login(server)[1]).verdict is Verdict.STALE
    assert server.check(0, login(server, now_ms=5)[1]).verdict is Verdict.STALE
    other = DigestServer("r", {"ann": "pw"}, b"t" * 16)
    assert server.check(0, login(other)[1]).verdict is Verdict.STALE
    assert server.check(0, login(other, which=1)[1]).verdict is Verdict.BAD
    moved = login(server)[1]
    assert server.check(0, replace(moved, uri="sip:elsewhere")).verdict is Verdict.BAD
    assert server.check(0, replace(moved, method="INVITE")).verdict is Verdict.BAD
    for value, verdict in (
        ("Basic abc", Verdict.BAD),
        ("Digest nonsense", Verdict.BAD),
        ('Digest realm="other"', Verdict.ABSENT),
        ('Digest realm="r"', Verdict.BAD),
        ('Digest realm="r", realm="r"', Verdict.BAD),
    ):
        bad = request()
        bad.headers.add("Authorization", value)
        assert server.check(0, bad).verdict is verdict, value


def test_nonce_counts_may_come_out_of_order_but_once() -> None:
    server = DigestServer("r", {"ann": "pw"}, SECRET)
    client, first = login(server)
    later = []
    for _ in range(80):
        tried = request()
        tried.headers.add(*client.next_for(tried)[0])
        later.append(tried)
    good = [server.check(0, tried).verdict for tried in (later[2], first, later[0], later[79])]
    assert good == [Verdict.GOOD] * 4
    for tried in (later[2], later[79], first, later[1]):
        assert server.check(0, tried).verdict is Verdict.STALE
    assert server.check(0, later[70]).verdict is Verdict.GOOD


def test_forgotten_nonces_are_stale() -> None:
    server = DigestServer("r", {"ann": "pw"}, SECRET, nonces=1)
    old = login(server, now_ms=0)[1]
    new = login(server, now_ms=7)[1]
    assert server.check(8, old).verdict is Verdict.GOOD
    assert server.check(8, new).verdict is Verdict.GOOD
    assert server.check(8, old).verdict is Verdict.STALE


def test_settings() -> None:
    for bad in (
        {"secret": b"short"},
        {"passwords": {}},
        {"realm": ""},
        {"algorithms": ("MD4",)},
    ):
        with pytest.raises(ConfigError):
            DigestServer(**{"realm": "r", "passwords": {"a": "b"}, "secret": SECRET, **bad})
    names = [name for name, _ in DigestServer("r", {"a": "b"}, SECRET, proxy=True).challenge(0, "")]
    assert names == ["Proxy-Authenticate"] * 2
    with pytest.raises(SipError):
        parse_digest("Digest " + "a" * 9000)
