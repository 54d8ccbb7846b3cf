"""The `ai` method as data and state machine: prompts, tools, steps, actions, webhook bodies.

`read_config` reads the parameters, `begin` makes the state of one run, `system_prompt` and `tools`
say what the model sees, `may_call`, `call_native` and `apply` decide what a call or a reply does.
Nothing here does I/O or reads a clock; hidden data never leaves through what the model sees.
"""

from mediacore.assistant.actions import ACTIONS, ActionSpec, AiAction, read_actions
from mediacore.assistant.config import AiConfig, Language, read_config
from mediacore.assistant.effects import apply, apply_all
from mediacore.assistant.functions import Defaults, Function, Include
from mediacore.assistant.legality import Refusal, ToolView, may_call, tools
from mediacore.assistant.limits import RequiredField, StageBudget
from mediacore.assistant.moves import after_turn, go_context, go_step, hold_ended
from mediacore.assistant.native import NativeResult, call_native, is_native
from mediacore.assistant.notes import AiError, ParamNote
from mediacore.assistant.orders import Order, Orders
from mediacore.assistant.params import OWN_KEYS, PARAMS, ParamSpec, read_params
from mediacore.assistant.prompt import KNOBS, Prompt
from mediacore.assistant.session import (
    AiSession,
    TrailEntry,
    begin,
    drain_trail,
    hook,
    legal_contexts,
    legal_steps,
    post_prompt,
    record_call,
    refusal_noted,
    system_prompt,
    user_spoke,
)
from mediacore.assistant.stages import Context, Contexts, Step
from mediacore.assistant.swaig import (
    CallFacts,
    ToolReply,
    add_included,
    read_reply,
    request_body,
    result_text,
    signature_request,
)

__all__ = [
    "ACTIONS",
    "KNOBS",
    "OWN_KEYS",
    "PARAMS",
    "ActionSpec",
    "AiAction",
    "AiConfig",
    "AiError",
    "AiSession",
    "CallFacts",
    "Context",
    "Contexts",
    "Defaults",
    "Function",
    "Include",
    "Language",
    "NativeResult",
    "Order",
    "Orders",
    "ParamNote",
    "ParamSpec",
    "Prompt",
    "Refusal",
    "RequiredField",
    "StageBudget",
    "Step",
    "ToolReply",
    "ToolView",
    "TrailEntry",
    "add_included",
    "after_turn",
    "apply",
    "apply_all",
    "begin",
    "call_native",
    "drain_trail",
    "go_context",
    "go_step",
    "hold_ended",
    "hook",
    "is_native",
    "legal_contexts",
    "legal_steps",
    "may_call",
    "post_prompt",
    "read_actions",
    "read_config",
    "read_params",
    "read_reply",
    "record_call",
    "refusal_noted",
    "request_body",
    "result_text",
    "signature_request",
    "system_prompt",
    "tools",
    "user_spoke",
]
