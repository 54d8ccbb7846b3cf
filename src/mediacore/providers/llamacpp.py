"""A tiny language model in a worker process: Gemma 3 270m on llama.cpp, offline.

It is here to show that a real model plugs into the slot and streams, cancels and fails like any
other. It is not fit to serve callers: the *base* model of 270 million parameters only continues
a transcript. It is fluent, does not follow instructions, knows no tools, and invents prices and
telephone numbers. Use a dialogue of stages or a capable model behind `openai_llm` for real calls.

    messages → transcript with an example → worker → text up to two sentences or the line's end

The weights are under the Gemma Terms of Use, not under a free licence; a notice is printed before
their first use.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final

from mediacore.errors import ErrorClass, ProviderError
from mediacore.providers.local.llamacpp_model import FILE_NAME, SLOTS
from mediacore.providers.local.worker import Worker, WorkerStats
from mediacore.slots.llm import LlmEvent, LlmInfo, LlmRequest, LlmText, LlmUsage, Message

NAME: Final = "gemma-3-270m"
TOKENS_MAX: Final = 64
TERMS: Final = (
    "Gemma is provided under and subject to the Gemma Terms of Use found at "
    "https://ai.google.dev/gemma/terms, including the Prohibited Use Policy at "
    "https://ai.google.dev/gemma/prohibited_use_policy. By using this model you agree to them."
)
_MODULE: Final = "mediacore.providers.local.llamacpp_model"
_CALLER: Final = "Caller:"
_AGENT: Final = "Agent:"
_SYSTEM_CHARS: Final = 600
_LINE_CHARS: Final = 400
_DIALOGUE_CHARS: Final = 1600  # with the rest about 700 of the 1024 tokens of a slot
_OPENING: Final = (
    "The transcript of a phone call. The agent is polite and says one short sentence at a time."
)
_EXAMPLE: Final = (
    f"{_CALLER} Hello, can you hear me?\n"
    f"{_AGENT} Yes, I can hear you well. How can I help you?\n"
    f"{_CALLER} I have a question.\n"
    f"{_AGENT} Of course. What would you like to know?\n"
)


def print_notice(text: str) -> None:
    """Print to standard error."""
    print(text, file=sys.stderr)


class LlamaCppLlm:
    """The tiny model; one instance serves all calls of an event loop. Not for real callers.

    model: a GGUF file of a base model instead of the packaged one; sha256: digest it must have,
    None for no check. cache_dir: where the packaged model is put together, 253 MB, once; default
    ~/.cache/mediacore. notice: is given the terms before the packaged model's first use with a
    cache directory. At most 4 replies at once, more are refused with RATE_LIMITED.
    """

    def __init__(
        self,
        *,
        model: Path | None = None,
        sha256: str | None = None,
        cache_dir: Path | None = None,
        notice: Callable[[str], object] = print_notice,
        worker: Worker | None = None,
    ) -> None:
        cache = Path.home() / ".cache" / "mediacore" if cache_dir is None else cache_dir
        config = {
            "path": None if model is None else str(model),
            "sha256": sha256,
            "cache_dir": str(cache),
        }
        self._worker = worker or Worker(NAME, _MODULE, config, capacity=SLOTS)
        self._terms_due = cache / FILE_NAME if model is None else None
        self._notice = notice

    @property
    def info(self) -> LlmInfo:
        """Constant facts about this model."""
        return LlmInfo(NAME, tools=False)

    def snapshot(self) -> WorkerStats:
        """Counters of the worker."""
        return self._worker.snapshot()

    async def prewarm(self) -> None:
        """Load the model now instead of at the first turn; the first time some seconds more."""
        self._tell_terms()
        await self._worker.prewarm()

    async def aclose(self) -> None:
        """End the worker; idempotent."""
        await self._worker.aclose()

    async def run(self, request: LlmRequest) -> AsyncGenerator[LlmEvent, None]:
        """Answer one turn. Closing the iterator ends the generation within four tokens.

        Tools of the request are ignored. At most `TOKENS_MAX` tokens, whatever it asks for.
        """
        if request.max_tokens < 1:
            raise ProviderError(ErrorClass.BAD_INPUT, "max_tokens is below 1", NAME)
        self._tell_terms()
        head = {
            "max_tokens": min(request.max_tokens, TOKENS_MAX),
            "temperature": request.temperature,
            "stops": (_CALLER, _AGENT),
        }
        spoken, usage = False, None
        body = prompt(request.messages).encode()
        async with aclosing(self._worker.call(head, body)) as replies:
            async for reply, _ in replies:
                if "usage" in reply:
                    usage = LlmUsage(*reply["usage"])
                else:
                    spoken = True
                    yield LlmText(str(reply["text"]))
        if usage is None or not spoken:
            raise ProviderError(ErrorClass.BAD_OUTPUT, "the model said nothing", NAME)
        yield usage

    def _tell_terms(self) -> None:
        path, self._terms_due = self._terms_due, None
        if path is not None and not path.is_file():
            self._notice(TERMS)


def prompt(messages: Sequence[Message]) -> str:
    """A transcript for the model to continue as the agent; the latest lines if it is long."""
    system = _line(" ".join(m.text for m in messages if m.role == "system"))[:_SYSTEM_CHARS]
    lines: list[str] = []
    left = _DIALOGUE_CHARS
    for message in reversed(messages):
        text = _line(message.text)[-_LINE_CHARS:].lstrip()
        if message.role not in ("user", "assistant") or not text:
            continue
        left -= len(text)
        if left < 0:
            break
        lines.append(f"{_CALLER if message.role == 'user' else _AGENT} {text}\n")
    about = f"{_OPENING} {system}".rstrip()
    return f"{about}\n\n{_EXAMPLE}{''.join(reversed(lines))}{_AGENT}"


def _line(text: str) -> str:
    """Text in one line that cannot pass for another speaker's."""
    joined = " ".join(text.split())
    return joined.replace(_CALLER, "Caller,").replace(_AGENT, "Agent,")
