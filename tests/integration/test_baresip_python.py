"""The package baresip (PyPI baresip-python): a phone in this process, its audio as PCM."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.peers.process import LOOPBACK, free_port
from support.peers.speech import Samples, padded
from support.phone_calls import (
    ANSWER,
    FOREVER,
    PLAY,
    SLIPS,
    heard_by_service,
    missing,
    question,
    service,
    told,
    welcome,
)

sip_phone = pytest.importorskip("baresip")

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]

FRAME_BYTES = 320
AHEAD_BYTES = 4 * FRAME_BYTES


async def talk(call: Any, said: Samples, heard: bytearray) -> None:
    """Keep its send buffer filled, and take what it received, until cancelled."""
    left = (np.clip(said, -1, 1) * 32767).astype("<i2").tobytes()
    while True:
        with suppress(sip_phone.AudioNotActive, sip_phone.AudioRestarted):
            if left and call.audio.info().tx_buffered < AHEAD_BYTES:
                left = left[call.audio.write(left[:AHEAD_BYTES]) :]
            heard += call.audio.read(1 << 16)
        await asyncio.sleep(0.01)


def test_pcm_and_keys_go_both_ways(tmp_path: Path) -> None:
    collect = {"prompt": {"play": "silence:0.1", "max_digits": 4, "initial_timeout": 10}}
    say = {"user_event": {"event": {"pressed": "%{prompt_value}"}}}
    statements = (ANSWER, PLAY, collect, say, {"send_digits": "42#"}, FOREVER)
    heard = bytearray()
    keys: list[Any] = []
    port = free_port()
    config = sip_phone.Config(
        net_interface=LOOPBACK, extra_config_text=f"sip_listen {LOOPBACK}:{port}\n"
    )
    account = sip_phone.Account("paula", f"{LOOPBACK}:{port}", "", reg_interval=0)

    async def main() -> None:
        runtime = sip_phone.Runtime()
        async with service(tmp_path, *statements) as stage:
            await runtime.start(config)
            try:
                agent = await sip_phone.UserAgent.create(runtime, account)
                call = await agent.dial(stage.uri())
                call.on_dtmf(keys.append)
                await call.wait_established()
                talking = asyncio.ensure_future(talk(call, padded(0.5, question(), 0.5), heard))
                await stage.until(lambda: "finished" in [e["state"] for e in stage.of("call.play")])
                await call.send_dtmf("1590")
                await stage.until(lambda: len(keys) >= 3)
                await call.hangup()
                record = await stage.record()
                talking.cancel()
                await asyncio.wait([talking])
            finally:
                await runtime.close()
        assert told(stage) == [{"pressed": "1590"}]
        assert "".join(key.digit for key in keys) == "42#"
        samples = np.frombuffer(bytes(heard), "<i2") / 32768.0
        assert missing(welcome(), samples) <= SLIPS
        assert missing(question(), heard_by_service(tmp_path, record)) <= SLIPS

    asyncio.run(main())
