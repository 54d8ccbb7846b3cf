"""URLs: one strict reading, so that what is checked is what is connected to."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

from mediacore.errors import MediacoreError

MAX_URL: Final = 8192
MAX_LOGGED: Final = 512
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_CREDENTIALS = re.compile(r"^(\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?[\\/]*)[^/?#\\]*@")
_UNUSABLE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")  # controls, lone surrogates
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?\.?")
_NUMBER_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_QUERY_VALUE = re.compile(r"(^|&)([^=&]*)=[^&]*")
_SAFE: Final = "%/:@!$&'()*+,;=-._~?"


class UrlError(MediacoreError):
    """A URL cannot be used. `reason`: bad_url | blocked_address."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the URL cannot be used: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes.

    `text` is the URL without credentials and fragment, in ASCII; its path and query are as given.
    `host` is lower case without brackets; `authorization` is a header value or empty.
    """

    scheme: str
    host: str
    port: int
    text: str
    authorization: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port (RFC 6454)."""
        return self.scheme, self.host, self.port

    @property
    def is_address(self) -> bool:
        """Whether the host is a numeric address."""
        return ":" in self.host or bool(_NUMBER_LABEL.fullmatch(self.host.rpartition(".")[2]))


def parse_url(url: str) -> Target:
    """Read an http(s) URL. Raises UrlError.

    A host whose last label is a number must be a plain dotted IPv4 address: `127.1`, `0x7f.1`,
    `2130706433` and `0177.0.0.1` are forms that resolvers turn into addresses.
    """
    if len(url) > MAX_URL or _UNUSABLE.search(url):
        raise UrlError("bad_url")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise UrlError("bad_url") from None
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS or not parts.hostname or port == 0:
        raise UrlError("bad_url")
    host = _host(parts.hostname, bracketed="[" in parts.netloc.rpartition("@")[2])
    shown = f"[{host}]" if ":" in host else host
    if port is not None and port != DEFAULT_PORTS[scheme]:
        shown += f":{port}"
    path = quote(parts.path or "/", safe=_SAFE)
    query = f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
    return Target(
        scheme=scheme,
        host=host,
        port=port or DEFAULT_PORTS[scheme],
        text=f"{scheme}://{shown}{path}{query}",
        authorization=_authorization(parts.netloc),
    )


def _host(name: str, *, bracketed: bool) -> str:
    if bracketed:
        try:
            address = IPv6Address(name)
        except ValueError:
            raise UrlError("bad_url") from None
        if address.scope_id is not None:
            raise UrlError("blocked_address")
        return str(address)
    try:
        host = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        raise UrlError("bad_url") from None
    host = host.lower()
    if not _HOST.fullmatch(host) or ".." in host:
        raise UrlError("bad_url")
    if _NUMBER_LABEL.fullmatch(host.removesuffix(".").rpartition(".")[2]):
        try:
            return str(IPv4Address(host))
        except ValueError:
            raise UrlError("blocked_address") from None
    return host.removesuffix(".")


def _authorization(netloc: str) -> str:
    credentials, at, _ = netloc.rpartition("@")
    if not at:
        return ""
    user, _, password = credentials.partition(":")
    return basic_authorization(unquote(user), unquote(password))


def basic_authorization(user: str, password: str) -> str:
    """The header value of HTTP basic authentication (RFC 7617, UTF-8)."""
    pair = f"{user}:{password}".encode("utf-8", "replace")
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def strip_credentials(url: str) -> str:
    """The URL as written, without `user:password@`."""
    return _CREDENTIALS.sub(r"\1", url, count=1)


def loggable(url: str) -> str:
    """A URL for logs: no credentials, fragment, query values or control characters; cut short."""
    printable = "".join(char for char in url[:MAX_URL] if char.isprintable())
    bare, _, query = strip_credentials(printable).partition("#")[0].partition("?")
    hidden = _QUERY_VALUE.sub(r"\1\2=*", query)
    if query:
        bare += f"?{hidden}" if "=" in hidden else "?*"
    return bare[:MAX_LOGGED]


def join(base: str, location: str) -> str:
    """The URL a Location header leads to. Raises UrlError."""
    try:
        return urljoin(base, location)
    except ValueError:
        raise UrlError("bad_url") from None
