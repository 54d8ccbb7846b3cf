"""A bad network on purpose, the same one each time: delay, jitter, loss, bursts, duplicates, rate.

As a UDP relay between two sides, without any privilege:
    python tools/impair.py relay 127.0.0.1:7000 127.0.0.1:5060 --delay 60 --jitter 15 --loss 5
As a verdict on everything that leaves a network namespace (root, package NetfilterQueue; what
comes in would carry its arrival time from before the queue):
    ip netns exec NS iptables -A OUTPUT -p udp -j NFQUEUE --queue-num 1
    ip netns exec NS python tools/impair.py queue 1 --delay 60 --loss 5 --burst 3

Every packet takes the same draws from its direction's generator, so that one seed and one order of
packets give one pattern whatever the other settings are. Prints its counters when it ends.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import random
import select
import signal
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Conditions:
    """What a direction does to packets. Times in ms, shares in percent.

    jitter_ms: standard deviation of the delay; packets may overtake one another unless
    `keep_order`. loss: mean share lost; burst: mean length of a run of losses (Gilbert), 1 =
    independent. reorder: share that goes without delay. rate_kbps: 0 = unlimited; at most 200 ms
    wait for it, then packets are lost.
    """

    delay_ms: float = 0
    jitter_ms: float = 0
    loss: float = 0
    burst: float = 1
    duplicate: float = 0
    reorder: float = 0
    rate_kbps: float = 0
    keep_order: bool = False

    def __post_init__(self) -> None:
        shares = (self.loss, self.duplicate, self.reorder)
        if not all(0 <= s <= 100 for s in shares) or self.burst < 1:
            raise ValueError("shares are 0..100 percent, burst is at least 1")
        if min(self.delay_ms, self.jitter_ms, self.rate_kbps) < 0:
            raise ValueError("delay, jitter and rate are not negative")


@dataclass
class Counters:
    """What became of the packets of one direction."""

    taken: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    crowded_out: int = 0  # the rate's queue was full


_QUEUE_MS = 200.0


@dataclass
class Impairment:
    """One direction. Times are given, never read."""

    conditions: Conditions
    seed: int
    counters: Counters = field(default_factory=Counters)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._losing = False
        self._last_due = 0.0
        self._free_at = 0.0

    def due(self, now_ms: float, size: int) -> list[float]:
        """When a packet of `size` bytes goes on: never, once or twice. In ms, not before now."""
        c, r = self.conditions, self._random
        lose, swap, double, spread = r.random(), r.random(), r.random(), r.gauss(0, 1)
        self.counters.taken += 1
        if self._lost(lose):
            self.counters.lost += 1
            return []
        at = now_ms + max(c.delay_ms + spread * c.jitter_ms, 0)
        if swap * 100 < c.reorder:
            self.counters.reordered += 1
            at = now_ms
        if c.rate_kbps:
            start = max(now_ms, self._free_at)
            if start - now_ms > _QUEUE_MS:
                self.counters.crowded_out += 1
                return []
            self._free_at = start + size * 8 / c.rate_kbps
            at += self._free_at - now_ms
        if c.keep_order:
            at = self._last_due = max(at, self._last_due)
        if double * 100 < c.duplicate:
            self.counters.duplicated += 1
            return [at, at]
        return [at]

    def _lost(self, draw: float) -> bool:
        """Gilbert's two states: all packets are lost in one, none in the other."""
        share = self.conditions.loss / 100
        if share >= 1:
            return True
        leave = 1 / self.conditions.burst
        enter = min(share * leave / (1 - share), 1)
        self._losing = draw >= leave if self._losing else draw < enter
        if self.conditions.burst == 1:
            self._losing = draw < share
        return self._losing


class Relay:
    """UDP between whoever sends to `listen` and `target`: one socket per client towards it.

    Use inside a running loop: `await start()`, `close()`. At most `max_clients` clients.
    """

    def __init__(
        self,
        listen: tuple[str, int],
        target: tuple[str, int],
        there: Conditions,
        back: Conditions,
        seed: int,
        max_clients: int = 64,
    ) -> None:
        self._listen, self._target = listen, target
        self.there = Impairment(there, seed)
        self.back = Impairment(back, seed + 1)
        self._max_clients = max_clients
        self._clients: dict[Any, asyncio.DatagramTransport] = {}
        self._front: asyncio.DatagramTransport | None = None
        self._waiting: dict[Any, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> tuple[str, int]:
        """Bind; the address."""
        loop = asyncio.get_running_loop()
        front, _ = await loop.create_datagram_endpoint(
            lambda: _Receiver(self._from_client), local_addr=self._listen
        )
        self._front = front
        host, port = front.get_extra_info("sockname")[:2]
        return host, port

    def close(self) -> None:
        """What is on its way is lost."""
        for task in self._tasks:
            task.cancel()
        for transport in (self._front, *self._clients.values()):
            if transport is not None:
                transport.close()

    def _from_client(self, data: bytes, client: Any) -> None:
        if client in self._clients:
            self._send(self.there, self._clients[client], data, None)
        elif client in self._waiting:
            self._waiting[client].append(data)
        elif len(self._clients) + len(self._waiting) < self._max_clients:
            self._waiting[client] = [data]
            task = asyncio.ensure_future(self._open(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open(self, client: Any) -> None:
        loop = asyncio.get_running_loop()

        def answer(data: bytes, _source: Any) -> None:
            if self._front is not None:
                self._send(self.back, self._front, data, client)

        back, _ = await loop.create_datagram_endpoint(
            lambda: _Receiver(answer), remote_addr=self._target
        )
        self._clients[client] = back
        for data in self._waiting.pop(client):
            self._send(self.there, back, data, None)

    def _send(
        self, way: Impairment, transport: asyncio.DatagramTransport, data: bytes, to: Any
    ) -> None:
        loop = asyncio.get_running_loop()
        now_ms = loop.time() * 1000
        for at in way.due(now_ms, len(data)):
            loop.call_at(at / 1000, _send_unless_closed, transport, data, to)


def _send_unless_closed(transport: asyncio.DatagramTransport, data: bytes, to: Any) -> None:
    if not transport.is_closing():
        transport.sendto(data, to)


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, take: Any) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._take(data, addr)

    def error_received(self, exc: OSError) -> None:
        """Nobody listens there (yet)."""


def run_queue(number: int, conditions: Conditions, seed: int) -> Counters:
    """Judge the packets of a netfilter queue until SIGTERM or SIGINT. Root."""
    from netfilterqueue import NetfilterQueue  # noqa: PLC0415 - only this way of running needs it

    way = Impairment(conditions, seed)
    held: list[tuple[float, int, Any]] = []
    order = 0

    def judge(packet: Any) -> None:
        nonlocal order
        now_ms = time.monotonic() * 1000
        due = way.due(now_ms, packet.get_payload_len())
        if not due:
            packet.drop()
            return
        packet.retain()
        order += 1
        heapq.heappush(held, (due[0], order, packet))

    stop: list[int] = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda number, frame: stop.append(number))
    queue = NetfilterQueue()
    queue.bind(number, judge, 4096)
    sock = socket.fromfd(queue.get_fd(), socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        while not stop:
            now_ms = time.monotonic() * 1000
            while held and held[0][0] <= now_ms:
                heapq.heappop(held)[2].accept()
            wait_s = min(held[0][0] - now_ms, 100) / 1000 if held else 0.1
            if select.select([sock], [], [], max(wait_s, 0))[0]:
                queue.run_socket(sock)
    finally:
        for _, _, packet in held:
            packet.accept()
        sock.close()
        queue.unbind()
    return way.counters


async def run_relay(
    listen: tuple[str, int], target: tuple[str, int], conditions: Conditions, seed: int
) -> dict[str, Counters]:
    """Relay until SIGTERM or SIGINT."""
    relay = Relay(listen, target, conditions, conditions, seed)
    host, port = await relay.start()
    print(f"relaying {host}:{port} to {target[0]}:{target[1]}", flush=True)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()
    relay.close()
    return {"there": relay.there.counters, "back": relay.back.counters}


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host or "127.0.0.1", int(port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    ways = parser.add_subparsers(dest="way", required=True)
    relay = ways.add_parser("relay", help="between two UDP sides")
    relay.add_argument("listen", type=_address, metavar="HOST:PORT")
    relay.add_argument("target", type=_address, metavar="HOST:PORT")
    queue = ways.add_parser("queue", help="on a netfilter queue")
    queue.add_argument("number", type=int)
    for way in (relay, queue):
        way.add_argument("--seed", type=int, default=1)
        way.add_argument("--delay", dest="delay_ms", type=float, default=0, metavar="MS")
        way.add_argument("--jitter", dest="jitter_ms", type=float, default=0, metavar="MS")
        way.add_argument("--loss", type=float, default=0, metavar="PERCENT")
        way.add_argument("--burst", type=float, default=1, metavar="PACKETS")
        way.add_argument("--duplicate", type=float, default=0, metavar="PERCENT")
        way.add_argument("--reorder", type=float, default=0, metavar="PERCENT")
        way.add_argument("--rate", dest="rate_kbps", type=float, default=0, metavar="KBIT/S")
        way.add_argument("--keep-order", action="store_true")
    return parser


def main() -> int:
    """See the module."""
    args = vars(_parser().parse_args())
    way, seed = args.pop("way"), args.pop("seed")
    places = {k: args.pop(k) for k in ("listen", "target", "number") if k in args}
    try:
        conditions = Conditions(**args)
    except ValueError as error:
        print(f"impair: {error}", file=sys.stderr)
        return 2
    if way == "queue":
        counters = {"in": run_queue(places["number"], conditions, seed)}
    else:
        counters = asyncio.run(run_relay(places["listen"], places["target"], conditions, seed))
    print(json.dumps({name: asdict(c) for name, c in counters.items()}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
