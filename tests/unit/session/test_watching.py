"""Running calls as live models."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from mediacore.call import CallSettings, initial_state
from mediacore.call.live import LiveModel
from mediacore.call.record import Speaker, Turn
from mediacore.call.state import CallerTurn, Phase
from mediacore.runtime.private import MASK
from mediacore.runtime.state import Line, LineState
from mediacore.session.watching import CallView, CallWatch, by_header
from virtual import run_virtual

HELLO = Turn(0, Speaker.CALLER, 0, 10, "Hello.")
SECRET = Turn(1, Speaker.CALLER, 20, 30, "My number is 12.")


def talk(*turns: Turn, said: str = "", phase: Phase = Phase.LISTENING) -> Any:
    caller = CallerTurn(partial=said) if said else CallerTurn()
    return replace(initial_state(CallSettings()), turns=turns, caller=caller, phase=phase)


def run(number: int, conversation: Any, **changes: Any) -> Any:
    given = {"private": False, "private_turns": frozenset(), "stage_name": "greet"}
    return SimpleNamespace(id=number, talk=conversation, **(given | changes))


def state(current: Any = None, **changes: Any) -> Any:
    line = Line("l", "webrtc", "inbound", "", "", state=LineState.ANSWERED, srate_hz=16000)
    given = {
        "id": "call", "main": "l", "lines": {"l": line}, "run": current, "closing": (),
        "settings": SimpleNamespace(app_name="app"), "over": False,
    }  # fmt: skip
    return SimpleNamespace(**(given | changes))


def test_a_conversation_is_shown_as_it_stands() -> None:
    model = CallView().model(
        state(run(1, talk(HELLO, said="I would", phase=Phase.CALLER_SPEAKING)))
    )
    assert model.turns == (HELLO,)
    assert (model.partial, model.state, model.stage) == ("I would", "caller_speaking", "greet")
    assert (model.call_id, model.title, model.srate_hz) == ("call", "app", 16000)


def test_conversations_that_are_over_stay_and_numbers_go_on() -> None:
    view = CallView()
    view.model(state(run(1, talk(HELLO))))
    model = view.model(state(run(4, talk(HELLO)), closing=(run(1, talk(HELLO)),)))
    assert [turn.index for turn in model.turns] == [0, 1]
    assert len(view.model(state()).turns) == 2
    assert view.model(state()).state == "connected"


def test_private_words_are_not_shown() -> None:
    view = CallView()
    kept = view.model(state(run(1, talk(HELLO, SECRET), private_turns=frozenset({1}))))
    assert [turn.text for turn in kept.turns] == ["Hello.", MASK]
    now = view.model(state(run(1, talk(HELLO, said="12 34"), private=True)))
    assert (now.partial, [turn.text for turn in now.turns]) == ("", ["Hello."])


def test_states_without_a_conversation() -> None:
    view = CallView()
    ringing = replace(state().lines["l"], state=LineState.RINGING)
    assert view.model(state(lines={"l": ringing})).state == "connecting"
    assert view.model(state(lines={}, main="")).state == "connecting"
    over = view.model(state(over=True))
    assert (over.state, over.ended) == ("ended", True)


def test_only_calls_with_a_name_are_shown_and_their_end_too() -> None:
    call, shown = SimpleNamespace(state=state(run(1, talk(HELLO)))), []
    calls = [call, SimpleNamespace(state=state(id="other"))]

    def show(key: str, model: LiveModel) -> None:
        shown.append((key, len(model.turns), model.ended))

    async def main() -> None:
        watch = CallWatch(lambda: calls, lambda s: "x" if s.id == "call" else "", show)
        task = asyncio.create_task(watch.run())
        await asyncio.sleep(0.25)
        calls.clear()
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.wait([task])

    run_virtual(main())
    assert shown == [("x", 1, False)] * 3 + [("x", 1, True)]


def test_a_header_is_a_key() -> None:
    key = by_header("x-page")
    assert key(state()) == key(state(lines={})) == ""
    line = replace(state().lines["l"], headers={"x-page": "7"})
    assert key(state(lines={"l": line})) == "7"
