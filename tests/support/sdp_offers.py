"""Offers in the shapes that phones, exchanges and carriers write, with what they must lead to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

KEY_A = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"
"""30 bytes of the letter A, as a key line has them."""
KEY_B = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC"


@dataclass(frozen=True)
class Offer:
    """name, text and the fields of `Agreed` that our default terms must give; None = refused."""

    name: str
    text: str
    expect: dict[str, Any] | None = field(default_factory=dict)
    ports: tuple[int, ...] = (4000,)
    """Ports of our answer's m= lines; the stream has 4000."""


def _crlf(text: str) -> str:
    return text.strip().replace("\n", "\r\n") + "\r\n"


OFFERS = (
    Offer(
        "baresip",
        _crlf("""
v=0
o=- 3971550613 1275303417 IN IP4 192.0.2.10
s=-
c=IN IP4 192.0.2.10
t=0 0
a=tool:baresip 1.0.0
m=audio 17212 RTP/AVP 0 8 101
b=AS:125
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtcp:17213
a=sendrecv
a=label:1
a=rtcp-rsize
a=ptime:20
"""),
        {"codec": "PCMU", "payload_type": 0, "event_payload_type": 101, "cn_payload_type": 0},
    ),
    Offer(
        "pjsip with optional keys",
        _crlf(f"""
v=0
o=- 3940000000 3940000000 IN IP4 192.0.2.11
s=pjmedia
b=AS:117
t=0 0
a=X-nat:0
m=audio 40004 RTP/AVP 98 97 99 9 8 0 3 96
c=IN IP4 192.0.2.11
b=TIAS:96000
a=rtcp:40005 IN IP4 192.0.2.11
a=sendrecv
a=rtpmap:98 speex/16000
a=rtpmap:97 speex/8000
a=rtpmap:99 speex/32000
a=rtpmap:9 G722/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:3 GSM/8000
a=rtpmap:96 telephone-event/8000
a=fmtp:96 0-16
a=ssrc:1234567 cname:52ae1b5c01a7d4f0
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_A}
a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:{KEY_B}
"""),
        {"codec": "G722", "payload_type": 9, "event_payload_type": 96, "srtp": None},
    ),
    Offer(
        "asterisk",
        _crlf("""
v=0
o=- 1186921743 1186921743 IN IP4 192.0.2.12
s=Asterisk
c=IN IP4 192.0.2.12
t=0 0
m=audio 11234 RTP/AVP 8 0 107 118 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:107 opus/48000/2
a=fmtp:107 useinbandfec=1
a=rtpmap:118 L16/16000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:60
a=sendrecv
"""),
        {"codec": "PCMA", "payload_type": 8, "event_payload_type": 101, "ptime_ms": 20},
    ),
    Offer(
        "freeswitch with comfort noise and long packets",
        _crlf("""
v=0
o=FreeSWITCH 1700000000 1700000001 IN IP4 192.0.2.13
s=FreeSWITCH
c=IN IP4 192.0.2.13
t=0 0
m=audio 24580 RTP/AVP 0 8 3 101 13
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:3 GSM/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtpmap:13 CN/8000
a=ptime:30
"""),
        {"codec": "PCMU", "cn_payload_type": 13, "ptime_ms": 30},
    ),
    Offer(
        "carrier, static types without maps, media-level address",
        _crlf("""
v=0
o=SBC 123456 1 IN IP4 198.51.100.7
s=sip call
t=0 0
m=audio 36708 RTP/AVP 18 8 0 100
c=IN IP4 198.51.100.9
a=fmtp:18 annexb=no
a=rtpmap:100 telephone-event/8000
a=fmtp:100 0-15
a=maxptime:40
a=ptime:60
"""),
        {
            "codec": "PCMA",
            "event_payload_type": 100,
            "ptime_ms": 40,
            "remote": ("198.51.100.9", 36708),
        },
    ),
    Offer(
        "opus phone with video and AVPF",
        _crlf("""
v=0
o=alice 2890 3190 IN IP4 192.0.2.14
s=Talk
c=IN IP4 192.0.2.14
t=0 0
a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics
m=video 9078 RTP/AVPF 96
a=rtpmap:96 VP8/90000
m=audio 7078 RTP/AVPF 96 97 0 101 98
a=rtpmap:96 opus/48000/2
a=fmtp:96 useinbandfec=1
a=rtpmap:97 speex/16000
a=rtpmap:101 telephone-event/48000
a=rtpmap:98 telephone-event/8000
a=rtcp-fb:* trr-int 1000
a=rtcp-mux
"""),
        {"codec": "opus", "payload_type": 96, "event_payload_type": 101, "rtcp": 1},
        ports=(0, 4000),
    ),
    Offer(
        "plain text editor's offer: LF alone, no s= and t=, trailing blanks",
        "v=0 \no=Front Desk 1 1 IN IP4 192.0.2.15  \nc=IN IP4 192.0.2.15 \n"
        "m=audio  5004  RTP/AVP 0 \na=ptime:20.0\n\n",
        {"codec": "PCMU", "ptime_ms": 20, "remote": ("192.0.2.15", 5004)},
    ),
    Offer(
        "hold by sendonly",
        _crlf("""
v=0
o=- 5 6 IN IP4 192.0.2.16
s=-
c=IN IP4 192.0.2.16
t=0 0
m=audio 6000 RTP/AVP 8
a=sendonly
"""),
        {"send": False, "receive": True},
    ),
    Offer(
        "hold by inactive at the session",
        _crlf("""
v=0
o=- 5 7 IN IP4 192.0.2.16
s=-
c=IN IP4 192.0.2.16
t=0 0
a=inactive
m=audio 6000 RTP/AVP 8
"""),
        {"send": False, "receive": False},
    ),
    Offer(
        "hold by address",
        _crlf("""
v=0
o=CiscoSystemsSIP-GW-UserAgent 1 2 IN IP4 192.0.2.17
s=SIP Call
c=IN IP4 0.0.0.0
t=0 0
m=audio 6000 RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
"""),
        {"send": False, "receive": True, "remote": None},
    ),
    Offer(
        "own direction of the stream wins over the session's",
        _crlf("""
v=0
o=- 5 8 IN IP4 192.0.2.16
s=-
c=IN IP4 192.0.2.99
t=0 0
a=inactive
m=audio 6000 RTP/AVP 8
c=IN IP4 192.0.2.16
a=recvonly
"""),
        {"send": True, "receive": False, "remote": ("192.0.2.16", 6000)},
    ),
    Offer(
        "keys demanded",
        _crlf(f"""
v=0
o=- 5 9 IN IP4 192.0.2.18
s=-
c=IN IP4 192.0.2.18
t=0 0
m=audio 6000 RTP/SAVP 0
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_A}|2^20|1:4
a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{KEY_B}|2^31
"""),
        None,
    ),
    Offer(
        "browser",
        _crlf("""
v=0
o=- 4611732 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
m=audio 9 UDP/TLS/RTP/SAVPF 111 0
c=IN IP4 0.0.0.0
a=fingerprint:sha-256 AA:BB
a=setup:actpass
a=mid:0
a=rtcp-mux
"""),
        None,
    ),
    Offer(
        "fax",
        _crlf("""
v=0
o=- 5 10 IN IP4 192.0.2.19
s=-
c=IN IP4 192.0.2.19
t=0 0
m=image 4020 udptl t38
a=T38FaxVersion:0
m=audio 0 RTP/AVP 0
"""),
        None,
    ),
    Offer(
        "codecs of another world",
        _crlf("""
v=0
o=- 5 11 IN IP4 192.0.2.20
s=-
c=IN IP4 192.0.2.20
t=0 0
m=audio 4020 RTP/AVP 18 97
a=rtpmap:97 AMR/8000
"""),
        None,
    ),
    Offer(
        "IPv6",
        _crlf("""
v=0
o=- 5 12 IN IP6 2001:db8::20
s=-
c=IN IP6 2001:db8::20
t=0 0
m=audio 4020 RTP/AVP 0
"""),
        None,
    ),
)
