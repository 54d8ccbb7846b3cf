"""What a leg's counters tell when its events were lost, and how far away its party is."""

from __future__ import annotations

from mediacore.call.inputs import FarDelayMeasured, GenerationSeen
from mediacore.events import SpeechEnded, SpeechStarted, UtteranceFinished
from mediacore.runtime import on_media, talking, timers, voice
from mediacore.runtime.draft import Draft
from mediacore.runtime.inputs import FarDelaySeen, Media, Resynced
from mediacore.runtime.state import PlayState


def resynced(d: Draft, event: Resynced) -> None:
    """Take up the line's state where its leg is: cuts and ends that nobody reported."""
    line = d.state.lines.get(event.line)
    if line is None or not line.up:
        d.refuse("stale_media")
        return
    d.log("media", "resynced", line=line.id, generation=event.generation, drained=event.drained)
    generation = max(line.generation, event.generation)
    d.set_line(line.id, generation=generation, clock=line.clock.seen(event.tick, d.now))
    _plays(d, event)
    _conversation(d, event)
    if event.speaking is not None and event.speaking != d.line(line.id).speaking:
        edge = SpeechStarted if event.speaking else SpeechEnded
        handle = line.handle or 0
        on_media.media(d, Media(line.id, edge(handle, event.tick, event.at)))


def _plays(d: Draft, event: Resynced) -> None:
    """Plays of older generations were cut; the others are over when nothing is left to play."""
    for op in d.ops_of(event.line, *voice.VOICE):
        play = voice.play_of(op)
        if play is None or play.state in (PlayState.WAITING, PlayState.OVER):
            continue
        cut = play.generation < event.generation
        if cut or event.drained:
            voice.set_play(d, op.id, state=PlayState.OVER)
            timers.play_over(d, d.state.ops[op.id], "cut" if cut else "finished")


def _conversation(d: Draft, event: Resynced) -> None:
    run = d.state.run
    if run is None or run.line != event.line:
        return
    talking.feed(d, GenerationSeen(event.generation))
    agent = d.run.talk.agent
    if agent is None or not event.drained:
        return
    handle = d.line(event.line).handle or 0
    for utt in agent.utterances:
        if not utt.state.final and utt.total is not None:
            over = (handle, event.tick, event.at, utt.id, utt.generation, utt.total, utt.total)
            talking.feed(d, UtteranceFinished(*over))


def far_delay_seen(d: Draft, event: FarDelaySeen) -> None:
    """What the party has heard is counted with it from now on."""
    line = d.state.lines.get(event.line)
    if line is None or line.over:
        d.refuse("stale_media")
        return
    d.set_line(event.line, far_delay_ms=max(event.delay_ms, 0))
    run = d.state.run
    if run is not None and run.line == event.line:
        talking.feed(d, FarDelayMeasured(event.delay_ms))
