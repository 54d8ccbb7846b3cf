"""Which AudioSocket ids are known. The protocol has no authentication: an id that nobody can guess
and that works once is as good as one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from uuid import UUID

from mediacore.errors import ConfigError

MAX_EXPECTED: Final = 10_000


def parse_uuids(texts: Iterable[str]) -> frozenset[UUID]:
    """Raises ConfigError."""
    found = set()
    for text in texts:
        try:
            found.add(UUID(text))
        except ValueError:
            raise ConfigError(f"{text!r} is not a UUID") from None
    return frozenset(found)


class UuidBook:
    """Ids that calls may come with.

    permanent: good for any number of calls. open_to_all: ids that nobody expects are good too.
    clock_us: monotonic.
    """

    def __init__(
        self,
        permanent: frozenset[UUID] = frozenset(),
        *,
        open_to_all: bool = False,
        clock_us: Callable[[], int],
    ) -> None:
        self._permanent = permanent
        self._open_to_all = open_to_all
        self._clock_us = clock_us
        self._expected: OrderedDict[UUID, tuple[int, Mapping[str, str]]] = OrderedDict()

    def expect(self, uuid: UUID, headers: Mapping[str, str], lifetime_ms: int = 60_000) -> None:
        """Take one call with this id. headers: what is known of it, for the call's variables.
        Of more than 10,000 ids the oldest are forgotten."""
        self._expected.pop(uuid, None)
        self._expected[uuid] = (self._clock_us() + lifetime_ms * 1000, dict(headers))
        if len(self._expected) > MAX_EXPECTED:
            self._expected.popitem(last=False)

    def admit(self, uuid: UUID) -> Mapping[str, str] | None:
        """The headers of a call with this id, or None when it is not expected. Uses it up."""
        deadline_us, headers = self._expected.pop(uuid, (0, {}))
        if deadline_us > self._clock_us():
            return headers
        return {} if self._open_to_all or uuid in self._permanent else None
