"""What reading and negotiating a session description can raise."""

from __future__ import annotations

from typing import Final

from mediacore.errors import MediacoreError

_SHOWN: Final = 80
"""Characters of an offending line in a message."""


class SdpError(MediacoreError):
    """A session description is unusable.

    line: number of the offending line from 1, 0 = the description as a whole. text: that line,
    shortened and printable; key material is withheld.
    """

    def __init__(self, message: str, line: int = 0, text: str = "") -> None:
        self.line = line
        self.text = _shown(text)
        where = f"line {line}: " if line else ""
        super().__init__(f"{where}{_printable(message)}{f': {self.text!r}' if self.text else ''}")


class NothingInCommonError(SdpError):
    """Well formed, but no stream of it can be had under our terms: SIP's 488."""


def _shown(text: str) -> str:
    if "inline" in text.lower() or "crypto" in text.lower():
        return "(withheld)"
    clean = _printable(text[: _SHOWN + 1])
    return clean if len(clean) <= _SHOWN else clean[:_SHOWN] + "…"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
