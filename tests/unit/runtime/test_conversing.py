"""Decisions of the conversation: what is asked of the model, and what of it is too late."""

from mediacore.call.actions import CallTool, ConversationOver, HoldOver, StartReply
from mediacore.runtime import conversing
from mediacore.runtime.draft import Draft
from support.run_sim import RunSim, Tool, agent, tool


def test_the_model_gets_prompt_tools_and_knobs_of_the_document():
    document = agent(tool("t", parameters={"n": {"type": "integer"}}))
    document["prompt"] |= {"temperature": 0.2, "top_p": 0.5, "max_tokens": 99}
    sim = RunSim(document).run(2000)
    sim.says("Hi.")
    request = sim.asked[-1]
    assert (request.temperature, request.top_p, request.max_tokens) == (0.2, 0.5, 99)
    assert request.system.startswith("Be brief.")
    assert [(t.name, t.description) for t in request.tools] == [("t", "Does t.")]


def test_max_response_tokens_wins():
    sim = RunSim(agent(params={"max_response_tokens": 33})).run(2000)
    sim.says("Hi.")
    assert sim.asked[-1].max_tokens == 33


def test_a_silent_caller_is_asked_without_tools_unless_the_document_allows_them():
    for allowed in (False, True):
        params = {
            "attention_timeout": 10_000,
            "attention_timeout_prompt": "Ask whether they are there.",
            "functions_on_no_response": allowed,
        }
        sim = RunSim(agent(tool("t"), params=params), replies=[["Still there?"]]).run(12_000)
        assert sim.spoken[-1] == "Still there?"
        assert bool(sim.asked[-1].tools) is allowed


def test_a_switch_of_a_tool_changes_what_is_offered_next():
    off = {"response": "ok", "action": [{"toggle_functions": [{"function": "t", "active": False}]}]}
    sim = RunSim(
        agent(tool("t"), tool("u")), replies=[[Tool("t")], ["Done."]], tools={"t": off}
    ).run(2000)
    sim.says("Go.").run(2000)
    assert [t.name for t in sim.asked[0].tools] == ["t", "u"]
    assert [t.name for t in sim.asked[-1].tools] == ["u"]


def test_a_decision_of_a_run_that_is_over_is_refused():
    sim = RunSim(agent()).run(1000)
    d = Draft(sim.state, sim.now)
    conversing.carry_out(d, 99, CallTool(1, "c", "t", "{}"))
    conversing.carry_out(d, 99, ConversationOver("late"))
    assert d.state.refused == {"stale_decision": 1}


def test_a_reply_that_nobody_waits_for_is_never_asked_for():
    sim = RunSim(agent()).run(2000)
    d = Draft(sim.state, sim.now)
    conversing.carry_out(d, sim.ai.id, StartReply(77, ()))
    assert d.state.refused == {"stale_reply": 1}
    assert sim.asked == []


def test_a_hold_of_the_conversation_that_runs_out_is_told():
    sim = RunSim(agent()).run(1000)
    d = Draft(sim.state, sim.now)
    conversing.carry_out(d, sim.ai.id, HoldOver())
    assert not d.run.held


def test_the_end_says_who_ended_it():
    sim = RunSim(agent()).run(2000)
    sim.ok("end")
    sim.run(1000)
    assert sim.payload.end_reason and not sim.payload.hangup
