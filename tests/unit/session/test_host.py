"""Many calls in one process: room, draining, commands to calls that are not there, the journal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mediacore.policy.prices import parse_prices
from mediacore.policy.spend import DaySpend, Refused, Reservation
from mediacore.providers.scripted import ScriptedLlm, ScriptedStt
from mediacore.runtime.settings import Money, RunSettings
from mediacore.session.services import Services
from mediacore.slots.gateway import LineEnd
from support.host_sim import HostSim, Phone, listen
from virtual import run_virtual

DOCUMENT = [{"answer": {}}, {"play": "say:hello"}, {"hangup": {}}]


def test_fifty_calls_at_once_each_have_a_record(tmp_path: Path) -> None:
    sim = HostSim(tmp_path, DOCUMENT)

    async def main() -> None:
        async with sim:
            for _ in range(50):
                sim.call(listen)
            await sim.idle()
        sim.assert_settled()

    run_virtual(main())
    assert len(sim.kept) == 50
    assert {r.end_reason for r in sim.kept} == {"hangup"}
    assert len(list(tmp_path.glob("*/call.json"))) == 50


def test_no_more_calls_than_there_is_room_for(tmp_path: Path) -> None:
    ends: list[LineEnd] = []

    async def refused(phone: Phone) -> None:
        ends.append(await phone.wait_gone())

    sim = HostSim(tmp_path, DOCUMENT, max_calls=2)

    async def main() -> None:
        async with sim:
            sim.call(listen)
            sim.call(listen)
            sim.call(refused)
            sim.command("dial", {"tag": "t", "devices": []}, "")
            await sim.idle()
            assert sim.host.snapshot().refused == 2
        sim.assert_settled()

    run_virtual(main())
    assert ends == [LineEnd.BUSY]
    assert sim.answers[0][1][0].code == "503"
    assert len(sim.kept) == 2


def test_draining_waits_and_then_hangs_up(tmp_path: Path) -> None:
    ends: list[LineEnd] = []

    async def late(phone: Phone) -> None:
        ends.append(await phone.wait_gone())

    sim = HostSim(tmp_path, [{"answer": {}}, {"sleep": 5000}, {"hangup": {}}])

    async def main() -> None:
        async with sim:
            loop = asyncio.get_running_loop()
            sim.call(listen)
            await asyncio.sleep(1)
            began = loop.time()
            draining = asyncio.create_task(sim.host.drain(60))
            await asyncio.sleep(0.1)
            sim.call(late)
            assert await draining == 0  # it came to its own end
            assert 3 < loop.time() - began < 6
        sim.assert_settled()

    run_virtual(main())
    assert ends == [LineEnd.BUSY]
    assert [r.end_reason for r in sim.kept] == ["hangup"]


def test_draining_has_an_end(tmp_path: Path) -> None:
    sim = HostSim(tmp_path, [{"answer": {}}, {"sleep": 600_000}, {"hangup": {}}])

    async def main() -> None:
        async with sim:
            sim.call(listen)
            sim.call(listen)
            await asyncio.sleep(1)
            assert await sim.host.drain(10) == 2
            assert not sim.host.calls
        sim.assert_settled()

    run_virtual(main())
    assert [r.end_reason for r in sim.kept] == ["shutdown", "shutdown"]


def test_a_command_for_nobody_is_answered(tmp_path: Path) -> None:
    sim = HostSim(tmp_path)

    async def main() -> None:
        async with sim:
            sim.command("play", {}, "unknown")

    run_virtual(main())
    assert sim.answers[0][1][0].code == "404"


def test_without_a_gateway_nothing_is_dialled(tmp_path: Path) -> None:
    def lonely(services: Services) -> Services:
        return replace(services, gateway=None)

    sim = HostSim(tmp_path, services=lonely)

    async def main() -> None:
        async with sim:
            sim.command("dial", {"tag": "t", "devices": []}, "")

    run_virtual(main())
    assert sim.answers[0][1][0].code == "501"


def test_the_journal_is_told_in_order(tmp_path: Path) -> None:
    sim = HostSim(tmp_path, DOCUMENT)

    async def main() -> None:
        async with sim:
            sim.call(listen)
            await sim.idle()

    run_virtual(main())
    assert sim.journal == [("call-1", "start"), ("call-1", "answer"), ("call-1", "end")]


def test_a_listener_may_leave(tmp_path: Path) -> None:
    sim = HostSim(tmp_path, DOCUMENT)
    seen: list[object] = []

    async def main() -> None:
        async with sim:
            leave = sim.host.subscribe(seen.append)
            sim.call(listen)
            await asyncio.sleep(0.1)
            leave()
            before = len(seen)
            await sim.idle()
            assert len(seen) == before > 0

    run_virtual(main())


def test_a_record_that_cannot_be_stored_does_not_stop_the_next_call(tmp_path: Path) -> None:
    sim = HostSim(tmp_path, DOCUMENT)

    def full(record: object, directory: Path) -> None:
        raise OSError(28, "No space left on device")

    async def main() -> None:
        async with sim:
            sim.host._stored = full
            sim.call(listen)
            await sim.idle()
            sim.call(listen)
            await sim.idle()
        assert not sim.host.calls

    run_virtual(main())
    assert [kind for _, kind in sim.journal].count("start") == 2


BOOK = {
    "version": 1,
    "currency": "USD",
    "as_of": "2026-01-01",
    "source": "test",
    "prices": [
        {"provider": "scripted-llm", "unit": "input_tokens_1m", "micros": 1_000_000},
        {"provider": "scripted-llm", "unit": "output_tokens_1m", "micros": 1_000_000},
        {"provider": "scripted-tts", "unit": "characters_1m", "micros": 1_000_000},
    ],
}


class DayStore:
    """A spend store that takes no time: a database of its own thread would race with the loop."""

    def __init__(self) -> None:
        self.open: dict[str, Reservation] = {}
        self.settled = 0

    async def reserve(
        self, campaign: str, day: str, call_id: str, amount: int, cap: int
    ) -> Reservation | Refused:
        total = self.settled + sum(r.amount for r in self.open.values())
        if total + amount > cap:
            return Refused(campaign, day, total, cap)
        made = Reservation(f"r{len(self.open)}", campaign, day, call_id, amount)
        self.open[made.id] = made
        return made

    async def settle(self, reservation: Reservation, actual: int) -> bool:
        self.settled += actual
        return self.open.pop(reservation.id, None) is not None

    async def release(self, reservation: Reservation) -> bool:
        return self.open.pop(reservation.id, None) is not None

    async def used(self, campaign: str, day: str) -> DaySpend:
        return DaySpend(self.settled, sum(r.amount for r in self.open.values()))

    async def open_reservations(self, campaign: str, day: str) -> tuple[Reservation, ...]:
        return tuple(self.open.values())

    async def close(self) -> None:
        """Nothing to release."""


def test_the_money_of_a_day_is_reserved_and_settled(tmp_path: Path) -> None:
    store = DayStore()
    prices = parse_prices(json.dumps(BOOK).encode())
    names = {"stt": "scripted-stt", "tts": "scripted-tts", "llm": "scripted-llm"}

    def money(settings: RunSettings) -> RunSettings:
        return replace(settings, money=Money(prices, names, 1_000_000))

    async def caller(phone: Phone) -> None:
        await phone.up()
        await asyncio.sleep(2)
        await phone.say("hello there")
        await asyncio.sleep(4)
        phone.end()

    statement: Mapping[str, object] = {"ai": {"prompt": {"text": "x"}}}
    sim = HostSim(
        tmp_path,
        [{"answer": {}}, statement],
        stt=ScriptedStt(["Hello there."]),
        llm=ScriptedLlm(["Hello."] * 9),
        settings=money,
        spend=store,
    )

    async def main() -> None:
        async with sim:
            sim.call(caller)
            await sim.idle()
        sim.assert_settled()

    run_virtual(main())
    assert not store.open
    usage = sim.kept[0].usage
    assert usage is not None
    assert usage.currency == "USD"
    assert store.settled == usage.cost_micros
    assert store.settled > 0
