import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from mediacore.call.record import CallRecord, Speaker, TransportFacts
from mediacore.observe.report import build_report
from support.sample_call import hostile_record, sample_audio, sample_record


class Page(HTMLParser):
    """Tags, attributes and the text of every script, style and strike of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.stack: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br", "img", "rect", "line"):
            self.stack.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        if tag in self.stack:
            while self.stack.pop() != tag:
                pass

    def handle_data(self, data):
        for tag in set(self.stack):
            self.texts[tag][-1] += data

    def by_id(self, name: str) -> dict[str, str | None]:
        return next(attrs for _, attrs in self.tags if attrs.get("id") == name)

    @property
    def policy(self) -> str:
        return next(
            str(a["content"])
            for t, a in self.tags
            if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
        )


@pytest.fixture(scope="module")
def page() -> Page:
    record = sample_record()
    return Page(build_report(record, sample_audio()))


def test_policy_allows_only_the_pages_own_style_and_script(page: Page) -> None:
    parts = dict(p.strip().split(" ", 1) for p in page.policy.split(";"))
    assert parts["default-src"] == "'none'"
    style, script = page.texts["style"][0], page.texts["script"][-1]
    for name, text in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert parts[name] == f"'sha256-{digest}'"
    assert "unsafe" not in page.policy


def test_page_refers_to_nothing_outside(page: Page) -> None:
    record = sample_record()
    text = build_report(record, sample_audio())
    assert not re.search(r"https?:|//[a-z]+\.|url\(|@import|<link|<iframe|\ssrc=|fetch\(", text)
    assert all("style" not in attrs for _, attrs in page.tags), "the policy forbids inline styles"
    assert not any(key.startswith("on") for _, attrs in page.tags for key in attrs)


def test_strikes_are_what_was_not_heard(page: Page) -> None:
    struck = [s.removeprefix("[not heard: ").removesuffix("]") for s in page.texts["s"]]
    assert struck == [
        "you will find them at the top right of the letter that we sent to you.",
        "and eleven. Shall I send you a message with the details?",
        "It can also go to a neighbour.",
    ]
    record = sample_record()
    for turn in record.turns:
        if turn.speaker is Speaker.AGENT:
            assert not any(lost in turn.heard_text for lost in struck)


def test_data_reads_back(page: Page) -> None:
    data = json.loads(page.texts["script"][0])
    record = sample_record()
    assert data["rate"] == 8000
    assert data["samples"] == 36 * 8000
    assert len(data["frames"]["flags"]) == len(record.frames) == 1800
    assert [m[2] for m in data["marks"] if m[0] == "cut"] == ["cut 140 ms", "cut 140 ms"]
    cut = next(s for s in data["said"] if s["text"].startswith("Please tell me"))
    assert cut["words"][-1][2] is False, "the word on which the cut fell"
    assert all(heard for _, _, heard in cut["words"][:-1])


def test_sound_is_mu_law_of_both_sides(page: Page) -> None:
    raw = base64.b64decode(page.texts["script"][1])
    assert len(raw) == 2 * 36 * 8000
    assert raw[1] == 0xFF, "the agent's first sample is silence"


def test_latency_numbers(page: Page) -> None:
    shown = " ".join(page.texts["ol"])
    for total in ("580 ms", "920 ms", "620 ms"):
        assert total in shown
    assert "p50 620 ms" in "".join(page.texts["p"])
    assert "p95 920 ms" in "".join(page.texts["p"])


def test_controls_have_names(page: Page) -> None:
    assert page.by_id("wave")["tabindex"] == "0"
    assert page.by_id("wave")["aria-label"]
    assert page.by_id("net")["aria-label"]
    headings = [a["id"] for t, a in page.tags if t == "h2"]
    labelled = [a["aria-labelledby"] for t, a in page.tags if t == "section"]
    assert sorted(labelled) == sorted(headings)


def test_hostile_text_stays_text() -> None:
    text = build_report(hostile_record(), None, ["<b>note</b>"])
    page = Page(text)
    assert [t for t, _ in page.tags].count("script") == 3
    assert "img" not in [t for t, _ in page.tags]
    assert "<b>note" not in text
    assert "alert(1)" in "".join(page.texts["ol"]), "shown, as text"
    data = json.loads(page.texts["script"][0])
    assert data["marks"][0][2].startswith("</script>")
    assert "{{data}}" in "".join(page.texts["h1"]), "a place named in a value is not filled in"


def test_call_in_which_nothing_happened() -> None:
    record = CallRecord(
        call_id="c",
        started_at="2026-01-01T00:00:00Z",
        duration_ms=0,
        srate_hz=8000,
        transport=TransportFacts("rtp", "PCMU"),
        end_reason="hangup",
    )
    page = Page(build_report(record))
    assert "Nobody spoke." in "".join(page.texts["p"])
    assert json.loads(page.texts["script"][0])["samples"] == 1


def test_long_recording_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediacore.observe.report.EMBED_LIMIT_BYTES", 1000)
    record = replace(sample_record(), lost=("recording from 0:10 on: disk full",))
    page = Page(build_report(record, sample_audio()))
    assert page.texts["script"][1] == ""
    told = "".join(page.texts["p"])
    assert "too long for the page" in told
    assert "Lost: recording from 0:10 on: disk full" in told
