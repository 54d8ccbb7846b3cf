from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from mediacore.control.auth import Authenticator, sign_jwt
from mediacore.control.config import ControlConfig, Project, Token
from mediacore.control.errors import AuthError

SECRET = "s" * 32
NOW = 1_000_000.0
PROJECTS = (
    Project("p1", (Token.plain("t1"), Token.plain("t2", frozenset({"read"}), ("office",)))),
    Project("p2", (Token.plain("t3"),)),
)


def authenticator(jwt_secret: str = SECRET) -> Authenticator:
    return Authenticator(ControlConfig(PROJECTS, jwt_secret=jwt_secret), lambda: NOW)


def test_the_token_says_what_is_allowed() -> None:
    full = authenticator().check({"project": "p1", "token": "t1"})
    assert (full.project, full.contexts) == ("p1", ("*",))
    assert full.permissions == {"read", "control", "dial"}
    some = authenticator().check({"project": "p1", "token": "t2"})
    assert (some.permissions, some.contexts) == ({"read"}, ("office",))
    assert some.credential != full.credential


@pytest.mark.parametrize(
    "credentials",
    [
        {},
        {"project": "p1"},
        {"token": "t1"},
        {"project": "p1", "token": ""},
        {"project": "p1", "token": "t3"},
        {"project": "p2", "token": "t1"},
        {"project": "p9", "token": "t1"},
        {"project": "p1", "token": 5},
        {"project": ["p1"], "token": "t1"},
        {"project": "p1", "token": "\ud800"},
        {"project": "p1", "token": "x" * 4097},
        {"jwt_token": 5},
    ],
)
def test_bad_credentials(credentials: dict[str, object]) -> None:
    with pytest.raises(AuthError) as caught:
        authenticator().check(credentials)
    assert "t1" not in str(caught.value)


def jwt(**claims: object) -> dict[str, object]:
    return {"jwt_token": sign_jwt({"project": "p1", "exp": NOW + 60, **claims}, SECRET)}


def test_a_jwt_says_what_is_allowed() -> None:
    grant = authenticator().check(jwt(sub="anna", permissions=["dial", "fly"], contexts=["a", "b"]))
    assert (grant.project, grant.permissions, grant.contexts) == ("p1", {"dial"}, ("a", "b"))
    assert grant.credential == "jwt:anna"
    assert authenticator().check(jwt()).permissions == {"read", "control", "dial"}


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW},
        {"exp": None},
        {"exp": True},
        {"exp": "later"},
        {"project": ["p1"]},
        {"project": {"p1": 1}},
        {"nbf": NOW + 1},
        {"nbf": "x"},
        {"project": "p9"},
        {"project": None},
        {"project": "p1", "permissions": "read"},
        {"contexts": [5]},
    ],
)
def test_claims_that_do_not_do(claims: dict[str, object]) -> None:
    with pytest.raises(AuthError):
        authenticator().check(jwt(**claims))


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "a.b", "ä.ö.ü", "x" * 5000, "a.b.!!"])
def test_tokens_that_are_none(token: str) -> None:
    with pytest.raises(AuthError):
        authenticator().check({"jwt_token": token})


def test_a_changed_body_or_another_algorithm_is_refused() -> None:
    good = str(jwt()["jwt_token"])
    header, body, signature = good.split(".")
    forged = encoded({"project": "p2", "exp": NOW + 60})
    none = encoded({"alg": "none"})
    for token in (
        f"{header}.{forged}.{signature}",
        f"{none}.{body}.",
        f"{none}.{body}.{signature}",
    ):
        with pytest.raises(AuthError):
            authenticator().check({"jwt_token": token})


def test_the_right_secret_with_another_algorithm_is_refused() -> None:
    signed = f"{encoded({'alg': 'HS512'})}.{encoded({'project': 'p1', 'exp': NOW + 60})}"
    mac = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest()
    signature = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
    with pytest.raises(AuthError, match="HS256"):
        authenticator().check({"jwt_token": f"{signed}.{signature}"})


def test_a_jwt_of_another_secret_and_a_server_without_one() -> None:
    with pytest.raises(AuthError, match="signed"):
        authenticator("z" * 32).check(jwt())
    with pytest.raises(AuthError, match="takes no"):
        authenticator("").check(jwt())
