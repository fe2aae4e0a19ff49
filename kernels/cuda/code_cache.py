"""Machine code on disk, by what it was made from.

    key = digest(code and constants of the kernel and its helpers, types, options, versions)
    <key>.ptx, <key>.sm_90.cubin:  a line of JSON (what it is, a digest of the rest), then the rest

A file is written whole under another name and renamed, so a reader sees all of it or nothing, and
processes that compile the same kernel at once do no harm. A file that does not fit its digest is
as good as none.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

from .rewrite import globals_used
from .spec import Device, Kernel

KEPT_DAYS = 60


def folder() -> Path:
    """Where code is kept: ETUDE_CUDA_CACHE, or among the user's caches."""
    chosen = os.environ.get("ETUDE_CUDA_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen) if chosen else Path(home) / "etude" / "cuda"


def key(kernel: Kernel, versions: str) -> str:
    """The digest of all that decides a kernel's PTX."""
    options = (kernel.name, kernel.signature, kernel.block, kernel.blocks, kernel.registers)
    flags = (kernel.narrow, kernel.contract, kernel.fastmath, kernel.shared)
    parts = "\n".join((versions, repr(options), repr(flags), *described(kernel.function, set())))
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def described(value: Any, seen: set[int]) -> Iterator[str]:
    """What a value in kernel code is, with all that it refers to."""
    if isinstance(value, (FunctionType, Device)) and id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Device):
        yield "device"
        yield from described(value.build or value.function, seen)
    elif isinstance(value, FunctionType):
        yield value.__qualname__
        yield from described(value.__code__, seen)
        for name in sorted(globals_used(value.__code__) & value.__globals__.keys()):
            yield name
            yield from described(value.__globals__[name], seen)
        for cell in (*(value.__closure__ or ()), *(value.__defaults__ or ())):
            yield from described(getattr(cell, "cell_contents", cell), seen)
    elif isinstance(value, CodeType):
        yield value.co_code.hex()
        yield f"{value.co_names} {value.co_varnames} {value.co_freevars}"
        for constant in value.co_consts:
            yield from described(constant, seen)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from described(item, seen)
    elif isinstance(value, (ModuleType, BuiltinFunctionType, type)):
        yield value.__name__
    else:
        yield repr(value)


def read(name: str) -> tuple[dict[str, Any], bytes] | None:
    """What was written under a name; None if nothing sound was."""
    try:
        head, _, body = (folder() / name).read_bytes().partition(b"\n")
        about = json.loads(head)
        if about.pop("digest") == hashlib.sha256(body).hexdigest():
            return about, body
    except (OSError, ValueError, KeyError, AttributeError):
        pass
    return None


@cache
def prepare(place: Path) -> None:
    """Make the folder; delete what was made long ago, mostly of sources that are no more."""
    place.mkdir(parents=True, exist_ok=True)
    limit = time.time() - KEPT_DAYS * 86400
    for file in place.iterdir():
        if file.is_file() and file.stat().st_mtime < limit:
            file.unlink(missing_ok=True)


def write(name: str, about: dict[str, Any], body: bytes) -> None:
    """Keep code under a name; where nothing can be written, nothing is kept."""
    head = json.dumps(about | {"digest": hashlib.sha256(body).hexdigest()})
    place = None
    try:
        prepare(folder())
        handle, place = tempfile.mkstemp(dir=folder(), prefix=".", suffix=".new")
        with os.fdopen(handle, "wb") as file:
            file.write(head.encode() + b"\n" + body)
        os.replace(place, folder() / name)
    except OSError:
        if place is not None:
            Path(place).unlink(missing_ok=True)
