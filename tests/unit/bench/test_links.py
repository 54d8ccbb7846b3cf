from __future__ import annotations

import importlib.util
import json

import pytest

from mediacore import _core
from mediacore.app_options import BenchOptions
from mediacore.bench import links
from mediacore.bench.goals import GOALS, Goal, verdicts
from mediacore.bench.links_tcp import _frame, _masked
from mediacore.media import MediaDialect


@pytest.mark.realtime
@pytest.mark.timeout(120)
def test_figures() -> None:
    figures = links.run(BenchOptions(quick=True))
    assert figures["calls_run"] == 10
    assert figures["frames_share_min"] > 0.8  # everybody talks and hears
    assert figures["setup_failed"] == 0
    kinds = ["rtp", "sip", "websocket", "audiosocket"]
    if _core.srtp_load() is not None:
        kinds.append("srtp")
    for kind in kinds:
        assert 0 < figures[f"{kind}_cpu_ms_per_call_second"] < 50
    assert 0.3 < figures["sip_ratio_to_rtp"] < 3
    if importlib.util.find_spec("aiortc") is not None:
        assert 0 < figures["webrtc_pcmu_ratio_to_tracks"] < 1
    for who in ("agent", "service"):
        for way in ("inbound", "outbound"):
            assert 0 < figures[f"setup_{way}_{who}_cpu_ms"] < 100
            assert figures[f"setup_{way}_{who}_calls_per_s_one_core"] > 1


def test_goals() -> None:
    assert Goal("≤", 3).met_by(3) and not Goal("≤", 3).met_by(3.01)
    assert Goal("≥", 150).met_by(150) and not Goal("≥", 150).met_by(149)
    found = verdicts("links", {"sip_ratio_to_rtp": 1.2, "calls_run": 40})
    assert json.loads(json.dumps(found)) == {"sip_ratio_to_rtp": {"goal": "≤ 1.1", "met": False}}
    assert {bench for bench, _ in GOALS} >= {"bargein", "heard", "density", "control", "links"}


@pytest.mark.parametrize("size", [0, 5, 125, 126, 300])
def test_a_client_frame_is_what_the_core_reads(size: int) -> None:
    text = b"x" * size
    (item,) = _core.MediaSocket(MediaDialect()).feed(_masked(text))
    assert item[1] == text.decode()


def test_a_server_frame_in_pieces() -> None:
    whole = b"\x81\x7e\x00\x80" + b"y" * 128 + b"\x81\x02ok"
    buffer = bytearray(whole[:100])
    assert _frame(buffer) is None
    buffer += whole[100:]
    assert _frame(buffer) == (1, b"y" * 128)
    assert _frame(buffer) == (1, b"ok")
    assert _frame(buffer) is None
