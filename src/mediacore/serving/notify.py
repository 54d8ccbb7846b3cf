"""Telling the service manager how the process is: the datagrams of sd_notify(3)."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> bool:
    """Send e.g. "READY=1" to the manager named by NOTIFY_SOCKET. False: there is none, or it does
    not listen; nothing depends on it."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if not where.startswith(("/", "@")):
        return False
    address = "\0" + where[1:] if where.startswith("@") else where
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.setblocking(False)
            out.sendto(state.encode(), address)
    except OSError:
        return False
    return True
