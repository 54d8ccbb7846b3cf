"""Whole calls on virtual time around the call's reducer, with everything that can go wrong.

A seed gives a world: people, providers, webhooks, transfer targets and controllers that answer
late, twice, in another order or never. After every step the invariants are checked. There is no
asyncio here, no clock and no audio: the reducer is the shipped one, everything else is played.
"""
