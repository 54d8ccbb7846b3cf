"""Events on their way to their calls: several legs, strangers, overruns."""

from __future__ import annotations

import asyncio

import pytest

from mediacore._core import Engine
from mediacore.call.record import MarkKind
from mediacore.events import EventsLost, LegClosed, LegOpened, MediaEvent
from mediacore.media import LegConfig
from mediacore.providers.scripted import End, Say, ScriptedLlm, ScriptedStt, ScriptedTts
from mediacore.session.hub import MediaHub
from support.session_sim import Stage, assert_ledger, play, say

LEG = LegConfig(vad_threshold_q15=None)


def test_events_reach_their_leg_and_losses_reach_all() -> None:
    with MediaHub(Engine(max_legs=4, event_slots=16)) as hub:
        legs = [hub.engine.open_leg(LEG) for _ in range(3)]
        seen: list[list[MediaEvent]] = [[], []]
        hub.attach(legs[0], seen[0].append)
        hub.attach(legs[1], seen[1].append)
        hub.engine.tick(0)
        assert hub.pump() == 3
        assert [type(e) for e in seen[0]] == [LegOpened]
        assert [e.leg for e in seen[1]] == [legs[1].handle]
        assert hub.unclaimed == 1
        for n in range(1, 40):
            legs[1].duck(n % 2 * 6)
            hub.engine.tick(n * 20_000)
        hub.pump()
        legs[1].duck(12)
        hub.engine.tick(900_000)
        hub.pump()
        for events in seen:
            assert any(isinstance(e, EventsLost) for e in events)
        hub.detach(legs[0])
        hub.detach(legs[0])
        legs[0].close()
        hub.engine.tick(920_000)
        hub.pump()
        assert not any(isinstance(e, LegClosed) for e in seen[0])


@pytest.mark.parametrize("at_s", [0.5, 1.0, 2.6, 4.4, 5.5, 7.0])
@pytest.mark.parametrize("stall_s", [0.5, 1.5])
def test_a_call_survives_lost_events(at_s: float, stall_s: float) -> None:
    """A ring of 16 events and a loop that stalls: the call catches up from snapshots."""

    def stall(stage: Stage, tick: int) -> None:
        if tick == round(at_s * 50):
            # Events that nobody needs crowd out those that matter.
            for n in range(round(stall_s * 50)):
                stage.far.duck(n % 2 * 6)
                stage.agent.duck(n % 2 * 6)
                stage.step()

    stage = play(
        Stage(
            stt=[ScriptedStt(["Where is my order?", "Which day then?", "Thank you."])],
            llm=[ScriptedLlm(["It left our warehouse on Monday.", "On Friday.", _BYE])],
            tts=[ScriptedTts()],
            event_slots=16,
            lines=[say("Where is my order"), say("Wait, which day", 2.0), say("Thank you.")],
            on_tick=stall,
        ),
        240,
    )
    record = stage.record
    assert MarkKind.EVENTS_LOST in {m.kind for m in record.marks}
    assert record.end_reason in ("completed", "script_ended", "no_input", "not_understood")
    assert stage.silence_ms() <= stage.settings.dead_air_ms + 2000


_BYE = (Say("Goodbye then."), End())


def test_without_losses_the_ledger_is_exact() -> None:
    stage = play(
        Stage(
            stt=[ScriptedStt(["Where is my order?"])],
            llm=[ScriptedLlm([_BYE])],
            tts=[ScriptedTts()],
            lines=[say("Where is my order")],
        )
    )
    assert stage.hub.unclaimed >= 0
    assert_ledger(stage)


def test_real_time_wakes_the_loop() -> None:
    async def main() -> list[MediaEvent]:
        with MediaHub(Engine(max_legs=1)) as hub:
            leg = hub.engine.open_leg(LEG)
            seen: list[MediaEvent] = []
            arrived = asyncio.Event()
            hub.attach(leg, lambda e: (seen.append(e), arrived.set())[0])
            hub.start()
            async with asyncio.timeout(5):
                await arrived.wait()
            hub.stop()
            hub.stop()
            assert not hub.engine.running
        return seen

    assert isinstance(asyncio.run(main())[0], LegOpened)
