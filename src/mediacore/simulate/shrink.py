"""From a run that breaks a rule to the shortest order of events that still breaks it.

Delta debugging over the names of the deliveries: what is not kept is lost, the rest of the world
reacts to what is left. The call's own clock is never lost. The result is minimal in that no single
delivery can be left out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from mediacore.runtime import inputs as i
from mediacore.runtime.actions import Action, Log
from mediacore.runtime.state import RunState
from mediacore.simulate.runner import START_US, Outcome, Simulator
from mediacore.simulate.violation import Rule

_TRIES: Final = 1000
Breaks = Callable[[Sequence[str]], bool]


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The shortest run found. lines: its story, for people."""

    outcome: Outcome
    lines: tuple[str, ...]


def shrink(simulator: Simulator, seed: int, tries: int = _TRIES) -> Shrunk | None:
    """Shorten a run that breaks a rule; None when this one does not."""
    first = simulator.run(seed)
    if first.violation is None:
        return None
    rule = first.violation.rule
    left = [tries]

    def breaks(names: Sequence[str]) -> bool:
        if not left[0]:
            return False
        left[0] -= 1
        return broken_rule(simulator.run(seed, frozenset(names))) is rule

    kept = ddmin(first.given, breaks)
    outcome, lines = story(simulator, seed, frozenset(kept))
    return Shrunk(outcome, lines)


def story(
    simulator: Simulator, seed: int, keep: frozenset[str] | None
) -> tuple[Outcome, tuple[str, ...]]:
    """A run told in lines: what came, and what the call did about it."""
    lines: list[str] = []

    def watch(now: int, name: str, event: object, _: RunState, actions: Sequence[Action]) -> None:
        lines.append(f"{(now - START_US) / 1e6:8.3f} s  {name or 'begin':14} {told(event)}")
        done = ", ".join(type(a).__name__ for a in actions if not isinstance(a, Log))
        if done:
            lines.append(f"{'':27}-> {done}")

    outcome = simulator.run(seed, keep, watch)
    return outcome, tuple(lines)


def broken_rule(outcome: Outcome) -> Rule | None:
    """The rule that a run broke."""
    return outcome.violation.rule if outcome.violation is not None else None


def ddmin(names: Sequence[str], breaks: Breaks) -> tuple[str, ...]:
    """The smallest part of `names`, in order, for which `breaks` still holds (1-minimal)."""
    kept = list(names)
    parts = 2
    while len(kept) >= 2:
        size = max(len(kept) // parts, 1)
        for start in range(0, len(kept), size):
            rest = kept[:start] + kept[start + size :]
            if breaks(rest):
                kept = rest
                parts = max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(parts * 2, len(kept))
    if len(kept) == 1 and breaks(()):
        return ()
    return tuple(kept)


def told(event: object) -> str:
    """An event in one line."""
    match event:
        case None:
            return "the document begins"
        case i.Media(line=line, event=given):
            about = getattr(given, "utterance", None) or getattr(given, "digit", "")
            return f"{line}: {type(given).__name__} {about}".rstrip()
        case i.Heard(line=line, result=result):
            return f"{line}: {type(result).__name__} {getattr(result, 'text', '')!r}"
        case i.AgentResult(run=run, result=result):
            what = getattr(result, "text", "") or getattr(result, "name", "")
            about = getattr(result, "generation", None) or getattr(result, "utterance", "")
            return f"run {run}: {type(result).__name__} {about} {what}".rstrip()
        case i.CommandReceived(request=request, command=command):
            version = "" if command.version is None else f" at version {command.version}"
            name = command.params.get("control_id", "")
            return f"{command.issuer} [{request}]: {command.method} {name}{version}".rstrip()
        case i.ToolReplied(run=run, id=name, ok=ok, reply=reply):
            return f"run {run}: tool {name} {'ok' if ok else 'failed'} {reply or ''}".rstrip()
    about = next((str(getattr(event, n)) for n in ("line", "op", "run") if hasattr(event, n)), "")
    reason = getattr(event, "reason", "")
    return f"{type(event).__name__} {about} {reason}".rstrip()
