"""Ctrl+C and SIGTERM of a program that holds one call."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_NUMBERS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def on_stop(hang_up: Callable[[], object]) -> Iterator[None]:
    """Ctrl+C and SIGTERM hang up instead of ending the process; the files are still written."""
    loop = asyncio.get_running_loop()
    for number in _NUMBERS:
        loop.add_signal_handler(number, hang_up)
    try:
        yield
    finally:
        for number in _NUMBERS:
            loop.remove_signal_handler(number)
