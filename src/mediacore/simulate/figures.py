"""Many runs, and the figures that come of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mediacore.simulate.runner import Outcome, Simulator

_KEPT: Final = 20


@dataclass(frozen=True, slots=True)
class Figures:
    """interleavings: different orders of events. violations: runs that broke a rule; found: the
    first of them. cpu_s: of the process."""

    runs: int
    interleavings: int
    violations: int
    runs_per_cpu_s: float
    steps: int
    virtual_hours: float
    cpu_s: float
    found: tuple[Outcome, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "runs": self.runs,
            "interleavings": self.interleavings,
            "violations": self.violations,
            "runs_per_cpu_s": round(self.runs_per_cpu_s, 1),
            "steps": self.steps,
            "virtual_hours": round(self.virtual_hours, 2),
            "cpu_s": round(self.cpu_s, 3),
            "found": [
                {"seed": o.seed, "scenario": o.scenario, "violation": str(o.violation)}
                for o in self.found
            ],
        }


def simulate(
    simulator: Simulator,
    seed: int,
    runs: int,
    cpu_s: Callable[[], float],
    progress: Callable[[int], None] = lambda _: None,
) -> Figures:
    """Run seeds `seed` .. `seed + runs - 1`. progress: told the number of runs that are done."""
    began_s = cpu_s()
    orders: set[int] = set()
    found: list[Outcome] = []
    violations = steps = virtual_ms = 0
    for number in range(runs):
        outcome = simulator.run(seed + number)
        orders.add(outcome.order)
        steps += outcome.steps
        virtual_ms += outcome.virtual_ms
        if outcome.violation is not None:
            violations += 1
            if len(found) < _KEPT:
                found.append(outcome)
        if number % 50 == 49:
            progress(number + 1)
    took_s = max(cpu_s() - began_s, 1e-9)
    return Figures(
        runs,
        len(orders),
        violations,
        runs / took_s,
        steps,
        virtual_ms / 3_600_000,
        took_s,
        tuple(found),
    )
