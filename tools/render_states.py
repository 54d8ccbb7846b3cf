"""Write docs/call-states.md from the transition table. --check: fail when it is not current."""

from __future__ import annotations

import sys
from pathlib import Path

from mediacore.call import render_table

DOC = Path(__file__).resolve().parents[1] / "docs" / "call-states.md"


def main() -> int:
    text = render_table()
    if "--check" in sys.argv[1:]:
        return 0 if DOC.exists() and DOC.read_text(encoding="utf-8") == text else 1
    DOC.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
