"""What the statements of a document do, and the variables they leave."""

from __future__ import annotations

from typing import Any

import pytest

from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.documents import inline_document
from support.runtime_call import Phone, settings

END = {"sleep": -1}


def run(*main: Any, up: bool = True, **sections: list[Any]) -> Phone:
    phone = Phone([*main, END], **sections)
    if up and not phone.line().over:
        phone.answered()
    return phone


def warned(phone: Phone) -> list[str]:
    return [p["code"].removeprefix("relay_script_") for p in phone.told("script.warning")]


class TestAnswering:
    def test_answer_waits_for_the_line(self) -> None:
        phone = run({"answer": {"max_duration": 20}}, {"play": "say:hi"}, up=False)
        assert len(phone.of(a.AnswerLine)) == 1 and not phone.said
        phone.wait(5000)
        phone.answered()
        assert phone.said == ["hi"] and phone.vars["answer_result"] == "success"
        phone.wait(19_000)
        assert not phone.state.over
        phone.wait(1000)
        assert phone.state.end_reason == "max_duration"

    def test_a_play_answers_by_itself_once(self) -> None:
        phone = run({"play": "say:hi"}, {"play": "say:ho"}, up=False)
        assert len(phone.of(a.AnswerLine)) == 1
        phone.answered()
        phone.played()
        assert phone.said == ["hi", "ho"] and len(phone.of(a.AnswerLine)) == 1

    def test_a_play_that_must_not_answer_fails_before_the_answer(self) -> None:
        phone = run({"play": {"url": "say:hi", "auto_answer": False}}, up=False)
        assert not phone.of(a.AnswerLine) and phone.vars["play_result"] == "failed"

    def test_statements_without_media_do_not_answer(self) -> None:
        phone = run({"set": {"x": 1}}, {"user_event": {"event": {"a": 1}}}, up=False)
        assert not phone.of(a.AnswerLine)
        assert phone.told("user_event")[-1]["event"] == {"a": 1}

    def test_an_answer_that_never_comes_ends_the_call(self) -> None:
        phone = run({"answer": {}}, up=False)
        phone.wait(phone.state.settings.answer_ms)
        assert phone.state.over and phone.state.end_reason == "error"

    @pytest.mark.parametrize("reason", ["hangup", "busy", "decline"])
    def test_hangup_reasons(self, reason: str) -> None:
        phone = run({"hangup": {"reason": reason}}, up=False)
        assert phone.of(a.EndLine)[-1].reason == reason and phone.state.over

    def test_the_end_of_the_document_is_the_end_of_the_call(self) -> None:
        phone = Phone([{"answer": {}}, {"play": "say:bye"}])
        phone.answered()
        phone.played()
        assert phone.state.over and phone.state.end_reason == "hangup"


class TestPlays:
    def test_items_and_volume(self) -> None:
        urls = ["say:hi", "silence:2", "ring:3:uk", "https://x/a.wav"]
        phone = run({"play": {"urls": urls, "volume": -5, "say_voice": "v"}})
        play = phone.of(a.StartPlay)[-1]
        assert [(x.kind, x.text, x.ms) for x in play.items] == [
            ("say", "hi", 0),
            ("silence", "", 2000),
            ("ring", "uk", 3000),
            ("audio", "https://x/a.wav", 0),
        ]
        assert play.volume_db == -5 and play.items[0].voice == "v"

    @pytest.mark.parametrize("url", ["ring:1.2.3:us", "ring:us:us", "silence:x", "", 5])
    def test_addresses_that_mean_nothing(self, url: object) -> None:
        phone = run({"play": {"url": url}})
        assert phone.vars["play_result"] == "failed"

    def test_bad_parameters_set_the_script_error_and_go_on(self) -> None:
        phone = run({"play": {"url": "say:x", "volume": "%{no}loud"}}, {"play": "say:on"})
        assert phone.vars["play_result"] == phone.vars["return_value"] == "failed"
        assert phone.vars["script_error"] == "relay_script_method_parameter_invalid_value"
        assert warned(phone) == ["method_parameter_invalid_value"] and phone.said == ["on"]

    def test_send_digits(self) -> None:
        phone = run({"send_digits": {"digits": "1w2W"}}, {"play": "say:sent"})
        assert phone.of(a.SendDigits) == [a.SendDigits("L1", "1w2W")]
        phone.wait(1899)
        assert not phone.said
        phone.wait(1)
        assert phone.said == ["sent"] and phone.vars["send_digits_result"] == "success"

    def test_sleep(self) -> None:
        phone = run({"sleep": {"duration": 1500}}, {"play": "say:on"}, up=False)
        phone.answered()
        phone.wait(1499)
        assert not phone.said
        phone.wait(1)
        assert phone.said == ["on"]


class TestPrompt:
    def prompt(self, **more: Any) -> Phone:
        phone = run({"prompt": {"play": "say:press", **more}}, {"play": "say:on"})
        phone.playing()
        return phone

    def test_digits(self) -> None:
        phone = self.prompt(max_digits=3, terminators="#")
        phone.key("12#")
        assert phone.vars["prompt_result"] == "match_digits"
        assert phone.vars["prompt_value"] == phone.vars["return_value"] == "12"
        assert phone.vars["prompt_digit_terminator"] == "#"

    def test_speech(self) -> None:
        phone = self.prompt(speech_language="en-US", speech_hints=["pizza"])
        assert phone.of(a.StartHearing)[-1] == a.StartHearing("L1", "en-US", ("pizza",))
        phone.says("pizza", 0.5)
        phone.wait(1000)
        assert phone.vars["prompt_result"] == "match_speech"
        assert phone.vars["prompt_value"] == "pizza"
        assert phone.vars["prompt_speech_confidence"] == 50

    def test_digits_count_in_a_prompt_for_speech(self) -> None:
        phone = self.prompt(speech_timeout=10)
        phone.key("4")
        assert phone.vars["prompt_value"] == "4"

    def test_no_input(self) -> None:
        phone = self.prompt(initial_timeout=2)
        phone.played()
        phone.wait(2000)
        assert phone.vars["prompt_result"] == "no_input" and phone.vars["prompt_value"] == ""

    def test_no_match(self) -> None:
        phone = self.prompt(speech_end_timeout=1)
        phone.speaks()
        phone.wait(300)
        phone.speaks(False)
        phone.wait(2500)
        assert phone.vars["prompt_result"] == "no_match"

    def test_what_is_not_played_fails(self) -> None:
        phone = run({"prompt": {"max_digits": 2, "play": "ring:nowhere"}})
        assert phone.vars["prompt_result"] == "failed"

    @pytest.mark.parametrize("digits", [0, "x"])
    def test_odd_numbers_of_digits_fail(self, digits: object) -> None:
        phone = run({"prompt": {"play": "say:x", "max_digits": f"%{{none}}{digits}"}})
        assert phone.vars["prompt_result"] == "failed"


class TestRecording:
    def test_record_waits_for_its_file(self) -> None:
        phone = run({"record": {"beep": True, "terminators": "*"}}, {"play": "say:on"})
        start = phone.of(a.StartRecording)[-1]
        assert start.beep and start.direction == "speak"
        phone.speaks()
        phone.key("*")
        assert not phone.said
        phone.do(i.RecordingStored(start.op, ok=True, url="u", duration_ms=1, size=1))
        assert phone.said == ["on"]
        assert phone.vars["record_url"] == "u" and phone.vars["record_result"] == "success"

    def test_nothing_recorded(self) -> None:
        phone = run({"record": {"initial_timeout": 1}})
        phone.wait(1000)
        phone.do(i.RecordingStored(phone.of(a.StartRecording)[-1].op, ok=True, url="u"))
        assert phone.vars["record_result"] == "no_input"

    def test_a_call_is_recorded_in_the_background(self) -> None:
        phone = run({"record_call": {"control_id": "rc", "stereo": True}}, {"play": "say:on"})
        assert phone.said == ["on"]
        start = phone.of(a.StartRecording)[-1]
        assert (start.op, start.stereo, start.direction) == ("rc", True, "both")
        assert phone.vars["record_control_id"] == "rc"

    def test_its_name_is_taken_once(self) -> None:
        call = {"record_call": {"control_id": "rc"}}
        phone = run(call, call)
        assert len(phone.of(a.StartRecording)) == 1
        assert phone.vars["record_call_result"] == "failed"

    def test_stop_record_call_takes_the_newest(self) -> None:
        phone = run({"record_call": {"control_id": "a"}}, {"record_call": {}}, "stop_record_call")
        newest = phone.of(a.StartRecording)[-1].op
        assert phone.of(a.StopRecording) == [a.StopRecording(newest)]
        assert phone.vars["stop_record_call_result"] == "success"
        phone.do(i.RecordingStored(newest, ok=True, url="u"))
        assert phone.vars["record_call_url"] == "u"

    def test_nothing_to_stop(self) -> None:
        phone = run("stop_record_call", {"stop_tap": {}}, {"stop_stream": {}})
        assert phone.vars["stop_record_call_result"] == "failed"
        assert phone.vars["stop_tap_result"] == phone.vars["stop_stream_result"] == "failed"


class TestForks:
    def test_tap_and_stop(self) -> None:
        tap = {"tap": {"uri": "wss://x", "direction": "both", "control_id": "t"}}
        phone = run(tap, {"stop_tap": {"control_id": "t"}})
        assert phone.of(a.StartFork)[-1].track == "both" and phone.of(a.StopFork)
        assert phone.vars["tap_control_id"] == "t" and phone.vars["tap_uri"] == "wss://x"
        assert phone.vars["stop_tap_result"] == "success"

    def test_a_name_is_taken_once(self) -> None:
        tap = {"tap": {"uri": "wss://x", "control_id": "t"}}
        phone = run(tap, tap)
        assert len(phone.of(a.StartFork)) == 1 and phone.vars["tap_result"] == "failed"

    def test_stream(self) -> None:
        phone = run({"stream": {"url": "wss://x", "control_id": "s"}})
        assert phone.vars["stream_control_id"] == "s"
        phone.do(i.ForkChanged("s", running=False, error="refused"))
        assert phone.vars["stream_result"] == "failed"

    def test_operations_of_a_call_are_limited(self) -> None:
        tap = {"tap": {"uri": "wss://x"}}
        phone = Phone([tap, tap, tap, END], rules=settings(max_operations=2))
        phone.answered()
        assert len(phone.of(a.StartFork)) == 2 and phone.vars["tap_result"] == "failed"


class TestRequests:
    def request(self, **more: Any) -> tuple[Phone, a.SendRequest]:
        phone = run({"request": {"url": "https://x", "method": "GET", **more}})
        return phone, phone.of(a.SendRequest)[-1]

    def test_what_is_sent(self) -> None:
        _, sent = self.request(method="post", headers={"X": 1}, body={"a": 1}, timeout=3)
        assert (sent.method, sent.headers, sent.body) == ("POST", {"X": "1"}, {"a": 1})
        assert sent.timeout_ms == 3000 and sent.connect_ms == 3000

    def test_the_reply_as_variables(self) -> None:
        phone, sent = self.request(save_variables=True)
        headers = {"Content-Type": "application/json"} | {f"X-{n}": "1" for n in range(80)}
        body = '{"status": "ok", "number": {"home": 1}}'
        phone.do(i.HttpReplied(sent.op, 201, headers, body))
        found = phone.vars
        assert found["request_url"] == "https://x"
        assert found["request_result"] == found["return_value"] == "success"
        assert found["request_response_code"] == 201
        assert found["request_response_headers"]["content-type"] == "application/json"
        assert len(found["request_response_headers"]) == 64
        assert found["request_response_body"] == body
        assert found["request_response"]["number"]["home"] == 1

    def test_without_save_variables_nothing_is_taken_apart(self) -> None:
        phone, sent = self.request()
        phone.do(i.HttpReplied(sent.op, 404, {}, '{"a": 1}'))
        assert "request_response" not in phone.vars
        assert phone.vars["request_result"] == "failed"

    def test_a_long_body_is_cut(self) -> None:
        phone, sent = self.request(save_variables=True)
        phone.do(i.HttpReplied(sent.op, 200, {}, "x" * 100_000))
        assert len(phone.vars["request_response_body"]) == 64_000

    def test_a_failure(self) -> None:
        phone, sent = self.request()
        phone.do(i.HttpReplied(sent.op, 0, {}, "", "refused"))
        assert phone.vars["request_result"] == "failed"

    def test_no_reply(self) -> None:
        phone, sent = self.request(timeout=2)
        phone.wait(7000)
        assert phone.vars["request_result"] == "failed"
        phone.do(i.HttpReplied(sent.op, 200, {}, ""))
        assert phone.state.refused["stale_reply"] == 1

    def test_a_verb_that_does_not_exist(self) -> None:
        phone = run({"request": {"url": "https://x", "method": "%{none}BREW"}})
        assert phone.vars["request_result"] == "failed" and not phone.of(a.SendRequest)


class TestFlow:
    def test_what_is_not_supported_fails_with_one_warning_and_goes_on(self) -> None:
        phone = run({"send_fax": {"document": "https://x"}}, {"play": "say:on"})
        assert warned(phone) == ["method_unsupported"] and phone.said == ["on"]
        assert phone.vars["send_fax_result"] == phone.vars["return_value"] == "failed"
        assert phone.vars["script_error"] == "relay_script_method_unsupported"

    def test_cond_switch_goto_execute(self) -> None:
        phone = run(
            {"set": {"n": 0, "who": "b"}},
            {"label": "again"},
            {"set": {"n": "${n + 1}"}},
            {"goto": {"label": "again", "when": "n < 3"}},
            {"switch": {"variable": "who", "case": {"b": [{"play": "say:%{n}"}]}}},
            {"execute": {"dest": "sub", "params": {"x": "y"}}},
            {"unset": "who"},
            {"cond": [{"when": "return_value == 'done'", "then": [{"play": "say:end"}]}]},
            sub=[{"play": "say:sub %{params.x}"}, {"return": "done"}],
        )
        phone.played()
        phone.played()
        assert phone.said == ["3", "sub y", "end"] and "who" not in phone.vars

    def test_a_document_is_fetched_with_what_the_call_knows(self) -> None:
        main = [{"set": {"x": 1}}, {"transfer": {"dest": "https://x/doc", "params": {"a": 2}}}]
        phone = run(*main)
        fetch = phone.of(a.FetchDocument)[-1]
        body: Any = fetch.body
        assert fetch.url == "https://x/doc"
        assert body["vars"]["x"] == 1 and body["params"] == {"a": 2}
        assert body["call"]["call_id"] == "L1" and body["call"]["from"] == "+1555"
        phone.do(i.DocumentFetched(fetch.op, inline_document([{"play": "say:there"}], "x")))
        assert phone.said == ["there"] and phone.vars["x"] == 1

    @pytest.mark.parametrize("method", ["transfer", "execute"])
    def test_a_document_that_does_not_come(self, method: str) -> None:
        phone = run({method: {"dest": "https://x/doc"}}, {"play": "say:on"})
        fetch = phone.of(a.FetchDocument)[-1]
        phone.do(i.DocumentFetched(fetch.op, None, "relay_script_parse_error", "no"))
        assert warned(phone) == ["parse_error"] and phone.said == ["on"]
        assert phone.vars["script_error"] == "relay_script_parse_error"

    def test_a_document_that_nothing_is_heard_of(self) -> None:
        phone = run({"execute": {"dest": "https://x/doc"}}, {"play": "say:on"})
        phone.wait(phone.state.settings.work_ms)
        assert phone.said == ["on"] and len(warned(phone)) == 1

    def test_statements_without_end_are_cut_off(self) -> None:
        loop = [{"user_event": {"event": {}}}, {"execute": {"dest": "sub"}}]
        phone = Phone([*loop], sub=[{"user_event": {"event": {}}}, {"transfer": {"dest": "main"}}])
        assert phone.state.over
        assert len(phone.told("user_event")) < 500

    def test_a_section_of_very_many_statements_ends(self) -> None:
        phone = Phone([{"user_event": {"event": {}}}] * 2000)
        assert phone.state.over and len(phone.told("user_event")) < 500

    def test_variables_outlive_a_transfer(self) -> None:
        phone = run({"set": {"x": 5}}, {"transfer": {"dest": "next"}}, next=[{"play": "say:%{x}"}])
        assert phone.said == ["5"]

    def test_a_second_agent_is_refused(self) -> None:
        phone = Phone([{"ai": {"prompt": "hi"}}, END], rules=settings(has_model=False))
        phone.answered()
        assert phone.vars["ai_result"] == "failed"
