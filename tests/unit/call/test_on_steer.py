"""Whole conversations: what somebody asks of them from outside."""

from dataclasses import replace

import pytest

from mediacore.call import (
    CallSettings,
    CallTool,
    ConversationOver,
    ConversationStopped,
    CutPlayout,
    FillerGiven,
    HistoryChanged,
    HoldEnded,
    HoldOver,
    HoldStarted,
    LineSaid,
    NoteGiven,
    Phase,
    Role,
    SettingsChanged,
    Speak,
    StartReply,
    TextGiven,
    ToolFinished,
    TurnSettings,
    context_so_far,
)
from mediacore.call.context import INTERRUPTED_RESULT, ContextEntry, ToolRequest
from mediacore.call.record import UtteranceKind
from mediacore.events import DigitReceived, DigitSource
from support.call_sim import Delay, Hang, Sim, Tool

PLAIN = CallSettings(turn=TurnSettings(speculative=False), dead_air_ms=0)
LONG = "A reply that is long enough to be interrupted in the middle of it."


def asked(settings: CallSettings = PLAIN, **fields) -> Sim:
    return Sim(settings, **fields).caller_says("Where is my order?", 1000, 1000)


# --------------------------------------------------------------------------- texts, lines, notes


def test_a_given_text_is_answered_like_the_callers_words():
    sim = Sim(PLAIN, replies=[["It is on its way."]]).run(1000)
    sim.send(TextGiven(" Where is it? "))
    sim.run(5000)
    assert sim.contexts == [(("user", "Where is it?"),)]
    assert sim.heard() == [("caller", "Where is it?"), ("agent", "It is on its way.")]
    sim.send(TextGiven("  "))
    assert len(sim.contexts) == 1


def test_a_given_text_waits_for_the_agents_turn():
    sim = asked(replies=[[LONG], ["And that."]]).run(3500)
    assert sim.state.phase is Phase.SPEAKING
    sim.send(TextGiven("And the other one?"))
    assert len(sim.contexts) == 1
    sim.run(12_000)
    assert ("agent", LONG) in sim.heard()
    assert sim.contexts[1][-1] == ("user", "And the other one?")


def test_a_given_text_waits_for_the_caller_too():
    sim = asked(replies=[["One."], ["Two."]]).run(1500)
    sim.send(TextGiven("And the other one?"))
    sim.run(9000)
    assert [c[-1][1] for c in sim.contexts] == ["Where is my order?", "And the other one?"]


def test_a_line_is_said_at_once_when_nobody_speaks():
    sim = Sim(PLAIN).run(1000)
    sim.send(LineSaid("We close in ten minutes."))
    assert [(a.text, a.kind) for a in sim.of(Speak)] == [
        ("We close in ten minutes.", UtteranceKind.SAY)
    ]
    sim.run(4000)
    assert sim.context() == [(Role.ASSISTANT, "We close in ten minutes.")]
    assert sim.state.phase is Phase.LISTENING


def test_a_line_joins_the_open_turn():
    sim = asked(replies=[["It is here."]]).run(2900)
    sim.send(LineSaid("And we close soon.", interruptible=False))
    sim.run(8000)
    assert sim.spoken() == ["It is here.", "And we close soon."]
    assert sim.of(Speak)[1].kind is UtteranceKind.SCRIPT
    assert sim.of(Speak)[1].generation == sim.of(Speak)[0].generation
    assert sim.heard()[1] == ("agent", "It is here. And we close soon.")


def test_a_line_while_the_caller_speaks_comes_before_the_answer():
    sim = asked(replies=[["It is here."]]).run(1500)
    sim.send(LineSaid("One thing first."))
    assert sim.spoken() == []
    sim.run(8000)
    assert sim.spoken() == ["One thing first.", "It is here."]


def test_a_line_after_the_goodbye_is_refused():
    sim = asked(replies=[["Goodbye to you, dear caller.", Hang()]]).run(3200)
    sim.send(LineSaid("And another thing."))
    sim.run(9000)
    assert " ".join(sim.spoken()) == "Goodbye to you, dear caller."
    assert sim.verdicts("say") == ["refused"]


def test_a_line_is_not_the_reply():
    sim = asked(replies=[[Delay(1000)]]).run(2600)
    sim.send(LineSaid("Just so you know."))
    sim.run(6000)
    assert sim.spoken() == ["Just so you know.", PLAIN.lines.recoveries[0]]


def test_a_note_goes_into_the_context_and_is_answered_on_request():
    sim = Sim(PLAIN, replies=[["Let us talk about boats."]]).run(500)
    sim.send(NoteGiven(Role.SYSTEM, "Talk about boats."))
    assert sim.contexts == []
    sim.send(NoteGiven(Role.USER, "Hello."))
    sim.send(NoteGiven(Role.USER, "Go on.", respond=True))
    assert sim.contexts == [(("system", "Talk about boats."), ("user", "Hello. Go on."))]
    sim.send(NoteGiven(Role.TOOL, "nothing"))
    assert sim.verdicts("note")[-1] == "refused"


def test_a_note_while_the_agent_speaks_is_answered_after_it():
    sim = asked(replies=[["It is here."], ["Boats, then."]]).run(3000)
    sim.send(NoteGiven(Role.SYSTEM, "Talk about boats.", respond=True))
    sim.run(8000)
    assert sim.spoken() == ["It is here.", "Boats, then."]


def test_a_note_makes_a_speculative_reply_void():
    settings = replace(PLAIN, turn=TurnSettings())
    sim = Sim(settings, replies=[["Wrong."], ["Right then."]])
    sim.caller_says("I want a table", 1000, 1000).run(2400)
    sim.send(NoteGiven(Role.SYSTEM, "No tables left."))
    sim.run(6000)
    assert sim.spoken() == ["Right then."]
    assert sim.contexts[-1] == (("system", "No tables left."), ("user", "I want a table"))


def test_settings_can_change_in_the_middle():
    sim = asked(replies=[[LONG]]).run(3500)
    armed = sim.state.armed
    sim.send(SettingsChanged(replace(PLAIN, barge=replace(PLAIN.barge, reply=PLAIN.barge.script))))
    assert sim.state.armed != armed


# ---------------------------------------------------------------------------------- the history


def test_another_history_counts_for_the_next_reply():
    sim = Sim(PLAIN).run(500)
    sim.send(HistoryChanged((ContextEntry(Role.USER, "We spoke before."),), respond=True))
    assert sim.contexts == [(("user", "We spoke before."),)]


def test_a_history_never_has_a_result_without_a_call_or_a_call_without_a_result():
    sim = Sim(PLAIN).run(500)
    call = ToolRequest("t1", "look_up", "{}")
    sim.send(
        HistoryChanged(
            (
                ContextEntry(Role.TOOL, "orphan", tool_call_id="t0"),
                ContextEntry(Role.ASSISTANT, "", (call,)),
                ContextEntry(Role.USER, "Hello?"),
            )
        )
    )
    assert sim.context() == [
        (Role.ASSISTANT, ""),
        (Role.TOOL, INTERRUPTED_RESULT),
        (Role.USER, "Hello?"),
    ]


@pytest.mark.parametrize("forget", [False, True])
def test_the_open_turn_can_be_forgotten_with_the_history(forget):
    sim = asked(replies=[["I look.", Tool("t1")], ["Here it is."]], tools={"t1": (1500, "found")})
    sim.run(3000)
    sim.send(HistoryChanged((), forget_open=forget))
    sim.run(9000)
    kept = [(Role.ASSISTANT, "I look."), (Role.TOOL, "found"), (Role.ASSISTANT, "Here it is.")]
    assert sim.context() == kept  # the tool ran still: its round stays whole
    sim.send(TextGiven("And now?"))
    sim.run(12_000)
    sim.send(HistoryChanged((), forget_open=True))
    assert sim.context() == []


def test_what_a_finished_round_said_is_forgotten():
    sim = asked(replies=[["I look.", Tool("t1")], [Delay(800), "Here it is."]])
    sim.run(3200)
    assert len(sim.contexts) == 2
    sim.send(HistoryChanged((), forget_open=True))
    sim.run(9000)
    assert sim.context() == [(Role.ASSISTANT, "Here it is.")]


# ----------------------------------------------------------------------------------------- tools


def test_a_tool_may_want_no_reply():
    sim = asked(replies=[["I do it.", Tool("t1")]]).run(2600)
    generation = sim.of(CallTool)[0].generation
    sim.send(ToolFinished(generation, "t1", "done", respond=False))
    sim.run(8000)
    assert len(sim.contexts) == 1
    assert sim.state.phase is Phase.LISTENING
    assert (Role.TOOL, "done") in sim.context()


def test_one_of_two_tools_that_wants_a_reply_gets_it():
    sim = asked(replies=[[Tool("a"), Tool("b")], ["Done."]], tools={"b": (900, "two")}).run(2580)
    sim.send(ToolFinished(sim.of(CallTool)[0].generation, "a", "one", respond=False))
    sim.run(8000)
    assert len(sim.contexts) == 2


def test_a_result_can_be_replaced_in_the_history():
    sim = asked(replies=[["I look.", Tool("t1")], ["Here it is."]], tools={"t1": (9000, "")})
    sim.run(3000)
    generation = sim.of(CallTool)[0].generation
    sim.send(ToolFinished(generation, "t1", "a long list", replaced_by="The list was shown."))
    sim.run(9000)
    assert ("tool", "a long list") in sim.contexts[1]
    assert sim.context()[1:] == [
        (Role.ASSISTANT, "I look. The list was shown."),
        (Role.ASSISTANT, "Here it is."),
    ]


def test_tools_can_wait_for_the_words_before_them():
    sim = asked(replace(PLAIN, tools_wait=True), replies=[["I look it up.", Tool("t1")], ["Ok."]])
    sim.run(3000)
    assert sim.of(CallTool) == []
    sim.run(8000)
    assert [a.id for a in sim.of(CallTool)] == ["t1"]
    assert sim.times(CallTool)[0] >= 2400 + 150 + len("I look it up.") * 60
    assert sim.spoken() == ["I look it up.", "Ok."]


def test_a_filler_of_a_tool_is_said_when_the_agent_is_silent():
    sim = asked(replies=[[Tool("t1")], ["Here."]], tools={"t1": (2000, "x")}).run(2600)
    generation = sim.of(CallTool)[0].generation
    sim.send(FillerGiven(generation, "Let me look in the book."))
    sim.send(FillerGiven(generation, "And again."))
    sim.run(8000)
    assert sim.spoken() == ["Let me look in the book.", "Here."]
    assert sim.verdicts("filler") == ["say", "skip"]


def test_a_long_wait_gets_a_few_fillers():
    settings = replace(PLAIN, max_fillers=3, filler_again_ms=3000)
    sim = asked(settings, replies=[[Tool("t1")], ["Here."]], tools={"t1": (14_000, "x")})
    sim.run(25_000)
    assert sim.spoken() == [*PLAIN.lines.fillers, "Here."]


# ------------------------------------------------------------------------------------------ hold


def on_hold(limit_ms: int = 0) -> Sim:
    sim = asked(replies=[[LONG], ["Yes?"]]).run(3500)
    sim.send(HoldStarted(limit_ms))
    return sim.run(3600)


def test_hold_silences_the_agent_at_once_and_keeps_what_was_heard():
    sim = on_hold()
    assert sim.times(CutPlayout) == [3500]
    assert sim.state.phase is Phase.ON_HOLD
    assert sim.context()[0] == (Role.USER, "Where is my order?")
    assert LONG.startswith(sim.context()[1][1])
    sim.run(120_000)
    assert sim.state.phase is Phase.ON_HOLD
    assert sim.spoken() == [LONG]


def test_nothing_is_heard_or_said_on_hold():
    sim = on_hold()
    sim.caller_says("Is anybody there?", 4000, 1000).run(6000)
    sim.media(DigitReceived, digit="1", duration_ms=80, source=DigitSource.EVENT)
    sim.send(LineSaid("Psst."))
    sim.send(HoldEnded("Here I am again."))
    sim.run(12_000)
    assert sim.spoken() == [LONG, "Here I am again."]
    assert len(sim.contexts) == 1
    assert sim.state.phase is Phase.LISTENING


def test_texts_and_notes_given_on_hold_are_answered_after_it():
    sim = on_hold()
    sim.send(TextGiven("I am back."))
    assert len(sim.contexts) == 1
    sim.send(HoldEnded())
    assert sim.contexts[1][-1] == ("user", "I am back.")


def test_a_hold_has_a_limit_that_can_be_renewed():
    sim = on_hold(5000).run(7000)
    sim.send(HoldStarted(5000))
    sim.run(9000)
    assert sim.of(HoldOver) == []
    sim.run(20_000)
    assert sim.times(HoldOver) == [12_000]
    assert sim.spoken()[-1] == PLAIN.lines.hold_over


def test_a_tool_result_on_hold_is_only_kept():
    sim = asked(replies=[["I look.", Tool("t1")]], tools={"t1": (3000, "found")}).run(3000)
    sim.send(HoldStarted())
    sim.run(9000)
    assert (Role.TOOL, "found") in sim.context()
    assert len(sim.of(StartReply)) == 1


def test_a_caller_who_speaks_when_the_hold_ends_has_the_floor():
    sim = on_hold()
    sim.caller_says("So are you there now?", 4000, 2000).run(5000)
    sim.send(HoldEnded())
    assert sim.state.phase is Phase.CALLER_SPEAKING
    sim.run(12_000)
    assert sim.contexts[1][-1] == ("user", "So are you there now?")


def test_a_hold_that_ends_before_the_cut_is_confirmed_is_none():
    sim = asked(replies=[[LONG]]).run(3500)
    sim.send(HoldEnded())
    assert sim.state.counts.illegal == 1
    sim.send(HoldStarted())
    sim.send(HoldEnded("Sorry."))
    sim.run(8000)
    assert sim.state.phase is Phase.LISTENING
    assert sim.spoken() == [LONG, "Sorry."]
    assert "on" not in sim.verdicts("hold")


def test_a_goodbye_that_is_put_on_hold_can_come_once_more():
    sim = asked(replies=[["Goodbye to you, dear caller.", Hang()], ["Bye then.", Hang()]])
    sim.run(3500)
    sim.send(HoldStarted())
    sim.run(3600)
    assert sim.state.phase is Phase.ON_HOLD
    sim.send(HoldEnded())
    sim.send(TextGiven("So?"))
    sim.run(3900)
    sim.send(HoldStarted())
    assert sim.verdicts("hold")[-1] == "refused"
    sim.run(9000)
    assert len(sim.of(ConversationOver)) == 1


def test_time_that_is_up_on_hold_ends_the_call_without_a_word():
    sim = asked(replace(PLAIN, max_call_ms=8000), replies=[[LONG]]).run(3500)
    sim.send(HoldStarted())
    sim.run(30_000)
    assert sim.spoken() == [LONG]
    assert sim.of(ConversationOver) == [ConversationOver("max_duration")]
    assert sim.times(ConversationOver) == [8000]


# ------------------------------------------------------------------------------------------ stop


@pytest.mark.parametrize("hangup", [False, True])
def test_stopping_now_cuts_the_agent(hangup):
    sim = asked(replies=[[LONG]]).run(3500)
    sim.send(ConversationStopped("stop", now=True, hangup=hangup))
    assert sim.times(CutPlayout) == [3500]
    sim.run(3600)
    assert sim.of(ConversationOver) == [ConversationOver("stop", hangup)]
    heard = sim.heard()[-1][1]
    assert heard
    assert heard != LONG
    assert sim.context()[-1] == (Role.ASSISTANT, heard)


def test_stopping_later_lets_the_turn_be_played():
    sim = asked(replies=[[LONG]]).run(3500)
    sim.send(ConversationStopped("transfer", now=False))
    sim.caller_says("No, wait a moment please.", 4000, 1500).run(12_000)
    assert ("agent", LONG) in sim.heard()
    assert sim.of(ConversationOver) == [ConversationOver("transfer", hangup=False)]


def test_stopping_later_waits_for_the_reply_to_the_tool():
    sim = asked(
        replies=[["I look.", Tool("t1")], ["I will put you through."]],
        tools={"t1": (4000, "x")},
    ).run(4500)
    sim.send(ConversationStopped("transfer", now=False))
    sim.run(5000)
    assert sim.state.phase is Phase.CLOSING
    sim.run(12_000)
    assert sim.spoken()[-1] == "I will put you through."
    assert sim.of(ConversationOver) == [ConversationOver("transfer", hangup=False)]
    assert sim.context()[-1] == (Role.ASSISTANT, "I will put you through.")


@pytest.mark.parametrize("at_ms", [500, 1500, 2250])
@pytest.mark.parametrize("now", [True, False])
def test_stopping_while_the_agent_is_silent_ends_at_once(at_ms, now):
    sim = asked().run(at_ms)
    sim.send(ConversationStopped("stop", now=now))
    assert sim.times(ConversationOver) == [at_ms]
    said = [e.text for e in context_so_far(sim.state)]
    assert said == ([] if at_ms == 500 else [sim.heard()[0][1]])


def test_stopping_during_a_goodbye_adds_no_second_one():
    sim = asked(replies=[["Goodbye to you, dear caller.", Hang()]]).run(3500)
    sim.send(ConversationStopped("stop", now=False))
    sim.run(9000)
    assert " ".join(sim.spoken()) == "Goodbye to you, dear caller."
    assert sim.of(ConversationOver) == [ConversationOver("stop", hangup=False)]
