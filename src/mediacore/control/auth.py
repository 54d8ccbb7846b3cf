"""Who a controller is: project and token, or a JSON Web Token signed with our secret.

Secrets are compared in constant time and against every token there is, so that the time taken
tells neither which project exists nor how near a guess came. JWT: RFC 7519, HS256 of RFC 7518
§3.2 and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mediacore.control.config import ControlConfig
from mediacore.control.errors import AuthError
from mediacore.wire.methods import PERMISSIONS
from mediacore.wire.relay_session import Grant

MAX_SECRET_CHARS = 4096
_JWT_CREDENTIAL = "jwt:"


class Authenticator:
    """Checks credentials against the configured projects. wallclock: UTC seconds."""

    def __init__(self, config: ControlConfig, wallclock: Callable[[], float]) -> None:
        self._config = config
        self._wallclock = wallclock

    def check(self, credentials: Mapping[str, object]) -> Grant:
        """What these credentials allow. Raises AuthError."""
        jwt = credentials.get("jwt_token")
        if jwt:
            return self._jwt(_text(jwt))
        project = _text(credentials.get("project"))
        token = _text(credentials.get("token"))
        return self._token(project, token)

    def _token(self, project_id: str, token: str) -> Grant:
        digest = hashlib.sha256(token.encode(errors="replace")).hexdigest()
        found: Grant | None = None
        for project in self._config.projects:
            mine = hmac.compare_digest(project.id.encode(), project_id.encode(errors="replace"))
            for each in project.tokens:
                if hmac.compare_digest(each.sha256, digest) and mine:
                    found = Grant(project.id, each.permissions, each.contexts, each.sha256)
        if found is None:
            raise AuthError("unknown project or token")
        return found

    def _jwt(self, token: str) -> Grant:
        if not self._config.jwt_secret:
            raise AuthError("this server takes no jwt_token")
        claims = _claims(token, self._config.jwt_secret.encode())
        project_id = str(claims.get("project"))
        if project_id not in {project.id for project in self._config.projects}:
            raise AuthError("the jwt_token is of no known project")
        self._check_times(claims)
        permissions = _names(claims, "permissions", PERMISSIONS)
        contexts = _names(claims, "contexts", frozenset({"*"}))
        subject = claims.get("sub", "")
        return Grant(
            project_id,
            permissions & PERMISSIONS,
            tuple(sorted(contexts)),
            f"{_JWT_CREDENTIAL}{subject}",
        )

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        expires = claims.get("exp")
        starts = claims.get("nbf", 0)
        if type(expires) not in (int, float) or type(starts) not in (int, float):
            raise AuthError("the jwt_token has no usable exp")
        if not float(starts) <= self._wallclock() < float(expires or 0):
            raise AuthError("the jwt_token is not valid at this time")


def sign_jwt(claims: Mapping[str, object], secret: str) -> str:
    """A token that `Authenticator` takes. claims: project, exp (UTC seconds), permissions …"""
    header = _base64(msgspec.json.encode({"alg": "HS256", "typ": "JWT"}))
    body = _base64(msgspec.json.encode(claims))
    signed = f"{header}.{body}"
    return f"{signed}.{_base64(_mac(signed, secret.encode()))}"


def _claims(token: str, secret: bytes) -> dict[str, Any]:
    signed, _, signature = token.rpartition(".")
    header, _, body = signed.partition(".")
    given = _unbase64(signature)
    if not hmac.compare_digest(_mac(signed, secret), given):
        raise AuthError("the jwt_token is not signed with this server's secret")
    if _object(header).get("alg") != "HS256":
        raise AuthError("the jwt_token is not signed with HS256")
    return _object(body)


def _mac(text: str, secret: bytes) -> bytes:
    return hmac.new(secret, text.encode(errors="replace"), hashlib.sha256).digest()


def _object(part: str) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(_unbase64(part))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise AuthError("the jwt_token is malformed") from None
    if not isinstance(value, dict):
        raise AuthError("the jwt_token is malformed")
    return value


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    padded = text + "=" * (-len(text) % 4)
    try:
        return base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise AuthError("the jwt_token is malformed") from None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise AuthError("project and token, or jwt_token, are needed")
    if len(value) > MAX_SECRET_CHARS:
        raise AuthError("the credentials are too long")
    return value


def _names(claims: Mapping[str, Any], key: str, default: frozenset[str]) -> frozenset[str]:
    value = claims.get(key)
    if value is None:
        return default
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise AuthError(f"the jwt_token's {key} is not a list of names")
    return frozenset(value)
