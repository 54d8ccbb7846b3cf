"""The running call in the terminal.

`open_view(file)` gives the full-screen-free live view on a terminal and one line per finished turn
anywhere else. Both take a `LiveModel` through `show`, which is cheap, never blocks for long and
may be called as often as the session likes: drawing happens at most ten times a second, inside
the call, without a thread of its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mediacore.call.live import LiveModel
from mediacore.call.record import Speaker, Turn
from mediacore.observe.summary import clock, stage_bars

FRAME_S: Final = 0.1
_FLOOR_DB: Final = -60
_STAGE_STYLES: Final = ("grey62", "bright_blue", "magenta", "yellow", "green", "dark_orange")


class CallView(Protocol):
    """Something that watches a call. Use as a context manager around it."""

    def show(self, model: LiveModel) -> None:
        """Take the newest state of the call."""
        ...

    def __enter__(self) -> CallView: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_view(
    file: TextIO | None = None, *, now: Callable[[], float] = time.monotonic
) -> LiveView | LineView:
    """The view that suits `file` (default: standard output). now: monotonic seconds."""
    out = sys.stdout if file is None else file
    console = Console(file=out, highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveView(console, now)
    return LineView(out)


class LiveView:
    """Meters, transcript and latency, redrawn in place."""

    def __init__(self, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._height = console.size.height
        self._now = now
        self._due = 0.0

    def show(self, model: LiveModel) -> None:
        """Draw when the last picture is 100 ms old, or the call has ended."""
        at = self._now()
        if at < self._due and not model.ended:
            return
        self._due = at + FRAME_S
        self._live.update(render(model, max_rows=max(6, self._height - 14)), refresh=True)

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()


class LineView:
    """One line per finished turn, for logs and pipes."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._told = 0
        self._ended = False

    def show(self, model: LiveModel) -> None:
        """Print every turn that is over and was not printed yet."""
        while self._told < len(model.turns) and _over(model, self._told):
            print(_line(model.turns[self._told], model.srate_hz), file=self._out)
            self._told += 1
        if model.ended and not self._ended:
            self._ended = True
            print(f"{clock(model.elapsed_ms, 1000)}  call ended", file=self._out)
        self._out.flush()

    def __enter__(self) -> LineView:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._out.flush()


def _over(model: LiveModel, index: int) -> bool:
    if model.ended:
        return True
    turn = model.turns[index]
    return index + 1 < len(model.turns) and all(u.state.final for u in turn.utterances)


def _line(turn: Turn, srate_hz: int) -> str:
    """A turn as plain text; unheard words in [-…-]."""
    said = turn.text or "(nothing recognised)"
    if turn.speaker is Speaker.AGENT:
        parts: list[str] = []
        for utterance in turn.utterances:
            for span in utterance.all_spans():
                piece = utterance.text[span.start : span.end].strip()
                if piece:
                    parts.append(piece if span.heard else f"[-{piece}-]")
        said = " ".join(parts) or "(nothing said)"
    total = ""
    if turn.latency is not None and turn.latency.first_frame_out_us is not None:
        total = f"  ({turn.latency.first_frame_out_us // 1000} ms)"
    printable = "".join(c if c.isprintable() else " " for c in said)
    return f"{clock(turn.start, srate_hz)}  {turn.speaker.value:6}  {printable}{total}"


def render(model: LiveModel, max_rows: int = 12) -> RenderableType:
    """One picture of the call. max_rows: turns of the transcript that are shown."""
    state = Text.assemble(
        (model.state, "bold"),
        (f"   stage {model.stage}" if model.stage else "", "cyan"),
        (f"   {clock(model.elapsed_ms, 1000)[:-2]}", "dim"),
    )
    meters = Table.grid(padding=(0, 1))
    for name, level, style in (
        ("caller", model.rx_dbov, "bright_blue"),
        ("agent", model.tx_dbov, "dark_orange"),
    ):
        meters.add_row(Text(name, style=style), meter(level, style), Text(f"{level:4d} dBov"))
    network = Text(
        f"jitter buffer {model.delay_ms} ms (wanted {model.target_ms}), "
        f"{model.lost} lost, {model.late} late",
        style="dim",
    )
    title = f"{model.title or 'call'} · {model.call_id}"
    return Panel(
        Group(
            state,
            meters,
            network,
            Text(""),
            transcript(model, max_rows),
            Text(""),
            waterfall(model),
            Text(model.note, style="dim", no_wrap=True, overflow="ellipsis"),
        ),
        title=Text(title),
        title_align="left",
        border_style="dim",
    )


def meter(dbov: int, style: str, width: int = 40) -> Text:
    """A bar from -60 to 0 dBov."""
    share = (min(max(dbov, _FLOOR_DB), 0) - _FLOOR_DB) / -_FLOOR_DB
    full = round(share * width)
    return Text.assemble(("█" * full, style), ("─" * (width - full), "dim"))


def transcript(model: LiveModel, max_rows: int) -> RenderableType:
    """The last turns; words that were not heard are struck through."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for turn in model.turns[-max_rows:]:
        caller = turn.speaker is Speaker.CALLER
        name = Text(turn.speaker.value, style="bright_blue" if caller else "dark_orange")
        grid.add_row(name, Text(turn.text) if caller else agent_text(turn))
    if model.partial:
        grid.add_row(
            Text("caller", style="bright_blue"), Text(model.partial + " …", style="italic")
        )
    return grid


def agent_text(turn: Turn) -> Text:
    """What the agent said: heard plain, to come dim, lost struck through."""
    out = Text()
    for utterance in turn.utterances:
        if out:
            out.append(" ")
        missed = "strike dim" if utterance.state.final else "dim"
        for span in utterance.all_spans():
            piece = utterance.text[span.start : span.end]
            core = piece.strip()
            if span.heard or not core:
                out.append(piece)
                continue
            lead = len(piece) - len(piece.lstrip())
            out.append(piece[:lead]).append(core, style=missed).append(piece[lead + len(core) :])
    return out


def waterfall(model: LiveModel, width: int = 60) -> RenderableType:
    """The latency of the last answer, stage by stage."""
    stamps = next((t.latency for t in reversed(model.turns) if t.latency is not None), None)
    if stamps is None:
        return Text("no answer yet", style="dim")
    bars = stage_bars(stamps)
    total = max(bars[-1].end_us, 1)
    bar, legend = Text(), Text()
    drawn = 0
    for stage, style in zip(bars, _STAGE_STYLES, strict=True):
        until = round(width * stage.end_us / total)
        bar.append("█" * (until - drawn), style=style)
        drawn = max(drawn, until)
        if stage.known:
            legend.append(f"{stage.label} {round(stage.length_us / 1000)}  ", style=style)
    bar.append(f"  {round(total / 1000)} ms", style="bold")
    return Group(Text("last answer, ms", style="dim"), bar, legend)
