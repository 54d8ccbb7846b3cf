"""Properties of the interpreter over documents made at random."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediacore.flow.document import Document, Statement, read_block
from mediacore.flow.interpreter import (
    MAX_CALLS,
    MAX_TRANSFERS,
    Done,
    FlowState,
    Perform,
    Warn,
    advance,
    complete,
    fetch_failed,
    fetched,
    start,
)
from mediacore.flow.parsed import Source
from mediacore.flow.scope import Scope
from mediacore.flow.script import QuickJs

JS = QuickJs(time_s=0.05)
MAX_PERFORMS = 20
COPIED = 4

names = st.sampled_from(["a", "b", "c"])
sections = st.sampled_from(["main", "one", "two", "absent", "https://h/"])
values = st.sampled_from(
    [1, "x", "${a}", "%{params.p}", "${a + 1}", "${nope()}", None, [1], {"k": "${b}"}]
)
whens = st.sampled_from(["true", "false", "a == 1", "typeof b == 'undefined'", "nope.x", 1, ""])
leaf: st.SearchStrategy[Any] = st.one_of(
    st.just("answer"),
    st.builds(lambda v: {"play": {"url": v}}, values),
    st.builds(lambda n, v: {"set": {n: v}}, names, values),
    st.builds(lambda n: {"unset": n}, names),
    st.builds(lambda n: {"label": n}, names),
    st.builds(
        lambda n, w, m: {"goto": {"label": n, "when": w, "max": m}},
        names,
        whens,
        st.integers(-1, 5),
    ),
    st.builds(lambda d, v: {"transfer": {"dest": d, "params": {"p": v}}}, sections, values),
    st.builds(lambda v: {"return": v}, values),
    st.builds(
        lambda m, v: {m: v}, st.sampled_from(["cond", "switch", "set", "goto", "execute"]), values
    ),
)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    block = st.lists(inner, max_size=3)
    return st.one_of(
        st.builds(
            lambda w, t, e: {"cond": [{"when": w, "then": t}, {"else": e}]}, whens, block, block
        ),
        st.builds(
            lambda n, b, d: {"switch": {"variable": n, "case": {"1": b}, "default": d}},
            names,
            block,
            block,
        ),
        st.builds(
            lambda d, v, b, r: {
                "execute": {"dest": d, "params": {"p": v}, "on_return": b, "result": r}
            },
            sections,
            values,
            block,
            st.none() | st.builds(lambda c: {"case": {"1": c}}, block),
        ),
    )


statements = st.recursive(leaf, _nested, max_leaves=8)
blocks = st.lists(statements, max_size=6)


def document(main: list[Any], **others: list[Any]) -> Document:
    source = Source("test", None)
    made: Mapping[str, tuple[Statement, ...]] = {
        name: read_block(block, ("sections", name), source)
        for name, block in {"main": main, **others}.items()
    }
    return Document("test", made)


def answer(state: FlowState, performed: Perform, turn: int) -> FlowState:
    if performed.method != "fetch":
        return complete(
            state, {"a": turn}, value=turn % 3 or None, failed="x" if turn % 5 == 0 else ""
        )
    if turn % 2:
        return fetch_failed(state, "relay_script_parse_error", "no")
    return fetched(state, document([{"play": {"url": "${params.p}"}}, {"return": 1}]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(blocks, blocks, blocks)
def test_every_document_advances_and_states_are_never_changed(
    main: list[Any], one: list[Any], two: list[Any]
) -> None:
    state = start(document(main, one=one, two=two), Scope(params={"p": 0}))
    for turn in range(MAX_PERFORMS):
        copied = turn < COPIED
        before = copy.deepcopy(state.frames) if copied else ()
        scope = copy.deepcopy(state.scope)
        after, effects = advance(state, JS)
        assert not copied or state.frames == before
        assert state.scope == scope
        assert all(isinstance(effect, Warn) for effect in effects[:-1])
        assert after.transfers <= MAX_TRANSFERS
        assert sum(frame.call is not None for frame in after.frames) <= MAX_CALLS
        last = effects[-1]
        assert isinstance(last, Perform | Done)
        assert after.finished == isinstance(last, Done)
        if isinstance(last, Done):
            return
        before = copy.deepcopy(after.frames) if copied else ()
        scope = copy.deepcopy(after.scope)
        state = answer(after, last, turn)
        assert not copied or after.frames == before
        assert after.scope == scope


@settings(max_examples=40, deadline=None)
@given(blocks.filter(lambda block: "transfer" not in str(block)), values)
def test_params_are_restored_after_execute(sub: list[Any], value: object) -> None:
    main: list[Any] = [
        {"execute": {"dest": "sub", "params": {"p": value}}},
        {"user_event": {"event": {"end": "${params.p}"}}},
    ]
    state = start(document(main, sub=sub), Scope(params={"p": "mine"}))
    for turn in range(MAX_PERFORMS):
        state, effects = advance(state, JS)
        last = effects[-1]
        if isinstance(last, Done):
            assert last.reason == "error"
            return
        assert isinstance(last, Perform)
        if last.method == "user_event" and len(state.frames) == 1:
            assert last.params == {"event": {"end": "mine"}}
            assert state.scope.params == {"p": "mine"}
            return
        state = answer(state, last, turn)


@given(st.lists(st.sampled_from(["one", "two", "main"]), min_size=3, max_size=3))
def test_chains_of_transfers_end(chain: list[str]) -> None:
    first, second, third = ([{"transfer": dest}] for dest in chain)
    made = document(first, one=second, two=third)
    state, effects = advance(start(made, Scope()), JS)
    assert effects[-1] == Done(None, "error")
    assert state.transfers == MAX_TRANSFERS
