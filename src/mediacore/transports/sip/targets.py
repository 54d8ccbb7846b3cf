"""Where a destination is, and with which name and password it is called."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from typing import Final

from mediacore.errors import ConfigError
from mediacore.slots.gateway import DialOut, LineEnd, LineFailedError
from mediacore.transports.sip.desk import Target
from mediacore.transports.sip.settings import SipConfig, Transfers
from mediacore.transports.sip.sockets import SipSockets
from mediacore.wire.sip.digest import Credentials, DigestClient
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.ids import SipIds
from mediacore.wire.sip.uri import SipUri, make_uri

_MAX_NAMES: Final = 1024
_MAX_LOST: Final = 4096


class Targets:
    """Looks names up for each call and remembers them for its dialog; knows which connections are
    gone."""

    def __init__(self, config: SipConfig, sockets: SipSockets, ids: SipIds) -> None:
        self._config = config
        self._sockets = sockets
        self._ids = ids
        self._names: dict[tuple[str, str], str] = {}
        self._lost: dict[int, None] = {}

    def lost(self, flow: Flow) -> None:
        """A connection is gone."""
        if flow.connection:
            self._lost[flow.connection] = None
            while len(self._lost) > _MAX_LOST:
                del self._lost[next(iter(self._lost))]

    def route(self, uri: str, near: Flow | None) -> Flow | None:
        """See stack.Route. A connection that the peer opened is used while it lives."""
        alive = near is not None and near.connection not in self._lost
        if alive and self._config.symmetric:
            return near
        try:
            parsed = SipUri.parse(uri)
            host, port = parsed.address
            numeric = self._numeric(host, parsed.transport)
            if numeric is None:
                return near
            if alive and near is not None and near.reliable and near.remote[0] == numeric:
                return near
            return self._sockets.flow(parsed.transport, (numeric, port), host)
        except (SipError, ConfigError):
            return near

    def _numeric(self, host: str, transport: str) -> str | None:
        """The address of a host, when it is one or was looked up before."""
        try:
            return str(ip_address(host))
        except ValueError:
            return self._names.get((host.lower(), transport))

    async def _look_up(self, host: str, port: int, transport: str) -> str:
        """The address of a host as of now; the one it had when nobody knows. Raises SipError."""
        with suppress(ValueError):
            return str(ip_address(host))
        key = (host.lower(), transport)
        try:
            numeric = (await self._sockets.resolve(host, port, transport))[0]
        except SipError:
            if key not in self._names:
                raise
            return self._names[key]
        if len(self._names) >= _MAX_NAMES:
            self._names.clear()
        self._names[key] = numeric
        return numeric

    async def find(self, uri: str, local: str) -> Target:
        """Where a URI is. local: our From. Raises LineFailedError."""
        try:
            parsed = SipUri.parse(uri)
            if parsed.scheme == "tel":
                raise LineFailedError(LineEnd.NOT_FOUND, "a tel URI needs a trunk")
            host, port = parsed.address
            numeric = await self._look_up(host, port, parsed.transport)
            flow = self._sockets.flow(parsed.transport, (numeric, port), host)
        except SipError as error:
            raise LineFailedError(LineEnd.NOT_FOUND, str(error)) from None
        except ConfigError as error:
            raise LineFailedError(LineEnd.ERROR, str(error)) from None
        return Target(parsed.bare, local, f"<{parsed.bare}>", flow, self._credentials(parsed))

    async def destination(self, wanted: DialOut) -> Target:
        """Of kind "sip": a URI; others are numbers for the trunk. Raises LineFailedError."""
        trunk, own = self._config.trunk, wanted.from_number
        if wanted.kind == "sip":
            found = await self.find(wanted.to_number, "")
            local = f"sip:{self._config.user}@{found.flow.sent_by}"
            if own.startswith(("sip:", "sips:")):
                local = own
            elif own:
                local = f"{make_uri(own, '')}{found.flow.sent_by}"
        elif trunk is None:
            raise LineFailedError(LineEnd.NOT_FOUND, "there is no SIP trunk for phone numbers")
        else:
            params = () if trunk.transport == "UDP" else (("transport", trunk.transport.lower()),)
            port = trunk.port or None
            found = await self.find(make_uri(wanted.to_number, trunk.host, port, params=params), "")
            local = make_uri(own or trunk.user, trunk.from_domain or trunk.host)
        digest = found.digest
        if wanted.username:
            digest = DigestClient(Credentials(wanted.username, wanted.password), self._ids)
        try:
            local = SipUri.parse(local).bare
        except SipError:
            raise LineFailedError(LineEnd.ERROR, "the caller's number is not usable") from None
        return Target(found.uri, f"<{local}>", found.remote, found.flow, digest)

    def _credentials(self, uri: SipUri) -> DigestClient | None:
        """The trunk's, towards the trunk only."""
        trunk = self._config.trunk
        if trunk is None or not trunk.password or uri.host != trunk.host.lower():
            return None
        return DigestClient(Credentials(trunk.user, trunk.password, trunk.realms), self._ids)

    def transfer_allowed(self, uri: str, host: str, party_host: str) -> bool:
        """What config.transfers says of a target at the numeric `host`."""
        policy, trunk = self._config.transfers, self._config.trunk
        if policy is Transfers.SAME_HOST:
            to_trunk = trunk is not None and SipUri.parse(uri).host == trunk.host.lower()
            return host == party_host or to_trunk
        return policy is Transfers.ANY
