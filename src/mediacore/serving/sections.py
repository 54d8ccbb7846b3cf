"""The sections of a configuration file that are not a transport's own dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mediacore.errors import ConfigError
from mediacore.transports.streams.auth import (
    Auth,
    Basic,
    Bearer,
    GenesysKey,
    HeaderToken,
    PlivoSignature,
    SignedJwt,
    TwilioSignature,
    UrlToken,
)
from mediacore.transports.streams.config import StreamConfig, StreamEndpoint, StreamLimits


@dataclass(frozen=True, slots=True)
class ServiceSection:
    """What calls get and what is kept of them.

    document: file or URL that incoming calls get; without one they wait for controllers. strict:
    refuse documents with unsupported methods. document_secret: key of signed requests. llm:
    language models in order of preference, "openai:MODEL[@URL]", "tiny" or "scripted:FILE". stt:
    speech recognition. tts: speech synthesis. language: of calls, BCP 47. voice: of the agent, ""
    = the provider's own. hold_music: URL or name of a sound. records: folder of calls.
    records_url: where that folder can be had by others, "" = file: URLs. sounds: folder of sounds
    that documents name without URL. allow: addresses, networks or host:port inside that documents
    and tools may reach. phones: numbers of this machine that can be dialled, and the recordings
    they play. max_calls: at once. budget: caps per call: seconds, turns, tokens, money. prices:
    price table (JSON). campaign: whose money calls spend. day_cap: most that the campaign spends
    on a day, such as "10.00". spend: counters of it, an SQLite file or postgresql:// URL. queue:
    file of work after calls. log: decision log, one line per decision. log_content: also log
    what was said. drain_s: how long running calls may go on after SIGTERM.
    """

    document: str | None = None
    strict: bool = False
    document_secret: str = field(default="", repr=False)
    llm: tuple[str, ...] = ()
    stt: Literal["local", "none"] = "local"
    tts: Literal["local", "tones"] = "local"
    language: str = "en-US"
    voice: str = ""
    hold_music: str = ""
    records: Path = Path("calls")
    records_url: str = ""
    sounds: Path | None = None
    allow: tuple[str, ...] = ()
    phones: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    max_calls: int = 256
    budget: Mapping[str, int | str] = field(default_factory=dict)
    prices: Path | None = None
    campaign: str = ""
    day_cap: str = ""
    spend: str = ""
    queue: Path | None = None
    log: Path | None = None
    log_content: bool = False
    drain_s: float = 10.0

    def __post_init__(self) -> None:
        if self.max_calls < 1:
            raise ConfigError("max_calls must be at least 1")
        if self.drain_s < 0:
            raise ConfigError("drain_s must not be below 0")


@dataclass(frozen=True, slots=True)
class ControlSection:
    """Where controllers connect (RELAY over TLS).

    host, port: where to listen; port 0 = any. project, context: what controllers name. token:
    their secret, "" = $MEDIACORE_TOKEN or a random one that is printed. jwt_secret: of HS256
    tokens, at least 32 bytes; "" = none are taken. tls: folder with cert.pem and key.pem; without
    it a certificate is made. plain_network: serve other machines without TLS, as behind a proxy
    that ends it. origins: browser origins that may connect.
    """

    host: str = "127.0.0.1"
    port: int = 7443
    project: str = "local"
    context: str = "office"
    token: str = field(default="", repr=False)
    jwt_secret: str = field(default="", repr=False)
    tls: Path | None = None
    plain_network: bool = False
    origins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class EndpointSection:
    """One path of the stream server. Any of the proofs that are set admits.

    dialect: who dials it. path: "" = "/" and the dialect's name. bearer: Authorization: Bearer.
    header, header_token: a header with a secret. url_token: PATH/TOKEN or PATH?token=TOKEN.
    username, password: HTTP Basic. twilio_auth_token, plivo_auth_token: signatures of the
    account; public_url is needed with them. genesys_api_key, genesys_client_secret: X-API-KEY,
    and the secret of signed messages. vonage_secret: of HS256 tokens. open: no proof is asked
    for, even from other machines. public_url: what the provider dials. codec, srate_hz: where the
    far side does not say; "" and 0 = leave it to the dialect. two_way: the far side plays binary
    audio as it comes. ahead_ms: audio that the far side holds, a multiple of 20. origins:
    browsers that may connect.
    """

    dialect: str
    path: str = ""
    bearer: str = field(default="", repr=False)
    header: str = ""
    header_token: str = field(default="", repr=False)
    url_token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    twilio_auth_token: str = field(default="", repr=False)
    plivo_auth_token: str = field(default="", repr=False)
    genesys_api_key: str = field(default="", repr=False)
    genesys_client_secret: str = field(default="", repr=False)
    vonage_secret: str = field(default="", repr=False)
    open: bool = False
    public_url: str = ""
    codec: str = ""
    srate_hz: int = 0
    two_way: bool = True
    ahead_ms: int = 60
    origins: frozenset[str] = frozenset()

    def endpoint(self) -> StreamEndpoint:
        """As the stream server wants it. Raises ConfigError."""
        return StreamEndpoint(
            self.dialect,
            self.path,
            tuple(self._auth()),
            self.open,
            self.public_url,
            self.codec,
            self.srate_hz,
            self.two_way,
            self.ahead_ms,
            self.origins,
        )

    def _auth(self) -> list[Auth]:
        found: list[Auth] = []
        if self.bearer:
            found.append(Bearer(self.bearer))
        if self.header or self.header_token:
            found.append(HeaderToken(self.header, self.header_token))
        if self.url_token:
            found.append(UrlToken(self.url_token))
        if self.username or self.password:
            found.append(Basic(self.username, self.password))
        if self.twilio_auth_token:
            found.append(TwilioSignature(self.twilio_auth_token))
        if self.plivo_auth_token:
            found.append(PlivoSignature(self.plivo_auth_token))
        if self.genesys_api_key or self.genesys_client_secret:
            found.append(GenesysKey(self.genesys_api_key, self.genesys_client_secret))
        if self.vonage_secret:
            found.append(SignedJwt(self.vonage_secret))
        return found


@dataclass(frozen=True, slots=True)
class StreamsSection:
    """Media streams over WebSocket: providers and switches dial us.

    host, port: where to listen; port 0 = any. tls_cert, tls_key: PEM files. plain_network: serve
    other machines without TLS, as behind a proxy that ends it. endpoint: the paths. limits: of
    the server.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    tls_cert: Path | None = None
    tls_key: Path | None = None
    plain_network: bool = False
    endpoint: tuple[EndpointSection, ...] = ()
    limits: StreamLimits = field(default_factory=StreamLimits)

    def config(self) -> StreamConfig:
        """As the stream server wants it. Raises ConfigError."""
        return StreamConfig(
            tuple(each.endpoint() for each in self.endpoint),
            self.host,
            self.port,
            self.tls_cert,
            self.tls_key,
            self.plain_network,
            self.limits,
        )
