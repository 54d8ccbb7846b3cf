"""Commands for the agent."""

from __future__ import annotations

from mediacore.runtime import agent, reading
from mediacore.runtime.asking import Data, Refusal, new_id, started, up, yield_line
from mediacore.runtime.draft import Draft
from mediacore.runtime.ports import Command
from mediacore.runtime.state import Line, OpKind


def ai(d: Draft, line: Line, command: Command) -> Data | None:
    """Begin an agent; what has the line gives it up."""
    up(line)
    if d.state.run is not None:
        raise Refusal("409", "an agent is on the call already")
    if not d.state.settings.has_model:
        raise Refusal("501", "no model is configured")
    op = new_id(d, command.params)
    yield_line(d, line, "ai")
    new = d.open(OpKind.AI, line.id, command.issuer, agent.data_for(d), op=op)
    params = {k: v for k, v in command.params.items() if k != "control_id"}
    if isinstance(params.get("prompt"), str):
        params["prompt"] = {"text": params["prompt"]}
    agent.begin(d, new, params)
    return started(new)


def _agent_here(d: Draft, line: Line) -> None:
    run = d.state.run
    if run is None or run.line != line.id:
        raise Refusal("409", "no agent is on the call")


def ai_stop(d: Draft, line: Line, command: Command) -> Data | None:
    """End the agent; the call goes on."""
    _agent_here(d, line)
    agent.stop(d, line.id, "stopped")
    return None


def ai_message(d: Draft, line: Line, command: Command) -> Data | None:
    """Say something to the agent that the caller does not hear."""
    _agent_here(d, line)
    agent.message(d, command.params)
    return None


def ai_hold(d: Draft, line: Line, command: Command) -> Data | None:
    """Put the agent on hold for at most `timeout` seconds."""
    _agent_here(d, line)
    prompt = reading.text(command.params, "prompt")
    agent.hold(d, line.id, reading.seconds_ms(command.params, "timeout", 300))
    if d.state.run is None or not d.run.held:
        raise Refusal("409", "the agent cannot be held now")
    if prompt:
        agent.note(d, prompt)
    return None


def ai_unhold(d: Draft, line: Line, command: Command) -> Data | None:
    """Take the agent off hold."""
    _agent_here(d, line)
    agent.unhold(d, line.id, reading.text(command.params, "prompt"))
    return None
