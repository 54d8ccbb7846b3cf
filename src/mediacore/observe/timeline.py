"""timeline.png: the call at a glance, for places where a page cannot go."""

from __future__ import annotations

import importlib
import io
from array import array
from collections.abc import Sequence
from typing import Any, Final

from mediacore.call.record import CallRecord, FrameFlag, MarkKind
from mediacore.errors import MissingDependencyError
from mediacore.observe.audio import StereoAudio
from mediacore.observe.summary import STAGES, answers, percentile, response_times_us

CALLER: Final = "#0072b2"
AGENT: Final = "#b8500a"
CUT: Final = "#a3206f"
BAD: Final = "#c62f2f"
GREY: Final = "#5a6472"
STAGE_COLOURS: Final = ("#a9b1ba", "#56b4e9", "#d58bb4", "#f0e442", "#1fae84", "#e8742a")
_COLUMNS: Final = 3000
_MARKED: Final = (MarkKind.CUT, MarkKind.PAUSE, MarkKind.RESUME, MarkKind.UNDERRUN, MarkKind.DIGIT)


def draw_timeline(record: CallRecord, audio: StereoAudio | None = None) -> bytes:
    """The picture as PNG: both sides, jitter buffer, latency of every answer.

    Raises MissingDependencyError without matplotlib. Takes about a second of CPU.
    """
    try:
        figures = importlib.import_module("matplotlib.figure")
        agg = importlib.import_module("matplotlib.backends.backend_agg")
    except ImportError:
        raise MissingDependencyError("matplotlib", "pip install 'mediacore[demo]'") from None
    count = max(1, len(answers(record)))
    figure = figures.Figure(figsize=(16, 7.6 + 0.28 * count), dpi=100, layout="constrained")
    agg.FigureCanvasAgg(figure)
    caller, agent, jitter, latency = figure.subplots(
        4, 1, gridspec_kw={"height_ratios": [2, 2, 1.5, 0.5 + 0.28 * count]}
    )
    agent.sharex(caller)
    jitter.sharex(caller)
    _sides(record, audio, caller, agent)
    _marks(record, caller, agent)
    _jitter(record, jitter)
    _latency(record, latency)
    facts = f"{record.transport.codec}, {record.srate_hz // 1000} kHz, {record.end_reason}"
    figure.suptitle(_plain(f"Call {record.call_id}   ({facts})"), fontsize=12, x=0.01, ha="left")
    caller.set_xlim(0, max(record.duration_ms / 1000, 0.1))
    for axes in (caller, agent, jitter, latency):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _plain(text: str) -> str:
    """Text in which matplotlib sees no formula."""
    return text.replace("$", r"\$")


def _sides(record: CallRecord, audio: StereoAudio | None, caller: Any, agent: Any) -> None:
    rate = record.srate_hz
    peak = 2000 if audio is None else max(2000, max(map(abs, audio.pcm), default=0))
    sides = (
        (caller, "caller", CALLER, None if audio is None else audio.caller),
        (agent, "agent", AGENT, None if audio is None else audio.agent),
    )
    levels = (record.frames.rx_dbov, record.frames.tx_dbov)
    for (axes, name, colour, pcm), level in zip(sides, levels, strict=True):
        if pcm is not None and audio is not None:
            at, low, high = _envelope(pcm, audio.srate_hz)
        else:
            at, low, high = _level_envelope(level, peak)
        axes.fill_between(at, low, high, color=colour, linewidth=0.4)
        axes.set_ylim(-peak * 1.08, peak * 1.08)
        axes.set_yticks([])
        axes.set_ylabel(name, color=colour, fontsize=11)
    for band in record.speech:
        caller.axvspan(band.start / rate, band.end / rate, color=CALLER, alpha=0.13, lw=0)
    spoken = [u for t in record.turns for u in t.utterances]
    for utterance in spoken:
        for stretch in utterance.playout:
            agent.axvspan(stretch.start / rate, stretch.end / rate, color=AGENT, alpha=0.13, lw=0)
    top = peak * 1.04
    for tick, flags in enumerate(record.frames.flags):
        if flags & FrameFlag.CONCEALED:
            caller.plot([tick / 50, tick / 50 + 0.02], [top, top], color=BAD, lw=4)


def _envelope(pcm: array[int], srate_hz: int) -> tuple[list[float], list[int], list[int]]:
    block = max(1, len(pcm) // _COLUMNS)
    starts = range(0, len(pcm), block)
    low = [min(pcm[n : n + block]) for n in starts]
    high = [max(pcm[n : n + block]) for n in starts]
    return [n / srate_hz for n in starts], low, high


def _level_envelope(level: Sequence[int], peak: int) -> tuple[list[float], list[int], list[int]]:
    high = [0 if db <= -90 else min(peak, round(46000 * 10 ** (db / 20))) for db in level]
    return [n / 50 for n in range(len(high))], [-h for h in high], high


def _marks(record: CallRecord, caller: Any, agent: Any) -> None:
    rate = record.srate_hz
    last = -1e9
    for mark in record.marks:
        at = mark.at / rate
        cut = mark.kind is MarkKind.CUT
        colour = CUT if cut else BAD if mark.kind is MarkKind.UNDERRUN else GREY
        for axes in (caller, agent):
            axes.axvline(at, color=colour, lw=1.6 if cut else 0.8)
        near = at - last < record.duration_ms / 1000 * 0.05
        if mark.kind in _MARKED and (cut or not near):
            text = mark.label if mark.kind is MarkKind.DIGIT else mark.kind.value
            took = "" if mark.took_ms is None else f" {mark.took_ms} ms"
            caller.annotate(
                _plain(text + took),
                (at, 1.01 + (0.09 if near else 0)),
                xycoords=("data", "axes fraction"),
                ha="center",
                fontsize=8,
                color=colour,
            )
            last = at


def _jitter(record: CallRecord, axes: Any) -> None:
    frames = record.frames
    idle = FrameFlag.WAITING | FrameFlag.GAP
    nothing = float("nan")
    ticks = [n / 50 for n in range(len(frames))]
    for values, colour, style, name in (
        (frames.delay_ms, CALLER, "-", "delay now"),
        (frames.target_ms, AGENT, "--", "delay wanted"),
    ):
        shown = [nothing if f & idle else v for v, f in zip(values, frames.flags, strict=True)]
        axes.plot(ticks, shown, style, color=colour, lw=1.1, label=name)
    late = [n / 50 for n, count in enumerate(frames.late) if count]
    hidden = [n / 50 for n, flags in enumerate(frames.flags) if flags & FrameFlag.CONCEALED]
    axes.set_ylim(bottom=0)
    high = axes.get_ylim()[1]
    axes.plot(late, [high * 0.96] * len(late), "v", color=BAD, ms=6, label="late packet")
    axes.plot(hidden, [high * 0.03] * len(hidden), "s", color=BAD, ms=3, label="concealed")
    axes.set_ylabel("jitter buffer, ms", fontsize=9)
    axes.set_xlabel("seconds", fontsize=9)
    axes.legend(fontsize=8, ncols=4, loc="upper right", frameon=False)


def _latency(record: CallRecord, axes: Any) -> None:
    answered = answers(record)
    for row, answer in enumerate(answered):
        for bar, colour in zip(answer.bars, STAGE_COLOURS, strict=True):
            length = bar.length_us / 1000
            axes.barh(row, length, left=bar.start_us / 1000, color=colour, height=0.72)
            if bar.length_us * 14 > answered[0].total_us:
                middle = bar.start_us / 1000 + length / 2
                axes.text(middle, row, f"{length:.0f}", ha="center", va="center", fontsize=8)
        axes.text(
            answer.total_us / 1000 + 4,
            row,
            f"{answer.total_us / 1000:.0f} ms",
            va="center",
            fontsize=8,
        )
    times = response_times_us(record)
    for percent, style in ((50, "--"), (95, "-")):
        at = percentile(times, percent)
        if at is not None:
            axes.axvline(at / 1000, color="black", lw=1, ls=style)
            axes.text(
                at / 1000, -0.62, f"p{percent}", ha="right", va="bottom", fontsize=8, color="black"
            )
    axes.set_yticks(range(len(answered)), [f"turn {a.turn.index}" for a in answered])
    axes.set_ylim(len(answered) - 0.4, -0.9)
    axes.set_xlabel("ms after the caller's last sample", fontsize=9)
    for (_, name, _), colour in zip(STAGES, STAGE_COLOURS, strict=True):
        axes.barh([0], [0], color=colour, label=name)
    axes.legend(fontsize=8, ncols=6, loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
