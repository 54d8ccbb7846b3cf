"""Adapters of the slots: one file per vendor or embedded model, each behind an optional extra."""
