"""Find libopus: a named file, the system's library, or the copy inside PyAV's wheel."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mediacore._core._core import load_libopus


def bundled_libopus() -> list[Path]:
    """Copies of libopus that an installed PyAV brings along. PyAV itself is not imported."""
    spec = find_spec("av")
    if spec is None or spec.origin is None:
        return []
    package = Path(spec.origin).parent
    return [
        *sorted((package.parent / "av.libs").glob("libopus*.so*")),  # Linux
        *sorted((package / ".dylibs").glob("libopus*.dylib")),  # macOS
    ]


def opus_load(path: str | None = None) -> str | None:
    """Make the codec "opus" usable; once, before any leg is opened.

    path: this file and no other. Returns the library's version string, or None when none was
    found. Once loaded, the library stays; later calls return its version.
    """
    if path is not None:
        return load_libopus(path)
    version = load_libopus(None)
    for candidate in bundled_libopus():
        if version is not None:
            break
        version = load_libopus(str(candidate))
    return version
