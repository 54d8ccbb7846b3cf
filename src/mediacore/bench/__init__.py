"""Measurements: CPU seconds and ratios of this machine, by `mediacore bench NAME`.

Each of `frame`, `density`, `bargein` and `heard` has `run(options) -> figures`; the other modules
are what they share. What every figure means stands in benchmarks/README.md.
"""
