"""The way into the conversation, and what passes straight through to the line."""

from mediacore.call.actions import LogDecision, Speak, TurnCompleted
from mediacore.call.context import ContextEntry, Role
from mediacore.call.inputs import LineSaid, SttFailed, TranscriptFinal, Wake
from mediacore.errors import ErrorClass
from mediacore.runtime import actions as a
from mediacore.runtime import talking
from mediacore.runtime.draft import Draft
from support.run_sim import RunSim, agent

HINT = {"hint": "Ada", "pattern": "\\bayda\\b", "replace": "Ada", "ignore_case": True}


def test_speech_goes_to_the_line_and_its_characters_are_counted():
    sim = RunSim(agent()).run(2000)
    d = Draft(sim.state, sim.now)
    talking.feed(d, LineSaid("Twelve chars"))
    (said,) = [x.action for x in d.actions if isinstance(x, a.Talk) and type(x.action) is Speak]
    assert said.text == "Twelve chars"
    assert d.run.spoken_chars == sim.ai.spoken_chars + 12
    assert [type(decision) for _, decision in d.decisions] == [Speak]


def test_decisions_become_log_entries_without_words():
    sim = RunSim(agent()).run(2000)
    sim.says("A very special word.")
    assert not any(isinstance(x, LogDecision) for x in sim.actions)
    assert sim.logs("endpoint")
    assert "special" not in repr(sim.of(a.Log))


def test_recognised_words_are_corrected_by_the_hints():
    sim = RunSim(agent(hints=[HINT])).run(2000)
    sim.says("I am Ayda today.")
    assert ("caller", "I am Ada today.") in sim.transcript()
    failed = SttFailed(ErrorClass.UNAVAILABLE)
    assert talking.corrected(sim.ai, failed) is failed
    plain = RunSim(agent(hints=["Ada"])).run(1000)
    heard = TranscriptFinal("ayda", 1)
    assert talking.corrected(plain.ai, heard) is heard


def test_nothing_reaches_a_conversation_that_is_not_there():
    sim = RunSim(agent()).run(2000)
    sim.ok("ai.stop")
    d = Draft(sim.state, sim.now)
    talking.feed(d, Wake())
    assert d.actions == [] and d.state is sim.state


def test_the_conversations_own_deadline_counts_only_while_it_runs():
    sim = RunSim(agent(), hooks={}).run(2000)
    assert talking.deadline_us(sim.ai) is not None
    document = agent({"function": "startup_hook", "web_hook_url": "http://app.example/"})
    opening = RunSim(document, hooks={"startup_hook": None})
    assert talking.deadline_us(opening.ai) is None


def test_what_is_kept_of_a_history_is_what_both_said():
    context = (
        ContextEntry(Role.SYSTEM, "note"),
        ContextEntry(Role.USER, "a"),
        ContextEntry(Role.ASSISTANT, ""),
        ContextEntry(Role.TOOL, "result", tool_call_id="c"),
        ContextEntry(Role.ASSISTANT, "b"),
    )
    assert [e.text for e in talking.summary_of(context)] == ["a", "b"]
    assert [e.text for e in talking.summary_of(context, 1)] == ["b"]


def test_every_turn_is_told_to_the_record():
    sim = RunSim(agent()).run(2000)
    sim.says("Hi.").run(2000)
    turns = [x.action.turn for x in sim.of(a.Talk) if isinstance(x.action, TurnCompleted)]
    assert [t.index for t in turns] == [0, 1, 2]
