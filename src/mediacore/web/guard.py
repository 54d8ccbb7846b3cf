"""The address rules of SafeClient for connections that are not plain requests: RTP, WebSockets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import aiohttp

from mediacore.errors import MediacoreError
from mediacore.web.address import AddressPolicy
from mediacore.web.client import Resolve, _CheckedResolver, _host_map
from mediacore.web.url import UrlError, parse_url


class BlockedTargetError(MediacoreError):
    """The target may not be reached, or is not found."""


class TargetGuard:
    """allow, hosts, resolve: as for SafeClient."""

    def __init__(
        self,
        allow: Iterable[str] = (),
        hosts: Mapping[str, str] | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self._resolver = _CheckedResolver(AddressPolicy(allow), _host_map(hosts or {}), resolve)

    async def address(self, host: str, port: int) -> tuple[str, int]:
        """The numeric address of a target. Raises BlockedTargetError."""
        try:
            found = (await self._resolver.resolve(host, port))[0]
        except (MediacoreError, OSError) as error:
            raise BlockedTargetError(f"{host} cannot be used: {error}") from None
        return found["host"], found["port"]

    def session(self, uri: str, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
        """A session for one WebSocket. Raises BlockedTargetError.

        Names are checked when the connector resolves them; it never asks about a numeric address,
        so that one is checked here, and redirects, which could name another, are refused.
        """
        try:
            target = parse_url(uri.replace("ws", "http", 1))
        except UrlError as error:
            raise BlockedTargetError(f"the address is not usable: {error.reason}") from None
        if not self._resolver.accepts_literal(target):
            raise BlockedTargetError(f"{target.host} is not a permitted address")
        trace = aiohttp.TraceConfig()
        trace.on_request_redirect.append(_refuse)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=self._resolver, use_dns_cache=False),
            timeout=timeout,
            trace_configs=[trace],
            trust_env=False,
        )


async def _refuse(*_: Any) -> None:
    raise BlockedTargetError("redirects are not followed")
