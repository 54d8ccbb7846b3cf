"""Two user agents of our own on a bad network: whatever happens, both end up agreeing."""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediacore.wire.sip.signals import (
    Accepted,
    Confirmed,
    Incoming,
    Offered,
    OfferWanted,
    Over,
    ReferAsked,
    Signal,
)
from support.sip_world import ANSWER, OFFER, Net, Ua, World

ALL_OVER_MS = 3 * 64 * 500 + 64_000  # INVITE unanswered, its CANCEL, the BYE, and what lingers


def _host(world: World, ua: Ua, rng: Random) -> None:
    """A host that rings, answers or refuses after some time."""

    def later(ms: int, method: str, call: int, *args: object) -> None:
        world.at(world.now_ms + ms, lambda: world.call(ua, method, call, *args))

    def on_signal(signal: Signal) -> None:
        if isinstance(signal, Incoming):
            later(0, "ring", signal.call, *([ANSWER] if rng.random() < 0.4 else []))
            verdict = rng.random()
            if verdict < 0.7:
                later(rng.randint(0, 3000), "answer", signal.call, ANSWER)
            elif verdict < 0.9:
                later(rng.randint(0, 3000), "refuse", signal.call, 486)
        elif isinstance(signal, Accepted) and signal.offer:
            later(rng.choice([0, 300]), "confirm", signal.call, ANSWER)
        elif isinstance(signal, Offered):
            if rng.random() < 0.8:
                later(0, "accept", signal.call, ANSWER if signal.sdp else OFFER)
            else:
                later(0, "refuse_offer", signal.call, 488)
        elif isinstance(signal, OfferWanted):
            later(0, "reoffer", signal.call, OFFER)
        elif isinstance(signal, ReferAsked):
            later(0, "refuse_refer", signal.call, 603)

    ua.on_signal = on_signal


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.3]), st.sampled_from([5, 400, 1500]))
def test_both_sides_always_end_up_gone(seed: int, loss: float, spread: int) -> None:
    rng = Random(seed)
    net = Net(Random(seed + 1), loss, duplicate=0.1, delay=(1, spread))
    world = World(seed, net)
    a, b = world.add("a"), world.add("b")
    for ua in (a, b):
        _host(world, ua, rng)
    calls = 4
    for _ in range(calls):
        first, second = (a, b) if rng.random() < 0.7 else (b, a)
        call = world.dial(first, second, sdp=OFFER if rng.random() < 0.8 else None)
        for _ in range(rng.randint(0, 3)):
            at = world.now_ms + rng.randint(0, 6000)
            world.at(at, lambda ua=first, c=call: world.call(ua, "reoffer", c, OFFER))
        hang = rng.randint(0, 8000)
        world.at(hang, lambda ua=first, c=call: world.call(ua, "hangup", c))
    world.at(
        rng.randint(0, 8000),
        lambda: [world.call(b, "hangup", s.call) for s in list(b.of(Incoming))[:2]] and None,
    )
    world.run(8_000)
    _agree(a, b, world)


def _agree(a: Ua, b: Ua, world: World) -> None:
    """Every call ends within a bounded time on both sides, and nothing stays behind."""
    world.run(ALL_OVER_MS)
    for ua in (a, b):
        for signal in list(ua.signals):
            if isinstance(signal, Incoming):
                world.call(ua, "hangup", signal.call)  # hosts that never decided
    world.run(ALL_OVER_MS)
    for ua in (a, b):
        ended = [s.call for s in ua.signals if isinstance(s, Over)]
        assert len(ended) == len(set(ended)), "a call ended twice"
        begun = {s.call for s in ua.signals if isinstance(s, Incoming)}
        assert begun <= set(ended)
        assert ua.agent.sessions == 0
        stats = ua.agent.transactions.snapshot()
        assert (stats.clients, stats.servers) == (0, 0)
        assert ua.agent.next_ms is None


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.2]))
def test_cancel_against_answer_leaves_no_phantom_call(seed: int, loss: float) -> None:
    rng = Random(seed)
    world = World(seed, Net(Random(seed), loss, delay=(1, 40)))
    a, b = world.add("a"), world.add("b")
    call = world.dial(a, b)
    world.run(rng.choice([10, 90, 1000]))
    for signal in b.of(Incoming):
        at = world.now_ms + rng.randint(0, 80)
        world.at(at, lambda c=signal.call: world.call(b, "answer", c, ANSWER))
    world.at(world.now_ms + rng.randint(0, 80), lambda: world.call(a, "hangup", call))
    world.run(40_000)
    up = {s.call for s in b.of(Confirmed)}
    assert up <= {s.call for s in b.of(Over)}, "b believes in a call that a has left"
    _agree(a, b, world)
