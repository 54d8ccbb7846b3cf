"""Find libsrtp2: a named file, or the system's library."""

from __future__ import annotations

from mediacore._core._core import load_libsrtp


def srtp_load(path: str | None = None) -> str | None:
    """Make `LegConfig.srtp` usable; once, before any leg is opened.

    path: this file and no other. Returns the library's version string, or None when none was
    found. Once loaded, the library stays; later calls return its version.
    """
    return load_libsrtp(path)
