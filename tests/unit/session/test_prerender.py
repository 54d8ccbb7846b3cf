"""Fixed lines are ready before they are needed; the voice has the gain of its document."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable

from mediacore.errors import ErrorClass
from mediacore.providers.scripted import ScriptedTts, Voice
from mediacore.session.prerender import PrerenderedTts
from mediacore.slots.driver import TtsDriver
from mediacore.slots.tts import TtsAudio, TtsRequest
from virtual import now_us, run_virtual

SORRY = "Sorry, something went wrong."


def voice(*voices: Voice, volume_db: float = 0.0) -> tuple[ScriptedTts, PrerenderedTts]:
    tts = ScriptedTts(voices or (Voice(),))
    return tts, PrerenderedTts(TtsDriver([tts], now_us), "en-US", "v", volume_db=volume_db)


async def spoken(ready: PrerenderedTts, text: str, name: str = "v") -> tuple[bytes, float]:
    """The audio, and after how many seconds the first of it came."""
    loop = asyncio.get_running_loop()
    begin_s, first_s, pcm = loop.time(), -1.0, b""
    async for event in ready.run(TtsRequest(text, "en-US", name)):
        if isinstance(event, TtsAudio):
            first_s = loop.time() - begin_s if first_s < 0 else first_s
            pcm += event.pcm
    return pcm, first_s


def play(main: Awaitable[None]) -> None:
    run_virtual(main)


def loudest(pcm: bytes) -> int:
    return max(abs(x) for x in array("h", pcm))


def test_a_line_that_is_ready_needs_no_synthesis() -> None:
    tts, ready = voice()

    async def main() -> None:
        live, _ = await spoken(ready, SORRY)
        await ready.warm([SORRY, SORRY])
        assert ready.ready == {SORRY}
        asked = len(tts.requests)
        again, first_s = await spoken(ready, SORRY)
        assert again == live and first_s == 0.0
        assert len(tts.requests) == asked

    play(main())


def test_another_voice_or_another_text_is_made_live() -> None:
    tts, ready = voice()

    async def main() -> None:
        await ready.warm([SORRY])
        asked = len(tts.requests)
        await spoken(ready, SORRY, "other")
        await spoken(ready, "Something else.")
        assert [r.text for r in tts.requests[asked:]] == [SORRY, "Something else."]

    play(main())


def test_a_line_that_cannot_be_made_is_left_out_and_the_next_one_made() -> None:
    broken = Voice(error=ErrorClass.BAD_INPUT)
    _, ready = voice(broken, Voice())

    async def main() -> None:
        await ready.warm([SORRY, "Please hold."])
        assert ready.ready == {"Please hold."}

    play(main())


def test_the_caller_comes_before_the_fixed_lines() -> None:
    tts, ready = voice()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(spoken(ready, "Hello there."))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            group.create_task(ready.warm([SORRY]))
        assert [r.text for r in tts.requests] == ["Hello there.", SORRY]

    play(main())


def test_everything_is_spoken_with_the_documents_gain() -> None:
    _, plain = voice()
    _, soft = voice(volume_db=-12.0)

    async def main() -> None:
        loud, _ = await spoken(plain, SORRY)
        await soft.warm([SORRY])
        ready, _ = await spoken(soft, SORRY)
        live, _ = await spoken(soft, "Something else.")
        for pcm in (ready, live):
            assert abs(loudest(pcm) - loudest(loud) * 10 ** (-12 / 20)) <= loudest(loud) * 0.05
        assert len(ready) == len(loud)

    play(main())
