"""Who may call: the secret, the origin, and how often."""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from urllib.parse import urlsplit

from mediacore.transports.webrtc.config import WebRtcConfig
from mediacore.web.hosts import is_loopback
from mediacore.wire.bucket import TokenBucket

_MAX_ADDRESSES = 1024
_MAX_SECRET_CHARS = 512


class Guard:
    """Checks requests before anything of them is read. token: "" = none is asked for."""

    def __init__(self, config: WebRtcConfig, token: str) -> None:
        self._config = config
        self._digest = hashlib.sha256(token.encode()).digest() if token else b""
        self._origins = frozenset(origin.rstrip("/").lower() for origin in config.origins)
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def knows(self, authorization: str) -> bool:
        """Whether the header holds the secret; compared in constant time."""
        if not self._digest:
            return True
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or len(secret) > _MAX_SECRET_CHARS:
            return False
        given = hashlib.sha256(secret.strip().encode(errors="replace")).digest()
        return hmac.compare_digest(given, self._digest)

    def welcomes(self, origin: str | None, host: str) -> bool:
        """Whether a page of this origin may call.

        None: not a page of a browser, or one that only reads what is at its own address. Where no
        secret is asked for, that has to be one of our own names: a name that resolves to us proves
        nothing (DNS rebinding).
        """
        if origin is None:
            return bool(self._digest) or _names_loopback(host)
        if origin.rstrip("/").lower() in self._origins:
            return True
        try:
            parts = urlsplit(origin)
            name, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if parts.scheme not in ("http", "https") or parts.netloc.lower() != host.lower():
            return False
        return bool(self._digest) or (is_loopback(name) and port is not None)

    def admits(self, address: str, now_us: int) -> bool:
        """Whether another request of this address is taken now."""
        config = self._config
        bucket = self._buckets.pop(address, None)
        if bucket is None:
            bucket = TokenBucket(config.calls_per_s, config.call_burst, now_us)
        self._buckets[address] = bucket
        if len(self._buckets) > _MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        return bucket.take(now_us)


def _names_loopback(host: str) -> bool:
    """Whether a Host header, with or without a port, names this machine."""
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
