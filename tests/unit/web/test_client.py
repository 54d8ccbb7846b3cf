"""SafeClient on real loopback servers."""

import asyncio
import gzip
import logging
import socket
import tracemalloc
import zlib

import pytest
from aiohttp import web

from mediacore.errors import ConfigError
from mediacore.web.client import HttpReply, HttpRequest, SafeClient
from support.http_server import LOOPBACK, serving, serving_raw, text


def send(url, *, client=None, **fields):
    """One request on a fresh client."""
    fields.setdefault("method", "GET")

    async def main():
        made = SafeClient(**({"allow": LOOPBACK} if client is None else client))
        try:
            return await made.send(HttpRequest(url=url, **fields))
        finally:
            await made.aclose()

    return asyncio.run(main())


def against(handler, *, path="/", raw=False, client=None, **fields):
    """One request to a server with this handler."""
    fields.setdefault("method", "GET")

    async def main():
        made = SafeClient(**({"allow": LOOPBACK} if client is None else client))
        server = serving_raw(handler) if raw else serving(handler)
        async with server as base:
            try:
                return await made.send(HttpRequest(url=base + path, **fields))
            finally:
                await made.aclose()

    return asyncio.run(main())


def test_a_request_arrives_as_written_and_the_reply_comes_back():
    seen = {}

    async def handler(request):
        seen.update(method=request.method, path=request.raw_path)
        seen["headers"] = {name.lower(): value for name, value in request.headers.items()}
        seen["body"] = await request.read()
        return web.Response(text="hello", status=201, headers={"X-One": "1"})

    reply = against(
        handler,
        path="/a%2Fb?__token=x%3D%2F",
        method="POST",
        headers={"Content-Type": "application/json", "X-Key": "k"},
        body=b"{}",
    )
    assert (reply.status, reply.body, reply.error) == (201, b"hello", "")
    assert reply.headers["x-one"] == "1"
    assert seen["method"] == "POST"
    assert seen["path"] == "/a%2Fb?__token=x%3D%2F"
    assert seen["body"] == b"{}"
    assert seen["headers"]["x-key"] == "k"
    assert seen["headers"]["accept-encoding"] == "gzip"


def test_headers_that_belong_to_the_connection_are_not_taken_over():
    seen = {}

    async def handler(request):
        seen.update({name.lower(): value for name, value in request.headers.items()})
        return web.Response()

    against(handler, headers={"Host": "evil", "Content-Length": "9", "Accept-Encoding": "br"})
    assert seen["host"].startswith("127.0.0.1:")
    assert seen["accept-encoding"] == "gzip"
    assert "content-length" not in seen


def test_credentials_of_the_url_become_basic_authentication():
    async def handler(request):
        return web.Response(text=request.headers.get("authorization", "none"))

    async def main():
        client = SafeClient(allow=LOOPBACK)
        async with serving(handler) as base:
            url = base.replace("http://", "http://user:pa%20ss@")
            from_url = await client.send(HttpRequest("GET", url))
            own = await client.send(HttpRequest("GET", url, {"Authorization": "Bearer t"}))
            await client.aclose()
        return from_url.body, own.body

    assert asyncio.run(main()) == (b"Basic dXNlcjpwYSBzcw==", b"Bearer t")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/",
        "http://127.1/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[::]/",
        "http://[fec0::1]/",
        "http://[ff02::1]/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost:9/",
    ],
)
def test_an_internal_address_is_blocked_by_default(url):
    assert send(url, client={}).error == "blocked_address"


@pytest.mark.parametrize("url", ["ftp://h.test/", "http://", "http://h.test/\n", "not a url"])
def test_a_bad_url_is_named(url):
    assert send(url).error == "bad_url"


@pytest.mark.parametrize(
    "fields", [{"method": "TRACE"}, {"method": "GET x"}, {"headers": {"X": "a\r\nY: b"}}]
)
def test_a_bad_request_is_named(fields):
    assert against(text("x"), **fields).error == "bad_request"


def test_every_answer_of_a_name_is_checked():
    asked = []

    async def resolve(host, port):
        asked.append((host, port))
        return ["93.184.216.34", "127.0.0.1"]

    reply = send("http://two.test:8123/", client={"resolve": resolve})
    assert reply.error == "blocked_address"
    assert asked == [("two.test", 8123)]


def test_a_name_that_changes_between_look_ups_gains_nothing():
    async def main():
        answers = iter([["127.0.0.2"], ["127.0.0.1"]])
        looked_up = []

        async def resolve(host, port):
            looked_up.append(host)
            return next(answers)

        async def closing(request):
            response = web.Response(text="from 127.0.0.2")
            response.force_close()
            return response

        client = SafeClient(allow=["127.0.0.2/32"], resolve=resolve)
        async with serving(closing, "127.0.0.2") as base:
            url = base.replace("127.0.0.2", "rebind.test")
            first = await client.send(HttpRequest("GET", url))
            assert looked_up == ["rebind.test"]
            second = await client.send(HttpRequest("GET", url))
            await client.aclose()
        return first, second, looked_up

    first, second, looked_up = asyncio.run(main())
    assert first.body == b"from 127.0.0.2"
    assert second == HttpReply(0, error="blocked_address")
    assert looked_up == ["rebind.test", "rebind.test"]


def test_a_name_without_answers_is_a_dns_error():
    async def resolve(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    async def none(host, port):
        return []

    assert send("http://gone.test/", client={"resolve": resolve}).error == "dns"
    assert send("http://gone.test/", client={"resolve": none}).error == "dns"


def test_a_host_map_leads_to_an_address_and_keeps_the_name():
    async def handler(request):
        return web.Response(text=request.headers["host"])

    async def main():
        async with serving(handler) as base:
            place = base.removeprefix("http://")
            client = SafeClient(hosts={"api.test": place, "Other.test:8443": place})
            replies = [
                await client.send(HttpRequest("GET", url))
                for url in ("http://api.test/", "http://API.test:81/", "http://other.test:8443/")
            ]
            await client.aclose()
        return [reply.body for reply in replies]

    assert asyncio.run(main()) == [b"api.test", b"api.test:81", b"other.test:8443"]
    with pytest.raises(ConfigError, match="address:port"):
        SafeClient(hosts={"api.test": "nonsense"})


def test_refused_and_closed_connections_are_told_apart():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    assert send(f"http://127.0.0.1:{port}/").error == "refused"

    async def hang_up(reader, writer):
        writer.close()

    assert against(hang_up, raw=True).error == "closed"


def test_a_tls_failure_is_named():
    async def main():
        async def serve(reader, writer):
            await reader.read(1)
            writer.write(b"this is no TLS at all\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = SafeClient(allow=LOOPBACK)
        reply = await client.send(HttpRequest("GET", f"https://127.0.0.1:{port}/"))
        await client.aclose()
        server.close()
        await server.wait_closed()
        return reply

    assert asyncio.run(main()).error == "tls"


def test_a_slow_server_costs_no_more_than_the_deadline():
    async def never(request):
        await asyncio.Event().wait()

    reply = against(never, total_ms=80)
    assert reply == HttpReply(0, error="timeout")


def test_a_body_that_drips_for_ever_ends_at_the_deadline():
    async def drip(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.01)

    assert against(drip, raw=True, total_ms=100).error == "timeout"


@pytest.mark.parametrize("announced", [True, False])
def test_a_huge_body_is_refused(announced):
    async def huge(reader, writer):
        head = b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 50000000\r\n" if announced else b"")
        writer.write(head + b"\r\n")
        for _ in range(50):
            writer.write(b"x" * 65536)
            await writer.drain()

    reply = against(huge, raw=True, max_bytes=100_000)
    assert (reply.status, reply.body, reply.error) == (200, b"", "too_large")


def test_a_body_of_exactly_the_cap_is_let_in():
    assert len(against(text("x" * 1000), max_bytes=1000).body) == 1000
    assert against(text("x" * 1001), max_bytes=1000).error == "too_large"


def answering(body, encoding):
    async def handler(request):
        return web.Response(body=body, headers={"Content-Encoding": encoding})

    return handler


def test_gzip_is_decoded():
    assert against(answering(gzip.compress(b"hello" * 999), "gzip")).body == b"hello" * 999
    assert against(answering(b"plain", "identity")).body == b"plain"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"x", "br"),
        (zlib.compress(b"x"), "deflate"),
        (gzip.compress(gzip.compress(b"x")), "gzip, gzip"),
        (b"not gzip", "gzip"),
        (gzip.compress(b"x" * 100)[:-9], "gzip"),
        (gzip.compress(b"x") + gzip.compress(b"y"), "gzip"),
    ],
)
def test_an_encoding_that_was_not_asked_for_or_is_broken_is_refused(body, encoding):
    reply = against(answering(body, encoding))
    assert (reply.body, reply.error) == (b"", "bad_encoding")


def make_bomb(megabytes):
    packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    zeros = bytes(1_000_000)
    return b"".join(packer.compress(zeros) for _ in range(megabytes)) + packer.flush()


def test_a_200_mb_bomb_costs_no_more_than_the_cap():
    bomb = make_bomb(200)
    assert len(bomb) < 300_000
    tracemalloc.start()
    try:
        reply = against(answering(bomb, "gzip"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reply.error == "too_large"
    assert peak < 8_000_000


def test_a_compressed_body_that_decodes_to_nothing_is_capped_too():
    async def empty_blocks(reader, writer):
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
        writer.write(head + gzip.compress(b"")[:10])
        while True:
            writer.write(b"\x00\x00\x00\xff\xff" * 1000)
            await writer.drain()

    assert against(empty_blocks, raw=True, max_bytes=50_000).error == "too_large"


def test_a_reset_in_mid_stream_is_closed():
    async def reset(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart")
        await writer.drain()
        writer.transport.abort()

    reply = against(reset, raw=True)
    assert (reply.status, reply.body, reply.error) == (200, b"", "closed")


def test_endless_headers_end():
    async def endless(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(1_000_000):
            writer.write(b"X-%d: y\r\n" % number)
            await writer.drain()

    assert against(endless, raw=True, total_ms=5000).error == "bad_reply"


def test_an_endless_header_line_ends():
    async def endless(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(10_000):
            writer.write(b"y" * 1000)
            await writer.drain()

    assert against(endless, raw=True, total_ms=5000).error == "bad_reply"


def test_what_is_not_http_is_a_bad_reply():
    async def nonsense(reader, writer):
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")

    assert against(nonsense, raw=True).error == "bad_reply"


def test_at_most_64_headers_are_kept():
    async def many(request):
        return web.Response(headers={f"X-{number}": "y" for number in range(80)})

    assert len(against(many).headers) == 64


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_by_default(status):
    reply = against(text("", status, Location="http://93.184.216.34/"))
    assert (reply.status, reply.error) == (status, "bad_redirect")


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("http://169.254.169.254/latest/", "blocked_address"),
        ("http://[::ffff:127.0.0.1]/", "blocked_address"),
        ("http://2852039166/", "blocked_address"),
        ("file:///etc/passwd", "bad_redirect"),
        ("http://[", "bad_redirect"),
    ],
)
def test_a_redirect_to_an_internal_address_is_blocked_though_redirects_are_on(location, error):
    reply = against(text("", 302, Location=location), redirects=3)
    assert reply.error == error


def test_redirects_are_followed_up_to_three_times():
    hops = []

    async def handler(request):
        hops.append((request.method, request.path, await request.text()))
        left = int(request.path[1:])
        if not left:
            return web.Response(text="end")
        return web.Response(status=307, headers={"Location": f"/{left - 1}"})

    assert against(handler, path="/3", redirects=9, method="POST", body=b"b").body == b"end"
    assert hops == [("POST", f"/{left}", "b") for left in (3, 2, 1, 0)]
    assert against(handler, path="/4", redirects=9).error == "bad_redirect"
    assert against(handler, path="/2", redirects=1).error == "bad_redirect"


def test_credentials_stay_with_their_origin():
    async def main():
        async def show(request):
            return web.Response(text=f"{request.method} {request.headers.get('authorization')}")

        async with serving(show, "127.0.0.2") as other:

            async def leave(request):
                return web.Response(status=303, headers={"Location": other})

            client = SafeClient(allow=LOOPBACK)
            async with serving(leave) as base:
                request = HttpRequest("POST", base, {"Authorization": "x"}, b"b", redirects=1)
                reply = await client.send(request)
                await client.aclose()
        return reply.body

    assert asyncio.run(main()) == b"GET None"


def test_https_does_not_lead_to_http():
    from mediacore.web.client import _next_hop
    from mediacore.web.url import parse_url

    start = parse_url("https://h.test/a")
    assert _next_hop(start, "http://h.test/a") is None
    assert _next_hop(start, "/b").text == "https://h.test/b"


def test_requests_to_one_host_are_bounded():
    async def main():
        running, most, release = 0, 0, asyncio.Event()

        async def handler(request):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await release.wait()
            running -= 1
            return web.Response()

        client = SafeClient(allow=LOOPBACK, per_host=2)
        async with serving(handler) as base, asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(client.send(HttpRequest("GET", base, total_ms=5000)))
                for _ in range(5)
            ]
            late = await client.send(HttpRequest("GET", base, total_ms=50))
            release.set()
            replies = [await task for task in tasks]
            await client.aclose()
        assert client._places._hosts == {}
        return most, late, replies

    most, late, replies = asyncio.run(main())
    assert most == 2
    assert late.error == "timeout"
    assert [reply.status for reply in replies] == [200] * 5


def test_cancelling_leaves_nothing_behind():
    async def main():
        arrived = asyncio.Event()

        async def handler(request):
            arrived.set()
            await asyncio.Event().wait()

        client = SafeClient(allow=LOOPBACK, per_host=1)
        async with serving(handler) as base:
            task = asyncio.create_task(client.send(HttpRequest("GET", base)))
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert client._places._hosts == {}
            await client.aclose()

    asyncio.run(main())


def test_a_closed_client_says_so():
    async def main():
        client = SafeClient(allow=LOOPBACK)
        async with serving(text("x")) as base:
            assert (await client.send(HttpRequest("GET", base))).body == b"x"
            await client.aclose()
            await client.aclose()
            return await client.send(HttpRequest("GET", base))

    assert asyncio.run(main()).error == "closed"


def test_logs_hold_no_secrets(caplog):
    caplog.set_level(logging.DEBUG)

    async def main():
        client = SafeClient(allow=LOOPBACK)
        async with serving(text("planted-reply", 200, X="planted-header")) as base:
            url = base.replace("http://", "http://planted-user:planted-pw@")
            await client.send(
                HttpRequest(
                    "POST", url + "/p?t=planted-value", {"X-K": "planted-key"}, b"planted-body"
                )
            )
            await client.aclose()

    asyncio.run(main())
    records = [record for record in caplog.records if record.name == "mediacore.web"]
    assert len(records) == 1
    assert records[0].http_url.endswith("/p?t=*")
    assert "planted" not in "".join(str(record.__dict__) for record in caplog.records)
