"""An agent with contexts and steps; both published SDKs run it unchanged.

python steps_agent.py PORT
"""

from __future__ import annotations

import json
import sys
from typing import Any

try:
    from signalwire import AgentBase
    from signalwire.core.function_result import FunctionResult as Result
except ImportError:
    from signalwire_agents import AgentBase
    from signalwire_agents import SwaigFunctionResult as Result


def say(event: str, **more: Any) -> None:
    print(json.dumps({"event": event, **more}), flush=True)


class StepsAgent(AgentBase):
    def __init__(self, port: int) -> None:
        super().__init__(
            name="steps", route="/", host="127.0.0.1", port=port, basic_auth=("user", "pass")
        )
        self.prompt_add_section("Role", "You check people in.")
        self.set_params({"static_greeting": "Check in please", "end_of_speech_timeout": 400})
        context = self.define_contexts().add_context("default")
        name = context.add_step("name").set_text("Ask for the name")
        name.set_functions(["keep"]).set_valid_steps(["room"])
        room = context.add_step("room").set_text("Ask for the room")
        room.set_functions(["assign"]).set_valid_steps(["done"])
        context.add_step("done").set_text("Wish a good stay").set_functions("none")
        for each in ("keep", "assign"):
            self.define_tool(each, f"The tool {each}", {}, self._handler(each))

    def _handler(self, name: str) -> Any:
        def handler(args: dict[str, Any], raw: dict[str, Any]) -> Any:
            say("tool", name=name, args=args)
            result = Result(f"{name} done")
            if name == "assign":
                result.swml_change_step("done")
            return result

        return handler


if __name__ == "__main__":
    agent = StepsAgent(int(sys.argv[1]))
    agent.serve(host="127.0.0.1", port=int(sys.argv[1]))
