"""Steps marked as sensitive."""

from __future__ import annotations

from typing import Any

from mediacore.call.actions import TurnCompleted
from mediacore.call.record import Speaker
from mediacore.runtime import actions as a
from mediacore.runtime.private import MASK
from mediacore.session.callfacts import post_call_input
from support.run_sim import RunSim, Tool, agent

SECRET = "four one one one two two two two"


def pages(*, private: bool) -> dict[str, Any]:
    steps = [
        {"name": "card", "text": "Ask for the card.", "mediacore_sensitive": private},
        {"name": "after", "text": "Say goodbye."},
    ]
    return {"default": {"steps": steps}}


def conversation(*, private: bool) -> RunSim:
    prompt = {"text": "You take payments.", "contexts": pages(private=private)}
    sim = RunSim(agent(prompt=prompt), replies=[["The card, please."], ["Thank you."]])
    sim.run(6_000)
    sim.says(SECRET)
    sim.run(12_000)
    return sim


def kept(sim: RunSim) -> list[str]:
    turns = {
        talk.action.turn.index: talk.action.turn
        for talk in sim.of(a.Talk)
        if isinstance(talk.action, TurnCompleted)
    }
    return [
        turn.text if turn.speaker is Speaker.CALLER else turn.full_text for turn in turns.values()
    ]


def test_what_is_said_in_a_sensitive_step_is_masked_and_recordings_are_silent() -> None:
    sim = conversation(private=True)
    assert SECRET not in " ".join(kept(sim))
    assert MASK in kept(sim)
    assert [m.on for m in sim.of(a.MuteRecordings)] == [True]
    heard = [e.text for ask in sim.asked for e in ask.context]
    assert SECRET in " ".join(heard)  # the model has to use it


def test_without_the_mark_it_is_kept() -> None:
    sim = conversation(private=False)
    assert SECRET in " ".join(kept(sim))
    assert not sim.of(a.MuteRecordings)


def test_the_payload_has_the_mask_too() -> None:
    sim = conversation(private=True)
    facts = post_call_input(sim.ai, sim.state.lines["L1"], sim.state)
    assert SECRET not in repr(facts.turns)


def test_copies_of_the_media_end_when_the_step_begins() -> None:
    steps = [
        {"name": "open", "text": "Hello.", "valid_steps": ["card"]},
        {"name": "card", "text": "The card.", "mediacore_sensitive": True},
    ]
    goes_on = Tool("next_step", '{"step": "card"}')
    sim = RunSim(
        agent(prompt={"text": "x", "contexts": {"default": {"steps": steps}}}),
        replies=[[goes_on], ["The card, please."]],
    )
    sim.run(3_000)
    tap = {"type": "audio", "params": {"direction": "speak"}}
    device = {"type": "rtp", "params": {"addr": "127.0.0.1", "port": 4000}}
    sim.ok("tap", {"control_id": "t1", "tap": tap, "device": device})
    sim.says("go on")
    sim.run(8_000)
    assert [stop.op for stop in sim.of(a.StopFork)] == ["t1"]
    assert [m.on for m in sim.of(a.MuteRecordings)] == [True]
