"""The bad network does what it is asked, and the same each time."""

from __future__ import annotations

import asyncio
from itertools import groupby
from statistics import mean, pstdev

import pytest
from impair import Conditions, Impairment, Relay

PACKETS = 50_000


def run(conditions: Conditions, seed: int = 1, size: int = 200) -> list[list[float]]:
    way = Impairment(conditions, seed)
    return [[at - n * 20 for at in way.due(n * 20, size)] for n in range(PACKETS)]


def test_nothing_asked_is_nothing_done() -> None:
    assert all(due == [0] for due in run(Conditions()))


def test_one_seed_is_one_pattern() -> None:
    asked = Conditions(delay_ms=60, jitter_ms=15, loss=5, burst=3, duplicate=2, reorder=2)
    assert run(asked) == run(asked)
    assert run(asked) != run(asked, seed=2)


def test_delay_and_jitter() -> None:
    delays = [due[0] for due in run(Conditions(delay_ms=60, jitter_ms=15))]
    assert mean(delays) == pytest.approx(60, abs=0.5)
    assert pstdev(delays) == pytest.approx(15, abs=0.5)
    assert min(delays) >= 0


@pytest.mark.parametrize(("loss", "burst"), [(5, 1), (20, 1), (5, 3), (20, 5)])
def test_losses_come_in_runs_of_the_mean_length(loss: float, burst: float) -> None:
    lost = [not due for due in run(Conditions(loss=loss, burst=burst))]
    assert mean(lost) * 100 == pytest.approx(loss, rel=0.1)
    runs = [len(list(group)) for gone, group in groupby(lost) if gone]
    expected = burst if burst > 1 else 1 / (1 - loss / 100)
    assert mean(runs) == pytest.approx(expected, rel=0.1)


def test_everything_can_be_lost() -> None:
    assert not any(run(Conditions(loss=100)))


def test_duplicates_reordering_and_kept_order() -> None:
    way = Impairment(Conditions(delay_ms=60, duplicate=3, reorder=4), 1)
    due = [way.due(n * 20, 200) for n in range(PACKETS)]
    assert mean(len(d) == 2 for d in due) * 100 == pytest.approx(3, rel=0.1)
    assert mean(d[0] == n * 20 for n, d in enumerate(due)) * 100 == pytest.approx(4, rel=0.1)
    assert way.counters.duplicated == sum(len(d) == 2 for d in due)

    kept = Impairment(Conditions(delay_ms=60, jitter_ms=30, keep_order=True), 1)
    times = [kept.due(n * 20, 200)[0] for n in range(PACKETS)]
    assert times == sorted(times)


def test_a_rate_queues_and_then_crowds_out() -> None:
    way = Impairment(Conditions(rate_kbps=40), 1)  # 200 bytes each 20 ms are 80 kbit/s
    due = [way.due(n * 20, 200) for n in range(1000)]
    waits = [d[0] - n * 20 for n, d in enumerate(due) if d]
    assert max(waits) <= 240 + 1e-6
    assert way.counters.crowded_out == pytest.approx(500, abs=20)


def test_what_makes_no_sense_is_refused() -> None:
    for wrong in ({"loss": 101}, {"burst": 0.5}, {"delay_ms": -1}):
        with pytest.raises(ValueError, match=r"percent|negative"):
            Conditions(**wrong)


def test_a_relay_carries_both_ways_and_keeps_clients_apart() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()

        class Echo(asyncio.DatagramProtocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.transport = transport

            def datagram_received(self, data: bytes, addr: object) -> None:
                self.transport.sendto(data[::-1], addr)  # type: ignore[attr-defined]

        class Client(asyncio.DatagramProtocol):
            def __init__(self) -> None:
                self.got: asyncio.Queue[bytes] = asyncio.Queue()

            def datagram_received(self, data: bytes, addr: object) -> None:
                self.got.put_nowait(data)

        echo, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        relay = Relay(
            ("127.0.0.1", 0), echo.get_extra_info("sockname"), Conditions(), Conditions(), 1
        )
        address = await relay.start()
        clients = [
            await loop.create_datagram_endpoint(Client, remote_addr=address) for _ in range(2)
        ]
        for number, (transport, _) in enumerate(clients):
            transport.sendto(b"from %d" % number)
        for number, (_, client) in enumerate(clients):
            async with asyncio.timeout(5):
                assert await client.got.get() == (b"from %d" % number)[::-1]
        assert relay.there.counters.taken == relay.back.counters.taken == 2
        relay.close()
        for transport in (echo, *(t for t, _ in clients)):
            transport.close()
        await asyncio.sleep(0)

    asyncio.run(main())
