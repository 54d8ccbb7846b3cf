"""Input: keys, speech, or whichever comes first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from support.runtime_call import Phone

TTS = [{"type": "tts", "params": {"text": "say or press"}}]


def up() -> Phone:
    phone = Phone()
    phone.ok("answer")
    phone.answered()
    return phone


def collect(**params: Any) -> Phone:
    phone = up()
    phone.ok("collect", {"control_id": "c", **params})
    return phone


def prompt(**params: Any) -> Phone:
    phone = up()
    phone.ok("play_and_collect", {"control_id": "c", "play": TTS, "collect": params})
    return phone


def result(phone: Phone) -> Mapping[str, Any]:
    found: Mapping[str, Any] = phone.told("collect")[-1]["result"]
    return found


def armed(phone: Phone) -> bool:
    return phone.of(a.ArmLine)[-1].stops


class TestDigits:
    def test_as_many_as_are_enough(self) -> None:
        phone = collect(digits={"max": 3})
        phone.key("12")
        assert not phone.told("collect")
        phone.key("3")
        assert result(phone) == {"type": "digit", "params": {"digits": "123", "terminator": ""}}
        assert phone.told("collect")[-1]["state"] == "finished"
        assert phone.told("collect")[-1]["final"] is True

    def test_a_terminator_ends_them_and_is_told(self) -> None:
        phone = collect(digits={"max": 5, "terminators": "#*"})
        phone.key("4*")
        assert result(phone)["params"] == {"digits": "4", "terminator": "*"}

    def test_a_terminator_alone_is_an_empty_answer(self) -> None:
        phone = collect(digits={"max": 5, "terminators": "#"})
        phone.key("#")
        assert result(phone)["params"] == {"digits": "", "terminator": "#"}

    def test_silence_after_a_digit_ends_them(self) -> None:
        phone = collect(digits={"max": 5, "digit_timeout": 2})
        phone.wait(3000)
        phone.key("7")
        phone.wait(1900)
        assert not phone.told("collect")
        phone.wait(200)
        assert result(phone)["params"]["digits"] == "7"

    def test_nothing_in_time_is_no_input(self) -> None:
        phone = collect(digits={"max": 1}, initial_timeout=2)
        phone.wait(2000)
        assert phone.states("collect", "c") == ["no_input"]
        assert result(phone) == {"type": "no_input"}

    @pytest.mark.parametrize("most", [0, -1, 101, "x", True, [], "nan", 1e400, 10**400])
    def test_an_impossible_number_of_them_is_refused(self, most: object) -> None:
        answer = up().command("collect", {"digits": {"max": most}})
        assert answer.code == "400" and "max" in answer.message

    @pytest.mark.parametrize("most", [2.0, "2", 2.7])
    def test_odd_spellings_of_a_number_count(self, most: object) -> None:
        phone = collect(digits={"max": most})
        phone.key("12")
        assert result(phone)["params"]["digits"] == "12"

    def test_partial_results_are_not_final(self) -> None:
        phone = collect(digits={"max": 3}, partial_results=True)
        phone.key("12")
        events = phone.told("collect")
        assert [e["final"] for e in events] == [False, False]
        assert events[-1]["result"]["params"]["digits"] == "12"


class TestSpeech:
    def test_words_after_silence(self) -> None:
        phone = collect(speech={"end_silence_timeout": 1})
        assert phone.of(a.StartHearing)
        phone.says("pizza please", 0.875)
        phone.wait(1000)
        assert result(phone) == {
            "type": "speech",
            "params": {"text": "pizza please", "confidence": 87.5},
        }
        assert phone.of(a.StopHearing)

    def test_two_pieces_are_one_answer(self) -> None:
        phone = collect(speech={"end_silence_timeout": 1})
        phone.says("pizza")
        phone.wait(500)
        phone.says("please")
        phone.wait(1000)
        assert result(phone)["params"]["text"] == "pizza please"

    def test_noise_is_no_match(self) -> None:
        phone = collect(speech={})
        phone.speaks()
        phone.wait(400)
        phone.speaks(False)
        phone.wait(2500)
        assert phone.states("collect", "c") == ["no_match"]

    def test_speech_that_does_not_end_is_taken_as_it_is(self) -> None:
        phone = collect(speech={"speech_timeout": 5})
        phone.says("on and on")
        phone.speaks()
        phone.wait(5000)
        assert result(phone)["params"]["text"] == "on and on"

    def test_partial_words(self) -> None:
        phone = collect(speech={}, partial_results=True)
        phone.speaks()
        phone.partly("piz")
        assert phone.told("collect")[-1]["final"] is False
        assert result(phone)["params"]["text"] == "piz"

    def test_a_recogniser_that_fails_ends_it(self) -> None:
        phone = collect(speech={})
        phone.deaf()
        assert phone.states("collect", "c") == ["error"]

    def test_keys_still_count_when_the_recogniser_fails(self) -> None:
        phone = collect(speech={}, digits={"max": 1})
        phone.deaf()
        phone.key("5")
        assert result(phone)["params"]["digits"] == "5"

    def test_a_recogniser_that_fails_in_mid_speech_leaves_time_for_keys(self) -> None:
        phone = collect(speech={}, digits={"max": 1}, initial_timeout=3)
        phone.speaks()
        phone.deaf()
        phone.wait(3000)
        assert phone.states("collect", "c")[-1] in ("no_input", "no_match")


class TestBoth:
    def test_keys_win_over_words(self) -> None:
        phone = collect(digits={"max": 1}, speech={})
        phone.says("one")
        phone.key("2")
        assert result(phone)["type"] == "digit"

    @pytest.mark.parametrize("what", ["digit", "speech"])
    def test_the_start_of_input_is_told_for_what_it_is(self, what: str) -> None:
        phone = collect(digits={"max": 4}, speech={}, send_start_of_input=True)
        if what == "digit":
            phone.key("1")
        else:
            phone.speaks()
        assert result(phone) == {"type": "start_of_input", "params": {"type": what}}
        phone.key("2")
        assert len(phone.told("collect")) == 1

    def test_a_stray_terminator_does_not_stop_the_timer(self) -> None:
        phone = collect(digits={"max": 4, "terminators": "#"}, speech={}, initial_timeout=2)
        phone.key("#")
        phone.wait(2000)
        assert phone.states("collect", "c") == ["no_input"]

    def test_continuous_goes_on_after_each_result(self) -> None:
        phone = collect(digits={"max": 1}, continuous=True)
        phone.key("12")
        events = phone.told("collect")
        assert [e["result"]["params"]["digits"] for e in events] == ["1", "2"]
        phone.ok("collect.stop", {"control_id": "c"})
        assert phone.states("collect", "c")[-1] == "finished"

    def test_timers_can_be_started_later(self) -> None:
        phone = collect(digits={"max": 1}, initial_timeout=1, start_input_timers=False)
        phone.wait(60_000)
        assert not phone.told("collect")
        phone.ok("collect.start_input_timers", {"control_id": "c"})
        phone.wait(1000)
        assert phone.states("collect", "c") == ["no_input"]

    def test_a_stop_gives_what_there_is(self) -> None:
        phone = collect(digits={"max": 4})
        phone.key("12")
        phone.ok("collect.stop", {"control_id": "c"})
        assert result(phone)["params"]["digits"] == "12"

    def test_a_hang_up_ends_it_with_an_error(self) -> None:
        phone = collect(digits={"max": 4})
        phone.do(i.LineGone("L1", "hangup"))
        assert phone.states("collect", "c") == ["error"]


class TestAfterAnAnnouncement:
    def test_one_control_id_has_events_of_both_kinds(self) -> None:
        phone = prompt(digits={"max": 1})
        phone.played()
        phone.key("1")
        assert phone.states("play", "c") == ["playing", "finished"]
        assert phone.states("collect", "c") == ["finished"]

    def test_the_initial_timer_starts_after_it(self) -> None:
        phone = prompt(digits={"max": 1}, initial_timeout=2)
        phone.playing()
        phone.wait(10_000)
        assert not phone.told("collect")
        phone.played()
        phone.wait(1900)
        assert not phone.told("collect")
        phone.wait(200)
        assert phone.states("collect", "c") == ["no_input"]

    def test_a_key_stops_it(self) -> None:
        phone = prompt(digits={"max": 2})
        phone.playing()
        phone.key("1")
        assert len(phone.of(a.StopPlay)) == 1
        assert phone.states("play", "c") == ["playing", "finished"]
        phone.key("2")
        assert result(phone)["params"]["digits"] == "12"

    def test_speech_stops_it_and_the_reflex_is_armed_only_meanwhile(self) -> None:
        phone = prompt(speech={})
        assert armed(phone)
        phone.playing()
        phone.speaks()
        assert not armed(phone) and phone.states("play", "c")[-1] == "finished"

    def test_the_core_s_own_cut_is_the_end_of_it(self) -> None:
        phone = prompt(speech={})
        phone.playing()
        phone.cut()
        assert not armed(phone) and not phone.of(a.StopPlay)
        phone.says("yes")
        phone.wait(1000)
        assert result(phone)["params"]["text"] == "yes"

    def test_the_reflex_is_off_when_it_was_played_to_its_end(self) -> None:
        phone = prompt(speech={})
        phone.played()
        assert not armed(phone)

    def test_the_reflex_does_not_reach_the_play_before_it(self) -> None:
        phone = up()
        phone.ok("play", {"control_id": "p", "play": TTS})
        phone.playing()
        phone.ok("play_and_collect", {"control_id": "c", "play": TTS, "collect": {"speech": {}}})
        assert not armed(phone)
        phone.played()
        assert armed(phone)

    def test_without_speech_the_reflex_is_off(self) -> None:
        phone = prompt(digits={"max": 1})
        assert not armed(phone)
        phone.playing()
        phone.speaks()
        assert not phone.of(a.StopPlay)

    def test_a_key_does_not_disturb_a_prompt_for_speech(self) -> None:
        phone = prompt(speech={}, initial_timeout=2)
        phone.playing()
        phone.key("1")
        assert not phone.of(a.StopPlay)
        phone.played()
        phone.wait(2000)
        assert phone.states("collect", "c") == ["no_input"]

    def test_an_announcement_that_fails_is_told_and_input_is_awaited(self) -> None:
        phone = prompt(digits={"max": 1}, initial_timeout=1)
        phone.wait(phone.state.settings.play_stall_ms)
        assert phone.states("play", "c") == ["error"]
        phone.key("3")
        assert result(phone)["params"]["digits"] == "3"

    def test_a_stop_ends_both(self) -> None:
        phone = prompt(digits={"max": 1})
        phone.playing()
        phone.ok("play_and_collect.stop", {"control_id": "c"})
        assert phone.states("play", "c")[-1] == phone.states("collect", "c")[-1] == "finished"

    def test_it_stays_armed_on_hold_where_the_core_lets_no_policy_act(self) -> None:
        phone = prompt(speech={})
        phone.playing()
        phone.ok("hold")
        assert phone.of(a.HoldLine)[-1].on
        phone.ok("unhold")
        assert not phone.of(a.HoldLine)[-1].on
        assert armed(phone)

    def test_a_hang_up_ends_both(self) -> None:
        phone = prompt(digits={"max": 1})
        phone.playing()
        phone.do(i.LineGone("L1", "hangup"))
        assert phone.states("play", "c")[-1] == "finished"
        assert phone.states("collect", "c") == ["error"]
