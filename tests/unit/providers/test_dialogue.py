from mediacore.dialogue import Exchange, load_dialogue
from mediacore.providers.dialogue import DialogueLlm, exchanges
from mediacore.slots.llm import LlmHangup, LlmRequest, LlmText, Message
from virtual import now_us, run_virtual


def answer(*messages, delay_ms=0):
    async def main():
        llm = DialogueLlm(load_dialogue(), piece_delay_ms=delay_ms)
        events = [event async for event in llm.run(LlmRequest(tuple(messages)))]
        await llm.aclose()
        return events, now_us()

    return run_virtual(main())


def text(events):
    return "".join(e.text for e in events if isinstance(e, LlmText))


def test_greeting_when_nobody_has_spoken():
    assert text(answer(Message("system", "Be kind."))[0]).startswith("Hello, this is")


def test_pieces():
    events, ended_us = answer(Message("user", "Where is my order?"), delay_ms=10)
    assert text(events) == "Sure, I can check that. What is your order number?"
    assert next(e.text for e in events) == "Sure, I can "
    assert ended_us == len(events) * 10_000


def test_hangup_comes_last():
    events, _ = answer(Message("assistant", "Hello"), Message("user", "bye"))
    assert events[-1] == LlmHangup("completed")


def test_exchanges():
    messages = [
        Message("system", "x"),
        Message("assistant", "Hello."),
        Message("user", "four seven one"),
        Message("assistant", "  "),
        Message("user", "nine two five"),
        Message("assistant", "I have"),
        Message("tool", "x"),
        Message("assistant", "4, 7"),
        Message("user", "yes"),
    ]
    assert list(exchanges(messages)) == [
        Exchange("Hello.", "four seven one nine two five"),
        Exchange("I have 4, 7", "yes"),
    ]
    assert list(exchanges(messages[:2])) == []
