"""Records and tables of `python -m etude.bench cuda`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .case import Case, Work
from .cuda_race import Timing
from .report import Cell, Table

Record = dict[str, Any]
COLUMNS = [
    "case", "family", "µs", "spread", "GFLOP/s", "GB/s", "of copy", "of peak", "of torch",
    "eager µs", "torch µs", "torch eager µs", "error",
]  # fmt: skip
OURS = "etude"


def record(
    case: Case, work: Work, moved: float, timings: Sequence[Timing], ceilings: Record, error: float
) -> Record | None:
    """All figures of a case, times in seconds; None if etude was not timed."""
    by = {t.name: t for t in timings}
    ours, torch = by.get(OURS), by.get("torch")
    if ours is None:
        return None
    bandwidth = moved / ours.seconds
    shares: Record = {"copy": bandwidth / ceilings["copy"]} if ceilings.get("copy") else {}
    if work.flops and ceilings.get("flops"):
        shares["peak"] = work.flops / ours.seconds / ceilings["flops"]
    if torch is not None:
        shares["torch"] = torch.seconds / ours.seconds
        if torch.eager_seconds is not None:
            shares["eager"] = torch.eager_seconds / ours.seconds
    return {
        "case": case.name,
        "family": case.family,
        "flops": work.flops,
        "bytes": moved,
        "error": error,
        "shares": shares,
        "etude": figures(ours),
        "torch": None if torch is None else figures(torch),
    }


def figures(t: Timing) -> Record:
    """One side's."""
    return {
        "seconds": t.seconds,
        "eager_seconds": t.eager_seconds,
        "spread": t.spread,
        "how": t.how,
        "rounds": t.rounds,
    }


def table(title: str, records: Sequence[Record], remarks: Sequence[str]) -> Table:
    """A row for each record."""
    return Table(title, COLUMNS, [row(r) for r in records], list(remarks), list(records))


def row(r: Record) -> list[Cell]:
    """One case."""
    ours, torch, shares = r["etude"], r["torch"] or {}, r["shares"]
    seconds = ours["seconds"]
    return [
        r["case"],
        r["family"],
        1e6 * seconds,
        f"{100 * ours['spread']:.0f} %",
        r["flops"] / seconds / 1e9 if r["flops"] else None,
        r["bytes"] / seconds / 1e9,
        *(percent(shares.get(name)) for name in ("copy", "peak", "torch")),
        micro(ours["eager_seconds"]),
        micro(torch.get("seconds")),
        micro(torch.get("eager_seconds")),
        f"{r['error']:.0e}",
    ]


def percent(share: float | None) -> Cell:
    """A share as text."""
    return None if share is None else f"{100 * share:.0f} %"


def micro(seconds: float | None) -> Cell:
    """Microseconds."""
    return None if seconds is None else 1e6 * seconds
