"""Run all benches and keep what they say: JSON per bench, and a picture of the main figures.

python benchmarks/run_all.py DIRECTORY [--quick]
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mediacore.app_options import BenchOptions
from mediacore.bench.goals import GOALS, verdicts
from mediacore.cli.bench import BENCHES, number
from mediacore.cli.environment import environment
from mediacore.errors import MissingDependencyError

Results = dict[str, dict[str, Any]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--quick", action="store_true", help="shorter runs, less exact")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    results = run(options.directory, quick=options.quick)
    missed = report(results)
    if draw(results, options.directory / "benchmarks.png"):
        print(f"picture: {options.directory / 'benchmarks.png'}")
    return 1 if missed else 0


def run(directory: Path, *, quick: bool) -> Results:
    """Run each bench and write its JSON. One whose extra is missing is left out."""
    results: Results = {}
    for name in BENCHES:
        around = environment()
        bench = importlib.import_module(f"mediacore.bench.{name}")
        progress = BenchOptions(quick, lambda line, name=name: print(f"{name}: {line}"))
        try:
            figures = bench.run(progress)
        except MissingDependencyError as error:
            print(f"{name}: left out. {error}", file=sys.stderr)
            continue
        results[name] = {
            "bench": name,
            "figures": figures,
            "goals": verdicts(name, figures),
            "environment": around,
        }
        text = json.dumps(results[name], indent=2)
        (directory / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    return results


def report(results: Results) -> int:
    """Print the figures that have a goal. Returns how many miss it."""
    missed = 0
    for (bench, key), goal in GOALS.items():
        value = results.get(bench, {}).get("figures", {}).get(key)
        if value is None:
            continue
        met = goal.met_by(value)
        missed += not met
        print(f"{'ok  ' if met else 'MISS'} {bench} {key} = {number(value)} (goal {goal})")
    return missed


def draw(results: Results, path: Path) -> bool:
    """A picture; False without matplotlib."""
    try:
        matplotlib = importlib.import_module("matplotlib")
    except ImportError:
        return False
    matplotlib.use("Agg")
    pyplot = importlib.import_module("matplotlib.pyplot")
    figure, axes = pyplot.subplots(3, 2, figsize=(12, 12), layout="constrained")
    panels = {
        "frame": (
            "CPU per leg and 20 ms frame (ns)",
            ("ns_per_frame", "bare_udp_ns", "vad_ns", "dtmf_ns", "tap_notes_ns", "g711_encode_ns"),
        ),
        "density": (
            "CPU per call-second (ms)",
            (
                "cpu_ms_per_call_second",
                "cpu_ms_media_thread",
                "bare_udp_cpu_ms_per_call_second",
            ),
        ),
        "bargein": (
            "Interruption (ms)",
            (
                "onset_to_silence_p50_ms",
                "onset_to_silence_p95_ms",
                "decision_to_last_sample_max_ms",
                "blocked_python_onset_to_silence_max_ms",
                "engine_response_p95_ms",
                "engine_response_wire_p95_ms",
            ),
        ),
        "heard": (
            "Share of cuts with the right number of words",
            (
                "words_exact_share_with_times",
                "words_exact_share_without_times",
                "words_within_one_share_without_times",
            ),
        ),
        "links": (
            "CPU per leg and second (ms)",
            tuple(
                f"{kind}_cpu_ms_per_call_second"
                for kind in ("rtp", "sip", "srtp", "websocket", "audiosocket")
            ),
        ),
        "control": (
            "CPU of the loop per call (percent of a core)",
            ("control_cpu_percent_per_call", "loop_cpu_percent_per_call"),
        ),
    }
    for axis, (name, (title, keys)) in zip(axes.flat, panels.items(), strict=True):
        bars(axis, results.get(name, {}).get("figures", {}), keys)
        axis.set_title(f"{name}: {title}", fontsize=10, loc="left")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return True


def bars(axis: Any, figures: Mapping[str, float], keys: tuple[str, ...]) -> None:
    shown = [key for key in keys if key in figures]
    drawn = axis.barh(shown, [figures[key] for key in shown], color="#4a7ebb")
    axis.bar_label(drawn, [number(figures[key]) for key in shown], padding=3, fontsize=8)
    axis.invert_yaxis()
    axis.margins(x=0.15)
    axis.tick_params(labelsize=8)


if __name__ == "__main__":
    sys.exit(main())
