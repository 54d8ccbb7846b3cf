import io
from dataclasses import replace

from rich.console import Console

from mediacore.call.live import LiveModel
from mediacore.call.record import LatencyStamps, Speaker, Turn, UtteranceState
from mediacore.observe.live import (
    LineView,
    LiveView,
    agent_text,
    meter,
    open_view,
    render,
)
from support.sample_call import sample_record


def model(turns: int = 9, **changes: object) -> LiveModel:
    base = LiveModel(call_id="c1", turns=sample_record().turns[:turns], state="listening")
    return replace(base, **changes)


def picture(of: LiveModel, rows: int = 12) -> str:
    console = Console(width=110, file=io.StringIO(), force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(render(of, rows))
    return capture.get()


def test_picture_has_everything() -> None:
    shown = picture(model(stage="answer", partial="no tha", delay_ms=60, target_ms=40, note="why"))
    for part in ("listening", "stage answer", "no tha …", "jitter buffer 60 ms", "620 ms", "why"):
        assert part in shown
    assert "no answer yet" in picture(model(turns=2))


def test_only_the_last_turns_are_shown() -> None:
    assert "Good morning" in picture(model())
    assert "Good morning" not in picture(model(), rows=3)


def test_unheard_words_are_struck_once_they_are_lost() -> None:
    turn = sample_record().turns[2]
    lost = "you will find them at the top right of the letter that we sent to you."
    text = agent_text(turn)
    struck = [text.plain[s.start : s.end] for s in text.spans if "strike" in str(s.style)]
    assert struck == [lost]
    playing = replace(
        turn, utterances=tuple(replace(u, state=UtteranceState.PLAYING) for u in turn.utterances)
    )
    assert not any("strike" in str(s.style) for s in agent_text(playing).spans)


def test_markup_in_text_is_not_interpreted() -> None:
    evil = Turn(0, Speaker.CALLER, 0, 1, "[red]x[/red][/]")
    assert "[red]x[/red][/]" in picture(LiveModel("c", turns=(evil,)))


def test_meter_ends() -> None:
    assert meter(-127, "red").plain.count("█") == 0
    assert meter(0, "red").plain.count("─") == 0


def test_waterfall_of_an_answer_without_stamps() -> None:
    turn = Turn(0, Speaker.AGENT, 0, latency=LatencyStamps(0))
    assert "0 ms" in picture(LiveModel("c", turns=(turn,)))


def test_live_view_draws_ten_times_a_second() -> None:
    now = [5.0]
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=40)
    with LiveView(console, lambda: now[0]) as view:
        view.show(model(state="first"))
        view.show(model(state="second"))
        now[0] += 0.11
        view.show(model(state="third"))
        view.show(model(state="last", ended=True))
    text = out.getvalue()
    assert "first" in text
    assert "second" not in text
    assert "third" in text
    assert "last" in text


def test_lines_when_not_a_terminal() -> None:
    out = io.StringIO()
    view = open_view(out)
    assert isinstance(view, LineView)
    with view:
        view.show(model(turns=1))
        assert out.getvalue() == "", "the turn is not over"
        view.show(model(turns=3))
        view.show(model(turns=3))
        assert len(out.getvalue().splitlines()) == 2
        view.show(model(elapsed_ms=36_000, ended=True))
        view.show(model(elapsed_ms=36_000, ended=True))
    lines = out.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[2].startswith("0:07.980  agent   I can look that up for you. Please tell me")
    assert lines[2].endswith(
        "[-you will find them at the top right of the letter that we sent to you.-]  (580 ms)"
    )
    assert lines[-1] == "0:36.000  call ended"


def test_lines_hold_no_control_characters() -> None:
    out = io.StringIO()
    evil = Turn(0, Speaker.CALLER, 0, 1, "a\x1b[2Jb\nc")
    LineView(out).show(LiveModel("c", turns=(evil,), ended=True))
    assert "\x1b" not in out.getvalue()
    assert len(out.getvalue().splitlines()) == 2
