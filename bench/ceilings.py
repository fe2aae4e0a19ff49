"""The machine's ceilings as a table; they are measured in backends/ceilings.py."""

from __future__ import annotations

from dataclasses import asdict

from etude.backends.ceilings import Ceilings

from .report import Cell, Table


def table(ceilings: Ceilings) -> Table:
    """To show, and for JSON."""
    rows: list[list[Cell]] = [["multiply-adds, float32", ceilings.flops / 1e9, "GFLOP/s"]]
    rows += [
        [f"a = b + s c, {size / (1 << 20):g} MB in all", speed / 1e9, "GB/s"]
        for size, speed in ceilings.bytes
    ]
    remarks = [f"measured by {ceilings.by}; work that only reads can pass them"]
    return Table("Ceilings of this machine", ["", "", "unit"], rows, remarks, [asdict(ceilings)])
