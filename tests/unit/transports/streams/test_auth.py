"""Proofs that come with the handshake."""

import base64
import hashlib
import hmac
from dataclasses import fields

import pytest

from mediacore.errors import ConfigError
from mediacore.transports.streams.auth import (
    Auth,
    Basic,
    Bearer,
    GenesysKey,
    Handshake,
    HeaderToken,
    PlivoSignature,
    SignedJwt,
    TwilioSignature,
    UrlToken,
    admitted,
)

URL = "wss://voice.example.com/s"


def shake(token: str = "", query: str = "", **headers: str) -> Handshake:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Handshake("/s", token, {"token": query} if query else {}, named, URL, 100.0)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


TWILIO = base64.b64encode(hmac.new(b"t", URL.encode(), hashlib.sha1).digest()).decode()
PLIVO = base64.b64encode(hmac.new(b"t", f"{URL}.n".encode(), hashlib.sha256).digest()).decode()


@pytest.mark.parametrize(
    ("auth", "good", "bad"),
    [
        (Bearer("t"), shake(authorization="Bearer t"), shake(authorization="Basic t")),
        (Bearer("t"), shake(authorization="bearer  t"), shake(authorization="t")),
        (
            HeaderToken("X-Telnyx-Streaming-Auth-Token", "t"),
            shake(x_telnyx_streaming_auth_token="t"),
            shake(x_telnyx_streaming_auth_token="T"),
        ),
        (UrlToken("t"), shake(token="t"), shake(token="x")),
        (UrlToken("t"), shake(query="t"), shake()),
        (Basic("u", "p"), shake(authorization=basic("u:p")), shake(authorization=basic("u:x"))),
        (Basic("u", "p"), shake(authorization=basic("u:p")), shake(authorization="Basic !")),
        (Basic("u", "p"), shake(authorization=basic("u:p")), shake(authorization="Bearer p")),
        (TwilioSignature("t"), shake(x_twilio_signature=TWILIO), shake(x_twilio_signature="x")),
        (
            PlivoSignature("t"),
            shake(x_plivo_signature_v3=PLIVO, x_plivo_signature_v3_nonce="n"),
            shake(x_plivo_signature_v3=PLIVO, x_plivo_signature_v3_nonce="m"),
        ),
        (GenesysKey("k"), shake(x_api_key="k"), shake(x_api_key="")),
    ],
)
def test_what_admits_and_what_does_not(auth: Auth, good: Handshake, bad: Handshake) -> None:
    assert auth.admits(good)
    assert not auth.admits(bad)
    assert admitted((Bearer("other"), auth), good)
    assert not admitted((Bearer("other"), auth), bad)


def test_nothing_admits_everybody() -> None:
    assert not admitted((), shake())


def test_a_key_without_its_signature_is_not_enough() -> None:
    assert not GenesysKey("k", "AAAA").admits(shake(x_api_key="k"))


def test_a_jwt() -> None:
    def part(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    header, claims = '{"alg":"HS256"}', '{"exp":200}'
    signed = f"{part(header)}.{part(claims)}"
    tag = hmac.new(b"s", signed.encode(), hashlib.sha256).digest()
    token = f"{signed}.{base64.urlsafe_b64encode(tag).rstrip(b'=').decode()}"
    assert SignedJwt("s").admits(shake(authorization=f"Bearer {token}"))
    assert not SignedJwt("x").admits(shake(authorization=f"Bearer {token}"))


@pytest.mark.parametrize(
    "auth",
    [
        Bearer("hush"),
        HeaderToken("n", "hush"),
        UrlToken("hush"),
        Basic("u", "hush"),
        TwilioSignature("hush"),
        PlivoSignature("hush"),
        GenesysKey("hush", "hush"),
        SignedJwt("hush"),
    ],
)
def test_secrets_are_not_shown_and_not_empty(auth: Auth) -> None:
    assert "hush" not in repr(auth)
    values = {each.name: "" for each in fields(auth)}
    with pytest.raises(ConfigError):
        type(auth)(**values)
