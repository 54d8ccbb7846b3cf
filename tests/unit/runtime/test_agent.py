"""Runs of `ai`: how they begin, are steered, fail, are rescued, and end."""

import pytest

from mediacore.call.context import Role
from mediacore.call.recovery import ErrorReason
from mediacore.events import CutCause, PlayoutCut
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from support.run_sim import Fail, RunSim, Tool, agent, tool
from support.runtime_call import settings

ROOM = "http://sounds.example/room.wav"


def test_a_run_begins_with_the_language_and_the_voice_of_its_document():
    languages = [{"name": "German", "code": "de-DE", "voice": "v.hans"}]
    document = agent(languages=languages, hints=["Ada"], params={"ai_volume": -6})
    sim = RunSim(document)
    (begin,) = sim.of(a.BeginRun)
    assert (begin.language, begin.voice, begin.volume_db) == ("de-DE", "v.hans", -6.0)
    assert sim.of(a.StartHearing) == [a.StartHearing("L1", "de-DE", ("Ada",))]
    assert "Hello." in begin.fixed_lines


def test_without_languages_the_engines_own_count():
    sim = RunSim(agent(), rules=settings(language="fr-FR", voice="v.marie"))
    (begin,) = sim.of(a.BeginRun)
    assert (begin.language, begin.voice) == ("fr-FR", "v.marie")


def test_prompts_and_greeting_know_the_visible_facts_of_the_call_and_nothing_else():
    document = agent(
        params={"static_greeting": "Hi %{caller_id_number}${global_data.x}."},
        global_data={"x": "hidden"},
    )
    document["prompt"]["text"] = "A %{call_direction} call at ${local_time}, ${time_of_day}."
    sim = RunSim(document).run(2000)
    assert sim.spoken == ["Hi +1555."]
    sim.says("Hi.")
    assert "A inbound call at 18:00, evening." in sim.asked[-1].system


def test_a_conversation_before_this_one_is_known_to_the_model():
    convo = [
        {"role": "user", "content": "I am Ada."},
        {"role": "assistant", "content": "Hello ${global_data.x}Ada."},
        {"role": "tool", "content": "no"},
        "nonsense",
    ]
    sim = RunSim(agent(params={"convo": convo}, global_data={"x": "hidden"})).run(2000)
    sim.says("Who am I?")
    seen = [(e.role, e.text) for e in sim.asked[-1].context]
    assert seen[:2] == [(Role.USER, "I am Ada."), (Role.ASSISTANT, "Hello Ada.")]


def test_background_audio_begins_with_the_talk_and_ends_with_the_run():
    params = {"background_file": ROOM, "background_file_loops": 3, "background_file_volume": -9}
    sim = RunSim(agent(params=params)).run(2000)
    (bed,) = sim.of(a.StartBed)
    assert (bed.items[0].text, bed.volume_db, bed.loops) == (ROOM, -9.0, 3)
    sim.ok("ai.stop")
    assert len(sim.of(a.StopBed)) == 1


def test_parameters_that_cannot_be_run_fail_the_statement_and_the_document_goes_on():
    sim = RunSim(main=[{"ai": {"prompt": {}}}, {"set": {"x": "%{ai_result}"}}, {"sleep": 9000}])
    sim.run(100)
    assert sim.vars["x"] == "failed"


def test_global_data_outlives_the_run_within_the_call():
    save = {"response": "", "action": [{"set_global_data": {"n": 1}}, {"stop": True}]}
    main = [{"ai": agent(tool("t"))}, {"ai": agent()}]
    sim = RunSim(main=main, replies=[[Tool("t")], ["Hi."]], tools={"t": save}).run(2000)
    sim.says("Go.").run(3000)
    assert len(sim.of(a.BeginRun)) == 2
    assert sim.ai.session.global_data == {"n": 1}


# ----------------------------------------------------------------------------------- the end


def test_what_was_heard_is_exact_although_the_caller_hangs_up_in_the_middle():
    sim = RunSim(agent(params={"static_greeting": "Hello and welcome to the long greeting."}))
    sim.run(500)
    playing = sim._playing
    assert playing is not None
    position = sim._position()
    sim.do(i.LineGone("L1", "hangup"))
    assert sim.of(a.DeliverPayload) == []  # the leg's last word is awaited
    sim.run(100)
    after = (playing.generation >> 32) + 1 << 32
    number = (playing.id, playing.generation, position)
    sim.media(PlayoutCut, *number, after, 0, CutCause.CLOSE, position)
    assert sim.of(a.DeliverPayload) == []
    sim.run(500)
    (utterance,) = sim.payload.talk.agent.utterances
    assert utterance.played == position
    assert utterance.state.value == "cut"
    turns = [x for x in sim.of(a.Talk) if type(x.action).__name__ == "TurnCompleted"]
    assert turns[-1].action.turn.utterances[0].played_samples == position


def test_the_payload_waits_for_the_summary_but_not_for_ever():
    ready = RunSim(agent(post_prompt="Sum up.")).run(2000)
    ready.ok("end")
    ready.run(650)
    assert ready.of(a.DeliverPayload) == []
    ready.run(100)
    assert ready.payload.summary == "They called."
    never = RunSim(agent(post_prompt="Sum up."), summary=None).run(2000)
    never.ok("end")
    never.run(59_000)
    assert never.of(a.DeliverPayload) == []
    never.run(2000)
    assert never.payload.summary == "" and never.state.over


def test_a_summary_that_nobody_waits_for_is_refused():
    sim = RunSim(agent()).run(1000)
    sim.do(i.SummaryReady(9, "late"))
    assert sim.state.refused["stale_summary"] == 1


def test_the_call_is_over_only_when_its_payload_was_delivered():
    sim = RunSim(agent()).run(2000)
    sim.do(i.LineGone("L1", "hangup"))
    sim.run(300)
    assert not sim.state.over
    sim.run(200)
    assert sim.state.over
    kinds = [type(x) for x in sim.actions]
    assert kinds.index(a.DeliverPayload) < kinds.index(a.CallOver)


# -------------------------------------------------------------------------------- recovery


def failing(hook=None, **more) -> RunSim:
    document = agent(*([tool("hangup_hook")] if hook is not None else []))
    sim = RunSim(document, replies=[[Fail(**more)]], hooks={"hangup_hook": hook}).run(2000)
    sim.says("Hi.").run(1500)
    return sim


def test_a_failure_is_told_and_tried_again_before_the_call_is_given_up():
    sim = failing()
    assert "Could you say that again" in " ".join(sim.spoken)
    assert not sim.state.ending
    errors = [(e["error_reason"], e["fatal"]) for e in sim.told("ai.error")]
    assert errors == [("llm_retry", False)]
    sim.run(4000)
    sim.says("Hello?").run(9000)
    assert sim.state.over
    assert sim.told("ai.error")[-1]["error_reason"] == "llm_max_retries"
    assert sim.told("ai.error")[-1]["fatal"]


@pytest.mark.parametrize("reason", [ErrorReason.LLM_FATAL, ErrorReason.TOKEN_EXHAUSTION])
def test_some_failures_end_the_call_at_once(reason):
    sim = failing(reason=reason).run(9000)
    assert sim.state.over
    (error,) = sim.told("ai.error")
    assert error["error_reason"] == reason.value and error["fatal"]
    assert sim.payload.errors[0].reason is reason
    assert len([s for s in sim.spoken if "Goodbye" in s]) == 1


def test_the_hangup_hook_is_told_of_a_fatal_error_and_may_leave_it_at_that():
    sim = failing({}, reason=ErrorReason.LLM_FATAL).run(9000)
    (hook,) = sim.of(a.RunHook)
    assert hook.payload["fatal_error"] is True and hook.payload["error_reason"] == "llm_fatal"
    assert sim.state.over and sim.logs("rescue") == ["asked", "none"]


def test_the_hangup_hook_can_send_the_caller_elsewhere():
    document = {
        "sections": {
            "main": [{"set": {"saved": "1"}}, {"play": "say:Connecting you."}, {"sleep": 60_000}]
        }
    }
    rescue = {"action": [{"SWML": document, "transfer": True}]}
    sim = failing(rescue, reason=ErrorReason.LLM_FATAL).run(5000)
    assert not sim.state.ending
    assert sim.vars["saved"] == "1" and sim.said == ["Connecting you."]
    assert sim.told("ai.error")[-1]["error_reason"] == "fatal_error_transfer"
    assert sim.logs("rescue") == ["asked", "transfer"]
    assert sim.payload.errors[-1].reason is ErrorReason.FATAL_ERROR_TRANSFER


def test_nothing_of_the_old_document_runs_while_a_rescue_is_awaited():
    main = [{"ai": agent(tool("hangup_hook"))}, {"set": {"old": "1"}}]
    sim = RunSim(
        main=main,
        replies=[[Fail(reason=ErrorReason.LLM_FATAL)]],
        hooks={"hangup_hook": None},
    ).run(2000)
    sim.says("Hi.").run(8000)
    assert sim.logs("rescue") == ["asked"]
    assert not sim.state.ending and "old" not in sim.vars
    sim.run(9000)
    assert sim.state.over and sim.logs("rescue") == ["asked", "none"]
    assert "old" not in sim.vars


def test_a_caller_who_hangs_up_meanwhile_is_not_rescued():
    sim = failing(None, reason=ErrorReason.LLM_FATAL)
    document = agent(tool("hangup_hook"))
    sim = RunSim(
        document,
        replies=[[Fail(reason=ErrorReason.LLM_FATAL)]],
        hooks={"hangup_hook": None},
    ).run(2000)
    sim.says("Hi.").run(8000)
    run = sim.state.closing[0]
    sim.do(i.LineGone("L1", "hangup"))
    rescue = {"action": [{"SWML": {"sections": {"main": [{"sleep": 9000}]}}, "transfer": True}]}
    sim.do(i.HookReplied(run.id, "hangup_hook", True, rescue))
    sim.run(12_000)
    assert sim.state.over and sim.state.flows == ()


def test_a_rescue_needs_the_permission_for_documents():
    document = agent(tool("hangup_hook"), params={"swaig_allow_swml": False})
    rescue = {"action": [{"SWML": {"sections": {"main": [{"sleep": 9000}]}}, "transfer": True}]}
    sim = RunSim(
        document,
        replies=[[Fail(reason=ErrorReason.LLM_FATAL)]],
        hooks={"hangup_hook": rescue},
    ).run(2000)
    sim.says("Hi.").run(9000)
    assert sim.state.over


# -------------------------------------------------------------------------------- controllers


def test_a_controller_can_whisper_to_the_agent_and_change_its_data():
    sim = RunSim(agent(global_data={"a": 1}), replies=[["Certainly."]]).run(2000)
    sim.ok("ai_message", {"message_text": "Offer a discount.", "global_data": {"b": 2}})
    sim.run(2000)
    assert sim.spoken[-1] == "Certainly."
    assert sim.asked[-1].context[-1].text == "Offer a discount."
    assert sim.ai.session.global_data == {"a": 1, "b": 2}
    sim.ok("ai_message", {"global_data": {"c": 3}})
    assert len(sim.asked) == 1 and sim.ai.session.global_data["c"] == 3


def test_a_role_that_there_is_not_changes_nothing():
    sim = RunSim(agent()).run(2000)
    answer = sim.command(
        "ai_message", {"message_text": "x", "role": "boss", "global_data": {"b": 2}}
    )
    assert answer.code == "400"
    assert sim.ai.session.global_data == {}


def test_hold_with_a_prompt_is_told_to_the_model_only():
    sim = RunSim(agent()).run(2000)
    sim.ok("ai_hold", {"prompt": "They are busy."})
    sim.run(1000)
    assert sim.ai.held and "They are busy." not in sim.spoken
    sim.ok("ai_unhold", {"prompt": "I am back."})
    sim.run(1500)
    assert sim.spoken[-1] == "I am back."
    sim.says("Hi.")
    assert "They are busy." in [e.text for e in sim.asked[-1].context]


def test_what_a_document_got_wrong_is_told():
    sim = RunSim(agent(params={"enable_vision": True, "nonsense": 1}))
    codes = {p["code"] for p in sim.told("script.warning")}
    assert {"ai_param_ignored", "ai_param_unknown"} <= codes
