"""The graveyard of races: what went wrong in other systems, and once in this one, by name.

Each test is a short script of events against the call's reducer. The five classic cases come
first, then what was observed in frameworks and engines of this kind, then what the simulator found
here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from mediacore.call import actions as talk
from mediacore.call.context import Role
from mediacore.call.inputs import (
    ReplyEnded,
    ReplyHangup,
    ReplyText,
    ReplyToolCall,
    SpeechSynthesised,
    TranscriptFinal,
)
from mediacore.call.record import UtteranceKind
from mediacore.call.state import Phase
from mediacore.events import (
    CutCause,
    DigitReceived,
    DigitSource,
    LegOpened,
    MediaLost,
    PlayoutCut,
    PlayoutPaused,
    PlayoutStarted,
    SpeechEnded,
    SpeechStarted,
    UtteranceFinished,
)
from mediacore.flow.script import QuickJs
from mediacore.policy.budget import Budget
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.documents import inline_document
from mediacore.runtime.ports import Answer, Command
from mediacore.runtime.state import DialData, Line
from mediacore.runtime.step import begin_document, incoming, step
from mediacore.runtime.timers import next_deadline
from mediacore.simulate.controllers import PROJECT
from mediacore.simulate.scenarios import agent, scenarios, settings

MAIN = "call"
CUT = 1 << 32
PHONE = {"type": "phone", "params": {"to_number": "+1888", "timeout": 5}}
TTS = [{"type": "tts", "params": {"text": "a message"}}]
AGENT = [{"answer": {}}, agent(params={"wait_for_user": True})]


class Script:
    """A call that was answered. Times in ms; actions of all steps are in `done`."""

    def __init__(self, statements: list[Any] | None = None, **changes: Any) -> None:
        rules = replace(settings(QuickJs()), **changes)
        self.now = 1_000_000
        self.begun = self.now
        self.done: list[a.Action] = []
        self.requests = 0
        line = Line(MAIN, "phone", "inbound", "+1555", "+1666")
        self.state = incoming(rules, line, now=self.now, wall_us=self.now)
        self.on(i.CallOffered(MAIN))
        if statements is not None:
            document = inline_document(statements, "script")
            self.state, actions = begin_document(self.state, document, self.now)
            self.done += actions
        else:
            self.order("answer")
        self.on(i.LineAnswered(MAIN, 1, 8000))
        self.media(LegOpened)

    def on(self, event: i.Event, after_ms: int = 0) -> list[a.Action]:
        """One event; what was done about it."""
        self.now += after_ms * 1000
        self.state, actions = step(self.state, event, self.now)
        actions = [x for x in actions if not isinstance(x, a.Log)]
        self.done += actions
        return actions

    def wait(self, ms: int) -> list[a.Action]:
        """Time passes."""
        until, actions = self.now + ms * 1000, []
        while (due := next_deadline(self.state)) is not None and due <= until:
            self.now = max(due, self.now)
            actions += self.on(i.Tick())
        self.now = until
        return actions

    def media(self, kind: Callable[..., Any], *more: object, line: str = MAIN) -> list[a.Action]:
        at = (self.now - self.begun) // 125
        return self.on(i.Media(line, kind(1, at // 160, at, *more)))

    def order(self, method: str, who: str = "anna", **params: Any) -> Answer:
        """A controller's command."""
        version = params.pop("version", None)
        call = params.pop("call", MAIN)
        self.requests += 1
        command = Command(who, PROJECT, frozenset({"control"}), method, call, params, version)
        done = self.on(i.CommandReceived(self.requests, command))
        [answer] = [x.answer for x in done if isinstance(x, a.AnswerCommand)]
        return answer

    def caller(self, text: str, ms: int = 900) -> list[a.Action]:
        """The caller says something and is silent until the turn is theirs no more."""
        done = self.media(SpeechStarted)
        self.now += ms * 1000
        done += self.media(SpeechEnded)
        at = (self.now - self.begun) // 125
        done += self.on(i.Heard(MAIN, TranscriptFinal(text, at, 0.9)))
        return done + self.wait(1000)

    def reply(self, generation: int, text: str = "", *calls: str) -> list[a.Action]:
        """The model answers: text, tools, end."""
        done: list[a.Action] = []
        if text:
            done += self.agent(ReplyText(generation, text))
        for name in calls:
            done += self.agent(ReplyToolCall(generation, name, "look", "{}"))
        return done + self.agent(ReplyEnded(generation))

    def agent(self, result: Any) -> list[a.Action]:
        return self.on(i.AgentResult(self.run.id, result))

    def tool(self, name: str, generation: int, **action: Any) -> list[a.Action]:
        reply = {"response": "done", "action": [action]}
        return self.on(i.ToolReplied(self.run.id, generation, name, True, reply))

    def played(self, utterance: int, generation: int, samples: int) -> list[a.Action]:
        """The core plays an utterance from its beginning to its end."""
        done = self.media(PlayoutStarted, utterance, generation, 0)
        self.now += samples * 125
        return done + self.media(UtteranceFinished, utterance, generation, samples, samples)

    def play_all(self) -> list[a.Action]:
        """The core plays what the agent has to say."""
        done: list[a.Action] = []
        while self.run.talk.agent is not None and self.run.talk.agent.outstanding:
            said = next(u for u in self.run.talk.agent.utterances if not u.state.final)
            done += self.played(said.id, said.generation, 4000)
        return done

    def cut(self, utterance: int, generation: int, position: int) -> list[a.Action]:
        """The core reports a cut."""
        after = ((generation >> 32) + 1) << 32
        cause = CutCause.BARGE_IN
        return self.media(PlayoutCut, utterance, generation, position, after, 0, cause, position)

    @property
    def run(self) -> Any:
        assert self.state.run is not None
        return self.state.run

    @property
    def context(self) -> list[tuple[str, str]]:
        """What the model knows was said."""
        said = [e for e in self.run.talk.context if e.role in (Role.USER, Role.ASSISTANT)]
        return [(e.role.value, e.text) for e in said]


def of(actions: list[a.Action], kind: type[Any]) -> list[Any]:
    return [x for x in actions if isinstance(x, kind)]


def spoken(actions: list[a.Action]) -> list[talk.Speak]:
    return [x.action for x in of(actions, a.Talk) if isinstance(x.action, talk.Speak)]


def talked(actions: list[a.Action], kind: type[Any]) -> list[Any]:
    return [x.action for x in of(actions, a.Talk) if isinstance(x.action, kind)]


def asked(actions: list[a.Action]) -> int:
    """The generation that a reply was asked for."""
    return int(of(actions, a.AskModel)[-1].generation)


def told(actions: list[a.Action], kind: str) -> list[Mapping[str, Any]]:
    return [x.params for x in of(actions, a.Publish) if x.event_type == f"calling.call.{kind}"]


# ------------------------------------------------------------------------- the five cases


def test_zombie_call_whose_hang_up_was_lost() -> None:
    """The hang-up never came, so the call stayed for many minutes and went on costing money."""
    call = Script(AGENT)
    call.media(MediaLost, 500)
    call.wait(settings(QuickJs()).media_lost_ms + 3_000)
    assert call.state.over
    assert next_deadline(call.state) is None
    assert of(call.done, a.EndRun)
    assert of(call.done, a.CallOver)


def test_dead_call_does_nothing_more() -> None:
    """Work that was under way at the hang-up was still carried out on the dead call."""
    call = Script(AGENT)
    generation = asked(call.caller("what is my balance?"))
    run = call.run.id
    call.reply(generation, "", "t")
    call.on(i.LineGone(MAIN, "hangup"))
    call.wait(1_000)
    assert call.state.over
    dead = call.state
    late = (
        i.ToolReplied(run, generation, "t", True, {"action": [{"hangup": True}]}),
        i.AgentResult(run, ReplyText(generation, "Hello?")),
        i.LineGone(MAIN, "hangup"),
        i.Tick(),
    )
    assert [call.on(event) for event in late] == [[], [], [], []]
    assert replace(call.state, refused={}) == replace(dead, refused={})
    assert call.order("play", control_id="p", play=TTS).code == "410"


def test_double_update_of_the_calls_data() -> None:
    """Two tools read the same data, and the one that wrote last undid what the other wrote."""
    call = Script(AGENT)
    generation = asked(call.caller("what is my balance?"))
    call.reply(generation, "", "one", "two")
    call.tool("two", generation, set_global_data={"b": 2})
    call.order("ai_message", global_data={"c": 3})
    call.tool("one", generation, set_global_data={"a": 1})
    call.tool("one", generation, set_global_data={"a": 99})
    assert call.run.session.global_data == {"first": 1, "a": 1, "b": 2, "c": 3}


def test_stale_response_after_an_interruption() -> None:
    """The answer to the question before was spoken after the caller had asked another one."""
    call = Script(AGENT)
    first = asked(call.caller("what is my balance?"))
    second = asked(call.caller("no wait, who are you?"))
    assert second > first
    assert not spoken(call.reply(first, "Your balance is ten."))
    [said] = spoken(call.reply(second, "I am the assistant."))
    assert (said.text, said.generation) == ("I am the assistant.", second)


@pytest.mark.parametrize("answers_first", [True, False])
def test_phantom_transfer_to_a_party_without_a_caller(answers_first: bool) -> None:
    """The caller hung up while the target rang, and the target answered to nobody."""
    call = Script([{"answer": {}}, {"connect": {"to": "+1777", "timeout": 20}}])
    [dial] = of(call.done, a.DialLine)
    answered = i.LineAnswered(dial.line, 2, 8000)
    if answers_first:
        assert of(call.on(answered), a.JoinLines)
    ended = [x.line for x in of(call.on(i.LineGone(MAIN, "hangup")), a.EndLine)]
    assert set(ended) == {MAIN, dial.line}
    assert call.state.over
    if not answers_first:
        assert call.on(answered) == [a.EndLine(dial.line, "cancel")]


def test_concurrent_agents_want_the_same_call() -> None:
    """Two workers accepted the same job in one window, and both took the call."""
    call = Script()
    version = call.state.version
    prompt = {"prompt": {"text": "help"}}
    codes = [
        call.order("ai", "anna", control_id="x", version=version, **prompt).code,
        call.order("ai", "ben", control_id="y", version=version, **prompt).code,
        call.order("ai", "cleo", control_id="z", **prompt).code,
    ]
    assert codes == ["200", "409", "409"]
    assert len(of(call.done, a.BeginRun)) == 1


def test_lease_keeps_others_out_until_its_holder_is_gone() -> None:
    """A supervisor and a program steered the same call against each other."""
    call = Script()
    assert call.order("lease", "anna", ttl=60).code == "200"
    assert call.order("play", "ben", control_id="p", play=TTS).code == "409"
    call.on(i.ControllerGone("anna"))
    assert call.order("play", "ben", control_id="p", play=TTS).code == "200"


# ------------------------------------------------------------- interruption and what was heard


def test_interruption_that_overtakes_words_already_released() -> None:
    """Words behind the cut stood in the history, and the agent later repeated itself."""
    call = Script(AGENT)
    generation = asked(call.caller("tell me a story."))
    text = "Once upon a time there was a king. "
    [first] = spoken(call.reply(generation, text))
    call.media(PlayoutStarted, first.utterance, generation, 0)
    call.now += 800_000
    call.media(SpeechStarted)
    call.media(PlayoutPaused, first.utterance, generation, 6400)
    call.now += 600_000
    call.cut(first.utterance, generation, 6400)
    [*_, (who, heard)] = call.context
    assert who == "assistant"
    assert text.startswith(heard)
    assert "king" not in heard
    assert "Once" in heard


def test_text_that_was_sent_but_not_spoken() -> None:
    """What was sent to synthesis counted as said, although the line ended before its sound."""
    call = Script(AGENT)
    generation = asked(call.caller("tell me a story."))
    [said] = spoken(call.reply(generation, "Once upon a time there was a king. "))
    call.agent(SpeechSynthesised(said.utterance, 16_000))
    call.on(i.LineGone(MAIN, "hangup"))
    call.wait(1_000)
    [payload] = of(call.done, a.DeliverPayload)
    assert all("Once" not in e.text for e in payload.run.talk.context)


def test_first_frame_queued_and_nothing_heard() -> None:
    """The audio was queued, the caller spoke first, and the whole text went into the history."""
    call = Script(AGENT)
    generation = asked(call.caller("what is my balance?"))
    call.reply(generation, "Your balance is ten. ")
    done = call.media(SpeechStarted)
    assert talked(done, talk.CutPlayout)
    call.cut(0, generation, 0)
    assert ("assistant", "Your balance is ten.") not in call.context
    assert not any(who == "assistant" for who, _ in call.context)


def test_pause_before_the_first_frame_keeps_the_reply() -> None:
    """A cough before the first sound lost the reply from the history, though it was played."""
    call = Script(AGENT)
    generation = asked(call.caller("what is my balance?"))
    [said] = spoken(call.reply(generation, "Your balance is ten. "))
    call.media(PlayoutStarted, said.utterance, generation, 0)
    call.media(SpeechStarted)
    call.media(PlayoutPaused, said.utterance, generation, 0)
    call.now += 200_000
    call.media(SpeechEnded)
    resumed = call.wait(3_000)
    assert talked(resumed, talk.ResumePlayout)
    call.media(UtteranceFinished, said.utterance, generation, 8000, 8000)
    assert call.context[-1] == ("assistant", said.text)


def test_transcript_of_the_previous_reply() -> None:
    """The heard text of a cut reply was taken from the reply before it."""
    call = Script(AGENT)
    first = asked(call.caller("what is my balance?"))
    [one] = spoken(call.reply(first, "Your balance is ten. "))
    call.played(one.utterance, first, 8000)
    second = asked(call.caller("and my limit?"))
    [two] = spoken(call.reply(second, "Your limit is one hundred. "))
    call.media(PlayoutStarted, two.utterance, second, 0)
    call.now += 300_000
    call.media(SpeechStarted)
    call.media(PlayoutPaused, two.utterance, second, 2400)
    call.cut(two.utterance, second, 2400)
    said = [text for who, text in call.context if who == "assistant"]
    assert said[0] == "Your balance is ten."
    assert len(said) == 1 or two.text.startswith(said[1])


def test_paused_speech_is_not_released_before_the_cut() -> None:
    """On a confirmed interruption parked audio leaked for a tenth of a second before the clear."""
    call = Script(AGENT)
    generation = asked(call.caller("what is my balance?"))
    [said] = spoken(call.reply(generation, "Your balance is ten. "))
    call.media(PlayoutStarted, said.utterance, generation, 0)
    call.media(SpeechStarted)
    call.media(PlayoutPaused, said.utterance, generation, 800)
    at = (call.now - call.begun) // 125
    done = call.on(i.Heard(MAIN, TranscriptFinal("no stop please.", at, 0.9)))
    assert talked(done, talk.CutPlayout)
    assert not talked(done, talk.ResumePlayout)


def test_cut_report_that_never_comes() -> None:
    """The far side's clear swallowed the marks, and the agent counted as speaking for minutes."""
    call = Script(AGENT)
    generation = asked(call.caller("what is my balance?"))
    [said] = spoken(call.reply(generation, "Your balance is ten. "))
    call.media(PlayoutStarted, said.utterance, generation, 0)
    call.media(DigitReceived, "1", 100, DigitSource.EVENT)
    assert call.run.talk.phase is Phase.PAUSED
    call.wait(call.state.settings.talk.cut_confirm_ms + 50)
    assert call.run.talk.agent is None or call.run.talk.agent.generation > generation
    assert call.run.talk.phase is not Phase.PAUSED


def test_barge_in_stops_the_play_it_was_meant_for() -> None:
    """A key flushed the announcement that came after the one the caller had answered."""
    call = Script()
    rules = {"digits": {"max": 1}, "initial_timeout": 5}
    call.order("play_and_collect", control_id="menu", play=TTS, collect=rules)
    call.order("play", control_id="next", play=TTS)
    [menu] = of(call.done, a.StartPlay)
    call.media(PlayoutStarted, menu.utterance, menu.generation, 0)
    done = call.media(DigitReceived, "1", 100, DigitSource.EVENT)
    [stopped], [started] = of(done, a.StopPlay), of(done, a.StartPlay)
    assert (stopped.op, started.op) == ("menu", "next")
    assert started.generation > stopped.generation


# ------------------------------------------------------------------------------ tool races


def test_tool_that_was_cancelled_before_it_had_started() -> None:
    """The caller interrupted while a tool ran; it counted as running for the rest of the call."""
    call = Script(AGENT)
    first = asked(call.caller("what is my balance?"))
    call.reply(first, "", "slow")
    second = asked(call.caller("no wait, who are you?"))
    call.tool("slow", first, set_global_data={"late": 1})
    assert call.run.jobs == ()
    assert call.run.session.global_data["late"] == 1
    assert spoken(call.reply(second, "I am the assistant."))


def test_tool_of_a_discarded_reply_is_not_run() -> None:
    """A reply that was asked for too early was thrown away, but its tool had been carried out."""
    call = Script(AGENT)
    call.media(SpeechStarted)
    call.now += 900_000
    call.media(SpeechEnded)
    at = (call.now - call.begun) // 125
    early = asked(call.on(i.Heard(MAIN, TranscriptFinal("what is my balance?", at, 0.9))))
    call.reply(early, "", "look")
    assert not of(call.done, a.RunTool)
    call.media(SpeechStarted)
    call.now += 900_000
    call.media(SpeechEnded)
    call.wait(200)
    assert not of(call.done, a.RunTool)


def test_tool_reply_that_comes_twice_acts_once() -> None:
    """A webhook was delivered twice, and so was what it ordered."""
    call = Script(AGENT)
    generation = asked(call.caller("what is my balance?"))
    call.reply(generation, "", "look")
    say = {"say": "Here it comes."}
    assert spoken(call.tool("look", generation, **say))
    assert call.tool("look", generation, **say) == []


# ------------------------------------------------------------------------------- the goodbye


def test_goodbye_is_said_once_whoever_wants_it() -> None:
    """Silence, the limit and the model each said goodbye, one over the other."""
    call = Script(AGENT)
    generation = asked(call.caller("that is all, goodbye."))
    call.agent(ReplyText(generation, "Goodbye. "))
    call.agent(ReplyHangup(generation))
    call.agent(ReplyEnded(generation))
    [said] = spoken(call.done)
    call.wait(60_000)
    closings = [s for s in spoken(call.done) if s.kind is UtteranceKind.CLOSING]
    assert closings == []
    assert said.text == "Goodbye."
    assert call.state.over


def test_call_ends_after_the_last_word_and_not_before() -> None:
    """The line was hung up while the last sentence was still in the queue."""
    call = Script(AGENT)
    generation = asked(call.caller("that is all, goodbye."))
    [said] = spoken(call.agent(ReplyText(generation, "Thank you, and goodbye. ")))
    call.agent(ReplyHangup(generation))
    assert not of(call.agent(ReplyEnded(generation)), a.EndLine)
    assert not of(call.media(PlayoutStarted, said.utterance, generation, 0), a.EndLine)
    done = call.media(UtteranceFinished, said.utterance, generation, 9000, 9000)
    assert of(done, a.EndLine)


def test_end_that_is_asked_for_twice_in_the_teardown() -> None:
    """An end lost in the teardown blocked the one that came after it."""
    call = Script([{"record_call": {"control_id": "r"}}, {"play": "say:hello"}])
    call.on(i.HangupAsked("shutdown"))
    assert next_deadline(call.state) is not None
    assert call.on(i.HangupAsked("operator")) == []
    call.on(i.LineGone(MAIN, "hangup"))
    call.wait(call.state.settings.closing_ms + 100)
    assert call.state.over
    ends = [p for p in told(call.done, "record") if p["state"] not in ("recording", "paused")]
    assert len(ends) == 1


# ---------------------------------------------------------------------------- transfer, hold


def test_hold_does_not_end_the_call() -> None:
    """Pressing hold ended the call, because the stream's direction changed."""
    call = Script(AGENT)
    assert call.order("hold").code == "200"
    assert call.order("hold").code == "409"
    call.wait(3_000)
    assert call.order("unhold").code == "200"
    assert not call.state.lines[MAIN].over
    assert asked(call.caller("are you there?"))


def test_two_targets_answer_in_the_same_instant() -> None:
    """Both were put through, and the caller heard two people."""
    call = Script([{"answer": {}}, {"connect": {"parallel": [{"to": "+1"}, {"to": "+2"}]}}])
    one, two = (x.line for x in of(call.done, a.DialLine))
    first = call.on(i.LineAnswered(one, 2, 8000))
    assert of(first, a.EndLine) == [a.EndLine(two, "cancel")]
    late = call.on(i.LineAnswered(two, 3, 8000))
    assert of(late, a.EndLine) == [a.EndLine(two, "cancel")]
    assert of(call.done, a.JoinLines) == [a.JoinLines(MAIN, one)]


# ---------------------------------------------------------------- found here by the simulator


def test_answer_that_is_told_twice() -> None:
    """A second report of the same answer hung up the line that was in use."""
    call = Script(AGENT)
    assert call.on(i.LineAnswered(MAIN, 1, 8000)) == []
    assert call.state.lines[MAIN].up


def test_transfer_wins_over_what_the_document_would_do_next() -> None:
    """The document behind the agent hung up before its transfer could begin."""
    call = Script([*AGENT, {"hangup": {}}])
    generation = asked(call.caller("give me a human."))
    call.reply(generation, "", "look")
    call.play_all()
    connect = {"sections": {"main": [{"connect": {"to": "+1777"}}]}}
    reply = {"response": "done", "action": [{"SWML": connect, "transfer": True}]}
    done = call.on(i.ToolReplied(call.run.id, generation, "look", True, reply))
    assert of(done, a.DialLine)
    assert not of(done, a.EndLine)


def test_caller_is_joined_only_once_they_have_media() -> None:
    """A controller connected a call that still rang, and the target was joined with silence."""
    rules = replace(settings(QuickJs()))
    line = Line(MAIN, "phone", "inbound", "+1555", "+1666")
    state = incoming(rules, line, now=1, wall_us=1)
    state, _ = step(state, i.CallOffered(MAIN), 1)
    params = {"devices": [[PHONE]]}
    command = Command("anna", PROJECT, frozenset({"control"}), "connect", MAIN, params)
    state, done = step(state, i.CommandReceived(1, command), 1)
    [dial] = of(done, a.DialLine)
    state, done = step(state, i.LineAnswered(dial.line, 2, 8000), 2)
    assert of(done, a.AnswerLine)
    assert not of(done, a.JoinLines)
    state, done = step(state, i.LineAnswered(MAIN, 1, 8000), 3)
    assert of(done, a.JoinLines) == [a.JoinLines(MAIN, dial.line)]


def test_inline_documents_variables_are_kept() -> None:
    """The document that waited for the agent wrote its old variables over the new ones."""
    call = Script([*AGENT, {"set": {"after": "1"}}, {"play": "say:bye"}])
    generation = asked(call.caller("what is my balance?"))
    call.reply(generation, "", "look")
    errand = {"sections": {"main": [{"set": {"inside": "1"}}]}}
    call.tool("look", generation, SWML=errand)
    call.order("ai.stop")
    assert {"inside", "after"} <= set(call.state.vars)


def test_announcement_that_stalled_is_not_heard_later() -> None:
    """The announcement of a prompt came too late, and spoke over what came after it."""
    call = Script([{"prompt": {"play": "say:press a key", "max_digits": 1}}, {"sleep": 100}])
    [play] = of(call.done, a.StartPlay)
    done = call.wait(call.state.settings.play_stall_ms + 100)
    assert a.StopPlay(play.op, MAIN, play.generation) in done


def test_agent_back_from_hold_has_the_voice_alone() -> None:
    """A hold ran out while a controller played something, and both spoke."""
    call = Script()
    call.order("ai", control_id="x", prompt={"text": "help"})
    assert call.order("ai_hold", timeout=3).code == "200"
    call.order("play", control_id="music", play=TTS)
    call.wait(2_000)
    music = of(call.done, a.StartPlay)[0]
    call.media(PlayoutStarted, music.utterance, music.generation, 0)
    done = call.wait(1_100)
    assert [p["state"] for p in told(done, "play")] == ["finished"]
    [back] = spoken(done)
    assert back.generation > music.generation


def test_time_limit_holds_without_a_conversation() -> None:
    """The call's seconds were watched only while an agent was on the line."""
    call = Script([{"answer": {}}, {"sleep": -1}], budget=Budget(seconds=10))
    done = call.wait(11_000)
    [goodbye] = of(done, a.StartPlay)
    assert goodbye.items[0].text == call.state.settings.limit_goodbye
    call.played(goodbye.utterance, goodbye.generation, 8000)
    call.wait(call.state.settings.closing_ms)
    assert call.state.over
    assert call.state.end_reason == "limit_call_seconds"


def test_agent_on_a_dialled_line_goes_with_it() -> None:
    """The conversation on a transfer target went on after the target's line was dropped."""
    call = Script()
    call.order("connect", devices=[[PHONE]])
    [dial] = of(call.done, a.DialLine)
    call.on(i.LineAnswered(dial.line, 2, 8000))
    prompt = {"text": "help"}
    assert call.order("ai", call=dial.line, control_id="x", prompt=prompt).code == "200"
    done = call.on(i.LineGone(MAIN, "hangup"))
    assert of(done, a.EndRun)
    call.wait(1_000)
    assert call.state.over


def test_second_connect_while_two_lines_are_joined() -> None:
    """A tool connected the caller to a second party while they talked to the first."""
    call = Script(AGENT)
    generation = asked(call.caller("give me a human."))
    call.reply(generation, "", "one", "two")
    connect = {"sections": {"main": [{"connect": {"to": "+1777"}}]}}
    call.tool("one", generation, SWML=connect)
    [dial] = of(call.done, a.DialLine)
    call.on(i.LineAnswered(dial.line, 2, 8000))
    call.tool("two", generation, SWML=connect)
    dials = [o for o in call.state.ops.values() if isinstance(o.data, DialData)]
    assert len(dials) == 1
    assert len(of(call.done, a.JoinLines)) == 1


def test_refused_command_changes_nothing() -> None:
    """A command with a bad parameter was refused after the agent had been thrown out."""
    call = Script(AGENT)
    before = call.state
    answer = call.order("connect", devices=[[PHONE]], ringback=["ring:zz:9:9"])
    assert answer.code == "400"
    assert replace(call.state, refused={}) == replace(before, refused={})
    assert not of(call.done, a.DialLine)


def test_money_of_the_day_that_is_never_answered_for() -> None:
    """The spend store hung, and the call went on speaking on credit."""
    prices = next(s.settings.money for s in scenarios(QuickJs()) if s.name == "day")
    call = Script(AGENT, money=prices)
    assert of(call.done, a.ReserveSpend)
    call.wait(5_100)
    call.caller("what is my balance?")
    assert not of(call.done, a.AskModel)
    assert call.state.end_reason == "limit_day_money"
    assert [s.kind for s in spoken(call.done)][-1] is UtteranceKind.CLOSING
