"""Whole conversations: the model's stream, tools, failures."""

from dataclasses import replace

from mediacore.call import (
    CallSettings,
    CallTool,
    CancelReply,
    ConversationOver,
    Phase,
    ReplyText,
    Role,
    StartReply,
    ToolFinished,
    TurnSettings,
)
from mediacore.call.context import INTERRUPTED_RESULT
from support.call_sim import Delay, Fail, Hang, Sim, Tool

PLAIN = CallSettings(turn=TurnSettings(speculative=False))
LINES = PLAIN.lines


def asked(settings: CallSettings = PLAIN, **fields) -> Sim:
    return Sim(settings, **fields).caller_says("Where is my order?", 1000, 1000)


def test_phrases_are_spoken_as_they_come():
    sim = asked(replies=[["Sure, let me see that.", Delay(1000), " It is on its way now."]])
    sim.run(8000)
    assert sim.spoken() == ["Sure, let me see that.", "It is on its way now."]
    assert sim.heard()[1] == ("agent", "Sure, let me see that. It is on its way now.")
    assert sim.state.phase is Phase.LISTENING


def test_a_tool_runs_while_the_lead_in_is_spoken_and_its_result_continues_the_turn():
    sim = asked(
        replies=[["Let me look", Tool("t1")], ["It arrives on Friday."]],
        tools={"t1": (500, "friday")},
    ).run(8000)
    assert [a.id for a in sim.of(CallTool)] == ["t1"]
    assert sim.contexts[1] == (
        ("user", "Where is my order?"),
        ("assistant", "Let me look"),
        ("tool", "friday"),
    )
    assert [a.generation for a in sim.of(StartReply)] == [1, 1]
    assert sim.context() == [
        (Role.USER, "Where is my order?"),
        (Role.ASSISTANT, "Let me look"),
        (Role.TOOL, "friday"),
        (Role.ASSISTANT, "It arrives on Friday."),
    ]


def test_two_tools_are_waited_for_together():
    sim = asked(
        replies=[[Tool("a"), Tool("b")], ["Both done."]],
        tools={"a": (900, "one"), "b": (200, "two")},
    ).run(8000)
    assert len(sim.contexts) == 2
    assert sim.contexts[1][1:] == (("assistant", ""), ("tool", "one"), ("tool", "two"))


def test_a_tool_result_after_an_interruption_is_kept_for_the_model_but_not_spoken():
    sim = asked(
        replies=[["Let me look that up for you right now.", Tool("t1")], ["Okay then."], ["Yes."]],
        tools={"t1": (4000, "booked")},
    )
    sim.caller_says("No, wait a moment please.", 3800, 1500).run(6000)
    assert (Role.TOOL, INTERRUPTED_RESULT) in sim.context()
    sim.run(9000)
    assert (Role.TOOL, "booked") in sim.context()
    assert "tool_result_recorded" in sim.verdicts("stale")
    assert "booked" not in " ".join(sim.spoken())


def test_a_result_nobody_asked_for_is_refused():
    sim = asked(replies=[["Hello there, all is well."]]).run(3000)
    sim.send(ToolFinished(1, "nope", "x"))
    assert "unknown_tool_call" in sim.verdicts("stale")
    sim.send(ToolFinished(77, "nope", "x"))
    assert sim.state.counts.stale == 2


def test_tool_rounds_are_limited():
    settings = replace(PLAIN, max_tool_rounds=2)
    sim = asked(settings, replies=[[Tool(str(i))] for i in range(9)]).run(9000)
    assert len(sim.contexts) == 3
    assert LINES.recoveries[0] in sim.spoken()


def test_text_for_a_cancelled_generation_is_never_spoken():
    sim = asked(replies=[["Wrong. " * 60], ["Right then."]], ignores_cancel=True)
    sim.caller_says("No, I mean the other one.", 2650, 1500).run(9000)
    assert sim.of(CancelReply)
    cut_at = sim.times(CancelReply)[0]
    later = [a.text for ms, a in sim.actions if ms > cut_at and type(a).__name__ == "Speak"]
    assert later == ["Right then."]
    assert sim.state.counts.stale > 0
    sim.send(ReplyText(1, "again. "))
    assert sim.spoken()[-1] == "Right then."


def test_a_failed_reply_is_told_and_the_second_in_a_row_ends_the_call():
    sim = asked(replies=[[Fail()], [Fail()]]).run(9000)
    assert sim.spoken() == [LINES.recoveries[0]]
    assert sim.state.phase is Phase.LISTENING
    sim.caller_says("Hello again there.", 10000, 1000).run(25000)
    assert sim.spoken()[-1] == LINES.failure_goodbye
    assert [a.reason for a in sim.of(ConversationOver)] == ["failure"]


def test_a_good_reply_forgives_a_failure():
    sim = asked(replies=[[Fail()], ["All is well now."], [Fail()]])
    sim.caller_says("Hello again there.", 9000, 1000).caller_says("And now?", 14000, 800)
    sim.run(24000)
    assert sim.of(ConversationOver) == []
    assert sim.spoken().count(LINES.recoveries[0]) == 1
    assert sim.spoken().count(LINES.recoveries[1]) == 1


def test_a_stream_that_breaks_keeps_what_was_said():
    sim = asked(replies=[["It was shipped on Monday. And then", Fail()]]).run(9000)
    assert sim.spoken() == ["It was shipped on Monday.", LINES.recoveries[0]]


def test_an_empty_reply_is_a_failure():
    sim = asked(replies=[[]]).run(4000)
    assert sim.spoken() == [LINES.recoveries[0]]
    assert sim.verdicts("reply") == ["empty"]


def test_a_failed_speculation_is_told_when_the_turn_is_decided():
    sim = asked(CallSettings(), llm_ms=10, replies=[[Fail()]]).run(2380)
    assert sim.spoken() == []
    sim.run(4000)
    assert sim.spoken() == [LINES.recoveries[0]]


def test_hanging_up_waits_for_the_last_word():
    sim = asked(replies=[["Thank you for calling us. Goodbye!", Hang("done")]]).run(9000)
    assert sim.state.phase is Phase.ENDED
    assert [a.reason for a in sim.of(ConversationOver)] == ["done"]
    assert sim.heard()[1] == ("agent", "Thank you for calling us. Goodbye!")
    finish = 2400 + 160 + 80 + 10 + len("Thank you for calling us.Goodbye!") * 60
    assert sim.times(ConversationOver)[0] >= finish


def test_hanging_up_without_a_word():
    sim = asked(replies=[[Hang("silent")]]).run(4000)
    assert [a.reason for a in sim.of(ConversationOver)] == ["silent"]
    assert sim.spoken() == []


def test_a_failure_while_closing_ends_the_call():
    sim = asked(replies=[["Goodbye now to you.", Hang("done"), Fail()]]).run(9000)
    assert [a.reason for a in sim.of(ConversationOver)] == ["done"]
    assert LINES.recoveries[0] not in sim.spoken()


def test_a_tool_after_the_hangup_starts_no_new_round():
    sim = asked(replies=[["Goodbye now to you.", Hang("done"), Tool("t")]]).run(9000)
    assert len(sim.contexts) == 1
    assert [a.reason for a in sim.of(ConversationOver)] == ["done"]
