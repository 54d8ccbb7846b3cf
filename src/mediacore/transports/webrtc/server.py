"""The page, and the signalling that it speaks: one offer, one answer, one goodbye.

  GET    /            the page, page.js, page.css
  GET    /ice         {"iceServers": […]} for the page's connection
  POST   /calls       {"type": "offer", "sdp": …} ─► 201 {"type": "answer", "sdp": …, "call": id}
  DELETE /calls/{id}  hang up

Everything but the page needs the bearer token where there is one. Nothing may be called from
another origin that is not configured.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

import msgspec
from aiohttp import web

from mediacore import _core
from mediacore._core import Engine
from mediacore.call.live import LiveModel
from mediacore.errors import ConfigError, MissingDependencyError
from mediacore.media import LegConfig
from mediacore.slots.gateway import FarLine, LineEnd, LineFailedError
from mediacore.transports.webrtc.config import WebRtcConfig
from mediacore.transports.webrtc.guard import Guard
from mediacore.transports.webrtc.line import WebRtcLine
from mediacore.transports.webrtc.link import Ears, Link, MakeLink
from mediacore.transports.webrtc.offer import OfferError, agree, parse_offer
from mediacore.transports.webrtc.pump import LinkPump

_PAGE: Final = {
    "/": ("index.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}
_MAX_BODY: Final = 128 << 10
_SWEEP_S: Final = 1.0
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_STATUS: Final = {
    LineEnd.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    LineEnd.DECLINE: HTTPStatus.FORBIDDEN,
    LineEnd.NOT_FOUND: HTTPStatus.NOT_FOUND,
    LineEnd.NO_ANSWER: HTTPStatus.GATEWAY_TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class WebRtcStats:
    """calls: now. answered, failed: offers that became a call, or did not. lost: browsers that
    vanished. refused_*: requests by reason. dropped: packets that the core had no room for."""

    calls: int
    answered: int
    failed: int
    lost: int
    refused_token: int
    refused_origin: int
    refused_rate: int
    refused_full: int
    refused_offer: int
    dropped: int


class _Offered(msgspec.Struct):
    sdp: str
    type: str = "offer"


class WebRtcServer:
    """Takes calls of browsers. `start`, then `drain` and `aclose`. One event loop.

    leg: template of the calls' legs. on_incoming: gets each call's line. seed: a new unpredictable
    number for each call. make_link: the connection, by default aiortc's.
    """

    def __init__(
        self,
        config: WebRtcConfig,
        engine: Engine,
        leg: LegConfig,
        *,
        on_incoming: Callable[[FarLine], None],
        seed: Callable[[], int],
        clock_us: Callable[[], int] = _core.now_us,
        ids: Callable[[], str] = lambda: secrets.token_urlsafe(18),
        make_link: MakeLink | None = None,
    ) -> None:
        self._config = config
        self._engine = engine
        self._leg = leg
        self._on_incoming = on_incoming
        self._seed = seed
        self._clock_us = clock_us
        self._ids = ids
        self._make_link = make_link
        self._token = config.token or (ids() if config.needs_token else "")
        self._guard = Guard(config, self._token)
        self._codecs = config.codecs
        self._pump = LinkPump()
        self._lines: dict[str, WebRtcLine] = {}
        self._refs: dict[str, WebRtcLine] = {}
        self._pages: dict[str, tuple[bytes, str]] = {}
        self._counts: Counter[str] = Counter()
        self._runner: web.AppRunner | None = None
        self._address = (config.host, config.port)
        self._sweeper: asyncio.Task[None] | None = None
        self._draining = False

    # -- life

    async def start(self) -> None:
        """Listen. Raises ConfigError, and MissingDependencyError without aiortc."""
        if self._make_link is None:
            self._make_link = _aiortc_links(self._config)
        if _core.opus_load() is None:
            self._codecs = tuple(c for c in self._codecs if c != "opus")
            if not self._codecs:
                raise MissingDependencyError("libopus", "apt install libopus0")
        context = _tls(self._config)
        self._pages = {
            path: ((files(__package__) / "page" / name).read_bytes(), kind)
            for path, (name, kind) in _PAGE.items()
        }
        app = web.Application(client_max_size=_MAX_BODY, middlewares=[self._safely])
        app.router.add_routes(
            [
                *(web.get(path, self._page) for path in self._pages),
                web.get("/ice", self._ice),
                web.post("/calls", self._call),
                web.delete("/calls/{id}", self._hang_up),
            ]
        )
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await runner.setup()
        host, port = self._config.host, self._config.port
        try:
            await web.TCPSite(runner, host, port, ssl_context=context).start()
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            raise ConfigError(f"webrtc: cannot listen on {host}:{port}: {error}") from None
        self._runner = runner
        self._address = runner.addresses[0][:2]
        self._sweeper = asyncio.create_task(self._sweep())

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._address

    @property
    def url(self) -> str:
        """The page's address, with the secret that it needs."""
        scheme = "https" if self._config.tls_cert is not None else "http"
        host, port = self._address
        name = f"[{host}]" if ":" in host else host
        secret = f"#token={self._token}" if self._token else ""
        return f"{scheme}://{name}:{port}/{secret}"

    def drain(self) -> None:
        """Refuse new calls from now on."""
        self._draining = True

    async def aclose(self) -> None:
        """End all calls and stop listening; idempotent."""
        self._draining = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])
            self._sweeper = None
        lines = tuple(self._lines.values())
        await asyncio.gather(*(line.aclose() for line in lines))
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def snapshot(self) -> WebRtcStats:
        """Counters."""
        counts = self._counts
        return WebRtcStats(
            len(self._lines),
            counts["answered"],
            counts["failed"],
            counts["lost"],
            counts["token"],
            counts["origin"],
            counts["rate"],
            counts["full"],
            counts["offer"],
            counts["dropped"] + sum(line.dropped for line in self._lines.values()),
        )

    def show(self, ref: str, model: LiveModel) -> None:
        """Bring the page of a call up to date. ref: the party's header SESSION_HEADER."""
        line = self._refs.get(ref)
        if line is not None:
            line.show(model)

    async def _sweep(self) -> None:
        """End calls whose browser sends nothing any more."""
        seen: dict[str, tuple[int, int]] = {}
        while True:
            await asyncio.sleep(_SWEEP_S)
            now_us = self._clock_us()
            seen = {key: value for key, value in seen.items() if key in self._lines}
            for key, line in tuple(self._lines.items()):
                received, since_us = seen.get(key, (-1, now_us))
                if line.received != received or not line.connected:
                    seen[key] = (line.received, now_us)
                elif now_us - since_us > self._config.lost_ms * 1000:
                    self._counts["lost"] += 1
                    line.end(LineEnd.ERROR)

    # -- requests

    @web.middleware
    async def _safely(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPException as error:
            response = _refusal(HTTPStatus(error.status), error.reason)
        response.headers.update(_HEADERS)
        return response

    async def _page(self, request: web.Request) -> web.Response:
        body, kind = self._pages[request.path]
        return web.Response(body=body, content_type=kind, charset="utf-8")

    async def _ice(self, request: web.Request) -> web.Response:
        self._check(request)
        servers = [
            {"urls": s.url, "username": s.username, "credential": s.credential}
            if s.username
            else {"urls": s.url}
            for s in self._config.ice_servers
        ]
        return web.json_response({"iceServers": servers})

    def _check(self, request: web.Request) -> None:
        """Raises HTTPException for who may not call."""
        if not self._guard.admits(request.remote or "", self._clock_us()):
            self._counts["rate"] += 1
            raise web.HTTPTooManyRequests(reason="too many requests")
        if not self._guard.welcomes(request.headers.get("Origin"), request.host):
            self._counts["origin"] += 1
            raise web.HTTPForbidden(reason="this origin may not call")
        if not self._guard.knows(request.headers.get("Authorization", "")):
            self._counts["token"] += 1
            raise web.HTTPUnauthorized(reason="the token is missing or wrong")

    async def _call(self, request: web.Request) -> web.Response:
        self._check(request)
        if self._draining or len(self._lines) >= self._config.max_calls:
            self._counts["full"] += 1
            raise web.HTTPServiceUnavailable(reason="no more calls at present")
        try:
            if request.content_type != "application/json":
                raise OfferError("the body must be application/json")
            line = self._line(await request.read(), request.headers.get("User-Agent", ""))
        except (OfferError, msgspec.MsgspecError, ValueError, RecursionError) as error:
            self._counts["offer"] += 1
            reason = str(error) if isinstance(error, OfferError) else "the body is not an offer"
            return _refusal(HTTPStatus.BAD_REQUEST, reason)
        key = self._ids()
        self._add(key, line)
        return await self._answered(key, line)

    def _line(self, body: bytes, user_agent: str) -> WebRtcLine:
        offered = msgspec.json.decode(body, type=_Offered)
        if offered.type != "offer":
            raise OfferError("the body is not an offer")
        offer = parse_offer(offered.sdp)
        agreed = agree(offer, self._codecs)
        assert self._make_link is not None
        return WebRtcLine(
            self._ids(),
            offer,
            agreed,
            self._config,
            engine=self._engine,
            leg=self._leg,
            seed=self._seed(),
            pump=self._pump,
            make_link=self._make_link,
            headers={"user-agent": user_agent[:200]},
        )

    def _add(self, key: str, line: WebRtcLine) -> None:
        self._lines[key] = line
        self._refs[line.ref] = line

        def forget(over: asyncio.Future[LineEnd]) -> None:
            self._lines.pop(key, None)
            self._refs.pop(line.ref, None)
            self._counts["dropped"] += line.dropped

        line.over.add_done_callback(forget)

    async def _answered(self, key: str, line: WebRtcLine) -> web.Response:
        """Ring, and wait for the answer as long as the browser does."""
        try:
            self._on_incoming(line)
            async with asyncio.timeout(self._config.answer_ms / 1000):
                answer = await asyncio.shield(line.answer)
        except TimeoutError:
            line.end(LineEnd.NO_ANSWER)
            self._counts["failed"] += 1
            return _refusal(HTTPStatus.GATEWAY_TIMEOUT, LineEnd.NO_ANSWER.value)
        except LineFailedError as error:
            self._counts["failed"] += 1
            status = _STATUS.get(error.reason, HTTPStatus.BAD_GATEWAY)
            return _refusal(status, error.reason.value)
        except BaseException:
            line.end(LineEnd.CANCEL)
            self._counts["failed"] += 1
            raise
        self._counts["answered"] += 1
        body = {"type": "answer", "sdp": answer, "call": key}
        return web.json_response(body, status=HTTPStatus.CREATED)

    async def _hang_up(self, request: web.Request) -> web.Response:
        self._check(request)
        line = self._lines.get(request.match_info["id"])
        if line is None:
            return _refusal(HTTPStatus.NOT_FOUND, "no such call")
        line.end(LineEnd.HANGUP)
        return web.Response(status=HTTPStatus.NO_CONTENT)


def _aiortc_links(config: WebRtcConfig) -> MakeLink:
    """Connections by aiortc; imported here because it is large and optional."""
    try:
        from mediacore.transports.webrtc import peerlink  # noqa: PLC0415
    except ImportError as error:
        package = (error.name or "aiortc").partition(".")[0]
        if package == "mediacore":
            raise
        fix = "pip install 'mediacore[webrtc]'"
        raise MissingDependencyError(f"Python package {package!r}", fix) from None
    peerlink.check_version()

    def make(ears: Ears) -> Link:
        return peerlink.PeerLink(ears, config.addresses, config.ice_servers)

    return make


def _refusal(status: HTTPStatus, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status)


def _tls(config: WebRtcConfig) -> ssl.SSLContext | None:
    if config.tls_cert is None or config.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key)
    except (OSError, ssl.SSLError) as error:
        where = f"{config.tls_cert} with key {config.tls_key}"
        raise ConfigError(f"webrtc: certificate {where}: {error}") from None
    return context
