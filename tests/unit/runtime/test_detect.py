"""Who answered: a person, a machine, a fax, a key."""

from __future__ import annotations

from typing import Any

import pytest

from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.detect import Tone
from support.runtime_call import Phone


def up() -> Phone:
    phone = Phone()
    phone.ok("answer")
    phone.answered()
    return phone


def detect(kind: str = "machine", timeout: float = 30, **params: Any) -> Phone:
    phone = up()
    what = {"type": kind, "params": params}
    phone.ok("detect", {"control_id": "d", "detect": what, "timeout": timeout})
    return phone


def found(phone: Phone) -> list[str]:
    return [p["detect"]["params"]["event"] for p in phone.told("detect")]


def test_a_short_greeting_is_a_person() -> None:
    phone = detect()
    phone.says("hello?")
    phone.wait(1000)
    assert found(phone) == ["HUMAN", "finished"]
    assert {p["detect"]["type"] for p in phone.told("detect")} == {"machine"}


def test_a_long_greeting_is_a_machine() -> None:
    phone = detect()
    phone.speaks()
    phone.wait(1250)
    assert found(phone) == ["MACHINE", "finished"]


def test_many_pieces_are_a_machine() -> None:
    phone = detect(machine_words_threshold=3, end_silence_timeout=2)
    for _ in range(3):
        phone.speaks()
        phone.wait(200)
        phone.speaks(False)
        phone.wait(200)
    assert found(phone) == ["MACHINE", "finished"]


def test_the_message_ends_with_silence() -> None:
    phone = detect(detect_message_end=True, end_silence_timeout=1)
    phone.speaks()
    phone.wait(4000)
    assert found(phone) == ["MACHINE"]
    phone.speaks(False)
    phone.wait(1000)
    assert found(phone) == ["MACHINE", "READY", "finished"]


def test_a_time_for_the_end_of_the_message_of_its_own() -> None:
    phone = detect(detect_message_end=True, machine_ready_timeout=3)
    phone.speaks()
    phone.wait(2000)
    phone.speaks(False)
    phone.wait(2900)
    assert found(phone) == ["MACHINE"]
    phone.wait(100)
    assert found(phone) == ["MACHINE", "READY", "finished"]


def test_the_message_ends_with_a_beep() -> None:
    phone = detect(detect_message_end=True)
    phone.speaks()
    phone.wait(2000)
    phone.tone(Tone.BEEP)
    assert found(phone) == ["MACHINE", "READY", "finished"]


def test_a_beep_is_a_machine_whatever_came_before() -> None:
    phone = detect()
    phone.tone(Tone.BEEP)
    assert found(phone) == ["MACHINE", "finished"]


def test_silence_is_unknown() -> None:
    phone = detect(initial_timeout=2)
    phone.wait(2000)
    assert found(phone) == ["UNKNOWN", "finished"]


def test_speech_that_began_before_counts() -> None:
    phone = up()
    phone.speaks()
    phone.wait(200)
    phone.ok("detect", {"control_id": "d", "detect": {"type": "machine", "params": {}}})
    phone.speaks(False)
    phone.wait(1000)
    assert found(phone) == ["HUMAN", "finished"]


def test_time_over() -> None:
    phone = detect("fax", timeout=3)
    phone.wait(3000)
    assert found(phone) == ["finished"]
    assert phone.told("detect")[-1]["detect"]["type"] == "fax"


@pytest.mark.parametrize(
    ("wanted", "heard", "events"),
    [
        ("CED", Tone.FAX_CED, ["CED", "finished"]),
        ("CNG", Tone.FAX_CNG, ["CNG", "finished"]),
        ("CED", Tone.FAX_CNG, []),
    ],
)
def test_fax(wanted: str, heard: Tone, events: list[str]) -> None:
    phone = detect("fax", tone=wanted)
    phone.tone(heard)
    assert found(phone) == events


def test_digits() -> None:
    phone = detect("digit", digits="12")
    phone.key("3")
    assert found(phone) == []
    phone.key("2")
    assert found(phone) == ["2", "finished"]
    assert phone.told("detect")[0]["detect"] == {"type": "digit", "params": {"event": "2"}}


def test_stop_and_hang_up_end_it() -> None:
    phone = detect("digit")
    phone.ok("detect.stop", {"control_id": "d"})
    assert found(phone) == ["finished"]
    phone = detect("digit")
    phone.do(i.LineGone("L1", "hangup"))
    assert found(phone) == ["error"]
    assert phone.told("detect")[-1]["detect"]["type"] == "digit"


class TestDocuments:
    @pytest.mark.parametrize(
        ("speech_ms", "silence_ms", "result"),
        [(400, 1000, "human"), (2000, 0, "machine"), (0, 4500, "unknown")],
    )
    def test_results(self, speech_ms: int, silence_ms: int, result: str) -> None:
        phone = Phone([{"detect_machine": {}}, {"sleep": -1}])
        phone.answered()
        if speech_ms:
            phone.speaks()
            phone.wait(speech_ms)
            phone.speaks(False)
        phone.wait(silence_ms)
        assert phone.vars["detect_result"] == phone.vars["return_value"] == result

    def test_fax(self) -> None:
        phone = Phone([{"detect_machine": {"detectors": "fax"}}, {"sleep": -1}])
        phone.answered()
        phone.tone(Tone.FAX_CED)
        assert phone.vars["detect_result"] == "fax"

    def test_without_waiting_the_variables_come_later(self) -> None:
        main = [{"detect_machine": {"wait": False}}, {"play": "say:hi"}, {"sleep": -1}]
        phone = Phone(main)
        phone.answered()
        assert phone.said == ["hi"] and "detect_result" not in phone.vars
        phone.says("hello")
        phone.wait(1000)
        assert phone.vars["detect_result"] == "human"
        assert "return_value" not in phone.vars

    def test_unknown_detectors_fail(self) -> None:
        phone = Phone([{"detect_machine": {"detectors": "dog"}}, {"sleep": -1}])
        phone.answered()
        assert phone.vars["detect_machine_result"] == "failed"
        assert not phone.of(a.StopPlay)
