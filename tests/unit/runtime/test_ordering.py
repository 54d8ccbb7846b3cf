"""Orders of the assistant: what each does on the call."""

import pytest

from mediacore.assistant import orders as o
from mediacore.runtime import actions as a
from mediacore.runtime import ordering
from mediacore.runtime.draft import Draft
from mediacore.runtime.inputs import HttpReplied
from mediacore.runtime.ordering import has_words, replacement, wants_reply
from support.run_sim import RunSim, Tool, agent, tool

HOLD_URL = "http://sounds.example/hold.wav"


def acting(*actions, response="ok", replies=None, document=None, **more) -> RunSim:
    """A call in which the first tool of the model returns these actions."""
    reply = {"response": response, "action": list(actions)}
    sim = RunSim(
        document or agent(tool("t")),
        replies=replies or [[Tool("t")], ["After."]],
        tools={"t": reply},
        **more,
    ).run(2000)
    return sim.says("Go.").run(5000)


@pytest.mark.parametrize(
    ("order", "wants"),
    [
        (o.HangUp(), False),
        (o.Stop(), False),
        (o.Hold(3), False),
        (o.TransferTo("x"), False),
        (o.RunDocument({}, transfer=True), False),
        (o.RunDocument({}), True),
        (o.Pause(3), False),
        (o.WaitForUser(), False),
        (o.WaitForUser(enabled=False), True),
        (o.WaitForUser(answer_first=True), True),
        (o.Say("x"), True),
    ],
)
def test_which_orders_leave_the_model_to_answer(order, wants):
    assert wants_reply((order,)) is wants


def test_what_stands_in_the_history_instead():
    assert replacement((o.Say("x"),)) is None
    assert replacement((o.ReplaceHistory(None),)) == ""
    assert replacement((o.ReplaceHistory("short"),)) == "short"
    assert has_words((o.ClearConversation(user_prompt="hi"),))
    assert not has_words((o.ClearConversation(),))


def test_say_is_spoken_word_for_word():
    sim = acting({"say": "Please listen."})
    assert "Please listen." in sim.spoken and sim.spoken[-1] == "After."


def test_user_input_is_answered_like_the_callers_words():
    sim = acting(
        {"user_input": "And my balance?"}, response="", replies=[[Tool("t")], ["It is 5."]]
    )
    assert ("caller", "And my balance?") in sim.transcript()
    assert sim.spoken[-1] == "It is 5."


def test_hold_plays_its_music_and_ends_in_the_step_that_it_names():
    contexts = {
        "default": {"steps": [{"name": n, "text": f"Do {n}."} for n in ("a", "back", "late")]}
    }
    document = agent(tool("t"), params={"hold_music": HOLD_URL})
    document["prompt"] = {"text": "x", "contexts": contexts}
    sim = RunSim(
        document,
        replies=[[Tool("t")], ["Thanks for holding."]],
        tools={"t": {"response": "ok", "action": [{"hold": 8}]}},
    ).run(2000)
    sim.says("Go.").run(1000)
    assert sim.ai.held
    assert [x.items[0].text for x in sim.of(a.StartBed)] == [HOLD_URL]
    order = sim.ai.hold
    sim.run(9000)
    assert not sim.ai.held and order.seconds == 8 and len(sim.of(a.StopBed)) == 1


@pytest.mark.parametrize(("timed_out", "step"), [(False, "back"), (True, "late")])
def test_a_hold_leads_to_the_step_for_how_it_ended(timed_out, step):
    contexts = {
        "default": {"steps": [{"name": n, "text": f"Do {n}."} for n in ("a", "back", "late")]}
    }
    document = agent(tool("t"))
    document["prompt"] = {"text": "x", "contexts": contexts}
    hold = {"timeout": 8, "step": "back", "timeout_step": "late"}
    sim = acting({"hold": hold}, document=document, replies=[[Tool("t")], ["Welcome back."]])
    assert sim.ai.held
    if timed_out:
        sim.run(12_000)
    else:
        sim.ok("ai_unhold", {"prompt": "Back."})
        sim.run(5000)
    assert sim.ai.session.step == step
    assert sim.spoken[-1] == "Welcome back."
    assert f"Do {step}." in sim.asked[-1].system


def test_an_inline_document_without_a_need_for_the_voice_does_not_cut_the_agent():
    steps = [{"set": {"x": "1"}}, {"request": {"url": "http://app.example/x"}}, {"set": {"y": "2"}}]
    sim = acting({"SWML": {"sections": {"main": steps}}}, {"say": "A line that is being said."})
    (request,) = sim.of(a.SendRequest)
    assert "A line that is being said." in sim.transcript()[-1][1]
    assert not [x for x in sim.of(a.Talk) if type(x.action).__name__ == "CutPlayout"]
    assert sim.vars["x"] == "1"
    sim.do(HttpReplied(request.op, 200, {}, "{}"))
    sim.run(100)
    assert sim.vars["y"] == "2"
    assert sim.spoken[-1] == "After."


def test_one_that_needs_the_voice_gets_it_and_gives_it_back():
    play = {"SWML": {"sections": {"main": [{"play": "say:An announcement."}]}}}
    replies = [["One moment, I will look. " * 4, Tool("t")], ["After."], ["And now?"]]
    sim = acting(play, replies=replies)
    sim.run(6000)
    assert sim.said == ["An announcement."]
    assert sim.spoken[-1] in ("After.", "And now?")
    speaks = [
        (x.action.utterance, x.action.generation)
        for x in sim.of(a.Talk)
        if type(x.action).__name__ == "Speak"
    ]
    (announcement,) = sim.of(a.StartPlay)
    ids = sorted([*speaks, (announcement.utterance, announcement.generation)])
    assert len({number for number, _ in ids}) == len(ids)
    assert [gen for _, gen in ids] == sorted(gen for _, gen in ids)
    before = [gen for number, gen in speaks if number < announcement.utterance]
    after = [gen for number, gen in speaks if number > announcement.utterance]
    assert before and after and max(before) < announcement.generation <= min(after)


def test_the_reply_that_a_document_cut_off_is_asked_for_again():
    play = {"SWML": {"sections": {"main": [{"play": "say:An announcement."}]}}}
    sim = acting(play, replies=[[Tool("t")], ["Never heard."], ["After it."]])
    sim.run(6000)
    assert sim.said == ["An announcement."]
    assert sim.spoken[-1] == "After it."
    assert any("ok" in e.text for e in sim.asked[-1].context)


def test_a_transfer_ends_the_run_and_the_next_agent_is_told_what_was_said():
    after = {"sections": {"main": [{"ai": agent()}]}}
    document = agent(tool("t"), params={"transfer_summary": True})
    sim = acting(
        {"SWML": after, "transfer": True}, document=document, replies=[[Tool("t")], ["Hi."]]
    )
    assert sim.ai.id != sim.of(a.BeginRun)[0].run
    assert any("Go." in e.text for e in sim.ai.talk.context)


def test_without_transfer_summary_it_knows_nothing():
    after = {"sections": {"main": [{"ai": agent()}]}}
    sim = acting({"SWML": after, "transfer": True}, replies=[[Tool("t")], ["Hi."]])
    assert not any("Go." in e.text for e in sim.ai.talk.context)


def test_nothing_of_the_old_document_runs_before_a_transfer():
    after = {"sections": {"main": [{"set": {"new": "1"}}, {"sleep": 5}]}}
    main = [{"ai": agent(tool("t"))}, {"set": {"old": "1"}}, {"hangup": {}}]
    sim = RunSim(
        main=main,
        replies=[[Tool("t")]],
        tools={"t": {"response": "", "action": [{"SWML": after, "transfer": True}]}},
    ).run(2000)
    sim.says("Go.").run(2000)
    assert sim.vars["new"] == "1" and "old" not in sim.vars


def test_background_audio_is_played_once_and_stopped():
    sim = acting({"playback_bg": {"file": "http://s.example/b.wav", "wait": True}})
    (bed,) = sim.of(a.StartBed)
    assert bed.items[0].text == "http://s.example/b.wav" and bed.loops == 1
    assert sim.ai.patient is not None
    sim.says("Hm.")
    assert sim.ai.patient is None


def test_stopping_it_brings_the_documents_background_back():
    document = agent(
        tool("t"),
        tool("u"),
        params={"background_file": "http://s.example/room.wav", "background_file_volume": -12},
    )
    replies = [[Tool("t")], ["One."], [Tool("u")], ["Two."]]
    sim = RunSim(
        document,
        replies=replies,
        tools={
            "t": {"response": "ok", "action": [{"playback_bg": "http://s.example/b.wav"}]},
            "u": {"response": "ok", "action": [{"stop_playback_bg": True}]},
        },
    ).run(2000)
    sim.says("Go.").run(3000)
    sim.says("Stop.").run(3000)
    beds = [(x.items[0].text.rpartition("/")[2], x.volume_db, x.loops) for x in sim.of(a.StartBed)]
    assert beds == [("room.wav", -12.0, 0), ("b.wav", 0.0, 1), ("room.wav", -12.0, 0)]
    sim.command("ai.stop")
    assert isinstance(sim.of(a.StopBed)[-1], a.StopBed)


def test_hints_begin_recognition_anew_in_the_agents_language():
    document = agent(tool("t"), languages=[{"name": "German", "code": "de-DE", "voice": "v.hans"}])
    sim = acting({"add_dynamic_hints": ["Ada"]}, document=document)
    assert sim.of(a.StartHearing)[-1] == a.StartHearing("L1", "de-DE", ("Ada",))
    assert sim.of(a.BeginRun)[0].voice == "v.hans"


def test_the_voice_changes():
    sim = acting({"change_voice": "engine.other"})
    assert [x.voice for x in sim.of(a.ChangeVoice)] == ["engine.other"]


def test_a_context_switch_clears_the_history_before_the_model_answers():
    switch = {"system_prompt": "Be a pirate.", "user_prompt": "Who are you?", "full_reset": True}
    sim = acting({"context_switch": switch}, response="", replies=[[Tool("t")], ["Arr."]])
    request = sim.asked[-1]
    assert "Be a pirate." in request.system
    assert request.context[0].text == "Who are you?"
    assert not any("Go." in e.text for e in request.context)
    assert sim.spoken[-1] == "Arr."


def test_fillers_of_a_context_are_spoken_in_the_agents_language():
    contexts = {
        "default": {"steps": [{"name": "a", "text": "A."}], "valid_contexts": ["other"]},
        "other": {
            "steps": [{"name": "b", "text": "B."}],
            "enter_fillers": {"de-DE": ["Moment, ${secret}bitte."], "en-US": ["One moment."]},
        },
    }
    document = agent(tool("t"), languages=[{"name": "German", "code": "de-DE"}])
    document["prompt"] = {"text": "x", "contexts": contexts}
    sim = acting({"change_context": "other"}, document=document)
    assert "Moment, bitte." in " ".join(sim.spoken)


def test_an_order_after_the_end_is_refused():
    sim = acting({"stop": True}, replies=[[Tool("t")]])
    assert sim.state.run is None
    d = Draft(sim.state, sim.now)
    ordering.carry_out(d, (o.Say("late"),))
    assert d.state.refused["order_after_the_end"] == 1


def test_a_user_event_goes_to_the_controllers():
    sim = acting({"user_event": {"kind": "order"}})
    assert sim.told("user_event") == [{"call_id": "L1", "event": {"kind": "order"}}]


def test_a_hang_up_after_words_of_the_model_adds_no_closing():
    document = agent(tool("t"), params={"mediacore_closing": "Thank you for calling."})
    sim = acting({"hangup": True}, document=document, replies=[["Goodbye to you.", Tool("t")]])
    assert sim.state.over
    assert sim.spoken == ["Hello.", "Goodbye to you."]


def test_a_document_that_cannot_be_read_is_told_and_harms_nothing():
    sim = acting({"SWML": {"sections": {"main": "nonsense"}}})
    assert sim.told("script.warning")
    assert sim.spoken[-1] == "After."


def test_several_tool_calls_of_one_reply_are_all_answered():
    document = agent(tool("t"), tool("u"))
    sim = RunSim(
        document,
        replies=[[Tool("t"), Tool("u", '{"n": 1}')], ["Both done."]],
        tools={"t": {"response": "one"}, "u": {"response": "two"}},
    ).run(2000)
    sim.says("Go.").run(3000)
    results = [e.text for e in sim.asked[-1].context if e.tool_call_id]
    assert len(results) == 2 and "one" in results[0] and "two" in results[1]
    assert sim.spoken[-1] == "Both done."


def test_nothing_is_asked_for_on_the_way_out():
    sim = acting({"hangup": True}, replies=[[Tool("t")]])
    assert sim.state.over and len(sim.asked) == 1


def test_a_transfer_with_a_summary_hands_over_what_was_said():
    sim = acting({"transfer": {"dest": "http://app.example/next", "summarize": True}})
    assert any("Go." in e.text for e in sim.state.handover)
    assert sim.of(a.FetchDocument)


def test_waiting_for_the_caller_can_be_called_off():
    sim = acting({"wait_for_user": 9}, {"wait_for_user": False}, replies=[[Tool("t")], ["Never."]])
    assert sim.ai.quiet_until_us is None and not sim.ai.stays


def test_a_step_that_is_left_resets_the_history_and_its_new_words_are_answered():
    first = {
        "name": "a",
        "text": "A.",
        "skip_to_next_step": True,
        "reset": {"system_prompt": "New.", "user_prompt": "Begin anew."},
    }
    document = agent()
    steps = [first, {"name": "b", "text": "B."}]
    document["prompt"] = {"text": "x", "contexts": {"default": {"steps": steps}}}
    sim = RunSim(document, replies=[["Old."], ["Fresh."]]).run(2000)
    sim.says("Hi.").run(4000)
    assert sim.spoken[-1] == "Fresh."
    assert sim.asked[-1].context[0].text == "Begin anew."
    assert not any(e.text == "Old." for e in sim.asked[-1].context)


def test_what_stands_for_a_tool_in_the_history_takes_its_place():
    sim = acting({"replace_in_history": "Looked it up."})
    sim.says("And?").run(2000)
    texts = [e.text for e in sim.asked[-1].context]
    assert any("Looked it up." in text for text in texts)
    assert not any(e.tool_calls for e in sim.asked[-1].context)
