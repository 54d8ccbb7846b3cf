"""Who may connect by address: where a protocol has no authentication, or does not need it."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from mediacore.errors import ConfigError

LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
Network = IPv4Network | IPv6Network


def parse_networks(texts: Iterable[str], setting: str = "expected") -> tuple[Network, ...]:
    """Addresses and networks. setting: where they stand. Raises ConfigError."""
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise ConfigError(f"{setting}: {error}") from None


def is_expected(host: str, networks: Iterable[Network]) -> bool:
    """Whether a numeric address is in one of the networks; IPv4 may come mapped into IPv6."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


def everybody(networks: Iterable[Network]) -> bool:
    """Whether the networks keep nobody out."""
    return any(network.prefixlen == 0 for network in networks)
