"""Session timers: a call whose peer died does not live for ever. RFC 4028, decisions only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mediacore.wire.sip.message import Request, Response

MIN_SE_S: Final = 90  # RFC 4028 §5: the smallest that may be asked for
_LONGEST_S: Final = 7 * 24 * 3600
_GRACE_S: Final = 32  # §10: BYE before the interval is over


@dataclass(frozen=True, slots=True)
class TimerConfig:
    """expires_s: the interval asked for, 0 = no session timers. min_se_s: the shortest taken."""

    expires_s: int = 1800
    min_se_s: int = MIN_SE_S


class SessionTimer:
    """The agreed interval of one session and who refreshes it."""

    def __init__(self, config: TimerConfig) -> None:
        self._wanted_s = config.expires_s
        self._min_s = config.min_se_s
        self._on = config.expires_s > 0
        self.interval_s = 0  # 0 = no timer runs
        self.we_refresh = False

    def ask(self) -> list[tuple[str, str]]:
        """Headers of an INVITE or UPDATE of ours."""
        if not self._on:
            return []
        expires = self.interval_s or self._wanted_s
        refresher = ""
        if self.interval_s:  # §7.4: who refreshes stays as it was
            refresher = ";refresher=" + ("uac" if self.we_refresh else "uas")
        return [("Session-Expires", f"{expires}{refresher}"), ("Min-SE", str(self._min_s))]

    def too_small(self, request: Request) -> bool:
        """Whether the peer's INVITE or UPDATE must be refused with 422 and `min_se`."""
        expires = _expires(request)
        return self._on and expires is not None and expires[0] < self._min_s

    @property
    def min_se(self) -> tuple[str, str]:
        """Header of the 422."""
        return "Min-SE", str(self._min_s)

    def taken(self, request: Request) -> list[tuple[str, str]]:
        """Headers of our 2xx to the peer's INVITE or UPDATE; the interval holds from now on."""
        able = "timer" in _tags(request, "Supported") | _tags(request, "Require")
        expires = _expires(request)
        if not self._on or (expires is None and not able):
            self.interval_s = 0
            return []
        least = max(_seconds(request.headers.get("Min-SE")) or 0, self._min_s)
        asked, refresher = expires or (max(self._wanted_s, least), "")
        self.interval_s = max(min(asked, self._wanted_s), least) if asked >= least else asked
        if not able:
            refresher = "uas"
        self.we_refresh = refresher == "uas"
        headers = [("Session-Expires", f"{self.interval_s};refresher={refresher or 'uac'}")]
        if not self.we_refresh:
            headers.append(("Require", "timer"))
        return headers

    def answered(self, response: Response) -> None:
        """The peer's 2xx to an INVITE or UPDATE of ours."""
        expires = _expires(response)
        if not self._on or expires is None:
            self.interval_s = 0
            return
        self.interval_s = max(expires[0], MIN_SE_S)
        self.we_refresh = expires[1] != "uas"

    def refused(self, response: Response) -> bool:
        """The peer's 422: whether a longer interval is worth another attempt."""
        least = _seconds(response.headers.get("Min-SE"))
        if least is None or least <= self._min_s or least > _LONGEST_S:
            return False
        self._min_s = least
        self._wanted_s = max(self._wanted_s, least)
        self.interval_s = max(self.interval_s, least) if self.interval_s else 0
        return True

    @property
    def refresh_ms(self) -> int | None:
        """After so long since the last refresh we refresh; None = not we, or no timer."""
        if not self.interval_s or not self.we_refresh:
            return None
        return self.interval_s * 1000 // 2

    @property
    def expire_ms(self) -> int | None:
        """After so long without a refresh the session is over."""
        if not self.interval_s:
            return None
        return (self.interval_s - min(_GRACE_S, self.interval_s // 3)) * 1000


def _expires(message: Request | Response) -> tuple[int, str] | None:
    """(seconds, refresher "" | "uac" | "uas") of Session-Expires; None = none, or unusable."""
    value = message.headers.get("Session-Expires")
    if value is None:
        return None
    number, *params = value.split(";")
    seconds = _seconds(number)
    if seconds is None or seconds > _LONGEST_S:
        return None
    for param in params:
        name, _, who = param.partition("=")
        if name.strip().lower() == "refresher" and who.strip().lower() in ("uac", "uas"):
            return seconds, who.strip().lower()
    return seconds, ""


def _seconds(value: str | None) -> int | None:
    text = (value or "").split(";")[0].strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def _tags(message: Request | Response, name: str) -> set[str]:
    return {tag.lower() for tag in message.headers.tokens(name)}
