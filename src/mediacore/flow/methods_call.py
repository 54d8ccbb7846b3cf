"""The methods that act on the call and its audio."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from mediacore.flow.methods_flow import RESULT
from mediacore.flow.spec import (
    Kind,
    Method,
    Param,
    flag,
    ignored,
    integer,
    items,
    mapping,
    number,
    one,
    shape,
    text,
    url,
)

_GATEWAY: Final = "the gateway in front decides"
_VOICE: Final = "a voice that is not known is replaced"
_GENDER: Final = "`say_voice` chooses"
_ENCODED: Final = "mp3 and mp4 need the extra `av`"

_SPEECH: Final = {
    "volume": number(0, "dB", -40, 40),
    "say_voice": text(note=_VOICE),
    "say_language": text("en-US"),
    "say_gender": ignored(text("female"), _GENDER),
    "status_url": url(),
}
_PLAYABLE: Final = one(Kind.PLAYABLE)
_PLAYABLES: Final = items(_PLAYABLE, Kind.PLAYABLE)

PLAY: Final = MappingProxyType(
    {
        "url": _PLAYABLE,
        "urls": _PLAYABLES,
        "auto_answer": flag(True),
        **_SPEECH,
    }
)

_RECORD: Final = {
    "stereo": flag(False),
    "format": Param((Kind.TEXT,), "wav", values=("wav", "mp3", "mp4"), note=_ENCODED),
    "beep": flag(False),
    "input_sensitivity": ignored(number(44, "", 0, 100), "the core's own detector decides"),
    "max_length": number(None, "s", 0),
    "status_url": url(),
}

CONFIRM_METHODS: Final = (
    *("cond", "set", "unset", "hangup", "play", "prompt", "record", "record_call"),
    *("stop_record_call", "tap", "stop_tap", "send_digits", "send_sms", "denoise", "stop_denoise"),
)
"""The methods that may stand in `connect.confirm`."""

DEVICE: Final = MappingProxyType(
    {
        "from": text(note="absent: the caller's number"),
        "headers": Param((Kind.LIST, Kind.MAP), note="SIP headers", each=mapping()),
        "codecs": ignored(text(), _GATEWAY),
        "webrtc_media": ignored(flag(False), _GATEWAY),
        "session_timeout": ignored(integer(0, "s", 0), _GATEWAY),
        "ringback": Param(
            (Kind.LIST, Kind.MAP, Kind.PLAYABLE),
            each=_PLAYABLE,
            keys=MappingProxyType({**PLAY, "loop": one(Kind.FLAG, Kind.INTEGER)}),
        ),
        "result": RESULT,
        "timeout": Param((Kind.INTEGER,), 60, "s", 1),
        "max_duration": Param((Kind.INTEGER,), 14400, "s", 1),
        "answer_on_bridge": flag(False),
        "confirm": Param(
            (Kind.STATEMENTS, Kind.URL),
            values=CONFIRM_METHODS,
            note="run on the new leg before the bridge",
        ),
        "confirm_timeout": number(None, "s", 0),
        "username": ignored(text(), _GATEWAY),
        "password": ignored(text(), _GATEWAY),
        "encryption": ignored(text("optional", "mandatory", "optional", "forbidden"), _GATEWAY),
        "call_state_url": url(),
        "call_state_events": Param(
            (Kind.LIST,), ("ended",), each=text(None, "created", "ringing", "answered", "ended")
        ),
        "transfer_after_bridge": one(Kind.DESTINATION),
    }
)
_TO_ONE: Final = mapping(MappingProxyType({"to": text(required=True), **DEVICE}))

CALL_METHODS: Final = (
    Method(
        "answer",
        params=shape(
            max_duration=Param((Kind.INTEGER,), 14400, "s", 1),
            codecs=ignored(text(), _GATEWAY),
            username=ignored(text(), _GATEWAY),
            password=ignored(text(), _GATEWAY),
        ),
        note="Sets answer_result.",
    ),
    Method(
        "hangup", params=shape(reason=text("hangup", "hangup", "busy", "decline")), bare="reason"
    ),
    Method("play", params=PLAY, bare="url", one_of=(("url", "urls"),)),
    Method(
        "prompt",
        params=MappingProxyType(
            {
                "play": Param((Kind.LIST, Kind.PLAYABLE), required=True, each=_PLAYABLE),
                **_SPEECH,
                "max_digits": integer(1, "digits", 1),
                "terminators": text(),
                "digit_timeout": number(5, "s", 0),
                "initial_timeout": number(5, "s", 0),
                "speech_timeout": number(None, "s", 0),
                "speech_end_timeout": number(None, "s", 0),
                "speech_language": text(),
                "speech_hints": items(text()),
                "speech_engine": ignored(text(), "the configured recogniser is used"),
            }
        ),
        note="Sets prompt_result, prompt_value, prompt_digit_terminator, prompt_speech_confidence.",
    ),
    Method(
        "record",
        params=MappingProxyType(
            {
                **_RECORD,
                "direction": text("speak", "speak", "listen"),
                "terminators": text("#"),
                "initial_timeout": number(4, "s", 0),
                "end_silence_timeout": number(5, "s", 0),
            }
        ),
        note="Sets record_url, record_result.",
    ),
    Method(
        "record_call",
        params=MappingProxyType(
            {
                "control_id": text(note="absent: made up"),
                **_RECORD,
                "direction": text("both", "speak", "listen", "both"),
                "terminators": text(""),
                "initial_timeout": number(0, "s", 0),
                "end_silence_timeout": number(0, "s", 0),
            }
        ),
        note="Sets record_call_url, record_call_result, record_control_id.",
    ),
    Method("stop_record_call", params=shape(control_id=text(note="absent: the last one"))),
    Method(
        "send_digits",
        params=shape(digits=text(required=True, note="0-9 * # A-D; w waits 500 ms, W 1 s")),
        bare="digits",
        note="Sets send_digits_result.",
    ),
    Method(
        "sip_refer",
        params=shape(
            to_uri=text(required=True, note="sip: or sips:"),
            status_url=text(note="gets an event for each step"),
            username=ignored(text(), _GATEWAY),
            password=ignored(text(), _GATEWAY),
        ),
        note="Sets sip_refer_to, sip_refer_result, sip_refer_response_code, "
        "sip_refer_to_response_code.",
    ),
    Method(
        "connect",
        params=MappingProxyType(
            {
                "to": text(),
                "serial": items(_TO_ONE),
                "parallel": items(_TO_ONE),
                "serial_parallel": items(items(_TO_ONE)),
                **DEVICE,
            }
        ),
        one_of=(("to", "serial", "parallel", "serial_parallel"),),
        note="Sets connect_result, connect_failed_reason, return_value.",
    ),
    Method(
        "detect_machine",
        params=shape(
            detectors=text("amd,fax"),
            initial_timeout=number(4.5, "s", 0),
            end_silence_timeout=number(1, "s", 0),
            machine_voice_threshold=number(1.25, "s", 0),
            machine_words_threshold=Param((Kind.INTEGER,), 6, "words", 1),
            machine_ready_timeout=number(None, "s", 0, note="absent: end_silence_timeout"),
            detect_message_end=flag(False),
            timeout=number(30, "s", 0),
            tone=text("CED", "CED", "CNG"),
            wait=flag(True),
            status_url=url(),
        ),
        note="Sets detect_result.",
    ),
    Method(
        "tap",
        params=shape(
            uri=text(required=True, note="rtp://, ws:// or wss://"),
            control_id=text(note="absent: made up"),
            direction=text("speak", "speak", "listen", "both"),
            codec=text("PCMU", "PCMU", "PCMA"),
            rtp_ptime=Param((Kind.INTEGER,), 20, "ms", 10, 60),
            status_url=url(),
        ),
        note="Sets tap_uri, tap_result, tap_control_id, tap_rtp_*, tap_codec, tap_direction …",
    ),
    Method("stop_tap", params=shape(control_id=text(note="absent: the last one"))),
    Method(
        "stream",
        params=shape(
            url=text(required=True, note="wss://"),
            control_id=text(note="absent: made up"),
            name=text(),
            track=text("inbound_track", "inbound_track", "outbound_track", "both_tracks"),
            codec=text("PCMU"),
            status_url=url(),
            status_url_method=text("POST", "GET", "POST"),
            authorization_bearer_token=text(),
            custom_parameters=mapping(),
        ),
        note="Sets stream_result, stream_control_id.",
    ),
    Method("stop_stream", params=shape(control_id=text(note="absent: the last one"))),
)
