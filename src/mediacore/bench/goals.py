"""What the figures should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Goal:
    """sense: "≤" or "≥"."""

    sense: str
    value: float

    def met_by(self, figure: float) -> bool:
        """Whether a figure is good enough."""
        return figure <= self.value if self.sense == "≤" else figure >= self.value

    def __str__(self) -> str:
        return f"{self.sense} {self.value:g}"


def _most(value: float) -> Goal:
    return Goal("≤", value)


def _least(value: float) -> Goal:
    return Goal("≥", value)


GOALS: Final[Mapping[tuple[str, str], Goal]] = MappingProxyType(
    {
        ("bargein", "onset_to_silence_p95_ms"): _most(200),
        ("bargein", "decision_to_last_sample_max_ms"): _most(20),
        ("bargein", "blocked_python_decision_to_last_sample_max_ms"): _most(20),
        ("bargein", "engine_response_p95_ms"): _most(30),
        ("heard", "ledger_sample_error_max"): _most(0),
        ("heard", "words_off_max_with_times"): _most(0),
        ("heard", "words_off_max_without_times"): _most(1),
        ("density", "calls_per_core"): _least(150),
        ("density", "late_frames"): _most(0),
        ("density", "core_bytes_per_call"): _most(65536),
        ("control", "decision_p99_us"): _most(1000),
        ("control", "document_step_us"): _most(100),
        ("control", "loop_cpu_percent_per_call"): _most(0.5),
        ("control", "late_frames"): _most(0),
        ("links", "sip_ratio_to_rtp"): _most(1.1),
        ("links", "websocket_ratio_to_rtp"): _most(3),
        ("links", "webrtc_pcmu_ratio_to_tracks"): _most(0.2),
        ("links", "webrtc_opus_ratio_to_tracks"): _most(0.2),
        ("links", "webrtc_opus_ratio_to_tracks_beside_codec"): _most(0.2),
        ("links", "setup_inbound_agent_cpu_ms"): _most(5),
        ("links", "setup_outbound_agent_cpu_ms"): _most(5),
        ("links", "setup_inbound_service_cpu_ms"): _most(5),
        ("links", "setup_outbound_service_cpu_ms"): _most(5),
        ("links", "setup_failed"): _most(0),
    }
)
"""By bench and figure. Figures without one are there to be read."""


def verdicts(bench: str, figures: Mapping[str, float]) -> dict[str, dict[str, object]]:
    """For JSON: the goal of each figure that has one, and whether it is met."""
    return {
        key: {"goal": str(goal), "met": goal.met_by(figures[key])}
        for (name, key), goal in GOALS.items()
        if name == bench and key in figures
    }
