"""Payload types and the numbers that we offer."""

from __future__ import annotations

import pytest

from mediacore.errors import ConfigError
from mediacore.wire.sdp.model import Attribute, Media
from mediacore.wire.sdp.payloads import (
    CODECS,
    Payload,
    attributes_of,
    codec_named,
    codec_of,
    find_comfort_noise,
    find_event,
    our_payloads,
    payloads,
)

ALL = tuple(CODECS)


def stream(formats: str, *attributes: tuple[str, str]) -> Media:
    made = tuple(Attribute(name, value) for name, value in attributes)
    return Media("audio", 4, "RTP/AVP", tuple(formats.split()), attributes=made)


def test_static_types_need_no_map() -> None:
    found = payloads(stream("0 3 4 8 9 13 18 99"))
    assert [(p.number, p.name) for p in found] == [
        (0, "PCMU"),
        (3, "GSM"),
        (4, "G723"),
        (8, "PCMA"),
        (9, "G722"),
        (13, "CN"),
        (18, "G729"),
    ]


def test_maps_win_and_broken_ones_do_not_count() -> None:
    media = stream(
        "96 0 97 98 99 100 128 x 96 101",
        ("rtpmap", "96 opus/48000/2"),
        ("fmtp", "96 stereo=1; usedtx=1"),
        ("fmtp", "x y"),
        ("rtpmap", "0 PCMA/8000"),
        ("rtpmap", "97 L16"),
        ("rtpmap", "98 L16/x"),
        ("rtpmap", "99 L16/16000/x"),
        ("rtpmap", "nothing"),
        ("rtpmap", "128 L16/8000"),
        ("rtpmap", "102 L16/8000"),
    )
    assert payloads(media, [Payload(101, "telephone-event", 8000)]) == [
        Payload(96, "opus", 48000, 2, "stereo=1; usedtx=1"),
        Payload(0, "PCMA", 8000),
        Payload(99, "L16", 16000),
        Payload(101, "telephone-event", 8000),
    ]


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (Payload(0, "pcmu", 8000), "PCMU"),
        (Payload(9, "G722", 8000), "G722"),
        (Payload(9, "G722", 16000), "G722"),
        (Payload(96, "OPUS", 48000, 2), "opus"),
        (Payload(96, "opus", 48000), "opus"),
        (Payload(96, "opus", 16000), None),
        (Payload(11, "L16", 44100), None),
        (Payload(96, "L16", 16000), "L16/16000"),
        (Payload(96, "L16", 16000, 2), None),
        (Payload(0, "PCMU", 16000), None),
        (Payload(18, "G729", 8000), None),
    ],
)
def test_codecs_are_known_by_name_clock_and_channels(payload: Payload, name: str | None) -> None:
    assert codec_of(payload, ALL) == name
    assert codec_of(payload, ()) is None


def test_events_and_comfort_noise_follow_the_clock() -> None:
    types = [Payload(101, "Telephone-Event", 8000), Payload(110, "telephone-event", 48000)]
    assert find_event(types, 48000) == types[1] and find_event(types, 16000) is None
    noise = [Payload(98, "CN", 16000), Payload(13, "CN", 8000)]
    assert find_comfort_noise(noise, 8000) == noise[1]
    assert find_comfort_noise(noise, 16000) is None


def test_a_first_offer_uses_the_usual_numbers() -> None:
    offered = our_payloads(["opus", "G722", "PCMU"], events=True, comfort_noise=True)
    assert [(p.number, p.name, p.clock_hz) for p in offered] == [
        (111, "opus", 48000),
        (9, "G722", 8000),
        (0, "PCMU", 8000),
        (13, "CN", 8000),
        (110, "telephone-event", 48000),
        (101, "telephone-event", 8000),
    ]
    assert [a.line() for a in attributes_of(offered[0])] == [
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 useinbandfec=1",
    ]
    bare = our_payloads(["G722"], events=False, comfort_noise=True)
    assert [p.number for p in bare] == [9]


def test_numbers_keep_their_meaning() -> None:
    earlier = [Payload(111, "telephone-event", 8000), Payload(96, "speex", 8000)]
    offered = our_payloads(["opus", "PCMU"], True, False, earlier)
    numbers = {(p.name, p.clock_hz): p.number for p in offered}
    assert numbers["telephone-event", 8000] == 111
    assert numbers["opus", 48000] == 97
    assert len(set(numbers.values())) == len(numbers)


def test_an_unknown_codec_is_named() -> None:
    with pytest.raises(ConfigError, match="there are opus, G722"):
        codec_named("speex")
