"""Just enough RTP to be a far end that shares no code with the core."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

_HEADER: Final = struct.Struct(">BBHII")
VERSION: Final = 0x80


class Packet(NamedTuple):
    """A packet without CSRC and extension. seq and timestamp as on the wire."""

    payload_type: int
    seq: int
    timestamp: int
    payload: bytes


def parse(datagram: bytes) -> Packet | None:
    """Read one packet; None when it is RTCP or has what this far end never gets."""
    if len(datagram) < _HEADER.size or datagram[0] != VERSION:
        return None
    _, second, seq, timestamp, _ = _HEADER.unpack_from(datagram)
    payload_type = second & 0x7F
    if 64 <= payload_type < 96:  # RFC 5761 §4
        return None
    return Packet(payload_type, seq, timestamp, datagram[_HEADER.size :])


def build(payload_type: int, seq: int, timestamp: int, payload: bytes, ssrc: int = 0x5EED) -> bytes:
    """One packet of a stream."""
    header = _HEADER.pack(VERSION, payload_type, seq & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    return header + payload


def track(packets: Iterable[Packet], payload_type: int, silence: int) -> bytearray:
    """One G.711 stream laid out by timestamp, from its first packet on.

    silence: the code of a silent sample, for what is missing. Packets of another payload type
    and those older than the first are left out.
    """
    out = bytearray()
    first: int | None = None
    for packet in packets:
        if packet.payload_type != payload_type:
            continue
        if first is None:
            first = packet.timestamp
        at = (packet.timestamp - first) & 0xFFFFFFFF
        if at > 0x7FFFFFFF:
            continue
        out += bytes([silence]) * (at - len(out))
        out[at : at + len(packet.payload)] = packet.payload
    return out
