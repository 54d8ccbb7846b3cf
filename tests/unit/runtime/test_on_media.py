"""What the core and the recogniser report reaches the line and its operations."""

from __future__ import annotations

import pytest

from mediacore.call.inputs import TranscriptFinal
from mediacore.events import MediaLost, MediaResumed
from mediacore.runtime import inputs as i
from support.runtime_call import Phone


def up() -> Phone:
    phone = Phone()
    phone.ok("answer")
    phone.answered()
    return phone


def test_speech_is_kept_with_its_own_times() -> None:
    phone = up()
    phone.wait(1000)
    phone.speaks()
    assert phone.line().speaking and phone.line().spoke_us == phone.now
    phone.wait(300)
    phone.speaks(False)
    assert not phone.line().speaking and phone.line().quiet_us == phone.now


def test_media_that_stays_away_ends_the_line() -> None:
    phone = up()
    phone.media(MediaLost, 500)
    phone.wait(phone.state.settings.media_lost_ms)
    assert phone.state.over and phone.state.end_reason == "error"


def test_media_that_comes_back_does_not() -> None:
    phone = up()
    phone.media(MediaLost, 500)
    phone.wait(5000)
    phone.media(MediaResumed)
    phone.wait(60_000)
    assert not phone.state.over


def test_one_event_reaches_every_operation() -> None:
    phone = up()
    phone.ok("collect", {"control_id": "c", "digits": {"max": 2}})
    phone.ok("detect", {"control_id": "d", "detect": {"type": "digit", "params": {}}})
    phone.ok("record", {"control_id": "r", "record": {"audio": {"terminators": "5"}}})
    phone.key("5")
    assert phone.state.ops["c"].data.got == "5"  # type: ignore[union-attr]
    assert "d" not in phone.state.ops
    assert phone.state.ops["r"].data.stopping  # type: ignore[union-attr]


@pytest.mark.parametrize("line", ["L1", "L9"])
def test_reports_of_a_line_that_is_over_or_unknown_are_refused(line: str) -> None:
    phone = up()
    phone.do(i.LineGone("L1", "hangup"))
    before = phone.state.refused.get("after_the_end", 0)
    phone.speaks(line=line)
    phone.do(i.Heard(line, TranscriptFinal("x", 0)))
    assert phone.state.refused["after_the_end"] == before + 2
    phone = up()
    phone.ok("record", {"control_id": "r", "record": {}})
    phone.do(i.LineGone("L1", "hangup"))  # waits for the file
    phone.speaks(line=line)
    phone.do(i.Heard(line, TranscriptFinal("x", 0)))
    assert phone.state.refused["stale_media"] == phone.state.refused["stale_words"] == 1


def test_words_without_an_operation_do_nothing() -> None:
    phone = up()
    before = phone.state
    phone.says("hello")
    assert phone.state.ops == before.ops and phone.state.version == before.version
