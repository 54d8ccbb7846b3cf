"""Controllers of a call: two or three programs that all want something, at any time.

Some commands carry the state version that was seen when they were sent, so that two of them
conflict; some are nonsense. A controller may disappear.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from mediacore.runtime.inputs import CommandReceived, ControllerGone
from mediacore.runtime.ports import Command
from mediacore.simulate.world import World

PROJECT: Final = "project"
_ALL: Final = frozenset({"read", "control", "dial"})
_REFERRED: Final = {"type": "sip", "params": {"to": "sip:desk@example.org"}}
_PHONE: Final = {"type": "phone", "params": {"to_number": "+1888", "timeout": 4}}
_TTS: Final = [{"type": "tts", "params": {"text": "this is a message"}}]
_DOC: Final = {"sections": {"main": [{"play": "say:taken over"}, {"sleep": 300}, {"hangup": {}}]}}
_AI: Final = {
    "prompt": {"text": "help"},
    "SWAIG": {"functions": [{"function": "look", "web_hook_url": "https://tool.example/look"}]},
}
Make = Callable[[str, Random], Mapping[str, Any]]

METHODS: Final[tuple[tuple[str, int, Make], ...]] = (
    ("play", 8, lambda op, _: {"control_id": op, "play": _TTS}),
    ("play.stop", 3, lambda op, _: {"control_id": op}),
    ("play.pause", 3, lambda op, _: {"control_id": op}),
    ("play.resume", 2, lambda op, _: {"control_id": op}),
    ("play.volume", 1, lambda op, _: {"control_id": op, "volume": 3}),
    (
        "play_and_collect",
        4,
        lambda op, _: {"control_id": op, "play": _TTS, "collect": {"digits": {"max": 2}}},
    ),
    ("play_and_collect.stop", 1, lambda op, _: {"control_id": op}),
    ("collect", 3, lambda op, _: {"control_id": op, "speech": {}, "digits": {"max": 1}}),
    ("collect.stop", 1, lambda op, _: {"control_id": op}),
    ("record", 4, lambda op, _: {"control_id": op, "record": {"audio": {"terminators": ""}}}),
    ("record.pause", 1, lambda op, _: {"control_id": op}),
    ("record.stop", 3, lambda op, _: {"control_id": op}),
    ("detect", 2, lambda op, _: {"control_id": op, "detect": {"type": "machine"}}),
    ("detect.stop", 1, lambda op, _: {"control_id": op}),
    (
        "tap",
        2,
        lambda op, _: {
            "control_id": op,
            "tap": {"type": "audio", "params": {"direction": "both"}},
            "device": {"type": "rtp", "params": {"addr": "192.0.2.1", "port": 5000}},
        },
    ),
    ("tap.stop", 1, lambda op, _: {"control_id": op}),
    ("stream", 1, lambda op, _: {"control_id": op, "url": "wss://s.example"}),
    ("send_digits", 2, lambda op, _: {"control_id": op, "digits": "12w3"}),
    ("hold", 3, lambda _, __: {}),
    ("unhold", 3, lambda _, __: {}),
    ("ai", 4, lambda op, _: {"control_id": op, **_AI}),
    ("ai.stop", 2, lambda op, _: {"control_id": op}),
    ("ai_hold", 3, lambda _, __: {"timeout": 3}),
    ("ai_unhold", 3, lambda _, __: {}),
    ("ai_message", 5, lambda op, __: {"message_text": "be quick", "global_data": {op: 1}}),
    ("connect", 5, lambda _, __: {"devices": [[_PHONE, _PHONE], [_PHONE]], "ringback": []}),
    ("refer", 2, lambda op, _: {"control_id": op, "device": _REFERRED}),
    ("disconnect", 3, lambda _, __: {}),
    ("transfer", 3, lambda _, __: {"dest": _DOC}),
    ("lease", 4, lambda _, dice: {"ttl": 3, "take_over": dice.random() < 0.5}),
    ("release", 2, lambda _, __: {}),
    ("end", 1, lambda _, __: {"reason": "hangup"}),
    ("answer", 2, lambda _, __: {}),
    ("user_event", 1, lambda _, __: {"event": {"a": 1}}),
    ("live_transcribe", 1, lambda _, __: {}),
)
_NAMES: Final = tuple(row[0] for row in METHODS)
_WEIGHTS: Final = tuple(row[1] for row in METHODS)
_MAKES: Final[Mapping[str, Make]] = {row[0]: row[2] for row in METHODS}


class Controllers:
    """Sends commands. `requests` counts them: every one must be answered."""

    __slots__ = ("_dice", "_number", "_world")

    def __init__(self, world: World, commands: int, within_s: float) -> None:
        self._world = world
        self._dice = world.dice["controller"]
        self._number = 0
        for _ in range(commands):
            world.at(world.now + int(self._dice.random() * within_s * 1_000_000), self._one)
            if self._dice.random() < 0.35:  # two at the same moment
                self._pair(within_s)
        if self._dice.random() < 0.2:
            gone = ControllerGone(self._name())
            world.send("controller", gone, int(self._dice.random() * within_s * 1_000_000))

    def order(self, method: str, params: Mapping[str, Any], delay_us: int = 0) -> None:
        """One command for certain."""
        self._send(self._name(), method, params, version=None, delay_us=delay_us)

    def _name(self) -> str:
        return self._dice.choice(("anna", "ben", "cleo"))

    def _pair(self, within_s: float) -> None:
        at_us = self._world.now + int(self._dice.random() * within_s * 1_000_000)
        self._world.at(at_us, lambda: self._both(("anna", "ben")))

    def _both(self, names: tuple[str, str]) -> None:
        version = self._world.state.version
        for name in names:
            method, params = self._choose()
            self._send(name, method, params, version, self._world.delay("controller", 1, 40))

    def _one(self) -> None:
        method, params = self._choose()
        version = self._world.state.version if self._dice.random() < 0.2 else None
        delay_us = self._world.delay("controller", 1, 200)
        self._send(self._name(), method, params, version, delay_us)

    def _choose(self) -> tuple[str, Mapping[str, Any]]:
        method = self._dice.choices(_NAMES, _WEIGHTS)[0]
        ops = [op for op in self._world.state.ops if "." in method]
        if ops and self._dice.random() < 0.8:
            name = self._dice.choice(ops)
        else:
            self._number += 1
            name = f"k{self._number}"
        return method, _MAKES[method](name, self._dice)

    def _send(
        self,
        name: str,
        method: str,
        params: Mapping[str, Any],
        version: int | None,
        delay_us: int,
    ) -> None:
        world = self._world
        lines = list(world.state.lines)
        call = world.state.main or world.state.id
        if lines and self._dice.random() < 0.15:
            call = self._dice.choice(lines)
        allowed = _ALL if self._dice.random() < 0.97 else frozenset({"read"})
        self._number += 1
        command = Command(name, PROJECT, allowed, method, call, params, version)
        world.give("controller", CommandReceived(self._number, command), delay_us)
