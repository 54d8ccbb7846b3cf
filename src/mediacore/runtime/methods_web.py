"""Statements that reach out over HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from mediacore.runtime import flows, reading
from mediacore.runtime.actions import FetchDocument, SendRequest
from mediacore.runtime.draft import Draft
from mediacore.runtime.reading import BadParams, Params
from mediacore.runtime.state import Flow, OpKind, WaitData

Outcome = Mapping[str, object]


def request(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """Send an HTTP request and wait for its reply."""
    url = reading.text(params, "url")
    verb = reading.text(params, "method", "POST").upper()
    if verb not in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        raise BadParams("method: expected GET, POST, PUT, PATCH or DELETE")
    headers = {str(k): str(v) for k, v in reading.mapping(params, "headers").items()}
    limit_ms = d.state.settings.work_ms
    timeout_ms = min(reading.seconds_ms(params, "timeout", 0) or limit_ms, limit_ms)
    connect_ms = reading.seconds_ms(params, "connect_timeout", 0) or timeout_ms
    save = reading.flag(params, "save_variables")
    until = d.now + (timeout_ms + 5000) * 1000
    op = flows.open_op(d, flow, OpKind.REQUEST, WaitData(until, note=url, save=save))
    body = params.get("body")
    d.emit(SendRequest(op.id, url, verb, headers, body, timeout_ms, min(connect_ms, timeout_ms)))
    return None


def fetch(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """Fetch the document of an `execute` or `transfer`."""
    url = reading.text(params, "url")
    scope = flow.state.scope
    body: dict[str, object] = {
        "call": dict(scope.call),
        "vars": dict(scope.vars),
        "envs": dict(scope.envs),
        "params": dict(reading.mapping(params, "params")),
    }
    if params.get("meta") is not None:
        body["meta"] = params["meta"]
    until = d.now + d.state.settings.work_ms * 1000
    op = flows.open_op(d, flow, OpKind.FETCH, WaitData(until, note=url))
    d.emit(FetchDocument(op.id, url, body))
    return None
