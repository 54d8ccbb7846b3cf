from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mediacore.errors import ConfigError, ErrorClass, MissingDependencyError, ProviderError
from mediacore.providers.local import llamacpp_model, weights
from mediacore.providers.local.llamacpp_model import FILE_NAME, Gemma, ReplyText, assembled

STOPS = ("Caller:", "Agent:")


def spoken(pieces: list[str]) -> tuple[list[str], bool]:
    """What of the pieces is given out, and whether the reply ended before they did."""
    reply, given = ReplyText(STOPS), []
    for piece in pieces:
        given.append(reply.feed(piece))
        if reply.ended:
            return given, True
    given.append(reply.flush())
    return given, False


@pytest.mark.parametrize(
    ("pieces", "text", "ended"),
    [
        ([" Good", " morning", "."], "Good morning.", False),
        ([" One. Two. Three."], "One. Two.", True),
        ([" One.", " Two.", " Three."], "One. Two.", True),
        ([' "Yes!"', " Really?!", " Oh."], '"Yes!" Really?!', True),
        ([" It costs 3.", "50 or 4.20 today"], "It costs 3.50 or 4.20 today", False),
        ([" Yes.\nCaller: Why?"], "Yes.", True),
        ([" Yes. Cal", "ler: Why?"], "Yes. ", True),
        ([" Yes. Cal", "l me."], "Yes. Call me.", False),
        ([" Yes A", "gent", ": no"], "Yes ", True),
        ([" ", "  ", "Well"], "Well", False),
        ([""], "", False),
    ],
)
def test_a_reply_ends_with_its_line_or_second_sentence(
    pieces: list[str], text: str, ended: bool
) -> None:
    given, stopped = spoken(pieces)
    assert ("".join(given), stopped) == (text, ended)


def test_text_is_given_out_as_it_comes() -> None:
    given, _ = spoken([" Good", " morning ", "to C", "arl"])
    assert given == ["Good", " morning", " to ", "Carl", ""]


def test_flush_after_the_end_gives_nothing() -> None:
    reply = ReplyText(STOPS)
    assert reply.feed(" Yes.\nCaller: and more") == "Yes."
    assert reply.flush() == ""


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "parts" / str(n) for n in range(3)]
    paths[0].parent.mkdir()
    for n, path in enumerate(paths):
        path.write_bytes(bytes([n]) * 1000)
    return paths


DIGEST = hashlib.sha256(b"\0" * 1000 + b"\1" * 1000 + b"\2" * 1000).hexdigest()


def test_parts_become_one_file_once(tmp_path: Path, parts: list[Path]) -> None:
    cache = tmp_path / "deep" / "cache"
    path = assembled(cache, parts, DIGEST)
    assert path == cache / FILE_NAME
    assert hashlib.sha256(path.read_bytes()).hexdigest() == DIGEST
    made = path.stat().st_ino
    assert assembled(cache, [tmp_path / "gone"], DIGEST).stat().st_ino == made
    assert sorted(p.name for p in cache.iterdir()) == [FILE_NAME, f"{FILE_NAME}.lock"]


def test_a_spoilt_or_half_made_file_is_made_again(tmp_path: Path, parts: list[Path]) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"spoilt")
    (tmp_path / f"{FILE_NAME}.partial").write_bytes(b"\0" * 5000)
    path = assembled(tmp_path, parts, DIGEST)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == DIGEST


def test_wrong_parts_leave_no_file(tmp_path: Path, parts: list[Path]) -> None:
    parts[1].write_bytes(b"other")
    with pytest.raises(ConfigError, match="sha256"):
        assembled(tmp_path, parts, DIGEST)
    assert not (tmp_path / FILE_NAME).exists()
    assert not (tmp_path / f"{FILE_NAME}.partial").exists()


def test_missing_parts_name_the_extra(tmp_path: Path, parts: list[Path]) -> None:
    parts[2].unlink()
    with pytest.raises(MissingDependencyError, match="llm-tiny"):
        assembled(tmp_path, parts, DIGEST)
    assert not (tmp_path / FILE_NAME).exists()


def test_a_cache_that_cannot_be_written_is_a_setting_to_change(
    tmp_path: Path, parts: list[Path]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot make"):
        assembled(tmp_path / "file", parts, DIGEST)


def test_an_own_model_is_checked_where_a_digest_is_given(tmp_path: Path) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(b"own")
    assert llamacpp_model.model_path({"path": str(path)}) == path
    with pytest.raises(ConfigError, match="sha256"):
        llamacpp_model.model_path({"path": str(path), "sha256": "0" * 64})
    with pytest.raises(MissingDependencyError, match="llm-tiny"):
        llamacpp_model.model_path({"path": str(tmp_path / "gone")})


class Server:
    """In place of llama.cpp's: one word a token, until the script ends."""

    def __init__(self, script: str, error: str = "") -> None:
        self.words = script.split(" ")
        self.error = error
        self.requests: list[Mapping[str, Any]] = []

    def handle_completions(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self.requests.append(request)
        if self.error:
            return {"error": {"type": self.error, "message": "what the caller said"}}
        done = sum(r["max_tokens"] for r in self.requests[:-1])
        words = self.words[done : done + request["max_tokens"]]
        ended = done + request["max_tokens"] > len(self.words)
        return {
            "choices": [
                {
                    "text": "".join(f" {word}" for word in words),
                    "finish_reason": "stop" if ended else "length",
                }
            ],
            "usage": {
                "prompt_tokens": len(request["prompt"].split()),
                "completion_tokens": len(words),
            },
        }


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A library without a model; `server` is what it makes."""
    made = SimpleNamespace(server=Server("Yes"), params=None)

    def params() -> SimpleNamespace:
        made.params = SimpleNamespace(
            model=SimpleNamespace(),
            cpuparams=SimpleNamespace(),
            cpuparams_batch=SimpleNamespace(),
        )
        return made.params

    def server(_: object) -> Server:
        if made.server is None:
            raise RuntimeError("Failed to init server")
        return made.server

    fake = SimpleNamespace(CommonParams=params, Server=server)
    monkeypatch.setattr(weights, "need", lambda module, fix: fake)
    return made


def run(gemma: Gemma, limit: int = 64) -> tuple[str, list[Any]]:
    """Text and usage of one reply."""
    head = {"max_tokens": limit, "temperature": 0.3, "stops": STOPS}
    texts, usage = "", []
    for step in gemma.handle(head, b"Caller: Hi.\nAgent:"):
        if step is not None:
            texts += step[0].get("text", "")
            usage += step[0].get("usage", ())
    return texts, usage


def test_a_reply_is_made_in_short_steps_on_one_cached_prompt(library: SimpleNamespace) -> None:
    library.server = server = Server("We are open from nine to five on Monday.")
    text, usage = run(Gemma(Path("m")))
    assert text == "We are open from nine to five on Monday."
    assert usage == [3, 9]
    assert [r["prompt"] for r in server.requests] == [
        "Caller: Hi.\nAgent:",
        "Caller: Hi.\nAgent: We are open from",
        "Caller: Hi.\nAgent: We are open from nine to five on",
    ]
    assert len({r["seed"] for r in server.requests}) == 3


def test_the_library_is_given_one_thread_a_whole_window_and_a_key(library: SimpleNamespace) -> None:
    Gemma(Path("m"))
    params = library.params
    assert params.cpuparams.n_threads == params.cpuparams_batch.n_threads == 1
    assert params.swa_full
    assert params.offline
    assert len(params.api_keys[0]) == 32


@pytest.mark.parametrize("limit", [1, 3, 4, 6, 9])
def test_the_limit_of_tokens_is_hard(library: SimpleNamespace, limit: int) -> None:
    library.server = server = Server("word " * 100)
    text, usage = run(Gemma(Path("m")), limit)
    assert len(text.split()) == usage[1] == limit
    assert sum(r["max_tokens"] for r in server.requests) == limit


def test_a_model_that_writes_nothing_comes_to_an_end(library: SimpleNamespace) -> None:
    class Silent(Server):
        def handle_completions(self, request: Mapping[str, Any]) -> dict[str, Any]:
            usage = {"prompt_tokens": 1, "completion_tokens": 0}
            return {"choices": [{"text": "", "finish_reason": "length"}], "usage": usage}

    library.server = Silent("")
    assert run(Gemma(Path("m")), 8) == ("", [1, 8])


@pytest.mark.parametrize(
    ("kind", "error_class"),
    [
        ("exceed_context_size_error", ErrorClass.BAD_INPUT),
        ("invalid_request_error", ErrorClass.BAD_INPUT),
        ("unavailable_error", ErrorClass.UNAVAILABLE),
        ("server_error", ErrorClass.INTERNAL),
    ],
)
def test_errors_of_the_library_are_classed_and_say_nothing_of_the_prompt(
    library: SimpleNamespace, kind: str, error_class: ErrorClass
) -> None:
    library.server = Server("", error=kind)
    with pytest.raises(ProviderError) as caught:
        run(Gemma(Path("m")))
    assert caught.value.error_class is error_class
    assert "caller" not in str(caught.value)


def test_a_file_that_is_no_model_is_a_setting_to_change(library: SimpleNamespace) -> None:
    library.server = None
    with pytest.raises(ConfigError, match="cannot be loaded"):
        Gemma(Path("m"))
