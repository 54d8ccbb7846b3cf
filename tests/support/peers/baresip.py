"""The phone baresip (Debian's baresip-core), with a file as microphone and remote control."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.peers.process import LOOPBACK, Program, free_port

MODULES = Path("/usr/lib/baresip/modules")
_LOADED = (
    *("account", "g711", "g722", "l16", "opus", "aufile", "sndfile", "srtp", "dtls_srtp"),
    *("ctrl_tcp", "menu", "cons", "uuid", "stun", "ice"),
)


@dataclass(frozen=True)
class Settings:
    """microphone: WAV at the codec's rate; the phone hangs up at its end. account: parameters of
    the account line after the address, e.g. "mediaenc=srtp-mand". tls: (own certificate with its
    key, the authority's certificate)."""

    microphone: Path
    user: str = "phone"
    codecs: str = "PCMU/8000/1"
    account: tuple[str, ...] = ()
    answer: bool = True
    config: Mapping[str, str] | None = None
    tls: tuple[Path, Path] | None = None


class Baresip:
    """One phone. Use as a context; `heard()` after the call gives what it recorded."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port(even=True)
        self.uri = f"sip:{settings.user}@{LOOPBACK}:{self.port}"
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._control = free_port(socket.SOCK_STREAM)
        self._keys = free_port()
        self._replies: queue.Queue[dict[str, Any]] = queue.Queue()
        self._token = 0
        (folder / "heard").mkdir(exist_ok=True)
        (folder / "config").write_text(self._config(settings))
        answer = "auto" if settings.answer else "manual"
        parameters = ("regint=0", f"audio_codecs={settings.codecs}", f"answermode={answer}")
        if not any(p.startswith("regint") for p in settings.account):
            account = (*parameters, *settings.account)
        else:
            account = (*parameters[1:], *settings.account)
        (folder / "accounts").write_text(f"<{self.uri}>;{';'.join(account)}\n")
        (folder / "contacts").write_text("")
        self.program = Program("baresip", ["-f", str(folder), "-v"], folder)

    def _config(self, settings: Settings) -> str:
        rate = settings.codecs.split("/")[1] if "/" in settings.codecs else "8000"
        own = {
            "poll_method": "epoll",
            "net_interface": LOOPBACK,
            "sip_listen": f"{LOOPBACK}:{self.port}",
            "audio_source": f"aufile,{settings.microphone}",
            "audio_player": "aufile,/dev/null",
            "audio_alert": "aufile,/dev/null",
            "ausrc_srate": "16000" if settings.codecs.startswith("G722") else rate,
            "auplay_srate": "16000" if settings.codecs.startswith("G722") else rate,
            "ctrl_tcp_listen": f"{LOOPBACK}:{self._control}",
            "cons_listen": f"{LOOPBACK}:{self._keys}",
            "snd_path": str(self.folder / "heard"),
            "audio_jitter_buffer_type": "fixed",
            "audio_jitter_buffer_delay": "3-8",
            "rtp_stats": "yes",
        }
        if settings.tls is not None:
            certificate, authority = settings.tls
            own["sip_certificate"] = str(certificate)
            own["sip_cafile"] = str(authority)
        own.update(settings.config or {})
        lines = [f"{key}\t\t{value}" for key, value in own.items()]
        lines += [f"module_path\t\t{MODULES}"]
        lines += [f"module{'_app' if m in _APPS else ''}\t\t{m}.so" for m in _LOADED]
        return "\n".join(lines) + "\n"

    def __enter__(self) -> Self:
        self.program.__enter__()
        try:
            self.program.until(self._connect, 10, "its remote control")
        except AssertionError:
            self.program.__exit__()
            raise
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()
        self.program.__exit__(kind, error, trace)
        self._reader.join(5)

    def _connect(self) -> bool:
        try:
            self._socket = socket.create_connection((LOOPBACK, self._control), 1)
        except OSError:
            return False
        self._socket.settimeout(None)
        return True

    def _read(self) -> None:
        """Netstrings: events and responses."""
        data = b""
        while True:
            try:
                more = self._socket.recv(65536)
            except OSError:
                return
            if not more:
                return
            data += more
            while b":" in data:
                length, _, rest = data.partition(b":")
                size = int(length)
                if len(rest) < size + 1:
                    break
                message = json.loads(rest[:size])
                data = rest[size + 1 :]
                (self.events if message.get("event") else self._replies).put(message)

    def command(self, name: str, parameters: str = "") -> dict[str, Any]:
        """Run a command of its menu; the response, which must say ok."""
        self._token += 1
        asked = {"command": name, "params": parameters, "token": str(self._token)}
        body = json.dumps(asked).encode()
        self._socket.sendall(b"%d:%s," % (len(body), body))
        reply = self._replies.get(timeout=5)
        assert reply.get("ok"), f"{name}: {reply}"
        return reply

    def dial(self, uri: str) -> None:
        self.command("dial", uri)

    def hangup(self) -> None:
        self.command("hangup")

    def hold(self) -> None:
        self.command("hold")

    def resume(self) -> None:
        self.command("resume")

    def transfer(self, uri: str) -> None:
        """Blind."""
        self.command("transfer", uri)

    def press(self, digits: str) -> None:
        """Keys, by its console; then all keys up."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as keys:
            for digit in digits:
                keys.sendto(digit.encode(), (LOOPBACK, self._keys))
                threading.Event().wait(0.15)
                keys.sendto(b"\x04", (LOOPBACK, self._keys))
                threading.Event().wait(0.1)

    def expect(self, kind: str, timeout_s: float = 10) -> dict[str, Any]:
        """The next event of a type such as CALL_ESTABLISHED; others before it are dropped."""
        seen: list[str] = []
        while True:
            try:
                event = self.events.get(timeout=timeout_s)
            except queue.Empty:
                raise AssertionError(
                    f"no {kind} in {timeout_s} s, only {seen}:\n{self.program.output()[-3000:]}"
                ) from None
            if event.get("type") == kind:
                return event
            seen.append(str(event.get("type")))

    def heard(self) -> Path:
        """The newest recording of what it received."""
        return self._recording("dec")

    def said(self) -> Path:
        """The newest recording of what it sent."""
        return self._recording("enc")

    def _recording(self, kind: str) -> Path:
        files = (self.folder / "heard").glob(f"*-{kind}.wav")
        found = sorted(files, key=lambda p: p.stat().st_mtime)
        assert found, f"no recording in {self.folder / 'heard'}:\n{self.program.output()[-3000:]}"
        return found[-1]


_APPS = {"account", "menu", "ctrl_tcp"}
