"""mediacore: voice agents on phone calls. Audio core in C, decisions in Python.

    from mediacore import Agent, Engine, RtpTransport

Names are imported on first use, so that a submodule can be imported without the rest.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mediacore.agent import Agent
    from mediacore.call import CallSettings
    from mediacore.call.record import CallRecord
    from mediacore.engine import Call, Engine
    from mediacore.errors import MediacoreError, MissingDependencyError, ProviderError
    from mediacore.session.parts import Tool
    from mediacore.transports.rtp import RtpTransport

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "Call",
    "CallRecord",
    "CallSettings",
    "Engine",
    "MediacoreError",
    "MissingDependencyError",
    "ProviderError",
    "RtpTransport",
    "Tool",
]

_HOMES = {
    "Agent": "mediacore.agent",
    "Call": "mediacore.engine",
    "CallRecord": "mediacore.call.record",
    "CallSettings": "mediacore.call",
    "Engine": "mediacore.engine",
    "MediacoreError": "mediacore.errors",
    "MissingDependencyError": "mediacore.errors",
    "ProviderError": "mediacore.errors",
    "RtpTransport": "mediacore.transports.rtp",
    "Tool": "mediacore.session.parts",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'mediacore' has no attribute {name!r}")
    return getattr(import_module(home), name)
