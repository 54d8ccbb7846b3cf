"""Who may open a stream: what providers send with the handshake, checked before the upgrade."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from mediacore.errors import ConfigError
from mediacore.wire.streams import signatures


@dataclass(frozen=True, slots=True)
class Handshake:
    """A request to open a stream. target: path and query as requested. token: what follows the
    endpoint's path. query: its first values. headers: names in lower case."""

    target: str
    token: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    public_url: str
    wallclock_s: float


class _Secret:
    __slots__ = ()

    def __post_init__(self) -> None:
        for each in fields(self):  # type: ignore[arg-type]
            if each.name != "client_secret" and not getattr(self, each.name):
                raise ConfigError(f"{type(self).__name__} needs {each.name}")


@dataclass(frozen=True, slots=True)
class Bearer(_Secret):
    """Authorization: Bearer TOKEN (SignalWire, Vonage, FreeSWITCH extra headers)."""

    token: str = field(repr=False)

    def admits(self, shake: Handshake) -> bool:
        """Whether it is there."""
        return signatures.same(_bearer(shake), self.token)


@dataclass(frozen=True, slots=True)
class HeaderToken(_Secret):
    """A header with a secret (Telnyx: x-telnyx-streaming-auth-token)."""

    name: str
    token: str = field(repr=False)

    def admits(self, shake: Handshake) -> bool:
        """Whether it is there."""
        return signatures.same(shake.headers.get(self.name.lower(), ""), self.token)


@dataclass(frozen=True, slots=True)
class UrlToken(_Secret):
    """PATH/TOKEN, or PATH?token=TOKEN, for those who cannot send headers."""

    token: str = field(repr=False)

    def admits(self, shake: Handshake) -> bool:
        """Whether it is there."""
        in_path = signatures.same(shake.token, self.token)
        return signatures.same(shake.query.get("token", ""), self.token) or in_path


@dataclass(frozen=True, slots=True)
class Basic(_Secret):
    """HTTP Basic (jambonz wsAuth, mod_audio_fork)."""

    username: str
    password: str = field(repr=False)

    def admits(self, shake: Handshake) -> bool:
        """Whether it is there."""
        scheme, _, given = shake.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            text = base64.b64decode(given[: signatures.MAX_PROOF], validate=True)
        except (binascii.Error, ValueError):
            return False
        return signatures.same(text.decode(errors="replace"), f"{self.username}:{self.password}")


@dataclass(frozen=True, slots=True)
class TwilioSignature(_Secret):
    """X-Twilio-Signature; the endpoint needs its public_url."""

    auth_token: str = field(repr=False)

    def admits(self, shake: Handshake) -> bool:
        """Whether the URL is signed with the account's token."""
        given = shake.headers.get("x-twilio-signature", "")
        return signatures.twilio_signed(shake.public_url, self.auth_token, given)


@dataclass(frozen=True, slots=True)
class PlivoSignature(_Secret):
    """X-Plivo-Signature-V3; the endpoint needs its public_url."""

    auth_token: str = field(repr=False)

    def admits(self, shake: Handshake) -> bool:
        """Whether URL and nonce are signed with the account's token."""
        given = shake.headers.get("x-plivo-signature-v3", "")
        nonce = shake.headers.get("x-plivo-signature-v3-nonce", "")
        return signatures.plivo_signed(shake.public_url, nonce, self.auth_token, given)


@dataclass(frozen=True, slots=True)
class GenesysKey(_Secret):
    """X-API-KEY, and the message signature where a client_secret (base64) is set."""

    api_key: str = field(repr=False)
    client_secret: str = field(default="", repr=False)

    def admits(self, shake: Handshake) -> bool:
        """Whether the key is right, and the signature if one is due."""
        known = signatures.same(shake.headers.get("x-api-key", ""), self.api_key)
        if not self.client_secret:
            return known
        signed = signatures.genesys_signed(
            shake.target, shake.headers, self.client_secret, shake.wallclock_s
        )
        return known and signed


@dataclass(frozen=True, slots=True)
class SignedJwt(_Secret):
    """Authorization: Bearer JWT, HS256 with a shared secret (Vonage signature secret)."""

    secret: str = field(repr=False)

    def admits(self, shake: Handshake) -> bool:
        """Whether the token is ours and valid now."""
        return signatures.jwt_signed(_bearer(shake), self.secret, shake.wallclock_s) is not None


Auth = (
    Bearer
    | HeaderToken
    | UrlToken
    | Basic
    | TwilioSignature
    | PlivoSignature
    | GenesysKey
    | SignedJwt
)


def admitted(auth: tuple[Auth, ...], shake: Handshake) -> bool:
    """Whether one of the ways admits it; all are tried."""
    found = False
    for each in auth:
        found |= each.admits(shake)
    return found


def _bearer(shake: Handshake) -> str:
    scheme, _, token = shake.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
