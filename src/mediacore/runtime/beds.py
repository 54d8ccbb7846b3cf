"""What plays under the agent's voice: background, music on hold, the sound of a tool at work."""

from __future__ import annotations

from mediacore.runtime.actions import PlayItem, StartBed, StopBed
from mediacore.runtime.draft import Draft
from mediacore.runtime.reading import real
from mediacore.runtime.state import AiRun, Stage

Bed = tuple[PlayItem, float, int]


def update(d: Draft) -> None:
    """Play what the run wants under its voice now; nothing when it plays already."""
    run = d.run
    wanted = _wanted(run) if run.stage is not Stage.OPENING else None
    if wanted == run.bed:
        return
    d.set_run(bed=wanted)
    if wanted is None:
        d.emit(StopBed(run.line))
        return
    item, volume_db, loops = wanted
    d.emit(StartBed(run.line, (item,), volume_db, loops))


def over(d: Draft) -> None:
    """The run is over, and with it what played under its voice."""
    run = d.run
    if run.bed is not None:
        d.set_run(bed=None)
        d.emit(StopBed(run.line))


def _wanted(run: AiRun) -> Bed | None:
    music = str(run.session.param("hold_music") or "")
    if run.held:
        return _bed(music)
    sounds = [job.sound for job in run.jobs if job.sound is not None]
    if sounds:
        return _bed(sounds[-1][0], loops=sounds[-1][1])
    works = any(job.purpose == "tool" for job in run.jobs)
    if works and music and run.session.param("hold_on_process") is True:
        return _bed(music)
    if run.playback:
        return _bed(run.playback, loops=1)
    return _bed(
        str(run.session.param("background_file") or ""),
        real(run.session.param("background_file_volume")),
        _loops(run.session.param("background_file_loops")),
    )


def _bed(url: str, volume_db: float = 0.0, loops: int = 0) -> Bed | None:
    return (PlayItem("audio", url), volume_db, loops) if url else None


def _loops(value: object) -> int:
    """Absent: endless, which is 0 of a bed."""
    return max(value, 1) if isinstance(value, int) and not isinstance(value, bool) else 0
