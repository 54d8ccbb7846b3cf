"""Build the core as a C program would use it, in a directory of its own."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CSRC = Path(__file__).parents[2] / "csrc"


def make(build: Path, target: str) -> None:
    done = subprocess.run(
        ["make", "-s", "-C", str(CSRC), f"BUILD={build}", "CFLAGS=-O1", target],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("make") is None or shutil.which("cc") is None:
        pytest.skip("needs make and a C compiler")
    return tmp_path_factory.mktemp("capi")


def declarations() -> str:
    """What the public headers declare, without what only a C compiler understands."""
    text = "".join((CSRC / "include" / name).read_text() for name in ("mc_types.h", "mediacore.h"))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"static inline .*?\n}\n", "", text, flags=re.DOTALL)
    text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.DOTALL)
    text = re.sub(r"^#(.*\\\n)*.*$", "", text, flags=re.MULTILINE)
    return text.replace("MC_WUR", "")


@pytest.fixture(scope="session")
def capi(build: Path) -> tuple[Any, Any]:
    """(ffi, library)."""
    cffi = pytest.importorskip("cffi")
    make(build, "shared")
    ffi = cffi.FFI()
    ffi.cdef(declarations())
    return ffi, ffi.dlopen(str(build / "libmediacore.so"))
