"""How many calls a core carries: real RTP on loopback, in real time, callers in another process.

Each call has speech detection, an armed pause, a drained receive tap and an agent that talks about
60 % of the time, interrupted by its caller in every cycle of 10 s. CPU is that of the whole server
process: media thread, event loop and Python.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from mediacore.app_options import BenchOptions
from mediacore.bench.baseline import bare_udp
from mediacore.bench.children import child, line, tell
from mediacore.bench.density_load import LoadOrder, LoadReport
from mediacore.bench.density_server import ServerOrder, ServerReport
from mediacore.bench.figures import share
from mediacore.bench.sound import SRATE_HZ
from mediacore.units import TICKS_PER_S

_WARM_S: Final = 3.0
_SPARE_S: Final = 3.0  # the far end lives a little longer than what is measured


def run(options: BenchOptions) -> dict[str, float]:
    """Measure. See benchmarks/README.md for the figures."""
    calls, seconds = (100, 5.0) if options.quick else (400, 15.0)
    options.progress(f"{calls} calls for {_WARM_S + seconds:.0f} s")
    report, load = _measure(ServerOrder(calls, _WARM_S, seconds))
    cores = report.cpu_s / report.wall_s
    late = report.late_ticks * calls + report.underruns
    figures = {
        "calls_per_core": calls / cores,
        "late_frames": late,
        "rss_kb_per_call": report.rss_bytes / 1024 / calls,
        "calls_run": calls,
        "cores_used": cores,
        "cpu_ms_per_call_second": 1000 * cores / calls,
        "cpu_ms_media_thread": 1000 * report.media_cpu_s / report.wall_s / calls,
        "late_ticks": report.late_ticks,
        "late_max_ms": report.late_max_ms,
        "underruns": report.underruns,
        "lost_at_server": report.packets_lost,
        "lost_at_caller": load.rx_lost,
        "late_ticks_caller": load.late_ticks,
        "packets_out_share": share(report.packets_out, round(calls * report.wall_s * TICKS_PER_S)),
        "agent_talk_share": report.agent_samples / (calls * report.wall_s * SRATE_HZ),
        "interruptions": report.pauses,
        "cuts": report.cuts,
        "events_lost": report.events_lost,
        "loop_lag_p99_ms": report.loop_lag_p99_ms,
    }
    if report.core_bytes is not None:
        figures["core_bytes_per_call"] = report.core_bytes / calls
    with bare_udp() as program:
        if program is not None:
            options.progress("the same packets with the bare loop")
            bare = _bare(program, calls, seconds)
            figures["bare_udp_cpu_ms_per_call_second"] = bare
            figures["ratio_to_bare_udp"] = figures["cpu_ms_per_call_second"] / bare
    return figures


def _measure(order: ServerOrder) -> tuple[ServerReport, LoadReport]:
    with child([sys.executable, "-m", "mediacore.bench.density_server"]) as server:
        tell(server, asdict(order))
        ports = json.loads(line(server))
        seconds = order.warm_s + order.seconds + _SPARE_S
        with child([sys.executable, "-m", "mediacore.bench.density_load"]) as load:
            tell(load, asdict(LoadOrder(ports, seconds)))
            report = ServerReport(**json.loads(line(server)))
            return report, LoadReport(**json.loads(line(load)))


def _bare(program: Path, calls: int, seconds: float) -> float:
    """CPU milliseconds per call-second of the bare loop with the same far end."""
    ticks = round((_WARM_S + seconds) * TICKS_PER_S)
    with child([str(program), "serve", str(calls), str(ticks)]) as server:
        ports = [int(port) for port in line(server).split()]
        with child([sys.executable, "-m", "mediacore.bench.density_load"]) as load:
            tell(load, asdict(LoadOrder(ports, _WARM_S + seconds)))
            cpu_s, counted, _ = (float(x) for x in line(server).split())
    return 1000 * cpu_s / (counted / TICKS_PER_S) / calls
