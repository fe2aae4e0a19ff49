"""How products are cut into blocks: which tile, and how much of the depth a block sums."""

from __future__ import annotations

from functools import lru_cache

# Cuts are made for this many multiprocessors on every device, so that each sums in the same order.
MULTIPROCESSORS = 132
SHORTEST = 128  # of a part of the depth
MOST_PARTS = 32
TINY = 2048  # multiplications of a product that needs no tiles


def up(a: int, b: int) -> int:
    """a / b, rounded up."""
    return -(-a // b)


@lru_cache(1024)
def tile_for(m: int, n: int, matrices: int, kind: str = "") -> str:
    """The largest tile of which there is one for each multiprocessor; else one that fits.

    kind: "tf32" or "bf16" for tensor cores, where a tile of theirs would be mostly full.
    """
    large = up(m, 128) * up(n, 128) * matrices >= MULTIPROCESSORS
    if min(m, n) <= 32:
        return "large" if large else "small"
    if kind:
        return f"{kind}_{128 if large else 64}"
    return "large" if large else "middle"


@lru_cache(1024)
def part_for(blocks: int, k: int, depth: int, fit: int = 2, most: int = MOST_PARTS) -> int:
    """How much of the depth a block sums: all of it, unless that leaves multiprocessors idle.

    fit: blocks that a multiprocessor runs at a time; few rows wait for memory, and want them all.
    """
    parts = min(fit * MULTIPROCESSORS // max(blocks, 1), k // SHORTEST, most)
    return k if parts < 2 else up(up(k, parts), depth) * depth
