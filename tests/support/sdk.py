"""Published SDKs as separate interpreters: two of them cannot be imported into one process.

`sdk_python("signalwire-sdk==3.7.5")` gives an interpreter that can import the package. The
environment variable named by `variable_of` (here MEDIACORE_SDK375_PYTHON) points at an existing
one; otherwise a virtual environment is made once under `build/sdk/` and used again. Making one
takes 20–40 s and the package index, so tests that use it carry `@pytest.mark.timeout(180)`.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SDK_375 = "signalwire-sdk==3.7.5"
SDK_110 = "signalwire-agents==1.1.0"

_ROOT = Path(__file__).resolve().parents[2] / "build" / "sdk"
_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9]+(\.[0-9]+)*")
_INSTALL_S = 170


def variable_of(requirement: str) -> str:
    """The environment variable that names an interpreter having `requirement`."""
    version = requirement.partition("==")[2]
    return f"MEDIACORE_SDK{version.replace('.', '')}_PYTHON"


def sdk_python(requirement: str) -> Path:
    """An interpreter with `requirement` ("name==version") installed.

    Raises RuntimeError, with what pip said, when it cannot be made.
    """
    if not _PINNED.fullmatch(requirement):
        raise ValueError(f"not of the form name==version: {requirement!r}")
    given = os.environ.get(variable_of(requirement))
    if given:
        if not Path(given).is_file():
            raise RuntimeError(f"{variable_of(requirement)}: there is no {given}")
        return Path(given)
    tag = f"py{sys.version_info.major}{sys.version_info.minor}"
    home = _ROOT / f"{requirement.replace('==', '-')}-{tag}"
    python = home / "bin" / "python"
    with _locked(home.with_suffix(".lock")):
        if not (home / "complete").is_file():
            _make(home, python, requirement)
    return python


def _make(home: Path, python: Path, requirement: str) -> None:
    shutil.rmtree(home, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(home)])
    _run([str(python), "-m", "pip", "install", "--quiet", "--no-input", requirement])
    (home / "complete").touch()


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_INSTALL_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time makes an environment; the others wait for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
