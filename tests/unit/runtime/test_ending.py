"""How operations end: one terminal event each, recordings closed before the end is told."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from support.runtime_call import Phone, settings

STORED = i.RecordingStored("r", ok=True, url="http://x/r.wav", duration_ms=2500, size=4444)


def up() -> Phone:
    phone = Phone()
    phone.ok("answer")
    phone.answered()
    return phone


def record(**audio: Any) -> Phone:
    phone = up()
    phone.ok("record", {"control_id": "r", "record": {"audio": audio}})
    return phone


def stopped(phone: Phone) -> bool:
    return bool(phone.of(a.StopRecording))


class TestRecording:
    def test_it_is_told_flat_and_in_its_record(self) -> None:
        phone = record(format="mp3", stereo=True, direction="both")
        phone.ok("record.stop", {"control_id": "r"})
        phone.do(STORED)
        told = phone.told("record")
        assert [p["state"] for p in told] == ["recording", "finished"]
        assert told[-1]["url"] == told[-1]["record"]["url"] == "http://x/r.wav"
        assert told[-1]["duration"] == told[-1]["record"]["duration"] == 2.5
        assert told[-1]["size"] == told[-1]["record"]["size"] == 4444
        assert told[-1]["record"]["audio"] == {"format": "mp3", "stereo": True, "direction": "both"}

    def test_nothing_said_is_no_input(self) -> None:
        phone = record(initial_timeout=2)
        phone.wait(2000)
        assert stopped(phone)
        phone.do(STORED)
        assert phone.states("record", "r") == ["recording", "no_input"]

    def test_speech_that_runs_already_is_input(self) -> None:
        phone = up()
        phone.speaks()
        phone.ok("record", {"control_id": "r", "record": {"audio": {"initial_timeout": 2}}})
        phone.wait(3000)
        assert not stopped(phone)

    def test_silence_after_speech_ends_it(self) -> None:
        phone = record(initial_timeout=2, end_silence_timeout=1)
        phone.wait(1000)
        phone.says("hello")
        phone.wait(900)
        assert not stopped(phone)
        phone.wait(200)
        assert stopped(phone)
        phone.do(STORED)
        assert phone.states("record", "r")[-1] == "finished"

    def test_its_length_is_limited(self) -> None:
        phone = record(initial_timeout=0, max_length=5)
        phone.wait(4900)
        assert not stopped(phone)
        phone.wait(100)
        assert stopped(phone)

    def test_a_terminator_ends_it(self) -> None:
        phone = record()
        phone.key("1")
        assert not stopped(phone)
        phone.key("#")
        assert stopped(phone)

    def test_pause_and_resume(self) -> None:
        phone = record(initial_timeout=2)
        phone.ok("record.pause", {"control_id": "r", "behavior": "skip"})
        assert phone.of(a.PauseRecording) == [a.PauseRecording("r", "skip")]
        phone.wait(10_000)
        assert not stopped(phone)
        assert phone.command("record.pause", {"control_id": "r"}).code == "409"
        phone.ok("record.resume", {"control_id": "r"})
        assert phone.states("record", "r") == ["recording", "paused", "recording"]
        assert phone.command("record.resume", {"control_id": "r"}).code == "409"

    def test_a_file_that_is_never_closed_is_told_as_over(self) -> None:
        phone = record()
        phone.ok("record.stop", {"control_id": "r"})
        phone.wait(10_000)
        told = phone.told("record")[-1]
        assert told["state"] == "finished" and "error" in told and "url" not in told
        phone.do(STORED)
        assert phone.state.refused["stale_recording"] == 1

    def test_a_hang_up_waits_for_it(self) -> None:
        phone = record()
        phone.do(i.LineGone("L1", "hangup"))
        assert stopped(phone) and phone.of(a.EndLine)
        assert not phone.state.over
        phone.do(STORED)
        kinds = [x.event_type for x in phone.of(a.Publish, last=True)]
        assert kinds[0] == "calling.call.record" and kinds[1] == "calling.call.state"
        assert phone.told("record")[-1]["url"] and phone.state.over

    def test_a_hang_up_does_not_wait_for_ever(self) -> None:
        phone = record()
        phone.do(i.LineGone("L1", "hangup"))
        phone.wait(phone.state.settings.closing_ms)
        assert phone.states("record", "r") == ["recording", "finished"]
        assert phone.state.over and phone.state.refused["recording_not_closed"] == 1

    def test_a_status_url_is_told_the_end(self) -> None:
        phone = up()
        phone.ok("record", {"control_id": "r", "record": {}, "status_url": "http://s"})
        phone.ok("record.stop", {"control_id": "r"})
        phone.do(STORED)
        post = phone.of(a.PostStatus)[-1]
        assert post.url == "http://s" and post.body["event_type"] == "calling.call.record"


class TestForks:
    TAP: ClassVar[dict[str, Any]] = {
        "control_id": "t",
        "tap": {"type": "audio", "params": {"direction": "both"}},
        "device": {"type": "rtp", "params": {"addr": "127.0.0.1", "port": 9000, "codec": "PCMA"}},
    }

    def test_a_tap_names_its_own_end(self) -> None:
        phone = up()
        answer = phone.ok("tap", self.TAP)
        assert "source_device" in answer.data
        start = phone.of(a.StartFork)[-1]
        assert (start.kind, start.uri, start.track, start.codec) == (
            "tap",
            "rtp://127.0.0.1:9000",
            "both",
            "PCMA",
        )
        device = {"type": "rtp", "params": {"addr": "10.0.0.1", "port": 5}}
        phone.do(i.ForkChanged("t", running=True, device=device))
        told = phone.told("tap")[-1]
        assert told["state"] == "tapping" and told["device"] == device
        phone.ok("tap.stop", {"control_id": "t"})
        assert phone.states("tap", "t") == ["tapping", "finished"]
        phone.do(i.ForkChanged("t", running=False))
        assert phone.states("tap", "t") == ["tapping", "finished"]

    def test_a_stream_is_told_with_its_address(self) -> None:
        phone = up()
        params = {"control_id": "s", "url": "wss://x/y", "name": "n", "track": "both_tracks"}
        phone.ok("stream", {**params, "authorization_bearer_token": "b"})
        start = phone.of(a.StartFork)[-1]
        assert start.track == "both" and start.bearer_token == "b"
        phone.do(i.ForkChanged("s", running=True))
        told = phone.told("stream")[-1]
        assert (told["state"], told["url"], told["name"]) == ("streaming", "wss://x/y", "n")
        phone.do(i.ForkChanged("s", running=False, error="refused"))
        assert phone.told("stream")[-1]["error"] == "refused"
        assert phone.states("stream", "s")[-1] == "finished"

    def test_a_hang_up_ends_them(self) -> None:
        phone = up()
        phone.ok("tap", self.TAP)
        phone.do(i.LineGone("L1", "hangup"))
        assert phone.of(a.StopFork) and phone.states("tap", "t") == ["finished"]


def begin_everything(phone: Phone) -> None:
    tts = [{"type": "tts", "params": {"text": "x"}}]
    phone.ok("play", {"control_id": "p", "play": tts})
    phone.ok("play_and_collect", {"control_id": "pc", "play": tts, "collect": {"speech": {}}})
    phone.ok("collect", {"control_id": "c", "digits": {"max": 4}})
    phone.ok("record", {"control_id": "r", "record": {}})
    phone.ok("detect", {"control_id": "d", "detect": {"type": "fax", "params": {}}})
    phone.ok("tap", TestForks.TAP)
    phone.ok("stream", {"control_id": "s", "url": "ws://x"})
    phone.ok("send_digits", {"control_id": "sd", "digits": "123"})
    phone.ok("connect", {"devices": [[{"type": "phone", "params": {"to_number": "+1"}}]]})


@pytest.mark.parametrize(
    "end",
    [
        lambda p: p.do(i.LineGone("L1", "hangup")),
        lambda p: p.ok("end"),
        lambda p: p.do(i.HangupAsked("error")),
        lambda p: p.wait(600_000),
    ],
    ids=["gone", "end", "shutdown", "limit"],
)
def test_every_control_id_has_its_terminal_event_before_the_end(end: Any) -> None:
    phone = Phone(rules=settings(max_call_ms=3_000, play_stall_ms=60_000))
    phone.ok("answer")
    phone.answered()
    begin_everything(phone)
    end(phone)  # the watch looks at the order
    phone.wait(60_000)
    assert phone.state.over and not phone.watch.open
    for kind, control in [("play", "p"), ("collect", "pc"), ("collect", "c"), ("record", "r")]:
        assert phone.states(kind, control)
    assert phone.told("connect")[-1]["connect_state"] == "failed"


def test_the_end_is_told_once_and_last() -> None:
    phone = up()
    phone.ok("end", {"reason": "busy"})
    assert isinstance(phone.actions[-1], a.CallOver) and phone.actions[-1].reason == "busy"
    assert [p["call_state"] for p in phone.told("state")] == [
        "ringing",
        "answered",
        "ending",
        "ended",
    ]
    assert phone.told("state")[-1]["end_reason"] == "busy"
