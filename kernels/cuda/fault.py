"""A word that kernels leave word of a mistake in: the least of all places where one was found.

    note_least(fault, i, place)         fault[i] = min(fault[i], place), whoever else does the same

The minimum of integers does not depend on the order in which threads come, so the host names the
same place in every run.
"""

from __future__ import annotations

from typing import Any

from .spec import device


def _build() -> Any:
    from numba.core import types
    from numba.cuda.extending import intrinsic

    @intrinsic
    def note(typing_context, x, i, place):
        def make(context, builder, signature, args):
            index = context.cast(builder, args[1], i, types.int64)
            value = context.cast(builder, args[2], place, x.dtype)
            builder.atomic_rmw("min", builder.gep(args[0], [index]), value, "monotonic")
            return context.get_dummy_value()

        return types.void(x, i, place), make

    return note


def _simulated(x: Any, i: int, place: int) -> None:
    x.data[i] = min(x.data[i], place)


note_least = device(build=_build, simulate=_simulated)
