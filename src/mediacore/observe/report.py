"""report.html: one call on one self-contained page that works offline.

Text, tables and latency bars are plain HTML made here and need no script; the script draws the
two canvases and plays the recording. A Content-Security-Policy with the hashes of the page's own
style and script forbids everything else, requests included. Every text of the record is escaped
on its way in, once, in `_text` or `_json`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Final

from mediacore.call.record import (
    CallRecord,
    MarkKind,
    Speaker,
    Turn,
    UtteranceRecord,
    UtteranceState,
)
from mediacore.observe.audio import StereoAudio, ulaw
from mediacore.observe.summary import (
    STAGES,
    Answer,
    answers,
    clock,
    cut_times_ms,
    first_sample,
    length,
    on_wire,
    percentile,
    response_times_us,
)

EMBED_LIMIT_BYTES: Final = 48 * 1024 * 1024
"""Longer recordings stay outside the page, which then shows levels instead of waveforms."""

GAP_MEANING: Final = "last sample of the caller to first of the agent, on the sample clock"

_PLACE: Final = re.compile(r"\{\{(\w+)\}\}")


def build_report(
    record: CallRecord, audio: StereoAudio | None = None, notes: Sequence[str] = ()
) -> str:
    """The page. notes: sentences about what is missing, shown on top."""
    told = [*notes, *(f"Lost: {what}" for what in record.lost)]
    sound = ""
    if audio is not None and len(audio.pcm) <= EMBED_LIMIT_BYTES:
        sound = base64.b64encode(ulaw(audio.pcm)).decode("ascii")
    elif audio is not None:
        told.append("The recording is too long for the page: levels are shown instead of sound.")
    style, script = _asset("report_template.css"), _asset("report_template.js")
    answered = answers(record)
    return _fill(
        _asset("report_template.html"),
        {
            "csp": _policy(style, script),
            "style": style,
            "script": script,
            "title": _text(f"Call {record.call_id}"),
            "subtitle": _subtitle(record),
            "notes": "".join(f'<p class="note">{_text(n)}</p>' for n in told),
            "facts": _facts(record),
            "transcript": _transcript(record, answered),
            "latency": _latency(record, answered),
            "marks": _marks(record),
            "decisions": _decisions(record),
            "errors": _errors(record),
            "media": _media(record),
            "data": _json(_data(record, audio)),
            "audio": sound,
        },
    )


def _asset(name: str) -> str:
    return (resources.files("mediacore.observe") / name).read_text("utf-8")


def _fill(template: str, values: Mapping[str, str]) -> str:
    """Put the values in, in one pass: what a value holds is never expanded again."""
    return _PLACE.sub(lambda match: values[match.group(1)], template)


def _policy(style: str, script: str) -> str:
    def digest(text: str) -> str:
        raw = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(raw).decode('ascii')}'"

    return (
        f"default-src 'none'; style-src {digest(style)}; script-src {digest(script)}; "
        "media-src blob:; base-uri 'none'; form-action 'none'"
    )


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)


def _json(value: object) -> str:
    raw = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return raw.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _ms(us: int) -> int:
    return (us + 500) // 1000


# ---------------------------------------------------------------- head


def _subtitle(record: CallRecord) -> str:
    parts = [f'<time datetime="{_text(record.started_at)}">{_text(record.started_at)}</time>']
    if record.agent:
        parts.append(f"agent <b>{_text(record.agent)}</b>")
    parts += [f"{_text(slot)} {_text(name)}" for slot, name in record.providers.items()]
    return " · ".join(parts)


def _facts(record: CallRecord) -> str:
    times = response_times_us(record)
    middle, tail = percentile(times, 50), percentile(times, 95)
    cuts = cut_times_ms(record)
    interrupted = sum(t.was_cut for t in record.turns)
    facts: list[tuple[str, str, str]] = [
        ("Length", length(record.duration_ms), f"ended: {record.end_reason}"),
        (
            "Media",
            record.transport.codec,
            f"{record.srate_hz // 1000} kHz · {record.transport.kind} · "
            f"{record.transport.ptime_ms} ms packets",
        ),
        ("Turns", str(len(record.turns)), f"{interrupted} cut by the caller"),
    ]
    if middle is not None and tail is not None:
        facts.append(("Response p50", length(_ms(middle)), f"p95 {length(_ms(tail))}"))
    if cuts:
        facts.append(("Onset to silence", f"{max(cuts)} ms", f"slowest of {len(cuts)}"))
    facts.append(_network_fact(record))
    usage = record.usage
    if usage is not None and usage.cost_micros is not None:
        facts.append(("Cost", f"{usage.cost_micros / 1e6:.4f} {usage.currency}", "all providers"))
    return "".join(
        f"<div><dt>{_text(name)}</dt><dd>{_text(value)}<small>{_text(more)}</small></dd></div>"
        for name, value, more in facts
    )


def _network_fact(record: CallRecord) -> tuple[str, str, str]:
    received, lost = record.media.get("rx_packets", 0), record.media.get("rx_lost", 0)
    share = 100 * lost / (received + lost) if received + lost else 0.0
    mos = record.media.get("mos_x100", 0)
    late = record.media.get("rx_late", 0)
    more = f"{late} late packets" + (f" · MOS estimate {mos / 100:.2f}" if mos else "")
    return ("Packets lost", f"{share:.1f} %", more)


# ---------------------------------------------------------- transcript


def _transcript(record: CallRecord, answered: Sequence[Answer]) -> str:
    if not record.turns:
        return '<p class="empty">Nobody spoke.</p>'
    totals = {a.turn.index: a.total_us for a in answered if a.bars[-1].known}
    rows = (_turn(turn, record, totals.get(turn.index)) for turn in record.turns)
    return f'<ol class="turns">{"".join(rows)}</ol>'


def _turn(turn: Turn, record: CallRecord, total_us: int | None) -> str:
    rate = record.srate_hz
    name = "Caller" if turn.speaker is Speaker.CALLER else "Agent"
    chips: list[str] = []
    if turn.stage:
        chips.append(f'<span class="chip">{_text(turn.stage)}</span>')
    if total_us is not None:
        chips.append(f'<span class="chip">answered in {_text(length(_ms(total_us)))}</span>')
    if turn.confidence is not None:
        chips.append(f'<span class="chip">confidence {turn.confidence:.2f}</span>')
    if turn.speaker is Speaker.CALLER:
        said = _text(turn.text) if turn.text else "<i>nothing recognised</i>"
    else:
        said = " ".join(_utterance(u) for u in turn.utterances) or "<i>nothing said</i>"
        chips += [c for u in turn.utterances if (c := _fate(u, rate))]
    at = turn.start if turn.speaker is Speaker.CALLER else first_sample(turn)
    start = turn.start if at is None else at
    end = turn.end if turn.end is not None else start
    return (
        f'<li class="turn {turn.speaker.value}" data-start="{start}" data-end="{end}">'
        f'<div class="who"><b>{name}</b>{_jump(start, rate)}</div>'
        f'<div class="said"><p>{said}</p>'
        f"{'<p class=chips>' + ' '.join(chips) + '</p>' if chips else ''}</div></li>"
    )


def _utterance(utterance: UtteranceRecord) -> str:
    """Heard text plain, the rest struck out; white space stays outside the strikes."""
    out: list[str] = []
    for span in utterance.all_spans():
        piece = utterance.text[span.start : span.end]
        core = piece.strip()
        if span.heard or not core:
            out.append(_text(piece))
            continue
        lead = piece[: len(piece) - len(piece.lstrip())]
        trail = piece[len(piece.rstrip()) :]
        out.append(
            f'{_text(lead)}<s><span class="vh">[not heard: </span>{_text(core)}'
            f'<span class="vh">]</span></s>{_text(trail)}'
        )
    kind = f'<span class="utt {utterance.kind.value}" data-utterance="{utterance.id}">'
    return kind + "".join(out).strip() + "</span>"


def _fate(utterance: UtteranceRecord, rate: int) -> str:
    if utterance.state is UtteranceState.CUT:
        played = length(utterance.played_samples * 1000 // rate)
        cause = f" ({utterance.cut_cause.replace('_', '-')})" if utterance.cut_cause else ""
        return f'<span class="chip cut">cut after {_text(played)}{_text(cause)}</span>'
    if utterance.state is UtteranceState.REFUSED:
        return '<span class="chip cut">stale, never played</span>'
    return ""


def _jump(at: int, rate: int) -> str:
    label = clock(at, rate)
    return (
        f'<button type="button" class="jump" data-at="{at}" '
        f'aria-label="Play from {label}">{label}</button>'
    )


# ------------------------------------------------------------- latency


def _latency(record: CallRecord, answered: Sequence[Answer]) -> str:
    if not answered:
        return '<p class="empty">No answer was measured.</p>'
    times = response_times_us(record)
    middle, tail = percentile(times, 50), percentile(times, 95)
    step = _grid_step(max(a.total_us for a in answered))
    scale = max(1, -(-max(a.total_us for a in answered) // step)) * step
    legend = "".join(f'<li class="st-{name}">{_text(label)}</li>' for name, label, _ in STAGES)
    lines = "".join(
        f'<line class="{name}" x1="{x:.2f}%" x2="{x:.2f}%" y2="100%"/>'
        for name, at in (("p50", middle), ("p95", tail))
        if at is not None and (x := 100 * at / scale) >= 0
    )
    rows = "".join(_answer_row(a, record.srate_hz, scale, lines) for a in answered)
    ticks = "".join(
        f'<text x="{100 * at / scale:.2f}%" y="11" '
        f'text-anchor="{"start" if at == 0 else "end" if at == scale else "middle"}">'
        f"{_ms(at)}{' ms' if at == scale else ''}</text>"
        for at in range(0, scale + 1, step)
    )
    strip = ""
    if middle is not None and tail is not None:
        strip = (
            f'<p class="strip"><span class="p50">p50 {_ms(middle)} ms</span> '
            f'<span class="p95">p95 {_ms(tail)} ms</span> of {len(times)} answers</p>'
        )
    return (
        f'<ul class="legend">{legend}</ul>{strip}'
        f'<ol class="waterfall">{rows}</ol>'
        f'<svg class="axis" width="100%" height="14" aria-hidden="true">{ticks}</svg>'
        f"{_latency_table(answered)}"
    )


def _grid_step(longest_us: int) -> int:
    for step in (100_000, 200_000, 250_000, 500_000, 1_000_000, 2_000_000, 5_000_000):
        if longest_us <= 5 * step:
            return step
    return max(1, -(-longest_us // 5_000_000)) * 1_000_000


def _answer_row(answer: Answer, rate: int, scale: int, lines: str) -> str:
    bars: list[str] = []
    for bar in answer.bars:
        share = 100 * bar.length_us / scale
        if share <= 0:
            continue
        start = 100 * bar.start_us / scale
        bars.append(
            f'<rect class="st-{bar.name}" x="{start:.2f}%" width="{share:.2f}%" height="100%">'
            f"<title>{_text(bar.label)} {_ms(bar.length_us)} ms</title></rect>"
        )
        if share > 9:
            bars.append(
                f'<text x="{start + share / 2:.2f}%" y="15" text-anchor="middle">'
                f"{_ms(bar.length_us)}</text>"
            )
    words = answer.turn.full_text
    brief = words if len(words) <= 44 else words[:42].rstrip() + "…"
    gap = (
        ""
        if answer.gap_ms is None
        else f' <small title="{GAP_MEANING}">wire {answer.gap_ms} ms</small>'
    )
    spoken = ", ".join(f"{b.label} {_ms(b.length_us)} ms" for b in answer.bars if b.known)
    at = answer.turn.latency.caller_end if answer.turn.latency else 0
    return (
        f'<li><div class="wf-head">{_jump(at, rate)}<span class="brief">{_text(brief)}</span>'
        f"<b>{_ms(answer.total_us)} ms</b>{gap}</div>"
        f'<svg width="100%" height="22" role="img" aria-label="{_text(spoken)}">'
        f"{''.join(bars)}{lines}</svg></li>"
    )


def _latency_table(answered: Sequence[Answer]) -> str:
    head = ["Turn", *(label for _, label, _ in STAGES), "Total", "Wire"]
    rows = [
        [
            str(a.turn.index),
            *(str(_ms(b.length_us)) if b.known else "–" for b in a.bars),
            str(_ms(a.total_us)),
            "–" if a.gap_ms is None else str(a.gap_ms),
        ]
        for a in answered
    ]
    meaning = "".join(
        f"<div><dt>{_text(label)}</dt><dd>until {_text(what)}</dd></div>"
        for _, label, what in STAGES
    )
    return (
        "<details><summary>All stages in ms</summary>"
        f'{_table(head, rows, "num")}<dl class="meaning">{meaning}</dl></details>'
    )


# -------------------------------------------------------------- tables


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table of plain text; cells are escaped here."""
    top = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0"><table class="{kind}">'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _timed_table(head: Sequence[str], rows: Iterable[tuple[int, Sequence[str]]], rate: int) -> str:
    """A table whose first column is a position that can be played."""
    top = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in ("At", *head))
    body = "".join(
        f"<tr><td>{_jump(at, rate)}</td>" + "".join(f"<td>{_text(c)}</td>" for c in row) + "</tr>"
        for at, row in rows
    )
    return (
        '<div class="scroll" tabindex="0"><table>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _marks(record: CallRecord) -> str:
    if not record.marks:
        return '<p class="empty">Nothing happened to the playout.</p>'
    rows = (
        (
            m.at,
            (
                m.kind.value.replace("_", " "),
                m.label,
                "" if m.took_ms is None else f"{m.took_ms} ms after the onset",
            ),
        )
        for m in record.marks
    )
    return _timed_table(("What", "Detail", "How fast"), rows, record.srate_hz)


def _decisions(record: CallRecord) -> str:
    if not record.decisions:
        return '<p class="empty">No decision was noted.</p>'
    rows = (
        (d.at, (d.name.replace("_", " "), d.verdict.replace("_", " "), d.evidence))
        for d in record.decisions
    )
    return _timed_table(("Decision", "Verdict", "Evidence"), rows, record.srate_hz)


def _errors(record: CallRecord) -> str:
    if not record.errors:
        return '<p class="empty">No error.</p>'
    rows = ((e.at, (e.source, e.error_class, e.message, e.recovery)) for e in record.errors)
    return _timed_table(("Source", "Class", "Message", "Recovery"), rows, record.srate_hz)


def _media(record: CallRecord) -> str:
    out: list[str] = []
    for title, counters in (("Leg", record.media), ("Media thread", record.pacer)):
        if counters:
            cells = "".join(
                f"<div><dt>{_text(name.replace('_', ' '))}</dt><dd>{value:,}</dd></div>"
                for name, value in counters.items()
            )
            out.append(f'<h3>{title}</h3><dl class="counters">{cells}</dl>')
    return "".join(out) or '<p class="empty">No counters were kept.</p>'


# ---------------------------------------------------------------- data


def _data(record: CallRecord, audio: StereoAudio | None) -> dict[str, object]:
    """What the script draws. Positions in samples at `rate`."""
    frames = record.frames
    spoken = [u for t in record.turns for u in t.utterances]
    return {
        "rate": record.srate_hz,
        "samples": _samples(record, audio),
        "audioRate": 0 if audio is None else audio.srate_hz,
        "speech": [[b.start, b.end] for b in record.speech],
        "playout": [[b.start, b.end, u.id] for u in spoken for b in u.playout],
        "said": [
            {
                "text": u.heard_text.strip(),
                "start": u.playout[0].start,
                "end": u.playout[-1].end,
                "words": _words(u),
            }
            for u in spoken
            if u.playout
        ],
        "marks": [
            [m.kind.value, m.at, _mark_label(m.kind, m.label, m.took_ms)] for m in record.marks
        ],
        "frames": {
            "rx": frames.rx_dbov,
            "tx": frames.tx_dbov,
            "flags": frames.flags,
            "concealed": frames.concealed_ms,
            "delay": frames.delay_ms,
            "target": frames.target_ms,
            "packets": frames.packets,
            "late": frames.late,
        },
    }


def _samples(record: CallRecord, audio: StereoAudio | None) -> int:
    known = [
        record.duration_ms * record.srate_hz // 1000,
        len(record.frames) * record.srate_hz // 50,
    ]
    if audio is not None and audio.srate_hz:
        known.append(audio.samples * record.srate_hz // audio.srate_hz)
    return max(1, *known)


def _words(utterance: UtteranceRecord) -> list[list[object]]:
    """[sample on the wire, text, heard] of every word that was sent, in part at least."""
    heard = [s for s in utterance.all_spans() if s.heard]
    out: list[list[object]] = []
    for word in utterance.words:
        at = on_wire(utterance, word.at)
        if at is not None:
            inside = any(s.start <= word.start and word.end <= s.end for s in heard)
            out.append([at, utterance.text[word.start : word.end], inside])
    return out


def _mark_label(kind: MarkKind, label: str, took_ms: int | None) -> str:
    name = kind.value.replace("_", " ")
    if kind is MarkKind.DIGIT and label:
        return label
    return name if took_ms is None else f"{name} {took_ms} ms"
