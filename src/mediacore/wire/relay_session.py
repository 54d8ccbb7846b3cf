"""One controller's session: what outlives its socket. No I/O, no clock.

A session knows what its client may do, which contexts it subscribed to, of which calls it was
told, and which events the client has not acknowledged. `RelayConnection` is one socket of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mediacore.wire.limits import RelayLimits
from mediacore.wire.methods import READ
from mediacore.wire.outbox import Entry, Outbox


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client may do, as its credentials say.

    contexts: shell patterns of the contexts it may subscribe to. credential: which of the
    project's credentials it used; a session is resumed only with the same.
    """

    project: str
    permissions: frozenset[str]
    contexts: tuple[str, ...]
    credential: str


class RelaySession:
    """State of one controller. `id` is the issuer of its commands."""

    def __init__(
        self,
        session_id: str,
        protocol: str,
        resume_secret: str,
        grant: Grant,
        limits: RelayLimits,
        *,
        acks: bool = True,
    ) -> None:
        self.id = session_id
        self.protocol = protocol
        self.resume_secret = resume_secret
        self.grant = grant
        self.acks = acks
        self.told: set[str] = set()
        self.outbox = Outbox(limits.unacked_events, limits.unacked_bytes)
        self._limits = limits
        self._contexts: set[str] = set()

    @property
    def contexts(self) -> frozenset[str]:
        """The contexts whose incoming calls are offered to the client."""
        return frozenset(self._contexts)

    def may(self, permission: str) -> bool:
        """Whether the client's credentials allow it."""
        return permission in self.grant.permissions

    def subscribe(self, contexts: Iterable[str]) -> str:
        """Add contexts; all or none. Returns why not, or nothing."""
        wanted = set(contexts)
        why = self.refusal(wanted)
        if not why:
            self._contexts |= wanted
        return why

    def refusal(self, contexts: Iterable[str]) -> str:
        """Why these contexts cannot be subscribed to; empty when they can."""
        wanted = set(contexts)
        if wanted and not self.may(READ):
            return 'the token lacks the permission "read"'
        for context in sorted(wanted):
            if not any(fnmatchcase(context, pattern) for pattern in self.grant.contexts):
                return f"the token does not allow the context {context!r}"
        if len(self._contexts | wanted) > self._limits.contexts:
            return f"more than {self._limits.contexts} contexts"
        return ""

    def unsubscribe(self, contexts: Iterable[str]) -> None:
        """Take contexts away; unknown ones do not matter."""
        self._contexts -= set(contexts)

    def queue(self, entry: Entry) -> bool:
        """Number of events that wait grows by one; False when the client is too slow for it."""
        return self.outbox.add(entry) if self.acks else True

    def unacked(self) -> Iterator[bytes]:
        """Frames to send again after a resume, in order."""
        return (entry.frame for entry in self.outbox)
