"""Finding the packages and weight files of embedded models, and checking what was found.

Nothing here reaches for a network: a file is in an installed package, at the path given in the
configuration, or missing.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from pathlib import Path
from typing import Any, Final

from mediacore.errors import ConfigError, MissingDependencyError

FIX_LOCAL: Final = "pip install 'mediacore[local]'"
_CHUNK: Final = 1 << 20


def need(module: str, fix: str = FIX_LOCAL) -> Any:
    """Import an optional module, or say how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingDependencyError(f"Python package {module!r}", fix) from None


def package_dir(package: str, fix: str = FIX_LOCAL) -> Path:
    """Folder of an installed package, found without importing it."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        raise MissingDependencyError(f"Python package {package!r}", fix)
    return Path(spec.origin).parent


def check_file(path: Path, sha256: str | None, fix: str = FIX_LOCAL) -> Path:
    """The file itself, if it is there and, where a digest is given, holds what it should."""
    if not path.is_file():
        raise MissingDependencyError(f"model file {path}", fix)
    if sha256 is None:
        return path
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != sha256:
        raise ConfigError(
            f"model file {path} is not the expected one: sha256 {digest.hexdigest()}, "
            f"expected {sha256}"
        )
    return path
