"""Benchmarks: `python -m etude.bench SUITE`. Competitors take turns in one process.

`timing` runs races, `machine` says where they were run, `report` shows and stores the results; each
suite is a module with a function `run(options) -> list[Table]`.
"""
