"""A model that answers from a script: for demonstrations, tests and load without a real model.

The file is a YAML list of entries; docs/scripted-model.md describes it. The entries that an
earlier answer came from are worked out from the conversation itself, as far as the caller heard
it, so that one instance serves any number of calls and an interrupted answer is given again.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from mediacore.errors import ConfigError, ErrorClass, ProviderError
from mediacore.slots.llm import LlmEvent, LlmHangup, LlmInfo, LlmRequest, LlmText, Message, ToolCall

SCRIPT_ENDED: Final = "script_ended"
_KEYS: Final = frozenset(("when", "say", "tool", "hangup", "after_ms", "fail", "repeat"))
_TOOL_KEYS: Final = frozenset(("name", "arguments"))
_PIECE: Final = re.compile(r"\s*\S+(?:\s+$)?")
_WORD: Final = re.compile(r"[^\W_]+")
_MAX_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer. when: what the newest text must contain, None = anything.

    hangup: reason of hanging up after the answer, "" = no. after_ms: before its first word.
    fail: fail with this class instead. repeat: may be given any number of times.
    """

    when: re.Pattern[str] | None = None
    say: str = ""
    tool: str = ""
    arguments: Mapping[str, object] = field(default_factory=dict)
    hangup: str = ""
    after_ms: int = 0
    fail: ErrorClass | None = None
    repeat: bool = False

    def answers(self, text: str) -> bool:
        """Whether the entry is meant for this text."""
        return self.when is None or self.when.search(text) is not None

    def gave(self, message: Message) -> bool:
        """Whether the agent's message, as far as it was heard, is this answer."""
        if self.tool:
            return any(call.name == self.tool for call in message.tool_calls)
        meant = iter(_words(self.say))
        heard = _words(message.text)
        return bool(heard) and all(word in meant for word in heard)


class ScriptLlm:
    """Answers from entries in order: the first unused one that is meant for the newest text.

    The newest text is what came since the agent's last answer: the caller's words, results of
    tools, instructions. An entry is used once in each conversation; one that fails, once
    altogether. When none is left, the answer is to hang up.
    """

    def __init__(self, entries: Sequence[Entry], *, name: str = "scripted") -> None:
        if not entries:
            raise ConfigError("a scripted model needs at least one entry")
        self._entries = tuple(entries)
        self._info = LlmInfo(name)
        self._failed: set[int] = set()

    @classmethod
    def from_file(cls, path: Path) -> ScriptLlm:
        """Read a script. Raises ConfigError naming the file and the entry."""
        try:
            data = path.read_bytes()
            if len(data) > _MAX_BYTES:
                raise ConfigError(f"script {path}: larger than {_MAX_BYTES} bytes")
            document = yaml.safe_load(data)
        except OSError as error:
            raise ConfigError(f"script {path}: {error.strerror}") from None
        except (UnicodeError, yaml.YAMLError, RecursionError) as error:
            raise ConfigError(f"script {path}: {error}") from None
        if not isinstance(document, list) or not document:
            raise ConfigError(f"script {path}: expected a list of entries")
        entries = [_entry(e, f"script {path}, entry {n}") for n, e in enumerate(document, start=1)]
        return cls(entries, name=f"scripted:{path.stem}")

    @property
    def info(self) -> LlmInfo:
        """Constant facts about this model."""
        return self._info

    async def run(self, request: LlmRequest) -> AsyncIterator[LlmEvent]:
        """Answer one turn. Cancel by closing the returned iterator."""
        index, turn = self._choose(request.messages)
        if index is None:
            yield LlmHangup(SCRIPT_ENDED)
            return
        entry = self._entries[index]
        await asyncio.sleep(entry.after_ms / 1000)
        if entry.fail is not None:
            self._failed.add(index)
            raise ProviderError(entry.fail, "scripted failure", self._info.name)
        for piece in _PIECE.findall(entry.say):
            yield LlmText(piece)
        if entry.tool:
            arguments = json.dumps(dict(entry.arguments), ensure_ascii=False)
            yield ToolCall(f"script_{turn}_{index + 1}", entry.tool, arguments)
        if entry.hangup:
            yield LlmHangup(entry.hangup)

    async def aclose(self) -> None:
        """Nothing is held."""

    def _choose(self, messages: Sequence[Message]) -> tuple[int | None, int]:
        """The entry for the newest text, and how many answers came before it."""
        used = set(self._failed)
        newest: list[str] = []
        turn = 0
        for message in _spoken(messages):
            if message.role != "assistant":
                newest.append(message.text)
                continue
            turn += 1
            index = self._first(used, newest)
            if index is not None and self._entries[index].gave(message):
                used.add(index)
                newest = []
        return self._first(used, newest), turn

    def _first(self, used: set[int], newest: Sequence[str]) -> int | None:
        text = "\n".join(newest)
        for index, entry in enumerate(self._entries):
            if (entry.repeat or index not in used) and entry.answers(text):
                return index
        return None


def _spoken(messages: Sequence[Message]) -> Iterator[Message]:
    """The conversation without the instructions before it."""
    started = False
    for at, message in enumerate(messages):
        started = started or message.role != "system" or at > 0
        if started:
            yield message


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _entry(raw: object, where: str) -> Entry:
    if isinstance(raw, str):
        return Entry(say=raw)
    if not isinstance(raw, dict):
        raise ConfigError(f"{where}: expected a text or an object")
    unknown = [str(key) for key in raw if key not in _KEYS]
    if unknown:
        raise ConfigError(
            f"{where}: unknown {', '.join(unknown)}; known: {', '.join(sorted(_KEYS))}"
        )
    tool, arguments = _tool(raw.get("tool"), where)
    entry = Entry(
        when=_pattern(raw.get("when"), where),
        say=_text(raw, "say", where),
        tool=tool,
        arguments=arguments,
        hangup=_hangup(raw.get("hangup"), where),
        after_ms=_whole(raw.get("after_ms", 0), where),
        fail=_fail(raw.get("fail"), where),
        repeat=_flag(raw.get("repeat", False), where),
    )
    if not (entry.say.strip() or entry.tool or entry.hangup or entry.fail):
        raise ConfigError(f"{where}: needs say, tool, hangup or fail")
    if entry.fail and (entry.say or entry.tool or entry.hangup):
        raise ConfigError(f"{where}: an entry that fails gives nothing else")
    return entry


def _pattern(raw: object, where: str) -> re.Pattern[str] | None:
    if raw is None:
        return None
    try:
        return re.compile(str(raw), re.IGNORECASE)
    except re.error as error:
        raise ConfigError(f"{where}: when: {error}") from None


def _text(raw: Mapping[object, object], key: str, where: str) -> str:
    value = raw.get(key, "")
    if not isinstance(value, str):
        raise ConfigError(f"{where}: {key} must be text, not {value!r}")
    return value


def _tool(raw: object, where: str) -> tuple[str, Mapping[str, object]]:
    if raw is None:
        return "", {}
    if isinstance(raw, str) and raw:
        return raw, {}
    if not isinstance(raw, dict) or any(key not in _TOOL_KEYS for key in raw):
        raise ConfigError(f"{where}: tool must be a name, or an object of name and arguments")
    name, arguments = raw.get("name"), raw.get("arguments") or {}
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        raise ConfigError(f"{where}: tool needs a name, and an object as arguments")
    try:
        json.dumps(arguments)
    except (TypeError, ValueError):
        raise ConfigError(f"{where}: the arguments of tool {name} are not JSON") from None
    return name, arguments


def _hangup(raw: object, where: str) -> str:
    match raw:
        case None | False:
            return ""
        case True:
            return "completed"
        case str() if raw:
            return raw
    raise ConfigError(f"{where}: hangup must be true or a reason, not {raw!r}")


def _whole(raw: object, where: str) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool) or raw < 0:
        raise ConfigError(f"{where}: after_ms must be whole milliseconds, not {raw!r}")
    return raw


def _fail(raw: object, where: str) -> ErrorClass | None:
    if raw is None:
        return None
    if raw not in list(ErrorClass):
        raise ConfigError(f"{where}: fail: {raw!r} is none of {', '.join(ErrorClass)}")
    return ErrorClass(str(raw))


def _flag(raw: object, where: str) -> bool:
    if not isinstance(raw, bool):
        raise ConfigError(f"{where}: repeat must be true or false, not {raw!r}")
    return raw
