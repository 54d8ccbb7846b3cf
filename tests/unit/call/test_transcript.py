from dataclasses import replace

from mediacore.call import Role, ToolRequest, initial_state, turns_so_far
from mediacore.call.context import INTERRUPTED_RESULT
from mediacore.call.ledger import Utterance, cut, finish, start, with_total
from mediacore.call.record import Speaker, UtteranceKind
from mediacore.call.state import AgentTurn, CallerTurn, Stamps, ToolUse
from mediacore.call.transcript import agent_entries, agent_turn, caller_turn, latency
from support.call_sim import CallSettings, Sim

REPLY = UtteranceKind.REPLY


def turn(*utterances, **fields) -> AgentTurn:
    return AgentTurn(1, REPLY, 0, utterances=utterances, **fields)


def said(number: int, text: str, round_: int = 0, kind=REPLY) -> Utterance:
    utt = start(with_total(Utterance(number, 1, kind, text, round_), 8000), number * 10_000)
    return finish(utt, number * 10_000 + 8000, 8000, 8000)


def test_entries_follow_the_rounds_and_leave_fillers_out():
    agent = turn(
        said(1, "Let me see."),
        said(2, "One moment.", kind=UtteranceKind.FILLER),
        said(3, "It is here.", 1),
        round=1,
        tools=(ToolUse(ToolRequest("t", "find", "{}"), 0, "here"),),
    )
    entries = agent_entries(initial_state(), agent, heard=True)
    assert [(e.role, e.text) for e in entries] == [
        (Role.ASSISTANT, "Let me see."),
        (Role.TOOL, "here"),
        (Role.ASSISTANT, "It is here."),
    ]
    assert entries[0].tool_calls[0].name == "find"
    assert entries[1].tool_call_id == "t"


def test_unheard_text_is_left_out_and_open_tools_are_marked():
    unheard = Utterance(1, 1, REPLY, "Never played.")
    agent = turn(unheard, tools=(ToolUse(ToolRequest("t", "find", "{}"), 0),))
    heard = agent_entries(initial_state(), agent, heard=True)
    assert [(e.role, e.text) for e in heard] == [
        (Role.ASSISTANT, ""),
        (Role.TOOL, INTERRUPTED_RESULT),
    ]
    assert agent_entries(initial_state(), agent, heard=False)[0].text == "Never played."
    assert agent_entries(initial_state(), turn(unheard), heard=True) == ()


def test_the_agents_turn_spans_its_audio():
    state = initial_state()
    half = start(with_total(Utterance(2, 1, REPLY, "two words"), 8000), 20_000)
    done = agent_turn(
        state, turn(said(1, "One."), cut(half, 22_000, 2000, 2000, "barge_in")), 4, at=1
    )
    assert (done.index, done.speaker, done.start, done.end) == (4, Speaker.AGENT, 10_000, 22_000)
    assert done.was_cut
    open_turn = agent_turn(state, turn(half), 0, at=1)
    assert (open_turn.start, open_turn.end) == (20_000, None)
    unplayed = agent_turn(state, turn(Utterance(1, 1, REPLY, "x")), 0, at=77)
    assert (unplayed.start, unplayed.end) == (77, 77)


def test_the_callers_turn_spans_the_speech():
    state = initial_state()
    caller = CallerTurn(started_at=100, ended_at=900, earlier="a", finals=("b",))
    done = caller_turn(state, caller, 2)
    assert (done.start, done.end, done.text) == (100, 900, "a b")
    assert caller_turn(state, replace(caller, recorded=True), 2).text == "b"
    assert caller_turn(state, replace(caller, speaking=True), 2).end is None
    assert caller_turn(state, CallerTurn(digits="1"), 0).start == 0


def test_latency_is_relative_to_the_end_of_speech():
    assert latency(Stamps()) is None
    stamps = latency(Stamps(caller_end_at=8000, caller_end_us=5000, endpoint_us=9000))
    assert stamps is not None
    assert (stamps.caller_end, stamps.endpoint_us, stamps.stt_final_us) == (8000, 4000, None)


def test_open_turns_are_part_of_the_transcript():
    sim = Sim(CallSettings(greeting="Hello, this is the line for all orders."))
    sim.caller_says("Where is my order", 5000, 2000).run(1000)
    assert [t.end for t in turns_so_far(sim.state)] == [None]
    sim.run(6500)
    assert sim.heard()[1] == ("caller", "Where is")
