"""The traffic generator SIPp (Debian's sip-tester), with its scenarios written out here."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from support.peers.process import LOOPBACK, Program, free_port

_HEAD = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="mediacore">
"""
_REQUEST = """
  <send {options}><![CDATA[
{method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>{to}
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
{more}Content-Length: [len]
{body}
]]></send>
"""
_SDP = """Content-Type: application/sdp
"""
_SDP_BODY = """
v=0
o=sipp 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
"""


def _request(
    method: str, cseq: int, *, to: bool = True, sdp: bool = False, options: str = "", more: str = ""
) -> str:
    return _REQUEST.format(
        method=method,
        cseq=cseq,
        to="[peer_tag_param]" if to else "",
        more=more + (_SDP if sdp else ""),
        body=_SDP_BODY if sdp else "",
        options=options,
    )


def call_with_audio(speech: Path | None, talk_ms: int) -> str:
    """INVITE, ACK, PCMU of a raw µ-law file for `talk_ms`, BYE."""
    play = ""
    if speech is not None:
        play = f'<nop><action><exec rtp_stream="{speech},1,0"/></action></nop>\n'
    return (
        _HEAD
        + _request("INVITE", 1, to=False, sdp=True, options='retrans="500"')
        + '<recv response="100" optional="true"/>\n<recv response="180" optional="true"/>\n'
        + '<recv response="183" optional="true"/>\n<recv response="200" rtd="true"/>\n'
        + _request("ACK", 1)
        + play
        + f'<pause milliseconds="{talk_ms}"/>\n'
        + _request("BYE", 2, options='retrans="500"')
        + '<recv response="200"/>\n</scenario>\n'
    )


def call_without_ack(wait_ms: int) -> str:
    """INVITE, and never an ACK: repeated 200s, then the other side's BYE."""
    return (
        _HEAD
        + _request("INVITE", 1, to=False, sdp=True, options='retrans="500"')
        + '<recv response="100" optional="true"/>\n<recv response="180" optional="true"/>\n'
        + '<recv response="200"/>\n'
        + f'<recv request="BYE" timeout="{wait_ms}"/>\n</scenario>\n'
    )


def call_cancelled(after_ms: int) -> str:
    """INVITE, CANCEL while it rings."""
    cancel = _request("CANCEL", 1, to=False).replace("branch=[branch]", "branch=[branch-4]")
    return (
        _HEAD
        + _request("INVITE", 1, to=False, sdp=True, options='retrans="500"')
        + '<recv response="100" optional="true"/>\n<recv response="180"/>\n'
        + f'<pause milliseconds="{after_ms}"/>\n'
        + cancel
        + '<recv response="200"/>\n<recv response="487"/>\n'
        + _request("ACK", 1).replace("branch=[branch]", "branch=[branch-7]")
        + "</scenario>\n"
    )


def call_refused(status: int) -> str:
    """INVITE, which is refused with this status."""
    ack = _request("ACK", 1).replace("branch=[branch]", "branch=[branch-4]")
    return (
        _HEAD
        + _request("INVITE", 1, to=False, sdp=True, options='retrans="500"')
        + '<recv response="100" optional="true"/>\n<recv response="180" optional="true"/>\n'
        + f'<recv response="{status}"/>\n{ack}</scenario>\n'
    )


def call_until_bye(wait_ms: int) -> str:
    """INVITE, ACK, and then the other side's BYE."""
    return (
        call_without_ack(wait_ms)
        .replace('<recv request="BYE"', _request("ACK", 1) + '<recv request="BYE"')
        .replace("</scenario>", _reply("200 OK") + "</scenario>")
    )


def refusal(status: str) -> str:
    """The other side: a phone that answers an INVITE with "486 Busy Here" or the like."""
    answer = _reply(status, ";tag=[pid]SIPp[call_number]")
    return _HEAD + f'<recv request="INVITE"/>\n{answer}<recv request="ACK"/>\n</scenario>\n'


def _reply(status: str, to: str = "") -> str:
    return f"""
  <send><![CDATA[
SIP/2.0 {status}
[last_Via:]
[last_From:]
[last_To:]{to}
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
"""


@dataclass(frozen=True)
class Result:
    """Of one run."""

    exit_code: int
    successful: int
    failed: int
    retransmitted: int


class Sipp:
    """One run of SIPp as caller. arguments: more of its own, e.g. ("-l", "50", "-r", "25")."""

    def __init__(
        self, target: str, scenario: str, folder: Path, *arguments: str, calls: int = 1
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "scenario.xml").write_text(scenario)
        self._folder = folder
        self._program = Program(
            "sipp",
            [
                *(target, "-sf", "scenario.xml", "-m", str(calls), "-nostdin"),
                *("-i", LOOPBACK, "-mi", LOOPBACK, "-p", str(free_port())),
                *("-trace_err", "-error_file", "errors.log", "-trace_stat", "-stf", "stat.csv"),
                *("-fd", "1", *arguments),
            ],
            folder,
        )

    def __enter__(self) -> Sipp:
        self._program.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._program.__exit__(*exc_info)

    def wait(self, timeout_s: float) -> Result:
        """Wait for all calls."""
        code = self._program.wait(timeout_s)
        with (self._folder / "stat.csv").open() as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        return Result(
            code,
            int(last["SuccessfulCall(C)"]),
            int(last["FailedCall(C)"]),
            int(last["Retransmissions(C)"]),
        )

    def errors(self) -> str:
        """What it complained about."""
        path = self._folder / "errors.log"
        return path.read_text(errors="replace") if path.exists() else ""
