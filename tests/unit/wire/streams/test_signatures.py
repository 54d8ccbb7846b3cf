"""Proofs that a connection comes from the provider."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from mediacore.wire.streams import signatures

URL = "wss://voice.example.com/twilio"


def mac(key: str, text: str, digest: Any) -> str:
    return base64.b64encode(hmac.new(key.encode(), text.encode(), digest).digest()).decode()


@pytest.mark.parametrize("signed", [URL, URL + "/"])
def test_twilio_signs_the_url_with_or_without_the_slash(signed: str) -> None:
    given = mac("secret", signed, hashlib.sha1)
    assert signatures.twilio_signed(URL, "secret", given)
    assert signatures.twilio_signed(URL + "/", "secret", given)
    assert not signatures.twilio_signed(URL, "other", given)
    assert not signatures.twilio_signed("wss://voice.example.com/", "secret", given)
    assert not signatures.twilio_signed(URL, "secret", "")


def test_plivo_signs_url_and_nonce() -> None:
    right = mac("token", "wss://h/plivo?a=1&b=2.n1", hashlib.sha256)
    url = "wss://h/plivo?b=2&a=1"
    assert signatures.plivo_signed(url, "n1", "token", right)
    assert signatures.plivo_signed(url, "n1", "token", f"bm8=, {right}")
    assert not signatures.plivo_signed(url, "n2", "token", right)
    assert not signatures.plivo_signed(url, "", "token", right)
    assert not signatures.plivo_signed(url, "n1", "token", "")
    plain = mac("token", "wss://h/plivo.n1", hashlib.sha256)
    assert signatures.plivo_signed("wss://h/plivo", "n1", "token", plain)


NOW = 1641013205.0
TARGET = "/api/v1/voicebiometrics/ws"
CLIENT_SECRET = "TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU="
COVERED = (
    '("@request-target" "@authority" "audiohook-organization-id" "audiohook-session-id" '
    '"audiohook-correlation-id" "x-api-key")'
)
INPUT = (
    f'{COVERED};keyid="SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh";nonce="VGhpc0lzQVVuaXF1ZU5vbmNl";'
    'alg="hmac-sha256";created=1641013200;expires=3282026430'
)
GENESYS = {  # the example of the protocol's specification
    "host": "audiohook.example.com",
    "audiohook-organization-id": "d7934305-0972-4844-938e-9060eef73d05",
    "audiohook-session-id": "30b0e395-84d3-4570-ac13-9a62d8f514c0",
    "audiohook-correlation-id": "e160e428-53e2-487c-977d-96989bf5c99d",
    "x-api-key": "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh",
    "signature": "sig1=:NZBwyBHRRyRoeLqy1IzOa9VYBuI8TgMFt2GRDkDuJh4=:",
    "signature-input": f"sig1={INPUT}",
}


def genesys(secret: str = CLIENT_SECRET, now: float = NOW, **changes: str) -> bool:
    headers = GENESYS | {name.replace("_", "-"): value for name, value in changes.items()}
    return signatures.genesys_signed(TARGET, headers, secret, now)


def test_the_published_example_of_genesys() -> None:
    assert genesys()


def test_genesys_signatures_that_do_not_count() -> None:
    assert not genesys(now=NOW + 30)
    assert not genesys(now=NOW - 30)
    assert not genesys(secret="AAAA")
    assert not genesys(secret="not base64!")
    assert not genesys(host="evil.example.com")
    assert not genesys(audiohook_session_id="other")
    assert not genesys(x_api_key="other")
    assert not genesys(signature="")
    assert not genesys(signature_input="")
    assert not genesys(signature_input="sig1=" + "(" * 5000)
    assert not genesys(signature_input=f"sig1={INPUT}".replace(' "x-api-key"', ""))
    assert not genesys(signature_input=f"sig1={INPUT}".replace("hmac-sha256", "none"))
    assert not genesys(signature_input=f"sig1={INPUT}".replace("VGhpc0lzQVVuaXF1ZU5vbmNl", "short"))
    assert not genesys(signature_input=f"sig1={INPUT}".replace("1641013200", "x"))
    assert not genesys(signature_input=f"sig1={INPUT}".replace("3282026430", "1641013201"))


def jwt(secret: str, algorithm: str = "HS256", **claims: object) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    signed = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims)}"
    tag = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(tag).rstrip(b'=').decode()}"


def test_jwt() -> None:
    assert signatures.jwt_signed(jwt("s", exp=200, sub="v"), "s", 100) == {"exp": 200, "sub": "v"}
    assert signatures.jwt_signed(jwt("s", exp=200, nbf=150), "s", 160)


@pytest.mark.parametrize(
    "token",
    [
        jwt("other", exp=200),
        jwt("s", exp=50),
        jwt("s", exp=200, nbf=150),
        jwt("s"),
        jwt("s", exp="200"),
        jwt("s", algorithm="none", exp=200),
        "",
        "a.b",
        "x" * 9999,
        "é.é.é",
    ],
)
def test_jwt_that_do_not_count(token: str) -> None:
    assert signatures.jwt_signed(token, "s", 100) is None


def test_a_jwt_whose_parts_are_no_json() -> None:
    signed = "!!.AAAA"
    tag = hmac.new(b"s", signed.encode(), hashlib.sha256).digest()
    token = f"{signed}.{base64.urlsafe_b64encode(tag).rstrip(b'=').decode()}"
    assert signatures.jwt_signed(token, "s", 100) is None


@pytest.mark.parametrize(
    "when", ["created=\u00b2", "created=1;expires=\u00b2", "created=1e3", "created="]
)
def test_a_time_that_is_no_number_is_refused(when: str) -> None:
    covered = (
        '"@request-target" "@authority" "audiohook-organization-id" '
        '"audiohook-session-id" "audiohook-correlation-id" "x-api-key"'
    )
    given = f'sig1=({covered});keyid="k";nonce="{"n" * 26}";{when};alg="hmac-sha256"'
    headers = {"signature-input": given, "x-api-key": "k"}
    assert not signatures.genesys_signed("/", headers, "AAAA", 1.0)
