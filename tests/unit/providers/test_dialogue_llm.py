import asyncio

from mediacore.providers.dialogue_llm import DialogueLlm
from mediacore.slots.llm import LlmHangup, LlmRequest, LlmText, Message
from mediacore.stages import load_dialogue


def ask(*said):
    async def run():
        llm = DialogueLlm(load_dialogue())
        request = LlmRequest(tuple(Message("user", text) for text in said))
        return [event async for event in llm.run(request)]

    return asyncio.run(run())


def test_the_reply_is_streamed_in_small_pieces():
    events = ask("I want to check an order")
    assert len(events) > 3 and all(isinstance(e, LlmText) for e in events)
    assert "".join(e.text for e in events).startswith("Of course. What is")


def test_the_end_of_the_dialogue_hangs_up():
    assert ask("goodbye")[-1] == LlmHangup("completed")
