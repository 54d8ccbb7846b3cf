"""The live control server: controllers speak the published RELAY protocol to the calls."""

from mediacore.control.config import ControlConfig, ControlLimits, Project, TlsFiles, Token
from mediacore.control.server import ControlServer
from mediacore.control.stats import ControlSnapshot

__all__ = [
    "ControlConfig",
    "ControlLimits",
    "ControlServer",
    "ControlSnapshot",
    "Project",
    "TlsFiles",
    "Token",
]
