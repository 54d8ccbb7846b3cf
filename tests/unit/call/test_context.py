from dataclasses import replace

from mediacore.call.context import (
    INTERRUPTED_RESULT,
    ContextEntry,
    Role,
    ToolRequest,
    latest,
    mended,
    with_late_result,
    with_user,
    without_last_user,
)

USER = ContextEntry(Role.USER, "a table")
AGENT = ContextEntry(Role.ASSISTANT, "For when?")


def test_two_caller_entries_in_a_row_become_one():
    assert with_user((USER,), "for two") == (ContextEntry(Role.USER, "a table for two"),)
    assert with_user((USER, AGENT), "now")[-1] == ContextEntry(Role.USER, "now")


def test_the_last_words_can_be_taken_back():
    assert without_last_user((AGENT, USER)) == ((AGENT,), "a table")
    assert without_last_user((USER, AGENT)) == ((USER, AGENT), "")
    assert without_last_user(()) == ((), "")


def test_a_late_result_finds_its_call_once():
    open_call = ContextEntry(Role.TOOL, INTERRUPTED_RESULT, tool_call_id="a")
    done = with_late_result((USER, open_call), "a", "booked")
    assert done == (USER, ContextEntry(Role.TOOL, "booked", tool_call_id="a"))
    assert with_late_result(done, "a", "again") is None
    assert with_late_result((USER,), "a", "x") is None


def test_the_window_keeps_notes_and_never_splits_a_tool_from_its_call():
    call = ToolRequest("t1", "look_up", "{}")
    note = ContextEntry(Role.SYSTEM, "be brief")
    old = (note, ContextEntry(Role.USER, "one"), ContextEntry(Role.ASSISTANT, "", (call,)))
    new = (ContextEntry(Role.USER, "two"), ContextEntry(Role.ASSISTANT, "yes"))
    result = ContextEntry(Role.TOOL, "found", tool_call_id="t1")
    context = (*old, result, *new)
    assert latest(context, 0) is context
    assert latest(context, 2) is context
    assert latest(context, 1) == (note, *new)


def test_a_context_from_outside_is_mended():
    call = ContextEntry(
        Role.ASSISTANT, "", (ToolRequest("a", "x", "{}"), ToolRequest("b", "x", "{}"))
    )
    result = ContextEntry(Role.TOOL, "found", tool_call_id="b")
    missing = ContextEntry(Role.TOOL, INTERRUPTED_RESULT, tool_call_id="a")
    user = ContextEntry(Role.USER, "hello")
    assert mended((result, user)) == (user,)
    assert mended((call, result, user, result)) == (call, result, missing, user)
    assert mended((call,))[1:] == (missing, replace(missing, tool_call_id="b"))
    whole = (call, missing, result, user)
    assert mended(whole) == whole
