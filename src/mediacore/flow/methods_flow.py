"""The methods that steer a document: no audio, no network but for fetching documents."""

from __future__ import annotations

from typing import Final

from mediacore.flow.spec import Kind, Method, Param, flag, integer, mapping, one, shape, text

_META: Final = mapping(note="for the author; not read")
RESULT: Final = Param(
    (Kind.MAP, Kind.CONDITIONS),
    note="run afterwards: a switch on `return_value`, or conditions",
    keys=shape(
        variable=text("return_value"),
        case=one(Kind.CASES, required=True),
        default=one(Kind.STATEMENTS),
    ),
)

FLOW_METHODS: Final = (
    Method(
        "set",
        whole=Param((Kind.MAP,), note="name to value"),
        note="Sets variables of `vars`.",
    ),
    Method(
        "unset",
        whole=Param((Kind.TEXT, Kind.LIST), note="name or names", each=text()),
        note="Removes variables.",
    ),
    Method(
        "cond",
        whole=one(Kind.CONDITIONS, required=True),
        note="Runs `then` of the first entry whose `when` (JavaScript) holds, or its `else`.",
    ),
    Method(
        "switch",
        params=shape(
            variable=text(required=True, note="a name, not an expression"),
            case=one(Kind.CASES, required=True),
            default=one(Kind.STATEMENTS),
        ),
        note="No match and no default: the code no_matching_condition.",
    ),
    Method(
        "goto",
        params=shape(
            label=text(required=True),
            when=text(note="JavaScript; absent: always"),
            max=integer(100, "jumps", 1, 100),
        ),
        bare="label",
        note="Jumps inside its own section only.",
    ),
    Method("label", whole=text(required=True), note="A place for `goto`."),
    Method(
        "execute",
        params=shape(
            dest=one(Kind.DESTINATION, required=True),
            params=mapping(note="replace `params` while it runs"),
            meta=_META,
            on_return=one(Kind.STATEMENTS),
            result=RESULT,
        ),
        bare="dest",
        note="Runs a section or a document and comes back. Sets `return_value`.",
    ),
    Method(
        "transfer",
        params=shape(dest=one(Kind.DESTINATION, required=True), params=mapping(), meta=_META),
        bare="dest",
        note="Goes on in a section or a document and does not come back; 32 in one call.",
    ),
    Method("return", whole=one(Kind.ANY), note="Ends the section. Sets `return_value`."),
    Method(
        "request",
        params=shape(
            url=Param((Kind.URL,), required=True),
            method=text(None, "GET", "POST", "PUT", "DELETE", required=True),
            headers=mapping(),
            body=one(Kind.TEXT, Kind.MAP, Kind.LIST),
            timeout=Param((Kind.NUMBER,), 0, "s", 0, note="0: the engine's own deadline"),
            connect_timeout=Param((Kind.NUMBER,), 0, "s", 0, note="0: the engine's own deadline"),
            save_variables=flag(False, "keep a JSON reply in `request_response`"),
        ),
        note="Sets request_url, request_result, request_response_code, …_headers, …_body.",
    ),
    Method(
        "sleep",
        params=shape(duration=integer(None, "ms", -1, required=True)),
        bare="duration",
    ),
    Method(
        "user_event",
        params=shape(event=one(Kind.MAP, Kind.ANY, required=True)),
        note="Sends an event to everyone who watches the call.",
    ),
)
