"""Where in the user's model and source an operation was asked for, read off the Python stack.

Nothing is kept while a model runs; only a recorder or anomaly mode asks.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

HERE = str(Path(__file__).parent)
USER_FOLDERS = tuple(str(Path(HERE) / room) for room in ("models", "nn"))


@dataclass(frozen=True)
class Site:
    """A place: the module's path in the model, and the line of source that called the op."""

    module: str
    file: str
    line: int

    def __str__(self) -> str:
        source = linecache.getline(self.file, self.line).strip()
        inside = f"in module {self.module}, " if self.module else ""
        return f"{inside}{Path(self.file).name}:{self.line}" + (f": {source}" if source else "")


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _modules() -> list[Any]:
    """The modules being called, outermost first."""
    found: list[Any] = []
    for frame in _frames():
        owner = frame.f_locals.get("self") if frame.f_code.co_name == "__call__" else None
        if hasattr(owner, "named_children") and hasattr(owner, "forward"):
            found.append(owner)
    return found[::-1]


def module_path() -> str:
    """The names of the modules being called: "LeNet5.features.0", or "" outside any."""
    chain = _modules()
    if not chain:
        return ""
    names = [type(chain[0]).__name__]
    for parent, child in pairwise(chain):
        names.append(_name_in(parent, child))
    return ".".join(names)


def _name_in(parent: Any, child: Any) -> str:
    """What a module below the parent is called there; its own children first: below are many."""
    near = (name for name, m in parent.named_children() if m is child)
    far = (name for name, m in parent.named_modules() if m is child and name)
    return next(near, None) or next(far, None) or type(child).__name__


def site() -> Site:
    """Where the innermost frame outside the core is; layers and models count as outside."""
    chosen = None
    for frame in _frames():
        name = frame.f_code.co_filename
        if not name.startswith(HERE) or name.startswith(USER_FOLDERS[0]):
            chosen = frame
            break
    if chosen is None:
        return Site(module_path(), "<unknown>", 0)
    return Site(module_path(), chosen.f_code.co_filename, chosen.f_lineno)
