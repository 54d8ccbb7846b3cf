"""A service with a WebRTC listener, and headless Chromium with a recording for a microphone.

async with Site(tmp_path, stt=…, tts=…, llm=…) as site:
    async with chromium(site.url, [2.5, CALLER / "01_check_order.wav"], tmp_path) as page:
        await page.click("#call")
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import shutil
import wave
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest

from mediacore._core import Resampler
from mediacore.call.record import CallRecord
from mediacore.service import LINE_LEG, Service, ServiceConfig
from mediacore.session.watching import CallWatch, by_header
from mediacore.slots.llm import Llm
from mediacore.slots.stt import Stt
from mediacore.slots.tts import Tts
from mediacore.transports.files import read_audio
from mediacore.transports.webrtc import SESSION_HEADER, WebRtcConfig, WebRtcServer

CALLER = Path(__file__).parents[2] / "src" / "mediacore" / "demo" / "caller"
PICTURES = Path(__file__).parents[2] / "build" / "browser"
RATE = 48_000
FLAGS = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
RAW_MICROPHONE = """
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = () => open({audio: {
  echoCancellation: false, noiseSuppression: false, autoGainControl: false}});
"""
RECORD = """
() => {
  const recorder = new MediaRecorder(document.getElementById("voice").srcObject.clone());
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.start(200);
  window.stopRecording = () => new Promise((done) => {
    recorder.onstop = async () => {
      const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
      let text = "";
      for (const byte of bytes) text += String.fromCharCode(byte);
      done(btoa(text));
    };
    recorder.stop();
  });
}
"""


class Site:
    """The service and its page on loopback. Leaving checks that no call and no leg is left."""

    def __init__(
        self,
        folder: Path,
        *,
        stt: Stt,
        tts: Tts,
        llm: Llm,
        ai: Mapping[str, Any] | None = None,
        **webrtc: Any,
    ) -> None:
        self._folder = folder
        self._config = WebRtcConfig(**webrtc)
        params = {"end_of_speech_timeout": 400, "attention_timeout": 0}
        given = {"prompt": {"text": "You help."}, "params": params}
        steps = [{"answer": {}}, {"ai": {**given, **(ai or {})}}, {"hangup": {}}]
        document = folder / "document.json"
        document.write_text(json.dumps({"version": "1.0.0", "sections": {"main": steps}}))
        self._service_config = ServiceConfig(
            (stt,), (tts,), (llm,), document=str(document), records=folder / "calls"
        )
        self.records: list[CallRecord] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        service = Service(self._service_config)
        hub = service.open_hub()
        self._engine = hub.engine
        self.server = WebRtcServer(
            self._config,
            hub.engine,
            LINE_LEG,
            on_incoming=lambda far: service.host.incoming(far),
            seed=lambda: secrets.randbits(62),
        )
        service.on_record(self.records.append)
        await self._stack.enter_async_context(service)
        self.service = service
        await self.server.start()
        self._stack.push_async_callback(self.server.aclose)
        key = by_header(SESSION_HEADER)
        watch = CallWatch(lambda: service.host.calls, key, self.server.show)
        self._watching = asyncio.create_task(watch.run())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._watching.cancel()
        await asyncio.wait([self._watching])
        left = await self.service.drain(5)
        calls = self.server.snapshot().calls
        await self._stack.aclose()
        if exc_info[0] is None:
            assert (left, calls) == (0, 0)

    @property
    def url(self) -> str:
        return self.server.url

    async def wait_record(self, limit_s: float = 10) -> CallRecord:
        async with asyncio.timeout(limit_s):
            while not self.records:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return self.records[-1]


def microphone(path: Path, parts: Sequence[float | Path]) -> Path:
    """What the fake microphone plays once: silence in seconds, and recordings."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        for part in parts:
            if isinstance(part, Path):
                audio = read_audio(part)
                file.writeframes(Resampler(audio.srate_hz, RATE).run(audio.pcm))
            else:
                file.writeframes(bytes(2 * int(part * RATE)))
    return path


@asynccontextmanager
async def chromium(
    url: str, speech: Sequence[float | Path], folder: Path, *, allowed: bool = True
) -> AsyncIterator[Any]:
    """A page at `url`. allowed: the user lets it have the microphone. Fails on script errors."""
    playwright = pytest.importorskip("playwright.async_api")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is missing: apt-get install chromium")
    file = microphone((folder / "microphone.wav").resolve(), speech)
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={file}%noloop"]
    if allowed:
        flags.append("--use-fake-ui-for-media-stream")
    errors: list[str] = []
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=program, args=flags)
        try:
            page = await browser.new_page(viewport={"width": 1400, "height": 900})
            page.on("pageerror", lambda error: errors.append(str(error)))
            await page.add_init_script(RAW_MICROPHONE)
            await page.goto(url)
            yield page
        finally:
            with suppress(playwright.Error):  # it has crashed
                await browser.close()
    assert errors == []


async def picture(page: Any, name: str, width: int = 1400, height: int = 900) -> Path:
    """Look at the page in some width; nothing may stick out."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    await page.set_viewport_size({"width": width, "height": height})
    await page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return PICTURES / f"{name}.png"


async def recorded(page: Any, folder: Path) -> Any:
    """What MediaRecorder got of the agent, float mono at 16 kHz. After RECORD."""
    import av
    import numpy as np

    path = folder / "agent.webm"
    path.write_bytes(base64.b64decode(await page.evaluate("window.stopRecording()")))
    resampler = av.AudioResampler("s16", "mono", 16000)
    pieces = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            pieces += [out.to_ndarray()[0] for out in resampler.resample(frame)]
    return np.concatenate(pieces)
