"""Lines to memory past the cache: for results that are larger than it.

An ordinary store fetches the line of the cache that it changes, and for a large result that is a
third of all traffic, for nothing. A *non-temporal* store sends whole lines out. Whoever computes a
line leaves it in a few KB of the first-level cache, and `stream` sends it on: that is cheap beside
memory, and the loop that computes stays as it was.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .gemm_micro import I, called, make_routine, written
from .gemm_vector import LANE, VECTOR, Lanes, constant, first_lanes, load, store

LARGE = 1 << 23  # bytes of a result that is not read from the cache again


def send(v: Lanes, builder: Any, *arguments: Any) -> None:
    """target[:n] = source[:n]: up to a line's begin by a mask, whole lines, the rest by a mask."""
    target, source, n = arguments
    gone = builder.and_(builder.sub(constant(0), target), constant(VECTOR - 1))
    head = builder.sdiv(gone, constant(v.size))
    small = builder.icmp_signed("<", n, head)
    head = builder.select(small, n, head)
    mask = first_lanes(builder, v, head)
    store(builder, v, load(builder, v, source, mask), target, mask)
    start = builder.mul(head, constant(v.size))
    left = builder.sub(n, head)
    rest = builder.srem(left, constant(v.count))
    stop = builder.mul(builder.sub(n, rest), constant(v.size))
    with cgutils.for_range_slice(builder, start, stop, constant(VECTOR)) as (far, _):
        value = load(builder, v, builder.add(source, far))
        place = builder.inttoptr(builder.add(target, far), v.type.as_pointer())
        sent = builder.store(value, place, align=VECTOR)
        sent.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(LANE, 1)]))
    mask = first_lanes(builder, v, rest)
    value = load(builder, v, builder.add(source, stop), mask)
    store(builder, v, value, builder.add(target, stop), mask)


@intrinsic
def write_stream(typingctx, dtype, integers):
    return written(send, types.void(dtype, integers))


def stream_routine(dtype):
    def stream(target, source, n):
        write_stream(dtype, (target, source, n))

    return stream


@cache
def prepare(dtype: Any) -> None:
    """Make `stream` ready for np.float32 or np.float64."""
    make_routine("stream", dtype, stream_routine(dtype), 3)


@intrinsic
def stream(typingctx, dtype, target, source, n):
    """target[:n] = source[:n], addresses; the numbers of target lie whole (aligned) in memory."""
    return called("stream", dtype, I, I, I)
