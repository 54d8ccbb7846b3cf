from mediacore.call.context import (
    INTERRUPTED_RESULT,
    ContextEntry,
    Role,
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
