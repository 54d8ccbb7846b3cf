"""What the SIP layers raise."""

from __future__ import annotations

from mediacore.errors import MediacoreError


class SipError(MediacoreError):
    """Text or a message that is not SIP, or a step that the protocol forbids now."""


class SipBusyError(SipError):
    """The table of transactions is full; nothing was sent."""
