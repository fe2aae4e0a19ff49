"""Steps of LSTM and GRU in C: one pass over the gates (kernels/c/recurrent.c)."""

from __future__ import annotations

from typing import Any

from .c_library import lib
from .c_memory import Block, new_block
from .defaults.recurrent import RecurrentDefaults
from .tier1 import Buffer, Shape

SHORT = {"float32": "f32", "float64": "f64"}


def functions(name: str) -> dict[str, Any]:
    """The C function of that name for each dtype."""
    return {dtype: getattr(lib, f"{name}_{short}") for dtype, short in SHORT.items()}


LSTM, LSTM_GRAD = functions("lstm_cell"), functions("lstm_cell_grad")
GRU, GRU_GRAD = functions("gru_cell"), functions("gru_cell_grad")


def step(table: dict[str, Any], inputs: tuple[Block, ...], *shapes: Shape) -> tuple[Block, ...]:
    """Results of these shapes; the last input is (N, H)."""
    n, size = inputs[-1].shape
    dtype = inputs[-1].dtype
    results = tuple([new_block(shape, dtype) for shape in shapes])
    if n and size:
        table[dtype](n, size, *[x.data for x in inputs], *[y.data for y in results])
    return results


class CRecurrent(RecurrentDefaults):
    """Overrides of the whole family."""

    def lstm_cell(self, gates: Buffer, c: Buffer) -> tuple[Buffer, Buffer, Buffer]:
        return step(LSTM, (gates, c), c.shape, c.shape, gates.shape)  # type: ignore[return-value]

    def lstm_cell_grad(
        self, gh: Buffer, gc2: Buffer, act: Buffer, c: Buffer, c2: Buffer
    ) -> tuple[Buffer, Buffer]:
        inputs = gh, gc2, act, c, c2
        return step(LSTM_GRAD, inputs, act.shape, c.shape)  # type: ignore[return-value]

    def gru_cell(self, gi: Buffer, gh: Buffer, h: Buffer) -> tuple[Buffer, Buffer]:
        n, size = h.shape
        return step(GRU, (gi, gh, h), h.shape, (n, 4 * size))  # type: ignore[return-value]

    def gru_cell_grad(self, g: Buffer, act: Buffer, h: Buffer) -> tuple[Buffer, Buffer, Buffer]:
        n, size = h.shape
        gates = n, 3 * size
        return step(GRU_GRAD, (g, act, h), gates, gates, h.shape)  # type: ignore[return-value]
