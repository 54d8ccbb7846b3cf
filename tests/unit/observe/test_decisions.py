import json
import logging
import stat
from pathlib import Path

import pytest

from mediacore.observe.decisions import (
    DecisionLog,
    DecisionRules,
    JsonFormatter,
    LineFormatter,
    log_file,
    safe_value,
)

SECRETS = [
    "my name is Ann",
    "4111111111111111",
    "4111-1111-1111-1111",
    "123-45-6789",
    "+15550101234",
    "555.010.1234",
    "ann@example.org",
    "line\nbreak=1",
    "kéy",
    "x" * 65,
    "12345678901234567890123456789012",
]


class Keep(logging.Handler):
    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def logger(formatter: logging.Formatter) -> tuple[logging.Logger, Keep]:
    keep = Keep(formatter)
    log = logging.getLogger("test.decisions")
    log.handlers[:], log.propagate = [], False
    log.setLevel(logging.INFO)
    log.addHandler(keep)
    return log, keep


def test_one_greppable_line() -> None:
    log, keep = logger(LineFormatter())
    decisions = DecisionLog("8f2c", logger=log)
    decisions.note("barge_in", "cut", onset_ms=140, final=True, score=0.123456789, by=None)
    decisions.note("transfer", "refused", call="x", reason="busy")
    first, second = keep.lines
    assert first.startswith("time=2") and first.split(" ", 1)[1] == (
        "call=8f2c seq=1 decision=barge_in verdict=cut onset_ms=140 final=true score=0.123457 "
        "by=none"
    )
    assert second.endswith("call=8f2c seq=2 decision=transfer verdict=refused call_=x reason=busy")


def test_planted_secrets_do_not_come_out() -> None:
    for formatter in (LineFormatter(), JsonFormatter()):
        log, keep = logger(formatter)
        decisions = DecisionLog("c1", logger=log, content_logger=log)
        for secret in SECRETS:
            decisions.note("x", "y", value=secret, nested={"a": secret}, row=[secret])
            decisions.note(secret, secret, pii_name="Ann", **{secret: 1})
            decisions.content("caller", secret)
            DecisionLog(secret, logger=log).note("x", "y", raw=secret.encode())
        text = "\n".join(keep.lines)
        assert len(keep.lines) == 3 * len(SECRETS)
        assert [s for s in SECRETS if s in text] == []
        assert "Ann" not in text


@pytest.mark.parametrize(
    "value",
    [
        "barge_in", "v1.2", "agent:main", "2026-1", "8f14e45f-ceea-467f-9f1b-1234567890ab",
        "0123456789abcdef0123456789abcdef", 15550101234, 2.5, True,
    ],
)  # fmt: skip
def test_identifiers_and_numbers_pass(value: object) -> None:
    assert safe_value(value) == value


def test_stand_ins() -> None:
    assert safe_value("two words") == "text(9)"
    assert safe_value(["x"]) == "list()"
    assert safe_value(float("nan")) == "nan"
    one, two = safe_value("two words", b"salt"), safe_value("two words", b"other")
    assert str(one).startswith("text(9,") and one != two
    assert one == safe_value("two words", b"salt")


def test_json_lines() -> None:
    log, keep = logger(JsonFormatter())
    DecisionLog("c1", logger=log).note("tool", "run", ms=5)
    log.info("other %s", "line")
    row, other = map(json.loads, keep.lines)
    assert (row["call"], row["seq"], row["decision"], row["verdict"], row["ms"]) == (
        "c1", 1, "tool", "run", 5,
    )  # fmt: skip
    assert other["message"] == "other line"


def test_content_only_when_switched_on_and_redacted() -> None:
    log, keep = logger(LineFormatter())
    rules = DecisionRules(content=True)
    DecisionLog("c1", rules, logger=log, content_logger=log).content(
        "caller", "my card is four one one one 1111\nok"
    )
    assert keep.lines[0].endswith('call=c1 seq=0 kind=caller pii_text="my card is [redacted]\\nok"')


def test_log_file_is_private(tmp_path: Path) -> None:
    handler = log_file(tmp_path / "d.log", keep_days=7, as_json=True)
    log = logging.getLogger("test.decisions")
    log.handlers[:], log.propagate = [], False
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    DecisionLog("c1", logger=log).note("a", "b")
    handler.close()
    assert stat.S_IMODE((tmp_path / "d.log").stat().st_mode) == 0o600
    assert json.loads((tmp_path / "d.log").read_text())["decision"] == "a"
    handler = log_file(tmp_path / "d.log")
    assert isinstance(handler.formatter, LineFormatter)
    handler.close()
    with pytest.raises(ValueError, match="one day"):
        log_file(tmp_path / "d.log", keep_days=0)


def test_ids_of_calls_and_of_their_lines_are_readable() -> None:
    call = "12345678-1234-4123-8123-123456789012"
    assert safe_value(call) == call
    assert safe_value(f"{call}-17") == f"{call}-17"
    assert safe_value(f"{call}-1234567") != f"{call}-1234567"
