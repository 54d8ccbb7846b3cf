"""Between turns: steps that advance, silences, hidden history."""

from mediacore.call.context import Role
from mediacore.runtime.actions import AskSummary
from support.run_sim import RunSim, Tool, agent, tool


def steps(*items, ai=None, **context):
    document = ai or agent()
    document["prompt"] = {
        "text": "Base.",
        "contexts": {"default": {"steps": list(items), **context}},
    }
    return document


def one(name, **more):
    return {"name": name, "text": f"Do {name}.", **more}


def by_model(document):
    """The agent's first words come from the model."""
    document["params"].pop("static_greeting")
    return document


def test_a_step_that_skips_to_the_next_one_does_so_once_the_agent_has_spoken():
    document = by_model(steps(one("a", skip_to_next_step=True), one("b")))
    sim = RunSim(document, replies=[["First."], ["Second."]]).run(4000)
    assert sim.spoken == ["First.", "Second."]
    assert sim.ai.session.step == "b"
    assert "Do a." in sim.asked[0].system and "Do b." in sim.asked[1].system
    assert sim.ai.stage_name == "default.b"


def test_a_static_greeting_is_no_turn_of_the_step():
    sim = RunSim(steps(one("a", skip_to_next_step=True), one("b"))).run(4000)
    assert sim.ai.session.step == "a" and sim.ai.session.turns == 0
    sim.says("Hi.").run(4000)
    assert sim.ai.session.step == "b"


def test_a_turn_that_the_caller_cut_is_no_turn_of_the_step():
    document = steps(one("a", skip_to_next_step=True), one("b"))
    sim = RunSim(document, replies=[["A very long answer " * 12]]).run(2000)
    sim.says("Hi.")
    sim.speaks()
    sim.run(1000)
    assert any("A very" in text for who, text in sim.transcript() if who == "agent")
    assert sim.ai.session.step == "a"


def test_skip_user_turn_gives_the_agent_one_more_turn_and_not_a_third():
    document = by_model(steps(one("a", skip_user_turn=True)))
    sim = RunSim(document, replies=[["First."], ["More."], ["Never."]]).run(6000)
    assert sim.spoken == ["First.", "More."]


def test_end_leaves_step_mode_and_the_conversation_goes_on():
    document = by_model(steps(one("a", end=True), one("b")))
    sim = RunSim(document, replies=[["First."], ["Free."]]).run(3000)
    assert sim.ai.session.step == ""
    sim.says("And now?").run(2000)
    assert sim.spoken[-1] == "Free." and "Do a." not in sim.asked[-1].system
    assert not sim.state.ending


def test_the_starting_contexts_user_prompt_is_the_first_thing_that_is_answered():
    document = by_model(steps(one("a"), user_prompt="Greet me by name."))
    sim = RunSim(document, replies=[["Hello you."]]).run(2000)
    assert [(e.role, e.text) for e in sim.asked[0].context] == [(Role.USER, "Greet me by name.")]


# ------------------------------------------------------------------------------------ silence


def test_wait_seconds_says_nothing_for_so_long_and_then_goes_on():
    document = agent(SWAIG={"native_functions": ["wait_seconds"]})
    replies = [[Tool("wait_seconds", '{"seconds": 12}')], ["Here I am again."]]
    document["params"]["attention_timeout"] = 10_000
    sim = RunSim(document, replies=replies).run(2000)
    sim.says("Wait a little.").run(9000)
    assert len(sim.asked) == 1 and sim.spoken == ["Hello."]  # nor is the caller asked
    sim.run(3000)
    assert sim.spoken[-1] == "Here I am again."
    assert sim.ai.talk.settings.dead_air_ms == 10_000


def test_the_caller_speaking_ends_the_silence():
    document = agent(SWAIG={"native_functions": ["wait_seconds"]})
    replies = [[Tool("wait_seconds", '{"seconds": 30}')], ["Yes?"], ["Never."]]
    sim = RunSim(document, replies=replies).run(2000)
    sim.says("Wait a little.").run(3000)
    sim.says("I am back.").run(40_000)
    assert sim.spoken == ["Hello.", "Yes?"]


def waiting(value, replies, document=None):
    reply = {"response": "ok", "action": [{"wait_for_user": value}]}
    return RunSim(document or agent(tool("t")), replies=replies, tools={"t": reply}).run(2000)


def test_wait_for_user_leaves_the_floor_to_the_caller():
    sim = waiting(True, [[Tool("t")], ["You said so."]])
    sim.says("Go.").run(5000)
    assert len(sim.asked) == 1
    sim.says("Well.").run(3000)
    assert sim.spoken[-1] == "You said so."


def test_wait_for_user_with_a_number_waits_so_many_seconds():
    sim = waiting(5, [[Tool("t")], ["Still here?"]])
    sim.says("Go.").run(3000)
    assert len(sim.asked) == 1
    sim.run(4000)
    assert sim.spoken[-1] == "Still here?"


def test_answer_first_answers_and_then_no_turn_is_skipped():
    document = steps(one("a", skip_user_turn=True), ai=agent(tool("t")))
    sim = waiting("answer_first", [[Tool("t")], ["Answer."], ["Never."]], document)
    sim.says("Go.").run(6000)
    assert sim.spoken == ["Hello.", "Answer."]


# ------------------------------------------------------------------------------------ history


def test_a_step_that_hides_history_keeps_it_for_the_record_and_the_summary():
    document = steps(one("a"), one("b", history="hide"), ai=agent(post_prompt="Sum up."))
    replies = [["Noted: red."], [Tool("next_step")], ["On we go."]]
    sim = RunSim(document, replies=replies).run(2000)
    sim.says("I like red.").run(3000)
    sim.says("Next please.").run(4000)
    assert sim.ai.session.step == "b"
    seen = " ".join(e.text for e in sim.asked[-1].context)
    assert "red" not in seen and "Done." in seen
    assert ("caller", "I like red.") in sim.transcript()
    sim.command("end")
    (summary,) = sim.of(AskSummary)
    assert "I like red." in " ".join(e.text for e in summary.context)


def test_an_isolated_question_hides_only_the_questions_before():
    gather = {
        "questions": [
            {"key": "name", "question": "Your name?"},
            {"key": "pin", "question": "Your PIN?", "isolated": True},
        ]
    }
    document = steps(one("start"), one("ask", gather_info=gather))
    replies = [
        ["Fine."],
        [Tool("next_step")],
        ["Your name?"],
        [Tool("gather_submit", '{"answer": "Ada"}')],
        ["Your PIN?"],
    ]
    sim = RunSim(document, replies=replies).run(2000)
    sim.says("I want a loan.").run(3000)
    sim.says("Next.").run(4000)
    sim.says("My name is Ada.").run(4000)
    seen = [e.text for e in sim.asked[-1].context]
    assert "I want a loan." in seen
    assert "My name is Ada." not in seen
    assert sim.ai.session.question().key == "pin"
