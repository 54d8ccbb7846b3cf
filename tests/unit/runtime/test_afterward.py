"""After a run: hook, rescue, summary, payload."""

import pytest

from mediacore.call.recovery import ErrorReason
from mediacore.events import MarkReached, SpeechStarted
from mediacore.runtime import actions as a
from mediacore.runtime import afterward
from mediacore.runtime import inputs as i
from support.run_sim import Fail, RunSim, agent, tool

FATAL = [[Fail(reason=ErrorReason.LLM_FATAL)]]


def rescued(reply: object, **params: object) -> RunSim:
    document = agent(tool("hangup_hook"), params=params)
    sim = RunSim(document, replies=FATAL, hooks={"hangup_hook": reply}).run(2000)
    return sim.says("Hi.").run(6000)


@pytest.mark.parametrize(
    "reply",
    [
        {},
        "text",
        {"action": [{"set_global_data": {"a": 1}}]},
        {"action": [{"SWML": {"sections": {"main": "nonsense"}}, "transfer": True}]},
        {"action": [{"SWML": {"sections": {"main": [{"sleep": 9000}]}}}]},
    ],
)
def test_what_is_no_transfer_saves_nobody(reply):
    sim = rescued(reply)
    assert sim.state.over and sim.logs("rescue") == ["asked", "none"]


def test_a_transfer_to_an_address_saves_the_call():
    sim = rescued({"action": [{"transfer": {"dest": "http://app.example/other"}}]})
    assert sim.logs("rescue") == ["asked", "transfer"]
    assert [x.url for x in sim.of(a.FetchDocument)] == ["http://app.example/other"]
    assert not sim.state.ending


def test_a_hook_that_fails_ends_the_call_at_once():
    sim = rescued(None)
    (hook,) = sim.of(a.RunHook)
    sim.do(i.HookReplied(hook.run, "hangup_hook", ok=False, error="timeout"))
    sim.run(1000)
    assert sim.state.over and sim.logs("hook") == ["failed"]


def test_a_hook_that_fails_after_a_usual_end_changes_nothing():
    sim = RunSim(agent(tool("hangup_hook")), hooks={"hangup_hook": None}).run(2000)
    sim.ok("end")
    (hook,) = sim.of(a.RunHook)
    sim.do(i.HookReplied(hook.run, "hangup_hook", ok=False, error="timeout"))
    sim.run(1000)
    assert sim.state.over and sim.payload.errors == ()


def test_only_playout_completes_a_run_that_is_over():
    sim = RunSim(agent()).run(100)
    sim.ok("ai.stop")
    before = sim.state.closing[0].talk
    sim.media(SpeechStarted)
    assert sim.state.closing[0].talk is before
    sim.media(MarkReached, 1, 1, 80, 1)
    assert sim.state.closing[0].talk is not before


def test_each_run_of_a_call_has_its_own_payload():
    main = [{"ai": agent(post_prompt="One.")}, {"ai": agent()}, {"hangup": {}}]
    sim = RunSim(main=main).run(2000)
    sim.ok("ai.stop")
    sim.run(500)
    assert sim.of(a.DeliverPayload) == []  # its summary is awaited while the next one talks
    sim.run(1000)
    assert [x.run.summary for x in sim.of(a.DeliverPayload)] == ["They called."]
    sim.ok("ai.stop")
    sim.run(2000)
    keys = [x.key for x in sim.of(a.DeliverPayload)]
    assert len(set(keys)) == 2 and sim.state.over


def test_a_summary_asks_with_everything_that_was_said():
    sim = RunSim(agent(post_prompt={"text": "Sum up.", "temperature": 0.1, "max_tokens": 50}))
    sim.run(2000)
    sim.says("I want tea.").run(2000)
    sim.ok("end")
    (ask,) = sim.of(a.AskSummary)
    assert (ask.prompt, ask.temperature, ask.max_tokens) == ("Sum up.", 0.1, 50)
    assert [e.text for e in ask.context] == ["Hello.", "I want tea.", "All right."]


def test_when_a_closing_run_is_due():
    sim = RunSim(agent(post_prompt="Sum up."), summary=None).run(2000)
    sim.ok("end")
    run = sim.state.closing[0]
    assert afterward.due_us(run) == run.closing_us + 60_000_000
    assert not afterward.failed(run)
    assert not afterward.rescuing(sim.state, run.id)
