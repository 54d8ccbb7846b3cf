"""mediacore serve as a program, with SIPp as its callers: a planned end, and what is refused."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.peers.process import LOOPBACK
from support.peers.sipp import Sipp, call_refused, call_until_bye, call_with_audio

SERVE = (sys.executable, "-m", "mediacore", "serve", "--config")
SERVICE = """
[service]
document = "document.json"
stt = "none"
tts = "tones"
records = "calls"
drain_s = 60
"""
SIP = '[[sip.binds]]\ntransport = "UDP"\nport = 0\n'
DOCUMENT = {"version": "1.0.0", "sections": {"main": [{"answer": {}}, {"sleep": -1}]}}

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]


def config(folder: Path, text: str) -> list[str]:
    """The command of a service with this configuration."""
    (folder / "document.json").write_text(json.dumps(DOCUMENT))
    (folder / "m.toml").write_text(SERVICE + text)
    return [*SERVE, str(folder / "m.toml")]


class Serving:
    """A running service."""

    def __init__(self, folder: Path, program: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self.program = program
        self._text = ""

    def told(self, pattern: str, seconds: float = 30) -> str:
        """Wait until it prints this."""
        out = self.program.stdout
        assert out is not None
        end = time.monotonic() + seconds
        while (found := re.search(pattern, self._text)) is None:
            assert time.monotonic() < end, self._text
            if select.select([out], [], [], 0.2)[0]:
                data = os.read(out.fileno(), 65536)
                assert data, self._text
                self._text += data.decode()
        return found[found.re.groups]  # the group when there is one

    def end(self) -> None:
        """Ask it to end."""
        self.program.send_signal(signal.SIGTERM)

    def records(self) -> list[dict[str, Any]]:
        """What it wrote."""
        return [json.loads(p.read_text()) for p in self.folder.glob("calls/*/call.json")]


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Serving, str]]:
    """A service, and where it takes SIP calls."""
    with subprocess.Popen(
        config(folder, SIP), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as program:
        service = Serving(folder, program)
        try:
            where = service.told(r"sip: UDP (\S+)")
            service.told("running")
            yield service, where
        finally:
            if program.poll() is None:
                program.kill()


def test_a_drain_lets_the_call_go_on_and_refuses_the_next(tmp_path: Path) -> None:
    with serving(tmp_path) as (service, where):
        with Sipp(where, call_with_audio(None, 4000), tmp_path / "first") as first:
            service.told("call_state=answered")
            began = time.monotonic()
            service.end()
            service.told("draining: 1 calls")
            with Sipp(where, call_refused(503), tmp_path / "late") as late:
                assert late.wait(10).exit_code == 0, late.errors()
            assert service.program.poll() is None
            assert first.wait(20).exit_code == 0, first.errors()
        assert service.program.wait(20) == 0
        assert time.monotonic() - began > 3  # not before its caller had hung up
    (record,) = service.records()
    assert record["end_reason"] == "hangup"
    assert record["transport"]["kind"] == "sip"


def test_a_second_signal_hangs_up_and_keeps_the_records(tmp_path: Path) -> None:
    with serving(tmp_path) as (service, where):
        scenario = call_until_bye(20_000)
        with Sipp(where, scenario, tmp_path / "callers", calls=3) as callers:
            service.told("(?s:(?:call_state=answered.*){3})")
            service.end()
            service.told("draining: 3 calls")
            began = time.monotonic()
            service.end()
            assert service.program.wait(10) == 0
            assert time.monotonic() - began < 5
            assert callers.wait(10).successful == 3, callers.errors()
    assert [record["end_reason"] for record in service.records()] == ["shutdown"] * 3


PUBLIC = {
    "sip": SIP + 'host = "0.0.0.0"\nadvertise = "192.0.2.1"\n',
    "streams": (
        '[streams]\nhost = "0.0.0.0"\nport = 0\nplain_network = true\n'
        '[[streams.endpoint]]\ndialect = "twilio"\n'
    ),
    "audiosocket": '[audiosocket]\nhost = "0.0.0.0"\nport = 0\nexpected = ["0.0.0.0/0"]\n',
    "rtp": '[rtp]\nhost = "0.0.0.0"\nports = [0]\nexpected = ["0.0.0.0/0"]\n',
}


def test_nobody_serves_everybody_by_accident(tmp_path: Path) -> None:
    for section, (code, told) in _refused(tmp_path, PUBLIC).items():
        assert code == 2, told
        assert f"{section}: " in told or f"[{section}] on 0.0.0.0" in told, told
        assert "needs `sources`, `users`" in told or "would take calls from anybody" in told, told
        assert "open" in told and "Traceback" not in told, told


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        for taken in (tcp, udp):
            taken.bind((LOOPBACK, 0))
        tcp.listen()
        stream, packet = tcp.getsockname()[1], udp.getsockname()[1]
        texts = {
            "sip": SIP.replace("port = 0", f"port = {packet}"),
            "streams": (f'[streams]\nport = {stream}\n[[streams.endpoint]]\ndialect = "twilio"\n'),
            "audiosocket": f"[audiosocket]\nport = {stream}\n",
            "rtp": f"[rtp]\nports = [{packet}]\n",
            "webrtc": f"[webrtc]\nport = {stream}\n",
        }
        for section, (code, told) in _refused(tmp_path, texts).items():
            port = packet if section in ("sip", "rtp") else stream
            assert code == 2, told
            assert f"127.0.0.1:{port}" in told and "Traceback" not in told, (section, told)


def _refused(folder: Path, texts: dict[str, str]) -> dict[str, tuple[int, str]]:
    """Exit codes and words of services that must not start, all at once."""
    running = {}
    for section, text in texts.items():
        (folder / section).mkdir()
        running[section] = subprocess.Popen(
            config(folder / section, text),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    found = {}
    for section, program in running.items():
        told, _ = program.communicate(timeout=40)
        found[section] = (program.returncode, told)
    return found
