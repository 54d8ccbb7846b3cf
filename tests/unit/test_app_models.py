import asyncio

import pytest

from mediacore.app_models import make_llm
from mediacore.errors import ConfigError
from mediacore.slots.llm import Llm


def close(llm: Llm) -> None:
    asyncio.run(llm.aclose())


@pytest.mark.parametrize(
    ("spec", "env", "name"),
    [
        ("openai:gpt-4o-mini", {"OPENAI_API_KEY": "k"}, "openai:gpt-4o-mini"),
        ("openai:qwen3@http://127.0.0.1:8080/v1", {}, "openai:qwen3"),
        ("openai:org/m:7b@https://h.example/v1", {"OPENAI_API_KEY": "k"}, "openai:org/m:7b"),
    ],
)
def test_openai(spec, env, name):
    pytest.importorskip("openai")
    llm = make_llm(spec, env)
    assert llm.info.name == name
    close(llm)


def test_the_key_and_the_place_reach_the_client(monkeypatch):
    seen = {}
    monkeypatch.setattr("mediacore.app_models.OpenAiLlm", lambda model, **kw: seen.update(kw))
    make_llm("openai:m@http://127.0.0.1:8080/v1", {"OPENAI_API_KEY": "k"})
    assert seen == {"api_key": "k", "base_url": "http://127.0.0.1:8080/v1"}
    make_llm("openai:m@http://127.0.0.1:8080/v1", {})
    assert seen["api_key"] == "none"
    monkeypatch.setenv("OPENAI_API_KEY", "of the process")
    make_llm("openai:m")
    assert seen == {"api_key": "of the process", "base_url": None}


def test_the_others(tmp_path):
    script = tmp_path / "order.yaml"
    script.write_text("- Hello.\n")
    llm = make_llm(f"scripted:{script}")
    assert llm.info.name == "scripted:order"
    close(llm)
    tiny = make_llm("tiny")
    assert "gemma" in tiny.info.name
    close(tiny)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "expected openai:MODEL"),
        ("gpt-4o", "expected openai:MODEL"),
        ("openai:", "expected openai:MODEL"),
        ("tiny:x", "expected openai:MODEL"),
        ("scripted:", "expected openai:MODEL"),
        ("scripted:/no/such/file.yaml", "No such file"),
        ("openai:m@localhost:8080", "expected MODEL or MODEL@URL"),
        ("openai:m", "set OPENAI_API_KEY"),
    ],
)
def test_what_cannot_be_used_is_said(spec, message):
    with pytest.raises(ConfigError, match=message):
        make_llm(spec, {})
