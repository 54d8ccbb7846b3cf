"""The language model that a command line names."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mediacore.errors import ConfigError
from mediacore.providers.llamacpp import LlamaCppLlm
from mediacore.providers.openai_llm import OpenAiLlm
from mediacore.providers.scripted_llm import ScriptLlm
from mediacore.slots.llm import Llm

FORMS: Final = "openai:MODEL[@URL], tiny or scripted:FILE"
KEY_VARIABLE: Final = "OPENAI_API_KEY"
_OPENAI: Final = re.compile(r"(?P<model>[^@\s]+)(?:@(?P<url>https?://[^\s@]+))?")
_NO_KEY: Final = "none"


def make_llm(spec: str, env: Mapping[str, str] | None = None) -> Llm:
    """The model that `spec` names: see `FORMS`. Close it when done.

    `openai:` without a URL is OpenAI itself and needs OPENAI_API_KEY; with one, any server with
    its chat completions, for example openai:qwen3@http://127.0.0.1:8080/v1. `tiny` is the small
    offline model, not fit for callers. env: the environment, by default that of the process.
    Raises ConfigError for a spec that cannot be used, MissingDependencyError for a missing extra.
    """
    kind, _, rest = spec.partition(":")
    match kind:
        case "openai" if rest:
            return _openai(rest, os.environ if env is None else env)
        case "tiny" if not rest:
            return LlamaCppLlm()
        case "scripted" if rest:
            return ScriptLlm.from_file(Path(rest))
    raise ConfigError(f"--llm {spec!r}: expected {FORMS}")


def _openai(rest: str, env: Mapping[str, str]) -> Llm:
    found = _OPENAI.fullmatch(rest)
    if found is None:
        raise ConfigError(
            f"--llm openai:{rest!r}: expected MODEL or MODEL@URL, "
            "for example qwen3@http://127.0.0.1:8080/v1"
        )
    url, key = found["url"], env.get(KEY_VARIABLE, "")
    if not key and url is None:
        raise ConfigError(f"--llm openai:{rest}: set {KEY_VARIABLE}, or name a server: @http://…")
    return OpenAiLlm(found["model"], api_key=key or _NO_KEY, base_url=url)
