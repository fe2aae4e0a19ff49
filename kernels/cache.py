"""Where machine code that is made at run time is kept, for Numba and for generated C."""

from __future__ import annotations

import os
import time
from pathlib import Path

UNUSED_DAYS = 30  # after which something in the cache is taken for that of an old source


def bases(package: Path) -> list[Path]:
    """Where a cache may lie: in the package, or among the user's caches."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return [package / "__pycache__", Path(home) / "etude"]


def remove_old(base: Path, pattern: str) -> None:
    """Delete folders that nothing used for long."""
    limit = time.time() - UNUSED_DAYS * 86400
    for folder in base.glob(pattern):
        if folder.stat().st_mtime < limit:
            for file in sorted(folder.rglob("*"), reverse=True):
                file.rmdir() if file.is_dir() else file.unlink()
            folder.rmdir()


def writable(places: list[Path]) -> Path | None:
    """The first of these folders that can be written to, made if it is new; None if none can.

    With a new one, folders beside it whose names begin alike and that are no longer used go.
    """
    for place in places:
        try:
            new = not place.exists()
            place.mkdir(parents=True, exist_ok=True)
            os.utime(place)
            if new:
                remove_old(place.parent, place.name.rpartition("-")[0] + "-*")
            if os.access(place, os.W_OK):
                return place
        except OSError:
            continue
    return None
