"""Published parameters, of documents and commands, into the data of operations.

Lenient about spelling (numbers as text), strict about meaning: what cannot be used raises
BadParams with the key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from mediacore.runtime.actions import PlayItem
from mediacore.runtime.state import (
    CollectData,
    DetectData,
    DigitRules,
    PlayData,
    RecordData,
    SpeechRules,
    Target,
)

Params = Mapping[str, object]
_RING: Final = re.compile(r"ring:(?:(?P<s>[\d.]+):)?(?P<cc>[a-z]{2})", re.IGNORECASE)
MAX_ID: Final = 256
_ITEMS: Final = 64
_TEXT: Final = 10_000
_DIGITS: Final = re.compile(r"[0-9A-Da-d*#wW,]+")


class BadParams(ValueError):  # noqa: N818 - it names what the sender did
    """A parameter that cannot be used; the text names it."""


def text(params: Params, key: str, default: str = "") -> str:
    """A text, or a number as text."""
    value = params.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadParams(f"{key}: expected text")
    return str(value)


def number(params: Params, key: str, default: float, low: float = 0, high: float = 1e9) -> float:
    """A number within bounds; text that is a number counts."""
    value = params.get(key)
    if value is None or value == "":
        return default
    try:
        if isinstance(value, bool):
            raise ValueError
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise BadParams(f"{key}: expected a number") from None
    if not low <= found <= high:
        raise BadParams(f"{key}: expected {low:g} to {high:g}")
    return found


def seconds_ms(params: Params, key: str, default_s: float) -> int:
    """Seconds as milliseconds."""
    return round(number(params, key, default_s, 0, 1e6) * 1000)


def real(value: object, default: float = 0.0) -> float:
    """A value that is a number already, else the default."""
    return float(value) if isinstance(value, int | float) else default


def flag(params: Params, key: str, default: bool = False) -> bool:
    """True or false, also as text."""
    value = params.get(key, default)
    if isinstance(value, str):
        return value.strip().lower() in ("true", "1", "yes", "on")
    return bool(value)


def mapping(params: Params, key: str) -> Params:
    """An object; absent is empty."""
    value = params.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadParams(f"{key}: expected an object")
    return value


def listing(value: object) -> Sequence[object]:
    """A list, or one thing as a list."""
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else (value,)


# ------------------------------------------------------------------------------------- plays


def url_item(url: object, params: Params) -> PlayItem:
    """One `url` of a document: an address, `say:`, `silence:` or `ring:`."""
    if not isinstance(url, str) or not url.strip():
        raise BadParams("url: expected text")
    url = url.strip()
    kind, _, rest = url.partition(":")
    if kind == "say":
        return PlayItem(
            "say",
            _limited(rest),
            text(params, "say_voice"),
            text(params, "say_language"),
            text(params, "say_gender"),
        )
    if kind == "silence":
        return PlayItem("silence", ms=seconds_ms({"silence": rest}, "silence", 1))
    if kind == "ring":
        match = _RING.fullmatch(url)
        if match is None:
            raise BadParams("url: expected ring:[seconds:]country")
        ms = seconds_ms(match.groupdict(), "s", 4)
        return PlayItem("ring", match["cc"].lower(), ms=ms)
    return PlayItem("audio", url)


def url_items(params: Params) -> tuple[PlayItem, ...]:
    """`url` or `urls` of a document's play."""
    urls = listing(params.get("urls") or params.get("url"))
    if not urls:
        raise BadParams("url: missing")
    if len(urls) > _ITEMS:
        raise BadParams(f"urls: at most {_ITEMS}")
    return tuple(url_item(url, params) for url in urls)


def media_items(value: object) -> tuple[PlayItem, ...]:
    """`play` of a controller: tts, audio, silence, ringtone. Flat parameters count as well."""
    found = listing(value)
    if not found or len(found) > _ITEMS:
        raise BadParams(f"play: expected 1 to {_ITEMS} items")
    return tuple(_media_item(item) for item in found)


def _media_item(item: object) -> PlayItem:
    if not isinstance(item, Mapping):
        raise BadParams("play: expected objects")
    params = item.get("params")
    params = params if isinstance(params, Mapping) else item
    match item.get("type"):
        case "tts":
            said = _limited(text(params, "text"))
            if not said:
                raise BadParams("play: tts needs a text")
            voice, language = text(params, "voice"), text(params, "language")
            return PlayItem("say", said, voice, language, text(params, "gender"))
        case "audio":
            url = text(params, "url")
            if not url:
                raise BadParams("play: audio needs a url")
            return PlayItem("audio", url)
        case "silence":
            return PlayItem("silence", ms=seconds_ms(params, "duration", 1))
        case "ringtone":
            name = text(params, "name", "us").lower()
            return PlayItem("ring", name, ms=seconds_ms(params, "duration", 0))
    raise BadParams("play: type must be tts, audio, silence or ringtone")


def play_data(params: Params, items: tuple[PlayItem, ...]) -> PlayData:
    """Volume and loops."""
    volume = number(params, "volume", 0, -40, 40)
    loops = int(number(params, "loop", 1, 0, 1000))
    return PlayData(items, volume, loops)


def _limited(value: str) -> str:
    if len(value) > _TEXT:
        raise BadParams(f"text: at most {_TEXT} characters")
    return value.strip()


# ------------------------------------------------------------------------------------- input


def collect_data(params: Params, play: PlayData | None = None) -> CollectData:
    """`collect` of a controller."""
    digits = params.get("digits")
    speech = params.get("speech")
    if digits is None and speech is None:
        raise BadParams("digits or speech: one is needed")
    rules = mapping(params, "digits")
    words = mapping(params, "speech") if isinstance(speech, Mapping) else {}
    return CollectData(
        digits=None
        if digits is None
        else DigitRules(
            int(number(rules, "max", 1, 1, 100)),
            seconds_ms(rules, "digit_timeout", 5),
            text(rules, "terminators"),
        ),
        speech=None
        if speech in (None, False)
        else SpeechRules(
            seconds_ms(words, "end_silence_timeout", 1),
            seconds_ms(words, "speech_timeout", 60),
            text(words, "language"),
            tuple(str(h) for h in listing(words.get("hints")))[:100],
        ),
        initial_ms=seconds_ms(params, "initial_timeout", 4),
        partial=flag(params, "partial_results"),
        continuous=flag(params, "continuous"),
        start_of_input=flag(params, "send_start_of_input"),
        play=play,
    )


def prompt_data(params: Params, play: PlayData) -> CollectData:
    """`prompt` of a document: digits, and speech when one of its parameters is given."""
    speech = any(k.startswith("speech_") for k in params)
    return CollectData(
        digits=DigitRules(
            int(number(params, "max_digits", 1, 1, 100)),
            seconds_ms(params, "digit_timeout", 5),
            text(params, "terminators"),
        ),
        speech=SpeechRules(
            seconds_ms(params, "speech_end_timeout", 1),
            seconds_ms(params, "speech_timeout", 60),
            text(params, "speech_language"),
            tuple(str(h) for h in listing(params.get("speech_hints")))[:100],
        )
        if speech
        else None,
        initial_ms=seconds_ms(params, "initial_timeout", 5),
        play=play,
    )


def record_data(params: Params, *, background: bool) -> RecordData:
    """A recording, as documents and controllers (`record.audio`) name it."""
    direction = text(params, "direction", "both" if background else "speak")
    if direction not in ("speak", "listen", "both"):
        raise BadParams("direction: expected speak, listen or both")
    kind = text(params, "format", "wav").lower()
    if kind not in ("wav", "mp3", "mp4"):
        raise BadParams("format: expected wav, mp3 or mp4")
    return RecordData(
        kind,
        flag(params, "stereo"),
        direction,
        flag(params, "beep"),
        seconds_ms(params, "initial_timeout", 0 if background else 4),
        seconds_ms(params, "end_silence_timeout", 0 if background else 5),
        seconds_ms(params, "max_length", 0),
        text(params, "terminators", "" if background else "#"),
        status_url=text(params, "status_url"),
    )


def detect_data(params: Params, timeout_s: float) -> DetectData:
    """`detect` of a controller: {type, params}."""
    kind = text(params, "type", "machine")
    if kind not in ("machine", "fax", "digit"):
        raise BadParams("detect.type: expected machine, fax or digit")
    return _detect(mapping(params, "params"), (kind,), timeout_s)


def machine_data(params: Params) -> DetectData:
    """`detect_machine` of a document."""
    names = text(params, "detectors", "amd,fax").split(",")
    kinds = tuple({"amd": "machine", "fax": "fax"}.get(n.strip(), "") for n in names)
    kinds = tuple(k for k in kinds if k)
    if not kinds:
        raise BadParams("detectors: expected amd or fax")
    return _detect(params, kinds, number(params, "timeout", 30, 0.1, 3600))


def _detect(params: Params, kinds: tuple[str, ...], timeout_s: float) -> DetectData:
    return DetectData(
        kinds,
        round(timeout_s * 1000),
        seconds_ms(params, "initial_timeout", 4.5),
        seconds_ms(params, "end_silence_timeout", 1),
        seconds_ms(params, "machine_voice_threshold", 1.25),
        int(number(params, "machine_words_threshold", 6, 1, 100)),
        seconds_ms(params, "machine_ready_timeout", 0),
        flag(params, "detect_message_end"),
        text(params, "tone", "CED").upper(),
        text(params, "digits"),
    )


def digits(params: Params) -> str:
    """Digits to send."""
    found = text(params, "digits")
    if not _DIGITS.fullmatch(found) or len(found) > 256:
        raise BadParams("digits: expected 0-9, *, #, A-D, w and W, at most 256")
    return found


# ---------------------------------------------------------------------------------- dialling


def target(params: Params, defaults: Params) -> Target:
    """One destination of a document's connect."""
    to = text(params, "to")
    if not to:
        raise BadParams("to: missing")
    timeout_s = number(params, "timeout", number(defaults, "timeout", 60, 1, 600), 1, 600)
    headers = params.get("headers") or defaults.get("headers")
    kind = "sip" if to.startswith(("sip:", "sips:")) else "phone"
    return Target(
        kind,
        to,
        text(params, "from") or text(defaults, "from"),
        _headers(headers),
        _codecs(params.get("codecs") or defaults.get("codecs")),
        round(timeout_s * 1000),
        text(params, "username"),
        text(params, "password"),
    )


def connect_groups(params: Params) -> tuple[tuple[Target, ...], ...]:
    """`to`, `serial`, `parallel` or `serial_parallel`."""
    groups: list[Sequence[object]]
    if params.get("serial_parallel") is not None:
        groups = [listing(g) for g in listing(params["serial_parallel"])]
    elif params.get("serial") is not None:
        groups = [(item,) for item in listing(params["serial"])]
    elif params.get("parallel") is not None:
        groups = [listing(params["parallel"])]
    else:
        groups = [({"to": params.get("to")},)]
    return _groups(groups, lambda item: target(item, params))


def device_groups(value: object) -> tuple[tuple[Target, ...], ...]:
    """`devices` of a controller: the outer list one after the other, the inner ones at once."""
    groups = [listing(g) for g in listing(value)]
    return _groups(groups, _device)


def _groups(
    groups: Sequence[Sequence[object]], make: Callable[[Params], Target]
) -> tuple[tuple[Target, ...], ...]:
    if not groups or sum(len(g) for g in groups) > 16 or not all(groups):
        raise BadParams("destinations: expected 1 to 16")
    return tuple(tuple(make(_object(item)) for item in group) for group in groups)


def _device(item: Params) -> Target:
    params = mapping(item, "params") or item
    kind = text(item, "type", "phone")
    to = text(params, "to_number") or text(params, "to") or text(params, "address")
    if not to:
        raise BadParams("devices: to_number is missing")
    return Target(
        kind,
        to,
        text(params, "from_number") or text(params, "from"),
        _headers(params.get("headers")),
        _codecs(params.get("codecs")),
        round(number(params, "timeout", 60, 1, 600) * 1000),
        device=item,
    )


def _object(item: object) -> Params:
    if not isinstance(item, Mapping):
        raise BadParams("destinations: expected objects")
    return item


def _headers(value: object) -> dict[str, str]:
    out: dict[str, str] = {}
    for item in listing(value)[:32]:
        if isinstance(item, Mapping) and "name" in item:
            out[str(item["name"])[:128]] = str(item.get("value", ""))[:512]
        elif isinstance(item, Mapping):
            out.update({str(k)[:128]: str(v)[:512] for k, v in item.items()})
    return out


def _codecs(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    return tuple(str(c).strip() for c in listing(value) if str(c).strip())[:8]
