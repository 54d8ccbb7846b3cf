"""Signatures of requests, ours and others', verified in constant time.

Document requests carry the two headers that clients of the published format check: hex HMAC-SHA1
and HMAC-SHA256 over the URL without credentials followed by the raw body. They hold no time, so
they do not stop a replay. Our own posts follow the Standard Webhooks scheme: HMAC-SHA256 over
`id.timestamp.body`, a time window and an id that counts once; several secrets allow rotation.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from mediacore.errors import ConfigError
from mediacore.web.url import strip_credentials

SHA1_HEADER: Final = "x-signalwire-signature"
SHA256_HEADER: Final = "x-signalwire-sha256-signature"
WINDOW_S: Final = 300
MIN_SECRET_BYTES: Final = 24
MAX_SECRET_BYTES: Final = 64


def sign_document_request(secret: str, url: str, body: bytes) -> dict[str, str]:
    """Headers for a request that fetches a document. `url` may hold credentials."""
    signed = strip_credentials(url).encode() + body
    key = secret.encode()
    return {
        SHA1_HEADER: hmac.new(key, signed, hashlib.sha1).hexdigest(),
        SHA256_HEADER: hmac.new(key, signed, hashlib.sha256).hexdigest(),
    }


def verify_document_request(secret: str, url: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether a document request is signed with `secret`; SHA256 decides where it is given."""
    given = {name.lower(): value for name, value in headers.items()}
    expected = sign_document_request(secret, url, body)
    name = SHA256_HEADER if SHA256_HEADER in given else SHA1_HEADER
    return _same(expected[name], given.get(name, "").lower())


def webhook_secret(text: str) -> bytes:
    """The key of a `whsec_…` secret (base64 of 24 to 64 bytes). Raises ConfigError."""
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        raise ConfigError("a webhook secret is whsec_ and the base64 of 24 to 64 random bytes")
    return key


def sign_post(secret: bytes, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Headers of one of our own posts. `timestamp_s` is Unix time; the id is unique per message."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": _post_signature(secret, message_id, timestamp_s, body),
    }


def _post_signature(secret: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


class SeenIds:
    """Message ids of the last while: an id counts once. Holds at most `limit`, oldest leave."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._seen: OrderedDict[str, int] = OrderedDict()

    def first_time(self, message_id: str, now_s: int) -> bool:
        """Remember an id; False when it was there already within twice the window."""
        while self._seen and now_s - next(iter(self._seen.values())) > 2 * WINDOW_S:
            self._seen.popitem(last=False)
        if message_id in self._seen:
            return False
        if len(self._seen) >= self._limit:
            self._seen.popitem(last=False)
        self._seen[message_id] = now_s
        return True


def verify_post(
    secrets: Sequence[bytes],
    headers: Mapping[str, str],
    body: bytes,
    now_s: int,
    seen: SeenIds | None = None,
) -> bool:
    """Whether a post is signed with any of `secrets`, fresh within WINDOW_S, and new to `seen`."""
    given = {name.lower(): value for name, value in headers.items()}
    message_id, stamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not message_id or not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        return False
    timestamp_s = int(stamp)
    if abs(now_s - timestamp_s) > WINDOW_S:
        return False
    offered = given.get("webhook-signature", "").split()[:8]
    good = False
    for secret in secrets:
        expected = _post_signature(secret, message_id, timestamp_s, body)
        for signature in offered:
            good |= _same(expected, signature)
    return good and (seen is None or seen.first_time(message_id, now_s))


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))
