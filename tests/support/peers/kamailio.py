"""Kamailio at the edge: registrar and dispatcher, with or without rtpengine."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from support.peers.process import LOOPBACK, Program, free_port, need_program

_CONFIG = """
debug=2
log_stderror=yes
fork=yes
children=2
enable_tls=no
disable_tcp=no
tcp_children=1
listen=udp:{host}:{port}
listen=tcp:{host}:{port}
mpath="{modules}"
loadmodule "kex.so"
loadmodule "corex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "dispatcher.so"
loadmodule "jsonrpcs.so"
loadmodule "ctl.so"
{rtpengine_load}
modparam("ctl", "binrpc", "tcp:{host}:{ctl}")
modparam("jsonrpcs", "transport", 0)
modparam("tm", "fr_timer", 2000)
modparam("tm", "fr_inv_timer", 60000)
modparam("tm", "auto_inv_100", 1)
modparam("usrloc", "db_mode", 0)
modparam("dispatcher", "list_file", "{folder}/dispatcher.list")
modparam("dispatcher", "flags", 2)
modparam("dispatcher", "xavp_dst", "_dsdst_")
modparam("dispatcher", "xavp_ctx", "_dsctx_")
modparam("dispatcher", "ds_ping_interval", 1)
modparam("dispatcher", "ds_probing_mode", 1)
modparam("dispatcher", "ds_probing_threshold", 1)
modparam("dispatcher", "ds_inactive_threshold", 1)
modparam("dispatcher", "ds_ping_reply_codes", "class=2")
modparam("rr", "enable_full_lr", 1)

request_route {{
	if (!mf_process_maxfwd_header("10")) {{
		sl_send_reply("483", "Too Many Hops");
		exit;
	}}
	if (is_method("OPTIONS") && uri==myself && $rU==$null) {{
		sl_send_reply("200", "OK");
		exit;
	}}
	if (is_method("CANCEL")) {{
		if (t_check_trans()) t_relay();
		exit;
	}}
	if (has_totag()) {{
		if (loose_route()) {{
			route(MEDIA);
			t_relay();
		}} else if (is_method("ACK")) {{
			if (t_check_trans()) t_relay();
		}} else {{
			sl_send_reply("404", "Not Here");
		}}
		exit;
	}}
	t_check_trans();
	if (is_method("REGISTER")) {{
		save("location");
		exit;
	}}
	if (is_method("INVITE")) record_route();
	route(MEDIA);
	if (lookup("location")) {{
		t_on_reply("MEDIA");
		t_relay();
		exit;
	}}
	if (!ds_select_dst("1", "4")) {{
		sl_send_reply("503", "No Engine");
		exit;
	}}
	t_on_failure("NEXT");
	t_on_reply("MEDIA");
	t_relay();
	exit;
}}

failure_route[NEXT] {{
	if (t_is_canceled()) exit;
	if (t_branch_timeout() || t_check_status("5[0-9][0-9]")) {{
		if (t_branch_timeout()) ds_mark_dst("ip");
		if (ds_next_dst()) {{
			t_on_failure("NEXT");
			t_relay();
			exit;
		}}
	}}
}}

route[MEDIA] {{
	{manage}
	return;
}}

onreply_route[MEDIA] {{
	{manage_reply}
	return;
}}
"""


class Kamailio:
    """engines: SIP addresses that new calls are spread over. rtpengine: control port of one, or
    None. Use as a context."""

    def __init__(
        self, folder: Path, engines: Sequence[str] = (), rtpengine: int | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._ctl = free_port(socket.SOCK_STREAM)
        modules = next(Path("/usr/lib").glob("*/kamailio/modules"), Path("/usr/lib/kamailio"))
        load = manage = ""
        if rtpengine is not None:
            load = (
                'loadmodule "rtpengine.so"\n'
                f'modparam("rtpengine", "rtpengine_sock", "udp:{LOOPBACK}:{rtpengine}")'
            )
            manage = 'rtpengine_manage("replace-origin replace-session-connection");'
        config = _CONFIG.format(
            host=LOOPBACK,
            port=self.port,
            ctl=self._ctl,
            modules=modules,
            folder=folder,
            rtpengine_load=load,
            manage=f'if (is_method("INVITE|ACK|BYE")) {manage}' if manage else "",
            manage_reply=f"if (has_body()) {manage}" if manage else "",
        )
        (folder / "kamailio.cfg").write_text(config)
        (folder / "dispatcher.list").write_text("".join(f"1 {uri} 0\n" for uri in engines))
        self.program = Program(
            "kamailio",
            ["-f", "kamailio.cfg", "-DD", "-E", "-w", str(folder), "-Y", str(folder)],
            folder,
        )

    def __enter__(self) -> Kamailio:
        self.program.__enter__()
        self.program.until(self._up, 10, "its control port")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.program.__exit__(*exc_info)

    def rpc(self, *command: str) -> str:
        """Output of kamcmd."""
        run = subprocess.run(
            [need_program("kamcmd"), "-s", f"tcp:{LOOPBACK}:{self._ctl}", *command],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
        return run.stdout + run.stderr

    def _up(self) -> bool:
        return "kamailio" in self.rpc("core.version").lower()

    def flags(self) -> dict[str, str]:
        """Destination → "AP" (active, probed), "IP" (inactive), … of the dispatcher."""
        found: dict[str, str] = {}
        uri = ""
        for line in self.rpc("dispatcher.list").splitlines():
            key, _, value = line.strip().partition(":")
            if key == "URI":
                uri = value.strip()
            elif key == "FLAGS":
                found[uri] = value.strip()
        return found

    def registered(self) -> str:
        """The registrar's table."""
        return self.rpc("ul.dump")


class Rtpengine:
    """A relay for media between others, in user space. Use as a context."""

    def __init__(self, folder: Path, first_port: int = 40000) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.control = free_port()
        self.program = Program(
            "rtpengine",
            [
                *("--foreground", "--log-stderr", "--table=-1", f"--interface={LOOPBACK}"),
                f"--listen-ng={LOOPBACK}:{self.control}",
                *(f"--port-min={first_port}", f"--port-max={first_port + 99}"),
                f"--pidfile={folder / 'pid'}",
            ],
            folder,
        )

    def __enter__(self) -> Rtpengine:
        self.program.__enter__()
        self.program.until(self._up, 10, "its control port")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.program.__exit__(*exc_info)

    def _up(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.3)
            try:
                probe.sendto(b"1 d7:command4:pinge", (LOOPBACK, self.control))
                return b"pong" in probe.recv(1024)
            except OSError:
                return False
