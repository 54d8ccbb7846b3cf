from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mediacore.errors import ConfigError, MissingDependencyError
from mediacore.providers.local import weights


def test_a_file_must_be_there_and_be_the_pinned_one(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    with pytest.raises(MissingDependencyError, match="pip install"):
        weights.check_file(path, None)
    path.write_bytes(b"weights")
    assert weights.check_file(path, None) == path
    assert weights.check_file(path, hashlib.sha256(b"weights").hexdigest()) == path
    with pytest.raises(ConfigError, match="sha256"):
        weights.check_file(path, "0" * 64)


def test_packages_that_are_not_there() -> None:
    with pytest.raises(MissingDependencyError):
        weights.need("no_such_package")
    with pytest.raises(MissingDependencyError):
        weights.package_dir("no_such_package")
    assert (weights.package_dir("mediacore") / "errors.py").is_file()
