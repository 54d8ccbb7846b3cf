"""Payload types: static ones (RFC 3551 §6), rtpmap, fmtp, and the codecs of the core."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mediacore.errors import ConfigError
from mediacore.wire.sdp.model import Attribute, Media

EVENT: Final = "telephone-event"
COMFORT_NOISE: Final = "CN"
CN_TYPE: Final = 13
EVENT_CODES: Final = "0-15"
"""What the core tells apart (RFC 4733 §3.2): the sixteen digits."""
_DYNAMIC: Final = range(96, 128)


@dataclass(frozen=True, slots=True)
class Payload:
    """A payload type with its meaning. clock_hz: of the timestamps. fmtp: as written, or empty."""

    number: int
    name: str
    clock_hz: int
    channels: int = 1
    fmtp: str = ""


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec of the core. static: its payload type, None = dynamic, then `usual` is offered.

    srate_hz: of its audio. leg_srate_hz: what `LegConfig.srate_hz` needs, 0 = nothing.
    packets_ms: sizes that it can send, empty = any.
    """

    name: str
    clock_hz: int
    srate_hz: int
    static: int | None
    usual: int
    leg_srate_hz: int = 0
    channels: int = 1
    fmtp: str = ""
    packets_ms: tuple[int, ...] = ()


def _l16(srate_hz: int, usual: int) -> Codec:
    return Codec("L16", srate_hz, srate_hz, None, usual, leg_srate_hz=srate_hz)


CODECS: Final[Mapping[str, Codec]] = MappingProxyType(
    {
        # A packet of Opus holds one tick.
        "opus": Codec(
            "opus", 48000, 48000, None, 111, 0, 2, fmtp="useinbandfec=1", packets_ms=(20,)
        ),
        "G722": Codec("G722", 8000, 16000, 9, 9),
        "PCMU": Codec("PCMU", 8000, 8000, 0, 0),
        "PCMA": Codec("PCMA", 8000, 8000, 8, 8),
        "L16/8000": _l16(8000, 114),
        "L16/16000": _l16(16000, 115),
        "L16/24000": _l16(24000, 116),
        "L16/48000": _l16(48000, 117),
    }
)
"""Codecs by the names that `Terms.codecs` uses."""

_USUAL_EVENTS: Final[Mapping[int, int]] = MappingProxyType(
    {8000: 101, 16000: 102, 24000: 103, 48000: 110}
)
_STATIC: Final[Mapping[int, tuple[str, int, int]]] = MappingProxyType(
    {
        0: ("PCMU", 8000, 1),
        3: ("GSM", 8000, 1),
        4: ("G723", 8000, 1),
        5: ("DVI4", 8000, 1),
        6: ("DVI4", 16000, 1),
        7: ("LPC", 8000, 1),
        8: ("PCMA", 8000, 1),
        9: ("G722", 8000, 1),
        10: ("L16", 44100, 2),
        11: ("L16", 44100, 1),
        12: ("QCELP", 8000, 1),
        13: ("CN", 8000, 1),
        14: ("MPA", 90000, 1),
        15: ("G728", 8000, 1),
        16: ("DVI4", 11025, 1),
        17: ("DVI4", 22050, 1),
        18: ("G729", 8000, 1),
    }
)


def codec_named(name: str) -> Codec:
    """A codec of `CODECS`. Raises ConfigError with what there is."""
    codec = CODECS.get(name)
    if codec is None:
        raise ConfigError(f"unknown codec {name!r} (there are {', '.join(CODECS)})")
    return codec


def payloads(media: Media, known: Iterable[Payload] = ()) -> list[Payload]:
    """The payload types of a stream in its order of preference.

    known: what dynamic numbers without an rtpmap mean, for an answer that leaves them out.
    Formats without any meaning are passed over.
    """
    maps = {p.number: (p.name, p.clock_hz, p.channels) for p in known}
    maps |= _STATIC
    maps |= dict(_rtpmaps(media))
    params = dict(_fmtps(media))
    found: dict[int, Payload] = {}
    for text in media.formats:
        number = _number(text, 127)
        if number is not None and number in maps and number not in found:
            found[number] = Payload(number, *maps[number], params.get(number, ""))
    return list(found.values())


def codec_of(payload: Payload, names: Iterable[str]) -> str | None:
    """Which of the named codecs a payload type is.

    G.722 is 8000 by a slip of RFC 1890 that RFC 3551 §4.5.2 keeps; some peers write 16000. Opus is
    always 48000/2 (RFC 7587 §7); some leave the channels out.
    """
    for key in names:
        codec = CODECS[key]
        if payload.name.lower() != codec.name.lower():
            continue
        clocks = (8000, 16000) if key == "G722" else (codec.clock_hz,)
        if payload.clock_hz in clocks and (key == "opus" or payload.channels == 1):
            return key
    return None


def find_event(choices: Iterable[Payload], clock_hz: int) -> Payload | None:
    """Telephone-event at a codec's clock; another clock would break its timestamps."""
    for payload in choices:
        if payload.name.lower() == EVENT and payload.clock_hz == clock_hz:
            return payload
    return None


def find_comfort_noise(choices: Iterable[Payload], srate_hz: int) -> Payload | None:
    """Comfort noise, where the audio has 8000 Hz (RFC 3389 §5)."""
    for payload in choices:
        if payload.name.upper() == COMFORT_NOISE and payload.clock_hz == 8000 == srate_hz:
            return payload
    return None


def attributes_of(payload: Payload) -> Iterator[Attribute]:
    """The rtpmap and fmtp lines."""
    channels = f"/{payload.channels}" if payload.channels > 1 else ""
    mapped = f"{payload.number} {payload.name}/{payload.clock_hz}{channels}"
    yield Attribute("rtpmap", mapped)
    if payload.fmtp:
        yield Attribute("fmtp", f"{payload.number} {payload.fmtp}")


def our_payloads(
    names: Iterable[str], events: bool, comfort_noise: bool, earlier: Iterable[Payload] = ()
) -> list[Payload]:
    """What we offer. earlier: types with a meaning in this session; they keep it (RFC 3264 §8.3.2).

    Types of one meaning keep its first number, and no number gets a second meaning.
    """
    numbers: dict[tuple[str, int], int] = {}
    used = set()
    for payload in earlier:
        numbers.setdefault((payload.name.lower(), payload.clock_hz), payload.number)
        used.add(payload.number)

    def numbered(name: str, clock_hz: int, usual: int) -> int:
        key = (name.lower(), clock_hz)
        if key not in numbers:
            free = (n for n in (usual, *_DYNAMIC) if n not in used or n < _DYNAMIC[0])
            numbers[key] = next(free, usual)
            used.add(numbers[key])
        return numbers[key]

    codecs = [codec_named(name) for name in names]
    offered = [
        Payload(numbered(c.name, c.clock_hz, c.usual), c.name, c.clock_hz, c.channels, c.fmtp)
        for c in codecs
    ]
    if comfort_noise and any(c.srate_hz == 8000 for c in codecs):
        offered.append(Payload(numbered(COMFORT_NOISE, 8000, CN_TYPE), COMFORT_NOISE, 8000))
    if events:
        for clock_hz in dict.fromkeys(c.clock_hz for c in codecs):
            number = numbered(EVENT, clock_hz, _USUAL_EVENTS[clock_hz])
            offered.append(Payload(number, EVENT, clock_hz, fmtp=EVENT_CODES))
    return offered


def _rtpmaps(media: Media) -> Iterator[tuple[int, tuple[str, int, int]]]:
    for number, text in _numbered_values(media, "rtpmap"):
        name, *rest = text.strip().split("/")
        clock = _number(rest[0], 1_000_000) if rest else None
        channels = _number(rest[1], 255) if len(rest) > 1 else 1
        if name and clock:
            yield number, (name, clock, channels or 1)


def _fmtps(media: Media) -> Iterator[tuple[int, str]]:
    return _numbered_values(media, "fmtp")


def _numbered_values(media: Media, attribute: str) -> Iterator[tuple[int, str]]:
    for each in media.attributes:
        if each.name.lower() == attribute and each.value is not None:
            first, _, rest = each.value.partition(" ")
            number = _number(first, 127)
            if number is not None:
                yield number, rest.strip()


def _number(text: str, most: int) -> int | None:
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= 7 and int(text) <= most:
        return int(text)
    return None
