"""The application behind the agent: hooks, includes, what it is told."""

from mediacore.runtime import actions as a
from mediacore.runtime.inputs import HookReplied
from support.run_sim import RunSim, Tool, agent, tool

INCLUDE = {"url": "http://more.example/swaig", "functions": ["extra"]}


def hooked(*names):
    return agent(*(tool(name) for name in names))


def test_includes_are_there_before_the_first_word():
    document = agent(SWAIG={"includes": [INCLUDE]})
    found = [{"function": "extra", "description": "More."}, {"function": "unasked"}]
    sim = RunSim(document, hooks={"include-0": found})
    assert sim.spoken == [] and sim.of(a.RunHook)[0].payload["action"] == "get_signature"
    sim.run(1000)
    assert sim.spoken == ["Hello."]
    assert [f.name for f in sim.ai.session.functions] == ["extra"]
    assert sim.ai.session.functions[0].web_hook_url == INCLUDE["url"]


def test_the_startup_hooks_data_and_actions_count_from_the_start():
    reply = {"action": [{"set_global_data": {"vip": True}}, {"say": "By the way, you are a VIP."}]}
    sim = RunSim(hooked("startup_hook"), hooks={"startup_hook": reply}).run(4000)
    assert sim.ai.session.global_data == {"vip": True}
    assert sim.spoken == ["Hello.", "By the way, you are a VIP."]


def test_an_application_that_does_not_answer_is_not_waited_for():
    sim = RunSim(hooked("startup_hook"), hooks={"startup_hook": None}).run(9000)
    assert sim.spoken == []
    sim.run(2000)
    assert sim.spoken == ["Hello."]


def test_what_a_late_or_unknown_hook_says_is_refused():
    sim = RunSim(agent()).run(1000)
    sim.do(HookReplied(sim.ai.id, "startup_hook", True, {}))
    sim.do(HookReplied(77, "hangup_hook", True, {}))
    assert sim.state.refused["stale_hook"] == 2


def test_the_hangup_hook_is_told_without_an_error_when_there_is_none():
    sim = RunSim(hooked("hangup_hook"))
    sim.run(2000)
    sim.ok("end")
    (hook,) = sim.of(a.RunHook)
    assert hook.id == "hangup_hook" and "fatal_error" not in hook.payload


def test_the_hangup_hooks_data_goes_into_the_payload():
    reply = {"action": [{"set_global_data": {"closed": 1}}]}
    sim = RunSim(hooked("hangup_hook"), hooks={"hangup_hook": reply}).run(2000)
    sim.ok("end")
    sim.run(3000)
    assert sim.payload.session.global_data == {"closed": 1}


def test_hooks_are_never_offered_to_the_model():
    sim = RunSim(hooked("startup_hook", "hangup_hook", "t")).run(2000)
    sim.says("Hi.")
    assert [t.name for t in sim.asked[-1].tools] == ["t"]


def test_tools_get_the_conversation_when_the_document_says_so():
    document = agent(tool("t"), params={"swaig_post_conversation": True})
    sim = RunSim(document, replies=[[Tool("t")], ["Done."]]).run(2000)
    sim.says("Go there.")
    body = sim.of(a.RunTool)[0].payload
    assert {"role": "user", "content": "Go there."} in body["call_log"]


def test_tools_get_the_documents_variables_when_it_says_so():
    document = agent(tool("t"), params={"swaig_post_swml_vars": True})
    sim = RunSim(
        main=[{"set": {"x": "1"}}, {"ai": document}], replies=[[Tool("t")], ["Done."]]
    ).run(2000)
    sim.says("Go.")
    body = sim.of(a.RunTool)[0].payload
    assert body["SWMLVars"]["x"] == "1" and body["SWMLCall"]["call_id"] == "L1"


def test_a_startup_hook_that_fails_does_not_keep_the_agent_silent():
    sim = RunSim(hooked("startup_hook"), hooks={"startup_hook": None})
    (hook,) = sim.of(a.RunHook)
    sim.do(HookReplied(hook.run, "startup_hook", ok=False, error="timeout"))
    sim.run(500)
    assert sim.spoken == ["Hello."] and sim.logs("hook") == ["failed"]


def test_functions_without_an_address_use_the_documents():
    defaults = {"web_hook_url": "http://default.example/swaig", "web_hook_auth_user": "u"}
    swaig = {"defaults": defaults, "functions": [{"function": "t", "description": "T."}]}
    sim = RunSim(agent(SWAIG=swaig), replies=[[Tool("t")], ["Done."]]).run(2000)
    sim.says("Go.")
    (run,) = sim.of(a.RunTool)
    assert run.url == defaults["web_hook_url"] and run.auth == ("u", "")
