"""Tier 1 of the backend contract: the methods that every backend must write.

A backend sees buffers, shapes, dtype names and plain numbers; never a Tensor or a gradient.

* A *buffer* is whatever the backend makes of memory. It has a `shape` tuple, is C-contiguous, and
  is never changed after it was returned, except by the methods that say "in place".
* A *dtype* is one of the strings float32, float64, int32, int64, bool.
* Every compute method takes `out=None`, a buffer of the result's shape and dtype to write into.
  Elementwise methods allow `out` to be one of the inputs; the others do not.
* Shapes, dtypes and axes were checked before the call (`framework/ops`), axes are non-negative.
  The values of indices were not: methods that read through indices raise IndexError.
* Floating-point exceptions never warn or raise: 1/0 is inf, 0/0 is nan.
* Arithmetic on float32 may be done in higher precision, never in lower. + - * / and sqrt on
  float64 are IEEE-exact on every backend: the random numbers rely on it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

Buffer: TypeAlias = Any
Shape: TypeAlias = tuple[int, ...]
Pairs: TypeAlias = tuple[tuple[int, int], ...]
Number: TypeAlias = float | int | bool


def window_count(size: int, kernel: int, stride: int, pad: tuple[int, int], dilation: int) -> int:
    """Window positions: floor((size + lo + hi - dilation (kernel - 1) - 1) / stride) + 1."""
    return (size + pad[0] + pad[1] - dilation * (kernel - 1) - 1) // stride + 1


class Tier1(ABC):
    """The primitives. A backend that writes these and nothing else runs all of etude."""

    name: str

    # memory -------------------------------------------------------------------------------------
    @abstractmethod
    def from_host(self, data: memoryview, shape: Shape, dtype: str) -> Buffer:
        """Copy host memory (C-contiguous, of `dtype`, any memoryview shape) into a new buffer."""

    @abstractmethod
    def to_host(self, x: Buffer) -> memoryview:
        """The values of `x`: a flat, read-only, C-contiguous memoryview of its dtype's format."""

    @abstractmethod
    def dtype(self, x: Buffer) -> str:
        """The dtype name of a buffer."""

    @abstractmethod
    def empty(self, shape: Shape, dtype: str) -> Buffer:
        """A new buffer with unspecified values."""

    @abstractmethod
    def full(self, shape: Shape, value: Number, dtype: str, out: Buffer = None) -> Buffer:
        """A buffer filled with `value`."""

    @abstractmethod
    def reshape(self, x: Buffer, shape: Shape) -> Buffer:
        """The same memory under another shape of the same size; never a copy."""

    def synchronize(self) -> None:  # noqa: B027 - a backend that is synchronous has nothing to do
        """Wait until all work handed to the device is done."""

    # layout -------------------------------------------------------------------------------------
    @abstractmethod
    def strided(
        self, x: Buffer, shape: Shape, strides: Sequence[int], offset: int, out: Buffer = None
    ) -> Buffer:
        """Copy out[i, j, ...] = flat(x)[offset + i*strides[0] + j*strides[1] + ...].

        Strides count elements and may be zero (expand) or negative (flip). Permute, expand, slice,
        flip, diagonal and sliding windows are all this.
        """

    @abstractmethod
    def put_strided(self, dst: Buffer, src: Buffer, strides: Sequence[int], offset: int) -> None:
        """In place: flat(dst)[offset + i*strides[0] + ...] = src[i, ...]; no position twice."""

    @abstractmethod
    def gather(self, x: Buffer, indices: Buffer, out: Buffer = None) -> Buffer:
        """Rows of x (R, M) at indices (K,) int64, giving (K, M); negative ones count from the end.

        Raises IndexError, naming the first bad value and R, for an index outside -R ... R-1.
        """

    @abstractmethod
    def scatter_add(self, x: Buffer, indices: Buffer, rows: int, out: Buffer = None) -> Buffer:
        """The transpose of `gather`: zeros (rows, M); out[indices[k]] += x[k] in the order of k.

        Raises IndexError as `gather` does.
        """

    # elementwise --------------------------------------------------------------------------------
    @abstractmethod
    def unary(self, name: str, x: Buffer, out: Buffer = None) -> Buffer:
        """kernels/scalar.py's UNARY[name] on each element; tests such as isnan give bool."""

    @abstractmethod
    def binary(
        self, name: str, a: Buffer | Number, b: Buffer | Number, out: Buffer = None
    ) -> Buffer:
        """kernels/scalar.py's BINARY[name] with broadcasting; comparisons give bool.

        Both buffers have one dtype. At most one operand is a plain number; it takes that dtype.
        """

    @abstractmethod
    def where(
        self, condition: Buffer, a: Buffer | Number, b: Buffer | Number, out: Buffer = None
    ) -> Buffer:
        """a where the bool `condition` holds, else b, broadcast; at most one is a plain number."""

    @abstractmethod
    def cast(self, x: Buffer, dtype: str, out: Buffer = None) -> Buffer:
        """Convert. Float to int drops the fraction; to bool is x != 0; int64 to int32 wraps."""

    # reductions ---------------------------------------------------------------------------------
    @abstractmethod
    def reduce(self, name: str, x: Buffer, axes: Shape, out: Buffer = None) -> Buffer:
        """sum, prod, max, min, any or all over `axes` (at least one), which leave the shape.

        The dtype stays. Any nan makes max and min nan. Over no elements: sum 0, prod 1, any False,
        all True; max and min are never asked for it.
        """

    @abstractmethod
    def arg_reduce(self, name: str, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        """argmax or argmin along one axis, which leaves the shape: int64, the first; nan wins."""

    @abstractmethod
    def scan(self, name: str, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        """cumsum or cumprod along one axis."""

    @abstractmethod
    def argsort(self, x: Buffer, axis: int, descending: bool, out: Buffer = None) -> Buffer:
        """The stable sorting order along one axis, int64; nan counts as the largest value."""

    # the rest -----------------------------------------------------------------------------------
    @abstractmethod
    def matmul(
        self,
        a: Buffer,
        b: Buffer,
        transpose_a: bool = False,
        transpose_b: bool = False,
        out: Buffer = None,
    ) -> Buffer:
        """Batched product of (..., M, K) and (..., K, N), leading axes broadcast.

        A flag says that the last two axes of that operand are stored swapped. K = 0 gives zeros.
        """

    @abstractmethod
    def unfold(
        self,
        x: Buffer,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        out: Buffer = None,
    ) -> Buffer:
        """Sliding windows of x (N, C, *S), zero padded, as columns (N, C*prod(kernel), L).

        Any number of spatial axes; L is the product of their `window_count`s. Row c*prod(kernel)+k
        holds element k of the window over channel c (torch.nn.Unfold's layout).
        """

    @abstractmethod
    def fold(
        self,
        columns: Buffer,
        shape: Shape,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        out: Buffer = None,
    ) -> Buffer:
        """The transpose of `unfold`: add the columns back into zeros of `shape` (N, C, *S)."""

    @abstractmethod
    def random_bits(self, key: int, counter: int, count: int, out: Buffer = None) -> Buffer:
        """`count` 32-bit words of Philox4x32-10 as int64 (0 ... 2^32-1), shape (count,).

        Block j of four words encrypts the 128-bit number counter + j under the 64-bit `key`, low
        words first. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
        """
