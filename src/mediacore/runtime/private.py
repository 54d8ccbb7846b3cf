"""Steps marked `mediacore_sensitive`: what is said in them leaves no trace.

Recordings are silent, copies of the media end, and the record, the transcript and the payload hold
a mask instead of the words. The model still hears them: it has to use them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mediacore.call.record import Speaker, Turn, UtteranceRecord
from mediacore.runtime import ending
from mediacore.runtime.actions import MuteRecordings, StopFork
from mediacore.runtime.draft import Draft
from mediacore.runtime.state import OpKind

MASK: Final = "[private]"


def enter_stage(d: Draft) -> None:
    """The step may have changed: silence what is kept, or let it go on."""
    run = d.run
    step = run.session.current_step()
    private = step is not None and step.sensitive
    if private == run.private:
        return
    d.set_run(private=private, private_seen=run.private_seen or private)
    d.log("private", "begins" if private else "ends", run=run.id)
    d.emit(MuteRecordings(run.line, on=private))
    if private:
        for op in d.ops_of(run.line, OpKind.TAP, OpKind.STREAM):
            d.emit(StopFork(op.id))
            ending.finish(d, op, "finished")


def over(d: Draft) -> None:
    """The run is over: recordings go on."""
    run = d.run
    if run.private:
        d.set_run(private=False)
        d.emit(MuteRecordings(run.line, on=False))


def kept(d: Draft, turn: Turn) -> Turn:
    """A turn as it may be kept, with the stage it was in."""
    run = d.run
    private = turn.index in run.private_turns or run.private_seen
    if private and turn.index not in run.private_turns:
        d.set_run(private_turns=run.private_turns | {turn.index})
    d.set_run(private_seen=run.private)
    staged = replace(turn, stage=turn.stage or run.stage_name)
    return masked(staged) if private else staged


def masked(turn: Turn) -> Turn:
    """A turn without its words; who spoke and when stays."""
    if turn.speaker is Speaker.CALLER:
        return replace(turn, text=MASK)
    return replace(turn, utterances=tuple(_masked(u) for u in turn.utterances))


def _masked(utterance: UtteranceRecord) -> UtteranceRecord:
    heard = len(MASK) if utterance.heard_chars else 0
    return replace(utterance, text=MASK, heard_chars=heard, spans=(), words=())
