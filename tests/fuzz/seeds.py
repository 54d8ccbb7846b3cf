"""Where the fuzzing begins: a small corpus and a dictionary for each target, made in code."""

from __future__ import annotations

import json
from collections.abc import Iterator

from fuzz.media_seeds import audiosocket_seeds, call_seeds, stream_seeds
from mediacore.assistant.actions import ACTIONS
from mediacore.assistant.params import OWN_KEYS, PARAMS
from mediacore.flow.methods import METHODS
from mediacore.runtime.commands import COMMANDS
from support.sdp_offers import OFFERS
from support.sip_talk import SIP_WORDS, TALK

_STATEMENTS: tuple[dict[str, object], ...] = (
    {"answer": {"max_duration": 60}},
    {"play": {"urls": ["say:hi", "silence:1", "ring:5:us"], "volume": 1}},
    {"prompt": {"play": "say:one", "max_digits": 1, "terminators": "#", "speech_hints": ["a"]}},
    {"record": {"beep": True, "format": "wav", "end_silence_timeout": 1}},
    {"record_call": {"stereo": True, "control_id": "r"}},
    {"stop_record_call": {}},
    {"sleep": 1},
    {"set": {"a": "%{vars.b}", "b": [1, {"c": None}]}},
    {"unset": ["a"]},
    {"cond": [{"when": "a == 1", "then": [{"hangup": {}}]}, {"else": [{"return": 1}]}]},
    {"switch": {"variable": "a", "case": {"1": [{"hangup": {}}]}, "default": [{"goto": "x"}]}},
    {"label": "x"},
    {"goto": {"label": "x", "max": 3, "when": "a"}},
    {"execute": {"dest": "other", "params": {"a": 1}, "on_return": [{"hangup": {}}]}},
    {"transfer": {"dest": "https://example.com/a"}},
    {"request": {"url": "https://example.com", "method": "GET", "save_variables": True}},
    {"connect": {"to": "+15550002", "timeout": 5, "result": {"case": {"failed": []}}}},
    {"connect": {"serial_parallel": [[{"to": "+1"}, {"to": "sip:a@b"}]], "confirm": "c"}},
    {"send_digits": {"digits": "1w2W#"}},
    {"tap": {"uri": "rtp://127.0.0.1:9", "codec": "PCMU"}},
    {"stream": {"url": "wss://a/b", "track": "both_tracks"}},
    {"user_event": {"event": {"a": 1}}},
    {"detect_machine": {"wait": True, "detectors": "amd,fax", "timeout": 5}},
    {"send_fax": {"document": "https://a"}},
    {"hangup": {"reason": "busy"}},
)
_AI: dict[str, object] = {
    "prompt": {"text": "You are ${global_data.x}", "temperature": 0.5, "top_p": 1},
    "post_prompt": {"text": "Sum up"},
    "post_prompt_url": "https://user:pass@example.com/post",
    "params": {
        "static_greeting": "Hello",
        "end_of_speech_timeout": 700,
        "barge_match_string": "a",
        "mediacore_budget": {"seconds": 5, "turns": 2, "money": 0.1},
        "mediacore_required": [{"key": "x", "digits": True}],
    },
    "languages": [{"name": "English", "code": "en-US", "voice": "v", "speech_fillers": ["um"]}],
    "hints": ["a", {"pattern": "b", "replace": "c", "hint": "d"}],
    "pronounce": [{"replace": "a", "with": "b", "ignore_case": True}],
    "global_data": {"x": "secret"},
    "SWAIG": {
        "defaults": {"web_hook_url": "https://example.com/swaig"},
        "native_functions": ["check_time", "wait_seconds"],
        "includes": [{"url": "https://example.com", "functions": ["f"]}],
        "functions": [
            {
                "function": "lookup",
                "description": "d",
                "parameters": {"type": "object", "properties": {"a": {"type": "string"}}},
                "fillers": {"en-US": ["one moment"]},
                "data_map": {"expressions": [{"string": "${args.a}", "pattern": ".*"}]},
            }
        ],
    },
}
_STAGED: dict[str, object] = {
    "prompt": {
        "text": "x",
        "contexts": {
            "default": {
                "steps": [
                    {"name": "a", "text": "A", "valid_steps": ["b", "next"], "functions": "none"},
                    {
                        "name": "b",
                        "text": "B",
                        "gather_info": {"questions": [{"key": "k", "question": "q"}]},
                    },
                ]
            }
        },
    }
}
_COMMANDS: tuple[tuple[str, dict[str, object]], ...] = (
    ("answer", {}),
    ("play", {"control_id": "p", "play": [{"type": "tts", "params": {"text": "hi"}}], "loop": 2}),
    ("play", {"control_id": "q", "play": [{"type": "silence", "params": {"duration": 1}}]}),
    ("play.volume", {"control_id": "p", "volume": 3}),
    ("play.stop", {"control_id": "p"}),
    ("play_and_collect", {"control_id": "c", "play": [], "collect": {"digits": {"max": 1}}}),
    ("collect", {"control_id": "d", "digits": {"max": 4, "terminators": "#"}, "speech": {}}),
    ("record", {"control_id": "r", "record": {"audio": {"format": "wav", "direction": "both"}}}),
    ("detect", {"control_id": "m", "detect": {"type": "machine", "params": {}}, "timeout": 5}),
    ("connect", {"devices": [[{"type": "phone", "params": {"to_number": "+1", "timeout": 5}}]]}),
    ("tap", {"control_id": "t", "tap": {"type": "audio", "params": {}}, "device": {"type": "rtp"}}),
    ("stream", {"control_id": "s", "url": "wss://a"}),
    ("send_digits", {"control_id": "e", "digits": "12"}),
    ("user_event", {"event": {"a": 1}}),
    ("transfer", {"dest": "https://example.com"}),
    ("ai", {"control_id": "a", "prompt": {"text": "x"}}),
    ("ai_message", {"message_text": "x", "role": "system"}),
    ("hold", {}),
    ("lease", {"seconds": 5}),
    ("bind_digit", {"digits": "1", "bind_method": "calling.play", "bind_params": {}}),
    ("end", {"reason": "hangup"}),
)


def _documents() -> Iterator[bytes]:
    sections = {"main": list(_STATEMENTS), "other": [{"return": {"a": 1}}], "c": [{"play": "x"}]}
    yield b"\0" + json.dumps({"version": "1.0.0", "sections": sections}).encode()
    for statement in (*_STATEMENTS, {"ai": _AI}, {"ai": _STAGED}):
        yield b"\0" + json.dumps({"sections": {"main": [{"answer": {}}, statement]}}).encode()
    yield b"\1version: 1.0.0\nsections:\n  main:\n    - answer: {}\n    - play: 'say:hi'\n"
    yield b"\1a: &a [1]\nb: *a\n<<: {c: !!str d}\n? e\n: |\n  f\n"


def _frames() -> Iterator[bytes]:
    made = [
        {"jsonrpc": "2.0", "id": str(n), "method": f"calling.{name}", "params": _params(params)}
        for n, (name, params) in enumerate(_COMMANDS)
    ]
    yield from (json.dumps(frame).encode() for frame in made)
    for n in range(0, len(made), 4):
        yield b"\n".join(json.dumps(frame).encode() for frame in made[n : n + 6])
    yield b'{"id":"1","result":{}}\n{"id":"2","method":"signalwire.ping"}'
    yield b'{"id":"3","method":"signalwire.receive","params":{"contexts":["a"]}}'


def _params(params: dict[str, object]) -> dict[str, object]:
    return {"node_id": "n", "call_id": "L1", **params}


def _replies() -> Iterator[bytes]:
    values: tuple[object, ...] = (True, "a", 5, {"a": "b"}, ["a"], {"function": "lookup"})
    for name in ACTIONS:
        for value in values:
            yield json.dumps({"response": "ok", "action": [{name: value}]}).encode()
    yield json.dumps({"response": {"tool_result": "a", "tool_prompt": "b"}}).encode()
    swml = {"SWML": {"sections": {"main": list(_STATEMENTS)}}, "transfer": True}
    yield json.dumps({"response": "ok", "action": [swml], "post_process": True}).encode()
    context = {"context_switch": {"system_prompt": "a", "user_prompt": "b", "consolidate": True}}
    yield json.dumps({"response": "", "action": [context, {"hold": {"timeout": "1m"}}]}).encode()


def _templates() -> Iterator[bytes]:
    hook = {
        "url": "https://u:p@example.com/${args.a}?q=${enc:url:args.b}",
        "method": "POST",
        "headers": {"a": "${global_data.c}"},
        "params": {"x": "@{expr 1+2}"},
        "error_keys": ["error"],
        "foreach": {"input_key": "items", "output_key": "text", "append": "${this.a} "},
        "expressions": [{"string": "${a}", "pattern": "/^a+$/i", "output": {"response": "x"}}],
        "output": {"response": "${array[0].a} ${lc:text}", "action": [{"say": "%{args.a}"}]},
    }
    yield b'{"items": [{"a": 1}]}\n' + json.dumps({"webhooks": [hook]}).encode()
    expression = {"string": "${args.a}", "pattern": "(a|b)*c{2,3}[^x]", "output": {"response": "y"}}
    yield b"x\n" + json.dumps({"expressions": [expression], "output": {"response": "z"}}).encode()
    for text in ("${a.b[0].c}", "${lc:enc:url:a}", "@{strftime_tz UTC %H:%M}", "${a.${b}}"):
        yield text.encode() + b'\n{"b": [{"c": 1}]}'
    yield b"@{separate ${fmt_ph:a}} @{sleep 2} @{echo @{expr (1+2)*3/0}}\n5551234567"


_SOURCES = {
    "document": _documents,
    "frames": _frames,
    "swaig": _replies,
    "templates": _templates,
    "ai": lambda: iter((json.dumps(_AI).encode(), json.dumps(_STAGED).encode())),
    "sip": lambda: (text.replace("\n", "\r\n").encode() for text in TALK),
    "sdp": lambda: (offer.text.encode() for offer in OFFERS),
    "calls": call_seeds,
    "streams": stream_seeds,
    "audiosocket": audiosocket_seeds,
}
_WORDS = {
    "document": tuple(METHODS),
    "frames": tuple(f"calling.{name}" for name in COMMANDS),
    "swaig": tuple(ACTIONS),
    "templates": ("${", "%{", "@{", "enc:url:", "lc:", "fmt_ph:", "expr ", "this", "args", "array"),
    "ai": (*PARAMS, *OWN_KEYS),
    "sip": SIP_WORDS,
    "sdp": (
        "\r\na=",
        "\r\nm=audio ",
        "c=IN IP4 ",
        "rtpmap:",
        "fmtp:",
        "crypto:",
        "inline:",
        "rtcp:",
    ),
    "calls": (*SIP_WORDS, "\n----\n", ";tag=", "RAck: 1 1 INVITE", "Replaces: ", "timer", "100rel"),
    "streams": ("event", "start", "media", "payload", "mark", "dtmf", "stop", "clear", "type"),
    "audiosocket": ("\0\0\0", "\1\0\x10", "\3\0\1", "\x10\1\x40", "\x18\0\2"),
}
_SYNTAX = ('{"', '":', '"}', "[{", "}]", "null", "true", "1e999", "-1", '\\"', "\\u0000", "\\ud800")


def seeds(target: str) -> list[bytes]:
    """The corpus to begin with."""
    return list(_SOURCES[target]())


def dictionary(target: str) -> list[bytes]:
    """Words that a mutation may put in."""
    return [word.encode() for word in (*_SYNTAX, *_WORDS[target])]
