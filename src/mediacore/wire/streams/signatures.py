"""Proofs that a connection comes from the provider. All compare in constant time.

Twilio: base64 of HMAC-SHA1 over the URL; Plivo v3: HMAC-SHA256 over URL and nonce; Genesys: the
HTTP message signature of AudioHook (a draft of RFC 9421); JWT: HS256, RFC 7519.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import msgspec

MAX_PROOF: Final = 4096
GENESYS_AGE_S: Final = 10
_GENESYS_PARTS: Final = (
    "@request-target",
    "@authority",
    "audiohook-organization-id",
    "audiohook-session-id",
    "audiohook-correlation-id",
    "x-api-key",
)
_INPUT: Final = re.compile(r"([A-Za-z0-9_*.-]{1,64})=(\(([^()]*)\)((?:;[^;]+)*))")
_MIN_NONCE: Final = 22
_SECONDS: Final = re.compile(r"[0-9]{1,12}")


def same(given: str, right: str) -> bool:
    """Whether two texts are equal, in constant time."""
    return hmac.compare_digest(given.encode(errors="replace"), right.encode())


def twilio_signed(url: str, auth_token: str, signature: str) -> bool:
    """X-Twilio-Signature of a handshake: GET without parameters, so the URL alone is signed.

    Proxies may add or take off a slash at the end; both spellings count.
    """
    found = False
    for each in {url, url.removesuffix("/"), f"{url.removesuffix('/')}/"}:
        mac = hmac.new(auth_token.encode(), each.encode(errors="replace"), hashlib.sha1)
        found |= same(signature, base64.b64encode(mac.digest()).decode())
    return found


def plivo_signed(url: str, nonce: str, auth_token: str, signature: str) -> bool:
    """X-Plivo-Signature-V3 of a GET; several signatures may be given, separated by commas."""
    if not nonce:
        return False
    parts = urlsplit(url)
    base = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    query = sorted(parse_qsl(parts.query, keep_blank_values=True))
    if query:
        base += "?" + "&".join(f"{name}={value}" for name, value in query)
    text = f"{base}.{nonce}".encode(errors="replace")
    right = base64.b64encode(hmac.new(auth_token.encode(), text, hashlib.sha256).digest())
    found = False
    for each in signature[:MAX_PROOF].split(","):
        found |= same(each.strip(), right.decode())
    return found


def genesys_signed(
    target: str, headers: Mapping[str, str], secret: str, wallclock_s: float
) -> bool:
    """Signature and Signature-Input of a handshake. headers: names in lower case. secret: base64
    as Genesys shows it. target: path and query as requested."""
    match = _INPUT.fullmatch(headers.get("signature-input", "")[:MAX_PROOF])
    if match is None:
        return False
    label, parameters, names, rest = match.groups()
    covered = [name.strip('"') for name in names.split()]
    facts = _parameters(rest)
    given = headers.get("signature", "")[:MAX_PROOF].removeprefix(f"{label}=:").removesuffix(":")
    if (
        not set(_GENESYS_PARTS) <= set(covered)
        or facts.get("alg") != "hmac-sha256"
        or facts.get("keyid") != headers.get("x-api-key")
        or len(facts.get("nonce", "")) < _MIN_NONCE
        or not _fresh(facts, wallclock_s)
    ):
        return False
    special = {"@request-target": target, "@authority": headers.get("host", "")}
    lines = [f'"{name}": {special.get(name, headers.get(name, ""))}' for name in covered]
    lines.append(f'"@signature-params": {parameters}')
    try:
        key = base64.b64decode(secret, validate=True)
    except binascii.Error:
        return False
    mac = hmac.new(key, "\n".join(lines).encode(errors="replace"), hashlib.sha256)
    return same(given, base64.b64encode(mac.digest()).decode())


def jwt_signed(token: str, secret: str, wallclock_s: float) -> dict[str, Any] | None:
    """The claims of an HS256 token that is valid now, else None."""
    if len(token) > MAX_PROOF:
        return None
    signed, _, signature = token.rpartition(".")
    mac = hmac.new(secret.encode(), signed.encode(errors="replace"), hashlib.sha256).digest()
    right = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
    if not same(signature, right):
        return None
    head, _, body = signed.partition(".")
    header, claims = _part(head), _part(body)
    if header is None or claims is None or header.get("alg") != "HS256":
        return None
    expires, starts = claims.get("exp"), claims.get("nbf", 0)
    if type(expires) not in (int, float) or type(starts) not in (int, float):
        return None
    return claims if float(starts or 0) <= wallclock_s < float(expires or 0) else None


def _fresh(facts: Mapping[str, str], wallclock_s: float) -> bool:
    created, expires = facts.get("created", ""), facts.get("expires", "")
    if not _SECONDS.fullmatch(created):
        return False
    if expires and not (_SECONDS.fullmatch(expires) and wallclock_s < int(expires)):
        return False
    return abs(wallclock_s - int(created)) <= GENESYS_AGE_S


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip(): value.strip().strip('"') for name, eq, value in pairs if eq}


def _part(text: str) -> dict[str, Any] | None:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        value = msgspec.json.decode(raw)
    except (binascii.Error, msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
