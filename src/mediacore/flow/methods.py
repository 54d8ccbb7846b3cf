"""Every method of a document, with its parameters and what the engine does with them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mediacore.flow.methods_ai import AI
from mediacore.flow.methods_call import CALL_METHODS
from mediacore.flow.methods_flow import FLOW_METHODS
from mediacore.flow.spec import Kind, Method, Param, State

__all__ = ["METHODS", "Kind", "Method", "Param", "State"]

_UNSUPPORTED: Final = (
    ("ai_sidecar", "an adviser beside a call between people"),
    ("amazon_bedrock", "a model of a third party; use `ai`"),
    ("denoise", "noise reduction"),
    ("enter_queue", "queues"),
    ("execute_rpc", "commands to another call"),
    ("join_conference", "conferences"),
    ("join_room", "video rooms"),
    ("live_transcribe", "transcription of both sides while they speak"),
    ("live_translate", "translation of both sides while they speak"),
    ("pay", "payments"),
    ("receive_fax", "fax"),
    ("send_fax", "fax"),
    ("send_sms", "messages"),
    ("stop_denoise", "noise reduction"),
    ("transcribe", "transcription after the call"),
    ("transcribe_stop", "transcription after the call"),
)


def _unsupported(name: str, what: str) -> Method:
    return Method(name, State.UNSUPPORTED, whole=Param((Kind.ANY,)), note=f"Not here: {what}.")


METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        method.name: method
        for method in sorted(
            (*FLOW_METHODS, *CALL_METHODS, AI, *(_unsupported(*row) for row in _UNSUPPORTED)),
            key=lambda method: method.name,
        )
    }
)
"""By name, in alphabetical order."""
