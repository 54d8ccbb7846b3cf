"""Asterisk in a folder of its own (tools/install_peers.sh asterisk DIR), run by chroot.

What Asterisk is told is what docs/asterisk.md tells its readers: the blocks of that file, with
the ports of this run. Only modules and the phones' side are added here.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from support.peers.process import LOOPBACK, Program, free_port, need_program

VARIABLE: Final = "MEDIACORE_ASTERISK"
MISSING: Final = (
    f"no Asterisk: tools/install_peers.sh asterisk DIR && {VARIABLE}=DIR pytest "
    "tests/integration/test_asterisk.py"
)
GUIDE: Final = Path(__file__).parents[3] / "docs" / "asterisk.md"
_BLOCK: Final = re.compile(r"^```\w+\n(?:;|#) (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_START: Final = (
    'mount -t proc proc "$1/proc" && mount --bind "$2" "$1/mnt" && '
    'exec chroot "$1" /usr/sbin/asterisk -f -n -C /mnt/etc/asterisk.conf'
)


def chroot() -> Path | None:
    """The folder that the environment names; None = none, or not to be used by this user."""
    named = os.environ.get(VARIABLE)
    root = Path(named) if named else None
    if root is None or os.geteuid() != 0 or not (root / "usr/sbin/asterisk").exists():
        return None
    return root.resolve()


def guide() -> Mapping[str, str]:
    """Files that the guide shows: its fenced blocks by the name in their first line. Blocks of one
    name belong together."""
    files: dict[str, str] = {}
    for name, text in _BLOCK.findall(GUIDE.read_text(encoding="utf-8")):
        files[name] = files.get(name, "") + text + "\n"
    return files


@dataclass(frozen=True)
class Ports:
    """Of this run. sip, http: Asterisk's. The others are where mediacore listens."""

    sip: int
    http: int
    agent: int
    audiosocket: int
    streams: int
    rtp: int

    @classmethod
    def free(cls) -> Ports:
        tcp = socket.SOCK_STREAM
        return cls(
            sip=free_port(),
            http=free_port(tcp),
            agent=free_port(),
            audiosocket=free_port(tcp),
            streams=free_port(tcp),
            rtp=free_port(even=True),
        )

    def into(self, text: str) -> str:
        """The text with these ports in place of those of the guide."""
        mine = dict(zip(astuple(_GUIDE), astuple(self), strict=True))
        known = "|".join(map(str, mine))
        return re.sub(rf"\b(?:{known})\b", lambda found: str(mine[int(found[0])]), text)


_GUIDE: Final = Ports(5060, 8088, 5070, 9092, 8765, 40000)


class Asterisk:
    """One run. folder: its configuration, sockets and logs. Use as a context."""

    def __init__(self, root: Path, folder: Path, ports: Ports) -> None:
        self.ports = ports
        self.folder = folder
        for name in ("etc", "lib", "run", "log", "spool", "music"):
            (folder / name).mkdir(parents=True)
        (folder / "spool" / "monitor").mkdir()
        for name, text in self._files(root).items():
            (folder / "etc" / name).write_text(text)
        self.program = Program(
            "unshare", ["--mount", "sh", "-c", _START, "sh", str(root), str(folder)], folder
        )

    def _files(self, root: Path) -> dict[str, str]:
        files = {
            name: self.ports.into(text) for name, text in guide().items() if name in _FROM_GUIDE
        }
        modules = next((root / "usr/lib").glob("*/asterisk/modules")).relative_to(root)
        files["asterisk.conf"] = _ASTERISK.format(modules=modules)
        files["modules.conf"] = "[modules]\nautoload = no\n" + "".join(
            f"load = {name}.so\n" for name in _MODULES.split()
        )
        files["logger.conf"] = "[logfiles]\nmessages => notice,warning,error,verbose(3)\n"
        files["musiconhold.conf"] = "[default]\nmode = files\ndirectory = /mnt/music\n"
        files["rtp.conf"] = "[general]\nrtpstart = 30000\nrtpend = 31999\n"
        files["pjsip.conf"] += _PHONES
        files["extensions.conf"] += _TARGETS
        files["websocket_client.conf"] += _STRANGER.format(port=self.ports.streams)
        return files

    def __enter__(self) -> Self:
        self.program.__enter__()
        try:
            self.program.until(self._booted, 30, "a full boot")
        except AssertionError as error:
            self.program.__exit__()
            raise AssertionError(f"{error}\n{self.log()}") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.program.__exit__()

    def _booted(self) -> bool:
        return "fully booted" in self._console("core waitfullybooted").stdout

    def _console(self, command: str) -> subprocess.CompletedProcess[str]:
        into = ["-t", str(self.program.pid), "-m", "-r", "--"]
        asterisk = ["/usr/sbin/asterisk", "-n", "-C", "/mnt/etc/asterisk.conf", "-rx", command]
        return subprocess.run(
            [need_program("nsenter"), *into, *asterisk],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def console(self, command: str) -> str:
        """What `asterisk -rx COMMAND` prints."""
        done = self._console(command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}\n{self.log()}"
        return done.stdout

    def channels(self) -> list[str]:
        """Names of those that are up."""
        lines = self.console("core show channels concise").splitlines()
        return [line.split("!")[0] for line in lines if "!" in line]

    def set(self, name: str, value: object) -> None:
        """A global variable of the dialplan."""
        self.console(f"dialplan set global {name} {value}")

    def uri(self, extension: str) -> str:
        """What phones dial."""
        return f"sip:{extension}@{LOOPBACK}:{self.ports.sip}"

    def log(self) -> str:
        """The end of what it wrote."""
        file = self.folder / "log" / "messages"
        return file.read_text(errors="replace")[-6000:] if file.exists() else ""


_FROM_GUIDE: Final = (
    *("extensions.conf", "pjsip.conf", "websocket_client.conf", "http.conf", "ari.conf"),
)
_ASTERISK: Final = """[directories]
astetcdir => /mnt/etc
astmoddir => /{modules}
astvarlibdir => /mnt/lib
astdbdir => /mnt/lib
astkeydir => /mnt/lib
astdatadir => /usr/share/asterisk
astspooldir => /mnt/spool
astrundir => /mnt/run
astlogdir => /mnt/log
"""
_PHONES: Final = """
[anonymous]
type = endpoint
transport = udp
context = from-phones
disallow = all
allow = ulaw
direct_media = no

[passthrough]
type = endpoint
transport = udp
context = from-mediacore
aors = mediacore
disallow = all
allow = ulaw
direct_media = no
moh_passthrough = yes
"""
_STRANGER: Final = """
[stranger]
type = websocket_client
connection_type = per_call_config
uri = ws://127.0.0.1:{port}/asterisk
protocols = media
username = asterisk
password = guessed
reconnect_attempts = 1
"""
_TARGETS: Final = f"""
[from-phones]
exten => _7XXX!,1,Goto(to-mediacore,${{EXTEN}},1)
exten => bob,1,Dial(PJSIP/anonymous/sip:bob@{LOOPBACK}:${{BOB}})
exten => echo,1,Answer()
 same => n,Echo()
exten => 8004,1,Dial(PJSIP/agent@passthrough)
exten => 8002,1,Dial(WebSocket/stranger/c(ulaw)n)

[outbound]
exten => _+X.,1,Goto(from-phones,bob,1)
"""
_MODULES: Final = """
res_timing_timerfd res_sorcery_config res_sorcery_memory res_sorcery_astdb res_pjproject
res_http_websocket res_websocket_client res_audiosocket res_musiconhold res_rtp_asterisk
res_pjsip res_pjsip_session res_pjsip_sdp_rtp res_pjsip_endpoint_identifier_ip
res_pjsip_endpoint_identifier_anonymous res_pjsip_caller_id res_pjsip_dtmf_info
res_pjsip_authenticator_digest res_pjsip_outbound_authenticator_digest res_pjsip_refer
res_pjsip_rfc3326 res_pjsip_nat res_pjsip_pubsub chan_pjsip
chan_audiosocket chan_websocket res_rtp_multicast chan_rtp app_audiosocket
bridge_simple bridge_native_rtp bridge_softmix bridge_holding
app_dial app_echo app_playback app_transfer app_verbose app_stasis res_clioriginate
func_uuid func_channel func_callerid func_global func_logic func_strings pbx_config
res_stasis res_stasis_answer res_stasis_recording res_stasis_playback res_stasis_snoop
res_ari res_ari_model res_ari_events res_ari_channels res_ari_bridges
codec_ulaw codec_alaw codec_resample codec_g722 format_wav format_pcm format_sln
"""
