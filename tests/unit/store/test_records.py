import errno
import json
import os
from pathlib import Path

import msgspec
import pytest

from mediacore.call.record import RECORD_FILE
from mediacore.store.records import StoreError, read_record, write_atomic, write_record
from support.sample_call import hostile_record, sample_record


def test_record_reads_back_equal(tmp_path: Path) -> None:
    for record in (sample_record(), hostile_record()):
        path = write_record(record, tmp_path / "new" / "dir")
        assert path.name == RECORD_FILE
        assert read_record(path) == record
        assert read_record(path.parent) == record
    assert [p.name for p in path.parent.iterdir()] == [RECORD_FILE]


def broken(path: Path, **changes: object) -> Path:
    data = json.loads(msgspec.json.encode(sample_record()))
    data.update(changes)
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 99}, "version 99; this program reads version 1"),
        ({"turns": [{"index": "x"}]}, r"Expected `int`, got `str` - at `\$\.turns\[0\]\.index`"),
        ({"call_id": None}, r"\$\.call_id"),
        ({"srate_hz": 0}, r"\$\.srate_hz"),
        ({"duration_ms": -1}, r"\$\.duration_ms"),
        ({"frames": {"flags": [1], "late": []}}, r"\$\.frames"),
    ],
)
def test_broken_records_are_explained(tmp_path: Path, changes, message: str) -> None:
    path = broken(tmp_path / "call.json", **changes)
    with pytest.raises(StoreError, match=message) as caught:
        read_record(path)
    assert str(path) in str(caught.value)
    assert caught.value.path == path


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_files_that_are_no_records(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "call.json"
    path.write_bytes(data)
    with pytest.raises(StoreError, match="not a valid call record"):
        read_record(path)


def test_missing_record(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"call\.json does not exist"):
        read_record(tmp_path)


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_record(sample_record(), tmp_path)
    before = path.read_bytes()

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device"):
        write_record(hostile_record(), tmp_path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [RECORD_FILE], "no temporary file stays"


def test_unusable_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="could not be written"):
        write_atomic(tmp_path / "file" / "call.json", b"x")
