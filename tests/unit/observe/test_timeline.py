import sys

import pytest

from mediacore.errors import MissingDependencyError
from mediacore.observe.timeline import draw_timeline
from support.sample_call import hostile_record, sample_audio, sample_record


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


def test_picture() -> None:
    pytest.importorskip("matplotlib")
    record = sample_record()
    png = draw_timeline(record, sample_audio())
    assert size(png) == (1600, 872)


def test_picture_from_levels_with_hostile_text() -> None:
    pytest.importorskip("matplotlib")
    assert size(draw_timeline(hostile_record()))[0] == 1600


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'mediacore\[demo\]'"):
        draw_timeline(sample_record())
