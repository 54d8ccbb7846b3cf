"""What plays under the agent's voice, and what comes back when it is over."""

import pytest

from mediacore.runtime import actions as a
from support.run_sim import RunSim, Tool, agent, tool

ROOM, HOLD, TYPE = (f"http://sounds.example/{name}.wav" for name in ("room", "hold", "type"))


def beds(sim: RunSim) -> list[str]:
    """Names of what was started, "-" for silence."""
    found = [x for x in sim.actions if isinstance(x, a.StartBed | a.StopBed)]
    return [
        x.items[0].text.rpartition("/")[2].removesuffix(".wav")
        if isinstance(x, a.StartBed)
        else "-"
        for x in found
    ]


def test_nothing_plays_unless_the_document_asks_for_it():
    sim = RunSim(agent()).run(3000)
    sim.ok("ai.stop")
    assert beds(sim) == []


@pytest.mark.parametrize(("given", "loops"), [(None, 0), (0, 1), (1, 1), (7, 7)])
def test_loops_of_the_background(given, loops):
    params = {"background_file": ROOM}
    if given is not None:
        params["background_file_loops"] = given
    sim = RunSim(agent(params=params)).run(1000)
    assert [x.loops for x in sim.of(a.StartBed)] == [loops]


def test_hold_music_takes_the_place_of_everything_and_gives_it_back():
    params = {"background_file": ROOM, "hold_music": HOLD}
    sim = RunSim(agent(params=params)).run(1000)
    sim.ok("ai_hold", {})
    sim.run(500)
    sim.ok("ai_unhold", {})
    sim.run(500)
    sim.ok("ai.stop")
    assert beds(sim) == ["room", "hold", "room", "-"]


def test_a_hold_without_music_is_silent():
    sim = RunSim(agent(params={"background_file": ROOM})).run(1000)
    sim.ok("ai_hold", {})
    assert beds(sim) == ["room", "-"]


def test_the_sound_of_a_tool_comes_before_the_music_for_all_tools():
    params = {"hold_on_process": True, "hold_music": HOLD, "background_file": ROOM}
    document = agent(tool("t", wait_file=TYPE), tool("u"), params=params)
    sim = RunSim(document, replies=[[Tool("t")], [Tool("u")], ["Done."]]).run(2000)
    sim.says("Go.").run(2000)
    assert beds(sim) == ["room", "type", "room", "hold", "room"]


def test_hold_on_process_needs_music():
    sim = RunSim(agent(tool("t"), params={"hold_on_process": True}), replies=[[Tool("t")], ["x."]])
    sim.run(2000).says("Go.").run(2000)
    assert beds(sim) == []


def test_the_line_that_ends_takes_the_sound_along():
    sim = RunSim(agent(params={"background_file": ROOM})).run(1000)
    sim.ok("end")
    assert beds(sim) == ["room", "-"]
