import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from mediacore.call.record import AUDIO_FILE, RECORD_FILE, REPORT_FILE
from mediacore.store.records import read_record, write_record
from mediacore.store.retention import Purged, Retention, purge
from support.sample_call import sample_record

DAY = 86_400


def call(root: Path, name: str, started_s: int) -> Path:
    at = datetime.fromtimestamp(started_s, UTC).isoformat()
    write_record(replace(sample_record(), started_at=at), root / name)
    for file in (AUDIO_FILE, REPORT_FILE):
        (root / name / file).write_bytes(b"x")
    return root / name


def test_old_calls_go_and_new_ones_stay(tmp_path: Path) -> None:
    old, new = call(tmp_path, "old", 0), call(tmp_path, "new", DAY)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    (tmp_path / "link").symlink_to(new)
    assert purge(tmp_path, Retention(days=2), 2 * DAY) == Purged(calls=1)
    assert not old.exists() and new.exists() and (tmp_path / "other" / "notes.txt").exists()
    assert purge(tmp_path, Retention(days=None), 10**10) == Purged()
    assert purge(tmp_path / "nowhere", Retention(), 0) == Purged()


def test_call_without_a_readable_record_ages_by_its_files(tmp_path: Path) -> None:
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    (crashed / AUDIO_FILE).write_bytes(b"x")
    os.utime(crashed / AUDIO_FILE, (DAY, DAY))
    assert purge(tmp_path, Retention(days=2), 2 * DAY).calls == 0
    assert purge(tmp_path, Retention(days=2), 3 * DAY).calls == 1
    assert not crashed.exists()


def test_audio_and_text_can_go_first(tmp_path: Path) -> None:
    path = call(tmp_path, "a", 0)
    said = [u.text for t in read_record(path).turns for u in t.utterances if " " in u.text]
    said += [t.text for t in read_record(path).turns if " " in t.text]
    assert len(said) > 3
    rules = Retention(days=9, keep_audio=False, keep_text=False)
    assert purge(tmp_path, rules, DAY) == Purged(files=3)
    assert sorted(p.name for p in path.iterdir()) == [RECORD_FILE]
    left = (path / RECORD_FILE).read_text()
    assert [text for text in said if text in left] == []
    assert len(read_record(path).turns) == len(sample_record().turns)
    assert purge(tmp_path, rules, DAY) == Purged()


def test_what_cannot_be_removed_is_told(tmp_path: Path) -> None:
    path = call(tmp_path, "a", 0)
    (path / "album").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / RECORD_FILE).write_text("broken")
    got = purge(tmp_path, Retention(days=1), 5 * DAY)
    assert got.calls == 0 and len(got.failed) == 1 and "album" in got.failed[0]
    got = purge(tmp_path, Retention(days=None, keep_text=False), 5 * DAY)
    assert len(got.failed) == 1 and RECORD_FILE in got.failed[0]


def test_recordings_and_payloads_of_a_call_go_with_its_kind(tmp_path: Path) -> None:
    found = call(tmp_path, "a", DAY)
    for name in ("a-r1.wav", "a-r2.mp3", "payload-3.json"):
        (found / name).write_bytes(b"x")
    purge(tmp_path, Retention(days=9, keep_audio=False), 2 * DAY)
    assert sorted(p.name for p in found.glob("*-*")) == ["payload-3.json"]
    purge(tmp_path, Retention(days=9, keep_text=False), 2 * DAY)
    assert not list(found.glob("*-*"))
