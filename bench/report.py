"""Results as tables on the terminal and as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .timing import Competitor

WIDTH = 140  # of tables in files and pipes
Cell = str | int | float | None


@dataclass
class Table:
    """What a suite found: rows of text and numbers, and remarks below them.

    `records` are the same figures and more, by name, for the JSON file.
    """

    title: str
    columns: list[str]
    rows: list[list[Cell]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)


def text(cell: Cell) -> str:
    """A cell as it is shown: numbers to three digits."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.3g}" if abs(cell) < 100 else f"{cell:.0f}"
    return str(cell)


def race_rows(
    competitors: Sequence[Competitor], reference: Competitor, unit: float, *first: Cell
) -> list[list[Cell]]:
    """For each competitor: first cells, name, median and best in `unit`, spread, ratio of medians.

    The ratio is the reference's time over this one's: above 1 is faster.
    """
    return [
        [
            *first,
            c.name,
            c.median / unit,
            c.best / unit,
            f"{100 * c.spread:.0f} %",
            reference.median / c.median,
        ]
        for c in competitors
    ]


def progress(text: str) -> None:
    """One line that is written over, on terminals only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def show(table: Table) -> None:
    """Print a table, with rich where it is installed."""
    cells = [[text(cell) for cell in row] for row in table.rows]
    numeric = [
        bool(table.rows) and all(not isinstance(row[i], str) for row in table.rows)
        for i in range(len(table.columns))
    ]
    try:
        _show_rich(table, cells, numeric)
    except ImportError:
        _show_plain(table, cells, numeric)


def _show_rich(table: Table, cells: list[list[str]], numeric: list[bool]) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable

    shown = RichTable(title=table.title, title_justify="left")
    for name, right in zip(table.columns, numeric):
        shown.add_column(name, justify="right" if right else "left", no_wrap=True)
    for row in cells:
        shown.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(shown)
    for remark in table.remarks:
        console.print(remark, markup=False, highlight=False)


def _show_plain(table: Table, cells: list[list[str]], numeric: list[bool]) -> None:
    widths = [max(map(len, column)) for column in zip(table.columns, *cells)]
    print(table.title)
    for row in [table.columns, *cells]:
        parts = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric)
        ]
        print("  ".join(parts).rstrip())
    for remark in table.remarks:
        print(remark)


def save(path: str, machine: dict[str, Any], suites: dict[str, list[Table]]) -> None:
    """Write everything as JSON. Raises OSError where that cannot be done."""
    found = {
        "machine": machine,
        "suites": {name: [asdict(table) for table in tables] for name, tables in suites.items()},
    }
    Path(path).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
