"""An order line, written with the public agent SDK; it knows nothing of mediacore.

python -m venv sdk && sdk/bin/pip install signalwire-sdk && sdk/bin/python examples/sdk_agent.py
"""

from signalwire import AgentBase
from signalwire.core.function_result import FunctionResult


class OrderLine(AgentBase):
    """One tool, two steps of data, and a summary after the call."""

    def __init__(self) -> None:
        super().__init__(
            name="order-line", route="/", host="127.0.0.1", port=3000, basic_auth=("user", "pass")
        )
        self.prompt_add_section("Role", "You tell callers where their orders are.")
        self.set_params({"static_greeting": "Hello, this is the order line. How can I help?"})
        self.set_global_data({"warehouse": "north"})
        self.set_post_prompt("Say as JSON with the key order which order the caller asked about.")
        self.define_tool(
            "find_order",
            "Find an order by its number",
            {"number": {"type": "string", "description": "digits of the order number"}},
            self.find_order,
        )

    def find_order(self, args: dict, raw_data: dict) -> FunctionResult:
        """Called in the middle of the call, with its data."""
        print(f"tool: order {args['number']}, call {raw_data['call_id']}", flush=True)
        answer = FunctionResult("It left the warehouse yesterday and arrives tomorrow morning.")
        return answer.update_global_data({"order": args["number"]})

    def on_summary(self, summary: object, raw_data: dict | None = None) -> None:
        """Called after the call."""
        print(f"summary: {summary}, data: {(raw_data or {}).get('global_data')}", flush=True)


if __name__ == "__main__":
    OrderLine().run()
