"""Whole calls: the owner with the real core, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from mediacore.call import CallSettings
from mediacore.call.record import MarkKind, Speaker
from mediacore.providers.scripted import (
    Call,
    End,
    Heard,
    Say,
    ScriptedLlm,
    ScriptedStt,
    ScriptedTts,
    Voice,
)
from mediacore.session.parts import Tool
from mediacore.slots.llm import ToolSpec
from mediacore.slots.policy import TtsPolicy
from mediacore.transports.loopback import Impairment
from support.session_sim import (
    AGENT_LEG,
    FRAME,
    GREETING,
    QUIET,
    Stage,
    agent_turns,
    assert_ledger,
    play,
    run_on,
    say,
)
from virtual import VirtualLoop

LONG = (
    "Your order has four items. It left our warehouse on Monday morning. The carrier will "
    "bring it to your door between nine and twelve. You do not need to be at home for that."
)
BYE = (Say("Goodbye then."), End())


def conversation(**changes: Any) -> Stage:
    """Question, answer, goodbye."""
    stage: dict[str, Any] = {
        "stt": [ScriptedStt(["I want to check my order.", "Thanks, goodbye."])],
        "llm": [ScriptedLlm(["Of course. What is your order number?", BYE])],
        "tts": [ScriptedTts(word_times=True)],
        "lines": [say("I want to check my order."), say("Thanks a lot, goodbye.")],
    }
    return Stage(**(stage | changes))


def interrupted(*, word_times: bool = True, after_s: float = 3.0, **changes: Any) -> Stage:
    """The caller speaks over a long answer and gets another one."""
    stage: dict[str, Any] = {
        "stt": [ScriptedStt(["Where is my order?", "Wait, which day is it?", "Thank you."])],
        "llm": [ScriptedLlm([LONG, "It comes on Friday.", BYE])],
        "tts": [ScriptedTts(word_times=word_times)],
        "lines": [
            say("Where is my order please?"),
            say("Wait, which day is it coming?", after_s),
            say("Thank you very much."),
        ],
    }
    return Stage(**(stage | changes))


def test_a_whole_conversation() -> None:
    stage = play(conversation())
    record = stage.record
    assert [(t.speaker.value, t.full_text, t.heard_text) for t in record.turns] == [
        ("agent", GREETING, GREETING),
        ("caller", "I want to check my order.", "I want to check my order."),
        ("agent", *["Of course. What is your order number?"] * 2),
        ("caller", "Thanks, goodbye.", "Thanks, goodbye."),
        ("agent", "Goodbye then.", "Goodbye then."),
    ]
    assert record.end_reason == "completed"
    assert (record.errors, record.lost) == ((), ())
    assert record.media["underruns"] == 0
    assert record.usage.spoken_chars == sum(len(t.full_text) for t in agent_turns(record))
    assert 2000 < record.usage.recognised_ms < 4500
    assert len(record.frames) == record.media["ticks"]
    assert_ledger(stage)


def test_answers_are_timed() -> None:
    record = play(conversation()).record
    answers = [t.latency for t in agent_turns(record) if t.latency]
    assert len(answers) == 2
    for latency in answers:
        assert latency.stt_final_us is not None
        assert latency.endpoint_us is not None
        assert latency.first_frame_out_us is not None
        assert 0 < latency.stt_final_us <= latency.endpoint_us <= latency.first_frame_out_us
        assert latency.first_frame_out_us < 900_000


@pytest.mark.parametrize("word_times", [True, False])
def test_interruption_is_silent_inside_the_frame(word_times: bool) -> None:
    stage = play(interrupted(word_times=word_times))
    record = stage.record
    pcm = stage.sent()
    assert len(pcm) >= (record.media["ticks"] - 1) * FRAME  # the last one goes with the leg
    (cut,) = (m for m in record.marks if m.kind is MarkKind.CUT)
    pause = next(m for m in record.marks if m.kind is MarkKind.PAUSE)
    assert pause.took_ms is not None
    assert pause.took_ms <= 200
    bands = sorted((b.start, b.end) for t in record.turns for u in t.utterances for b in u.playout)
    following = next(start for start, _ in bands if start > cut.at)
    assert max(pcm[pause.at : following]) <= QUIET
    assert max(pcm[following : following + 2000]) > QUIET
    assert_ledger(stage)


@pytest.mark.parametrize("word_times", [True, False])
def test_the_model_is_told_what_was_heard(word_times: bool) -> None:
    llm = ScriptedLlm([LONG, "It comes on Friday.", BYE])
    record = play(interrupted(word_times=word_times, llm=[llm])).record
    cut = next(t for t in agent_turns(record) if t.was_cut)
    assert cut.full_text == LONG
    assert LONG.startswith(cut.heard_text)
    assert 0 < len(cut.heard_text) < len(LONG)
    told = [m.text for m in llm.requests[1].messages if m.role == "assistant"]
    assert told[-1].rstrip(" -—…").startswith(cut.heard_text[:-1])
    assert "between nine and twelve" not in " ".join(told)
    assert llm.requests[1].messages[-1].text == "Wait, which day is it?"
    # The voice speaks 60 ms per character, so the ledger can be checked against the clock.
    played_ms = sum(u.played_samples for u in cut.utterances) / 8
    slack = 12 if word_times else 18
    assert abs(len(cut.heard_text) - played_ms / 60) <= slack
    assert record.turns[-1].heard_text == "Goodbye then."


def test_a_cough_does_not_stop_the_agent() -> None:
    stage = play(
        interrupted(
            stt=[ScriptedStt(["Where is my order?", Heard(""), "Thank you."])],
            llm=[ScriptedLlm([LONG, BYE])],
            lines=[say("Where is my order please?"), say("Uh hm", 3.0), say("Thank you a lot.")],
        )
    )
    record = stage.record
    assert record.media["cuts"] == 0
    assert record.media["pauses"] >= 1
    assert record.media["resumes"] == record.media["pauses"]
    assert agent_turns(record)[1].heard_text == LONG
    assert_ledger(stage)


def test_a_stale_reply_is_never_audible() -> None:
    """The first answer's words go on coming after the interruption; none of them is spoken."""
    tts = ScriptedTts()
    slow = (Say("One moment while I look that up for you in our books, please."),)
    late = (*slow, Say("STALE " * 20, delay_ms=2500))
    stage = play(
        interrupted(
            stt=[ScriptedStt(["Where is my order?", "Wait, which day is it?", "Thank you."])],
            llm=[ScriptedLlm([late, "It comes on Friday.", BYE])],
            tts=[tts],
            after_s=1.5,
        )
    )
    assert not any("STALE" in request.text for request in tts.requests)
    assert not any("STALE" in t.heard_text for t in stage.record.turns)
    assert_ledger(stage)


def test_a_caller_who_says_nothing_is_asked_and_then_let_go() -> None:
    stage = play(conversation(lines=[], stt=[ScriptedStt([])]))
    record = stage.record
    assert record.end_reason == "no_input"
    spoken = [t.full_text for t in agent_turns(record)]
    lines = stage.settings.lines
    assert spoken == [GREETING, *lines.silence, lines.silence_goodbye]
    assert stage.silence_ms() <= stage.settings.dead_air_ms + 600


async def _order(arguments: Any) -> str:
    await asyncio.sleep(0.5)
    return f"Order {arguments['number']} is on its way."


async def _broken(arguments: Any) -> str:
    raise ValueError("database password is hunter2")


async def _endless(arguments: Any) -> str:
    await asyncio.sleep(10**6)
    return ""


TOOLS = {
    name: Tool(ToolSpec(name, "Looks up an order.", {"type": "object"}), function)
    for name, function in (("order", _order), ("broken", _broken), ("endless", _endless))
}


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("order", "Order 7 is on its way."),
        ("broken", "The tool failed."),
        ("unknown", "There is no tool named unknown."),
        ("endless", "The tool took too long."),
    ],
)
def test_tools(name: str, result: str) -> None:
    llm = ScriptedLlm([(Say("Let me see."), Call(name, {"number": 7})), "It is on its way.", BYE])
    settings = CallSettings(greeting=GREETING, tool_deadline_ms=3000, dead_air_ms=4000)
    stage = play(conversation(llm=[llm], tools=TOOLS, settings=settings))
    record = stage.record
    told = [m for m in llm.requests[1].messages if m.role == "tool"]
    if name == "endless":
        assert all("hunter2" not in m.text for m in told)
    else:
        assert [m.text for m in told] == [result]
        assert "It is on its way." in record.turns[-3].heard_text
    assert record.end_reason in ("completed", "script_ended", "no_input")
    assert stage.silence_ms() <= 4000 + 600


def test_a_late_reply_is_bridged_by_a_filler() -> None:
    llm = ScriptedLlm([(Say("Your order is on its way.", delay_ms=3000),), BYE])
    stage = play(conversation(llm=[llm]))
    spoken = [t.full_text for t in agent_turns(stage.record)]
    assert spoken[1] == "One moment, please. Your order is on its way."
    assert stage.silence_ms() < 2000


@pytest.mark.parametrize("after_s", [1.0, 2.0, 4.0])
def test_a_stall_of_the_loop_is_not_heard(after_s: float) -> None:
    """A second without Python in the middle of the agent's speech: no underrun, no gap."""
    playing_since: list[int] = []

    def stall(stage: Stage, tick: int) -> None:
        turn = stage.owner.state.agent
        if turn is None or not any(LONG.startswith(u.text) for u in turn.utterances):
            return
        playing_since.append(tick)
        if len(playing_since) == round(after_s * 50):
            stage.stall(1.0)

    stage = play(interrupted(lines=[say("Where is my order please?")], on_tick=stall), 300)
    assert len(playing_since) > after_s * 50
    assert stage.record.media["underruns"] == 0
    assert stage.record.media["tap_dropped_samples"] == 0
    assert agent_turns(stage.record)[1].heard_text == LONG
    assert_ledger(stage)


def test_the_cut_does_not_wait_for_the_loop() -> None:
    """Python is blocked while the caller interrupts: the core pauses and cuts by itself."""
    stalled: list[int] = []

    def stall(stage: Stage, tick: int) -> None:
        if stage.caller_side.spoken[1:2] and not stalled:
            stalled.append(tick)
            stage.stall(1.0)

    stage = play(interrupted(on_tick=stall))
    record = stage.record
    assert stalled
    pause = next(m for m in record.marks if m.kind is MarkKind.PAUSE)
    assert pause.took_ms is not None
    assert pause.took_ms <= 200
    assert record.media["cuts"] == 1
    assert record.turns[-1].heard_text == "Goodbye then."
    assert_ledger(stage)


def test_the_frame_budget_ends_the_call() -> None:
    stage = play(conversation(leg=replace(AGENT_LEG, budget_ticks=60)))
    record = stage.record
    assert record.media["ticks"] == 60
    assert record.end_reason in ("leg_closed", "budget")
    assert len(stage.wire.packets) == 60
    assert_ledger(stage)


def test_the_caller_hangs_up() -> None:
    """No more packets: the call ends by itself."""

    def vanish(stage: Stage, tick: int) -> None:
        if tick == 150:
            stage.far.close()

    settings = CallSettings(greeting=GREETING, media_lost_ms=3000)
    stage = conversation(on_tick=vanish, settings=settings)
    stage = replace(stage, leg=replace(AGENT_LEG, media_lost_ms=500))
    record = play(stage).record
    assert record.end_reason == "media_lost"
    assert record.duration_ms < 150 * 20 + 4000


class _HangupLoop(VirtualLoop):
    """Calls `hook` in the n-th turn of the loop."""

    def __init__(self, turn: int) -> None:
        super().__init__()
        self.turns = 0
        self.turn = turn
        self.hook: Any = None
        select = self._jump.select

        def counting(timeout: float | None = None) -> Any:
            self.turns += 1
            if self.turns == self.turn and self.hook is not None:
                self.call_soon(self.hook)
                timeout = 0
            return select(timeout)

        self._jump.select = counting  # type: ignore[method-assign]


def eventful() -> Stage:
    """A short call with a tool, a filler, an interruption and a provider that has to be retried."""
    return Stage(
        stt=[ScriptedStt(["Where is my order?", "Wait, which day?", "Thank you."])],
        llm=[
            ScriptedLlm(
                [
                    (Say("Let me see."), Call("order", {"number": 7})),
                    "It left our warehouse on Monday and comes to you on Friday at nine.",
                    "On Friday.",
                    BYE,
                ],
                first_delay_ms=400,
            )
        ],
        tts=[ScriptedTts((Voice(), Voice(hang=True), Voice(ms_per_char=40)), word_times=True)],
        tts_policy=TtsPolicy(first_ms=300),
        tools=TOOLS,
        settings=CallSettings(greeting="Hello!", filler_ms=300),
        lines=[say("Where is my order"), say("Wait, which day then", 2.0), say("Thank you.")],
    )


def _whole_length() -> int:
    stage = eventful()
    loops: list[_HangupLoop] = []

    def make() -> _HangupLoop:
        loops.append(_HangupLoop(-1))
        return loops[0]

    async def main() -> None:
        async with stage:
            await stage.run()

    run_on(make, main())
    assert stage.record.media["cuts"] >= 1
    assert stage.record.errors
    return loops[0].turns


def _end_at(turn: int, how: str) -> None:
    stage = eventful()
    loop = _HangupLoop(turn)

    async def main() -> None:
        async with stage:
            task = asyncio.current_task()
            assert task is not None

            def end() -> None:
                if how == "hangup":
                    stage.owner.hangup("test")
                elif not hasattr(stage, "record"):
                    task.cancel()

            loop.hook = end
            try:
                await stage.run()
            except asyncio.CancelledError:
                task.uncancel()
                assert how == "cancel"

    run_on(lambda: loop, main())
    if how == "hangup":
        record = stage.record
        assert record.end_reason in ("test", "completed")
        assert [m.kind for m in record.marks].count(MarkKind.HANGUP) == 1
        indices = [t.index for t in record.turns]
        assert indices == sorted(set(indices))
        assert_ledger(stage)


@pytest.mark.parametrize("how", ["hangup", "cancel"])
def test_hang_up_at_any_point_leaves_nothing(how: str) -> None:
    """Every 61st turn of the loop: all kinds of await points, in a second."""
    for turn in range(1, _whole_length(), 61):
        _end_at(turn, how)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["hangup", "cancel"])
def test_hang_up_at_every_point_leaves_nothing(how: str) -> None:
    for turn in range(1, _whole_length()):
        _end_at(turn, how)


def test_the_live_view_follows() -> None:
    seen: list[Any] = []
    stage = conversation()

    async def main() -> None:
        async with stage:
            stage.owner._on_live = seen.append
            await stage.run()

    run_on(VirtualLoop, main())
    assert seen[-1].ended
    assert [t.speaker for t in seen[-1].turns] == [t.speaker for t in stage.record.turns]
    assert any(model.state == "speaking" for model in seen)
    assert Speaker.CALLER in {t.speaker for t in seen[-1].turns}


def test_impaired_networks_do_not_bend_the_ledger() -> None:
    faults = Impairment(drop=0.05, duplicate=0.02, reorder=0.05, jitter_ms=60)
    for seed in range(3):
        stage = play(interrupted(to_caller=faults, to_agent=faults, seed=seed), 300)
        assert_ledger(stage)
        assert stage.record.media["rx_lost"] > 0
