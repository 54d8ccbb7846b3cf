"""Plays outside a conversation: one after the other, stopped at once, told once."""

from __future__ import annotations

from mediacore.errors import ErrorClass
from mediacore.events import UtteranceRefused
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from support.runtime_call import Phone


def tts(text: str) -> dict[str, object]:
    return {"type": "tts", "params": {"text": text}}


def play(phone: Phone, control: str, text: str = "hello", **more: object) -> None:
    phone.ok("play", {"control_id": control, "play": [tts(text)], **more})


def up() -> Phone:
    phone = Phone()
    phone.ok("answer")
    phone.answered()
    return phone


def test_a_play_is_told_from_its_first_sample_to_its_end() -> None:
    phone = up()
    play(phone, "c1")
    assert phone.states("play", "c1") == []
    phone.played()
    assert phone.states("play", "c1") == ["playing", "finished"]


def test_plays_follow_each_other_with_utterances_of_their_own() -> None:
    phone = up()
    play(phone, "c1", "one")
    play(phone, "c2", "two")
    assert phone.said == ["one"]
    first = phone.played()
    second = phone.played()
    assert phone.said == ["one", "two"]
    assert second.utterance > first.utterance


def test_a_stop_cuts_at_once_and_the_next_play_has_the_next_generation() -> None:
    phone = up()
    play(phone, "c1", "one")
    play(phone, "c2", "two")
    first = phone.playing()
    phone.ok("play.stop", {"control_id": "c1"})
    assert phone.of(a.StopPlay, last=True) == [a.StopPlay("c1", "L1", first.generation)]
    assert phone.of(a.StartPlay)[-1].generation == ((first.generation >> 32) + 1) << 32
    assert phone.states("play", "c1") == ["playing", "finished"]


def test_a_play_that_waits_is_stopped_without_a_cut() -> None:
    phone = up()
    play(phone, "c1")
    play(phone, "c2")
    phone.ok("play.stop", {"control_id": "c2"})
    assert not phone.of(a.StopPlay)
    assert phone.states("play", "c2") == ["finished"]


def test_pause_and_resume_are_told_and_nothing_else_gets_the_voice_meanwhile() -> None:
    phone = up()
    play(phone, "c1")
    play(phone, "c2")
    phone.playing()
    phone.ok("play.pause", {"control_id": "c1"})
    phone.wait(60_000)
    assert len(phone.of(a.StartPlay)) == 1
    phone.ok("play.resume", {"control_id": "c1"})
    assert phone.states("play", "c1") == ["playing", "paused", "playing"]
    assert phone.command("play.resume", {"control_id": "c1"}).code == "409"


def test_volume_goes_to_the_operation() -> None:
    phone = up()
    play(phone, "c1", volume=3.5)
    assert phone.of(a.StartPlay)[-1].volume_db == 3.5
    phone.ok("play.volume", {"control_id": "c1", "volume": -6})
    assert phone.of(a.SetVolume, last=True) == [a.SetVolume("c1", -6)]


def test_a_play_that_cannot_be_made_ends_with_an_error() -> None:
    phone = up()
    play(phone, "c1")
    phone.do(i.PlayFailed("c1", ErrorClass.UNAVAILABLE, "x"))
    assert phone.states("play", "c1") == ["error"]
    phone.do(i.PlayFailed("c1", ErrorClass.UNAVAILABLE, "x"))
    assert phone.state.refused["stale_play_report"] == 1


def test_a_play_that_nothing_is_heard_of_is_given_up() -> None:
    phone = up()
    play(phone, "c1")
    phone.wait(phone.state.settings.play_stall_ms)
    assert phone.states("play", "c1") == ["error"]
    assert len(phone.of(a.StopPlay)) == 1


def test_an_utterance_of_an_old_generation_is_an_error() -> None:
    phone = up()
    play(phone, "c1")
    start = phone.of(a.StartPlay)[-1]
    phone.media(UtteranceRefused, start.utterance, start.generation, 0)
    assert phone.states("play", "c1") == ["error"]
    assert phone.state.refused["stale_play"] == 1


def test_a_plain_play_is_not_stopped_by_speech() -> None:
    phone = up()
    play(phone, "c1")
    assert phone.of(a.ArmLine)[-1] == a.ArmLine("L1", stops=False)
    phone.playing()
    phone.speaks()
    assert phone.states("play", "c1") == ["playing"]


def test_loop_zero_plays_until_stopped() -> None:
    phone = up()
    play(phone, "c1", loop=0)
    assert phone.of(a.StartPlay)[-1].loops == 0


def test_hold_pauses_the_voice_and_unhold_goes_on() -> None:
    phone = up()
    play(phone, "c1")
    phone.playing()
    phone.ok("hold")
    play(phone, "c2")
    phone.wait(30_000)
    assert phone.states("play", "c1") == ["playing", "paused"]
    phone.ok("unhold")
    assert phone.states("play", "c1")[-1] == "playing"
    assert [p["state"] for p in phone.told("hold")] == ["hold", "unhold"]
    assert [h.on for h in phone.of(a.HoldLine)] == [True, False]
    assert not phone.of(a.StartBed)  # no music is configured


def test_a_play_that_a_controller_paused_stays_paused_after_a_hold() -> None:
    phone = up()
    play(phone, "c1")
    phone.playing()
    phone.ok("play.pause", {"control_id": "c1"})
    phone.ok("hold")
    phone.ok("unhold")
    assert phone.states("play", "c1") == ["playing", "paused"]


def test_a_hang_up_ends_plays_that_run_and_that_wait() -> None:
    phone = up()
    play(phone, "c1")
    play(phone, "c2")
    phone.playing()
    phone.do(i.LineGone("L1", "hangup"))
    assert phone.states("play", "c1")[-1] == phone.states("play", "c2")[-1] == "finished"
    assert phone.state.over
