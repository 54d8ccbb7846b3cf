"""Printing what the commands share."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mediacore.app_options import CallResult
from mediacore.call.record import (
    AUDIO_FILE,
    RECORD_FILE,
    REPORT_FILE,
    TIMELINE_FILE,
    CallRecord,
)
from mediacore.errors import MediacoreError, MissingDependencyError
from mediacore.observe.audio import AudioFileError, read_audio
from mediacore.observe.report import build_report
from mediacore.observe.summary import cut_times_ms, length, percentile, response_times_us
from mediacore.observe.timeline import draw_timeline
from mediacore.store.records import write_atomic


def need(module: str, extra: str) -> Any:
    """Import one of our modules; a package of another that it lacks is told with the fix."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "mediacore"):
            raise
        fix = f"pip install 'mediacore[{extra}]'"
        raise MissingDependencyError(f"Python package {package!r}", fix) from None


def echo_json(value: Mapping[str, Any]) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def write_views(
    record: CallRecord, source: Path, target: Path | None = None
) -> tuple[list[Path], list[str]]:
    """Write report.html and timeline.png into `target` (default: `source`, the call's directory).

    Returns the files and what could not be made, in words. Raises StoreError on a full disk.
    """
    directory = source if target is None else target
    written: list[Path] = []
    lacking: list[str] = []
    try:
        audio = read_audio(source / AUDIO_FILE)
    except AudioFileError as error:
        audio = None
        lacking.append(f"No sound: {error}")
    page = directory / REPORT_FILE
    write_atomic(page, build_report(record, audio, lacking).encode())
    written.append(page)
    try:
        picture = draw_timeline(record, audio)
    except MissingDependencyError as error:
        lacking.append(f"{TIMELINE_FILE} was not drawn: {error}")
    else:
        write_atomic(directory / TIMELINE_FILE, picture)
        written.append(directory / TIMELINE_FILE)
    return written, lacking


def finish_call(result: CallResult, as_json: bool) -> None:
    """Write the views of a call that was just made, and say what came of it."""
    kept = [result.directory / name for name in (RECORD_FILE, AUDIO_FILE)]
    files = [path for path in kept if path.exists()]
    lacking = list(result.record.lost)
    try:
        views, missing = write_views(result.record, result.directory)
    except MediacoreError as error:
        lacking.append(str(error))
    else:
        files += views
        lacking += missing
    figures = call_figures(result.record)
    if as_json:
        echo_json({**figures, "files": [str(path) for path in files], "missing": lacking})
        return
    click.echo()
    click.echo(
        f"{length(result.record.duration_ms)}, ended: {result.record.end_reason}. "
        f"{figures['turns']} turns, {figures['cuts']} cut by the caller, "
        f"{figures['errors']} errors."
    )
    if figures["response_p50_ms"] is not None:
        click.echo(
            f"Response p50 {figures['response_p50_ms']} ms, p95 {figures['response_p95_ms']} ms."
        )
    for path in files:
        click.echo(f"  {path}")
    for line in lacking:
        click.echo(f"  {line}", err=True)


def call_figures(record: CallRecord) -> dict[str, Any]:
    """The figures of a call that are worth printing."""
    times = response_times_us(record)
    p50, p95 = percentile(times, 50), percentile(times, 95)
    return {
        "call_id": record.call_id,
        "end_reason": record.end_reason,
        "duration_ms": record.duration_ms,
        "turns": len(record.turns),
        "cuts": sum(turn.was_cut for turn in record.turns),
        "errors": len(record.errors),
        "response_p50_ms": None if p50 is None else round(p50 / 1000),
        "response_p95_ms": None if p95 is None else round(p95 / 1000),
        "onset_to_silence_ms": list(cut_times_ms(record)),
        "transcript": [
            {"speaker": turn.speaker.value, "text": turn.full_text, "heard": turn.heard_text}
            for turn in record.turns
        ],
    }
