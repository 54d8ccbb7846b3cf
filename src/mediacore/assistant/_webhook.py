"""The one web request of a DataMap: building it, and reading what came back."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from mediacore.assistant._functions import MAX_SLEEP_MS, TemplateClock, url_text
from mediacore.assistant._values import (
    MISSING,
    Meter,
    ascii_lower,
    has_member,
    is_true,
    json_object,
    json_text,
    json_value,
    member,
    text_member,
)
from mediacore.assistant.templates import expand

CONNECT_MS: Final = 30_000
TOTAL_MS: Final = 120_000
MAX_REDIRECTS: Final = 3
MAX_HEADERS: Final = 64

_CREDENTIALS = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)([^/?#@]*)@")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")

ERROR_NUMBERS: Final = {
    "dns": 6,
    "refused": 7,
    "timeout": 28,
    "tls": 35,
    "bad_redirect": 47,
    "closed": 56,
    "bad_encoding": 61,
    "too_large": 63,
}
"""Error names as the numbers of libcurl's CURLcode, which documents see as `http_req_result`.

Every other error is 7, could not connect.
"""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Send this request and resume with its reply.

    `url` holds no credentials: they are in the headers. `delay_ms` is to be waited first.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connect_ms: int = CONNECT_MS
    total_ms: int = TOTAL_MS
    redirects: int = MAX_REDIRECTS
    delay_ms: int = 0
    unresolved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: `error` is empty or the name of what went wrong on the way."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    error: str = ""


def build_request(
    webhook: object, call_data: Mapping[str, object], clock: TemplateClock, meter: Meter
) -> Fetch | None:
    """The request of a webhook, or None when it has no url."""
    url = text_member(webhook, "url")
    if url is None:
        return None
    url, authorization = _split_credentials(url)
    filled = expand(url, call_data, clock, meter=meter)
    method = "POST" if (text_member(webhook, "method") or "").lower() == "post" else "GET"
    form_param = text_member(webhook, "form_param")
    body, delay_ms, unresolved = b"", filled.delay_ms, filled.unresolved
    params, args = member(webhook, "params"), _merged_args(webhook, call_data)
    if params is not MISSING or args is not None:
        method = "POST"
        text, more_ms, more = _body_text(params, args, call_data, clock, meter)
        delay_ms, unresolved = min(delay_ms + more_ms, MAX_SLEEP_MS), unresolved + more
        encoded = text if form_param is None else f"{form_param}={url_text(text)}"
        body = encoded.encode("utf-8", "replace")
    return Fetch(
        method=method,
        url=filled.text,
        headers=_headers(webhook, form_param is not None, authorization),
        body=body,
        delay_ms=delay_ms,
        unresolved=unresolved,
    )


def _split_credentials(url: str) -> tuple[str, str]:
    """The url without its credentials, and the header made of them (or empty)."""
    match = _CREDENTIALS.match(url)
    if match is None:
        return url, ""
    user, _, password = match[2].partition(":")
    pair = f"{unquote(user)}:{unquote(password)}".encode("utf-8", "replace")
    return match[1] + url[match.end() :], f"Basic {base64.b64encode(pair).decode()}"


def _headers(webhook: object, is_form: bool, authorization: str) -> tuple[tuple[str, str], ...]:
    """Header values go out as written: they are no templates."""
    kind = "application/x-www-form-urlencoded" if is_form else "application/json"
    headers = {"content-type": kind}
    if authorization:
        headers["authorization"] = authorization
    own = member(webhook, "headers")
    for name, value in own.items() if isinstance(own, Mapping) else ():
        if isinstance(value, str) and _HEADER_NAME.fullmatch(str(name)):
            headers[str(name).lower()] = value
    return tuple(headers.items())[:MAX_HEADERS]


def _merged_args(webhook: object, call_data: Mapping[str, object]) -> Mapping[str, object] | None:
    """The arguments, where the webhook asks for them as parameters and they can be."""
    if not is_true(member(webhook, "input_args_as_params")):
        return None
    args, params = member(call_data, "args"), member(webhook, "params")
    if isinstance(args, Mapping) and (params is MISSING or isinstance(params, Mapping)):
        return args
    return None


def _body_text(
    params: object,
    args: Mapping[str, object] | None,
    call_data: Mapping[str, object],
    clock: TemplateClock,
    meter: Meter,
) -> tuple[str, int, tuple[str, ...]]:
    """The JSON body, its delay and what it left unresolved. Arguments are never templates."""
    if args is None:
        whole = expand(json_text(params, meter), call_data, clock, in_json=True, meter=meter)
        return whole.text, whole.delay_ms, whole.unresolved
    taken = {ascii_lower(str(name)) for name in args}
    own = params if isinstance(params, Mapping) else {}
    delays: list[int] = []
    unresolved: list[str] = []

    def members() -> Iterator[tuple[str, str]]:
        for name, value in own.items():
            if ascii_lower(str(name)) in taken:
                continue
            part = expand(json_text(value, meter, 1), call_data, clock, in_json=True, meter=meter)
            delays.append(part.delay_ms)
            unresolved.extend(part.unresolved)
            yield str(name), part.text
        for name, value in args.items():
            text = json_text(value, meter, 1)
            meter.write(len(text))
            yield str(name), text

    return json_object(members()), sum(delays), tuple(unresolved)


def read_reply(reply: Reply) -> object:
    """The JSON value of a reply. An object gets notes on what was wrong with it."""
    text = reply.body.decode("utf-8", "replace")
    value = json_value(text) if text else MISSING
    parsed = value is not MISSING
    if parsed and not reply.error and 200 <= reply.status <= 299:
        return value
    if parsed and not isinstance(value, dict):
        return value
    notes: dict[str, object] = dict(value) if isinstance(value, dict) else {}
    if not parsed:
        notes |= {"parse_error": True, "raw_response": text}
    if reply.error:
        notes |= {"protocol_error": True, "http_req_result": ERROR_NUMBERS.get(reply.error, 7)}
    return notes | {"http_code": reply.status}


def has_failed(value: object, webhook: object) -> bool:
    """Whether a reply counts as a failure: not JSON, not arrived, or with a listed error key."""
    if has_member(value, "parse_error") or has_member(value, "protocol_error"):
        return True
    listed = member(webhook, "error_keys")
    keys = listed if isinstance(listed, list) else [listed]
    return any(isinstance(key, str) and has_member(value, key) for key in keys)
