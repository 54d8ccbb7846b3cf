"""serve and a phone in network namespaces of their own, with a bad network between (NFQUEUE)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from support.namespaces import Host, need_namespaces, two_hosts
from support.peers.baresip import Baresip, Settings
from support.peers.process import Program, need_program
from support.peers.speech import Samples, padded, prompt, read_wav, similarity, write_wav

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]

TALK_S = 8
WHOLE = ("-p", "udp")
SIGNALLING = ("-p", "udp", "--dport", "5060")
ROUGH = ("--delay", "60", "--jitter", "15", "--loss", "5", "--burst", "3")
LOSSY = ("--loss", "20")


def recognised(said: Samples, heard: Samples) -> float:
    """Share of the voiced 300 ms pieces of `said` that are somewhere in `heard`."""
    pieces = [said[at : at + 2400] for at in range(0, len(said) - 2400, 2400)]
    voiced = [piece for piece in pieces if np.sqrt(np.mean(piece**2)) > 0.02]
    assert len(voiced) > 5
    return sum(similarity(piece, heard) > 0.8 for piece in voiced) / len(voiced)


def serve(host: Host, path: Path, sound: Samples) -> Program:
    """`mediacore serve` on this host: it answers, records, and says something."""
    write_wav(path / "welcome.wav", sound)
    steps: list[object] = [
        {"answer": {}},
        {"record_call": {"control_id": "all", "stereo": True}},
        {"play": {"url": "welcome.wav"}},
        {"sleep": 60_000},
    ]
    document = {"version": "1.0.0", "sections": {"main": steps}}
    (path / "document.json").write_text(json.dumps(document))
    (path / "m.toml").write_text(
        f"""
        [service]
        document = "{path / "document.json"}"
        sounds = "{path}"
        records = "{path / "calls"}"
        stt = "none"
        tts = "tones"
        [sip]
        media_host = "{host.address}"
        sources = ["10.77.0.0/24"]
        [[sip.binds]]
        transport = "UDP"
        host = "{host.address}"
        port = 5060
        """
    )
    command = (sys.executable, "-m", "mediacore", "serve", "--config", str(path / "m.toml"))
    return host.program(path / "serve", *command)


def phone(host: Host, path: Path, said: Samples, target: str) -> tuple[Baresip, Program]:
    """baresip on this host: it calls, says `said`, and hangs up TALK_S later."""
    microphone = write_wav(path / "said.wav", said)
    at = {"net_interface": "eth0", "sip_listen": f"{host.address}:5060"}
    made = Baresip(Settings(microphone, config=at), path / "phone")
    command = ("-f", str(made.folder), "-v", "-t", str(TALK_S + 2), "-e", f"/dial {target}")
    return made, host.program(made.folder, need_program("baresip"), *command)


def call(path: Path, rule: Sequence[str], options: Sequence[str]) -> tuple[float, float, int]:
    """Share of what the service and what the phone understood; packets lost on the way."""
    need_namespaces()
    said = prompt("vm-msginstruct")[: TALK_S * 8000]
    sound = prompt("vm-opts-full")[: TALK_S * 8000]
    with two_hosts() as (near, far):
        queues = [
            host.impaired(path / host.name, rule, [*options, "--seed", str(seed)])
            for seed, host in enumerate((near, far), start=1)
        ]
        with queues[0], queues[1], serve(near, path, sound) as service:
            service.expect("running", 20)
            target = f"sip:agent@{near.address}"
            made, dialling = phone(far, path, padded(0.5, said, 60.0), target)
            with dialling:
                dialling.expect("Call established", 15)
                began_s = time.monotonic()
                assert dialling.wait(40) == 0
            assert time.monotonic() - began_s < TALK_S + 15
            service.until(lambda: bool(records(path)), 10, "record")
    (record,) = records(path)
    assert record["end_reason"] == "hangup", record
    heard, _ = read_wav(path / "calls" / record["call_id"] / "call.wav")
    there = recognised(said, heard)
    back = recognised(sound, read_wav(made.heard())[0])
    return there, back, sum(queue.counters["lost"] for queue in queues)


def records(path: Path) -> list[dict[str, object]]:
    """Of all calls."""
    found = (path / "calls").glob("*/call.json")
    return [json.loads(file.read_text()) for file in found]


def test_delay_jitter_and_bursts_of_loss(tmp_path: Path) -> None:
    there, back, lost = call(tmp_path, WHOLE, ROUGH)
    assert lost > 10
    assert there > 0.6 and back > 0.6, (there, back)


def test_signalling_that_gets_lost(tmp_path: Path) -> None:
    """Nothing is heard of it: the audio is whole."""
    there, back, _ = call(tmp_path, SIGNALLING, LOSSY)
    assert there > 0.95 and back > 0.95, (there, back)
