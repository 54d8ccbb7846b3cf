"""Tools: who may be called, who answers, what the answer does."""

import pytest

from mediacore.call.inputs import ReplyToolCall, TranscriptFinal
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from support.run_sim import RunSim, Tool, agent, tool

WAIT = "http://sounds.example/type.wav"


def call(*functions, replies, tools=None, **document) -> RunSim:
    sim = RunSim(agent(*functions, **document), replies=replies, tools=tools).run(2000)
    return sim.says("Go.")


def results(sim) -> list[str]:
    return [e.text for e in sim.asked[-1].context if e.tool_call_id]


def test_a_webhook_gets_the_calls_data_and_its_answer_goes_to_the_model():
    sim = call(
        tool("t"),
        replies=[[Tool("t", '{"n": 1}')], ["Done."]],
        tools={"t": {"response": "forty two", "action": [{"set_global_data": {"seen": 1}}]}},
        global_data={"shop": "north"},
    ).run(2000)
    (run,) = sim.of(a.RunTool)
    assert run.url == "http://app.example/swaig"
    assert run.payload["global_data"] == {"shop": "north"}
    assert run.payload["argument"]["parsed"] == [{"n": 1}]
    assert "forty two" in results(sim)[0]
    assert sim.ai.session.global_data == {"shop": "north", "seen": 1}
    (note,) = sim.ai.tools
    assert (note.name, note.ok, note.took_ms) == ("t", True, 200)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (Tool("nobody"), "tool_unknown_tool"),
        (Tool("t", "[1]"), "tool_bad_arguments"),
        (Tool("t", "not json"), "tool_bad_arguments"),
        (Tool("startup_hook"), "tool_unknown_tool"),
    ],
)
def test_an_illegal_call_is_refused_and_the_model_told(asked, code):
    sim = call(tool("t"), replies=[[asked], ["Sorry."]])
    assert sim.of(a.RunTool) == []
    assert sim.state.refused[code] == 1
    assert sim.spoken[-1] == "Sorry." and len(results(sim)) == 1
    reasons = {"tool_unknown_tool": "invalid_function", "tool_bad_arguments": "invalid_params"}
    (error,) = sim.told("ai.error")
    assert error["error_reason"] == reasons[code] and not error["fatal"]


def test_a_tool_that_cannot_be_reached_is_told_as_such():
    sim = call(tool("t"), replies=[[Tool("t")], ["It did not work."]], tools={"t": None})
    (run,) = sim.of(a.RunTool)
    sim.do(i.ToolReplied(run.run, run.generation, run.id, ok=False, error="timeout"))
    sim.run(2000)
    assert sim.spoken[-1] == "It did not work."
    (error,) = sim.told("ai.error")
    assert error["error_reason"] == "webhook_http_failure"
    assert not sim.ai.tools[0].ok


def test_a_reply_of_an_earlier_run_or_a_second_one_is_refused():
    sim = call(tool("t"), replies=[[Tool("t")], ["Done."]]).run(1000)
    (run,) = sim.of(a.RunTool)
    sim.do(i.ToolReplied(run.run, run.generation, run.id, ok=True, reply="again"))
    sim.do(i.ToolReplied(99, run.generation, run.id, ok=True, reply="other"))
    assert sim.state.refused["stale_tool"] == 2


def test_a_filler_bridges_the_wait_in_the_agents_language():
    fillers = {"de-DE": ["Moment."], "en-US": ["One moment."]}
    sim = call(
        tool("t", fillers=fillers),
        replies=[[Tool("t")], ["Fertig."]],
        tools={"t": None},
        languages=[{"name": "German", "code": "de-DE"}],
    )
    assert sim.spoken[-1] == "Moment."


def test_the_languages_own_phrases_are_said_when_the_tool_has_none():
    language = {"name": "English", "code": "en-US", "function_fillers": ["Let me check."]}
    sim = call(tool("t"), replies=[[Tool("t")]], tools={"t": None}, languages=[language])
    assert sim.spoken[-1] == "Let me check."
    quiet = call(
        tool("t", skip_fillers=True),
        replies=[[Tool("t")]],
        tools={"t": None},
        languages=[language],
    )
    assert quiet.spoken == ["Hello."]


def test_a_filler_cannot_carry_hidden_data():
    sim = call(
        tool("t", fillers={"default": ["Wait, ${global_data.secret}please."]}),
        replies=[[Tool("t")]],
        tools={"t": None},
        global_data={"secret": "s3cr3t"},
    )
    assert sim.spoken[-1] == "Wait, please."


def test_a_tool_waits_for_its_filler_when_it_says_so():
    slow = tool(
        "t",
        fillers={"default": ["This will take me just a moment, bear with me."]},
        wait_for_fillers=True,
    )
    sim = RunSim(agent(slow), replies=[[Tool("t")], ["Done."]]).run(2000)
    sim.speaks()
    sim.run(400)
    sim.speaks(False)
    while len(sim.spoken) < 2:
        sim.run(50)
        if len(sim.asked) == 0:
            sim.do(_final(sim))
    assert sim.of(a.RunTool) == []
    sim.run(2000)
    assert len(sim.of(a.RunTool)) == 1
    assert sim.spoken[-1] == "Done."


def _final(sim: RunSim) -> i.Heard:
    return i.Heard("L1", TranscriptFinal("Go.", (sim.now - sim._opened["L1"]) // 125))


def test_a_sound_plays_while_the_tool_works():
    sim = call(
        tool("t", wait_file=WAIT, wait_file_loops=2),
        replies=[[Tool("t")], ["Done."]],
        params={"background_file": "http://sounds.example/room.wav"},
    ).run(2000)
    beds = [(x.items[0].text.rpartition("/")[2], x.loops) for x in sim.of(a.StartBed)]
    assert beds == [("room.wav", 0), ("type.wav", 2), ("room.wav", 0)]


def test_music_plays_while_tools_work_when_the_document_wants_it():
    params = {"hold_on_process": True, "hold_music": "http://sounds.example/hold.wav"}
    sim = call(tool("t"), replies=[[Tool("t")], ["Done."]], params=params).run(2000)
    assert [x.items[0].text.rpartition("/")[2] for x in sim.of(a.StartBed)] == ["hold.wav"]
    assert len(sim.of(a.StopBed)) == 1


def test_actions_after_the_next_words_wait_for_them():
    reply = {"response": "ok", "action": [{"stop": True}], "post_process": True}
    sim = call(tool("t"), replies=[[Tool("t")], ["Just one more word."]], tools={"t": reply})
    assert sim.spoken[-1] == "Just one more word."
    sim.run(3000)
    assert sim.state.run is None
    assert ("agent", "Just one more word.") in sim.transcript(sim.payload)


def test_native_tools_are_answered_by_the_engine_with_their_filler():
    swaig = {
        "native_functions": ["check_time"],
        "internal_fillers": {"check_time": {"en-US": ["Let me look at the clock."]}},
    }
    sim = call(replies=[[Tool("check_time")], ["It is late."]], SWAIG=swaig).run(3000)
    assert sim.of(a.RunTool) == []
    assert "It is " in results(sim)[0]
    assert "Let me look at the clock." in sim.spoken
    assert sim.ai.tools[0].native


@pytest.mark.parametrize(
    ("permission", "action"),
    [
        ("swaig_allow_swml", {"SWML": {"sections": {"main": [{"set": {"x": "1"}}]}}}),
        ("swaig_allow_settings", {"settings": {"end_of_speech_timeout": 900}}),
        ("swaig_set_global_data", {"set_global_data": {"x": 1}}),
    ],
)
def test_an_action_without_permission_does_nothing(permission, action):
    for allowed in (True, False):
        sim = call(
            tool("t"),
            replies=[[Tool("t")], ["Done."]],
            tools={"t": {"response": "ok", "action": [action]}},
            params={permission: allowed},
        ).run(2000)
        done = (
            sim.vars.get("x") == "1"
            or sim.ai.talk.settings.turn.unsure_ms == 900
            or sim.ai.session.global_data.get("x") == 1
        )
        assert done is allowed
        assert sim.spoken[-1] == "Done."


def test_a_model_in_a_loop_of_tools_is_stopped():
    many = [[Tool("t", f'{{"n": {n}}}')] for n in range(40)]
    sim = call(tool("t"), replies=many).run(30_000)
    assert len(sim.of(a.RunTool)) == 12
    assert sim.state.refused["tool_loop"] >= 1
    assert len(sim.asked) <= 16
    assert "went wrong" in sim.spoken[-1] or "problem" in sim.spoken[-1]


def test_back_to_back_allows_more_in_a_row():
    many = [[Tool("t", f'{{"n": {n}}}')] for n in range(40)]
    reply = {"response": "ok", "action": [{"back_to_back_functions": True}]}
    sim = call(tool("t"), replies=many, tools={"t": reply}).run(40_000)
    assert len(sim.of(a.RunTool)) == 24


def test_the_same_call_three_times_is_a_loop():
    sim = call(tool("t"), replies=[[Tool("t")]]).run(20_000)
    assert len(sim.of(a.RunTool)) == 3


@pytest.mark.parametrize("allowed", [True, False])
def test_tools_run_while_the_caller_speaks_only_when_the_document_allows_it(allowed):
    document = agent(tool("t"), params={"barge_functions": allowed})
    sim = RunSim(document, replies=[["Let me look that up for you, it is quick. " * 3, None]])
    sim.run(2000).says("Go.")
    sim.speaks()
    sim.run(60)
    sim.do(i.AgentResult(sim.ai.id, ReplyToolCall(sim.asked[-1].generation, "c1", "t", "{}")))
    assert len(sim.of(a.RunTool)) == int(allowed)
    assert sim.state.refused.get("tool_during_barge", 0) == int(not allowed)


def test_a_data_map_runs_in_the_engine_with_the_calls_data():
    mapped = {
        "function": "t",
        "description": "Maps.",
        "data_map": {"output": {"response": "${args.n}"}},
    }
    sim = call(mapped, replies=[[Tool("t", '{"n": 4}')], ["Four."]], global_data={"shop": "north"})
    (run,) = sim.of(a.RunTool)
    assert run.url == "" and run.data_map == mapped["data_map"]
    assert run.context["args"] == {"n": 4} and run.context["global_data"] == {"shop": "north"}


def test_what_is_odd_in_a_reply_is_told_without_its_content():
    sim = call(
        tool("t"),
        replies=[[Tool("t")], ["Done."]],
        tools={"t": {"response": "ok", "surplus": "s3cr3t", "action": [{"no_such": "s3cr3t"}]}},
    ).run(1000)
    told = sim.told("script.warning")
    assert told and "s3cr3t" not in repr(told)
