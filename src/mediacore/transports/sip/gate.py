"""Who may come in: addresses, credentials, and how many calls at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from mediacore.transports.networks import is_expected, parse_networks
from mediacore.transports.sip.settings import SipConfig
from mediacore.wire.sip.digest import DigestServer, Verdict
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.message import Request
from mediacore.wire.sip.validate import Refusal

_SALT_BYTES = 8
_SECRET_BYTES = 32


@dataclass(slots=True)
class GateCounts:
    """Requests turned away: from nowhere we know, with bad credentials, for want of room.
    challenged: asked for credentials first."""

    strangers: int = 0
    challenged: int = 0
    bad_credentials: int = 0
    full: int = 0
    full_source: int = 0


class Gate:
    """Judges what comes from outside any dialog, and counts the calls that came in."""

    def __init__(self, config: SipConfig, token_hex: Callable[[int], str]) -> None:
        self._config = config
        self._networks = parse_networks(config.sources)
        self._token_hex = token_hex
        self._server: DigestServer | None = None
        if config.users:
            secret = bytes.fromhex(token_hex(_SECRET_BYTES))
            self._server = DigestServer(
                config.realm, config.users, secret, algorithms=config.digests
            )
        self._calls: Counter[str] = Counter()
        self._counts = GateCounts()
        self._registrars: set[str] = set()

    @property
    def counts(self) -> GateCounts:
        """A copy."""
        return replace(self._counts)

    @property
    def calls(self) -> int:
        """Calls that came in and are not over."""
        return self._calls.total()

    def trust(self, host: str) -> None:
        """A registrar of ours: it may hand us calls."""
        self._registrars.add(host)

    def admit(self, now_ms: int, request: Request, flow: Flow) -> Refusal | None:
        """None: it may come in."""
        source = flow.remote[0]
        refusal = None if self._known(source) else self._judge(now_ms, request)
        if refusal is not None or request.method not in ("INVITE", "OPTIONS"):
            return refusal
        retry = (("Retry-After", str(self._config.retry_after_s)),)
        if self._calls.total() >= self._config.max_calls:
            self._counts.full += 1
            return Refusal(503, "", retry)
        if self._calls[source] >= self._config.max_calls_per_source:
            self._counts.full_source += 1
            return Refusal(503, "", retry)
        return None

    def _known(self, source: str) -> bool:
        if not self._networks and self._server is None:
            return True
        return source in self._registrars or is_expected(source, self._networks)

    def _judge(self, now_ms: int, request: Request) -> Refusal | None:
        if self._server is None:
            self._counts.strangers += 1
            return Refusal(403, "")
        checked = self._server.check(now_ms, request)
        if checked.verdict is Verdict.GOOD:
            return None
        if checked.verdict is Verdict.BAD:
            self._counts.bad_credentials += 1
        else:
            self._counts.challenged += 1
        stale = checked.verdict is Verdict.STALE
        challenge = self._server.challenge(now_ms, self._token_hex(_SALT_BYTES), stale=stale)
        return Refusal(401, "", tuple(challenge))

    def entered(self, source: str) -> None:
        """A call came in."""
        self._calls[source] += 1

    def left(self, source: str) -> None:
        """It is over."""
        self._calls[source] -= 1
        if self._calls[source] <= 0:
            del self._calls[source]
