"""Saved programs with faults planted in them: whatever loads must run without reading wrongly."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NUMBERS = (-1, 0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 64, 1000, 2**20, 2**31, 2**47, 2**63, -(2**40))


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """The content, the other entries of the header, and the tensors of a saved program."""
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    content = json.loads(header["__metadata__"]["etude"])
    return content, header, raw[8 + size :]


def write(path: Path, content: Any, header: dict[str, Any], body: bytes) -> Path:
    """A file as etude writes it."""
    whole = {**header, "__metadata__": {"etude": json.dumps(content)}}
    text = json.dumps(whole).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def places(nest: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to every part of a nest of lists and dicts."""
    inside = nest.items() if isinstance(nest, dict) else enumerate(nest)
    for key, part in inside:
        yield (*path, key)
        if isinstance(part, (dict, list)):
            yield from places(part, (*path, key))


def mutated(content: Any, rng: random.Random) -> Any:
    """A copy with one part changed: a number, a list cut or grown, or two parts exchanged."""
    copy = json.loads(json.dumps(content))
    ways = [w for w in places(copy) if w[0] in ("inputs", "weights", "constants", "program")]
    *road, last = rng.choice(ways)
    home = copy
    for key in road:
        home = home[key]
    old = home[last]
    if isinstance(old, list) and rng.random() < 0.7:
        home[last] = rng.choice([old[:-1], [*old, *old[-1:]], old[::-1], [*old, 1]])
    elif isinstance(old, int) and rng.random() < 0.8:
        home[last] = rng.choice([old + 1, old - 1, 2 * old, -old, rng.choice(NUMBERS)])
    else:
        *road, other = rng.choice(ways)
        there = copy
        for key in road:
            there = there[key]
        home[last] = json.loads(json.dumps(there[other]))
    return copy
