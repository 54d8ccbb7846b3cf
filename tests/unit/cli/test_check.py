import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mediacore.cli.group import main

RUNS = '{"sections": {"main": [{"play": "say:Hello"}, "hangup"]}}'
PARTLY = """\
sections:
  main:
    - answer: {codecs: PCMU}
    - play: {url: say:a}
    - pay: {}
    - play: {url: say:b, volme: 3}
"""
REFUSED = "sections:\n  main:\n    - plya: {url: say:x}\n"
BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nsections: {main: [hangup]}\n"


def check(*args: object, stdin: bytes | str | None = None) -> Result:
    return CliRunner().invoke(main, ["check", *[str(a) for a in args]], input=stdin)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("runs.json", RUNS), ("partly.yaml", PARTLY), ("refused.yml", REFUSED)):
        (tmp_path / name).write_text(text)
    (tmp_path / "notes.txt").write_text("not a document")
    return tmp_path


def test_a_document_that_runs(folder):
    result = check(folder / "runs.json")
    assert result.exit_code == 0
    assert "runs.json: runs\n" in result.output
    assert "1 document: 1 runs." in result.output


def test_what_is_supported_ignored_and_not_with_lines(folder):
    result = check(folder / "partly.yaml")
    assert result.exit_code == 3
    rows = [line.split() for line in result.output.splitlines()]
    assert ["supported", "3", "answer"] in rows
    assert ["supported", "4", "play", "×2", "(also", "in", "6)"] in rows
    assert any(row[:3] == ["ignored", "3", "'codecs'"] for row in rows)
    assert any(row[:3] == ["unsupported", "5", "'pay'"] for row in rows)
    assert any(row[:3] == ["warning", "6", "'volme'"] for row in rows)
    assert "runs in part" in result.output


def test_a_document_that_is_refused(folder):
    result = check(folder / "refused.yml")
    assert result.exit_code == 1
    assert "did you mean 'play'?" in result.output


def test_strict_refuses_unsupported_methods(folder):
    assert check(folder / "partly.yaml", "--strict").exit_code == 1
    assert check(folder / "runs.json", "--strict").exit_code == 0


def test_a_directory_a_pattern_and_a_file_twice(folder):
    everything = check(folder)
    assert everything.exit_code == 1
    assert "3 documents: 1 runs, 1 runs in part, 1 refused." in everything.output
    assert "notes.txt" not in everything.output
    assert "2 documents" in check(folder / "*.y*ml").output
    assert "1 document:" in check(folder / "runs.json", folder / "runs*").output


def test_standard_input():
    assert check("-", stdin=RUNS).exit_code == 0
    result = check("-", stdin=PARTLY)
    assert result.exit_code == 3
    assert "<stdin>" in result.output


def test_json(folder):
    result = check(folder, "--json")
    assert result.exit_code == 1
    found = json.loads(result.output)
    assert found["summary"] == {"runs": 1, "runs in part": 1, "refused": 1}
    partly, refused, runs = found["documents"]
    assert [one["verdict"] for one in (partly, refused, runs)] == [
        "runs in part",
        "refused",
        "runs",
    ]
    assert [(m["method"], m["line"]) for m in partly["supported"]] == [
        ("answer", 3),
        ("play", 4),
        ("play", 6),
    ]
    assert refused["findings"] == [
        {
            "severity": "error",
            "line": 3,
            "column": 7,
            "path": "$.sections.main[0].plya",
            "code": "relay_script_method_undefined",
            "text": "there is no method 'plya' (did you mean 'play'?)",
        }
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", "not JSON"),
        (b"\xff\x00", "not UTF-8"),
        (b"", "a map with 'sections'"),
        (BOMB.encode(), "anchors and aliases are not taken"),
        (b"[" * 50_000, "nested more than"),
        (b"x" * (10 << 20), "more than 1048576 bytes"),
        (b'{"a": 1, "a": 2}', "stands twice"),
        (b"a: \x1b[31m", "not YAML"),
    ],
    ids=["malformed", "binary", "empty", "bomb", "deep", "enormous", "duplicate", "control"],
)
def test_bad_input_is_one_clear_refusal(data, words):
    result = check("-", stdin=data)
    assert result.exit_code == 1
    assert words in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert "\x1b" not in result.output
    assert len(result.output) < 500


def test_an_endless_file_is_not_read_whole(tmp_path):
    path = tmp_path / "big.json"
    with path.open("wb") as stream:
        stream.truncate(1 << 34)
    result = check(path)
    assert result.exit_code == 1
    assert "more than 1048576 bytes" in result.output


def test_words_of_a_document_are_not_markup_or_terminal_codes():
    result = check("-", stdin='{"sections": {"main": [{"[red]x\\u001b[0m": 1}]}}')
    assert result.exit_code == 1
    assert "[red]x\\x1b[0m" in result.output


def test_own_keys_of_ai_params_are_known():
    budget = {"mediacore_budget": {"turns": 3}, "enable_vision": True}
    document = {"sections": {"main": [{"ai": {"prompt": "a", "params": budget}}]}}
    result = check("-", "--json", stdin=json.dumps(document))
    assert result.exit_code == 0
    (finding,) = json.loads(result.output)["documents"][0]["findings"]
    assert finding["severity"] == "ignored"
    assert finding["path"].endswith(".enable_vision")


@pytest.mark.parametrize("name", ["missing.json", "none*.yaml", "fold*"])
def test_no_such_file_is_wrong_usage(tmp_path, name):
    (tmp_path / "folder").mkdir()
    result = check(tmp_path / name)
    assert result.exit_code == 2
    assert "no such file" in result.output


def test_a_file_that_cannot_be_read_is_wrong_usage(folder, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    result = check(folder / "runs.json")
    assert result.exit_code == 2
    assert "Permission denied" in result.output


def test_a_directory_without_documents_is_wrong_usage(tmp_path):
    assert check(tmp_path).exit_code == 2
    assert check().exit_code == 2


def test_many_lines_are_cut_short():
    steps = "".join("    - hangup\n" for _ in range(20))
    result = check("-", stdin=f"sections:\n  main:\n{steps}")
    assert "and 11 more" in " ".join(result.output.split())


def test_the_help_says_the_exit_codes():
    output = check("--help").output
    assert "Exit codes" in output
    assert "mediacore check" in output
