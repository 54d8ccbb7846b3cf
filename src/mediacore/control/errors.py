"""Errors of the control server."""

from __future__ import annotations

from mediacore.errors import MediacoreError


class AuthError(MediacoreError):
    """The credentials are not good. The message goes to the client and holds no secret."""
