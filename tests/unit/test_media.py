"""Notes as packed bytes, and the numbers that the C API shares with the enums."""

import re
import struct
from enum import IntEnum
from pathlib import Path

import pytest

from mediacore.events import CloseReason, CutCause, DigitSource
from mediacore.media import (
    NOTE_BYTES,
    BargeAction,
    Note,
    NoteFlag,
    RtcpMode,
    Tap,
    unpack_notes,
)

HEADER = Path(__file__).parents[2] / "csrc" / "include" / "mediacore.h"


def test_notes_are_unpacked() -> None:
    packed = struct.pack("=IbbBBHHHH", 7, -20, -127, 3, 10, 60, 80, 2, 1) * 2
    assert len(packed) == 2 * NOTE_BYTES
    assert unpack_notes(packed) == [Note(7, -20, -127, 3, 10, 60, 80, 2, 1)] * 2
    assert unpack_notes(b"") == []
    with pytest.raises(struct.error):
        unpack_notes(packed[:-1])


@pytest.mark.parametrize(
    ("enum", "prefix"),
    [
        (BargeAction, "MC_BARGE_"),
        (RtcpMode, "MC_RTCP_"),
        (Tap, "MC_TAP_"),
        (NoteFlag, "MC_NOTE_"),
        (CutCause, "MC_CUT_"),
        (DigitSource, "MC_DIGIT_"),
    ],
)
def test_enums_have_the_numbers_of_the_header(enum: type[IntEnum], prefix: str) -> None:
    names = re.findall(rf"{prefix}([A-Z_]+) = (1u << )?(\d+)", HEADER.read_text())
    in_c = {name: 1 << int(value) if shift else int(value) for name, shift, value in names}
    in_python = {name: int(member) for name, member in enum.__members__.items()}
    if enum is Tap:
        assert in_python.pop("NONE") == 0
    assert in_python == in_c


def test_close_reasons_have_the_numbers_of_the_header() -> None:
    text = HEADER.read_text()
    assert f"MC_CLOSED_BY_COMMAND = {CloseReason.COMMAND:d}" in text
    assert f"MC_CLOSED_BUDGET = {CloseReason.BUDGET:d}" in text
