"""Phones of a loopback exchange that play recordings: callers, and parties to be dialled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mediacore.evals.caller import Line, ScriptedCaller
from mediacore.session.hub import MediaHub
from mediacore.transports.exchange import ExchangeCall, Phone, PhoneCall

ANSWER_AFTER_S = 0.5


def answering(hub: MediaHub, lines: Sequence[Line]) -> Phone:
    """A phone that rings a moment, answers, speaks its lines, and stays until the end."""

    async def phone(call: ExchangeCall) -> None:
        await asyncio.sleep(ANSWER_AFTER_S)
        leg = await call.answer()
        await ScriptedCaller(hub, leg, lines).run()

    return phone


async def speak(hub: MediaHub, call: PhoneCall, lines: Sequence[Line]) -> None:
    """Be the caller of a call that was placed: speak the lines, stay until the end."""
    leg = await call.answered()
    await ScriptedCaller(hub, leg, lines).run()
