"""Consoles and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

WIDE = 110  # columns where there is no terminal to ask


def console() -> Console:
    """A console on stdout; in a file or a pipe it is wide, and plain."""
    plain: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
    made = Console(**plain)
    return made if made.is_terminal else Console(**plain, width=WIDE)


def say(screen: Console, text: str = "", style: str | None = None) -> None:
    """Print a text, wrapped between words in a terminal, and not at all in a file."""
    screen.print(text, style=style, soft_wrap=not screen.is_terminal)


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int] = (0,)
) -> Table:
    """A table; columns are right-aligned, but for those numbered in `left`."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for i, heading in enumerate(headings):
        made.add_column(heading, justify="left" if i in left else "right", overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def percent(share: float | None) -> str:
    """0.9756 as 97.6 %; a dash for None."""
    return "-" if share is None else f"{100.0 * share:.1f} %"


def duration(seconds: float) -> str:
    """Seconds as people say them: 0.42 s, 12 s, 3 min 5 s."""
    if seconds < 10.0:
        return f"{seconds:.2f} s" if seconds < 1.0 else f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"
