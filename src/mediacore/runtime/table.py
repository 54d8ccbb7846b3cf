"""TRANSITIONS: by which function each kind of event is handled.

Every event type is here; what it does depends on the lines, operations, flows and the run that it
finds, and an event for something that is over is refused and counted by its handler.
`docs/call-runtime.md` is rendered from this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, get_args

from mediacore.runtime import inputs, on_line, on_media, on_work, resync
from mediacore.runtime.draft import Draft

Handler = Callable[[Draft, Any], None]

EVENT_TYPES: Final[tuple[type, ...]] = get_args(inputs.Event)

TRANSITIONS: Final[Mapping[type, Handler]] = MappingProxyType(
    {
        inputs.CallOffered: on_line.call_offered,
        inputs.LineRinging: on_line.line_ringing,
        inputs.LineAnswered: on_line.line_answered,
        inputs.LineGone: on_line.line_gone,
        inputs.Media: on_media.media,
        inputs.Resynced: resync.resynced,
        inputs.FarDelaySeen: resync.far_delay_seen,
        inputs.Heard: on_media.heard,
        inputs.AgentResult: on_work.agent_result,
        inputs.TokensUsed: on_work.tokens_used,
        inputs.ToolReplied: on_work.tool_replied,
        inputs.HookReplied: on_work.hook_replied,
        inputs.SummaryReady: on_work.summary_ready,
        inputs.PlayFailed: on_media.play_failed,
        inputs.RecordingStored: on_work.recording_stored,
        inputs.ForkChanged: on_work.fork_changed,
        inputs.LineReferred: on_work.line_referred,
        inputs.HttpReplied: on_work.http_replied,
        inputs.DocumentFetched: on_work.document_fetched,
        inputs.SpendChecked: on_work.spend_checked,
        inputs.CommandReceived: on_line.command_received,
        inputs.ControllerGone: on_line.controller_gone,
        inputs.HangupAsked: on_line.hangup_asked,
        inputs.Tick: on_line.time_passes,
    }
)
