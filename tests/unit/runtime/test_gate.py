"""The end of a call: what is missing, what is read back, one closing."""

from mediacore.call.context import Role
from mediacore.call.inputs import TranscriptFinal
from mediacore.runtime import actions as a
from mediacore.runtime.gate import required
from mediacore.runtime.inputs import Heard
from support.run_sim import HANGUP, RunSim, Tool, agent, tool

ACCOUNT = {"key": "account", "label": "Your account number", "digits": True}
CLOSING = "Thank you, goodbye."
READ_BACK = "Let me read that back. Your account number: one two three four. Is that right?"


def call(replies, *, fields=(ACCOUNT,), closing=CLOSING, tools=None, **data) -> RunSim:
    params = {"mediacore_required": list(fields)}
    if closing:
        params["mediacore_closing"] = closing
    document = agent(tool("save"), tool("leave"), params=params, global_data=data)
    return RunSim(document, replies=replies, tools=tools).run(2000)


def last(sim: RunSim) -> str:
    """What the agent said last, heard to its end."""
    return [text for who, text in sim.transcript() if who == "agent"][-1]


def test_without_required_fields_the_call_ends_as_asked():
    sim = RunSim(agent(), replies=[["Goodbye.", HANGUP]]).run(2000)
    sim.says("That is all.").run(4000)
    assert sim.state.over
    assert sim.spoken == ["Hello.", "Goodbye."]
    assert sim.logs("end_gate") == []


def test_a_missing_field_keeps_the_call_open_and_the_model_is_told():
    sim = call([["Goodbye then.", HANGUP], ["Which city are you in?"]], fields=["city"])
    sim.says("That is all.").run(4000)
    assert not sim.state.ending
    assert "city" in sim.asked[-1].context[-1].text
    assert sim.asked[-1].context[-1].role is Role.SYSTEM
    assert sim.spoken[-1] == "Which city are you in?"
    assert sim.logs("end_gate") == ["closed"]


def test_a_goodbye_that_was_said_too_early_is_stopped():
    sim = call(
        [["Goodbye and thank you for calling us today.", HANGUP], ["Which city?"]], fields=["city"]
    )
    sim.says("That is all.").run(6000)
    agent_turns = [text for who, text in sim.transcript() if who == "agent"]
    assert not any("calling us today" in text for text in agent_turns)
    assert agent_turns[-1] == "Which city?"


def test_digits_are_read_back_one_by_one_and_a_yes_ends_the_call_with_one_closing():
    sim = call([["Bye.", HANGUP], ["Never asked for."]], account="1234")
    sim.says("That is all.").run(4000)
    assert sim.spoken[-1] == READ_BACK
    assert sim.ai.asked == "account"
    asked = len(sim.asked)
    sim.says("Yes.").run(4000)
    assert sim.state.over and sim.state.end_reason == "hangup"
    assert len(sim.asked) == asked  # the gate answered, not the model
    assert sim.spoken[-1] == CLOSING and sim.spoken.count(CLOSING) == 1
    assert sim.transcript(sim.payload)[-3:] == [
        ("agent", READ_BACK),
        ("caller", "Yes."),
        ("agent", CLOSING),
    ]
    assert dict(sim.payload.confirmed) == {"account": "1234"}


def test_without_a_closing_of_its_own_the_model_says_it_and_can_do_nothing_else():
    sim = call([["Bye.", HANGUP], ["Good day to you."]], closing="", account="1234")
    sim.says("That is all.").run(3000)
    sim.says("Yes, right.").run(4000)
    assert sim.state.over
    assert sim.asked[-1].tools == ()
    assert "goodbye" in sim.asked[-1].context[-1].text.lower()
    assert sim.spoken[-1] == "Good day to you."


def test_a_no_clears_the_number_and_the_model_asks_again():
    replies = [["Bye.", HANGUP], ["What is it then?"], [Tool("save")], ["Noted.", HANGUP]]
    saves = {"save": {"response": "ok", "action": [{"set_global_data": {"account": "77"}}]}}
    sim = call(replies, tools=saves, account="1234")
    sim.says("That is all.").run(3000)
    sim.says("No.").run(3000)
    assert "account" not in sim.ai.session.global_data
    assert "Your account number" in sim.asked[-1].context[-1].text
    assert sim.spoken[-1] == "What is it then?"
    sim.says("Seventy seven.").run(4000)
    assert sim.spoken[-1].startswith("Let me read that back. Your account number: seven seven")
    sim.says("Yes.").run(4000)
    assert sim.state.over
    assert dict(sim.payload.confirmed) == {"account": "77"}


def test_a_correction_is_taken_and_read_back_again():
    sim = call([["Bye.", HANGUP]], account="1234")
    sim.says("That is all.").run(3000)
    sim.says("No, it is one two three five.").run(4000)
    assert sim.ai.session.global_data["account"] == "1235"
    assert "one two three five" in last(sim)
    sim.says("Yes.").run(4000)
    assert sim.state.over and dict(sim.payload.confirmed) == {"account": "1235"}


def test_an_unclear_answer_is_asked_again():
    sim = call([["Bye.", HANGUP]], account="1234")
    sim.says("That is all.").run(3000)
    sim.says("I think maybe.").run(4000)
    assert [text for _, text in sim.transcript()].count(READ_BACK) == 2
    sim.says("Yes.").run(4000)
    assert sim.state.over


def test_two_numbers_are_confirmed_one_after_the_other():
    zip_code = {"key": "zip", "label": "Your zip code", "digits": True}
    sim = call([["Bye.", HANGUP]], fields=[ACCOUNT, zip_code], account="1234", zip="55")
    sim.says("That is all.").run(3000)
    sim.says("Yes.").run(3000)
    assert "Your zip code: five five" in last(sim)
    assert not sim.state.ending
    sim.says("Correct.").run(4000)
    assert sim.state.over
    assert sim.spoken.count(CLOSING) == 1


def test_a_caller_who_cuts_the_closing_is_answered_and_can_end_again():
    sim = call([["Bye.", HANGUP], ["We open at nine."], ["Goodbye now.", HANGUP]], account="1234")
    sim.says("That is all.").run(3000)
    sim.speaks()
    sim.run(400)
    sim.speaks(False)
    sim.do(_final(sim, "Yes."))
    while sim.spoken[-1] != CLOSING:
        sim.run(20)
    sim.run(100)
    sim.says("Wait, when do you open?").run(3000)
    assert not sim.state.ending
    assert sim.spoken[-1] == "We open at nine."
    sim.says("Thanks.").run(4000)
    assert sim.state.over


def _final(sim: RunSim, text: str) -> Heard:
    return Heard("L1", TranscriptFinal(text, (sim.now - sim._opened["L1"]) // 125, 0.9))


def test_a_tool_that_hangs_up_passes_the_gate_too():
    replies = [[Tool("leave")], ["Which city?"], [Tool("save"), Tool("leave")]]
    tools = {
        "leave": {"response": "", "action": [{"hangup": True}]},
        "save": {"response": "ok", "action": [{"set_global_data": {"city": "Berlin"}}]},
    }
    sim = call(replies, fields=["city"], tools=tools)
    sim.says("That is all.").run(4000)
    assert not sim.state.ending and sim.spoken[-1] == "Which city?"
    sim.says("Berlin.").run(5000)
    assert sim.state.over
    assert sim.spoken[-1] == CLOSING and sim.spoken.count(CLOSING) == 1


def test_a_model_that_insists_ends_the_call_in_the_end_with_what_is_missing_recorded():
    sim = call([["Bye.", HANGUP]], fields=["city"])
    for _ in range(10):
        if sim.state.ending:
            break
        sim.says("That is all.").run(4000)
    assert sim.state.over
    assert sim.logs("end_gate")[-1] == "given_up"


def test_required_fields_of_the_step_its_context_and_the_run_count_together():
    contexts = {
        "default": {
            "mediacore_required": ["two"],
            "steps": [{"name": "one", "text": "Ask.", "mediacore_required": ["three"]}],
        }
    }
    document = agent(params={"mediacore_required": ["one"]})
    document["prompt"] = {"text": "x", "contexts": contexts}
    sim = RunSim(document)
    assert [f.key for f in required(sim.ai)] == ["one", "two", "three"]


def test_no_reply_is_asked_for_beforehand_while_a_number_is_confirmed():
    sim = call([["Bye.", HANGUP], ["What?"]], account="1234")
    sim.says("That is all.").run(3000)
    assert not sim.ai.talk.settings.turn.speculative
    sim.says("No.").run(3000)
    assert sim.ai.talk.settings.turn.speculative
    assert sim.of(a.EndRun) == []


def test_a_caller_who_never_confirms_is_left_to_the_model():
    sim = call([["Bye.", HANGUP], ["Let us leave it at that."]], account="1234")
    sim.says("That is all.").run(3000)
    for _ in range(12):
        if sim.spoken[-1] == "Let us leave it at that.":
            break
        sim.says("I think maybe.").run(4000)
    assert sim.logs("end_gate")[-1] == "not_confirmed"
    assert not sim.state.ending and sim.ai.asked == ""


def test_a_tool_that_hangs_up_has_the_number_read_back_without_cutting_its_words():
    hangs = {"leave": {"response": "", "action": [{"hangup": True}]}}
    sim = call([["Let me see.", Tool("leave")]], tools=hangs, account="1234")
    sim.says("That is all.").run(5000)
    texts = [text for who, text in sim.transcript() if who == "agent"]
    assert texts[1:] == [f"Let me see. {READ_BACK}"]
