"""An agent of the published SDK, served over HTTP; both SDKs run it unchanged.

    python sales_agent.py PORT

Says as lines of JSON which tools were called with what, and what came after the call.
"""

from __future__ import annotations

import json
import sys
from typing import Any

try:
    from signalwire import AgentBase
    from signalwire.core.data_map import DataMap
    from signalwire.core.function_result import FunctionResult as Result
except ImportError:
    from signalwire_agents import AgentBase, DataMap
    from signalwire_agents import SwaigFunctionResult as Result

TEXT = {"type": "string", "description": "a text"}


def say(event: str, **more: Any) -> None:
    print(json.dumps({"event": event, **more}), flush=True)


def tool(agent: Any, name: str, result: Any, **parameters: Any) -> None:
    def handler(args: dict[str, Any], raw: dict[str, Any]) -> Any:
        keys = ("function", "call_id", "global_data", "meta_data", "caller_id_num", "argument")
        say("tool", name=name, args=args, raw={key: raw.get(key) for key in keys})
        return result(args) if callable(result) else result

    agent.define_tool(name, f"The tool {name}", parameters, handler)


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"version": "1.0.0", "sections": {"main": list(statements)}}


class SalesAgent(AgentBase):
    def __init__(self, port: int) -> None:
        super().__init__(
            name="sales",
            route="/",
            host="127.0.0.1",
            port=port,
            basic_auth=("user", "pass"),
        )
        self.set_prompt_text("You sell tickets.")
        self.set_post_prompt("Summarise the call as JSON.")
        self.add_language("English", "en-US", "scripted.voice")
        self.set_params(
            {
                "static_greeting": "Welcome to the box office",
                "end_of_speech_timeout": 400,
                "enable_barge": "complete,partial",
            }
        )
        self.set_global_data({"tier": "gold", "secret_pin": "sesame-4711"})
        self._tools()

    def _tools(self) -> None:
        tool(
            self,
            "book",
            lambda args: (
                Result(f"Booked {args['seats']} seats")
                .update_global_data({"booked": args["seats"]})
                .say("One moment please")
            ),
            seats=TEXT,
        )
        off = [{"function": "extra", "active": False}]
        tool(self, "lock", Result("Locked").toggle_functions(off))
        tool(self, "extra", Result("Extra done"))
        tool(self, "music", Result("Music on").play_background_file("http://media.example/a.wav"))
        tool(self, "pause", Result("Held").hold(timeout=1))
        tool(
            self,
            "inline",
            Result("Read it").execute_swml(document({"play": "say:this is the inline text"})),
        )
        tool(
            self,
            "leave",
            Result("Leaving").execute_swml(
                document({"play": "say:the last words"}, {"hangup": {}}), transfer=True
            ),
        )
        tool(self, "human", Result("Connecting").connect("+15557777", final=True))
        tool(self, "bye", Result("Goodbye").hangup())
        price = DataMap("price").description("Price of a ticket")
        price.parameter("kind", "string", "Kind")
        price.webhook("GET", "http://prices.example/v1/${args.kind}")
        price.output(Result("A ${input.args.kind} ticket costs ${price} euros"))
        price.error_keys(["error"])
        price.fallback_output(Result("No price today"))
        self.register_swaig_function(price.to_swaig_function())

    def on_swml_request(
        self, request_data: Any = None, callback_path: Any = None, request: Any = None
    ) -> Any:
        say("asked", body=request_data)
        return super().on_swml_request(request_data, callback_path, request)

    def on_summary(self, summary: Any, raw_data: Any = None) -> None:
        say("summary", summary=summary, raw=raw_data)


if __name__ == "__main__":
    agent = SalesAgent(int(sys.argv[1]))
    agent.serve(host="127.0.0.1", port=int(sys.argv[1]))
