"""Digest authentication (RFC 7616, RFC 8760), as client and as challenger. qop: auth.

Passwords stay in here: no error, repr or log holds them. A client answers only realms that it
was told to answer; a server compares in constant time and takes no nonce count twice.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from mediacore.errors import ConfigError
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.fields import TOKEN, quote, unquote
from mediacore.wire.sip.ids import SipIds
from mediacore.wire.sip.message import Request, Response

_PARAM = re.compile(rf'\s*({TOKEN})\s*=\s*("(?:[^"\\]|\\.)*"|[^\s",]+)\s*(?:,|$)')
_SCHEME = re.compile(r"\s*digest\s+", re.IGNORECASE)
_COUNT = re.compile(r"[0-9a-fA-F]{8}")
_MAX_CHARS: Final = 8192
_NONCE_WINDOW: Final = 64
"""How far nonce counts may come out of order."""


def _hash(algorithm: str) -> Callable[[str], str] | None:
    """H of RFC 7616 §3.3 for an algorithm's name; None: unknown."""
    name = algorithm.upper().removesuffix("-SESS")
    if name == "MD5":
        return lambda text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    if name == "SHA-256":
        return lambda text: hashlib.sha256(text.encode()).hexdigest()
    return None


def parse_digest(value: str) -> Mapping[str, str]:
    """The parameters of a Digest challenge or of credentials, names in lower case, unquoted.
    Raises SipError for another scheme and for what is malformed."""
    begin = _SCHEME.match(value)
    if begin is None or len(value) > _MAX_CHARS:
        raise SipError("not Digest")
    params: dict[str, str] = {}
    at = begin.end()
    while at < len(value):
        found = _PARAM.match(value, at)
        if found is None or found[1].lower() in params:
            raise SipError("Digest parameters are not valid")
        params[found[1].lower()] = unquote(found[2])
        at = found.end()
    return MappingProxyType(params)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client logs in with. realms: those that get an answer; () = any. Naming them keeps a
    peer from collecting answers made for somebody else."""

    username: str
    password: str = field(repr=False)
    realms: tuple[str, ...] = ()


def _response(
    digest: Callable[[str], str],
    params: Mapping[str, str],
    secret: str,
    method: str,
) -> str:
    """RFC 7616 §3.4.1. secret: H(username:realm:password). qop absent: RFC 2069's form."""
    nonce, cnonce = params["nonce"], params.get("cnonce", "")
    if params.get("algorithm", "").upper().endswith("-SESS"):
        secret = digest(f"{secret}:{nonce}:{cnonce}")
    what = digest(f"{method}:{params['uri']}")
    if "qop" not in params:
        return digest(f"{secret}:{nonce}:{what}")
    return digest(f"{secret}:{nonce}:{params['nc']}:{cnonce}:{params['qop']}:{what}")


@dataclass(slots=True)
class _Known:
    """The challenge that is being answered."""

    header: str
    params: Mapping[str, str]
    count: int = 0


_ANSWERS: Final = MappingProxyType(
    {
        401: ("WWW-Authenticate", "Authorization"),
        407: ("Proxy-Authenticate", "Proxy-Authorization"),
    }
)
_UNQUOTED: Final = ("algorithm", "nc", "qop")


class DigestClient:
    """Answers challenges with one set of credentials."""

    def __init__(self, credentials: Credentials, ids: SipIds) -> None:
        self._credentials = credentials
        self._ids = ids
        self._known: dict[str, _Known] = {}

    def answer(self, response: Response, request: Request) -> tuple[str, str] | None:
        """The header for the request's next try. None: no challenge that can be answered, a realm
        that must not be, or the credentials were refused (the same realm again, not stale)."""
        asked, header = _ANSWERS.get(response.status, ("", ""))
        for params in self._challenges(response, asked) if asked else ():
            stale = params.get("stale", "").lower() == "true"
            if not stale and self._refused(request, header, params["realm"]):
                return None
            self._known[header] = _Known(header, params)
            return self._made(self._known[header], request)
        return None

    def next_for(self, request: Request) -> tuple[tuple[str, str], ...]:
        """Headers for a new request, made of the challenges that were answered before."""
        return tuple(self._made(known, request) for known in self._known.values())

    def _challenges(self, response: Response, name: str) -> list[Mapping[str, str]]:
        """Those that can be answered, in the order of the server's preference (RFC 8760 §2.4)."""
        found = []
        for value in response.headers.all(name):
            try:
                params = parse_digest(value)
            except SipError:
                continue
            if not params.get("nonce") or "realm" not in params:
                continue
            realms = self._credentials.realms
            if realms and params["realm"] not in realms:
                continue
            qop = [part.strip().lower() for part in params.get("qop", "auth").split(",")]
            if _hash(params.get("algorithm", "MD5")) is not None and "auth" in qop:
                found.append(params)
        return found

    def _refused(self, request: Request, header: str, realm: str) -> bool:
        for value in request.headers.all(header):
            try:
                if parse_digest(value).get("realm") == realm:
                    return True
            except SipError:
                continue
        return False

    def _made(self, known: _Known, request: Request) -> tuple[str, str]:
        asked, own = known.params, self._credentials
        digest = _hash(asked.get("algorithm", "MD5"))
        assert digest is not None
        params = {
            "username": own.username,
            "realm": asked["realm"],
            "nonce": asked["nonce"],
            "uri": request.uri,
        }
        if "algorithm" in asked:
            params["algorithm"] = asked["algorithm"]
        if "qop" in asked:
            known.count += 1
            params |= {"qop": "auth", "nc": f"{known.count:08x}", "cnonce": self._ids.cnonce()}
        secret = digest(f"{own.username}:{asked['realm']}:{own.password}")
        params["response"] = _response(digest, params, secret, request.method)
        if "opaque" in asked:
            params["opaque"] = asked["opaque"]
        shown = (f"{k}={v if k in _UNQUOTED else quote(v)}" for k, v in params.items())
        return known.header, "Digest " + ", ".join(shown)


class Verdict(Enum):
    """What credentials are worth."""

    GOOD = auto()
    ABSENT = auto()
    STALE = auto()
    """Right, but for a nonce that is no longer: challenge with stale=true."""
    BAD = auto()


@dataclass(frozen=True, slots=True)
class Checked:
    """username: of credentials that are good, else ""."""

    verdict: Verdict
    username: str = ""


@dataclass(slots=True)
class _Window:
    """Nonce counts that were seen: the highest, and a bit for each of the last ones."""

    highest: int = 0
    seen: int = 0

    def take(self, count: int) -> bool:
        """Whether the count is new."""
        if count > self.highest:
            shift = min(count - self.highest, _NONCE_WINDOW)
            self.seen = (self.seen << shift | 1) & ((1 << _NONCE_WINDOW) - 1)
            self.highest = count
            return True
        bit = self.highest - count
        if count <= 0 or bit >= _NONCE_WINDOW or self.seen >> bit & 1:
            return False
        self.seen |= 1 << bit
        return True


class DigestServer:
    """Challenges and checks. passwords: by user. secret: of the nonces, at least 16 bytes, not kept
    anywhere. nonces: that are remembered at once; beyond that the oldest becomes stale."""

    def __init__(
        self,
        realm: str,
        passwords: Mapping[str, str],
        secret: bytes,
        *,
        lifetime_ms: int = 300_000,
        algorithms: tuple[str, ...] = ("SHA-256", "MD5"),
        proxy: bool = False,
        nonces: int = 4096,
    ) -> None:
        if len(secret) < 16 or not passwords or not realm or lifetime_ms <= 0 or nonces <= 0:
            raise ConfigError("digest needs a realm, passwords and a secret of 16 bytes")
        if not algorithms or any(name not in ("SHA-256", "MD5") for name in algorithms):
            raise ConfigError("digest algorithms are SHA-256 and MD5")
        self._realm = realm
        self._passwords = dict(passwords)
        self._secret = secret
        self._lifetime_ms = lifetime_ms
        self._algorithms = algorithms
        self._header = "Proxy-Authorization" if proxy else "Authorization"
        self._asks = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        self._windows: dict[str, _Window] = {}
        self._nonces = nonces
        self._forgotten_ms = -1

    def challenge(self, now_ms: int, salt: str, *, stale: bool = False) -> list[tuple[str, str]]:
        """Headers of the 401 (or 407), the preferred algorithm first. salt: new hex digits."""
        nonce = self._nonce(now_ms, salt)
        more = ", stale=true" if stale else ""
        return [
            (
                self._asks,
                f"Digest realm={quote(self._realm)}, nonce={quote(nonce)}, "
                f'algorithm={algorithm}, qop="auth"{more}',
            )
            for algorithm in self._algorithms
        ]

    def check(self, now_ms: int, request: Request) -> Checked:
        """Judge a request's credentials for our realm."""
        values = request.headers.all(self._header)
        verdict = Checked(Verdict.ABSENT)
        for value in values[:4]:
            try:
                params = parse_digest(value)
            except SipError:
                verdict = Checked(Verdict.BAD)
                continue
            if params.get("realm") == self._realm:
                return self._judge(now_ms, request, params)
        return verdict

    def _judge(self, now_ms: int, request: Request, params: Mapping[str, str]) -> Checked:
        algorithm = params.get("algorithm", "MD5").upper()
        digest = _hash(algorithm) if algorithm in self._algorithms else None
        count = params.get("nc", "")
        named = all(params.get(name) for name in ("username", "nonce", "uri", "response", "cnonce"))
        if (
            digest is None
            or not named
            or params.get("qop") != "auth"
            or not _COUNT.fullmatch(count)
        ):
            return Checked(Verdict.BAD)
        if params["uri"] != request.uri:
            return Checked(Verdict.BAD)
        password = self._passwords.get(params["username"])
        secret = digest(f"{params['username']}:{self._realm}:{password or self._secret.hex()}")
        due = _response(digest, params, secret, request.method)
        same = hmac.compare_digest(due.encode(), params["response"].lower().encode())
        if password is None or not same:
            return Checked(Verdict.BAD)
        if not self._current(now_ms, params["nonce"]):
            return Checked(Verdict.STALE)
        if not self._window(params["nonce"]).take(int(count, 16)):
            return Checked(Verdict.STALE)
        return Checked(Verdict.GOOD, params["username"])

    def _nonce(self, now_ms: int, salt: str) -> str:
        head = f"{now_ms:x}.{salt}"
        return f"{head}.{self._signed(head)}"

    def _signed(self, head: str) -> str:
        return hmac.new(self._secret, head.encode(), hashlib.sha256).hexdigest()[:32]

    def _current(self, now_ms: int, nonce: str) -> bool:
        head, _, signature = nonce.rpartition(".")
        if not hmac.compare_digest(self._signed(head).encode(), signature.encode()):
            return False
        made_ms = _made_ms(nonce)
        return made_ms > self._forgotten_ms and 0 <= now_ms - made_ms <= self._lifetime_ms

    def _window(self, nonce: str) -> _Window:
        window = self._windows.get(nonce)
        if window is None:
            if len(self._windows) >= self._nonces:
                oldest = next(iter(self._windows))
                del self._windows[oldest]
                self._forgotten_ms = max(self._forgotten_ms, _made_ms(oldest))
            window = self._windows[nonce] = _Window()
        return window


def _made_ms(nonce: str) -> int:
    """When a nonce of ours was made."""
    return int(nonce.partition(".")[0], 16)
