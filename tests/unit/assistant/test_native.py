"""The engine's own tools."""

from mediacore.assistant import call_native, go_context, is_native
from mediacore.assistant.native import spoken_time
from mediacore.assistant.orders import Pause, Tune, WaitForUser
from support.ai_cases import document, plain, start, trail

WALL = 1_795_243_380_000_000  # 2026-11-21 06:43 UTC


def run(name, session=None, **arguments):
    return call_native(session or start(), name, arguments, WALL)


def test_navigation():
    result = run("next_step", step="ask")
    assert (result.session.step, result.text) == ("ask", "Done. Follow the current instructions.")
    result = run("next_step", step="done")
    assert (result.session.step, result.text) == (
        "hello",
        "That step is not open from here. Open: ask.",
    )
    assert trail(result.session) == ["transition_refused"]
    assert run("change_context", context="billing").session.context == "billing"
    assert run("change_context", context=[1]).session.context == "billing"
    assert run("change_context", context="x").session.context == "default"


def test_answers():
    session, _ = go_context(start(), "billing", "webhook_action")
    result = run("gather_submit", session, answer="Ann", confirmed_by_user="true")
    assert result.session.global_data["profile"] == {"name": "Ann"}


def test_time():
    assert run("check_time").text == "It is Saturday, 21 November 2026, 07:43 (Europe/Berlin)."
    assert "06:43 (UTC)" in run("check_time", timezone="Mars/Base").text
    assert "06:43 (UTC)" in run("check_time", timezone="../../etc/passwd").text
    assert spoken_time(10**30, "UTC") == "The time is not known."


def test_pauses():
    assert run("wait_seconds", seconds=500).orders == (Pause(60),)
    assert run("wait_seconds").orders == (Pause(1),)
    assert run("wait_for_user").orders == (WaitForUser(),)


def test_latency_moves_in_steps_within_its_range():
    session = start(plain())
    for _ in range(60):
        result = run("adjust_response_latency", session, direction="slower")
        session = result.session
    assert result.orders == (Tune({"end_of_speech_timeout": 10_000}),)
    for _ in range(60):
        session = run("adjust_response_latency", session, direction="faster").session
    assert session.param("end_of_speech_timeout") == 250


def test_who_answers():
    assert is_native(start(), "next_step")
    assert is_native(start(), "check_time")
    assert not is_native(start(), "look")
    own = document(SWAIG={"functions": [{"function": "check_time", "web_hook_url": "http://x"}]})
    assert not is_native(start(own), "check_time")
    assert run("fly").text == "There is no such tool."
