import json
from pathlib import Path

import pytest

from mediacore.errors import ConfigError, ErrorClass, ProviderError
from mediacore.providers.scripted_llm import SCRIPT_ENDED, Entry, ScriptLlm
from mediacore.slots.llm import LlmEvent, LlmHangup, LlmRequest, LlmText, Message, ToolCall
from virtual import now_us, run_virtual

SYSTEM = Message("system", "You take orders. Mention the word refund.")
SCRIPT = """\
- say: Hello, which order?
  when: ^hello
- when: order
  tool: {name: lookup, arguments: {order: "471"}}
- when: on its way
  say: It is on its way to Berlin.
- when: summar
  say: '{"order": "471"}'
- when: again
  say: Which one?
  repeat: true
- when: bye
  say: Goodbye then.
  hangup: true
- Pardon?
"""


@pytest.fixture
def llm(tmp_path: Path) -> ScriptLlm:
    path = tmp_path / "shop.yaml"
    path.write_text(SCRIPT)
    return ScriptLlm.from_file(path)


def ask(llm: ScriptLlm, *messages: Message) -> list[LlmEvent]:
    async def main() -> list[LlmEvent]:
        return [event async for event in llm.run(LlmRequest((SYSTEM, *messages)))]

    return run_virtual(main())


def said(events: list[LlmEvent]) -> str:
    return "".join(e.text for e in events if isinstance(e, LlmText))


def user(text: str) -> Message:
    return Message("user", text)


def agent(text: str, *tools: str) -> Message:
    calls = tuple(ToolCall(f"c{n}", name, "{}") for n, name in enumerate(tools))
    return Message("assistant", text, calls)


def result(text: str) -> Message:
    return Message("tool", text, tool_call_id="c0")


LOOKED_UP = (user("my order"), agent("", "lookup"))


def test_name_and_closing(llm):
    assert llm.info.name == "scripted:shop" and llm.info.tools
    run_virtual(llm.aclose())


def test_text_comes_in_words(llm):
    events = ask(llm, user("Hello there"))
    assert said(events) == "Hello, which order?" and len(events) == 3


def test_a_tool_call_and_its_result(llm):
    (call,) = ask(llm, user("hello"), agent("Hello, which order?"), user("the order 471"))
    assert isinstance(call, ToolCall) and call.name == "lookup"
    assert json.loads(call.arguments) == {"order": "471"}
    assert said(ask(llm, *LOOKED_UP, result("It is on its way."))) == "It is on its way to Berlin."


def test_an_entry_is_given_once_in_a_conversation_and_anew_in_the_next(llm):
    assert isinstance(ask(llm, user("my order"))[0], ToolCall)
    assert said(ask(llm, *LOOKED_UP, result("?"), agent("x"), user("order"))) == "Pardon?"
    assert isinstance(ask(llm, user("my order"))[0], ToolCall)


def test_a_repeated_entry_is_given_again(llm):
    for turns in range(3):
        before = [m for _ in range(turns) for m in (user("again"), agent("Which one?"))]
        assert said(ask(llm, *before, user("again"))) == "Which one?"


def test_an_answer_that_was_cut_counts_as_given(llm):
    cut = agent("Hello, which")
    missed = agent("Hello, order?")  # a middle that the caller did not hear
    for heard in (cut, missed):
        assert said(ask(llm, user("hello"), heard, user("hello"))) == "Pardon?"


def test_an_answer_that_was_not_heard_is_given_again(llm):
    assert said(ask(llm, user("hello"), user("hello?"))) == "Hello, which order?"
    assert said(ask(llm, user("hello"), agent(""), user("hello?"))) == "Hello, which order?"


def test_only_what_is_new_since_the_last_answer_counts(llm):
    before = (user("hello, my order"), agent("Hello, which order?"))
    assert said(ask(llm, *before, user("hm"))) == "Pardon?"


def test_lines_that_are_not_from_the_script_use_nothing_up(llm):
    sorry = agent("Sorry, one moment.")
    assert said(ask(llm, agent("Welcome to the shop."), user("hello"))) == "Hello, which order?"
    assert said(ask(llm, user("hello"), sorry)) == "Hello, which order?"


def test_instructions_in_the_conversation_are_texts_too(llm):
    events = ask(llm, *LOOKED_UP, result("x"), agent("Pardon?"), Message("system", "Summarise it."))
    assert said(events) == '{"order": "471"}'
    assert said(ask(llm)) == "Pardon?"  # the system prompt itself is none


def test_hanging_up(llm):
    events = ask(llm, user("bye"))
    assert said(events) == "Goodbye then." and events[-1] == LlmHangup("completed")
    (end,) = ask(llm, user("bye"), agent("Goodbye then."), user("hm"), agent("Pardon?"), user("hm"))
    assert end == LlmHangup(SCRIPT_ENDED)


def test_a_delay():
    llm = ScriptLlm([Entry(say="late", after_ms=700)])

    async def main() -> list[int]:
        return [now_us() async for _ in llm.run(LlmRequest((user("x"),)))]

    assert run_virtual(main()) == [700_000]


def test_a_failure_happens_once_or_always():
    llm = ScriptLlm([Entry(fail=ErrorClass.UNAVAILABLE), Entry(say="Here.")])
    with pytest.raises(ProviderError) as caught:
        ask(llm, user("x"))
    assert caught.value.error_class is ErrorClass.UNAVAILABLE
    assert said(ask(llm, user("x"))) == "Here."
    always = ScriptLlm([Entry(fail=ErrorClass.TIMEOUT, repeat=True)])
    for _ in range(2):
        with pytest.raises(ProviderError):
            ask(always, user("x"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "expected a list"),
        ("say: x", "expected a list"),
        ("- 5", "entry 1: expected a text or an object"),
        ("- say: x\n- sya: y", "entry 2: unknown sya"),
        ("- when: x", "entry 1: needs say, tool, hangup or fail"),
        ("- say: [x]", "entry 1: say must be text"),
        ("- say: x\n  when: '('", "entry 1: when:"),
        ("- tool: {arguments: {}}", "tool needs a name"),
        ("- tool: {name: a, args: {}}", "tool must be a name"),
        ("- tool: [a]", "tool must be a name"),
        ("- tool: {name: a, arguments: [1]}", "an object as arguments"),
        ("- tool: {name: a, arguments: {d: 2020-01-01}}", "not JSON"),
        ("- say: x\n  hangup: 3", "hangup must be true or a reason"),
        ("- say: x\n  after_ms: -1", "after_ms must be whole"),
        ("- say: x\n  after_ms: true", "after_ms must be whole"),
        ("- fail: sometimes", "is none of timeout"),
        ("- fail: timeout\n  say: x", "gives nothing else"),
        ("- say: x\n  repeat: often", "repeat must be true or false"),
        ("- say: [", "script"),
    ],
)
def test_broken_scripts_name_the_entry(tmp_path, text, message):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"script .*s\.yaml") as caught:
        ScriptLlm.from_file(path)
    assert message in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        ScriptLlm.from_file(tmp_path / "none.yaml")
    (tmp_path / "big").write_bytes(b"# " + b"x" * 1_000_001)
    with pytest.raises(ConfigError, match="larger than"):
        ScriptLlm.from_file(tmp_path / "big")
    with pytest.raises(ConfigError, match="at least one"):
        ScriptLlm([])


def test_a_tool_by_its_name_alone(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("- tool: next_step\n- say: x\n  hangup: sold\n")
    (call,) = ask(ScriptLlm.from_file(path), user("x"))
    assert isinstance(call, ToolCall) and (call.name, call.arguments) == ("next_step", "{}")


def test_the_script_in_the_documentation(tmp_path):
    text = (Path(__file__).parents[3] / "docs" / "scripted-model.md").read_text()
    path = tmp_path / "s.yaml"
    path.write_text(text.partition("```yaml\n")[2].partition("```")[0])
    llm = ScriptLlm.from_file(path)
    assert said(ask(llm)) == "Hello. Which order is it about?"
    assert ask(llm, user("No, thanks"))[-1] == LlmHangup("completed")
    assert said(ask(llm, user("What?"))) == "Pardon?"
