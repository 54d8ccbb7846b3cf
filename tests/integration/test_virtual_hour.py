"""An hour of conversation in virtual time: nothing grows but the transcript."""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from mediacore.call import CallSettings
from mediacore.providers.scripted import ScriptedStt, ScriptedTts, Voice
from mediacore.slots.llm import LlmEvent, LlmHangup, LlmInfo, LlmRequest, LlmText
from support.session_sim import AGENT_LEG, Stage, agent_turns, assert_ledger, play, say

HOUR_S = 3600
EVERY_S = 600
ANSWER = (
    "Your order left our warehouse on Monday and it is with the carrier now. It comes on Friday."
)
BLOCKS_PER_TURN = 700  # of Python's heap: what the record of a turn and its marks may take
GROWTH_KB = 40_000  # of the process in fifty minutes, transcript and frame log included


class Talker:
    """Answers as long as it is asked, until `over`. Keeps nothing."""

    def __init__(self) -> None:
        self.info = LlmInfo("talker")
        self.over = False
        self.turns = 0

    async def run(self, request: LlmRequest) -> AsyncIterator[LlmEvent]:
        """Answer one turn."""
        self.turns += 1
        await asyncio.sleep(0.2)
        for word in ANSWER.split(" "):
            yield LlmText(f"{word} ")
        if self.over:
            yield LlmHangup()

    async def aclose(self) -> None:
        """Nothing to release."""


@dataclass(frozen=True)
class Sample:
    """What could grow."""

    blocks: int
    tasks: int
    legs: int
    rss_kb: int
    turns: int


@pytest.mark.timeout(180)
def test_an_hour() -> None:
    talker = Talker()
    samples: list[Sample] = []

    def look(stage: Stage, tick: int) -> None:
        stage.wire.packets.clear()
        if tick and tick % (EVERY_S * 50) == 0:
            gc.collect()
            samples.append(
                Sample(
                    sys.getallocatedblocks(),
                    len(asyncio.all_tasks()),
                    stage.hub.engine.stats().legs_open,
                    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
                    len(stage.owner.state.turns),
                )
            )
        talker.over = tick > HOUR_S * 50

    lines = [say("Where is my order?"), say("And which day is that?", 2.0)] * 600
    voices = (Voice(burst=True), Voice(), Voice(chunk_ms=20, chunk_delay_ms=1))
    stage = play(
        Stage(
            stt=[ScriptedStt(["Where is my order?", "And which day is that?"] * 600)],
            llm=[talker],
            tts=[ScriptedTts(voices, word_times=True)],
            lines=lines,
            settings=CallSettings(greeting="Hello!", max_call_ms=0),
            leg=replace(AGENT_LEG, media_lost_ms=1000),
            on_tick=look,
        ),
        2 * HOUR_S,
    )
    record = stage.record
    assert record.duration_ms > HOUR_S * 1000
    assert record.end_reason == "completed"
    assert record.errors == ()
    assert len(agent_turns(record)) > 300
    assert record.media["cuts"] > 100
    assert record.media["underruns"] == 0
    assert record.media["rx_lost"] == 0
    assert record.media["tap_dropped_samples"] == 0
    assert_ledger(stage)

    first, last = samples[0], samples[-1]
    assert {s.legs for s in samples} == {2}
    assert max(s.tasks for s in samples) <= 12
    grown = (last.blocks - first.blocks) / (last.turns - first.turns)
    assert grown <= BLOCKS_PER_TURN
    assert last.rss_kb - first.rss_kb <= GROWTH_KB
