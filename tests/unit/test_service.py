"""A service: what it needs to start, what it makes of a crash, where its calls may reach."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mediacore import _core
from mediacore.errors import ConfigError, ErrorClass, MediacoreError, ProviderError
from mediacore.providers.scripted import ScriptedStt, ScriptedTts
from mediacore.service import Service, ServiceConfig, _fetch_sound
from mediacore.store.journal import SUFFIX, Journal
from mediacore.store.records import read_record
from mediacore.web.client import HttpReply, SafeClient
from support.host_sim import FakeClient


def config(tmp_path: Path, **changes: Any) -> ServiceConfig:
    return ServiceConfig(
        (ScriptedStt([]),), (ScriptedTts(),), records=tmp_path / "calls", **changes
    )


@pytest.mark.realtime
def test_calls_of_a_killed_process_have_a_record_after_the_start(tmp_path: Path) -> None:
    live = _core.live_objects()
    dead = Journal(tmp_path / "calls")
    dead.note("call-1", "start")
    dead.note("call-1", "answer", {"line": "call-1"})
    dead.close(keep=True)

    async def main() -> None:
        async with Service(config(tmp_path)) as service:
            assert read_record(tmp_path / "calls" / "call-1").end_reason == "lost"
            assert len(list((tmp_path / "calls").glob(f"*{SUFFIX}"))) == 1  # its own
            assert await service.drain(1) == 0

    asyncio.run(main())
    assert list((tmp_path / "calls").glob(f"*{SUFFIX}")) == []
    assert _core.live_objects() == live


PROGRAM = """
import asyncio, itertools, sys
from pathlib import Path
from mediacore.media import LegConfig
from mediacore.providers.scripted import ScriptedStt, ScriptedTts
from mediacore.service import LINE_LEG, Service, ServiceConfig
from mediacore.transports.exchange import LoopbackExchange, Side

async def main():
    where = Path(sys.argv[1])
    document = where / "doc.json"
    document.write_text('{"sections": {"main": [{"answer": {}}, {"sleep": 60000}]}}')
    config = ServiceConfig(
        (ScriptedStt([]),), (ScriptedTts(),), document=str(document), records=where / "calls"
    )
    service = Service(config)
    hub, seeds = service.open_hub(), itertools.count(1)
    exchange = LoopbackExchange(
        Side(hub.engine, LINE_LEG), Side(hub.engine, LegConfig()), seed=lambda: next(seeds)
    )
    async with service:
        exchange.on_incoming(service.host.incoming)
        await exchange.call("+1", "+2").answered()
        await asyncio.sleep(1.5)
        print("talking", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.realtime
@pytest.mark.timeout(60)
def test_a_process_that_is_killed_in_a_call_loses_only_the_figures(tmp_path: Path) -> None:
    args = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with subprocess.Popen(args, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"talking\n"
        os.kill(process.pid, signal.SIGKILL)

    async def main() -> None:
        async with Service(config(tmp_path)):
            [path] = (tmp_path / "calls").glob("*/call.json")
            record = read_record(path)
            assert record.end_reason == "lost"
            assert record.started_at
            assert 500 < record.duration_ms < 30_000  # by the audio on disk
            assert (path.parent / "call.wav").stat().st_size > 8000

    asyncio.run(main())


def test_a_document_that_cannot_run_is_refused_before_any_call(tmp_path: Path) -> None:
    file = tmp_path / "doc.json"
    file.write_text(
        '{"version": "1.0.0", "sections": {"main": [{"ai": {"prompt": {"text": "x"}}}]}}'
    )
    with pytest.raises(ConfigError, match="language model"):
        Service(config(tmp_path, document=str(file)))


@pytest.mark.realtime
def test_taps_and_streams_obey_the_address_rules(tmp_path: Path) -> None:
    async def main() -> None:
        async with Service(config(tmp_path)) as service:
            services = service.host._services
            with pytest.raises(MediacoreError):
                await services.resolve("127.0.0.1", 4000)
            fork = services.connect("ws://169.254.169.254/x", None, "")
            with pytest.raises(MediacoreError):
                await fork.run(lambda: None)
        async with Service(config(tmp_path, allow=("127.0.0.0/8",))) as service:
            services = service.host._services
            assert await services.resolve("127.0.0.1", 4000) == ("127.0.0.1", 4000)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("", "file://{records}/c1/a%20b.wav"),
        ("https://cdn.test/calls/", "https://cdn.test/calls/c1/a%20b.wav"),
    ],
)
def test_recordings_have_the_url_of_the_operator(tmp_path: Path, base: str, url: str) -> None:
    service = Service(config(tmp_path, records_url=base))
    path = tmp_path / "calls" / "c1" / "a b.wav"
    assert service._link(path) == url.format(records=tmp_path / "calls")


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        (HttpReply(404), ErrorClass.BAD_INPUT),
        (HttpReply(403), ErrorClass.AUTH),
        (HttpReply(503), ErrorClass.UNAVAILABLE),
        (HttpReply(0, error="timeout"), ErrorClass.TIMEOUT),
        (HttpReply(0, error="blocked_address"), ErrorClass.BAD_INPUT),
    ],
)
def test_sounds_that_cannot_be_fetched_have_a_class(reply: HttpReply, wanted: ErrorClass) -> None:
    client: Any = FakeClient()
    client.delay_s = 0
    client.script = lambda request: reply
    assert isinstance(client, FakeClient) and not isinstance(client, SafeClient)
    with pytest.raises(ProviderError) as caught:
        asyncio.run(_fetch_sound(client, "https://user:pw@a.test/s.wav?k=1"))
    assert caught.value.error_class is wanted
    assert "pw" not in str(caught.value)
