from dataclasses import replace

from mediacore.call.record import DecisionNote
from mediacore.policy.prices import PriceBook
from mediacore.postcall.facts import Accounting, CallDates, PublicError, TrailEntry
from mediacore.postcall.payload import build_payload
from mediacore.runtime.settings import Money
from mediacore.session.callfacts import SessionFacts, caller_utterances, post_call_input
from support import ended_run as given
from support.call_sim import Sim
from support.ended_run import PRICED, WALL_US, S, ended_run


def test_ids_dates_and_data():
    found = post_call_input(ended_run(), given.line(), given.state())
    assert found.ids.call_id == "line-1"  # the id that the document's URLs carry
    assert found.ids.ai_session_id == "call-1:3"
    assert (found.ids.project_id, found.ids.space_id) == ("project-1", "space-1")
    assert found.ids.app_name == "swml app"
    assert found.ids.caller_id_number == "+15550100001"
    assert found.dates == CallDates(*(WALL_US + t * S for t in (10, 11, 20, 12, 20)))
    assert found.media_start_us == WALL_US + 12 * S
    assert dict(found.global_data) == {"shop": "north"}
    assert found.swml_vars == {"record_url": "file:///r.wav"}
    assert found.swml_call is not None and found.swml_call["call_id"] == "line-1"
    assert found.post_prompt_text == '{"order": "471"}'
    assert found.turns == given.TURNS


def test_names_that_the_document_gives():
    document = given.DOCUMENT | {"params": {"app_name": "orders", "conversation_id": "c-9"}}
    outbound = given.line(direction="outbound")
    found = post_call_input(ended_run(document), outbound, given.state())
    assert (found.ids.app_name, found.ids.conversation_id) == ("orders", "c-9")
    assert found.ids.caller_id_number == "+15550100002"


def test_what_is_not_known_is_left_out():
    document = {k: v for k, v in given.DOCUMENT.items() if k != "post_prompt"}
    run = ended_run(document, closing_us=None, opened_us=None)
    run = replace(run, talk=replace(run.talk, clock=given.MediaClock()))
    found = post_call_input(
        run, given.line(answered_us=None, closing_us=None), given.state(vars={})
    )
    assert found.post_prompt_text is None
    assert found.dates == CallDates(WALL_US + 10 * S, None, None, WALL_US + 11 * S, None)
    assert found.media_start_us == WALL_US + 11 * S
    assert found.swml_vars is None and found.ended_by == ""
    assert found.media == {} and found.decisions == ()


def test_who_ended_the_call():
    def by(run, line):
        return post_call_input(run, line, given.state()).ended_by

    assert by(ended_run(), given.line()) == "user"
    assert by(ended_run(hangup=True), given.line()) == "assistant"
    assert by(ended_run(), given.line(closing_us=None)) == ""
    assert by(ended_run(), given.line(closing_us=25 * S)) == ""  # it went on without the agent


def test_a_time_limit_is_told():
    run = ended_run()
    assert not post_call_input(run, given.line(), given.state()).hard_timeout
    tripped = replace(run, end_reason="limit_call_seconds")
    assert post_call_input(tripped, given.line(), given.state()).hard_timeout
    stopped = replace(run, talk=replace(run.talk, limit="hard_stop"))
    assert post_call_input(stopped, given.line(), given.state()).hard_timeout


def test_tools_carry_the_ids_and_results_of_the_conversation():
    lookup, refused = post_call_input(ended_run(), given.line(), given.state()).tools
    assert (lookup.id, lookup.result, lookup.error) == ("call_7", "On its way.", "")
    assert lookup.end_us is not None and lookup.end_us - lookup.start_us == 250_000
    assert lookup.start_us == WALL_US + 16 * S
    assert lookup.post_response == {"response": "On its way."}
    assert (refused.id, refused.result, refused.error) == ("tool-1", None, "unknown")
    assert refused.post_response is None and refused.url is None


def test_the_same_call_twice_keeps_both_ids():
    run = ended_run()
    twice = run.talk.context[2:4]
    other = (
        replace(twice[0], tool_calls=(replace(twice[0].tool_calls[0], id="call_8"),)),
        replace(twice[1], tool_call_id="call_8", text="Delivered."),
    )
    note = replace(run.tools[0], at_us=17 * S)
    talk = replace(run.talk, context=run.talk.context + other)
    run = replace(run, talk=talk, tools=(note, run.tools[0]))
    found = post_call_input(run, given.line(), given.state()).tools
    assert [(t.id, t.result) for t in found] == [
        ("call_7", "On its way."),
        ("call_8", "Delivered."),
    ]


def test_the_trail_takes_the_times_of_tool_results():
    assert post_call_input(ended_run(), given.line(), given.state()).trail == (
        TrailEntry("gather_start", WALL_US + 11 * S, {"step": "one"}),
        TrailEntry("step_change", WALL_US + 16 * S + 250_000, {"from": "one", "to": "two"}),
    )


def test_errors_have_the_time_of_what_was_said_for_them():
    assert post_call_input(ended_run(), given.line(), given.state()).errors == (
        PublicError(WALL_US + 17 * S, "llm_retry", False, "llm_transient"),
        PublicError(None, "stt_unavailable", False, "stt_unavailable"),
    )


def test_cost_is_exact_or_not_stated():
    def accounting(money: Money) -> Accounting | None:
        state = given.state()
        state = replace(state, settings=replace(state.settings, money=money))
        facts = SessionFacts(recognised_ms=5_000)
        return post_call_input(ended_run(), given.line(), state, facts).accounting

    # 1000 tokens at 1 €/M, 200 at 2 €/M, 46 characters at 3 €/M, 5 s at 10 µ€
    assert accounting(PRICED) == Accounting(1000, 200, 46, 5000, 1000 + 400 + 138 + 50, "EUR")
    free = accounting(Money())
    assert free is not None and (free.cost_micros, free.currency) == (None, "")
    unpriced = accounting(replace(PRICED, prices=PriceBook("EUR", "2026-01-31", "empty")))
    assert unpriced is not None and (unpriced.cost_micros, unpriced.currency) == (None, "")


def test_what_the_session_adds():
    note = DecisionNote(800, "barge_in", "cut")
    facts = SessionFacts({"ticks": 7}, None, (note,))
    found = post_call_input(ended_run(), given.line(), given.state(), facts)
    assert dict(found.media) == {"ticks": 7} and found.decisions == (note,)
    assert found.accounting is not None and found.accounting.asr_ms is None


def test_only_replies_are_answers_of_the_model():
    found = post_call_input(ended_run(), given.line(), given.state())
    assert [g.response for g in found.generations] == ["It is on its way to Berlin."]


def test_what_the_caller_said():
    assert caller_utterances(ended_run()) == (
        "It is four seven one, please.",
        "Thanks, I live in Berlin.",
    )


def test_a_played_conversation_with_an_interruption_and_an_open_turn():
    sim = Sim(replies=[["I can look that up for you if you give me the number of it."], ["Sure."]])
    sim.caller_says("where is my order", 500).run(3_500)
    sim.caller_says("four seven one", 3_500, ms=1_500).run(5_400)
    assert sim.state.caller.said or sim.state.agent is not None  # a turn is open
    run = replace(ended_run(), talk=sim.state, tools=(), errors=())
    found = post_call_input(run, given.line(), given.state())
    assert found.media_start_us == WALL_US + 1 * S  # the simulation's leg opened at one second
    assert len(found.turns) > len(sim.state.turns)
    payload = build_payload(found)
    log, raw = payload["call_log"], payload["raw_call_log"]
    assert isinstance(log, list) and isinstance(raw, list)
    assert [e["content"] for e in raw if e["role"] == "user"] == list(caller_utterances(run))
    (cut,) = [e for e in log if e.get("barged")]
    heard, meant = cut["text_heard_approx"], cut["text_spoken_total"]
    assert cut["content"] == heard and meant.startswith(heard) and 0 < len(heard) < len(meant)
