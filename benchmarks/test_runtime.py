"""What a step of the call's reducer costs, by pytest-benchmark: pytest benchmarks/test_runtime.py

Wall-clock times of whole calls, replayed event by event; `steps` in the extra info says how many
steps a call takes, `p99_us` and `max_us` what its slowest steps took in CPU time over many calls.
Budget: 1000 µs for 99 of 100 steps of a call with a document and an agent.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import pytest

from mediacore import events as e
from mediacore.call import inputs as talk
from mediacore.call.actions import Speak
from mediacore.events import DigitSource
from mediacore.flow.script import QuickJs
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.documents import inline_document
from mediacore.runtime.ports import Command
from mediacore.runtime.settings import RunSettings
from mediacore.runtime.state import Line, RunState
from mediacore.runtime.step import begin_document, incoming, step
from mediacore.runtime.timers import next_deadline

pytest.importorskip("pytest_benchmark")

MAIN = [
    {"answer": {}},
    {"record_call": {"stereo": True}},
    {"set": {"who": "${call.from}", "choice": ""}},
    {"prompt": {"play": "say:Press one for the agent.", "max_digits": 1}},
    {"switch": {"variable": "prompt_value", "case": {"1": [{"set": {"choice": "agent"}}]}}},
    {"cond": [{"when": "choice == 'agent'", "then": [{"play": "say:One moment."}]}]},
    {
        "ai": {
            "prompt": {"text": "You help callers with their orders. " * 20},
            "params": {"static_greeting": "Hello, how can I help?"},
            "SWAIG": {
                "defaults": {"web_hook_url": "https://app.example/tool"},
                "functions": [{"function": "look", "description": "Looks up an order."}],
            },
        }
    },
    {"play": "say:Goodbye."},
]
TURNS = 20
MS = 1000
OPENED_US = 1_060_000  # when the leg is opened, in `call`


class Caller:
    """Plays the outside of one call and keeps the times of its steps."""

    def __init__(self, js: QuickJs) -> None:
        settings = RunSettings(evaluator=js)
        self.now = 1_000_000
        self.state: RunState = incoming(
            settings, Line("L1", "phone", "inbound", "+1", "+2"), now=self.now, wall_us=0
        )
        self.times: list[int] = []
        self.acts: list[a.Action] = []

    def do(self, event: i.Event, ms: int = 20) -> None:
        self.now += ms * MS
        begin = time.thread_time_ns()
        self.state, self.acts = step(self.state, event, self.now)
        next_deadline(self.state)
        self.times.append(time.thread_time_ns() - begin)

    def media(self, kind: Callable[..., e.MediaEvent], *more: object, ms: int = 20) -> None:
        event = kind(7, self.now // 20_000 + ms // 20, self.at(ms), *more)
        self.do(i.Media("L1", event), ms)

    def at(self, ms: int = 20) -> int:
        """Sample of the leg's clock, `ms` from now."""
        return (self.now + ms * MS - OPENED_US) // 125

    def played(self) -> None:
        """What the last step asked to be played goes out."""
        for action in tuple(self.acts):
            if isinstance(action, a.StartPlay):
                ids = (action.utterance, action.generation)
            elif isinstance(action, a.Talk) and isinstance(action.action, Speak):
                ids = (action.action.utterance, action.action.generation)
                self.do(i.AgentResult(action.run, talk.SpeechReady(ids[0], 8000)))
                self.do(i.AgentResult(action.run, talk.SpeechSynthesised(ids[0], 8000)))
            else:
                continue
            self.media(e.PlayoutStarted, *ids, 0)
            self.media(e.UtteranceFinished, *ids, 8000, 8000, ms=1000)

    def turn(self) -> None:
        """The caller asks, the model answers in pieces."""
        run = self.state.run
        assert run is not None
        self.media(e.SpeechStarted, ms=200)
        for words in ("where", "where is", "where is my order"):
            self.do(i.Heard("L1", talk.TranscriptPartial(words, self.at())))
        self.media(e.SpeechEnded)
        self.do(i.Heard("L1", talk.TranscriptFinal("where is my order", self.at(), 0.9)))
        asked = [x for x in self.acts if isinstance(x, a.AskModel)]
        while not asked:
            self.do(i.Tick(), 50)
            asked = [x for x in self.acts if isinstance(x, a.AskModel)]
        generation = asked[-1].generation
        spoken: list[a.Action] = []
        for piece in ("It is on", " its way.", " You get it tomorrow."):
            self.do(i.AgentResult(run.id, talk.ReplyText(generation, piece)))
            spoken += self.acts
        self.do(i.AgentResult(run.id, talk.ReplyEnded(generation)))
        self.acts = spoken + self.acts
        self.played()


def call(js: QuickJs) -> Caller:
    """One call: a menu, a conversation of many turns with a controller, the end."""
    caller = Caller(js)
    caller.do(i.CallOffered("L1"))
    document = inline_document(MAIN, "bench")
    caller.state, _ = begin_document(caller.state, document, caller.now)
    caller.do(i.LineAnswered("L1", 7, 8000))
    caller.media(e.LegOpened)
    caller.acts = [a.StartPlay("x", "L1", 1, 0, ())]
    caller.played()
    caller.media(e.DigitReceived, "1", 100, DigitSource.EVENT)
    caller.played()
    caller.played()
    for turn in range(TURNS):
        caller.turn()
        allowed = frozenset({"control"})
        command = Command("s", "", allowed, "user_event", "L1", {"event": {"n": turn}})
        caller.do(i.CommandReceived(turn, command))
    caller.do(i.LineGone("L1", "hangup"))
    for op in caller.state.ops:
        caller.do(i.RecordingStored(op, ok=True))
    caller.do(i.Tick(), 1000)  # the conversation is settled a little later
    assert caller.state.over
    return caller


@pytest.fixture(scope="module")
def js() -> QuickJs:
    return QuickJs()


def test_call_with_document_and_agent(benchmark: Any, js: QuickJs) -> None:
    gc.collect()
    times = sorted(t for _ in range(30) for t in call(js).times)
    benchmark.extra_info["steps"] = len(times) // 30
    benchmark.extra_info["p50_us"] = times[len(times) // 2] / 1000
    benchmark.extra_info["p99_us"] = times[len(times) * 99 // 100] / 1000
    benchmark.extra_info["max_us"] = times[-1] / 1000
    benchmark(call, js)


def test_tick_with_nothing_due(benchmark: Any, js: QuickJs) -> None:
    caller = Caller(js)
    caller.do(i.CallOffered("L1"))
    caller.do(i.LineAnswered("L1", 7, 8000))
    benchmark(step, caller.state, i.Tick(), caller.now)


def test_refused_command(benchmark: Any, js: QuickJs) -> None:
    caller = Caller(js)
    caller.do(i.CallOffered("L1"))
    command = Command("s", "", frozenset({"control"}), "play", "L1", {"play": []})
    benchmark(step, caller.state, i.CommandReceived(1, command), caller.now)
