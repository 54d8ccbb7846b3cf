"""Running calls as live models, for whoever shows them: the words, and what was heard of them.

It looks at the calls ten times a second and does nothing for a call that has not changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, Protocol

from mediacore.call import turns_so_far
from mediacore.call.live import LiveModel
from mediacore.call.record import Speaker, Turn
from mediacore.runtime.private import masked
from mediacore.runtime.state import AiRun, LineState, RunState

_PERIOD_S: Final = 0.1


class Watched(Protocol):
    """A running call; `session.runner.CallRunner` is one."""

    @property
    def state(self) -> RunState:
        """As of its last event."""
        ...


class CallWatch:
    """Shows running calls. `run` until cancelled.

    calls: those that run now. key: by which name a call is shown, "" = not at all. show: takes
    the name and the newest model; called on the loop, must not block. A call that is over is
    shown once more, as ended.
    """

    def __init__(
        self,
        calls: Callable[[], Iterable[Watched]],
        key: Callable[[RunState], str],
        show: Callable[[str, LiveModel], None],
    ) -> None:
        self._calls = calls
        self._key = key
        self._show = show
        self._seen: dict[str, _Seen] = {}

    async def run(self) -> None:
        """Show what changes."""
        while True:
            self.look()
            await asyncio.sleep(_PERIOD_S)

    def look(self) -> None:
        """Once."""
        here = set()
        for call in self._calls():
            state = call.state
            key = self._key(state)
            if not key:
                continue
            here.add(key)
            seen = self._seen.setdefault(key, _Seen())
            if seen.state is not state:
                seen.state = state
                seen.model = seen.view.model(state)
            self._show(key, seen.model)  # again if nothing changed: it may have been refused
        for key in self._seen.keys() - here:
            self._show(key, replace(self._seen.pop(key).model, state="ended", ended=True))


def by_header(name: str) -> Callable[[RunState], str]:
    """A key for CallWatch: what the party of the call's own line has in this header."""

    def key(state: RunState) -> str:
        line = state.lines.get(state.main)
        return line.headers.get(name, "") if line is not None else ""

    return key


class CallView:
    """The live model of one call; remembers the conversations that are over."""

    def __init__(self) -> None:
        self._runs: dict[int, tuple[Turn, ...]] = {}

    def model(self, state: RunState) -> LiveModel:
        """The call as it stands."""
        run = state.run
        for each in (*state.closing, *((run,) if run is not None else ())):
            self._runs[each.id] = _turns(each)
        turns = [turn for number in sorted(self._runs) for turn in self._runs[number]]
        line = state.lines.get(state.main)
        return LiveModel(
            call_id=state.id,
            title=state.settings.app_name,
            srate_hz=line.srate_hz if line is not None else 8000,
            state=_word(state),
            stage=run.stage_name if run is not None else "",
            turns=tuple(replace(turn, index=index) for index, turn in enumerate(turns)),
            partial=_partial(run),
            ended=state.over,
        )


class _Seen:
    def __init__(self) -> None:
        self.view = CallView()
        self.state: RunState | None = None
        self.model = LiveModel("")


def _turns(run: AiRun) -> tuple[Turn, ...]:
    """The turns of a conversation, the open ones last; private ones masked as in the record."""
    turns = turns_so_far(run.talk)
    if run.talk.caller.said and turns and turns[-1].speaker is Speaker.CALLER:
        turns = turns[:-1]  # still being said: the model's `partial`
    kept = len(run.talk.turns)
    return tuple(
        masked(turn)
        if turn.index in run.private_turns or (run.private and turn.index >= kept)
        else turn
        for turn in turns
    )


def _partial(run: AiRun | None) -> str:
    return "" if run is None or run.private else run.talk.caller.said


def _word(state: RunState) -> str:
    """What the call is doing: the conversation's phase, else the line's state."""
    line = state.lines.get(state.main)
    if state.over or (line is not None and line.over):
        return "ended"
    if state.run is not None:
        return state.run.talk.phase.value
    up = line is not None and line.state is LineState.ANSWERED
    return "connected" if up else "connecting"
