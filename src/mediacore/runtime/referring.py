"""Sending a line's party elsewhere by its own signalling (SIP REFER, RFC 3515).

The document or the controller learns what the party answered and how its new call went. Whether
the old line ends is the party's: it hangs up once it has been served elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mediacore.runtime.actions import ReferLine
from mediacore.runtime.draft import Draft
from mediacore.runtime.reading import BadParams
from mediacore.runtime.state import Operation, ReferData

_TIMEOUT_US: Final = 60_000_000
_MAX_URI: Final = 1024
_CODES: Final = {"sip_refer_response_code": "response", "sip_notify_response_code": "notify"}
_STATES: Final = {"finished": "success", "error": "failed"}

Outcome = Mapping[str, object]


def read(d: Draft, to_uri: str, status_url: str) -> ReferData:
    """What is to be done. Raises BadParams."""
    plain = to_uri.isprintable() and not set(to_uri) & set(' <>"')
    if not to_uri.lower().startswith(("sip:", "sips:")) or len(to_uri) > _MAX_URI or not plain:
        raise BadParams("to_uri: expected a sip: or sips: URI")
    return ReferData(to_uri, d.now + _TIMEOUT_US, status_url)


def begin(d: Draft, op: Operation) -> None:
    """Ask the party."""
    assert isinstance(op.data, ReferData)
    d.emit(ReferLine(op.line, op.id, op.data.to_uri))
    tell(d, op, "inProgress", {})


def tell(d: Draft, op: Operation, state: str, outcome: Outcome) -> None:
    """Tell controllers and the status URL. state: of the operation, or "inProgress"."""
    assert isinstance(op.data, ReferData)
    body: dict[str, object] = {
        "control_id": op.id,
        "state": _STATES.get(state, state),
        "sip_refer_to": op.data.to_uri,
        **{key: str(outcome[name]) for key, name in _CODES.items() if outcome.get(name)},
    }
    d.publish("refer", op.line, body)
    d.status(op.data.status_url, {"event_type": "calling.call.refer", "params": body})


def variables(op: Operation, state: str, outcome: Outcome) -> dict[str, object]:
    """What a document finds."""
    assert isinstance(op.data, ReferData)
    result = _STATES.get(state, state)
    return {
        "sip_refer_to": op.data.to_uri,
        "sip_refer_result": result,
        "sip_refer_response_code": str(outcome.get("response") or ""),
        "sip_refer_to_response_code": str(outcome.get("notify") or ""),
        "return_value": result,
    }
