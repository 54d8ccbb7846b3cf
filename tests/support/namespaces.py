"""Two hosts and a network that misbehaves: namespaces, a cable, a netfilter queue at each end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.peers.process import Program, need_program

IMPAIR = Path(__file__).parents[2] / "tools" / "impair.py"
NEAR, FAR = "10.77.0.1", "10.77.0.2"


def need_namespaces() -> None:
    """Skip where this user may not make them; fail where it must (CI)."""
    for name in ("ip", "iptables"):
        need_program(name)
    missing = "root is needed for network namespaces" if os.geteuid() else ""
    if not missing:
        try:
            __import__("netfilterqueue")
        except ImportError:
            missing = "NetfilterQueue is missing: pip install -e '.[peers]'"
    if missing and os.environ.get("CI"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)


def _ip(*arguments: str) -> None:
    done = subprocess.run([need_program("ip"), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


class Host:
    """One end. address: numeric."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address

    def program(self, folder: Path, *command: str) -> Program:
        """A program on this host, yet to be entered."""
        folder.mkdir(parents=True, exist_ok=True)
        return Program("ip", ["netns", "exec", self.name, *command], folder)

    def _run(self, *command: str) -> None:
        _ip("netns", "exec", self.name, *command)

    def impaired(self, folder: Path, rule: Sequence[str], options: Sequence[str]) -> Impaired:
        """What goes out and fits `rule` (of iptables) suffers. options: of tools/impair.py. (What
        comes in has its arrival time from before the queue.)"""
        self._run("iptables", "-A", "OUTPUT", *rule, "-j", "NFQUEUE", "--queue-num", "1")
        return Impaired(self.program(folder, sys.executable, str(IMPAIR), "queue", "1", *options))


class Impaired:
    """A queue. Use as a context; then `counters` says what became of the packets."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.counters: dict[str, Any] = {}

    def __enter__(self) -> Impaired:
        self._program.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._program.__exit__(*exc_info)
        lines = self._program.output().splitlines()
        assert lines, "the queue said nothing"
        self.counters = json.loads(lines[-1])["in"]


@contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """Both, on one cable of their own that reaches nothing else."""
    need_namespaces()
    tag = os.getpid() % 100_000
    near, far = Host(f"mcn{tag}", NEAR), Host(f"mcf{tag}", FAR)
    with ExitStack() as stack:
        for host in (near, far):
            _ip("netns", "add", host.name)
            stack.callback(_ip, "netns", "del", host.name)
        cable = ("link", "add", "eth0", "netns", near.name, "type", "veth")
        _ip(*cable, "peer", "name", "eth0", "netns", far.name)
        for host in (near, far):
            _ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                _ip("-n", host.name, "link", "set", link, "up")
        yield near, far
