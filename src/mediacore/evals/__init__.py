"""Simulated callers."""
