"""Random numbers: a counter-based generator (Philox4x32-10), one sequence on every backend.

The generator is a key (the seed) and a counter of 128-bit blocks; drawing n words moves the counter
by ceil(n / 4). Results depend on the seed and the order of draws, not on backend or threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from operator import index
from typing import TYPE_CHECKING, Any

from etude.backends.base import words_per_number

from .. import tensor as _tensor
from ..dtypes import DEFAULT, as_dtype, int64
from ..errors import ArgumentError, DTypeError, fail
from ..shape import check_size

if TYPE_CHECKING:
    from ..tensor import Tensor


@dataclass
class Generator:
    """A place in the random sequence that `seed` names; `counter` is the next block of 4 words."""

    seed: int = 0
    counter: int = 0

    def manual_seed(self, seed: int) -> Generator:
        """Start the sequence that this seed names."""
        try:
            self.seed, self.counter = index(seed) % 2**64, 0
        except TypeError:
            raise fail(
                ArgumentError, "manual_seed", f"expected a whole number, got {seed!r}"
            ) from None
        return self

    def take(self, words: int) -> int:
        """Reserve `words` 32-bit words; the counter where they begin."""
        start = self.counter
        self.counter += -(-words // 4)
        return start


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Start etude's random sequence anew; the same seed gives the same numbers on all backends."""
    return default_generator.manual_seed(seed)


def get_rng_state() -> tuple[int, int]:
    """(seed, counter) of the default generator."""
    return default_generator.seed, default_generator.counter


def set_rng_state(state: tuple[int, int]) -> None:
    """Go back to a state that `get_rng_state` returned."""
    default_generator.seed, default_generator.counter = state


def _draw(
    op: str,
    size: tuple[Any, ...],
    dtype: Any,
    backend: Any,
    requires_grad: bool,
    generator: Generator | None,
) -> Tensor:
    shape = check_size(op, size)
    kind = DEFAULT if dtype is None else as_dtype(dtype, op)
    if not kind.is_floating_point:
        raise fail(DTypeError, op, f"expected float32 or float64, got {kind}")
    engine = _tensor.as_backend(backend)
    source = generator or default_generator
    start = source.take(prod(shape) * words_per_number(op, kind) + prod(shape) % 2)
    draw = engine.uniform if op == "uniform" else engine.normal
    out = _tensor.Tensor(draw(source.seed, start, shape, kind), shape, kind, engine)
    return out.requires_grad_(requires_grad)


def rand(
    *size: Any,
    dtype: Any = None,
    backend: Any = None,
    requires_grad: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Uniform numbers in [0, 1)."""
    return _draw("uniform", size, dtype, backend, requires_grad, generator)


def randn(
    *size: Any,
    dtype: Any = None,
    backend: Any = None,
    requires_grad: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers of mean 0 and variance 1."""
    return _draw("normal", size, dtype, backend, requires_grad, generator)


def randint(
    low: int,
    high: int | None = None,
    size: Any = (),
    *,
    dtype: Any = int64,
    backend: Any = None,
    generator: Generator | None = None,
) -> Tensor:
    """Whole numbers low ... high - 1 (0 ... low - 1 with one bound), uniform to within 2^-32."""
    if high is None:
        low, high = 0, low
    if not low < high or high - low > 2**31:
        raise fail(
            ArgumentError, "randint", f"expected low < high <= low + 2^31, got {low} and {high}"
        )
    shape = check_size("randint", (size,) if isinstance(size, int) else size)
    engine = _tensor.as_backend(backend)
    source = generator or default_generator
    bits = engine.random_bits(source.seed, source.take(prod(shape)), prod(shape))
    words = _tensor.Tensor(engine.reshape(bits, shape), shape, int64, engine)
    return ((words * (high - low)) // 2**32 + low).to(dtype)


def randperm(n: int, *, backend: Any = None, generator: Generator | None = None) -> Tensor:
    """A random order of 0 ... n - 1."""
    if n < 0:
        raise fail(ArgumentError, "randperm", f"expected n >= 0, got {n}")
    engine = _tensor.as_backend(backend)
    source = generator or default_generator
    bits = engine.random_bits(source.seed, source.take(n), n)
    return _tensor.Tensor(bits, (n,), int64, engine).argsort()


def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with probability `input`, else 0, in the input's dtype."""
    if not input.dtype.is_floating_point:
        raise fail(DTypeError, "bernoulli", f"expected float probabilities, got {input.dtype}")
    u = rand(input.shape, dtype=input.dtype, backend=input.backend, generator=generator)
    return (u < input.detach()).to(input.dtype)
