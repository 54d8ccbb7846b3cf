"""The stage of a run: its name, its budget's account, its trace."""

from mediacore.runtime.stages import stage_of
from support.run_sim import RunSim, Tool, agent

GATHER = {"questions": [{"key": "name", "question": "Your name?"}]}


def stepped() -> RunSim:
    document = agent()
    steps = [{"name": "a", "text": "A."}, {"name": "b", "text": "B.", "gather_info": GATHER}]
    document["prompt"] = {"text": "x", "contexts": {"default": {"steps": steps}}}
    return RunSim(document, replies=[[Tool("next_step")], ["Your name?"]]).run(2000)


def test_outside_steps_there_is_one_stage():
    sim = RunSim(agent()).run(2000)
    assert stage_of(sim.ai) == "ai" and sim.ai.stage_name == "ai"
    assert sim.state.meter.stage == "ai"
    assert sim.logs("stage") == ["ai"]


def test_a_step_is_a_stage_and_a_move_is_told_once():
    sim = stepped()
    assert sim.ai.stage_name == "default.a"
    version = sim.state.version
    sim.says("Go on.").run(2000)
    assert sim.ai.stage_name == "default.b"
    assert sim.logs("stage") == ["default.a", "default.b"]
    assert sim.state.version > version


def test_the_place_where_questions_began_is_known_while_one_is_open():
    sim = stepped()
    assert sim.ai.gather_from is None
    sim.says("Go on.").run(2000)
    assert sim.ai.gather_from is not None
    before = sim.ai.gather_from
    sim.says("Hm.").run(2000)
    assert sim.ai.gather_from == before


def test_after_the_run_no_stage_is_running():
    sim = stepped()
    sim.ok("ai.stop")
    assert sim.state.meter.stage == ""
