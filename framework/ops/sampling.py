"""Random numbers: a counter-based generator (Philox4x32-10), one sequence on every backend.

The generator is a key (the seed) and a counter of 128-bit blocks; drawing n words moves the counter
by ceil(n / 4). Results depend on the seed and the order of draws, not on backend or threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import words_per_number

from .. import tensor as _tensor
from ..dtypes import DEFAULT, as_dtype, float64, int64
from ..errors import ArgumentError, CallError, DTypeError, ShapeError, fail
from ..guard import came
from ..shape import broadcast, check_size, check_whole

if TYPE_CHECKING:
    from ..tensor import Tensor


@dataclass
class Generator:
    """A place in the random sequence that `seed` names; `counter` is the next block of 4 words."""

    seed: int = 0
    counter: int = 0

    def manual_seed(self, seed: int) -> Generator:
        """Start the sequence that this seed names."""
        self.seed, self.counter = check_whole("manual_seed", "seed", seed) % 2**64, 0
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
    if not isinstance(state, (tuple, list)) or len(state) != 2:
        raise fail(
            CallError,
            "set_rng_state",
            f"expected (seed, counter), got {came(state)}; pass what get_rng_state() returned",
        )
    seed, counter = (check_whole("set_rng_state", "state", part) for part in state)
    default_generator.seed, default_generator.counter = seed, counter


def _draw(
    op: str,
    kernel: str,
    size: tuple[Any, ...],
    dtype: Any,
    backend: Any,
    requires_grad: bool,
    generator: Generator | None,
) -> Tensor:
    shape = check_size(op, size)
    kind = DEFAULT if dtype is None else as_dtype(dtype, op)
    if not kind.is_floating_point:
        raise fail(
            DTypeError, op, f"expected float32 or float64, got {kind}; convert the result with .to"
        )
    engine = _tensor.as_backend(backend)
    source = generator or default_generator
    start = source.take(prod(shape) * words_per_number(kernel, kind) + prod(shape) % 2)
    draw = getattr(engine, kernel)
    out = _tensor.Tensor(draw(source.seed, start, shape, kind), shape, kind, engine)
    out.requires_grad = requires_grad
    return out


def rand(
    *size: Any,
    dtype: Any = None,
    backend: Any = None,
    requires_grad: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Uniform numbers in [0, 1)."""
    return _draw("rand", "uniform", size, dtype, backend, requires_grad, generator)


def randn(
    *size: Any,
    dtype: Any = None,
    backend: Any = None,
    requires_grad: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers of mean 0 and variance 1."""
    return _draw("randn", "normal", size, dtype, backend, requires_grad, generator)


def exponential(
    *size: Any, dtype: Any = None, backend: Any = None, generator: Generator | None = None
) -> Tensor:
    """Exponential numbers of mean 1, never 0: -ln u."""
    return _draw("exponential", "exponential", size, dtype, backend, False, generator)


def rand_like(
    input: Tensor,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Uniform numbers in [0, 1) of the shape, dtype and backend of `input`."""
    kind = dtype or input.dtype
    return _draw("rand_like", "uniform", input.shape, kind, input.backend, requires_grad, generator)


def randn_like(
    input: Tensor,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers of mean 0 and variance 1, of the shape, dtype and backend of `input`."""
    kind = dtype or input.dtype
    return _draw("randn_like", "normal", input.shape, kind, input.backend, requires_grad, generator)


def normal(
    mean: Tensor | float,
    std: Tensor | float = 1.0,
    size: Any = None,
    *,
    dtype: Any = None,
    backend: Any = None,
    generator: Generator | None = None,
) -> Tensor:
    """mean + std z, z normal: one number for each element of `mean` and `std`, or of `size`.

    Args: `mean` and `std` are tensors that broadcast, or numbers; if both are numbers, `size` says
    how many. The gradient does not reach them: write mean + std * randn_like(mean) for that.
    Raises: ArgumentError if std is negative, or size is missing or too much.
    """
    given = [x for x in (mean, std) if isinstance(x, _tensor.Tensor)]
    if (size is None) == (not given):
        raise fail(
            ArgumentError,
            "normal",
            f"expected a size if mean and std are numbers, and none otherwise, got {came(size)}; "
            "use normal(0.0, 1.0, (2, 3))",
        )
    if not isinstance(std, _tensor.Tensor) and std < 0:
        raise fail(ArgumentError, "normal", f"expected std >= 0, got {std}; use its absolute value")
    if not given:
        shape = (size,) if isinstance(size, int) else size
        return _draw("normal", "normal", (shape,), dtype, backend, False, generator) * std + mean
    shape, like = broadcast("normal", *(getattr(x, "shape", ()) for x in (mean, std))), given[0]
    z = _draw("normal", "normal", shape, dtype or like.dtype, like.backend, False, generator)
    return (z * std + mean).detach()


def randint(
    low: int,
    high: Any = None,
    size: Any = (),
    *,
    dtype: Any = int64,
    backend: Any = None,
    generator: Generator | None = None,
) -> Tensor:
    """Whole numbers low ... high - 1, uniform to within 2^-32; `randint(high, size)` from 0."""
    if isinstance(high, (tuple, list)):
        high, size = None, high
    if high is None:
        low, high = 0, low
    first, stop = check_whole("randint", "low", low), check_whole("randint", "high", high)
    if not first < stop or stop - first > 2**31:
        raise fail(
            ArgumentError,
            "randint",
            f"expected low < high <= low + 2^31, got {first} and {stop}; high itself is left out",
        )
    kind = as_dtype(dtype, "randint")
    shape = check_size("randint", (size,) if isinstance(size, int) else size)
    engine = _tensor.as_backend(backend)
    source = generator or default_generator
    bits = engine.random_bits(source.seed, source.take(prod(shape)), prod(shape))
    words = _tensor.Tensor(engine.reshape(bits, shape), shape, int64, engine)
    return ((words * (stop - first)) // 2**32 + first).to(kind)


def randint_like(input: Tensor, low: int, high: int | None = None, *, dtype: Any = None) -> Tensor:
    """`randint` in the shape, dtype and backend of `input`."""
    kind = dtype or input.dtype
    return randint(low, high, input.shape, dtype=kind, backend=input.backend)


def randperm(n: int, *, backend: Any = None, generator: Generator | None = None) -> Tensor:
    """A random order of 0 ... n - 1."""
    (n,) = check_size("randperm", (n,))
    engine = _tensor.as_backend(backend)
    source = generator or default_generator
    bits = engine.random_bits(source.seed, source.take(n), n)
    return _tensor.Tensor(bits, (n,), int64, engine).argsort()


def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with probability `input`, else 0, in the input's dtype."""
    if not input.dtype.is_floating_point:
        raise fail(
            DTypeError,
            "bernoulli",
            f"expected float probabilities, got {input.dtype}; convert with .float()",
        )
    u = rand(input.shape, dtype=input.dtype, backend=input.backend, generator=generator)
    return (u < input.detach()).to(input.dtype)


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Indices drawn with probability proportional to the weights of a row.

    Args: input (C,) or (N, C), weights >= 0 that need not add up to 1. Returns: int64
    (num_samples,) or (N, num_samples). With `replacement` each draw is where u sum(w) falls among
    the running sums; without, the `num_samples` smallest of E_i / w_i, E exponential, which is the
    same as drawing one after the other (Efraimidis & Spirakis 2006).
    Raises: ShapeError, ArgumentError: no weights, or more samples than weights above 0.
    """
    _check_weights(input, num_samples, replacement)
    weights = input.detach().to(float64)
    rows = weights if len(weights.shape) == 2 else weights.unsqueeze(0)
    engine = rows.backend
    if replacement:
        size = (rows.shape[0], num_samples)
        found = _inverse_sums(rows, rand(size, dtype=float64, backend=engine, generator=generator))
    else:
        waits = exponential(rows.shape, dtype=float64, backend=engine, generator=generator)
        found = (waits / rows).argsort(-1).narrow(-1, 0, num_samples)
    return found if len(input.shape) == 2 else found.squeeze(0)


def _inverse_sums(rows: Tensor, u: Tensor) -> Tensor:
    """How many running sums of each row are <= u times its total, by sorting both together."""
    from .index import gather
    from .layout import cat

    sums = rows.cumsum(-1)
    count = rows.shape[-1]
    total = sums.narrow(-1, count - 1, 1)
    order = cat([sums, u * total], -1).argsort(-1)
    passed = (order < count).to(int64).cumsum(-1)
    rank = order.argsort(-1)
    found = gather(passed, -1, rank.narrow(-1, count, u.shape[-1]))
    last = (sums < total).to(int64).sum(-1, keepdim=True)  # u times the total may round up to it
    return found.minimum(last)


def _check_weights(x: Tensor, num_samples: int, replacement: bool) -> None:
    op = "multinomial"
    if len(x.shape) not in (1, 2) or x.shape[-1] == 0:
        raise fail(
            ShapeError,
            op,
            f"expected weights (C,) or (N, C) with C > 0, got {x.shape}; reshape them",
        )
    if not x.dtype.is_floating_point:
        raise fail(DTypeError, op, f"expected float weights, got {x.dtype}; convert with .float()")
    if num_samples < 1:
        raise fail(
            ArgumentError, op, f"expected num_samples >= 1, got {num_samples}; draw one or more"
        )
    if x.shape[0] == 0:
        return
    weights = x.detach()
    total = weights.sum(-1)
    if not ((weights >= 0).all() & (total > 0).all() & total.isfinite().all()).item():
        raise fail(
            ArgumentError,
            op,
            "expected weights >= 0 with a finite sum above 0 in each row, got others; "
            "use softmax or clamp(min=0) to make them so",
        )
    positive = int((weights > 0).to(int64).sum(-1).amin().item())
    if not replacement and num_samples > positive:
        raise fail(
            ArgumentError,
            op,
            f"expected at most {positive} samples, the number of weights above 0 in a row, "
            f"got num_samples={num_samples}; "
            "use replacement=True or fewer samples",
        )
