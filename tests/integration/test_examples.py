"""The files shown in the README, run as they are."""

import asyncio
import importlib.util
import sys
from pathlib import Path

import pytest
from aiohttp import web

from mediacore import Agent, CallSettings
from mediacore.errors import ErrorClass, ProviderError
from mediacore.providers.scripted import ScriptedLlm, ScriptedStt, ScriptedTts
from mediacore.slots.tts import TtsAudio, TtsRequest

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.realtime
def test_gateway_takes_a_call(tmp_path, capsys):
    gateway = load("gateway")
    agent = Agent(
        stt=(ScriptedStt(()),),
        llm=(ScriptedLlm(()),),
        tts=(ScriptedTts(),),
        greeting="Hello.",
        settings=CallSettings(max_call_ms=1500, limit_grace_ms=500),
    )
    record = asyncio.run(gateway.answer(("127.0.0.1", 9), agent, tmp_path))
    assert "send RTP to 127.0.0.1:" in capsys.readouterr().out
    assert record.turns[0].heard_text == "Hello."
    assert (tmp_path / "call.json").exists() and (tmp_path / "call.wav").exists()


def run_http_tts(handler, use):
    http_tts = load("http_tts")

    async def run():
        app = web.Application()
        app.router.add_post("/v1/audio/speech", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        tts = http_tts.HttpTts(f"http://127.0.0.1:{port}", "voice", "key")
        try:
            return await use(tts)
        finally:
            await tts.aclose()
            await runner.cleanup()

    return asyncio.run(run())


def test_http_tts_streams_whole_samples():
    seen = {}

    async def handler(request):
        seen.update(await request.json(), auth=request.headers["Authorization"])
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in (b"\x01\x02\x03", b"\x04", b"\x05\x06"):
            await response.write(piece)
            await asyncio.sleep(0.01)
        return response

    async def use(tts):
        return [event async for event in tts.run(TtsRequest("Hello."))]

    events = run_http_tts(handler, use)
    assert all(isinstance(e, TtsAudio) and len(e.pcm) % 2 == 0 for e in events)
    assert b"".join(e.pcm for e in events) == b"\x01\x02\x03\x04\x05\x06"
    assert seen["input"] == "Hello." and seen["auth"] == "Bearer key"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, ErrorClass.AUTH),
        (429, ErrorClass.RATE_LIMITED),
        (500, ErrorClass.UNAVAILABLE),
        (400, ErrorClass.BAD_INPUT),
    ],
)
def test_http_tts_classifies(status, kind):
    async def handler(request):
        return web.Response(status=status)

    async def use(tts):
        return [event async for event in tts.run(TtsRequest("Hello."))]

    with pytest.raises(ProviderError) as error:
        run_http_tts(handler, use)
    assert error.value.error_class is kind


def test_the_readme_shows_the_gateway_as_it_is():
    readme = (EXAMPLES.parent / "README.md").read_text()
    assert (EXAMPLES / "gateway.py").read_text().rstrip() in readme
