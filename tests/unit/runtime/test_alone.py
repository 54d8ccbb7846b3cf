"""Calls whose controller is gone for good (`timers`, `commands`)."""

from __future__ import annotations

from mediacore.runtime import inputs as i
from support.runtime_call import Phone, settings

IDLE_MS = 5_000
TTS = [{"type": "tts", "params": {"text": "hi"}}]


def alone(*commands: tuple[str, dict[str, object]]) -> Phone:
    """An answered call of a controller that has given its commands and is gone."""
    phone = Phone(rules=settings(idle_ms=IDLE_MS))
    phone.ok("answer")
    phone.answered()
    for method, params in commands:
        phone.ok(method, params)
    phone.do(i.ControllerGone("s1"))
    return phone


def test_a_call_that_nobody_runs_is_given_up() -> None:
    phone = alone()
    phone.wait(IDLE_MS - 100)
    assert not phone.state.ending
    phone.wait(200)
    assert phone.state.ending and phone.state.end_reason == "abandoned"


def test_what_was_ordered_is_finished_first() -> None:
    phone = alone(("play", {"control_id": "p", "play": TTS}))
    phone.wait(2 * IDLE_MS)
    assert not phone.state.ending
    phone.played()
    phone.wait(IDLE_MS - 100)
    assert not phone.state.ending
    phone.wait(200)
    assert phone.state.ending


def test_another_controller_takes_it_on() -> None:
    phone = alone()
    phone.ok("play", {"control_id": "p", "play": TTS}, issuer="s2")
    phone.played()
    phone.wait(3 * IDLE_MS)
    assert not phone.state.ending
    phone.do(i.ControllerGone("s1"))
    phone.wait(3 * IDLE_MS)
    assert not phone.state.ending


def test_a_recording_is_no_reason_to_go_on() -> None:
    record = {"audio": {"end_silence_timeout": 0}}
    phone = alone(("record", {"control_id": "r", "record": record}))
    phone.wait(IDLE_MS + 200)
    assert phone.state.ending
