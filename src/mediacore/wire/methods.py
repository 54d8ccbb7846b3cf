"""Names of the control protocol: methods, permissions, close codes.

Method names as the published clients send them, without the prefix "calling.".
"""

from __future__ import annotations

from enum import IntEnum

PREFIX = "calling."

READ = "read"
CONTROL = "control"
DIAL = "dial"
PERMISSIONS = frozenset({READ, CONTROL, DIAL})

COMMANDS = frozenset(
    {
        *("answer", "end", "pass", "dial", "connect", "disconnect", "transfer", "refer"),
        *("play", "play.stop", "play.pause", "play.resume", "play.volume"),
        *("play_and_collect", "play_and_collect.stop", "play_and_collect.volume"),
        *("play_and_collect.pause", "play_and_collect.resume"),
        *("collect", "collect.stop", "collect.start_input_timers"),
        *("record", "record.stop", "record.pause", "record.resume"),
        *("detect", "detect.stop", "send_digits", "bind_digit", "clear_digit_bindings"),
        *("tap", "tap.stop", "stream", "stream.stop", "transcribe", "transcribe.stop"),
        *("live_transcribe", "live_translate", "user_event"),
        *("hold", "unhold", "denoise", "denoise.stop", "echo"),
        *("join_conference", "leave_conference", "queue.enter", "queue.leave"),
        *("ai", "ai.stop", "ai_message", "ai_hold", "ai_unhold"),
    }
)

# Known to the clients, not done here: the answer names the feature.
UNSUPPORTED = {
    "pay": "taking payments",
    "pay.stop": "taking payments",
    "send_fax": "sending fax",
    "send_fax.stop": "sending fax",
    "receive_fax": "receiving fax",
    "receive_fax.stop": "receiving fax",
    "amazon_bedrock": "Amazon Bedrock sessions",
    "join_room": "video rooms",
    "leave_room": "video rooms",
}

SUPPORTED_CLIENTS = (
    "signalwire-sdk 3.7, signalwire-agents 1.1 (Python) and @signalwire/realtime-api 4 (Node)"
)


class CloseCode(IntEnum):
    """Why the server closed a WebSocket. RFC 6455 §7.4; 4000–4999 are the application's own."""

    NORMAL = 1000
    GOING_AWAY = 1001
    UNSUPPORTED_DATA = 1003
    AUTH_FAILED = 4001
    AUTH_LATE = 4002
    SLOW = 4003  # the subscriber did not take its events
    REPLACED = 4004  # its session goes on over another connection
    SILENT = 4005  # it did not answer our pings
    FLOOD = 4006  # it kept sending above its rate


def permission_of(method: str) -> str:
    """What a token needs for a command."""
    return DIAL if method == "dial" else CONTROL
