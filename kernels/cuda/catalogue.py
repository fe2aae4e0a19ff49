"""Every kernel of the CUDA backend, one instance of each distinct path."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from .spec import Kernel


def families() -> list[str]:
    """The files here that have a catalogue."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return [
        f.stem
        for f in files
        if "\ndef catalogue()" in f.read_text("utf-8") and f.stem != "catalogue"
    ]


def catalogue(family: str | None = None) -> Iterator[Kernel]:
    """The kernels of one family, or of all."""
    for name in families() if family is None else [family]:
        yield from import_module(f".{name}", __package__).catalogue()
