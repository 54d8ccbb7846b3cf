"""The C API from outside, as a gateway in another language would call it."""

import select
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(120)
Capi = tuple[Any, Any]


def make_engine(capi: Capi) -> Any:
    ffi, lib = capi
    out = ffi.new("struct mc_engine **")
    assert lib.mc_engine_create(out, ffi.new("struct mc_engine_cfg *", {"max_legs": 4})) == 0
    return ffi.gc(out[0], lib.mc_engine_destroy)


def open_leg(capi: Capi, engine: Any, **fields: Any) -> int:
    ffi, lib = capi
    codec = ffi.new("char[]", b"PCMU")
    cfg = {"codec": codec, "payload_type": 255, "fd": -1, "rtcp_fd": -1, "vad_threshold_q15": -1}
    handle = ffi.new("mc_handle *")
    assert lib.mc_leg_open(engine, ffi.new("struct mc_leg_cfg *", cfg | fields), handle) == 0
    return int(handle[0])


def poll(capi: Capi, engine: Any) -> list[tuple[int, int, int]]:
    ffi, lib = capi
    events = ffi.new("struct mc_event[64]")
    n = lib.mc_engine_poll(engine, events, 64)
    return [(events[i].kind, events[i].leg, events[i].position) for i in range(n)]


def test_events_have_their_documented_size(capi: Capi) -> None:
    ffi, _ = capi
    assert ffi.sizeof("struct mc_event") == 72
    assert ffi.sizeof("struct mc_note") == 16


def test_a_g711_leg_with_speech_detection_and_tap_fits_in_66_kib(capi: Capi) -> None:
    ffi, lib = capi
    codec = ffi.new("char[]", b"PCMU")
    cfg = {"codec": codec, "fd": 0, "rtcp_fd": -1, "taps": lib.MC_TAP_RX, "detect_dtmf": True}
    assert 0 < lib.mc_leg_memory(ffi.new("struct mc_leg_cfg *", cfg)) <= 66 * 1024


def test_speech_goes_from_leg_to_leg_over_the_memory_link(capi: Capi) -> None:
    ffi, lib = capi
    engine = make_engine(capi)
    a, b = open_leg(capi, engine, seed=1), open_leg(capi, engine, seed=2, taps=lib.MC_TAP_RX)
    pcm = ffi.new("int16_t[1600]", [6000 if n % 16 < 8 else -6000 for n in range(1600)])
    packet = ffi.new("uint8_t[1500]")
    assert lib.mc_leg_say_begin(engine, a, 1, 0) == 0
    assert lib.mc_leg_say(engine, a, pcm, 1600) == 1600
    assert lib.mc_leg_say_end(engine, a) == 0
    seen = []
    for tick in range(30):
        lib.mc_engine_tick(engine, tick * 20_000)
        while (n := lib.mc_leg_pull_packet(engine, a, packet, 1500)) > 0:
            assert lib.mc_leg_push_packet(engine, b, packet, n) == 0
        assert n == lib.MC_EAGAIN
        seen += poll(capi, engine)
    kinds = [kind for kind, leg, _ in seen if leg == a]
    assert kinds == [
        lib.MC_EV_LEG_OPENED,
        lib.MC_EV_PLAYOUT_STARTED,
        lib.MC_EV_UTTERANCE_FINISHED,
    ]
    out, at = ffi.new("int16_t[4800]"), ffi.new("uint64_t *")
    assert lib.mc_leg_read_tap(engine, b, lib.MC_TAP_RX, out, 4800, at) == 4800
    assert at[0] == 0
    assert max(out) > 5000
    stats = ffi.new("struct mc_leg_stats *")
    assert lib.mc_leg_stats(engine, a, stats) == 0
    assert stats.played_samples == stats.wire_samples == stats.queued_samples == 1600


def test_a_closed_leg_is_refused_once_freed(capi: Capi) -> None:
    _, lib = capi
    engine = make_engine(capi)
    leg = open_leg(capi, engine)
    lib.mc_engine_tick(engine, 0)
    assert lib.mc_leg_free(engine, leg) == lib.MC_ESTATE
    assert lib.mc_leg_close(engine, leg) == 0
    lib.mc_engine_tick(engine, 20_000)
    assert poll(capi, engine)[-1][:2] == (lib.MC_EV_LEG_CLOSED, leg)
    assert lib.mc_leg_free(engine, leg) == 0
    assert lib.mc_leg_free(engine, leg) == lib.MC_ENOENT
    assert lib.mc_leg_pause(engine, leg) == lib.MC_ENOENT
    assert open_leg(capi, engine) != leg


@pytest.mark.realtime
def test_the_pacer_wakes_the_control_thread(capi: Capi) -> None:
    ffi, lib = capi
    engine = make_engine(capi)
    out = ffi.new("struct mc_pacer **")
    assert lib.mc_pacer_start(out, engine, False) == 0
    try:
        leg = open_leg(capi, engine)
        assert select.select([lib.mc_engine_event_fd(engine)], [], [], 5)[0]
        assert poll(capi, engine)[0][:2] == (lib.MC_EV_LEG_OPENED, leg)
    finally:
        lib.mc_pacer_stop(out[0])
