"""Write docs/sip-states.md from the tables of the SIP user agent. --check: fail when it is not
current."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import TypeVar

from mediacore.wire.sip.machines import render_transactions
from mediacore.wire.sip.registration import REG_TABLE
from mediacore.wire.sip.uac import UAC_TABLE
from mediacore.wire.sip.uas import UAS_TABLE

State = TypeVar("State", bound=Enum)
Cue = TypeVar("Cue", bound=Enum)

DOC = Path(__file__).resolve().parents[1] / "docs" / "sip-states.md"

HEAD = """\
# States of the SIP user agent

Rendered from the tables that the user agent runs on, by `tools/render_sip.py`; do not edit. What
the user agent does is in [sip.md](sip.md).

Three layers: a transaction takes care of one request and its responses; an INVITE's own states
make a call of it; a registration keeps an address known. Time is an argument of all of them. What
a table does not name changes nothing, and where it concerns an INVITE it is counted as `illegal`.
"""

CALLED = """\
Of an INVITE that came in. **answered**: the 2xx is sent again until its ACK comes. **leaving**:
hung up before that ACK; the BYE waits for it (RFC 3261 §15)."""
CALLING = """\
Of an INVITE that we sent. **leaving**: given up; a 2xx that crosses the CANCEL is acknowledged and
gets a BYE, so no call is left that only the other side knows of. **accepted**: the 2xx carried the
offer, and its ACK waits for our answer."""
KNOWN = """\
An address at a registrar. **due**: half of the granted time is over, or the wait after a refusal
is, or the connection broke."""


def main() -> int:
    text = render()
    if "--check" in sys.argv[1:]:
        return 0 if DOC.exists() and DOC.read_text(encoding="utf-8") == text else 1
    DOC.write_text(text, encoding="utf-8")
    return 0


def render() -> str:
    parts = [
        HEAD,
        _transactions(),
        *_section("Called", CALLED, UAS_TABLE),
        *_section("Calling", CALLING, UAC_TABLE),
        *_section("Registered", KNOWN, REG_TABLE),
    ]
    return "\n".join(parts)


def _transactions() -> str:
    """A level lower, without its own head."""
    lines = render_transactions().splitlines()
    body = [f"#{line}" if line.startswith("#") else line for line in lines[4:]]
    return "\n".join(["## Transactions", "", *body]) + "\n"


def _section(title: str, text: str, table: Mapping[tuple[State, Cue], State]) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"{text}\n"
    rows = ["| in | on | then |", "|---|---|---|"]
    rows += [f"| {state.value} | {cue.value} | {to.value} |" for (state, cue), to in table.items()]
    yield "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
