"""The configuration file of `mediacore serve`: its sections, and what they become."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mediacore.errors import ConfigError
from mediacore.policy.dialing import DialPolicy
from mediacore.serving.sections import ControlSection, ServiceSection, StreamsSection
from mediacore.serving.tables import Source, read_table, read_toml, unknown_key
from mediacore.serving.ways import Gateways
from mediacore.transports.asterisk.config import AudioSocketConfig
from mediacore.transports.rtp_ports import RtpPortsConfig
from mediacore.transports.sip.settings import SipConfig
from mediacore.transports.webrtc.config import WebRtcConfig

OPEN: Final = "open"


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the file. title: what it is for. opens: it makes a listener without a key of
    its own for serving anybody, so it takes `open`."""

    name: str
    kind: type
    title: str
    opens: bool = False


SECTIONS: Final = (
    Section("service", ServiceSection, "What calls get and what is kept of them."),
    Section("control", ControlSection, "Where controllers connect (RELAY over TLS)."),
    Section("sip", SipConfig, "SIP: phones, PBXs and trunks call us, and we call them."),
    Section("streams", StreamsSection, "Media streams over WebSocket."),
    Section("audiosocket", AudioSocketConfig, "AudioSocket of Asterisk.", opens=True),
    Section("rtp", RtpPortsConfig, "RTP without signalling, such as externalMedia.", opens=True),
    Section("webrtc", WebRtcConfig, "Calls from a browser, and the page that places them."),
    Section("dialing", DialPolicy, "Who may be called; nobody until something is allowed."),
)
"""In the order in which they are documented."""


@dataclass(frozen=True, slots=True)
class ServeFile:
    """A configuration file."""

    service: ServiceSection = field(default_factory=ServiceSection)
    control: ControlSection | None = None
    gateways: Gateways = field(default_factory=Gateways)


def read_config(path: Path, env: Mapping[str, str] | None = None) -> ServeFile:
    """Read and check a configuration file. env: for secrets, by default that of the process.
    Raises ConfigError with file, line and key."""
    tables, source = read_toml(path, os.environ if env is None else env)
    names = {section.name for section in SECTIONS}
    for name in tables:
        if name not in names:
            raise unknown_key(name, names, source, (name,))
    opened = _take_open(tables, source)
    found: dict[str, Any] = {
        section.name: read_table(section.kind, tables[section.name], source, (section.name,))
        for section in SECTIONS
        if section.name in tables
    }
    service = found.pop("service", None) or ServiceSection()
    control = found.pop("control", None)
    streams = found.get("streams")
    if streams is not None:
        try:
            streams.config()
        except ConfigError as error:
            raise source.error(("streams",), str(error)) from None
    return ServeFile(service, control, Gateways(**found, open=opened))


def _take_open(tables: Mapping[str, Any], source: Source) -> frozenset[str]:
    """Take the key `open` out of the sections that have it."""
    opened = set()
    for section in SECTIONS:
        table = tables.get(section.name)
        if not section.opens or not isinstance(table, dict) or OPEN not in table:
            continue
        value = table.pop(OPEN)
        if not isinstance(value, bool):
            raise source.error((section.name, OPEN), "Expected `bool`")
        if value:
            opened.add(section.name)
    return frozenset(opened)
