"""The assistant under random actions, calls and documents: no crash, no leak, no illegal stage."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mediacore.assistant import (
    ACTIONS,
    PARAMS,
    AiError,
    AiSession,
    after_turn,
    apply_all,
    call_native,
    hold_ended,
    is_native,
    legal_contexts,
    legal_steps,
    may_call,
    read_actions,
    read_config,
    read_params,
    read_reply,
    record_call,
    result_text,
    system_prompt,
    tools,
    user_spoke,
)
from mediacore.assistant.orders import Hold, Say
from support.ai_cases import SECRET, document, start

TEXTS = st.sampled_from(
    [
        "hello",
        "ask",
        "done",
        "collect",
        "pay",
        "next",
        "default",
        "billing",
        "look",
        "order",
        "foreign",
        "hangup_hook",
        "pin",
        "key",
        "",
        "5m",
        "true",
        "${global_data.pin}",
        "%{meta_data.key}",
        "${lc:pin}",
        "x${global_data.${pin}}y",
        "@{echo ${pin}}",
    ]
)
SCALARS = TEXTS | st.integers(-2000, 2000) | st.booleans() | st.none() | st.floats()
KEYS = st.sampled_from(
    [
        "function",
        "active",
        "system_prompt",
        "user_prompt",
        "timeout",
        "step",
        "file",
        "dest",
        "pin",
        "profile",
        "temperature",
        "hint",
        "pattern",
        "id",
        "answer",
        "consolidate",
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from([*ACTIONS, "fly", "transfer"])
FUNCTIONS = st.sampled_from(["look", "order", "foreign", "hangup_hook"])
TOGGLES = st.fixed_dictionaries(
    {"function": FUNCTIONS, "active": st.sampled_from([True, False, 0, 2, -1])}
)
PLAUSIBLE = st.one_of(
    st.fixed_dictionaries({"toggle_functions": st.lists(TOGGLES, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"change_step": st.sampled_from(["ask", "done", "pay", "next"])}),
    st.fixed_dictionaries({"change_context": st.sampled_from(["default", "billing"])}),
    st.fixed_dictionaries({"set_meta_data": st.just({"key": "new"})}),
    st.fixed_dictionaries({"say": TEXTS}),
)
REPLIES = st.lists(PLAUSIBLE | st.dictionaries(NAMES, VALUES, min_size=1, max_size=2), max_size=4)
CALLERS = st.sampled_from(["look", "order", "foreign", "hangup_hook", "gone", ""])
TOOL_NAMES = st.sampled_from(
    [
        "look",
        "order",
        "foreign",
        "hangup_hook",
        "check_time",
        "wait_seconds",
        "next_step",
        "change_context",
        "gather_submit",
        "adjust_response_latency",
        "fly",
    ]
)
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "id": TEXTS,
        "step": TEXTS,
        "context": TEXTS,
        "answer": SCALARS,
        "confirmed_by_user": st.sampled_from(["true", "false"]),
        "seconds": st.integers(-5, 100),
    },
)
STEPS = st.fixed_dictionaries({"step": st.sampled_from(["hello", "ask", "done", "pay"])})
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("reply"), REPLIES, CALLERS),
        st.tuples(st.just("call"), TOOL_NAMES, ARGUMENTS),
        st.tuples(st.just("call"), st.just("next_step"), STEPS),
        st.tuples(st.just("turn"), st.none(), st.none()),
        st.tuples(st.just("user"), st.none(), st.none()),
        st.tuples(st.just("held"), TEXTS, st.booleans()),
    ),
    max_size=12,
)


def play(session: AiSession, move: tuple[str, Any, Any]) -> tuple[AiSession, tuple[Any, ...]]:
    kind, what, more = move
    if kind == "reply":
        return apply_all(session, read_actions(what)[0], more)
    if kind == "turn":
        return after_turn(session)
    if kind == "held":
        return hold_ended(session, Hold(1, what, what), more)
    if kind == "user":
        return user_spoke(session), ()
    if may_call(session, what, more) is not None:
        return session, ()
    session = record_call(session, what, more)
    if not is_native(session, what):
        return session, ()
    result = call_native(session, what, more, 0)
    return result.session, result.orders


def assert_legal(session: AiSession) -> None:
    contexts = session.config.contexts
    assert contexts is not None
    assert session.context in contexts.items
    assert session.step == "" or contexts.step(session.context, session.step) is not None
    step = session.current_step()
    declared = {item.name for item in session.functions} | set(session.config.native_functions)
    offered = [tool.name for tool in tools(session)]
    assert set(offered) <= declared | {"next_step", "change_context", "gather_submit"}
    assert len(offered) == len(set(offered))
    assert "hangup_hook" not in offered
    question = session.question()
    if question is not None:
        assert set(offered) <= {"gather_submit", *question.functions}
    elif step is not None and step.functions is not None:
        assert set(offered) <= {*step.functions, "next_step", "change_context"}
    for name in declared - set(offered):
        assert may_call(session, name, {"id": "x", "seconds": 1}) is not None


def shown(session: AiSession, orders: tuple[Any, ...]) -> str:
    """All that can reach the model or the caller's ear without the application's own words."""
    spoken = [order.text for order in orders if isinstance(order, Say)]
    views = [(tool.name, tool.description, dict(tool.parameters)) for tool in tools(session)]
    return json.dumps([system_prompt(session), views, spoken, repr(session.trail)])


@settings(max_examples=150, deadline=None)
@given(MOVES)
def test_no_sequence_raises_leaks_or_leaves_the_stage_graph(moves):
    session = start(document())
    for move in moves:
        before, step = session, session.current_step()
        session, orders = play(session, move)
        assert_legal(session)
        assert SECRET not in shown(session, orders)
        if move[0] == "call" and move[1] == "next_step" and session.step != before.step:
            assert session.step in legal_steps(before)
        if move[0] == "call" and move[1] == "change_context" and session.context != before.context:
            assert session.context in legal_contexts(before)
        if move[0] == "call" and move[1] not in {"next_step", "change_context", "gather_submit"}:
            assert session.current_step() == step


@settings(max_examples=150, deadline=None)
@given(REPLIES, CALLERS)
def test_toggles_and_meta_data_stay_within_the_token_of_the_caller(reply, caller):
    before = start(document())
    after, _ = apply_all(before, read_actions(reply)[0], caller)
    function = before.function(caller)
    token = None if function is None else function.meta_data_token
    for name in after.toggles:
        target = before.function(name)
        assert target is not None
        assert target.meta_data_token == token
        assert name != "hangup_hook"
    for other in set(before.meta_data) | set(after.meta_data):
        if other != token:
            assert after.meta_data.get(other) == before.meta_data.get(other)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from([*PARAMS, "odd", "mediacore_budget"]), VALUES))
def test_parameters_come_out_in_range_or_are_noted(raw):
    values, notes = read_params(raw)
    noted = {note.path.removeprefix("params.") for note in notes}
    for name, value in raw.items():
        if value is not None and name != "mediacore_budget":
            assert name in values or name in noted
    for name, value in values.items():
        spec = PARAMS[name]
        if spec.kind in {"int", "float"} and not (spec.zero and value == 0):
            assert spec.minimum is None or value >= spec.minimum
            assert spec.maximum is None or value <= spec.maximum


DOCUMENT_KEYS = st.sampled_from(
    [
        "prompt",
        "text",
        "pom",
        "contexts",
        "default",
        "steps",
        "name",
        "functions",
        "gather_info",
        "questions",
        "key",
        "question",
        "valid_steps",
        "reset",
        "SWAIG",
        "function",
        "parameters",
        "params",
        "languages",
        "hints",
        "title",
        "body",
        "bullets",
        "subsections",
        "global_data",
    ]
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(DOCUMENT_KEYS, inner, max_size=6),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(DOCUMENT_KEYS, DOCUMENTS, max_size=8))
def test_any_document_is_read_or_refused_by_code(raw):
    try:
        config = read_config({"prompt": "x", **raw})
    except AiError:
        # A prompt of its own took the place of the text; nothing else may be refused.
        assert "prompt" in raw
        return
    session = start({"prompt": "x", **raw})
    assert config.prompt.text is not None
    tools(session)
    system_prompt(session)


@settings(max_examples=200, deadline=None)
@given(st.one_of(VALUES, st.fixed_dictionaries({"response": VALUES, "action": VALUES})))
def test_any_reply_is_read(body):
    reply = read_reply(body)
    assert SECRET not in result_text(start(), reply)
    apply_all(start(), reply.actions, "look")
