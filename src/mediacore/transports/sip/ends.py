"""What SIP statuses and causes mean to a call, and the other way round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mediacore.slots.gateway import LineEnd
from mediacore.wire.sip.signals import Cause, Over

_OF_STATUS: Final[Mapping[int, LineEnd]] = {
    486: LineEnd.BUSY,
    600: LineEnd.BUSY,
    408: LineEnd.NO_ANSWER,
    480: LineEnd.NO_ANSWER,
    487: LineEnd.NO_ANSWER,
    403: LineEnd.DECLINE,
    603: LineEnd.DECLINE,
    404: LineEnd.NOT_FOUND,
    410: LineEnd.NOT_FOUND,
    484: LineEnd.NOT_FOUND,
    604: LineEnd.NOT_FOUND,
}
_TO_STATUS: Final[Mapping[LineEnd, int]] = {
    LineEnd.BUSY: 486,
    LineEnd.DECLINE: 603,
    LineEnd.NOT_FOUND: 404,
    LineEnd.ERROR: 500,
}
_OF_CAUSE: Final[Mapping[Cause, LineEnd]] = {
    Cause.LOCAL: LineEnd.HANGUP,
    Cause.BYE: LineEnd.HANGUP,
    Cause.CANCEL: LineEnd.CANCEL,
    Cause.REPLACED: LineEnd.HANGUP,
}


def end_of_status(status: int) -> LineEnd:
    """Why a call of ours did not come to be."""
    return _OF_STATUS.get(status, LineEnd.ERROR)


def end_of(over: Over) -> LineEnd:
    """Why a call is over."""
    if over.cause is Cause.REFUSED:
        return end_of_status(over.status)
    return _OF_CAUSE.get(over.cause, LineEnd.ERROR)


def status_of(reason: LineEnd) -> int:
    """How a call that came in is refused."""
    return _TO_STATUS.get(reason, 480)


def reason_header(reason: LineEnd) -> str:
    """Value of Reason (RFC 3326) in our BYE or CANCEL."""
    if reason is LineEnd.MAX_DURATION:
        return 'SIP;cause=200;text="Maximum duration"'
    if reason is LineEnd.ERROR:
        return 'SIP;cause=500;text="Internal error"'
    return ""
