"""An agent as a user of the published SDK writes it; run by an interpreter that has the SDK.

Arguments: port, and a file that gets one JSON line for each summary. Prints "ready" never: ask its
port. Uses the SDK's own server and nothing of mediacore.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from signalwire import AgentBase  # type: ignore[import-not-found,unused-ignore]


class Orders(AgentBase):  # type: ignore[misc,unused-ignore]
    """Takes orders and writes its summaries down."""

    def __init__(self, port: int, out: Path) -> None:
        super().__init__(
            name="orders", route="/", host="127.0.0.1", port=port, basic_auth=("bot", "secret")
        )
        self._out = out
        self.prompt_add_section("Role", "You take orders.")
        self.set_post_prompt("Summarise as JSON.")
        self.set_global_data({"shop": "north"})

    def on_summary(self, summary: Any, raw_data: Any = None) -> None:
        """Called with what the engine posts after a call."""
        with self._out.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"summary": summary, "raw": raw_data}) + "\n")


if __name__ == "__main__":
    Orders(int(sys.argv[1]), Path(sys.argv[2])).serve(host="127.0.0.1", port=int(sys.argv[1]))
