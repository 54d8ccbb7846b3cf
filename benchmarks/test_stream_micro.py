"""What a message of a media stream costs, by pytest-benchmark.

pytest benchmarks/test_stream_micro.py. One direction at a time, 20 ms of µ-law in JSON with base64.
`core` is MediaSocket, WebSocket framing included; `python` is json and base64 of the standard
library, without any framing. `messages` in the extra info says how many a call handles.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mediacore._core import Engine, Leg, MediaSocket
from mediacore.media import LegConfig, MediaDialect, MediaOut

pytest.importorskip("pytest_benchmark")

MESSAGES = 50
TICK_US = 20_000
LEG = LegConfig(vad_threshold_q15=None, stream=True, stream_always=True, stream_queue_ms=60_000)
SID = "MZ18ad3ab5a668481ce02b83e7395059f0"
FRAME = bytes(range(40, 200))
DIALECT = MediaDialect(
    seq_key=("sequenceNumber",),
    ts_key=("media", "timestamp"),
    track_key=("media", "track"),
    tracks=("inbound",),
    prefix=f'{{"event":"media","streamSid":"{SID}","media":{{"payload":"',
    suffix='"}}',
)
TEXT = json.dumps(
    {
        "event": "media",
        "sequenceNumber": "3",
        "media": {
            "track": "inbound",
            "chunk": "1",
            "timestamp": "5",
            "payload": base64.b64encode(FRAME).decode(),
        },
        "streamSid": SID,
    }
)


def masked(text: str) -> bytes:
    mask, data = b"\x37\xfa\x21\x3d", text.encode()
    head = b"\x81\xfe" + len(data).to_bytes(2, "big") + mask
    return head + bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(max_legs=2) as engine:
        yield engine


@pytest.fixture
def leg(engine: Engine) -> Iterator[Leg]:
    with engine.open_leg(LEG) as leg:
        yield leg


def drained(engine: Engine, leg: Leg) -> None:
    """Make room in both queues."""
    engine.tick_many(0, 1)
    leg.pull_media()


def test_in_core(benchmark: Any, engine: Engine, leg: Leg) -> None:
    socket, wire = MediaSocket(DIALECT, leg), masked(TEXT)

    def run() -> None:
        for _ in range(MESSAGES):
            socket.feed(wire)

    benchmark.extra_info["messages"] = MESSAGES
    benchmark.pedantic(run, setup=lambda: drained(engine, leg), rounds=500)
    stats = socket.stats()
    assert stats.media == stats.messages and stats.dropped_bytes == 0


def test_in_python(benchmark: Any, engine: Engine, leg: Leg) -> None:
    def run() -> None:
        for _ in range(MESSAGES):
            message = json.loads(TEXT)
            if message["event"] == "media" and message["media"]["track"] == "inbound":
                media = message["media"]
                payload = base64.b64decode(media["payload"])
                leg.push_media(payload, int(message["sequenceNumber"]), int(media["timestamp"]))

    benchmark.extra_info["messages"] = MESSAGES
    benchmark.pedantic(run, setup=lambda: drained(engine, leg), rounds=500)


def filled(engine: Engine, clock: list[int]) -> None:
    """A second of frames that wait to be sent."""
    clock[0] = engine.tick_many(clock[0], MESSAGES)


def test_out_core(benchmark: Any, engine: Engine, leg: Leg) -> None:
    socket, clock = MediaSocket(DIALECT, leg), [0]
    benchmark.extra_info["messages"] = MESSAGES
    benchmark.pedantic(socket.drain, setup=lambda: filled(engine, clock), rounds=500)
    assert socket.stats().media_out == 500 * MESSAGES


def test_out_python(benchmark: Any, engine: Engine, leg: Leg) -> None:
    clock, sent = [0], [0]

    def run() -> None:
        for item in leg.pull_media():
            if item[0] is MediaOut.AUDIO:
                payload = base64.b64encode(item[1]).decode()
                message = {"event": "media", "streamSid": SID, "media": {"payload": payload}}
                sent[0] += len(json.dumps(message).encode())

    benchmark.extra_info["messages"] = MESSAGES
    benchmark.pedantic(run, setup=lambda: filled(engine, clock), rounds=500)


@pytest.mark.parametrize("stream", [True, False])
def test_tick(benchmark: Any, stream: bool) -> None:
    """64 legs that hear and send: the stream link against RTP over memory."""
    with Engine(max_legs=64) as engine:
        legs = [engine.open_leg(replace(LEG, stream=stream)) for _ in range(64)]
        clock = [0]

        def emptied() -> None:
            engine.poll()
            for leg in legs:
                if stream:
                    leg.push_media(FRAME)
                    leg.pull_media()
                else:
                    while (packet := leg.pull_packet()) is not None:
                        leg.push_packet(packet)

        def run() -> None:
            clock[0] = engine.tick_many(clock[0], 1)

        benchmark.extra_info["legs"] = 64
        benchmark.pedantic(run, setup=emptied, rounds=500)
        for leg in legs:
            leg.close()
