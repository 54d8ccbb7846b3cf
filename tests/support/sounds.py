"""Human recordings that Debian packages bring; `.ci/run` installs them."""

import os
from pathlib import Path

import pytest

ASTERISK = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
POCKETSPHINX = Path("/usr/share/pocketsphinx/test/data")


def need(path: Path) -> Path:
    """The file; without its package the test is skipped, and fails where it must be there (CI)."""
    if path.exists():
        return path
    message = (
        f"{path} is missing: apt-get install asterisk-core-sounds-en-wav pocketsphinx-testdata"
    )
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
