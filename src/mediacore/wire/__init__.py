"""Protocols as state machines without I/O: bytes and time in, actions out."""
