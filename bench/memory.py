"""Whether training keeps memory that it should give back: the peak of each of ten LeNet-5 steps."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from .options import Options
from .report import Table
from .training import Etude, make_case

STEPS = 10
BATCH = 64
MEGABYTE = 1 << 20


def run(options: Options) -> list[Table]:
    """A table for each backend."""
    return [_table(name) for name in options.backends]


def _table(backend: str) -> Table:
    step = Etude(make_case("lenet5", BATCH), backend).step
    peaks, resident = [], []
    tracemalloc.start()
    try:
        for _ in range(STEPS):
            tracemalloc.reset_peak()
            step()
            peaks.append(tracemalloc.get_traced_memory()[1])
            resident.append(resident_bytes())
    finally:
        tracemalloc.stop()
    rows = [
        [n, peak / MEGABYTE, None if held is None else held / MEGABYTE]
        for n, (peak, held) in enumerate(zip(peaks, resident), 1)
    ]
    later = peaks[1:]
    growth = (max(later) - min(later)) / min(later)
    return Table(
        f"LeNet-5, batch {BATCH}, etude {backend}: memory of each step, MB",
        ["step", "peak of arrays and objects", "resident"],
        rows,
        [f"from step 2 on the peak varies by {100 * growth:.2f} %"],
    )


def resident_bytes() -> int | None:
    """Memory that the process holds now, or None where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return None
    lines = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(lines[0].split()[1]) * 1024 if lines else None
