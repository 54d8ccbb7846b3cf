"""What a call costs by each way it can come: media per leg, and setting it up by SIP.

The measured process holds our side alone; the far ends are in another, whose CPU is not counted.
Raw RTP is measured in every round and the others are compared with it, because what a machine gives
for a CPU second changes within minutes more than the links differ.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import defaultdict
from dataclasses import asdict, dataclass
from statistics import median
from typing import Final

from mediacore import _core
from mediacore.app_options import BenchOptions
from mediacore.bench.children import child, line, tell
from mediacore.bench.links_agent import LinkOrder, LinkReport
from mediacore.bench.links_caller import CallerOrder, CallerReport
from mediacore.bench.links_calls import CallsOrder, CallsReport
from mediacore.bench.links_far import FarOrder, FarReport

_KINDS: Final = ("rtp", "sip", "srtp", "websocket", "audiosocket")
_CODECS: Final = ("PCMU", "opus")
_HEARD_EARLIER_S: Final = 0.5  # the far end has counted by then
_PACED_PER_S: Final = 25.0
_AT_ONCE: Final = 16
_WARM_CALLS: Final = 20
_WEBRTC_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class _Size:
    """rounds: the median counts. seconds: measured in each. webrtc_calls: with an encoder on the
    far side, so fewer. paced, fastest: calls that are set up, slowly and as fast as they go."""

    rounds: int
    calls: int
    seconds: float
    warm_s: float
    webrtc_calls: int
    codecs: tuple[str, ...]
    paced: int
    fastest: int


_WHOLE: Final = _Size(5, 40, 5.0, 1.5, 16, _CODECS, 100, 1_000)
_QUICK: Final = _Size(1, 10, 2.0, 0.7, 2, _CODECS[:1], 25, 50)


@dataclass(frozen=True, slots=True)
class _Cost:
    """cpu_ms: per call and second."""

    cpu_ms: float
    report: LinkReport
    far: FarReport


def run(options: BenchOptions) -> dict[str, float]:
    """Measure. See benchmarks/README.md for the figures."""
    size = _QUICK if options.quick else _WHOLE
    figures = _links(size, options)
    if _has_aiortc():
        figures |= _webrtc(size, options)
    else:
        options.progress("webrtc: left out, aiortc is missing")
    return figures | _setups(size, options)


# -- media


def _links(size: _Size, options: BenchOptions) -> dict[str, float]:
    kinds = [kind for kind in _KINDS if kind != "srtp" or _core.srtp_load() is not None]
    found: dict[str, list[_Cost]] = defaultdict(list)
    for number in range(size.rounds):
        for kind in kinds:
            options.progress(f"round {number + 1}: {size.calls} calls by {kind}")
            found[kind].append(
                _link(LinkOrder(kind, size.calls, size.warm_s, size.seconds), options)
            )
    figures = {
        f"{kind}_cpu_ms_per_call_second": median(cost.cpu_ms for cost in costs)
        for kind, costs in found.items()
    }
    for kind, costs in found.items():
        if kind != "rtp":
            pairs = zip(costs, found["rtp"], strict=True)
            figures[f"{kind}_ratio_to_rtp"] = median(a.cpu_ms / b.cpu_ms for a, b in pairs)
    every = [cost for costs in found.values() for cost in costs]
    return figures | {
        "calls_run": size.calls,
        "frames_share_min": min(
            min(cost.report.sent_share, cost.report.heard_share, cost.far.heard_share)
            for cost in every
        ),
        "late_ticks": sum(cost.report.late_ticks for cost in every),
        "underruns": sum(cost.report.underruns for cost in every),
    }


def _link(order: LinkOrder, options: BenchOptions) -> _Cost:
    module = "links_tracks" if order.kind == "tracks" else "links_server"
    with child([sys.executable, "-m", f"mediacore.bench.{module}"]) as server:
        tell(server, asdict(order))
        ports = json.loads(line(server))
        seconds = order.warm_s + order.seconds - _HEARD_EARLIER_S
        with child([sys.executable, "-m", "mediacore.bench.links_far"]) as far:
            tell(far, asdict(FarOrder(order.kind, ports, order.calls, seconds, order.codec)))
            heard = FarReport(**json.loads(line(far)))
            report = LinkReport(**json.loads(line(server)))
    cost = _Cost(1000 * report.cpu_s / report.wall_s / order.calls, report, heard)
    options.progress(f"  {order.kind}: {cost.cpu_ms:.3f} ms CPU per call and second")
    return cost


# -- WebRTC


def _has_aiortc() -> bool:
    return importlib.util.find_spec("aiortc") is not None


def _webrtc(size: _Size, options: BenchOptions) -> dict[str, float]:
    """Ours and aiortc's tracks in turn, with the same codec and the same far end."""
    figures: dict[str, float] = {}
    codecs = [codec for codec in size.codecs if codec != "opus" or _core.opus_load() is not None]
    for codec in codecs:
        costs: dict[str, list[float]] = {"webrtc": [], "tracks": []}
        for _ in range(min(size.rounds, _WEBRTC_ROUNDS)):
            for kind, values in costs.items():
                options.progress(f"{size.webrtc_calls} calls by {kind}, {codec}")
                order = LinkOrder(kind, size.webrtc_calls, size.warm_s, size.seconds, codec)
                values.append(_link(order, options).cpu_ms)
        name = codec.lower()
        ours, theirs = median(costs["webrtc"]), median(costs["tracks"])
        pairs = zip(costs["webrtc"], costs["tracks"], strict=True)
        figures |= {
            f"webrtc_{name}_cpu_ms_per_call_second": ours,
            f"tracks_{name}_cpu_ms_per_call_second": theirs,
            f"webrtc_{name}_ratio_to_tracks": median(a / b for a, b in pairs),
        }
        if codec == "opus":
            figures |= _beside_opus(ours, theirs)
    return figures


def _beside_opus(ours: float, theirs: float) -> dict[str, float]:
    """The same without libopus, as both sides have it set."""
    from mediacore.bench.links_codecs import aiortc_opus_ms, core_opus_ms  # noqa: PLC0415

    core, aiortc = core_opus_ms(), aiortc_opus_ms()
    return {
        "core_opus_cpu_ms_per_second": core,
        "aiortc_opus_cpu_ms_per_second": aiortc,
        "webrtc_opus_ratio_to_tracks_beside_codec": (ours - core) / (theirs - aiortc),
    }


# -- set-up


def _setups(size: _Size, options: BenchOptions) -> dict[str, float]:
    figures: dict[str, float] = {}
    failed = 0
    for who in ("agent", "service"):
        for way in ("inbound", "outbound"):
            options.progress(f"setting up calls: {way}, {who}")
            service, inbound = who == "service", way == "inbound"
            order = CallsOrder(service, 0, _WARM_CALLS, size.paced)
            runs = [_calls(order, inbound=inbound) for _ in range(size.rounds)]
            order = CallsOrder(service, 0, _WARM_CALLS, size.fastest, pinned=True)
            fast, caller = _calls(order, inbound=inbound, per_s=0)
            name = f"setup_{way}_{who}"
            spent = median(report.cpu_s for report, _ in runs)
            figures[f"{name}_cpu_ms"] = 1000 * spent / size.paced
            figures[f"{name}_busy_cpu_ms"] = 1000 * fast.cpu_s / size.fastest
            figures[f"{name}_calls_per_s_one_core"] = size.fastest / fast.wall_s
            reports = [report for report, _ in runs] + [fast]
            callers = [far for _, far in runs if far is not None]
            if caller is not None:
                figures[f"{name}_answer_p95_ms"] = median(far.answer_p95_ms for far in callers)
                callers.append(caller)
            failed += sum(report.failed for report in reports)
            failed += sum(far.failed for far in callers)
    return figures | {"setup_failed": failed}


def _calls(
    order: CallsOrder, *, inbound: bool, per_s: float = _PACED_PER_S
) -> tuple[CallsReport, CallerReport | None]:
    """One run; per_s 0 = as fast as they end."""
    with (
        child([sys.executable, "-m", "mediacore.bench.links_caller"]) as far,
        child([sys.executable, "-m", "mediacore.bench.links_calls"]) as server,
    ):
        if inbound:
            tell(server, asdict(order))
            port, calls = int(line(server)), order.warm + order.calls
            wanted = CallerOrder(port, calls, per_s, _AT_ONCE, hangs_up=not order.service)
            tell(far, asdict(wanted))
            report = CallsReport(**json.loads(line(server)))
            return report, CallerReport(**json.loads(line(far)))
        tell(far, asdict(CallerOrder()))
        tell(
            server,
            asdict(order) | {"port": int(line(far)), "per_s": per_s, "at_once": _AT_ONCE},
        )
        line(server)
        return CallsReport(**json.loads(line(server))), None
