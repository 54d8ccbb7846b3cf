"""What a page is told: differences, complete in the end whatever was refused on the way."""

from __future__ import annotations

import json
from dataclasses import replace

from mediacore.call.live import LiveModel
from mediacore.call.record import Speaker, Turn, UtteranceKind, UtteranceRecord, UtteranceState
from mediacore.transports.webrtc.transcript import Transcript, turn_message


def utterance(text: str, heard: int, state: UtteranceState) -> UtteranceRecord:
    return UtteranceRecord(1, 1, UtteranceKind.REPLY, text, state, heard)


CALLER = Turn(0, Speaker.CALLER, 0, 100, "Hello?")
SPEAKING = Turn(
    1, Speaker.AGENT, 200, utterances=(utterance("Good day to you.", 9, UtteranceState.PLAYING),)
)
CUT = replace(
    SPEAKING,
    utterances=(
        utterance("Good day to you.", 9, UtteranceState.CUT),
        utterance("And more.", 0, UtteranceState.REFUSED),
    ),
)


class Page:
    def __init__(self) -> None:
        self.transcript = Transcript()
        self.told: list[dict[str, object]] = []
        self.room = 1000

    def tell(self, text: str) -> bool:
        if self.room:
            self.room -= 1
            self.told.append(json.loads(text))
            return True
        return False

    def show(self, *turns: Turn, **changes: object) -> list[dict[str, object]]:
        self.told.clear()
        model = LiveModel("c", turns=turns, state="listening", **changes)  # type: ignore[arg-type]
        self.transcript.update(model, self.tell)
        return list(self.told)


def test_words_have_their_fate() -> None:
    assert turn_message(0, CALLER) == {
        "t": "turn", "n": 0, "who": "caller", "open": False, "parts": [["Hello?", "heard"]],
    }  # fmt: skip
    speaking = turn_message(1, SPEAKING)
    assert speaking["parts"] == [["Good day ", "heard"], ["to you.", "ahead"]]
    assert speaking["open"]
    cut = turn_message(1, CUT)
    assert cut["parts"] == [["Good day ", "heard"], ["to you. And more.", "missed"]]
    assert not cut["open"]


def test_only_what_changed_is_told() -> None:
    page = Page()
    assert [m["t"] for m in page.show(CALLER, SPEAKING)] == ["turn", "turn", "partial", "state"]
    assert page.show(CALLER, SPEAKING) == []
    assert [(m["t"], m.get("n")) for m in page.show(CALLER, CUT)] == [("turn", 1)]
    assert page.show(CALLER, CUT, partial="wait") == [{"t": "partial", "text": "wait"}]


def test_turns_that_are_no_more_are_told() -> None:
    page = Page()
    page.show(CALLER, SPEAKING)
    assert page.show(CALLER) == [{"t": "turns", "count": 1}]
    assert [m["t"] for m in page.show(CALLER, SPEAKING)] == ["turn"]


def test_what_was_refused_comes_with_the_next_update() -> None:
    page = Page()
    page.room = 1
    assert [m["t"] for m in page.show(CALLER, SPEAKING)] == ["turn"]
    page.room = 1000
    assert [m["t"] for m in page.show(CALLER, CUT)] == ["turn", "partial", "state"]
    page.room = 0
    page.show(CALLER)
    page.room = 1000
    assert page.show(CALLER) == [{"t": "turns", "count": 1}]


def test_long_texts_are_bounded() -> None:
    long = utterance("word " * 5000, 10, UtteranceState.PLAYING)
    message = turn_message(0, replace(SPEAKING, utterances=(long, long)))
    assert sum(len(part[0]) for part in message["parts"]) < 4100
    assert len(turn_message(0, replace(CALLER, text="x" * 9000))["parts"][0][0]) == 4000
    assert turn_message(0, replace(CALLER, text=""))["parts"] == []
