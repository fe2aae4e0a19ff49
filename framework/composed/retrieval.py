"""What learned vectors are used for: analogies between words, and short binary codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import tensor as _tensor
from ..dtypes import int64
from ..errors import ArgumentError, IndexOutOfRange, ShapeError, fail
from ..ops import derivatives as e
from ..ops.checks import float_tensor
from ..ops.elementwise import select
from ..ops.pointwise import floor_divide, remainder
from .norms import normalize
from .sorting import topk

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["analogy", "hamming_distance", "semantic_hash"]

BITS = 32


def analogy(embeddings: Tensor, a: int, b: int, c: int, k: int = 1) -> Tensor:
    """The k words nearest to v_b - v_a + v_c: a is to b as c is to which?

    Nearest by the angle, to vectors of length 1; a, b and c themselves are left out.

    Args: embeddings (V, D), float, one row for each word; a, b, c numbers of words.
    Returns: (k,) int64, the best first. Raises: ShapeError, IndexOutOfRange, ArgumentError.
    Source: Mikolov et al., "Linguistic regularities in continuous space word representations",
    2013. Decks: D1 (uncle - man + woman = aunt).
    """
    op = "analogy"
    v = float_tensor(op, embeddings)
    if len(v.shape) != 2:
        raise fail(ShapeError, op, f"expected embeddings (V, D), got {v.shape}; pass a matrix")
    words = v.shape[0]
    for word in (a, b, c):
        if not 0 <= word < words:
            raise fail(
                IndexOutOfRange, op, f"expected words 0 ... {words - 1}, got {word}; look it up"
            )
    if not 1 <= k <= words - len({a, b, c}):
        raise fail(
            ArgumentError,
            op,
            f"expected k from 1 to {words - len({a, b, c})}, got {k}; ask for fewer words",
        )
    unit = normalize(v, 2.0, 1)
    wanted = unit[b] - unit[a] + unit[c]
    number = _tensor.arange(words, backend=v.backend)
    asked = (number == a) | (number == b) | (number == c)
    return topk(select(asked, float("-inf"), (unit * wanted).sum(1)), k)[1]


def semantic_hash(input: Tensor, threshold: float = 0.5) -> Tensor:
    """Codes of up to 32 units as whole numbers: bit i is [h_i > threshold].

    Documents of like meaning get numbers that differ in few bits (`hamming_distance`), and are
    found by looking at the neighbours of an address in memory.

    Args: input (..., B), B <= 32, activations of a narrow sigmoid layer. Returns: (...) int64 in
    0 ... 2^B - 1. Raises: ShapeError.
    Source: Salakhutdinov & Hinton, "Semantic hashing", 2009, section 2. Decks: D1.
    """
    op = "semantic_hash"
    h = float_tensor(op, input)
    if not h.shape or not 1 <= h.shape[-1] <= BITS:
        raise fail(
            ShapeError, op, f"expected codes (..., B) with B <= {BITS}, got {h.shape}; use 32 units"
        )
    weights = _tensor.tensor([2**i for i in range(h.shape[-1])], dtype=int64, backend=h.backend)
    codes: Tensor = ((h > threshold).to(int64) * weights).sum(-1)
    return codes


def hamming_distance(input: Tensor, other: Tensor) -> Tensor:
    """In how many of 32 bits two numbers differ.

    Args: whole numbers >= 0 from semantic_hash, of shapes that broadcast: codes[:, None] against
    codes[None, :] gives all pairs. Returns: their shape, int64. Raises: DTypeError, ShapeError.
    Source: Hamming 1950; Salakhutdinov & Hinton 2009. Decks: D1.
    """
    powers = _tensor.tensor([2**i for i in range(BITS)], dtype=int64, backend=input.backend)

    def bits(x: Tensor) -> Tensor:
        return remainder(floor_divide(x.unsqueeze(-1), powers), 2)

    return e.NE(bits(input), bits(other)).to(int64).sum(-1)
