"""What a running call looks like from outside, as one small value.

The session makes a new one whenever something changed (and about ten times a second for the
levels) and hands it to whatever watches; nobody but the session writes it.
"""

from __future__ import annotations

from dataclasses import dataclass

from mediacore.call.record import Turn


@dataclass(frozen=True, slots=True)
class LiveModel:
    """A running call.

    state: what it is doing ("listening", "thinking", "speaking", "paused", "ended" …). stage: of
    the dialogue. turns: all so far, the open one last. partial: recognised of the caller's
    present turn so far. rx_dbov, tx_dbov: levels of the last frames, -127..0. delay_ms,
    target_ms: jitter buffer. note: one line about the last thing decided.
    """

    call_id: str
    title: str = ""
    srate_hz: int = 8000
    elapsed_ms: int = 0
    state: str = "connecting"
    stage: str = ""
    turns: tuple[Turn, ...] = ()
    partial: str = ""
    rx_dbov: int = -127
    tx_dbov: int = -127
    delay_ms: int = 0
    target_ms: int = 0
    late: int = 0
    lost: int = 0
    note: str = ""
    ended: bool = False
