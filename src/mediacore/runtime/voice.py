"""The voice of a line outside a conversation: plays, one after the other.

A play is one utterance of the leg. The core says when it started and finished; a stop takes
effect at once, because the leg's next generation is known before the core reports the cut.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mediacore.call.state import next_generation_after_cut
from mediacore.events import (
    MediaEvent,
    PlayoutCut,
    PlayoutEvent,
    PlayoutStarted,
    UtteranceFinished,
    UtteranceRefused,
)
from mediacore.runtime.actions import (
    ArmLine,
    PausePlay,
    ResumePlay,
    SetVolume,
    StartPlay,
    StopPlay,
)
from mediacore.runtime.draft import Draft
from mediacore.runtime.inputs import PlayFailed
from mediacore.runtime.state import (
    CollectData,
    Operation,
    OpKind,
    PlayData,
    PlayState,
    Stage,
)

VOICE: Final = (OpKind.PLAY, OpKind.PROMPT)


def play_of(op: Operation) -> PlayData | None:
    """What an operation plays, None when that is over or it never played."""
    if isinstance(op.data, PlayData):
        return op.data
    return op.data.play if isinstance(op.data, CollectData) else None


def speaking(d: Draft, line: str) -> Operation | None:
    """The operation that has the line's voice."""
    for op in d.ops_of(line, *VOICE):
        play = play_of(op)
        if play is not None and play.state not in (PlayState.WAITING, PlayState.OVER):
            return op
    return None


def stops(op: Operation) -> bool:
    """Whether the caller's speech ends what the operation plays."""
    return isinstance(op.data, CollectData) and op.data.speech is not None


def set_play(d: Draft, op: str, **changes: object) -> None:
    """Replace fields of what an operation plays."""
    found = d.state.ops[op]
    play = play_of(found)
    assert play is not None
    new = replace(play, **changes)  # type: ignore[arg-type]
    if isinstance(found.data, PlayData):
        d.set(ops={**d.state.ops, op: replace(found, data=new)})
    else:
        d.set_op(op, play=new)


def next_play(d: Draft, line: str) -> None:
    """Give the voice to the operation that waits longest, when it is free."""
    found = d.line(line)
    if not found.up or found.held or speaking(d, line) is not None:
        return
    run = d.state.run
    if (
        run is not None
        and run.line == line
        and run.stage in (Stage.OPENING, Stage.TALKING)
        and not run.held
    ):
        return
    for op in d.ops_of(line, *VOICE):
        play = play_of(op)
        if play is None or play.state is not PlayState.WAITING:
            continue
        utterance, generation = _claim(d, line)
        set_play(
            d,
            op.id,
            state=PlayState.STARTING,
            utterance=utterance,
            generation=generation,
            moved_us=d.now,
        )
        d.emit(
            ArmLine(line, stops=stops(op)),
            StartPlay(op.id, line, utterance, generation, play.items, play.volume_db, play.loops),
        )
        return


def _claim(d: Draft, line: str) -> tuple[int, int]:
    """The next utterance and its generation; a conversation on hold has its own count of both."""
    found, run = d.line(line), d.state.run
    utterance, generation = found.next_utterance, found.generation
    if run is not None and run.line == line:
        utterance = max(utterance, run.talk.next_utterance)
        generation = max(generation, next_generation_after_cut(run.talk.generation))
    d.set_line(line, next_utterance=utterance + 1, generation=generation)
    return utterance, generation


def stop(d: Draft, op: Operation) -> None:
    """Silence what an operation plays, inside this frame."""
    play = play_of(op)
    if play is None or play.state in (PlayState.WAITING, PlayState.OVER):
        return
    line = d.line(op.line)
    d.emit(StopPlay(op.id, op.line, play.generation))
    after = next_generation_after_cut(play.generation)
    d.set_line(op.line, generation=max(line.generation, after))


def announced(d: Draft, op: str, state: str = "finished") -> None:
    """The announcement before an input is over, or is not wanted any more; tells it."""
    found = d.state.ops[op]
    play = play_of(found)
    if play is None:
        return
    stop(d, found)
    if stops(found) and play.state is not PlayState.WAITING:
        d.emit(ArmLine(found.line, stops=False))
    d.publish("play", found.line, {"control_id": op, "state": state})
    d.set_op(op, play=None)


def pause(d: Draft, op: Operation, *, on: bool) -> bool:
    """Hold or go on. False when it is not playing."""
    play = play_of(op)
    wanted = (PlayState.STARTING, PlayState.PLAYING) if on else (PlayState.PAUSED,)
    if play is None or play.state not in wanted:
        return False
    set_play(d, op.id, state=PlayState.PAUSED if on else PlayState.PLAYING, moved_us=d.now)
    d.emit(PausePlay(op.line) if on else ResumePlay(op.line))
    d.publish("play", op.line, {"control_id": op.id, "state": "paused" if on else "playing"})
    return True


def hold(d: Draft, line: str, *, on: bool) -> None:
    """The line's voice pauses with the line, and goes on with it; the core does both."""
    op = speaking(d, line)
    play = play_of(op) if op is not None else None
    if op is None or play is None or (play.state is PlayState.PAUSED and not play.held):
        return
    state = PlayState.PAUSED if on else PlayState.PLAYING
    set_play(d, op.id, state=state, held=on, moved_us=d.now)
    d.publish("play", line, {"control_id": op.id, "state": "paused" if on else "playing"})


def volume(d: Draft, op: Operation, volume_db: float) -> None:
    """Louder or softer from what is not queued yet."""
    if play_of(op) is not None:
        set_play(d, op.id, volume_db=volume_db)
        d.emit(SetVolume(op.id, volume_db))


def find(d: Draft, line: str, utterance: int) -> Operation | None:
    """The operation whose utterance it is."""
    for op in d.ops_of(line, *VOICE):
        play = play_of(op)
        if play is not None and play.utterance == utterance and utterance:
            return op
    return None


def on_playout(d: Draft, line: str, event: MediaEvent) -> tuple[Operation, str] | None:
    """What the core says of a play. Returns the operation and how its play ended, if it did."""
    if not isinstance(event, PlayoutEvent):
        return None
    if isinstance(event, PlayoutCut):
        found = d.line(line)
        d.set_line(line, generation=max(found.generation, event.next_generation))
    op = find(d, line, event.utterance)
    if op is None:
        return None
    play = play_of(op)
    assert play is not None
    set_play(d, op.id, moved_us=d.now)
    match event:
        case PlayoutStarted() if play.state is PlayState.STARTING:
            set_play(d, op.id, state=PlayState.PLAYING)
            d.publish("play", line, {"control_id": op.id, "state": "playing"})
            return None
        case UtteranceFinished():
            how = "finished"
        case PlayoutCut():
            how = "cut"
        case UtteranceRefused():
            d.refuse("stale_play", line=line)
            how = "error"
        case _:
            return None
    set_play(d, op.id, state=PlayState.OVER)
    return d.state.ops[op.id], how


def on_failed(d: Draft, event: PlayFailed) -> tuple[Operation, str] | None:
    """What was to be played could not be made."""
    op = d.state.ops.get(event.op)
    if op is None or play_of(op) is None:
        return None
    d.log("play", "failed", line=op.line, error=event.error_class.value)
    return op, "error"
