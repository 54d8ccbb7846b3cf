"""Which addresses a request may go to: public unicast, and what the operator allows.

Blocked unless allowed (registries: RFC 6890 and its updates): loopback, private, shared (RFC 6598),
link-local, documentation, benchmarking, multicast and reserved IPv4; in IPv6 everything outside
global unicast 2000::/3 (so loopback, `::`, mapped and compatible IPv4, NAT64 64:ff9b::/96, unique
local, link-local, site-local, multicast) and inside it Teredo and the protocol block 2001::/23,
6to4 2002::/16 and the documentation blocks. The forms that carry an IPv4 address inside an IPv6
one are blocked whole, so nothing has to be unwrapped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from mediacore.errors import ConfigError

_BLOCKED_V4: Final = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_BLOCKED_V6: Final = tuple(
    IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_HOST_PORT = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:\[\]/]+))(?::(?P<port>[0-9]{1,5}))?")


def is_public(address: str) -> bool:
    """Whether a numeric address is public unicast. False for what is not a plain address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in block for block in _BLOCKED_V4)
    if parsed.scope_id is not None or parsed not in _GLOBAL_V6:
        return False
    return not any(parsed in block for block in _BLOCKED_V6)


@dataclass(frozen=True, slots=True)
class _Rule:
    """One entry of the allow-list: a network or a host name, with or without a port."""

    network: IPv4Network | IPv6Network | None
    host: str
    port: int | None


class AddressPolicy:
    """Decides on (host, port, address).

    `allow` entries: a network (`127.0.0.0/8`), an address or a host name, the last two also with
    a port (`10.0.0.5:8080`, `[::1]:8080`, `localhost:8080`). A network or address entry permits
    every name that resolves into it; a host entry permits whatever that name resolves to.
    Raises ConfigError for an entry it cannot read.
    """

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._rules = tuple(_rule(entry) for entry in allow)

    def permits(self, host: str, port: int, address: str) -> bool:
        """Whether `host` (lower case) may be reached at the numeric `address`."""
        return is_public(address) or any(
            _applies(rule, host, port, address) for rule in self._rules
        )


def _applies(rule: _Rule, host: str, port: int, address: str) -> bool:
    if rule.port is not None and rule.port != port:
        return False
    if rule.network is None:
        return rule.host == host
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    return parsed in rule.network


def _rule(entry: str) -> _Rule:
    if "/" in entry or entry.count(":") > 1:
        try:
            return _Rule(ip_network(entry), "", None)
        except ValueError:
            pass
    match = _HOST_PORT.fullmatch(entry)
    if match is None or int(match["port"] or 0) > 65535:
        raise ConfigError(
            f"allow entry {entry!r} is not a network, an address or a host. "
            "Write for example 10.0.0.0/8, localhost:8080 or [::1]:8080."
        )
    host = (match["v6"] or match["host"]).lower()
    port = int(match["port"]) if match["port"] else None
    try:
        return _Rule(ip_network(host), "", port)
    except ValueError:
        return _Rule(None, host, port)
