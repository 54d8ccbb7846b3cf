"""What a leg's counters tell when its events were lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mediacore.call.state import next_generation_after_cut
from mediacore.providers.scripted import End, Say, ScriptedLlm, ScriptedStt
from mediacore.runtime.actions import Publish
from mediacore.runtime.inputs import FarDelaySeen, Resynced
from mediacore.runtime.state import RunState
from mediacore.runtime.step import step
from support.host_sim import HostSim, Phone, listen
from virtual import now_us, run_virtual

SAY = [{"answer": {}}, {"play": "say:one two three four five"}, {"sleep": 3000}, {"hangup": {}}]


def _state_at(tmp_path: Path, s: float, **options: object) -> tuple[RunState, int]:
    """The state of a call so many seconds after it began."""
    found: list[tuple[RunState, int]] = []

    async def caller(phone: Phone) -> None:
        await listen(phone)

    async def main() -> None:
        sim = HostSim(tmp_path, **options)  # type: ignore[arg-type]
        async with sim:
            sim.call(caller)
            await asyncio.sleep(s)
            found.append((sim.host.calls[0].state, now_us()))
            sim.host.calls[0].hangup()
            await sim.idle()

    run_virtual(main())
    return found[0]


def _resync(state: RunState, now: int, **changes: object) -> tuple[RunState, list[str]]:
    given = {"generation": 0, "speaking": None, "drained": False} | changes
    event = Resynced("call-1", 60, 8000, **given)  # type: ignore[arg-type]
    state, actions = step(state, event, now)
    published = [a for a in actions if isinstance(a, Publish)]
    told = [str(p.params.get("state")) for p in published if p.event_type == "calling.call.play"]
    return state, told


def test_a_play_whose_end_was_lost_is_over(tmp_path: Path) -> None:
    state, now = _state_at(tmp_path, 1.0, document=SAY)
    assert _resync(state, now)[1] == []
    after, told = _resync(state, now, drained=True)
    assert told == ["finished"]
    assert not any(op.kind == "play" for op in after.ops.values())


def test_a_cut_that_was_lost_is_over_and_the_generation_moves(tmp_path: Path) -> None:
    state, now = _state_at(tmp_path, 1.0, document=SAY)
    generation = next_generation_after_cut(state.lines["call-1"].generation)
    after, told = _resync(state, now, generation=generation)
    assert told == ["finished"]
    assert after.lines["call-1"].generation >= generation


@pytest.mark.parametrize("speaking", [True, False])
def test_speech_goes_on_where_the_leg_is(tmp_path: Path, speaking: bool) -> None:
    state, now = _state_at(tmp_path, 1.0, document=SAY)
    state, _ = _resync(state, now, speaking=True)
    assert state.lines["call-1"].speaking
    state, _ = _resync(state, now, speaking=speaking)
    assert state.lines["call-1"].speaking is speaking


def test_lines_that_are_not_there_are_refused(tmp_path: Path) -> None:
    state, now = _state_at(tmp_path, 1.0, document=SAY)
    for event in (Resynced("x", 1, 1, 0, None, False), FarDelaySeen("x", 50)):
        after, actions = step(state, event, now)
        assert after.refused["stale_media"] == state.refused.get("stale_media", 0) + 1
        assert not any(getattr(a, "event_type", "") for a in actions)


def test_an_agent_whose_end_of_speech_was_lost_listens_again(tmp_path: Path) -> None:
    state, now = _state_at(
        tmp_path,
        0.9,
        document=[
            {"answer": {}},
            {"ai": {"prompt": {"text": "x"}, "params": {"static_greeting": "Hello there you."}}},
        ],
        llm=ScriptedLlm([(Say("Bye."), End())]),
        stt=ScriptedStt([]),
    )
    assert state.run is not None
    assert state.run.talk.agent is not None
    after, _ = _resync(state, now, drained=True)
    assert after.run is not None
    assert after.run.talk.agent is None
    after, _ = step(after, FarDelaySeen("call-1", 70), now)
    assert after.run is not None
    assert after.run.talk.far_delay_ms == 70
    assert after.lines["call-1"].far_delay_ms == 70
