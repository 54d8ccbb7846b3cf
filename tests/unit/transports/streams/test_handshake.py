"""Headers of the upgrade, RFC 6455 §4."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from mediacore.transports.streams.handshake import upgrade_headers

GOOD = {
    "Upgrade": "WebSocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def answer(protocols: tuple[str, ...] = (), **changes: str | None) -> dict[str, str]:
    headers = GOOD | {name.replace("_", "-"): value or "" for name, value in changes.items()}
    return upgrade_headers(make_mocked_request("GET", "/", headers), protocols)


def test_the_example_of_the_rfc() -> None:
    assert answer() == {
        "Upgrade": "websocket",
        "Connection": "upgrade",
        "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    }


@pytest.mark.parametrize(("asked", "chosen"), [("b, a", "a"), ("b", "b"), ("c", None), ("", None)])
def test_subprotocols(asked: str, chosen: str | None) -> None:
    headers = answer(("a", "b"), Sec_WebSocket_Protocol=asked)
    assert headers.get("Sec-WebSocket-Protocol") == chosen


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"Upgrade": "h2c"}, web.HTTPUpgradeRequired),
        ({"Sec_WebSocket_Version": "8"}, web.HTTPUpgradeRequired),
        ({"Connection": "close"}, web.HTTPBadRequest),
        ({"Sec_WebSocket_Key": "short"}, web.HTTPBadRequest),
        ({"Sec_WebSocket_Key": "AAAA"}, web.HTTPBadRequest),
        ({"Sec_WebSocket_Key": ""}, web.HTTPBadRequest),
    ],
)
def test_what_is_no_upgrade(changes: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        answer(**changes)
