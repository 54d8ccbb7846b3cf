"""SafeClient: HTTP to addresses that documents and callers can influence.

```
 send ─► read the URL once ─► wait for a place at the host ─► resolve once, check every answer
      ─► connect to a checked address ─► head and body under caps ─► HttpReply (never an exception)
```
Redirects are refused unless the request asks for them; each hop is read and checked again.
Proxies, cookies, `.netrc` and the environment are not used. Logs hold no bodies, credentials or
query values.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from mediacore.errors import ConfigError, MediacoreError
from mediacore.web._body import BodyError, read_body
from mediacore.web.address import AddressPolicy
from mediacore.web.url import Target, UrlError, join, loggable, parse_url

log = logging.getLogger("mediacore.web")

MAX_BYTES: Final = 1_000_000
MAX_HEADERS: Final = 64
MAX_HEADER_LINE: Final = 8190
MAX_REDIRECTS: Final = 3

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_OWN_HEADERS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_AUTO_HEADERS: Final = ("User-Agent", "Accept", "Content-Type", "Accept-Encoding")

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) to numeric addresses; raises OSError when there are none."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request.

    Times in ms: `connect_ms` for one connection and its TLS, `total_ms` for everything, also name
    resolution and the wait for a place at the host. `max_bytes` caps the reply's body.
    `redirects`: how many are followed (at most MAX_REDIRECTS). Credentials in the URL become
    basic authentication.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    connect_ms: int = 5_000
    total_ms: int = 15_000
    max_bytes: int = MAX_BYTES
    redirects: int = 0


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What came back. Header names are lower case, at most MAX_HEADERS of them.

    `error` is empty or one of bad_request, bad_url, blocked_address, dns, refused, tls, timeout,
    closed, bad_reply, bad_redirect, bad_encoding, too_large; `status` is 0 when none arrived.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str = ""


class _BlockedError(MediacoreError):
    """A name resolved to an address that is not permitted."""


class SafeClient:
    """One guarded HTTP client. Use within one event loop; `aclose()` when done.

    `allow`: see AddressPolicy. `hosts` maps a host name, with or without `:port`, to the
    `address:port` to connect to instead; these are trusted and not checked. `resolve` replaces
    name resolution, `tls` the TLS settings. At most `per_host` requests run to one host and port;
    more wait within their own deadline.
    """

    def __init__(
        self,
        *,
        allow: Iterable[str] = (),
        hosts: Mapping[str, str] | None = None,
        per_host: int = 8,
        connections: int = 100,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
        user_agent: str = "mediacore",
    ) -> None:
        self._policy = AddressPolicy(allow)
        self._resolver = _CheckedResolver(self._policy, _host_map(hosts or {}), resolve)
        self._places = _Places(per_host)
        self._connections = connections
        self._tls = tls
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def send(self, request: HttpRequest) -> HttpReply:
        """Send and read the reply. Never raises for network trouble; cancelling is safe."""
        reply = await self._guarded(request)
        log.info(
            "http request",
            extra={
                "http_method": request.method,
                "http_url": loggable(request.url),
                "http_status": reply.status,
                "http_error": reply.error,
                "http_bytes": len(reply.body),
            },
        )
        return reply

    async def aclose(self) -> None:
        """Close all connections. Requests under way end with `closed`."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _guarded(self, request: HttpRequest) -> HttpReply:
        if self._closed:
            return HttpReply(0, error="closed")
        if request.method not in _METHODS:
            return HttpReply(0, error="bad_request")
        try:
            async with asyncio.timeout(request.total_ms / 1000):
                return await self._follow(request)
        except UrlError as error:
            return HttpReply(0, error=error.reason)
        except Exception as error:
            name = _error_name(error)
            if name is None:
                raise
            return HttpReply(0, error=name)

    async def _follow(self, request: HttpRequest) -> HttpReply:
        target = parse_url(request.url)
        left = min(request.redirects, MAX_REDIRECTS)
        while True:
            reply = await self._once(request, target)
            location = reply.headers.get("location")
            if reply.status not in _REDIRECTS or not location or reply.error:
                return reply
            following = _next_hop(target, location) if left else None
            if following is None:
                return replace(reply, body=b"", error="bad_redirect")
            left -= 1
            request = _redirected(request, reply.status, same=following.origin == target.origin)
            target = following

    async def _once(self, request: HttpRequest, target: Target) -> HttpReply:
        if not self._resolver.accepts_literal(target):
            return HttpReply(0, error="blocked_address")
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=request.connect_ms / 1000)
        async with (
            self._places.at(target.host, target.port),
            self._open().request(
                request.method,
                URL(target.text, encoded=True),
                data=request.body or None,
                headers=self._headers(request, target),
                skip_auto_headers=_AUTO_HEADERS,
                allow_redirects=False,
                timeout=timeout,
            ) as response,
        ):
            return await _read(response, request)

    def _headers(self, request: HttpRequest, target: Target) -> dict[str, str]:
        headers = {
            name.lower(): value
            for name, value in request.headers.items()
            if name.lower() not in _OWN_HEADERS
        }
        headers.setdefault("user-agent", self._user_agent)
        headers.setdefault("accept", "*/*")
        headers["accept-encoding"] = "gzip"
        if target.authorization:
            headers.setdefault("authorization", target.authorization)
        return headers

    def _open(self) -> aiohttp.ClientSession:
        """The session, made inside the loop on first use."""
        if self._closed:
            raise RuntimeError("the client is closed")
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=self._connections,
                use_dns_cache=False,
                resolver=self._resolver,
                ssl=self._tls if self._tls is not None else True,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                max_line_size=MAX_HEADER_LINE,
                max_field_size=MAX_HEADER_LINE,
                max_headers=2 * MAX_HEADERS,
            )
        return self._session


async def _read(response: aiohttp.ClientResponse, request: HttpRequest) -> HttpReply:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        if len(headers) < MAX_HEADERS:
            headers.setdefault(_text(name.lower()), _text(value))
    reply = HttpReply(response.status, headers)
    if response.status in _REDIRECTS or request.method == "HEAD":
        response.close()
        return reply
    try:
        return replace(reply, body=await read_body(response, request.max_bytes))
    except BodyError as error:
        response.close()
        return replace(reply, error=error.reason)
    except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError):
        response.close()
        return replace(reply, error="closed")


def _text(value: str) -> str:
    """A header as text: bytes that are no UTF-8 arrive as lone surrogates."""
    return value.encode("utf-8", "replace").decode()


def _next_hop(target: Target, location: str) -> Target | None:
    """Where a redirect leads, or None when it may not be followed (also https to http)."""
    try:
        following = parse_url(join(target.text, location))
    except UrlError as error:
        if error.reason == "blocked_address":
            raise
        return None
    if target.scheme == "https" and following.scheme != "https":
        return None
    return following


def _redirected(request: HttpRequest, status: int, *, same: bool) -> HttpRequest:
    """The request for the next hop: credentials stay with their origin (RFC 9110 §15.4)."""
    secret = () if same else ("authorization", "cookie")
    headers = {name: value for name, value in request.headers.items() if name.lower() not in secret}
    if status == 303 and request.method != "HEAD":
        return replace(request, method="GET", body=b"", headers=headers)
    return replace(request, headers=headers)


def _error_name(error: Exception) -> str | None:
    """The public name of what a request died of; None for a bug of ours."""
    match error:
        case TimeoutError():
            return "timeout"
        case _BlockedError() | aiohttp.InvalidUrlClientError():
            return "blocked_address"
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientSSLError() | ssl.SSLError() | ssl.CertificateError():
            return "tls"
        case aiohttp.ClientConnectorError():
            return "refused"
        case aiohttp.ClientResponseError():
            return "bad_reply"
        case aiohttp.ClientError() | OSError():
            return "closed"
        case ValueError():
            return "bad_request"
        case RuntimeError() if "closed" in str(error):
            return "closed"
    return None


class _CheckedResolver(AbstractResolver):
    """Resolves for the connector: one look-up, every answer checked, only those connected to."""

    def __init__(
        self, policy: AddressPolicy, hosts: Mapping[str, tuple[str, int]], resolve: Resolve | None
    ) -> None:
        self._policy = policy
        self._hosts = hosts
        self._resolve = resolve or _system_resolve

    def accepts_literal(self, target: Target) -> bool:
        """Whether a numeric host is permitted; names are judged when they are resolved."""
        if not target.is_address:
            return True
        return self._policy.permits(target.host, target.port, target.host)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses to connect to. Raises _BlockedError when any answer is not permitted."""
        name = host.lower()
        mapped = self._hosts.get(f"{name}:{port}") or self._hosts.get(name)
        if mapped is not None:
            return [_answer(host, *mapped)]
        addresses = tuple(dict.fromkeys(await self._resolve(name, port)))
        if not addresses:
            raise OSError("no address")
        if not all(self._policy.permits(name, port, address) for address in addresses):
            raise _BlockedError("a name leads to an address that is not permitted")
        return [_answer(host, address, port) for address in addresses]

    async def close(self) -> None:
        """Nothing to release."""


def _answer(host: str, address: str, port: int) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST,
    )


async def _system_resolve(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _host_map(hosts: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    made: dict[str, tuple[str, int]] = {}
    for name, place in hosts.items():
        address, colon, port = place.rpartition(":")
        if not colon or not port.isdigit():
            raise ConfigError(f"hosts entry {name!r} must be address:port, not {place!r}")
        made[name.lower()] = (address.strip("[]"), int(port))
    return made


class _Places:
    """At most `limit` requests at a time for each host and port; idle hosts are forgotten."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._hosts: dict[tuple[str, int], tuple[asyncio.Semaphore, list[int]]] = {}

    @asynccontextmanager
    async def at(self, host: str, port: int) -> AsyncIterator[None]:
        key = (host, port)
        gate, users = self._hosts.setdefault(key, (asyncio.Semaphore(self._limit), [0]))
        users[0] += 1
        try:
            async with gate:
                yield
        finally:
            users[0] -= 1
            if not users[0]:
                self._hosts.pop(key, None)
